"""The edges: no samples at all, and one array in two places."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.evidence.agree import Arrays, clearly_agree
from gradcheck.evidence.calls import BackwardRaised, Counted, Reference, well_formed
from gradcheck.evidence.record import Empty, Trial
from gradcheck.evidence.reuse import resized
from gradcheck.subject.describe import describe
from gradcheck.subject.protocol import Argument, Gradients, Missing, Primals
from gradcheck.subject.world import floating_errors


def empty(counted: Counted) -> Empty | None:
    """Run the layer without a sample; None where forward does not take that, or complains of it; two calls.

    A forward that warns, or keeps something that is not finite (the mean of no samples), has not really taken it.
    """
    point = resized(counted, None) if _is_distinct(counted.subject.arguments) else None
    if point is None:
        return None
    seen: set[str] = set()
    try:
        session, vjp = counted.session({name: np.array(value) for name, value in point.items()})
        with warnings.catch_warnings(record=True) as said, floating_errors(seen):
            warnings.simplefilter("always")
            ys, pullback = vjp(point)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - forward refuses it
        return None
    whole = all(np.issubdtype(y.dtype, np.floating) and bool(np.all(np.isfinite(y))) for y in ys)
    kept = all(bool(np.all(np.isfinite(array))) for array in session.kept().values())
    if said or seen or not whole or not kept or any(y.size for y in ys):
        return None
    try:
        gradients = pullback(tuple(np.zeros_like(y) for y in ys))
    except BackwardRaised as raised:
        return Empty(raised=raised.error)
    return Empty(_wrong_at_size_0(counted, gradients, point))


def same_array(first: Reference) -> Trial | None:
    """Hand forward one array in two places, and hold what comes out against two equal arrays; four calls, or none."""
    pair = next(_alike(first.counted.subject.arguments), None)
    if pair is None:
        return None
    a, b = pair
    how = f"when {a} and {b} are one and the same array"
    point = first.counted.point()
    point[b] = np.array(point[a])
    try:
        ys, pullback = first.counted.vjp({name: np.array(value) for name, value in point.items()})
        if not all(bool(np.all(np.isfinite(y))) for y in ys):
            return None
        expected = first.counted.gradients(pullback, first.w)
        point[b] = point[a]
        _, pullback = first.counted.vjp(point)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - it does not take equal arguments
        return None
    try:
        found: Arrays | Exception = first.counted.gradients(pullback, first.w)
    except BackwardRaised as raised:
        found = raised.error
    return None if clearly_agree(expected, found) else Trial("same array", how, expected, found)


def _wrong_at_size_0(counted: Counted, gradients: Gradients, point: Primals) -> dict[str, str]:
    arrays = well_formed(counted.subject, gradients, like=point)
    wrong: dict[str, str] = {}
    for argument in counted.subject.arguments:
        name, value = argument.name, gradients.values.get(argument.name)
        if not argument.differentiable or value is None or isinstance(value, Missing):
            continue
        shape = point[name].shape
        if name not in arrays:
            wrong[name] = f"is {describe(value)}, expected an array of shape {shape}"
        elif not np.all(np.isfinite(arrays[name])):
            wrong[name] = "is not finite, expected zeros"
        elif np.any(arrays[name]):
            wrong[name] = "is not zero, though there is no output that could depend on it"
    return wrong


def _is_distinct(arguments: tuple[Argument, ...]) -> bool:
    """Whether the length of the first input is no other size of an argument, so that it is known what goes with it."""
    inputs = [a.value.shape for a in arguments if a.kind == "input" and a.value.ndim]
    others = [size for a in arguments for size in (a.value.shape[1:] if a.kind == "input" else a.value.shape)]
    return bool(inputs) and inputs[0][0] > 0 and inputs[0][0] not in others


def _alike(arguments: tuple[Argument, ...]) -> Iterator[tuple[str, str]]:
    """Yield the pairs of real inputs of one shape and dtype."""
    inputs = [a for a in arguments if a.kind == "input" and a.differentiable and a.value.ndim]
    for a, b in combinations(inputs, 2):
        if a.value.shape == b.value.shape and a.value.dtype == b.value.dtype:
            yield a.name, b.name
