"""Where to look: scales, directions and cotangents, and the function as seen from its point."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradcheck.derivative.function import Block, Function, Vector
from gradcheck.derivative.noise import Precision, norm, precision_of


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
        self.x: Vector = np.asarray(function.x, dtype=np.float64)  # only ever read
        y, self._pullback = function.vjp(self.x.copy())
        self.y: Vector = np.array(y, dtype=np.float64)
        self._here = True
        self.scale: Vector = np.empty(self.x.size)
        for block in function.blocks:
            self.scale[block.where] = scales(self.x[block.where], self.precision.floor)

    def scalar(self, w: Vector) -> Scalar:
        """Return ``w @ y`` with its analytic gradient at the point: one backward."""
        if not self._here:
            _, self._pullback = self.function.vjp(self.x.copy())
            self._here = True
        return Scalar(w, np.array(self._pullback(w.copy()), dtype=np.float64))

    def leave(self) -> None:
        """Say that the layer is about to be run elsewhere, which leaves it with another point's cache."""
        self._here = False

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

    Both medians of a large block are those of `_sample`: they only have to be right within a factor.

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
    some = _sample(x)
    middle = float(np.median(some))
    spread = 1.4826 * float(np.median(np.abs(some - middle)))
    distance = x - middle
    np.abs(distance, out=distance)
    if not spread > 0.0:  # more than half of the elements are equal
        moved = distance[distance > 0.0]
        spread = float(np.median(moved)) if moved.size else abs(middle)
    if not spread > 0.0:
        spread = 1.0
    scale = np.maximum(spread, distance, out=distance)
    if floor * abs(middle) > spread / 4.0:  # else no element reaches its floor, as |x| <= distance + |middle|
        np.maximum(scale, floor * np.abs(x), out=scale)
    return scale


# So many elements tell a median: one of 4,096 drawn at random lies between the 45th and the 55th of a hundred but for
# six standard deviations (1/128 each), and between those any two of a block's elements make equally good scales.
_ENOUGH = 4096
_GOLDEN = (5.0**0.5 - 1.0) / 2.0


def _sample(x: Vector) -> Vector:
    """Return elements enough for a median, always the same; a small block is its own sample.

    They stand at the multiples of the golden ratio, modulo the size: spread as evenly as a stride (Weyl 1916; Knuth,
    *TAOCP* vol. 3, section 6.4), yet no row length is a multiple of their distance, so that no column is left out.
    """
    if x.size <= _ENOUGH:
        return x
    return x[(np.arange(_ENOUGH) * _GOLDEN % 1.0 * x.size).astype(np.intp)]


def direction(centre: Centre, block: Block, g: Vector) -> Direction:
    """Draw a tangent over a block: each element's scale times a sign times U[1, 2).

    Random signs alone cancel exactly on swapped or moved elements half of the time, Gaussian draws have elements near
    zero; this has neither fault. Three signs in four follow the gradient's: errors that all elements share (a factor,
    a missing 1/n) then add up instead of averaging out, while the fourth keeps the draw random. Among few elements they
    may still cancel; then all signs follow, so that such errors are always felt as much as the norm says.
    """
    g = g[block.where]
    words = _words(centre.rng, g.size)
    sign = words << _ONE
    sign &= words  # its highest bit is now set once in four: against the gradient
    sign ^= g.view(np.uint64)
    flat = g == 0.0
    if flat.any():  # no sign to follow: a coin of its own, the third bit
        sign[flat] = words[flat] << _TWO
    words &= _MANTISSA
    v = _signed(words, sign)
    v *= centre.scale[block.where]
    if g.size <= _FEW:
        share = g * v
        if abs(float(share.sum())) < norm(share):  # too few of them, or too many, follow
            v = np.where(share < 0.0, -v, v)
    return Direction(block.where, v)


# From here on the sum of three signs in four, sqrt(n)/2 norms, is six standard deviations away from one norm.
_FEW = 256


def element(centre: Centre, block: Block, i: int) -> Direction:
    """Draw the tangent that moves element ``i`` of a block alone: its scale times U[1, 2)."""
    where = slice(block.start + i, block.start + i + 1)
    return Direction(where, centre.scale[where] * (1.0 + centre.rng.random()))


def cotangent(centre: Centre) -> Vector:
    """Draw a cotangent: a sign times U[1, 2), exactly representable in every output's format.

    Never all ones: layer norm and softmax have a sum that does not change, so that ones see nothing of them.
    """
    words = _words(centre.rng, centre.y.size)
    return _signed(words & (_MANTISSA if centre.precision.eps <= 2.0**-52 else _SEVEN_BITS), words)


# One word of 64 random bits makes one number: the highest its sign, the lower 52 its mantissa. That takes a quarter of
# the time of a draw of numbers beside one of signs, which a layer of a million parameters would feel.
_ONE, _TWO = np.uint64(1), np.uint64(2)
_MANTISSA = np.uint64(2**52 - 1)
_SEVEN_BITS = np.uint64(0b1111111 << 45)  # as many as bfloat16 keeps
_SIGN = np.uint64(1 << 63)
_EXPONENT_OF_ONE = np.uint64(1023 << 52)

Words = NDArray[np.uint64]


def _words(rng: np.random.Generator, n: int) -> Words:
    return rng.integers(0, 2**64, size=n, dtype=np.uint64)


def _signed(mantissa: Words, sign: Words) -> Vector:
    """Return numbers in [1, 2), negative where the highest bit of ``sign`` is set; both arguments are overwritten."""
    mantissa |= _EXPONENT_OF_ONE
    sign &= _SIGN
    mantissa |= sign
    return mantissa.view(np.float64)


def step_to(centre: Centre, direction: Direction, h: float, times: float = 1.0) -> Vector:
    """Return ``x + times * d``, where ``d`` is ``h v`` rounded so that ``x + d`` is representable."""
    where, v = direction.where, direction.v
    dtype = next(block.dtype for block in centre.function.blocks if block.start <= where.start < block.stop)
    x = centre.x.copy()
    d = (x[where] + h * v).astype(dtype) - centre.x[where]
    x[where] = (x[where] + times * d).astype(dtype)
    return x
