"""The slow path: one argument along one direction, with the step that suits it and without the outputs on a kink."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.derivative.central import Estimate, Stencil, estimate, is_quiet, stencil, structure_of
from gradcheck.derivative.function import Vector
from gradcheck.derivative.noise import Precision, measured_precision
from gradcheck.derivative.probe import Centre, Direction, Scalar

# Steps are tried in ratios of 16: the bar's two parts go like h**2 and 1/h, so that a neighbour tells the way.
_RATIO = 16.0
# 2**-44 of a scale is lost in float64; beyond one scale another regime begins, and 2 h v reaches four of them there.
_SMALLEST, _LARGEST = 2.0**-44, 1.0
# An output is set aside when what is not smooth about it exceeds this share of its response. Smooth outputs stay far
# below at the step chosen; one with a kink inside the stencil lies near 1.
_KINKED = 0.01
# Without kinks, the first step is good enough within so many targets: a better one would cost more than it shows.
_ENOUGH = 4.0
# At most these shares may be set aside, of all outputs and of those that move: what passes must still be the function.
_SET_ASIDE, _OF_MOVING = 0.5, 0.75


@dataclass(frozen=True, slots=True)
class Probe:
    """One direction and one cotangent, followed to the best step.

    ``best`` is None where no step gave a usable estimate; ``scalar.w`` is zero at the outputs that were set aside.
    """

    direction: Direction
    scalar: Scalar
    best: Estimate | None
    stencil: Stencil | None
    precision: Precision
    set_aside: int = 0
    reason: str = ""
    stencils: tuple[Stencil, ...] = field(default=(), repr=False)


def probe(centre: Centre, direction: Direction, scalar: Scalar, start: float, precision: Precision) -> Probe:
    """Estimate the derivative of ``w @ y`` along a direction as well as this function allows.

    ``start`` is the first step, ``precision`` what is known of the function's rounding so far.
    """
    first = _first(centre, direction, start)
    if first is not None:
        at_once = _kept_at_once(centre, first, scalar, precision)
        if at_once is not None:
            return at_once
    stencils = () if first is None else _walk(centre, first, scalar, precision)
    found = Probe(direction, scalar, None, None, precision, stencils=stencils)
    if not stencils:
        return replace(found, reason="the outputs are not finite around the point")
    found = _select(found)
    if found.best is not None and found.best.settles(found.precision.target):
        return found
    found = _select(replace(found, precision=measured_precision(precision, stencils)))
    if found.best is not None and found.best.clearly_differs:
        return found  # no kink in it could explain that
    kept = _without_kinks(stencils, scalar.w, found.precision)
    if kept is None:
        return found
    aside = int(np.count_nonzero((kept == 0.0) & (scalar.w != 0.0)))
    again = _select(replace(found, scalar=centre.scalar(kept), set_aside=aside))
    return again if again.best is not None else found


def _first(centre: Centre, direction: Direction, start: float) -> Stencil | None:
    """Evaluate at the first step that stays where the function is defined."""
    h = start
    while h >= _SMALLEST:
        s = stencil(centre, direction, h)
        if s is not None:
            return s
        h /= _RATIO
    return None


def _kept_at_once(centre: Centre, s: Stencil, scalar: Scalar, precision: Precision) -> Probe | None:
    """Settle it at the first step by setting outputs on a kink aside, where that is all that it takes."""
    kept = _without_kinks((s,), scalar.w, precision)
    if kept is None or estimate(s, scalar, precision).within(precision.target):
        return None
    rest = centre.scalar(kept)
    e = estimate(s, rest, precision)
    aside = int(np.count_nonzero((kept == 0.0) & (scalar.w != 0.0)))
    found = Probe(s.direction, rest, e, s, precision, aside, stencils=(s,))
    return found if e.agrees and e.within(_ENOUGH * precision.target) else None


def _walk(centre: Centre, first: Stencil, scalar: Scalar, precision: Precision) -> tuple[Stencil, ...]:
    """Evaluate at steps on a ladder, to where the bar is smallest: first the way that it points, then the other."""
    direction, visited = first.direction, [first]
    here = estimate(first, scalar, precision)
    start = first.h
    if here.settles(precision.target):
        return (first,)
    ways = (
        (_RATIO, 1.0 / _RATIO)
        if here.dead or (here.sound and 2.0 * here.structure < here.bar)
        else (1.0 / _RATIO, _RATIO)
    )
    for way in ways[:1] if here.dead else ways:
        last, h = here, start * way
        while _SMALLEST <= h <= _LARGEST:
            s = stencil(centre, direction, h)
            if s is None:
                break
            visited.append(s)
            now = estimate(s, scalar, precision)
            if now.settles(precision.target):
                return tuple(visited)
            if _worse(now, last):
                break
            last, h = now, h * way
    return tuple(visited)


def _worse(now: Estimate, last: Estimate) -> bool:
    """Whether to turn back: not as long as there is nothing yet to be worse than."""
    if last.dead:
        return False
    return now.dead or (last.sound and now.bar >= last.bar)


def _select(found: Probe) -> Probe:
    """Choose among the steps as Lepski (1991) does: a larger one counts only while it contradicts no smaller one.

    Far out, a function may look smooth with another slope (a saturated sigmoid: zero); close in, rounding only widens
    the bar. So the intervals are intersected from the smallest step upwards, and the tightest of them is taken. Where
    nothing moved at small steps, and nothing settled at large ones, the numeric derivative is the zero seen there.
    """
    low, high = -float("inf"), float("inf")
    best: tuple[Estimate, Stencil] | None = None
    dead: tuple[Estimate, Stencil] | None = None
    for s in sorted(found.stencils, key=lambda s: s.h):
        e = estimate(s, found.scalar, found.precision)
        if e.dead:
            dead = (e, s) if best is None else dead
            continue
        if not e.sound:
            continue
        if e.residual - e.bar > high or e.residual + e.bar < low:
            break
        low, high = max(low, e.residual - e.bar), min(high, e.residual + e.bar)
        if best is None or e.bar < best[0].bar:
            best = (e, s)
    chosen = best or dead
    if chosen is None:
        reason = "no step was found at which the difference quotient settles"
        return replace(found, best=None, stencil=None, reason=reason)
    return replace(found, best=chosen[0], stencil=chosen[1], reason="")


def _without_kinks(stencils: tuple[Stencil, ...], w: Vector, precision: Precision) -> Vector | None:
    """Return ``w`` with the outputs on a kink set to zero, at the step where that leaves the least; None if nowhere."""
    least, kept = float("inf"), None
    for s in stencils:
        most = min(_SET_ASIDE * np.count_nonzero(w), _OF_MOVING * np.count_nonzero(w[~s.dead]))
        c = structure_of(s, w)
        kinked = (
            ~is_quiet(s, w, precision)
            & (c > _KINKED * np.abs(w) * np.maximum(np.abs(s.dy1), np.abs(s.dy1 + s.t)))
            & (w != 0.0)
        )
        number = int(np.count_nonzero(kinked))
        if 0 < number <= most and float(c[~kinked].sum()) < least:
            least, kept = float(c[~kinked].sum()), np.where(kinked, 0.0, w)
    return kept
