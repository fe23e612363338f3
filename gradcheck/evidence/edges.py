"""The edges: no samples at all, one array in two places, and points on kinks and ties."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.errors import UsageError
from gradcheck.evidence.agree import Arrays, clearly_agree
from gradcheck.evidence.calls import BackwardRaised, Counted, Reference, well_formed
from gradcheck.evidence.record import Empty, Kink, Trial
from gradcheck.evidence.reuse import resized
from gradcheck.subject.describe import describe
from gradcheck.subject.protocol import Argument, Array, Gradients, Missing, Primals
from gradcheck.subject.world import floating_errors

_STEP = 2.0**-16  # along a direction of unit size, at values of about 1: what is curved bends by as much, and no more
_JUMP = 2.0**-6  # what moves by more within such a step is taken for a jump, which has no slopes
_BEYOND = 1e-3  # of the slopes' own size: to be twice as large, or not there, is beyond by about 1
_DIRECTIONS = 2
_ELEMENTS = 4


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


def kinks(first: Reference) -> tuple[Kink, ...]:
    """Hold each gradient between the one-sided slopes, along directions, where forward is piecewise smooth.

    At a kink of output ``k``, any generalised gradient gives a slope along ``v`` between the two one-sided ones (Clarke
    1983, section 2.1), so the sum over outputs lies between the sums of the smaller and of the larger ones. Four
    forwards for each argument; a gradient is beyond only if it is along other directions, too.
    """
    found: list[Kink] = []
    for argument in first.counted.subject.arguments:
        g = first.arrays.get(argument.name)
        if g is None or not g.size:
            continue
        if not np.all(np.isfinite(g)):
            found += _not_finite(first, argument, g)
            continue
        one = None
        for number in range(_DIRECTIONS):
            beyond = _beyond(first, argument, g, stream(first.seed, "kink", argument.name, str(number)))
            one = one or beyond
            if beyond is None:
                break
        else:
            found += [] if one is None else [one]
    return tuple(found)


def _beyond(first: Reference, argument: Argument, g: Array, rng: np.random.Generator) -> Kink | None:
    v = rng.uniform(1.0, 2.0, g.shape)  # of one sign: what is counted twice adds up
    up, up_far = (_slopes(first, argument, step * v, step) for step in (_STEP, 2.0 * _STEP))
    down, down_far = (_slopes(first, argument, -step * v, -step) for step in (_STEP, 2.0 * _STEP))
    if up is None or up_far is None or down is None or down_far is None:
        return None
    bar = float(np.abs(up - up_far).sum() + np.abs(down - down_far).sum())
    low, high = float(np.minimum(up, down).sum()), float(np.maximum(up, down).sum())
    size = float(np.maximum(np.abs(up), np.abs(down)).sum() + np.abs(g * v).sum())
    analytic = float((g * v).sum())
    outside = max(low - analytic, analytic - high)
    far_out = 4.0 * bar + _BEYOND * size
    return Kink(argument.name, analytic, low, high) if min(outside, high - low) > far_out else None


def _not_finite(first: Reference, argument: Argument, g: Array) -> list[Kink]:
    """Return an element without a finite gradient at which there are finite slopes to both sides, if there is one."""
    for index in np.argwhere(~np.isfinite(g))[:_ELEMENTS]:
        v = np.zeros(g.shape)
        v[tuple(index)] = 1.0
        slopes: list[float] = []
        for step in (_STEP, -_STEP):
            near, far = (_slopes(first, argument, k * step * v, k * step) for k in (1.0, 2.0))
            if near is None or far is None or np.any(np.abs(near - far) > _BEYOND * (1.0 + np.abs(far))):
                break
            slopes.append(float(near.sum()))
        else:
            return [Kink(argument.name, float("nan"), min(slopes), max(slopes))]
    return []


def _slopes(first: Reference, argument: Argument, move: Array, step: float) -> Array | None:
    """Return the slope of each output, times its cotangent; None where one jumps, or is not finite."""
    point = first.counted.point()
    point[argument.name] = (point[argument.name] + move).astype(argument.value.dtype)
    try:
        ys, _ = first.counted.vjp(point)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - it does not take the point beside
        return None
    parts: list[Array] = []
    for y, z, c in zip(ys, first.outputs, first.w, strict=True):
        if y.shape != z.shape or not np.all(np.isfinite(y)):
            return None
        dy = np.asarray(y, np.float64) - z
        if np.any(np.abs(dy) > _JUMP * (1.0 + np.abs(z))):
            return None
        parts.append((dy / step * c).ravel())
    return np.concatenate(parts)


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
