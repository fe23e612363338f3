"""What the numeric side knows: a flat vector function with its analytic pullback, and what comparing them gives.

Nothing in ``derivative/`` knows what a layer is. All arguments are laid end to end in one float64 vector ``x``, all
outputs in one float64 vector ``y``; `Block` says which stretch of ``x`` is which argument.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
FlatPullback = Callable[[Vector], Vector]


@dataclass(frozen=True, slots=True)
class Block:
    """One argument's stretch ``x[start:stop]``, and the dtype in which the layer receives it."""

    name: str
    start: int
    stop: int
    dtype: np.dtype[np.floating]

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
    """

    vjp: Callable[[Vector], tuple[Vector, FlatPullback]]
    x: Vector
    blocks: tuple[Block, ...]
    dtypes: tuple[np.dtype[np.floating], ...] = (np.dtype(np.float64),)


@dataclass(frozen=True, slots=True)
class Comparison:
    """One argument's analytic gradient held against the numeric derivative at one point.

    ``vacuous``: agreed, but the gradient is zero or lost in the function's own rounding, so nothing was learned.
    ``resolution`` is the smallest relative error of this gradient that would have been caught (``inf`` unless pass).
    The rest is set on a fail: the worst element (flat, within the block), both values, the error bar of the numeric
    one; ``wrong`` counts the elements found wrong, where all were looked at.
    """

    name: str
    verdict: Literal["pass", "fail", "inconclusive", "vacuous"]
    resolution: float = float("inf")
    analytic: float | None = None
    numeric: float | None = None
    error_bar: float | None = None
    index: int | None = None
    wrong: int | None = None
    reason: str = ""
