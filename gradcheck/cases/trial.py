"""Trying a plan out: whether forward takes it, the output depends on a real argument, and backward fits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any, cast

import numpy as np

from gradcheck.cases.families import domains
from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import name_shape
from gradcheck.cases.values import Domain, Recipe, Spec
from gradcheck.errors import UsageError
from gradcheck.subject.protocol import Array, Missing, Subject

Bind = Callable[[Mapping[str | int, Any], Mapping[str, Any], frozenset[str]], Subject]

_TRIALS = 240  # for each layout; a trial is one construction and a few forwards on arrays of some 50 elements


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
        """Run a plan once; None if forward does not take it, or gives nothing that depends on a real argument."""
        case = plan.trial()
        try:
            settings, inputs = plan.realise(case)
            subject = self.bind(settings, inputs, plan.constants)
            primals = {a.name: np.array(a.value) for a in subject.arguments}
            outputs, pullback = subject.vjp(primals)
            _require_usable(subject, outputs)
        except Exception as error:  # noqa: BLE001 - whatever the layer raises means: not this shape
            self.failure = self.failure or (plan, error)
            return None
        found = replace(plan, outputs=tuple(name_shape(y.shape, dict(case.sizes)) for y in outputs))
        guessed = {name for name, r in plan.inputs.items() if isinstance(r, Spec) and r.constant}
        if guessed and "y" in guessed and any(y.ndim > 1 for y in outputs):
            return None  # only a loss has a target called y
        try:
            gradients = pullback(tuple(np.ones_like(y, dtype=np.float64) + 0.5 for y in outputs))
        except Exception:  # noqa: BLE001 - what backward raises is for the check to judge
            return found, False
        clean = not gradients.problems and all(
            not isinstance(gradients.values.get(a.name), Missing)
            and np.shape(cast(Any, gradients.values.get(a.name))) == a.value.shape
            for a in subject.arguments
            if a.differentiable
        )
        return found, clean


def with_limits(bind: Bind, plan: Plan) -> Plan:
    """Find the smallest size that each dimension takes, the others being as in the trial."""
    trial = plan.trial()
    limits: dict[str, int] = {}
    for name, usual in trial.sizes:
        for size in range(1, usual):
            if _runs(bind, plan, {**dict(trial.sizes), name: size}):
                limits[name] = size
                break
        else:
            limits[name] = usual
    return replace(plan, limits=limits)


def _runs(bind: Bind, plan: Plan, sizes: Mapping[str, int]) -> bool:
    try:
        settings, inputs = plan.realise(plan.case(sizes, 0))
        subject = bind(settings, inputs, plan.constants)
        outputs, _ = subject.vjp({a.name: np.array(a.value) for a in subject.arguments})
    except Exception:  # noqa: BLE001 - whatever the layer raises means: it does not take this size
        return False
    return _is_usable(outputs)


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
