"""Before anything is called wrong: all else that could make an analytic and a numeric derivative differ.

A residual outside its bar has to outlive, in this order: outputs that do not move although they should (a step
function, a coarser format inside); grains that may hide a slope; the rounding of the backward itself; and all other
steps, from far below to so far above that any format inside would be seen through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from gradcheck.derivative.central import CLEARLY, Estimate, Stencil, estimate, stencil
from gradcheck.derivative.deep import Probe
from gradcheck.derivative.jumps import beyond, hidden_slope
from gradcheck.derivative.noise import Precision, analytic_noise, norm
from gradcheck.derivative.probe import Centre, Scalar

# The steps that are asked, in units of the one that accuses.
_FACTORS = tuple(16.0**k for k in range(1, 8))
# Formats of eight bits and more are seen through when x moves by an eighth of its scale and more.
_COARSEST = 2.0**-2
# Structure grows with the step, or stays if it is a kink's; what falls by this much as the step grows is granular.
_FALLS = 4.0
# A larger step sides with the gradient when it leaves this part of the difference: a format of few digits errs itself.
_SIDES = 8.0


@dataclass(frozen=True, slots=True)
class Charge:
    """Whether a residual stands, with the estimate that it stands on; else what it may come from."""

    stands: bool
    estimate: Estimate
    scalar: Scalar
    precision: Precision
    reason: str = ""


def charge(centre: Centre, found: Probe) -> Charge:
    """Try to explain the residual of a probe away."""
    if found.best is None or found.stencil is None:
        raise ValueError("a probe without an estimate accuses nobody")
    e, s, scalar, precision = found.best, found.stencil, found.scalar, found.precision

    def dropped(reason: str) -> Charge:
        return Charge(False, e, scalar, precision, reason)

    if not e.clearly_differs:
        return dropped("the difference does not stand clear of the error bar")

    dead = s.dead & (scalar.w != 0.0)
    if dead.any():
        live = centre.scalar(np.where(dead, 0.0, scalar.w))
        e_live = estimate(s, live, precision)
        if live.w.any() and e_live.clearly_differs:
            e, scalar = e_live, live
        else:
            jump, hidden = beyond(centre, s, scalar, np.flatnonzero(dead))
            e = replace(e, bar=e.bar + hidden)
            if jump:
                return dropped("the outputs move in jumps (a step function, or a coarser format inside)")
            if not e.clearly_differs:
                return dropped("the gradient is no larger than what rounding inside the function hides")

    # Five values on a parabola to the last digit are few grains: sqrt(1 + x*x) - 1 near 0 moves by one, and by four.
    exact = (s.dy1 == 0.0) & (s.t == 0.0) & (s.d4 == 0.0)
    e = replace(e, bar=e.bar + float((np.abs(scalar.w) * s.span)[exact].sum()) / s.h)
    e = replace(e, bar=e.bar + hidden_slope(centre, s, scalar, precision))
    if not e.clearly_differs:
        return dropped("the outputs move in grains that may hide as much (a coarser format inside)")
    noise = 8.0 * analytic_noise(centre, found.direction, scalar, precision)
    e = replace(e, bar=e.bar + noise)
    if not e.clearly_differs:
        return dropped("the gradient is lost in the rounding of the backward itself")
    objection = _objection(_Case(centre, s, scalar, precision, e, noise))
    return dropped(objection) if objection else Charge(True, e, scalar, precision)


@dataclass(frozen=True, slots=True)
class _Case:
    """A residual ``e``, found at stencil ``s``, that asks for confirmation; ``noise`` is that of its analytic side."""

    centre: Centre
    s: Stencil
    scalar: Scalar
    precision: Precision
    e: Estimate
    noise: float

    def at(self, steps: list[float]) -> list[tuple[Stencil, Estimate]]:
        """Look at steps in turn, as far as the function can be evaluated."""
        seen = []
        for h in steps:
            s = stencil(self.centre, self.s.direction, h)
            if s is None:
                break
            e = estimate(s, self.scalar, self.precision)
            seen.append((s, replace(e, bar=e.bar + self.noise)))
        return seen


def _objection(case: _Case) -> str:
    """Ask other steps, well below and well above; return what they object.

    Some step has to see the same residual, and none that could see it may deny it: no smaller one by seeing another
    (at a step longer than its waves a function looks flat), no larger one by siding with the gradient.
    """
    e = case.e
    below = case.at([e.h / factor for factor in _FACTORS])
    above = case.at([e.h * factor for factor in _FACTORS if e.h * factor <= max(_COARSEST, _FACTORS[0] * e.h)])
    smaller = [other for _, other in below if other.sound and (e.dead or not other.dead)]
    larger = [other for _, other in above if other.sound]

    if not replace(e, bar=e.bar + _rounding_seen(case, [s for s, _ in below])).clearly_differs:
        return "the difference is no larger than the rounding that shows at smaller steps"
    if any(not _same(other, e) and _could_see(other, e) for other in smaller):
        return "the difference does not reproduce at a smaller step"
    for last, other in pairwise([e, *larger]):
        granular = last.structure > _FALLS * other.structure
        sides = abs(other.residual) <= max(other.bar, abs(e.residual) / _SIDES)
        if sides and not other.dead and (granular or _could_see(other, e)):
            return "the difference vanishes at larger steps (a coarser format inside)"
    near = [
        other for _, other in case.at([4.0 * e.h]) + case.at([e.h / 4.0]) if other.sound
    ]  # if there is no more room
    if any(_same(other, e) for other in [*smaller, *larger, *near]):
        return ""
    return "the difference does not reproduce at another step"


def _rounding_seen(case: _Case, below: list[Stencil]) -> float:
    """Return the rounding that smaller steps give away, and that five values may hide by luck.

    What scatters an output there scatters it here. And where an output that moves here does not move at ``h'``, it may
    have grains as large as ``4 (16 h') |dy|``, which is what it should move by over the next stencil. Rounding to
    grains has a standard deviation of 0.29 of them; six standard deviations are counted, as in the bar.
    """
    scatter = np.zeros(case.s.dy1.size)
    for s in below:
        grain = np.where(s.dead, 4.0 * _FACTORS[0] * s.h * np.abs(case.s.dy1), 0.0)
        scatter = np.maximum(scatter, np.maximum(np.abs(s.d4) / 70.0**0.5, 0.29 * grain))
    return 6.0 * 0.95 / case.e.h * norm(case.scalar.w * scatter)


def _could_see(other: Estimate, e: Estimate) -> bool:
    """Whether the residual would have stood clear of the bar at another step."""
    return CLEARLY * other.bar <= abs(e.residual)


def _same(other: Estimate, e: Estimate) -> bool:
    """Whether another step sees a residual, and the same."""
    close = abs(other.residual - e.residual) <= max(other.bar + e.bar, abs(e.residual) / 4.0)
    return close and not other.agrees
