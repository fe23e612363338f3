"""Run a layer at one case and write down how it behaved: the evidence that all rules share.

Runs are planned once for all rules, and what they have in common is run once. A layer that passes costs, whatever the
number of its elements: one forward and eight backwards on the first run (again, and for combinations of cotangents),
two of each for other memory layouts, three of each for a layer that lives on, one of each without a sample, and three
forwards and a backward for the numeric comparison; four more calls where one array can go to two inputs, three where
pullbacks must be independent. What is found costs more: it is tried again until it is known what it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import replace

import numpy as np

from gradcheck.derivative.function import Comparison
from gradcheck.evidence import edges
from gradcheck.evidence.agree import Arrays
from gradcheck.evidence.calls import BackwardRaised, Counted, Reference, well_formed
from gradcheck.evidence.first import First, returned_arrays, run_first
from gradcheck.evidence.kinks import if_beyond, kinks
from gradcheck.evidence.layouts import layouts
from gradcheck.evidence.linear import linearity
from gradcheck.evidence.numeric import compare_gradients
from gradcheck.evidence.record import GROUPS, Evidence, Group, Overwrite, Trial
from gradcheck.evidence.reuse import independence, reuse
from gradcheck.subject.protocol import Missing, Outputs, Pullback, Subject

_NEARBY = 2.0**-20  # of an element: far above the grains of float64, far below stairs


def gather(
    subject: Subject,
    seed: int,
    *,
    left_out: Set[str] = frozenset(),
    stencils: int = 0,
    groups: Set[Group] = GROUPS,
    large: bool = False,
) -> Evidence:
    """Run the layer at its point and note everything that the rules ask about.

    Parameters
    ----------
    subject : Subject
    seed : int
        Seeds the cotangents and directions.
    left_out : set of str
        Arguments whose gradients are not to be compared: they are known to be wrong, and to find that out once more
        would cost much more than a pass.
    stencils : int
        Gradients that so many stencils are enough for are compared element by element too.
    groups : set of str
        The runs to make, beyond the first: all of them, or what a rule in question needs.
    large : bool
        Whether the values are extreme on purpose.

    Raises
    ------
    NotComparableError
        If forward raises, or gives something that is not finite: then there is nothing to say about backward here.
    """
    counted = Counted(subject)
    first = run_first(counted, seed)
    evidence = Evidence(
        subject, first.outputs, first.cotangents,
        raised=first.raised, overwrites=first.overwrites, shared=first.shared, generators=first.generators,
        floating=first.floating, large=large, left_out=frozenset(left_out), tried=frozenset(groups),
    )  # fmt: skip
    if first.raised is not None:
        return replace(evidence, **counted.calls)
    evidence = replace(evidence, gradients=first.gradients, arrays=first.arrays, flat=_flat(counted, first))
    reference = Reference(counted, first.outputs, first.cotangents, first.arrays, seed)
    try:
        evidence = _backwards(evidence, counted, first, seed)
        if "layouts" in groups or "values" in groups:
            evidence = _other_layouts(evidence, reference)
        if not evidence.deterministic:
            return replace(evidence, **counted.calls)
        evidence = _other_calls(evidence, reference)
        # At large values a coarse format has saturated, and the derivative 1 - y**2 with it: right, and no digit good.
        if "values" in groups and not (large and any(y.dtype.itemsize < 8 for y in first.outputs)):
            compared = {name: g for name, g in first.arrays.items() if name not in left_out}
            comparisons = compare_gradients(
                counted.run, subject.arguments, compared, first.outputs, seed, stencils=stencils
            )
            comparisons = {name: _if_it_moves(counted, first, c, large) for name, c in comparisons.items()}
            if "kinks" in groups:
                comparisons = {name: if_beyond(reference, c) for name, c in comparisons.items()}
            evidence = replace(evidence, comparisons=comparisons)
    except BackwardRaised as raised:  # it took one cotangent, and raises for another
        return replace(evidence, raised=raised.error, **counted.calls)
    return replace(evidence, **counted.calls)


def _backwards(evidence: Evidence, counted: Counted, first: First, seed: int) -> Evidence:
    """Call backward again after the same forward: for the same cotangent, and for combinations of cotangents."""
    again = _again(counted, first.pullback, first.cotangents)
    evidence = replace(evidence, again=again)
    if "linear" not in evidence.tried:
        return evidence
    runs = _Runs(counted, first.pullback if _repeats(first.arrays, again) else None)
    linear = linearity(runs, first.arrays, first.cotangents, seed)
    broadcast = (linear.broadcast,) if linear.broadcast is not None else ()
    return replace(
        evidence,
        linearity=linear.tests,
        zero=linear.zero,
        trials=broadcast,
        overwrites=evidence.overwrites + _overwritten_later(evidence, first),
    )


def _other_layouts(evidence: Evidence, reference: Reference) -> Evidence:
    """Run fresh layers with other memory layouts; that tells, too, whether a fresh layer gives the same at all."""
    trials = tuple(layouts(reference))
    random = any(trial.contract == "repeatable" and trial.outputs_differ for trial in trials)
    return replace(evidence, trials=evidence.trials + trials, deterministic=not random)


def _other_calls(evidence: Evidence, reference: Reference) -> Evidence:
    """Try what comes before, between and at the edges."""
    trials: list[Trial | None] = []
    if "reuse" in evidence.tried:
        lived = list(reuse(reference))
        trials += [item for item in lived if isinstance(item, Trial)]
        trials.append(independence(reference))
        spoilt = tuple(item for item in lived if isinstance(item, Overwrite))
        evidence = replace(evidence, overwrites=evidence.overwrites + spoilt)
    if "same" in evidence.tried:
        trials.append(edges.same_array(reference))
    if "empty" in evidence.tried:
        evidence = replace(evidence, empty=edges.empty(reference.counted))
    if "kinks" in evidence.tried:
        known = {name: g for name, g in reference.arrays.items() if name not in evidence.left_out}
        evidence = replace(evidence, kinks=kinks(replace(reference, arrays=known)))
    return replace(evidence, trials=evidence.trials + tuple(trial for trial in trials if trial is not None))


def _if_it_moves(counted: Counted, first: First, comparison: Comparison, large: bool) -> Comparison:
    """Take back an accusation where forward stands still nearby: stairs look like a slope from afar.

    At ordinary values only if the gradient is said to be zero, as it is on stairs; a coarse format stands still, too.
    """
    if comparison.verdict != "fail" or comparison.index is None or (comparison.analytic and not large):
        return comparison
    for way in (_NEARBY, -_NEARBY):  # it may be on the edge of a stair
        point = counted.point()
        point[comparison.name].flat[comparison.index] *= 1.0 + way
        ys, _ = counted.vjp(point)
        if all(np.array_equal(y, z) for y, z in zip(ys, first.outputs, strict=True)):
            return Comparison(comparison.name, "inconclusive", reason="the outputs move in jumps")
    return comparison


def _flat(counted: Counted, first: First) -> frozenset[str]:
    """Return the inputs that backward gives nothing for, and that forward only compares: it sees no small moves."""
    values = first.gradients.values
    unpaid = [
        a.name
        for a in counted.subject.arguments
        if a.differentiable and a.kind == "input" and isinstance(values.get(a.name, Missing("")), Missing | None)
    ]
    flat: set[str] = set()
    for name in unpaid:
        for way in (_NEARBY, -_NEARBY):
            point = counted.point()
            point[name] = (point[name] * (1.0 + way)).astype(point[name].dtype)
            try:
                ys, _ = counted.vjp(point)
            except Exception:  # noqa: BLE001 - it does not take the point beside: not flat
                break
            if not all(np.array_equal(y, z) for y, z in zip(ys, first.outputs, strict=True)):
                break
        else:
            flat.add(name)
    return frozenset(flat)


class _Runs:
    """Backward at the point for any cotangent: on one run where backward can be repeated, else each on its own."""

    def __init__(self, counted: Counted, pullback: Pullback | None) -> None:
        self._counted, self._pullback = counted, pullback

    def __call__(self, cotangents: Outputs) -> Arrays:
        pullback = self._pullback or self._counted.vjp(self._counted.point())[1]
        return well_formed(self._counted.subject, pullback(cotangents))


def _again(counted: Counted, pullback: Pullback, cotangents: Outputs) -> Arrays | Exception:
    try:
        return counted.gradients(pullback, cotangents)
    except BackwardRaised as raised:  # one backward per forward is a design, not a defect
        return raised.error


def _repeats(first: Arrays, second: Arrays | Exception) -> bool:
    return isinstance(second, Mapping) and first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )  # fmt: skip


def _overwritten_later(evidence: Evidence, first: First) -> tuple[Overwrite, ...]:
    """Return the gradients of inputs that the first backward returned, and that a later one wrote into."""
    inputs = {a.name for a in evidence.owed if a.kind == "input"}
    return tuple(
        Overwrite("the next call", f"the gradient of {name}", "handed out")
        for name, array in returned_arrays(first.gradients).items()
        if name in inputs and name in first.arrays and not np.array_equal(array, first.arrays[name], equal_nan=True)
    )
