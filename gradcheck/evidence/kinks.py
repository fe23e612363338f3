"""Points on kinks and ties: gradients beyond the one-sided slopes, and accusations that only a kink explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.derivative.function import Comparison
from gradcheck.errors import UsageError
from gradcheck.evidence.agree import Arrays
from gradcheck.evidence.calls import Reference
from gradcheck.evidence.record import Kink
from gradcheck.subject.protocol import Argument, Array, Outputs

# Steps along a direction of unit size, at values of about 1: what is curved bends by as much as the farther one, and a
# format as coarse as float16, which does not move within the nearer one, moves within the farther.
_NEAR, _FAR = 2.0**-14, 2.0**-8
_JUMP = 2.0**-3  # what moves by more within such a step is taken for a jump, which has no slopes
_NEARLY_ONE = 2.0**-6  # how far the elements of a direction are apart
_BEYOND = 0.04  # of the slopes' own size: more than the direction's spread, less than one output of a dozen
_SETTLED = 2.0**-6
_NOISE = 1e-7  # of a slope, at values of about 1: what rounding makes of it
_DIRECTIONS = 2
_ELEMENTS = 4


def kinks(first: Reference) -> tuple[Kink, ...]:
    """Hold each gradient between the one-sided slopes along directions of nearly equal elements.

    At a kink, each generalised gradient is a mixture of the gradients nearby (Clarke 1983, section 2.5). Where several
    inputs share a maximum, a median or a place in an order, the weights of a mixture are positive and sum to 1: if all
    of them move alike, so does the output, by one of them. A gradient that counts each of them in full, or none, is
    beyond. Directions of unequal elements would not do: a median of three equal inputs stays with the middle one,
    whichever of them gets its gradient. Cotangents are positive, or what is beyond could cancel.

    One forward and backward, and four forwards for each argument, and for all together, where a tie is between two of
    them; a gradient is beyond only if it is along another direction, too.
    """
    counted = first.counted
    w = tuple(np.abs(part) for part in first.w)
    _, pullback = counted.vjp(counted.point())
    arrays = {name: g for name, g in counted.gradients(pullback, w).items() if name in first.arrays}
    found = _counted_twice(first, arrays, w)
    for argument in counted.subject.arguments:
        g = arrays.get(argument.name)
        if g is None or not g.size:
            continue
        if not np.all(np.isfinite(g)):
            found += _not_finite(first, argument, g, w)
            continue
        beyond = None
        for number in range(_DIRECTIONS):
            beyond = _beyond(first, {argument.name: g}, w, stream(first.seed, "kink", argument.name, str(number)))
            if beyond is None:
                break
        found += [beyond] if beyond is not None else []
    return tuple(found)


def _counted_twice(first: Reference, arrays: Arrays, w: Outputs) -> list[Kink]:
    """Move all arguments alike, for ties between them; only too much is said to be wrong, not that none gets any."""
    together = {name: g for name, g in arrays.items() if g.size and np.all(np.isfinite(g))}
    if len(together) < 2:
        return []
    beyond = None
    for number in range(_DIRECTIONS):
        beyond = _beyond(first, together, w, stream(first.seed, "kink", str(number)))
        if beyond is None or abs(beyond.analytic) <= max(abs(beyond.low), abs(beyond.high)):
            return []
    return [beyond] if beyond is not None else []


def if_beyond(first: Reference, comparison: Comparison) -> Comparison:
    """Take back an accusation at an element that has a kink in some output, for any mixture may be right there.

    Or by less than rounding makes: at whole numbers forward often rounds nothing, and its noise cannot be measured.
    """
    if comparison.verdict != "fail" or comparison.index is None or comparison.analytic is None:
        return comparison
    if comparison.numeric is not None and abs(comparison.analytic - comparison.numeric) < _NOISE:
        return Comparison(comparison.name, "inconclusive", reason="it is no more than rounding makes")
    (argument,) = [a for a in first.counted.subject.arguments if a.name == comparison.name]
    v = np.zeros(argument.value.shape)
    v.flat[comparison.index] = 1.0
    sides = _both_sides(first, {argument.name: v}, first.w)
    one_slope = sides is not None and bool(
        np.all(np.abs(sides.up - sides.down) <= 4.0 * sides.bars + _SETTLED * np.abs(sides.up))
    )
    if one_slope and _adds_up(first, argument):
        return comparison
    return Comparison(comparison.name, "inconclusive", reason="it is on a kink")


def _adds_up(first: Reference, argument: Argument) -> bool:
    """Whether slopes add up, as they do where there is a gradient; at a triple tie a median has slopes, but none."""
    rng = stream(first.seed, "additive", argument.name)
    u, v = (rng.choice((-1.0, 1.0), argument.value.shape) * rng.uniform(1.0, 2.0, argument.value.shape) for _ in "uv")
    of_u, of_v, of_both = (_both_sides(first, {argument.name: part}, first.w) for part in (u, v, u + v))
    if of_u is None or of_v is None or of_both is None:
        return False
    bars = of_u.bars + of_v.bars + of_both.bars
    size = np.abs(of_u.up) + np.abs(of_v.up) + np.abs(of_both.up)
    return bool(np.all(np.abs(of_u.up + of_v.up - of_both.up) <= 4.0 * bars + _SETTLED * size))


@dataclass(frozen=True, slots=True)
class _Sides:
    """The slopes of all outputs to both sides, and their error bars."""

    up: Array
    down: Array
    bars: Array


def _beyond(first: Reference, gradients: Arrays, w: Outputs, rng: np.random.Generator) -> Kink | None:
    v = {name: 1.0 + _NEARLY_ONE * rng.random(g.shape) for name, g in gradients.items()}
    sides = _both_sides(first, v, w)
    if sides is None:
        return None
    low, high = (float(pick(sides.up, sides.down).sum()) for pick in (np.minimum, np.maximum))
    shares = {name: g * v[name] for name, g in gradients.items()}
    size = float(np.maximum(np.abs(sides.up), np.abs(sides.down)).sum()) + sum(
        float(np.abs(share).sum()) for share in shares.values()
    )
    analytic = sum(float(share.sum()) for share in shares.values())
    outside = max(low - analytic, analytic - high)
    far_out = outside > 4.0 * float(sides.bars.sum()) + _BEYOND * size
    return Kink(next(iter(gradients)), analytic, low, high) if far_out else None


def _both_sides(first: Reference, v: Arrays, w: Outputs) -> _Sides | None:
    """Return the slopes along a direction and against it; None where an output jumps, or is not finite."""
    near_and_far = [[_slopes(first, way * step, v, w) for step in (_NEAR, _FAR)] for way in (1.0, -1.0)]
    (up, up_far), (down, down_far) = near_and_far
    if up is None or up_far is None or down is None or down_far is None:
        return None
    return _Sides(up, down, np.abs(up - up_far) + np.abs(down - down_far))


def _not_finite(first: Reference, argument: Argument, g: Array, w: Outputs) -> list[Kink]:
    """Return an element without a finite gradient at which there are finite slopes to both sides, if there is one."""
    for index in np.argwhere(~np.isfinite(g))[:_ELEMENTS]:
        v = np.zeros(g.shape)
        v[tuple(index)] = 1.0
        sides = _both_sides(first, {argument.name: v}, w)
        if sides is not None and np.all(sides.bars <= _SETTLED * (1.0 + np.abs(sides.up) + np.abs(sides.down))):
            up, down = float(sides.up.sum()), float(sides.down.sum())
            return [Kink(argument.name, float("nan"), min(up, down), max(up, down))]
    return []


def _slopes(first: Reference, step: float, v: Arrays, w: Outputs) -> Array | None:
    """Return the slope of each output, times its cotangent; None where one jumps, or is not finite."""
    point = first.counted.point()
    for name, part in v.items():
        point[name] = (point[name] + step * part).astype(point[name].dtype)
    try:
        ys, _ = first.counted.vjp(point)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - it does not take the point beside
        return None
    parts: list[Array] = []
    for y, z, c in zip(ys, first.outputs, w, strict=True):
        if y.shape != z.shape or not np.all(np.isfinite(y)):
            return None
        dy = np.asarray(y, np.float64) - z
        if np.any(np.abs(dy) > _JUMP * (1.0 + np.abs(z))):
            return None
        parts.append((dy / step * c).ravel())
    return np.concatenate(parts)
