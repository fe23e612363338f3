"""Before anything is called wrong: all else that could make an analytic and a numeric derivative differ.

A residual outside its bar has to outlive, in this order: the rounding noise of the backward itself; outputs that do
not move although they should (a coarser format inside, a step function); another step well apart; a step so large
that any rounding inside would be seen through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.derivative.central import CLEARLY, Estimate, Stencil, estimate, stencil
from gradcheck.derivative.deep import Probe
from gradcheck.derivative.noise import Precision, analytic_noise
from gradcheck.derivative.probe import Centre, Direction, Scalar, step_to

# A step is well apart from another from here on; at most this far down, where the perturbation itself is lost.
_APART, _FARTHEST = 4.0, 2.0**12
# Formats of eight bits and more are seen through when x moves by an eighth of its scale and more.
_COARSEST = 2.0**-2
# Structure grows with the step, or stays if it is a kink's; what falls by this much as the step grows is granular.
_FALLS = 4.0
# How far the search for jumps goes, in scales of x and absolutely (a tiny x says nothing of where 1/2 lies), by which
# factor it strides, and how many outputs it follows.
_SCAN, _ABSOLUTE, _STRIDE, _FOLLOWED = 2.0**10, 16.0, 16.0, 8
# A bracket halved this often shrinks the change of a continuous output a thousandfold; a jump stays one among sixteen.
_HALVINGS, _SHRINKS = 14, 64.0


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
        elif _jumps(centre, s, np.flatnonzero(dead)):
            return dropped("the outputs move in jumps (a step function, or a coarser format inside)")

    noise = 8.0 * analytic_noise(centre, found.direction, scalar)
    e = replace(e, bar=e.bar + noise)
    if not e.clearly_differs:
        return dropped("the gradient is lost in the rounding of the backward itself")
    case = _Case(centre, found.direction, scalar, precision, e, noise)
    if not _stands_at_another_step(case):
        return dropped("the difference does not reproduce at another step")
    if _denied_from_afar(case):
        return dropped("the difference vanishes at larger steps (a coarser format inside)")
    return Charge(True, e, scalar, precision)


@dataclass(frozen=True, slots=True)
class _Case:
    """A residual ``e`` that asks for confirmation, and the measured noise of its analytic side."""

    centre: Centre
    direction: Direction
    scalar: Scalar
    precision: Precision
    e: Estimate
    noise: float

    def at(self, h: float) -> Estimate | None:
        """Estimate at step ``h``."""
        s = stencil(self.centre, self.direction, h)
        if s is None:
            return None
        e = estimate(s, self.scalar, self.precision)
        return replace(e, bar=e.bar + self.noise)


def _stands_at_another_step(case: _Case) -> bool:
    """Ask for the same residual at a step well apart, as small a one as rounding allows if possible."""
    e = case.e
    margin = min(abs(e.residual) / (CLEARLY * e.bar), _FARTHEST)
    candidates = [e.h / margin] if margin >= _APART else []
    candidates += [e.h * 16.0, e.h / 16.0, e.h * 4.0, e.h / 4.0]
    for h in candidates:
        other = case.at(h)
        if other is None or not other.sound or (other.dead and not e.dead):
            continue  # nothing can be told there (between two grains, nothing moves)
        close = abs(other.residual - e.residual) <= max(other.bar + e.bar, abs(e.residual) / 4.0)
        if close and not other.agrees:
            return True
        if other.bar <= abs(e.residual) / CLEARLY:
            return False  # it could have been seen there, and was not
    return False


def _denied_from_afar(case: _Case) -> bool:
    """Whether larger steps side with the gradient, and have the right to.

    They have if their bar is small enough to see the residual; or if the outputs turn out to be granular: then small
    steps saw a slope between two grains, which is not that of the function.
    """
    last: Estimate | None = None
    h = 16.0 * case.e.h
    while h <= _COARSEST:
        now = case.at(h)
        if now is not None and now.sound and not now.dead and now.agrees:
            granular = last is not None and last.structure > _FALLS * now.structure
            if granular or now.bar <= abs(case.e.residual) / CLEARLY:
                return True
        last, h = now, 16.0 * h
    return False


def _jumps(centre: Centre, s: Stencil, outputs: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
    """Whether outputs that do not move nearby move by a jump farther out.

    ``max(x, 0)`` left of zero does not move either, but sets in continuously: its derivative is zero, and a backward
    that says otherwise is wrong. ``round(x)`` jumps: its derivative is zero as well, but straight-through estimators
    say otherwise on purpose; and what a coarser format does inside looks the same, while its derivative is not zero.
    """
    if outputs.size > _FOLLOWED:
        outputs = np.sort(centre.rng.choice(outputs, size=_FOLLOWED, replace=False))

    y0 = centre.y
    limit = max(_SCAN, _ABSOLUTE / float(np.abs(s.direction.v).min()))
    for sign in (1.0, -1.0):
        waiting = outputs
        near, far = 2.0 * s.h, 2.0 * _STRIDE * s.h
        while near < limit and waiting.size:
            y_far = centre.forward_at(step_to(centre, s.direction, sign * far))
            if y_far is None:
                break
            for j in waiting[y_far[waiting] != y0[waiting]]:
                onset = _onset(centre, s.direction, int(j), sign * near, sign * far)
                if onset > abs(y_far[j] - y0[j]) / _SHRINKS:
                    return True
            waiting = waiting[y_far[waiting] == y0[waiting]]
            near, far = far, _STRIDE * far
    return False


def _onset(centre: Centre, direction: Direction, j: int, near: float, far: float) -> float:
    """Return how much output ``j`` has changed right after it starts to; it has not at ``near`` and has at ``far``."""
    onset = float("inf")
    for _ in range(_HALVINGS):
        middle = 0.5 * (near + far)
        y = centre.forward_at(step_to(centre, direction, middle))
        change = float("inf") if y is None else abs(float(y[j] - centre.y[j]))
        if change == 0.0:
            near = middle
        else:
            far, onset = middle, change
    return onset
