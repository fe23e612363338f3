"""One direction on a ladder of steps: every output gets the step, the slope and the error bar that suit it.

At least two steps are tried, for one cannot tell a slope from luck (`gradcheck.derivative.judge`). The ladder goes down
for what is not smooth, up for what is lost in rounding, until every output is settled or nothing is left to be tried;
at last it looks farther out (`gradcheck.derivative.grains`).
"""

from __future__ import annotations

import numpy as np

from gradcheck.derivative.function import Vector
from gradcheck.derivative.grains import Grains, look_farther
from gradcheck.derivative.judge import View, judge
from gradcheck.derivative.levels import Level, Mask, Point, level

# Neighbouring steps: 16 times in float64; 4 times in coarser formats, which have less room. And a little more, never
# the same, so that no two see a grid of grains alike.
_FINE, _RATIO, _RATIO_COARSE, _UNEVEN, _GOLDEN = 2.0**-40, 16.0, 4.0, 0.3, 0.5 * (5.0**0.5 - 1.0)
# From four units in the last place to a whole scale, beyond which another regime begins.
_SMALLEST, _LARGEST = 4.0, 1.0
# A kink is one if it still is so many steps below the first.
_BELOW = 3


@np.errstate(all="ignore")
def follow(point: Point, v: Vector) -> tuple[Vector, Vector, Mask]:
    """Differentiate along ``v``: return, per output, the slope, its error bar, and whether it has a kink here.

    The bar is infinite where no step gave an estimate; the slope is then 0 and means nothing.
    """
    by = 2.0 ** min(1000, -int(np.frexp(np.abs(v).max())[1]))  # v may be far too small or large to divide by
    v = by * v
    unit = float((point.scale[v != 0.0] / np.abs(v[v != 0.0])).min())  # so far no element leaves its scale
    value, bar, kinks = _follow(point, unit * v)
    return value / unit / by, bar / unit / by, kinks


def _follow(point: Point, v: Vector) -> tuple[Vector, Vector, Mask]:
    ratio = _RATIO if point.precision.eps <= _FINE else _RATIO_COARSE
    start, m = point.precision.step, point.y.size
    lowest = -int(np.log(start / (_SMALLEST * point.precision.eps)) / np.log(ratio))
    highest = int(np.log(_LARGEST / start) / np.log(ratio))
    levels: dict[int, Level] = {}
    grains = Grains.unknown(m)
    seen: View | None = None
    k: int | None = 0
    while k is not None and lowest <= k <= highest:
        found = level(point, v, start * ratio**k * (1.0 + _UNEVEN * (k * _GOLDEN % 1.0)))
        if found is not None:
            levels[k] = found
        elif levels and k < min(levels):
            lowest = k + 1
        else:
            highest = k - 1
        if not levels:
            k -= 1
            continue
        ladder = [levels[k] for k in sorted(levels)]
        seen = judge(point, ladder, grains.onset, grains.size)
        k = _next(seen, point.precision.target, list(levels), (lowest, highest))
        if k is None and look_farther(point, v, seen, grains):
            seen = judge(point, ladder, grains.onset, grains.size)
            k = _next(seen, point.precision.target, list(levels), (lowest, highest))
    if seen is None:
        return np.zeros(m), np.full(m, np.inf), np.zeros(m, dtype=bool)
    return _summed_up(seen, grains, [levels[k] for k in sorted(levels)])


def _next(seen: View, target: float, tried: list[int], allowed: tuple[int, int]) -> int | None:
    """Return the step to try next, None when there is nothing left to try."""
    bottom, top, (lowest, highest) = min(tried), max(tried), allowed
    if bottom == top:
        return top + 1 if top < highest else bottom - 1
    unsettled = ~seen.settled(target)
    if bottom <= -_BELOW:
        unsettled &= ~seen.kinks
    if bottom > lowest and (unsettled & seen.below).any():
        return bottom - 1
    return top + 1 if top < highest and (unsettled & seen.above & ~seen.kinks).any() else None


def _summed_up(seen: View, grains: Grains, ladder: list[Level]) -> tuple[Vector, Vector, Mask]:
    """Let grains that may be meant widen the bars: to what shows between them, and to what they may hide."""
    rests = (grains.onset > 0.0) & np.logical_and.reduce([each.dead for each in ladder])
    both, hidden = grains.coarse & ~rests, grains.size / (2.0 * ladder[-1].h)
    low = np.where(both, np.minimum(seen.low, grains.low), np.where(rests, grains.low - hidden, seen.low))
    high = np.where(both, np.maximum(seen.high, grains.high), np.where(rests, grains.high + hidden, seen.high))
    known = np.isfinite(low) & np.isfinite(high)
    value = np.where(both | rests, low / 2.0 + high / 2.0, seen.value)
    return np.where(known, value, 0.0), np.where(known, high / 2.0 - low / 2.0, np.inf), seen.kinks & known
