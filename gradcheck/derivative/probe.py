"""Where to look: scales, directions and cotangents, and the function as seen from its point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.function import Block, Function, Vector
from gradcheck.derivative.noise import Precision, precision_of, rounded


@dataclass(frozen=True, slots=True)
class Direction:
    """The tangent ``v`` on the stretch ``x[where]``, zero elsewhere."""

    where: slice
    v: Vector


@dataclass(frozen=True, slots=True)
class Scalar:
    """The scalar function ``w @ y`` with its analytic gradient ``g``: what is compared, one at a time."""

    w: Vector
    g: Vector


class Centre:
    """A function at its point: forward nearby, backward here.

    ``scalar`` runs forward again when the layer's cache is of another point. Nearby, an exception or a non-finite
    output is no news (the step was too large): it gives None. At the point itself exceptions come through.
    """

    def __init__(self, function: Function, rng: np.random.Generator) -> None:
        self.function = function
        self.rng = rng
        self.precision: Precision = precision_of(function)
        self.x: Vector = np.array(function.x, dtype=np.float64)
        y, self._pullback = function.vjp(self.x.copy())
        self.y: Vector = np.array(y, dtype=np.float64)
        self._here = True
        self.scale: Vector = np.ones(self.x.size)
        for block in function.blocks:
            self.scale[block.where] = scales(self.x[block.where], self.precision.floor)

    def scalar(self, w: Vector) -> Scalar:
        """Return ``w @ y`` with its analytic gradient at the point: one backward."""
        if not self._here:
            _, self._pullback = self.function.vjp(self.x.copy())
            self._here = True
        return Scalar(w, np.array(self._pullback(w.copy()), dtype=np.float64))

    def forward_at(self, x: Vector) -> Vector | None:
        """Return the outputs at another point, or None."""
        return self._nearby(x, lambda y, _: y)

    def backward_at(self, x: Vector, w: Vector) -> Vector | None:
        """Return the analytic gradient at another point, or None."""
        return self._nearby(x, lambda _, pullback: pullback(w.copy()))

    def _nearby(self, x: Vector, give: Callable[[Vector, Callable[[Vector], Vector]], Vector]) -> Vector | None:
        if not np.isfinite(x).all():
            return None
        self._here = False
        try:
            with np.errstate(all="ignore"):
                y, pullback = self.function.vjp(x)
                out = np.array(give(y, pullback), dtype=np.float64)
        except Exception:  # noqa: BLE001 - whatever a layer raises off its domain, the step was too large
            return None
        same = y.shape == self.y.shape
        return out if same and bool(np.isfinite(out).all()) else None


def scales(x: Vector, floor: float = 2.0**-20) -> Vector:
    """Return, per element, the size of a change that means something to it.

    Half-way between two needs: the spread of the block (1.4826 MAD, which one outlier does not move; Rousseeuw & Croux
    1993) and the element's own distance from the middle (which an outlier needs), but never so small that ``x + h v``
    rounds back to ``x``. A constant block is measured by its value, a block of zeros by 1.

    Examples
    --------
    >>> scales(np.array([0.0, 0.0, 0.0]))
    array([1., 1., 1.])
    >>> scales(np.array([100.0]))
    array([100.])
    >>> bool(scales(np.array([0.1, 0.2, -0.1, 1e8]))[0] < 1.0)
    True
    """
    if x.size == 0:
        return np.ones(0)
    middle = float(np.median(x))
    distance = np.abs(x - middle)
    spread = 1.4826 * float(np.median(distance))
    if not spread > 0.0:  # more than half of the elements are equal
        moved = distance[distance > 0.0]
        spread = float(np.median(moved)) if moved.size else abs(middle)
    if not spread > 0.0:
        spread = 1.0
    return np.maximum(np.maximum(spread, distance), floor * np.abs(x))


def direction(centre: Centre, block: Block, g: Vector) -> Direction:
    """Draw a tangent over a block: each element's scale times a sign times U[1, 2).

    Random signs alone cancel exactly on swapped or moved elements half of the time, Gaussian draws have elements near
    zero; this has neither fault. Three signs in four follow the gradient's: errors that all elements share (a factor,
    a missing 1/n) then add up instead of averaging out, while the fourth keeps the draw random.
    """
    s = centre.scale[block.where]
    follow = centre.rng.random(s.size) < 0.75
    sign = np.where(follow, 1.0, -1.0) * np.where(g[block.where] < 0.0, -1.0, 1.0)
    sign = np.where(g[block.where] == 0.0, centre.rng.choice((-1.0, 1.0), size=s.size), sign)
    return Direction(block.where, s * sign * (1.0 + centre.rng.random(s.size)))


def element(centre: Centre, block: Block, i: int) -> Direction:
    """Draw the tangent that moves element ``i`` of a block alone: its scale times U[1, 2)."""
    where = slice(block.start + i, block.start + i + 1)
    return Direction(where, centre.scale[where] * (1.0 + centre.rng.random()))


def cotangent(centre: Centre) -> Vector:
    """Draw a cotangent: a sign times U[1, 2), exactly representable in every output's format.

    Never all ones: layer norm and softmax have a sum that does not change, so that ones see nothing of them.
    """
    w = centre.rng.choice((-1.0, 1.0), size=centre.y.size) * (1.0 + centre.rng.random(centre.y.size))
    if centre.precision.eps <= 2.0**-52:
        return np.asarray(w, dtype=np.float64)
    return np.asarray(np.rint(w * 2.0**7) / 2.0**7, dtype=np.float64)  # 7 bits: as many as bfloat16 keeps


def step_to(centre: Centre, direction: Direction, h: float, times: float = 1.0) -> Vector:
    """Return ``x + times * d``, where ``d`` is ``h v`` rounded so that ``x + d`` is representable."""
    x = centre.x.copy()
    x[direction.where] += h * direction.v
    d = rounded(x, centre.function.blocks)[direction.where] - centre.x[direction.where]
    x[direction.where] = centre.x[direction.where] + times * d
    return rounded(x, centre.function.blocks)
