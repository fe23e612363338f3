"""Before anything is called wrong: all else that could make an analytic and a numeric derivative differ.

A residual outside its bar has to outlive, in this order: the rounding noise of the backward itself; outputs that do
not move although they should (a coarser format inside, a step function); another step well apart; a step so large
that any rounding inside would be seen through.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from gradcheck.derivative.central import Estimate, Stencil, estimate, stencil
from gradcheck.derivative.deep import Probe
from gradcheck.derivative.noise import analytic_noise
from gradcheck.derivative.probe import Centre, Direction, Scalar, step_to

# The bar is made to contain, not to be beaten: between one and two of it nobody is accused.
_CLEAR = 2.0
# A step is well apart from another from here on; at most this far down, where the perturbation itself is lost.
_APART, _FARTHEST = 4.0, 2.0**12
# Formats of eight bits and more are seen through when x moves by an eighth of its scale.
_COARSE = 2.0**-4
# How far the search for jumps goes, in scales of x, and how many outputs it follows.
_SCAN, _FOLLOWED = 4.0, 8
# A bracket halved this often shrinks the change of a continuous output a thousandfold and more; a jump stays.
_HALVINGS, _SHRINKS = 12, 32.0


@dataclass(frozen=True, slots=True)
class Charge:
    """Whether a residual stands, with the estimate that it stands on; else what it may come from."""

    stands: bool
    estimate: Estimate
    scalar: Scalar
    reason: str = ""


def charge(centre: Centre, found: Probe) -> Charge:
    """Try to explain the residual of a probe away."""
    if found.best is None or found.stencil is None:
        raise ValueError("a probe without an estimate accuses nobody")
    e, s, scalar = found.best, found.stencil, found.scalar

    if abs(e.residual) <= _CLEAR * e.bar:
        return Charge(False, e, scalar, "the difference does not stand clear of the error bar")

    dead = s.dead & (scalar.w != 0.0)
    if dead.any():
        live = centre.scalar(np.where(dead, 0.0, scalar.w))
        e_live = estimate(s, live, centre.precision)
        if live.w.any() and abs(e_live.residual) > _CLEAR * e_live.bar:
            e, scalar = e_live, live
        elif _jumps(centre, s, np.flatnonzero(dead)):
            return Charge(False, e, scalar, "the outputs move in jumps (a step function, or a coarser format inside)")

    noise = 8.0 * analytic_noise(centre, found.direction, scalar)
    e = replace(e, bar=e.bar + noise)
    if abs(e.residual) <= _CLEAR * e.bar:
        return Charge(False, e, scalar, "the gradient is lost in the rounding of the backward itself")
    if not _stands_at_another_step(centre, found.direction, scalar, e, noise):
        return Charge(False, e, scalar, "the difference does not reproduce at another step")
    return Charge(True, e, scalar)


def _stands_at_another_step(centre: Centre, direction: Direction, scalar: Scalar, e: Estimate, noise: float) -> bool:
    """Ask for the same residual at a step well apart, as small as rounding lets it be, and for no denial from afar."""
    margin = min(abs(e.residual) / (_CLEAR * e.bar), _FARTHEST)
    candidates = [e.h / margin] if margin >= _APART else []
    candidates += [e.h / 16.0, e.h * 16.0]
    confirmed = False
    for h in candidates:
        other = _at(centre, direction, scalar, h)
        if other is None or not other.sound:
            continue
        bar = other.bar + noise
        if abs(other.residual) > bar and abs(other.residual - e.residual) <= max(bar + e.bar, abs(e.residual) / 4.0):
            confirmed = True
            break
        if bar <= abs(e.residual) / _CLEAR:
            return False  # it could have been seen there, and was not
    if not confirmed:
        return False
    coarse = _at(centre, direction, scalar, max(_COARSE, 16.0 * e.h)) if e.h < 1.0 else None
    denies = coarse is not None and coarse.sound and not coarse.dead and coarse.bar <= abs(e.residual) / _CLEAR
    return not (denies and coarse is not None and coarse.agrees)


def _at(centre: Centre, direction: Direction, scalar: Scalar, h: float) -> Estimate | None:
    """Estimate at step ``h``; None where ``x`` cannot be moved by that, to within a factor of two."""
    s = stencil(centre, direction, h)
    if s is None:
        return None
    asked = np.abs(direction.v).sum()
    realised = np.abs(s.dx1).sum() / (2.0 * h)
    return estimate(s, scalar, centre.precision) if 0.5 * asked <= realised <= 2.0 * asked else None


def _jumps(centre: Centre, s: Stencil, outputs: np.ndarray[tuple[int], np.dtype[np.intp]]) -> bool:
    """Whether outputs that do not move nearby move by a jump farther out.

    ``max(x, 0)`` left of zero does not move either, but sets in continuously: its derivative is zero, and a backward
    that says otherwise is wrong. ``round(x)`` jumps: its derivative is zero as well, but straight-through estimators
    say otherwise on purpose; and what a coarser format does inside looks the same, while its derivative is not zero.
    """
    if outputs.size > _FOLLOWED:
        outputs = np.sort(centre.rng.choice(outputs, size=_FOLLOWED, replace=False))

    y0 = centre.y
    for sign in (1.0, -1.0):
        waiting = outputs
        near, far = 2.0 * s.h, 8.0 * s.h
        while near < _SCAN and waiting.size:
            y_far = centre.forward_at(step_to(centre, s.direction, sign * far))
            if y_far is None:
                break
            for j in waiting[y_far[waiting] != y0[waiting]]:
                onset = _onset(centre, s.direction, int(j), sign * near, sign * far)
                if onset > abs(y_far[j] - y0[j]) / _SHRINKS:
                    return True
            waiting = waiting[y_far[waiting] == y0[waiting]]
            near, far = far, 4.0 * far
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
