"""Trying a plan out: whether forward takes it, the output depends on a real argument, and backward fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any, cast

import numpy as np

from gradcheck.cases.families import domains, is_index, is_target
from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import Dims, name_shape, size_of
from gradcheck.cases.values import Choice, Domain, Recipe, Spec
from gradcheck.errors import UsageError
from gradcheck.records import Case
from gradcheck.subject.protocol import Array, Missing, Pullback, Subject

Bind = Callable[[Mapping[str | int, Any], Mapping[str, Any], frozenset[str]], Subject]

_TRIALS = 240  # for each layout; a trial is one construction and a few forwards on arrays of some 50 elements
_TOGETHER = 12  # choices tried together for each smallest size: a wide kernel with a stride needs a larger image


class Search:
    """Tries plans and remembers the first that runs, and how the first one failed."""

    def __init__(self, bind: Bind, source: str) -> None:
        self.bind, self.source = bind, source
        self.first: Plan | None = None
        self.clean = False
        self.failure: tuple[Plan, Exception] | None = None

    def best(self, plans: Iterator[Plan], *, sure: bool = False) -> Plan | None:
        """Return the first plan whose backward fits too, else (unless ``sure``) the first whose forward runs."""
        runs: Plan | None = None
        for plan in islice(plans, _TRIALS):
            for variant in self._in_domains(plan):
                outcome = self._try(variant)
                if outcome is None:
                    continue
                found, clean = outcome
                if clean and (runs is None or _alike(runs, found)):
                    self.clean = True
                    return found
                runs = runs or found
                break
        if sure:
            return None
        self.first = self.first or runs
        return runs

    def _in_domains(self, plan: Plan) -> Iterator[Plan]:
        name = next(iter(plan.inputs), "")
        for domain in domains(name, self.source):
            yield replace(plan, inputs=_moved(plan.inputs, domain))
            if not any(isinstance(r, Spec) and r.domain == "real" and not r.constant for r in plan.inputs.values()):
                return

    def _try(self, plan: Plan) -> tuple[Plan, bool] | None:
        """Run a plan; None if forward does not take it, or gives nothing that depends on a real argument."""
        case = plan.trial()
        try:
            settings, inputs = plan.realise(case)
            subject = self.bind(settings, inputs, plan.constants)
            outputs, pullback = subject.vjp({a.name: np.array(a.value) for a in subject.arguments})
            _require_usable(subject, outputs)
        except Exception as error:  # noqa: BLE001 - whatever the layer raises means: not this shape
            self.failure = self.failure or (plan, error)
            return None
        other = plan.trial(1)
        again = outputs_at(self.bind, plan, other)
        if again is None or len(again) != len(outputs):
            return None  # it ran by chance: a table that happened to be long enough
        pairs = zip(_named(outputs, plan, case), _named(again, plan, other), strict=True)
        found = replace(plan, outputs=tuple(_agreed(a, b) for a, b in pairs))
        if _excused(plan) and any(y.ndim > 1 for y in outputs):
            return None  # only a loss has a target that is not called one
        if plan.constants:
            return self._with_targets(found) or (found, _fits(subject, outputs, pullback))
        return found, _fits(subject, outputs, pullback)

    def _with_targets(self, plan: Plan) -> tuple[Plan, bool] | None:
        """Return the plan with its targets as arguments like others, if backward gives a gradient for them too."""
        real = {
            name: replace(r, domain="real", constant=False) if isinstance(r, Spec) and r.constant else r
            for name, r in plan.inputs.items()
        }
        free = replace(plan, inputs=real)
        try:
            subject = self.bind(*free.realise(free.trial()), free.constants)
            outputs, pullback = subject.vjp({a.name: np.array(a.value) for a in subject.arguments})
            return (free, True) if _is_usable(outputs) and _fits(subject, outputs, pullback) else None
        except Exception:  # noqa: BLE001 - targets are not just any reals
            return None


def _fits(subject: Subject, outputs: Sequence[Array], pullback: Pullback) -> bool:
    """Whether backward gives a gradient of the right shape for every argument that is owed one."""
    try:
        gradients = pullback(tuple(np.ones_like(y, dtype=np.float64) + 0.5 for y in outputs))
    except Exception:  # noqa: BLE001 - what backward raises is for the check to judge
        return False
    return not gradients.problems and all(
        not isinstance(gradients.values.get(a.name), Missing)
        and np.shape(cast(Any, gradients.values.get(a.name))) == a.value.shape
        for a in subject.arguments
        if a.differentiable
    )


def with_limits(bind: Bind, plan: Plan) -> Plan:
    """Find the values that each choice takes, and the smallest size of each dimension, the others as in the trial."""
    usual = dict(plan.trial().sizes)
    for name, values in plan.choices.items():
        taken = (values[0], *(v for v in values[1:] if _runs(bind, plan, {**usual, name: v})))
        recipes = {k: Choice(name, taken) if r == Choice(name, values) else r for k, r in plan.settings.items()}
        plan = replace(plan, settings=recipes)
    choices = plan.choices
    together = [dict(zip(choices, chosen, strict=True)) for chosen in islice(product(*choices.values()), _TOGETHER)]

    def smallest(name: str) -> int:
        for size in range(1, usual[name]):
            if all(_runs(bind, plan, {**usual, **chosen, name: size}) for chosen in together):
                return size
        return usual[name]

    return replace(plan, limits={name: smallest(name) for name in usual if name not in choices})


def outputs_at(bind: Bind, plan: Plan, case: Case) -> Sequence[Array] | None:
    """Return what forward gives at a case, or None if it raises or gives nothing usable."""
    try:
        settings, inputs = plan.realise(case)
        subject = bind(settings, inputs, plan.constants)
        outputs, _ = subject.vjp({a.name: np.array(a.value) for a in subject.arguments})
    except Exception:  # noqa: BLE001 - whatever the layer raises means: it does not take this size
        return None
    return outputs if _is_usable(outputs) else None


def _runs(bind: Bind, plan: Plan, sizes: Mapping[str, int]) -> bool:
    return outputs_at(bind, plan, plan.case(sizes, 0)) is not None


def _named(outputs: Sequence[Array], plan: Plan, case: Case) -> list[Dims]:
    sizes = dict(case.sizes)
    dims = {str(dim): size_of(dim, sizes) for dim in (*sizes, *plan.dims) if dim not in plan.choices}
    return [name_shape(y.shape, dims) for y in outputs]


def _agreed(first: Dims, second: Dims) -> Dims:
    """Keep what two runs say alike of an output's shape; a size that follows from others gets a name of its own."""
    if len(first) != len(second):
        return first
    return tuple(a if a == b else f"d{k}" for k, (a, b) in enumerate(zip(first, second, strict=True)))


def _excused(plan: Plan) -> list[str]:
    """Return the inputs beyond the first that owe no gradient in this plan, though their names do not say why."""
    return [
        name
        for name, recipe in list(plan.inputs.items())[1:]
        if isinstance(recipe, Spec)
        and (recipe.constant or recipe.domain in {"index", "onehot"})
        and not (is_target(name) or is_index(name))
    ]


def _alike(a: Plan, b: Plan) -> bool:
    """Whether two plans differ only in what backward may decide: (o) or (1,o), a target or not, a setting."""
    pairs = zip((*a.inputs.values(), *a.settings.values()), (*b.inputs.values(), *b.settings.values()), strict=True)
    return all(_shape(r) == _shape(s) or (isinstance(s, Spec) and s.constant) for r, s in pairs)


def _shape(recipe: Recipe) -> list[str | int] | None:
    return [dim for dim in recipe.dims if dim != 1] if isinstance(recipe, Spec) else None


def _moved(inputs: Mapping[str, Recipe], domain: Domain) -> dict[str, Recipe]:
    return {
        name: replace(r, domain=domain) if isinstance(r, Spec) and r.domain == "real" and not r.constant else r
        for name, r in inputs.items()
    }


def _require_usable(subject: Subject, outputs: Sequence[Array]) -> None:
    if not _is_usable(outputs):
        raise UsageError("the output is empty, not real or not finite")
    if not _depends(subject, outputs):
        raise UsageError("the output does not depend on any real argument")


def _is_usable(outputs: Sequence[Array]) -> bool:
    return all(np.issubdtype(y.dtype, np.floating) and bool(np.all(np.isfinite(y))) for y in outputs) and any(
        y.size for y in outputs
    )


def _depends(subject: Subject, outputs: Sequence[Array]) -> bool:
    """Whether some output changes with some real argument."""
    for argument in subject.arguments:
        if argument.differentiable:
            primals = {a.name: np.array(a.value) for a in subject.arguments}
            primals[argument.name] = primals[argument.name] * 1.25 + 0.01
            moved, _ = subject.vjp(primals)
            if any(y.shape != z.shape or not np.array_equal(y, z) for y, z in zip(outputs, moved, strict=True)):
                return True
    return False
