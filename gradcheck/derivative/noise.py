"""How finely a function computes: what its formats promise, and what its analytic side really keeps.

The promise gives the first step and the floor under every error bar; the measurement is made only before an accusation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from gradcheck.derivative.function import Block, Function, Vector

if TYPE_CHECKING:
    from gradcheck.derivative.central import Stencil
    from gradcheck.derivative.probe import Centre, Direction, Scalar


@dataclass(frozen=True, slots=True)
class Precision:
    """What follows from the coarsest floating format that goes in or comes out.

    Parameters
    ----------
    eps : float
        The distance from 1 to the next number.
    tiny : float
        The smallest positive number: nothing is rounded more finely than this, however small it is.
    step : float
        The first step, in units of each element's scale. A central difference errs by about ``h**2`` (truncation) plus
        ``eps / h`` (rounding), which balance at ``eps**(1/3)``; a little to the small side of that, because scales
        are only known to within a factor and truncation grows faster (Gill, Murray & Wright 1981, section 8.6).
    agreement : float
        A central difference at ``step`` that meets the gradient this closely agrees: typical errors are a few times
        smaller, and a wrong gradient comes so close by luck with about this probability.
    loosest : float
        The weakest resolution at which a joint agreement is taken for an answer; else the argument is probed alone.
    target : float
        A bar this small (relative) ends the search for a better step.
    limit : float
        A wider bar (relative) decides nothing: what agrees within it is inconclusive.
    measured : bool
        Whether ``eps`` is what was measured rather than what the formats promise.
    """

    eps: float
    tiny: float
    step: float
    agreement: float
    loosest: float
    target: float
    limit: float
    measured: bool = False

    @property
    def is_fine(self) -> bool:
        """Whether differences resolve what matters, at a step that leaves room for many smaller ones."""
        return self.eps <= 2.0**-40

    @property
    def floor(self) -> float:
        """The least scale of an element relative to its size: below it ``x + h v`` would round back to ``x``."""
        return float(max(2.0**-20, 2.0 * self.eps**0.5))


_DOUBLE = Precision(2.0**-52, 2.0**-1074, 2.0**-20, 2.0**-28, 1e-5, 2e-8, 1e-2)
_SINGLE = Precision(2.0**-23, 2.0**-149, 2.0**-9, 2.0**-13, 2.5e-4, 1e-4, 2e-2)
_HALF = Precision(2.0**-10, 2.0**-24, 2.0**-4, 2.0**-5, 1e-1, 3e-2, 2e-1)


def precision_of(function: Function) -> Precision:
    """Return the precision that the formats of the arguments and of the outputs promise.

    Examples
    --------
    >>> block = Block("x", 0, 1, np.dtype(np.float64))
    >>> function = Function(lambda x: (x, lambda w: w), np.ones(1), (block,), (np.dtype(np.float32),))
    >>> precision_of(function).step == 2.0**-9
    True
    """
    dtypes = [block.dtype for block in function.blocks] + list(function.dtypes)
    eps = max((float(np.finfo(dtype).eps) for dtype in dtypes), default=2.0**-52)
    if eps <= _DOUBLE.eps:  # long double inputs are float64 by the time they are in x
        return _DOUBLE
    return _SINGLE if eps <= _SINGLE.eps else _HALF


def measured_precision(promised: Precision, stencils: Sequence[Stencil]) -> Precision:
    """Return the precision in which a function seems to compute, where that is coarser than promised.

    What is rounding in the fourth differences does not care for the step (Hamming 1971; More & Wild 2011), while a
    kink's share grows like ``h`` and curvature's like ``h**4``. So where they are about as large at one step as at
    another a factor 16 smaller, they tell the unit in the last place, relative to the outputs.
    """
    by_step = sorted(stencils, key=lambda s: s.h)
    eps = 0.0
    for fine, coarse in pairwise(by_step):
        here = coarse.largest > 0.0
        if not (here & ~coarse.dead).any():
            continue
        here &= ~coarse.dead
        level = [float(np.median(np.abs(s.d4[here]) / coarse.largest[here])) for s in (fine, coarse)]
        if 0.0 < level[1] <= _SCALES_NOT * level[0]:
            # the median of |N(0, 1)| is 0.67, the standard deviation of d4 is sqrt(70) times 0.29 units
            eps = max(eps, max(level) / (0.67 * 70.0**0.5 * 0.29))
    if not 4.0 * promised.eps < eps < _COARSEST:
        return promised
    like = promised if eps < _ACCUMULATED else _SINGLE if eps <= 16.0 * _SINGLE.eps else _HALF
    return replace(promised, eps=eps, target=like.target, limit=like.limit, measured=True)


# A kink's d4 grows sixteenfold with a step sixteen times larger, rounding's not at all: half-way, on a log scale.
_SCALES_NOT = 4.0
# Finer than this, it is no format either, but the accumulated rounding of a long computation.
_ACCUMULATED = 2.0**-36
# bfloat16 has 2**-7; what scatters by far more is no format, but a wave that the steps are too long for.
_COARSEST = 2.0**-5


def rounded(x: Vector, blocks: tuple[Block, ...]) -> Vector:
    """Return ``x`` rounded to what each argument's format can hold."""
    out = np.array(x, dtype=np.float64)
    for block in blocks:
        if block.dtype != np.float64:
            out[block.where] = out[block.where].astype(block.dtype).astype(np.float64)
    return out


# One run may round as the first did, by chance; so many do not.
_RUNS = 6


def analytic_noise(centre: Centre, direction: Direction, scalar: Scalar, precision: Precision) -> float:
    """Measure the rounding of the analytic derivative along a direction: how far it moves when the last digits do.

    The backward is run a few times more, with every element of ``x`` and of ``w`` off by one or two units in the last
    place. (Perturb the last digits and see what moves: the CESTAC idea, Vignes 1993.) It takes both: what a layer norm
    over two features subtracts hardly depends on ``x``. Infinite where that cannot be done.
    """
    noise = 0.0
    for _ in range(_RUNS):
        x, w = (
            z * (1.0 + centre.rng.choice((-2.0, -1.0, 1.0, 2.0), size=z.size) * precision.eps)
            for z in (centre.x, scalar.w)
        )
        moved = centre.backward_at(rounded(x, centre.function.blocks), w)
        if moved is None:
            return float("inf")
        change = (moved - scalar.g)[direction.where] * direction.v
        noise = max(noise, abs(float(change.sum())), norm(change))
    return noise


def norm(z: Vector) -> float:
    """Return the Euclidean norm, without overflow or underflow on the way."""
    largest = float(np.abs(z).max(initial=0.0))
    if largest == 0.0 or not np.isfinite(largest):
        return largest
    return largest * float(np.sqrt(np.square(z / largest).sum()))
