"""Looking farther out: an output may be smooth, or not move at all, only between two grains.

``round`` and its like jump between grains that somebody meant, and their slope is zero. What is computed in a coarser
format inside jumps as well, and its slope is not zero. Nearby, both look the same; so both count.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.function import Vector
from gradcheck.derivative.judge import View
from gradcheck.derivative.levels import Mask, Point

# So far out, in scales and in sizes of x, grains of eight bits are met (float32 has no room for so near). Elements that
# move by less than a sixteenth of what the fastest does are not waited for.
_NEAR, _NEAR_COARSE, _FINE, _FASTEST = 2.0**-6, 2.0**-3, 2.0**-40, 16.0
# Outputs that do not move are followed as far as this: an x far below 1 does not say where the next grain of f(x) lies.
_FAR = 2.0**10
# The search strides inwards by this (squared from that far out), and follows so many outputs.
_STRIDE, _FOLLOWED = 4.0, 3
# A departure is looked for where rounding allows no more than this share of what the slope, or the output, would give:
# so many standard deviations, and units in the last place.
_TELLS, _DEVIATIONS, _ULPS = 2.0**-8, 6.0, 16.0
# When the distance is halved, curvature that the Taylor series leaves shrinks by 16, a series of grains by 2.
_CURVES = 6.0
# A continuous change shrinks with its bracket, halved so often, to this and less; a jump stays.
_HALVINGS, _SHRUNK = 30, 2.0**-12
# Grains finer than this share of the output are rounding, and the slope is that of what is rounded.
_RECKONED = 2.0**-20
# Coarser ones than this are no format's of eight bits or more: nothing follows from them for other outputs.
_FORMAT = 2.0**-5


@dataclass(slots=True)
class Grains:
    """What is known of grains, per output.

    ``asked`` is the step that spoke against the estimate when it was last asked (-1: never). ``onset`` is how far off
    the first grain lies, zero where there is none, ``size`` how large it is, ``coarse`` whether it may be meant;
    ``low`` and ``high`` are the ends of the estimate between the grains.
    """

    asked: Vector
    onset: Vector
    size: Vector
    coarse: Mask
    low: Vector
    high: Vector

    @classmethod
    def unknown(cls, m: int) -> Grains:
        """Return what is known at first, of ``m`` outputs."""
        return cls(np.full(m, -1.0), np.zeros(m), np.zeros(m), np.zeros(m, dtype=bool), np.zeros(m), np.zeros(m))


def look_farther(point: Point, v: Vector, seen: View, grains: Grains) -> bool:
    """Find outputs that are smooth only between two grains; say whether there are any.

    From there on they are judged by steps that reach the first grain and at which they move. If one output jumps, all
    that depart from their Taylor series do; and all whatsoever if it is a format: what computes one computes others.
    """
    new = np.isfinite(seen.bar) & ~seen.kinks & (grains.asked != seen.against)
    grains.asked[new] = seen.against[new]
    still, live = new & seen.dead, new & (~seen.dead | (seen.against > 0.0))
    size = np.maximum(point.scale, np.abs(point.x))
    fastest = np.maximum(np.abs(v), point.scale / _FASTEST)
    near = _NEAR if point.precision.eps <= _FINE else _NEAR_COARSE
    near *= float((np.where(v != 0.0, size, 0.0) / fastest).max())
    whole = np.maximum(seen.size, np.median(seen.size))
    # Where nothing moves, every element goes as far as it needs: a slope of zero has no direction.
    for direction, far, some in ((np.sign(v) * size, _FAR, still), (v, near, live)):
        asked = some & (grains.onset == 0.0)
        if not asked.any():
            continue
        search = _Search(point, direction, far, near, seen, asked, whole)
        departing, onset, grain = search.first_jump()
        if grain == 0.0:
            continue
        against = asked & (seen.against > 0.0) & (seen.against < _STRIDE / 2.0 * near)
        alike = new if grain <= _FORMAT else departing | against
        reach = np.maximum(onset, 2.0 * np.where(against, seen.against, 0.0))
        grains.onset[alike] = np.where(seen.dead, np.finfo(np.float64).tiny, reach)[alike]
        grains.size[alike] = grain * whole[alike]
        grains.coarse[alike] = grain > _RECKONED
        grains.low[alike], grains.high[alike] = seen.low[alike], seen.high[alike]
    return bool((grains.onset[new] > 0.0).any())


@dataclass(frozen=True, slots=True)
class _Search:
    """The outputs ``asked``, followed along ``v`` from ``far`` inwards; steps that are meant count up to ``near`` only.

    ``size`` is how large each output is, or the others are.
    """

    point: Point
    v: Vector
    far: float
    near: float
    seen: View
    asked: Mask
    size: Vector

    @property
    def against(self) -> Mask:
        """Outputs whose steps contradict each other: they have no series of higher order in common."""
        return self.asked & (self.seen.against > 0.0) & (self.far == self.near)

    def departure(self, tau: float) -> Vector:
        """How far outputs are from their Taylor series of the third order."""
        h = self.seen.h
        curved = ~self.seen.dead & ~self.against
        bent = np.where(curved, self.seen.bend / h**2 / 2.0 + tau * self.seen.t / h**2 / 3.0, 0.0)
        value = np.where(self.asked, self.seen.value, 0.0)
        moved = self.point.at(self.point.x + self.point.step(tau * self.v)) - self.point.y
        off = moved - tau * (value + tau * bent)
        return np.where(np.isfinite(off), off, np.inf)

    def allowed(self, tau: float) -> Vector:
        """How far rounding may have taken them, in ``y`` and in the coefficients of the series."""
        s = np.where(self.seen.dead | self.against, 0.0, tau / self.seen.h)
        rounding = _DEVIATIONS * self.seen.sigma * (1.0 + 1.3 * s**2 + 0.3 * s**3)
        return np.asarray(tau * self.seen.bar + rounding + _ULPS * self.point.precision.eps * self.seen.size)

    def first_jump(self) -> tuple[Mask, float, float]:
        """Find an output that departs by a jump, not continuously (another bend, or a kink).

        Return which outputs depart at all, how far out the jumps lie at most, and how large a share of the output this
        one is; the last is zero where there is none.
        """
        stride = _STRIDE if self.far == self.near else _STRIDE**2
        outer, whole, ever = self._brackets(stride)
        suspects = np.isfinite(whole) & (whole > 0.0)
        curved = ~self.seen.dead & ~self.against
        for tau in np.unique(outer[suspects & curved]):
            half = np.abs(self.departure(tau / 2.0))
            bends = (half > self.allowed(tau / 2.0)) & (_CURVES * half <= whole)
            suspects &= ~curved | (outer != tau) | ~bends
        outputs = np.flatnonzero(suspects)
        for j in map(int, outputs[np.linspace(0, outputs.size - 1, min(_FOLLOWED, outputs.size)).astype(int)]):
            grain = self._jump(j, float(outer[j] / stride), float(outer[j]), float(whole[j]))
            if grain > 0.0:
                return ever, float(np.abs(outer[suspects]).max()), grain
        return ever, 0.0, 0.0

    def _brackets(self, stride: float) -> tuple[Vector, Vector, Mask]:
        """Stride inwards; return where each output departed last, by how much, and which ones ever did."""
        outer, whole = np.zeros(self.asked.size), np.zeros(self.asked.size)
        left, ever = self.asked.copy(), np.zeros(self.asked.size, dtype=bool)
        against, tau = self.against, self.far
        slope = np.maximum(np.abs(np.where(self.asked, self.seen.value, 0.0)), self.seen.size)
        while left.any():
            telling = self.allowed(tau) <= _TELLS * tau * slope
            heard = left & np.where(against, tau <= 2.0 * _STRIDE * self.seen.against, telling)
            if heard.any():
                off, side = self.departure(tau), np.full(self.asked.size, tau)
                if against.any():  # nobody knows on which side
                    other = self.departure(-tau)
                    swap = against & (np.abs(other) > np.abs(off))
                    off, side = np.where(swap, other, off), np.where(swap, -tau, tau)
                departs = self.asked & (np.abs(off) > self.allowed(tau))
                ever |= departs & np.isfinite(off)
                left &= ~heard | departs
                heard &= left
                outer, whole = np.where(heard, side, outer), np.where(heard, np.abs(off), whole)
            tau /= stride
            left &= 2.0 * self.seen.h < tau
        return outer, whole, ever

    def _jump(self, j: int, inner: float, outer: float, whole: float) -> float:
        """Halve a bracket, always towards the larger change; return what share of the output a jump is, or zero."""
        change: Callable[[float], float] = lambda tau: float(self.departure(tau)[j])  # noqa: E731
        low, high = change(inner), change(outer)
        for halved in range(_HALVINGS):
            middle = 0.5 * (inner + outer)
            now = change(middle)
            if abs(high - now) > abs(now - low):
                inner, low = middle, now
            else:
                outer, high = middle, now
            grain = abs(high - low) / float(self.size[j])
            meant = abs(inner) > self.near and grain > _FORMAT and halved > _HALVINGS // 3
            if meant or not abs(high - low) > max(_SHRUNK * whole, float(self.allowed(0.0)[j])):
                return 0.0
        return grain
