"""The five-point stencil: a central difference along a direction, held against the analytic one, with its error bar.

For ``phi(t) = w @ y(x + t v)`` and a step ``h``, with ``y`` at ``0, +-h, +-2h``::

    dy1 = (y(h) - y(-h)) / 2h          dy2 = (y(2h) - y(-2h)) / 4h
    r1  = w @ dy1 - g @ dx1            r2  = w @ dy2 - g @ dx2        numeric minus analytic
    r   = (4 r1 - r2) / 3                                             Richardson (1911): the h**2 term cancels

``dx`` is the perturbation that was realised, ``fl(x + h v) - fl(x - h v)``, not the one that was asked for. What is
left in ``r`` comes out of the same five values, output by output::

    t  = dy2 - dy1                                            is h**2 y'''/2 where y is smooth
    d4 = y(2h) + y(-2h) - 4 (y(h) + y(-h)) + 6 y(0)           is h**4 y'''' where y is smooth

so where ``y`` is smooth, ``d4`` is only rounding: its variance is 1+1+16+16+36 = 70 times that of ``y``, the fourth
column of the difference table of Hamming (1971) and of ECnoise (More & Wild 2011). Where ``y`` has a kink inside the
stencil, ``d4`` and ``t`` are as large as the kink's effect on ``r``: a jump ``J`` of the slope at ``p >= 0`` gives

    at p = 0          r errs by J/2 at most (any slope between the one-sided ones is right)   |d4|/4h = J/2
    at 0 < p < h      r errs by J (2h - 3p) / 12h ... J/6 at most                             |d4|/4h + |t| >= J/6
    at h < p < 2h     r errs by J (2h - p) / 12h                                              |d4|/4h = J (2h - p)/4h

Hence the bar: the sum over outputs of ``|w| (|d4|/4h + |t|)``, which no kink exceeds and which bounds the truncation
by the *uncorrected* second-order error; in quadrature only where ``d4`` and ``t`` are no larger than rounding, which
has no sign in common; plus six standard deviations of rounding; plus the analytic side's own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.function import Vector
from gradcheck.derivative.noise import Precision, norm
from gradcheck.derivative.probe import Centre, Direction, Scalar, step_to

# 0.95: standard deviation of r, in units of that of y over h: sqrt((16 (1/4 + 1/4) + (1/16 + 1/16)) / 9).
_ROUNDING = 6.0 * 0.95
# A value rounded to nearest is off by a standard deviation of 1/sqrt(12) = 0.29 units in the last place.
_ULP = 0.3
# Up to so many units in the last place d4 may be rounding (its standard deviation is 8.4 times 0.3 of them); beyond, it
# is taken for structure: a kink, curvature, a coarser format inside.
_ROUNDING_ULPS = 16.0
# Eight roundings' worth of the directional derivative, for the backward's own arithmetic.
_ANALYTIC = 8.0
# Where structure exceeds this share of the response, the step is beyond the range where a slope means anything.
_SOUND = 0.1
# A difference is clear from two bars on.
CLEARLY = 2.0
# So many bars outside, a difference needs no better step to be told from rounding that was underestimated.
_BY_FAR = 64.0
# Where rounding is not what the formats promise but what was measured, a slope has to stand clear of it by this.
_CLEAR = 0.5


@dataclass(frozen=True, slots=True)
class Stencil:
    """What five evaluations along a direction gave, per output; ``dx1``, ``dx2`` per element of the direction.

    ``typical`` is the median of ``largest``, the size of all outputs that are not zero; ``span`` is how far each moved.
    """

    h: float
    direction: Direction
    dx1: Vector
    dx2: Vector
    dy1: Vector
    t: Vector
    d4: Vector
    largest: Vector
    dead: np.ndarray[tuple[int], np.dtype[np.bool_]]
    typical: float
    span: Vector


@dataclass(frozen=True, slots=True)
class Estimate:
    """A numeric derivative along a direction beside the analytic one.

    Parameters
    ----------
    h : float
        The step.
    numeric, residual, bar : float
        The numeric derivative, numeric minus analytic, and the half-width of the error bar of both.
    structure : float
        The part of the bar that is no rounding: kinks, truncation, a coarser format inside.
    size : float
        ``norm(g * v)``: the scale on which a relative error of the gradient is felt along a random direction.
    sound : bool
        The step is one at which the difference quotient has settled.
    dead : bool
        No output moved at all.
    """

    h: float
    numeric: float
    residual: float
    bar: float
    structure: float
    size: float
    sound: bool
    dead: bool

    @property
    def agrees(self) -> bool:
        """Whether the gradient lies within the bar."""
        return abs(self.residual) <= self.bar

    @property
    def resolution(self) -> float:
        """The largest error that may hide: one that the rest of the difference undoes, relative to the gradient.

        Where the parts of ``g * v`` cancel (outputs were set aside since ``v`` was drawn), a common factor shows less.
        """
        felt = min(self.size, abs(self.numeric - self.residual))
        return (self.bar + abs(self.residual)) / felt if felt > 0.0 else float("inf")

    @property
    def clearly_differs(self) -> bool:
        """Whether the gradient lies well outside the bar, which is made to contain, not to be beaten."""
        return abs(self.residual) > CLEARLY * self.bar

    def settles(self, share: float) -> bool:
        """Whether no better step is needed: the bar is small, and the gradient in it, or out of it by far."""
        return self.within(share) and (self.agrees or abs(self.residual) > _BY_FAR * self.bar)

    def within(self, share: float) -> bool:
        """Whether this is a slope, and its bar at most a share of it."""
        return self.sound and not self.dead and self.bar <= share * max(self.size, abs(self.numeric))


def stencil(centre: Centre, direction: Direction, h: float) -> Stencil | None:
    """Evaluate at four points around the centre; None where an output is not finite or an element cannot move."""
    xs = {k: step_to(centre, direction, h, k) for k in (1.0, -1.0, 2.0, -2.0)}
    dx1 = (xs[1.0] - xs[-1.0])[direction.where]
    dx2 = (xs[2.0] - xs[-2.0])[direction.where]
    if not np.isfinite(dx2).all() or not dx1[direction.v != 0.0].all():
        return None
    y: dict[float, Vector] = {}
    for k, x in xs.items():
        y_k = centre.forward_at(x)
        if y_k is None:
            return None
        y[k] = y_k
    y0 = centre.y
    with np.errstate(over="ignore", invalid="ignore"):
        dy1 = (y[1.0] - y[-1.0]) / (2.0 * h)
        t = (y[2.0] - y[-2.0]) / (4.0 * h) - dy1
        d4 = (y[2.0] - y0) + (y[-2.0] - y0) - 4.0 * ((y[1.0] - y0) + (y[-1.0] - y0))
    if not (np.isfinite(d4).all() and np.isfinite(t).all()):
        return None
    largest = np.maximum(np.abs(y0), np.maximum(np.abs(y[2.0]), np.abs(y[-2.0])))
    dead = np.logical_and.reduce([y_k == y0 for y_k in y.values()])
    span = np.maximum(np.abs(y[2.0] - y0), np.abs(y[-2.0] - y0))
    return Stencil(h, direction, dx1, dx2, dy1, t, d4, largest, dead, _median(largest[largest > 0.0]), span)


def estimate(s: Stencil, scalar: Scalar, precision: Precision) -> Estimate:
    """Hold the numeric derivative of ``w @ y`` along the stencil's direction against the analytic one."""
    h, w, g = s.h, scalar.w, scalar.g[s.direction.where]
    analytic = float((g * s.dx1).sum()) / (2.0 * h)
    r1 = float((w * s.dy1).sum()) - analytic
    r2 = float((w * (s.dy1 + s.t)).sum()) - float((g * s.dx2).sum()) / (4.0 * h)
    r = (4.0 * r1 - r2) / 3.0
    size = norm(g * s.dx1) / (2.0 * h)

    quiet = is_quiet(s, w, precision)
    structure = float(structure_of(s, w)[~quiet].sum())
    scatter = np.maximum(np.abs(s.d4) / 70.0**0.5, _ULP * _ulp(s, w, precision))
    rounding = _ROUNDING / h * norm(w * scatter) + norm((w * s.t)[quiet])
    own = _ANALYTIC * (precision.eps * size + precision.tiny * float(np.abs(s.dx1).sum()) / (2.0 * h))
    bar = structure + rounding + own

    response = w * s.dy1
    sound = structure <= _SOUND * float(np.abs(response).sum())
    if precision.measured:
        sound = sound and bar <= _CLEAR * norm(response)
    dead = bool(s.dead[w != 0.0].all())
    return Estimate(h, analytic + r, r, bar, structure, size, sound, dead)


def is_quiet(s: Stencil, w: Vector, precision: Precision) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return, per output, whether the differences could be rounding alone."""
    loudest = np.maximum(np.abs(s.d4), np.abs(s.t) * s.h)
    return np.asarray(loudest <= _ROUNDING_ULPS * _ulp(s, w, precision))


def _ulp(s: Stencil, w: Vector, precision: Precision) -> Vector:
    """Return the unit in the last place of each output; zero for one that stays zero, which is not rounded.

    An output much smaller than the others is taken to be what a cancellation left of numbers of their size. Where
    steps are so fine that smaller ones show such rounding before anything is called wrong, this is asked only of the
    outputs that are looked at: by itself, each element of ``exp(10 x)`` is as exact as the largest.
    """
    typical = _median(s.largest[(s.largest > 0.0) & (w != 0.0)]) if precision.is_fine else s.typical
    ulp = np.maximum(precision.eps * np.maximum(s.largest, typical), precision.tiny)
    return np.asarray(np.where(s.largest > 0.0, ulp, 0.0))


def _median(z: Vector) -> float:
    """Return the median as `numpy.median` does, whose fixed cost is some thirty times as high; zero of nothing."""
    if not z.size:
        return 0.0
    low, high = (z.size - 1) // 2, z.size // 2
    part = np.partition(z, (low, high))
    return 0.5 * (float(part[low]) + float(part[high]))


def structure_of(s: Stencil, w: Vector) -> Vector:
    """Return, per output, the part of the bar that bounds kinks and truncation."""
    return np.asarray(np.abs(w) * (np.abs(s.d4) / (4.0 * s.h) + np.abs(s.t)))
