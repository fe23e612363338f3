"""Trying a plan out: whether forward takes it, the output depends on a real argument, and backward fits."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Literal

import numpy as np

from gradcheck.cases.complaint import Complaint, complaint_of
from gradcheck.cases.families import domains, is_index, is_mask, is_target, is_telling
from gradcheck.cases.outputs import Bind, agreed, is_usable, outputs_at, require_usable, shapes_named, usable_outputs_at
from gradcheck.cases.plan import Plan
from gradcheck.cases.said import NOTHING_SAID, Said
from gradcheck.cases.signature import Dims, name_shape
from gradcheck.cases.stated import StatedOutputsError, loss_rank, sizes_stated
from gradcheck.cases.values import Choice, Domain, Recipe, Spec
from gradcheck.records import Case
from gradcheck.subject.gradients import shape_or_none
from gradcheck.subject.protocol import Array, Missing, Pullback, Subject, point_of

Fit = Literal["all", "first", "none"]

# For each layout, first of all and then again; a trial is one construction and a few forwards on some 50 elements.
TRIALS = (16, 240)
_BUDGET = 1200  # trials in all, after which a layer that refuses everything is given up
_MORE = 480  # once something that is believed was found: all layouts have a turn, but not all that can be varied
_WIDENINGS = 8  # trials for each setting that could be a size of its own
_NOT_A_DOMAIN = (TypeError, AttributeError, LookupError)  # other values of the same shapes would raise it again
_SLOW, _FEW = 1.0, 8  # seconds that a trial may take, and trials that are left after one that took longer


class Search:
    """Tries plans and remembers the likeliest that runs, and how the first one failed.

    ``clean``: backward fits that plan. ``believed``: if it does not, the plan is still taken for what is meant.
    What was ``said`` of inputs is settled: nothing else is tried for them. ``apart``: see `sizes_stated`.
    """

    def __init__(self, bind: Bind, source: str, said: Said = NOTHING_SAID) -> None:
        self.bind, self.source, self.said = bind, source, said
        self.first: Plan | None = None
        self.clean = self.believed = self.apart = False
        self.failure: tuple[Plan, Exception] | None = None
        self._failed: tuple[Exception, Case] | None = None
        self._left = _BUDGET

    def complaint(self) -> tuple[Complaint, Case] | None:
        """Return what the plan that was tried last complained about, and at which case; None if it ran."""
        return self._failed and (complaint_of(self._failed[0]), self._failed[1])

    def best(
        self, plans: Iterator[Plan], *, sure: bool = False, likely: Dims | None = None, trials: int = TRIALS[-1]
    ) -> Plan | None:
        """Return the first plan whose backward fits too, else (unless ``sure``) the first whose forward runs.

        What only forward takes is believed where the layout is a ``likely`` one and an input still has its shape, or
        where backward gives the first input's gradient in its shape.
        """
        runs: tuple[Plan, Fit] | None = None
        for plan in islice(plans, max(min(trials, self._left), 0)):
            for variant in self._in_domains(plan):
                self._left -= 1
                outcome = self._try(variant)
                if outcome is None and self._is_about_shapes():
                    break
                if outcome is None:
                    continue
                found, fit = outcome
                if fit == "all" and (runs is None or _alike(runs[0], found)):
                    self.clean = True
                    return found
                runs = runs or outcome
                break
        if sure or runs is None:
            return None
        shapes = [recipe.dims for recipe in runs[0].inputs.values() if isinstance(recipe, Spec)]
        believed = likely in shapes or runs[1] == "first"
        if self.first is None or (believed and not self.believed):
            self.first, self.believed = runs[0], believed
            self._left = min(self._left, _MORE) if believed else self._left
        return runs[0]

    def _is_about_shapes(self) -> bool:
        """Whether other values of the same shapes would raise the same again."""
        return self._failed is not None and (
            isinstance(self._failed[0], _NOT_A_DOMAIN) or complaint_of(self._failed[0]).is_numpys
        )

    def _in_domains(self, plan: Plan) -> Iterator[Plan]:
        name = next(iter(plan.inputs), "")
        free = [k for k, r in plan.inputs.items() if _is_real(r) and k not in self.said.settled]
        for domain in domains(name, self.source, plan.inputs):
            yield replace(plan, inputs={**plan.inputs, **_moved({k: plan.inputs[k] for k in free}, domain)})
            if not free:
                return

    def widened(self, plan: Plan, others: Iterator[Plan], *, surely: bool) -> Plan:
        """Return the first of other plans that runs and leaves more sizes open than the plan, else the plan.

        Unless ``surely`` a size is meant, backward must fit it as well as it fits the plan.
        """
        for other in islice(others, max(min(_WIDENINGS, self._left), 0)):
            if len(other.names) <= len(plan.names):
                self._failed = None  # it says the same under another name
                continue
            self._left -= 1
            outcome = self._try(other)
            if outcome is not None:
                return outcome[0] if surely or outcome[1] == "all" or not self.clean else plan
        return plan

    def _try(self, plan: Plan) -> tuple[Plan, Fit] | None:
        """Run a plan; None if forward does not take it, or gives nothing that depends on a real argument."""
        case, self._failed = plan.trial(), None
        started = time.process_time()
        try:
            settings, inputs = plan.realise(case)
            subject = self.bind(settings, inputs, plan.constants)
            returned, pullback = subject.vjp(point_of(subject.arguments))
            outputs = tuple(map(np.array, returned))  # a buffer may be handed out again
            require_usable(subject, outputs)
            own = sizes_stated(self.said, plan, case, outputs, apart=self.apart)
        except Exception as error:  # noqa: BLE001 - whatever the layer raises means: not this shape
            self._failed = error, case
            if self.failure is None or (
                isinstance(error, StatedOutputsError) and not isinstance(self.failure[1], StatedOutputsError)
            ):
                self.failure = plan, error
            if time.process_time() - started > _SLOW:
                self._left = min(self._left, _FEW)
            return None
        found = self._at_other_sizes(plan, outputs, own)
        if found is None:
            return None
        if {*_excused(plan)}.difference(self.said.settled) and any(
            y.ndim > loss_rank(self.said, plan) for y in outputs
        ):
            return None  # only a loss has a target that is not called one
        if plan.constants:
            return self._with_targets(found) or (found, _fits(subject, outputs, pullback))
        return self._with_learnt(found, outputs, pullback) or (found, _fits(subject, outputs, pullback))

    def _at_other_sizes(self, plan: Plan, outputs: Sequence[Array], own: Mapping[str, int]) -> Plan | None:
        """Return the plan with the shapes of its outputs, where it runs at other sizes too; else it ran by chance."""
        other = plan.trial(1)
        try:
            again = usable_outputs_at(self.bind, plan, other)
        except Exception as error:  # noqa: BLE001 - a table that happened to be long enough
            self._failed = error, other
            return None
        if len(again) != len(outputs):
            return None
        if self.apart and {*own.items()} & {*sizes_stated(self.said, plan, other, again).items()}:
            return None  # what has a name of its own in the outputs is always of one size
        pairs = zip(shapes_named(outputs, plan, plan.trial()), shapes_named(again, plan, other), strict=True)
        return replace(plan, outputs=tuple(agreed(a, b) for a, b in pairs))

    def _with_learnt(self, plan: Plan, outputs: Sequence[Array], pullback: Pullback) -> tuple[Plan, Fit] | None:
        """Return the plan with those numbers among its settings as arrays for which backward leaves a gradient."""
        try:
            unasked = pullback(tuple(map(np.ones_like, outputs))).unasked
        except Exception:  # noqa: BLE001 - what backward raises is for the check to judge
            return None
        sizes = {name: size for name, size in plan.trial().sizes if name not in plan.choices}
        shapes = {name: shape_or_none(value) for name, value in unasked.items() if name in plan.settings}
        learnt: dict[str | int, Recipe] = {
            name: Spec(name_shape(shape, sizes)) for name, shape in shapes.items() if shape and len(shape) == 1
        }
        free = replace(plan, settings={**plan.settings, **learnt})
        if not learnt or outputs_at(self.bind, free, free.trial()) is None:
            return None
        subject = self.bind(*free.realise(free.trial()), free.constants)
        return free, _fits(subject, *subject.vjp(point_of(subject.arguments)))

    def _with_targets(self, plan: Plan) -> tuple[Plan, Fit] | None:
        """Return the plan with its targets as arguments like others, if backward gives a gradient for them too."""
        real = {
            name: replace(r, domain="real", constant=False)
            if isinstance(r, Spec) and r.constant and name not in self.said.settled
            else r
            for name, r in plan.inputs.items()
        }
        free = replace(plan, inputs=real)
        try:
            subject = self.bind(*free.realise(free.trial()), free.constants)
            outputs, pullback = subject.vjp(point_of(subject.arguments))
        except Exception:  # noqa: BLE001 - targets are not just any reals
            return None
        owed = all(a.differentiable for a in subject.arguments if a.name in plan.constants)
        fits = owed and is_usable(outputs) and _fits(subject, outputs, pullback) == "all"
        return (free, "all") if fits else None


def _fits(subject: Subject, outputs: Sequence[Array], pullback: Pullback) -> Fit:
    """Whether backward gives gradients of the right shapes: all that are owed, the first one, or not even that."""
    try:
        gradients = pullback(tuple(np.ones_like(y, dtype=np.float64) + 0.5 for y in outputs))
    except Exception:  # noqa: BLE001 - what backward raises is for the check to judge
        return "none"
    found = [gradients.values.get(a.name) for a in subject.arguments if a.differentiable]
    shapes = [a.value.shape for a in subject.arguments if a.differentiable]
    fits = [
        g is not None and not isinstance(g, Missing) and shape_or_none(g) == shape
        for g, shape in zip(found, shapes, strict=True)
    ]
    if all(fits) and not gradients.problems:
        return "all"
    return "first" if fits[0] else "none"


def _excused(plan: Plan) -> list[str]:
    """Return the inputs beyond the first that owe no gradient in this plan, though their names do not say why."""
    return [
        name
        for name, recipe in list(plan.inputs.items())[1:]
        if isinstance(recipe, Spec)
        and (recipe.constant or recipe.domain in {"index", "onehot"})
        and not (is_target(name) or is_index(name) or is_mask(name))
    ]


def _alike(a: Plan, b: Plan) -> bool:
    """Whether two plans differ only in what backward may decide.

    That is (o) or (1,o), a target or not, a setting, and the shape of an operand whose name says nothing about it; but
    not to leave out values of a setting that forward takes.
    """
    if any(isinstance(r, Choice) and r != s for r, s in zip(a.settings.values(), b.settings.values(), strict=True)):
        return False
    first = next(iter(a.inputs), "")
    said = [name == first or is_telling(name) for name in b.inputs] + [True] * len(b.settings)
    return all(
        _shape(r) == _shape(s) or (isinstance(s, Spec) and s.constant) or not telling
        for r, s, telling in zip(a.recipes, b.recipes, said, strict=True)
    )


def _shape(recipe: Recipe) -> list[str | int] | None:
    return [dim for dim in recipe.dims if dim != 1] if isinstance(recipe, Spec) else None


def _is_real(recipe: Recipe) -> bool:
    return isinstance(recipe, Spec) and recipe.domain == "real" and not recipe.constant


def _moved(inputs: Mapping[str, Recipe], domain: Domain) -> dict[str, Recipe]:
    return {name: replace(r, domain=domain) if isinstance(r, Spec) else r for name, r in inputs.items()}
