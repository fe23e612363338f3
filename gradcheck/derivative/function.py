"""What the numeric side knows: a flat vector function with its analytic pullback, and what comparing them gives.

Nothing in ``derivative/`` knows what a layer is. All arguments are laid end to end in one float64 vector ``x``, all
outputs in one float64 vector ``y``; `Block` says which stretch of ``x`` is which argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
FlatPullback = Callable[[Vector], Vector]


@dataclass(frozen=True, slots=True)
class Block:
    """One argument's stretch ``x[start:stop]``, the dtype in which the layer receives it, and its shape unless flat."""

    name: str
    start: int
    stop: int
    dtype: np.dtype[np.floating]
    shape: tuple[int, ...] = ()

    @property
    def where(self) -> slice:
        """The stretch as a slice of ``x``."""
        return slice(self.start, self.stop)


@dataclass(frozen=True, slots=True)
class Function:
    """A function at a point.

    Parameters
    ----------
    vjp : callable
        ``vjp(x) -> (y, pullback)``: one forward; ``pullback(w) -> g`` is one backward, ``w`` of the shape of ``y``,
        ``g`` of the shape of ``x``. The pullback may be called again, but only until the next ``vjp`` call (a layer
        keeps one cache). May raise whatever the layer raises; may give non-finite values.
    x : (N,) float64
        The point. Already representable in every block's dtype.
    blocks : tuple of Block
        The arguments to compare, disjoint and in order; together they cover ``x``.
    dtypes : tuple of dtype
        The floating dtypes in which the outputs came back (float32 outputs mean float32 noise).
    extension : callable or None
        ``extension(z) -> y``: forward alone, at a complex ``z`` that traces what is done with it
        (`gradcheck.derivative.holomorphic`); the output must not be copied out of the trace. May raise. None where the
        complex step is not to be tried.
    """

    vjp: Callable[[Vector], tuple[Vector, FlatPullback]]
    x: Vector
    blocks: tuple[Block, ...]
    dtypes: tuple[np.dtype[np.floating], ...] = (np.dtype(np.float64),)
    extension: Callable[[Any], Any] | None = None


@dataclass(frozen=True, slots=True)
class Comparison:
    """One argument's analytic gradient held against the numeric derivative at one point.

    ``vacuous``: agreed, but the gradient is zero or lost in the function's own rounding, so nothing was learned.
    ``resolution`` is the smallest relative error of the whole gradient that would have been caught, ``element`` that
    of a single element: the worst where all were compared one by one (``complete``), else one of typical size
    (``inf`` unless pass). ``set_aside`` counts the outputs on a kink that were left out.
    The rest is set on a fail: the worst element (flat, within the block), both values, the error bar of the numeric
    one; ``wrong`` counts the elements found wrong, where all were looked at.
    """

    name: str
    verdict: Literal["pass", "fail", "inconclusive", "vacuous"]
    resolution: float = float("inf")
    element: float = float("inf")
    complete: bool = False
    set_aside: int = 0
    analytic: float | None = None
    numeric: float | None = None
    error_bar: float | None = None
    index: int | None = None
    wrong: int | None = None
    reason: str = ""
