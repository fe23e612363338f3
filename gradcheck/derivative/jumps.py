"""Jumps farther out than the stencil: where they are, a slope seen between two of them is not that of the function."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.derivative.central import Stencil
from gradcheck.derivative.function import Vector
from gradcheck.derivative.noise import Precision
from gradcheck.derivative.probe import Centre, Scalar, step_to

Outputs = np.ndarray[tuple[int], np.dtype[np.intp]]

# The search strides by this factor, and follows so many outputs.
_STRIDE, _FOLLOWED = 16.0, 8
# It goes this far for outputs that do not move: in scales of x, and absolutely (a tiny x does not say where 1/2 lies);
# for outputs that move, no farther than where a slope means something.
_SCALES, _ABSOLUTE, _NEARBY = 2.0**10, 16.0, 1.0
# A bracket halved so often shrinks the change of a continuous output a thousandfold; a jump stays one among sixteen.
_HALVINGS, _SHRINKS = 14, 64.0
# Halved so often, it shrinks the bend of a kink to a slope far below any that is told from rounding.
_TO_THE_END = 44
# What departs from a straight line by up to so many units in the last place may be rounding, and by four times as much
# at once is no bend.
_ULPS, _AT_ONCE = 16.0, 4.0


def beyond(centre: Centre, s: Stencil, scalar: Scalar, outputs: Outputs) -> tuple[bool, float]:
    """Look where outputs that do not move nearby begin to: whether by a jump, and else how much slope that may hide.

    ``max(x, 0)`` left of zero does not move either, but sets in continuously: its derivative is zero, and a backward
    that says otherwise is wrong. ``round(x)`` jumps: its derivative is zero as well, but straight-through estimators
    say otherwise on purpose; and what a coarser format does inside looks the same, while its derivative is not zero.
    ``log(1 + exp(x))`` at -60 is zero in floating point, as ``exp(x)`` is lost beside 1, and sets in by one rounding of
    that 1. A grain ``G`` that is met at a distance ``t`` may stand for a slope of up to ``G / t``.
    """
    limit = max(_SCALES, _ABSOLUTE / float(np.abs(s.direction.v).min()))
    hidden = np.zeros(centre.y.size)
    for side in (1.0, -1.0):
        still = outputs
        for near, far in _brackets(side * s.h, limit):
            y = _at(centre, s, far)
            if y is None or not still.size:
                break
            moved = y[still] != centre.y[still]
            for j in map(int, _some(centre, still[moved])):
                _, change = _first_change(lambda t, j=j: _moved(centre, s, j, t), near, far, _HALVINGS)  # type: ignore[misc]
                if change > abs(float(y[j] - centre.y[j])) / _SHRINKS:
                    return True, 0.0
                t, grain = _first_change(lambda t, j=j: _moved(centre, s, j, t), near, far, _TO_THE_END)  # type: ignore[misc]
                hidden[j] = max(hidden[j], grain / abs(t))
            still = still[~moved]
    return False, float((np.abs(scalar.w) * hidden).sum())


def _some(centre: Centre, outputs: Outputs) -> Outputs:
    """Return as many outputs as can be followed."""
    if outputs.size <= _FOLLOWED:
        return outputs
    return np.asarray(np.sort(centre.rng.choice(outputs, size=_FOLLOWED, replace=False)))


def hidden_slope(centre: Centre, s: Stencil, scalar: Scalar, precision: Precision) -> float:
    """Return how much slope the grains of the outputs may hide from a stencil that lies between two of them.

    ``x + f16(x)`` moves smoothly between two numbers of float16, with slope 1 instead of 2. A grain ``G`` that is met
    at a distance ``t`` may stand for a slope of up to ``G / t``. Asked only along single elements, where few outputs
    move; what directions see is always confirmed by an element.
    """
    if s.direction.v.size != 1:
        return 0.0
    response = np.where(s.dead, 0.0, np.abs(scalar.w * s.dy1))
    outputs = np.argsort(response)[::-1][: min(_FOLLOWED, int(np.count_nonzero(response)))]
    unit = _ULPS * precision.eps * s.largest

    def departure(j: int, t: float) -> float:
        """How far output ``j`` is from its straight line, beyond what rounding allows."""
        x, y = step_to(centre, s.direction, t), _at(centre, s, t)
        if y is None:
            return 0.0
        moved = float((x - centre.x)[s.direction.where][0] / s.direction.v[0])
        off = abs(float(y[j] - centre.y[j] - s.dy1[j] * moved))
        return off if off > unit[j] * (1.0 + abs(t) / s.h) else 0.0

    hidden = 0.0
    for j in map(int, outputs):
        grains = [0.0]
        for near, far in [*_brackets(s.h, _NEARBY), *_brackets(-s.h, _NEARBY)]:
            if departure(j, near) == 0.0 < departure(j, far):
                t, grain = _first_change(lambda t, j=j: departure(j, t), near, far, _TO_THE_END)  # type: ignore[misc]
                rounding = unit[j] * (1.0 + abs(t) / s.h)
                grains.append(grain / abs(t) if grain > _AT_ONCE * rounding else 0.0)
        hidden += abs(float(scalar.w[j])) * max(grains)
    return hidden


def _brackets(h: float, limit: float) -> Iterator[tuple[float, float]]:
    """Stride outwards from the stencil, to the side of ``h``."""
    near = 2.0 * h
    while abs(near) < limit:
        yield near, _STRIDE * near
        near *= _STRIDE


def _first_change(change: Callable[[float], float], near: float, far: float, halvings: int) -> tuple[float, float]:
    """Return where something starts to change, and by how much right after; it has at ``far``, not at ``near``."""
    amount = change(far)
    for _ in range(halvings):
        middle = 0.5 * (near + far)
        now = change(middle)
        if now == 0.0:
            near = middle
        else:
            far, amount = middle, now
    return far, amount


def _moved(centre: Centre, s: Stencil, j: int, t: float) -> float:
    y = _at(centre, s, t)
    return float("inf") if y is None else abs(float(y[j] - centre.y[j]))


def _at(centre: Centre, s: Stencil, t: float) -> Vector | None:
    return centre.forward_at(step_to(centre, s.direction, t))
