"""The complex step: a derivative without subtraction, for functions that provably take it.

For a function that is real on the real axis and holomorphic around it::

    Im F(x + i h v) / h = J v + O(h**2)

(Lyness & Moler 1967; Squire & Trapp 1998; Martins, Sturdza & Alonso 2003, section 2). Nothing is subtracted, so that
``h`` may be ``2**-100``: what is left is the rounding of the sums. Plain NumPy code is not always what it looks like
(``x.var()`` of complex numbers conjugates), so three things are asked before a word of it is believed: every operation
was seen to be holomorphic (`gradcheck.derivative.holomorphic`), the real part is the output itself, and a central
difference along the same direction agrees with it. It never judges alone: it says how closely a gradient agrees that
differences have found to be right, or where to look for an error that was too small for them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.central import CLEARLY, Estimate
from gradcheck.derivative.deep import probe
from gradcheck.derivative.function import Block, Vector
from gradcheck.derivative.holomorphic import NotHolomorphicError, extend
from gradcheck.derivative.locate import Worst, again, confirm_twice
from gradcheck.derivative.noise import Precision, analytic_noise, norm
from gradcheck.derivative.probe import Centre, Scalar, element

# Its square is far below any rounding, and its product with a derivative far above the smallest numbers.
_STEP = 2.0**-100
# So many roundings, in quadrature, for sums that the function, the backward and the comparison itself make.
_SUMS = 32.0
# Beyond so many bars it is worth looking for an element that is wrong; below, backwards lose such digits themselves.
_SUSPICIOUS = 16.0
# A complex product costs four real ones, and eight of float32, once for each argument: a large layer would notice.
_LARGEST, _LARGEST_COARSE = 2**20, 2**14
# The real part may differ from the output by so many roundings: complex products are summed in another order.
_SAME = 256.0


@dataclass(frozen=True, slots=True)
class Agreement:
    """The complex step's word on a gradient along a direction.

    Parameters
    ----------
    numeric, residual, bar : float
        The numeric derivative, numeric minus analytic, and the rounding of both.
    size : float
        ``norm(g * v)``, as in `Estimate`.
    grain : float
        The rounding of the outputs that move. What changes them by less over a whole scale is nothing to their format.
    """

    numeric: float
    residual: float
    bar: float
    size: float
    grain: float

    @property
    def resolution(self) -> float:
        """The bar, or the difference where that is larger, relative to the gradient."""
        return max(self.bar, abs(self.residual)) / self.size if self.size > 0.0 else float("inf")

    @property
    def is_suspicious(self) -> bool:
        """Whether the difference is more than sums leave."""
        return abs(self.residual) > _SUSPICIOUS * self.bar

    def fits(self, e: Estimate) -> bool:
        """Whether a central difference that sees the slope bears the numeric value out."""
        sees = e.sound and not e.dead and e.bar <= 0.5 * max(e.size, abs(e.numeric))
        return sees and abs(e.numeric - self.numeric) <= CLEARLY * e.bar


class ComplexStep:
    """The complex step at a point; ``refused`` says why the function does not take it, once that is known."""

    def __init__(self, centre: Centre) -> None:
        self.centre = centre
        self.refused = "" if centre.function.extension is not None else "there is no extension to try"
        if centre.x.size > (_LARGEST if centre.precision.is_fine else _LARGEST_COARSE):
            self.refused = "it would cost more than all else"

    def along(self, where: slice, v: Vector, scalar: Scalar, precision: Precision) -> Agreement | None:
        """Hold the gradient along ``v`` on ``x[where]`` against the complex step; None where that is not taken."""
        dy = self._slopes(where, v, precision)
        if dy is None:
            return None
        w, q = scalar.w, scalar.g[where] * v
        numeric, analytic, size = float((w * dy).sum()), float(q.sum()), norm(q)
        bar = _SUMS * (precision.eps * (norm(w * dy) + size) + precision.tiny * float(np.abs(v).sum()))
        grain = precision.eps * norm((w * self.centre.y)[dy != 0.0])
        return Agreement(numeric, numeric - analytic, bar, size, grain)

    def _slopes(self, where: slice, v: Vector, precision: Precision) -> Vector | None:
        """Return the slope of each output along ``v`` on ``x[where]``."""
        extension, centre = self.centre.function.extension, self.centre
        if self.refused or extension is None:
            return None
        z = centre.x.astype(np.complex128)
        z[where] += 1j * (_STEP * v)
        try:
            centre.leave()
            y = extend(extension, z)
        except NotHolomorphicError as error:
            self.refused = str(error)
            return None
        if y.shape != centre.y.shape or not np.isfinite(y).all():
            self.refused = "the extension is not finite"
            return None
        typical = float(np.median(np.abs(centre.y)))
        allowed = _SAME * (precision.eps * np.maximum(np.abs(centre.y), typical) + precision.tiny)
        if not (np.abs(y.real - centre.y) <= allowed).all():  # but it may be, once it is known how finely this computes
            return None
        return np.asarray(y.imag / _STEP, dtype=np.float64)


def suspect(
    step: ComplexStep, blocks: tuple[Block, ...], scalar: Scalar, v: Vector, precision: Precision
) -> tuple[Block, int] | None:
    """Find the element with the largest share in a difference along ``v`` (of all of ``x``), one forward a halving."""

    def residual(start: int, stop: int) -> float:
        found = step.along(slice(start, stop), v[start:stop], scalar, precision)
        return float("nan") if found is None else found.residual

    shares = {block: residual(block.start, block.stop) for block in blocks}
    block = max(blocks, key=lambda block: np.nan_to_num(abs(shares[block]), nan=-1.0))
    start, stop, r = block.start, block.stop, shares[block]
    while stop - start > 1 and np.isfinite(r):
        middle = (start + stop) // 2
        left = residual(start, middle)
        right = r - left
        start, stop, r = (start, middle, left) if abs(left) > abs(right) else (middle, stop, right)
    return (block, start - block.start) if np.isfinite(r) else None


def prove(step: ComplexStep, block: Block, i: int, scalar: Scalar, precision: Precision) -> Worst | None:
    """Confirm a suspected element by a central difference of its own; None where that does not stand.

    Where the function computes in a format too coarse for differences to tell, the complex step speaks for itself, if
    differences bear its value out as far as they see, the backward's own rounding does not explain the difference, and
    a fresh cotangent shows it again.
    """
    found = confirm_twice(step.centre, block, i, scalar, precision)
    if found is not None or precision.is_fine:
        return found
    found = _spoken(step, block, i, scalar, precision)
    if found is None:
        return None
    return found if _spoken(step, block, i, again(step.centre, scalar), precision) is not None else None


def _spoken(step: ComplexStep, block: Block, i: int, scalar: Scalar, precision: Precision) -> Worst | None:
    centre = step.centre
    d = element(centre, block, i)
    found = step.along(d.where, d.v, scalar, precision)
    e = probe(centre, d, scalar, precision.step, precision).best
    if found is None or e is None or not found.fits(e):
        return None
    bar = found.bar + found.grain + 8.0 * analytic_noise(centre, d, scalar, precision)
    if abs(found.residual) <= _SUSPICIOUS * bar:
        return None
    v = float(d.v[0])
    return Worst(i, float(scalar.g[block.start + i]), found.numeric / v, bar / v)
