"""Which elements can be moved together because they reach different outputs: the colours of a Jacobian.

Moving all elements of one colour at once tells the slope of each, since every output answers to one of them only
(Curtis, Powell & Reid 1974). The structure is never taken from the backward, which may be wrong about it; it is seen in
the function, axis by axis: rows of a batch, columns of a weight matrix, every element of an activation.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from gradcheck.derivative.function import Block, Vector
from gradcheck.derivative.noise import rounded
from gradcheck.derivative.probe import Centre

Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Colour:
    """Elements of a block that are moved together.

    Parameters
    ----------
    elements : (k,) int
        Places within the block, ascending.
    owner : (m,) int
        Per output, the position in ``elements`` of the one that it answers to; -1 where it answers to none. Empty where
        there is but one element, which then has all outputs.
    """

    elements: Indices
    owner: Indices


def colours(centre: Centre, block: Block) -> list[Colour]:
    """Part a block into as few colours as its axes allow.

    Two forwards per bit of an axis' length: those elements move whose index along the axis has that bit, then the
    others. An output that answers to a single index answers to exactly one of the two, bit by bit, and so spells out
    the index (group testing, Dorfman 1943). An axis along which every output does, or answers to none, need not be
    gone along: its elements share a colour. An answer lost in rounding is smaller than what rounding does to any
    difference, and is covered by the error bar.
    """
    n = block.stop - block.start
    shape = block.shape if prod(block.shape) == n else (n,)
    grid = np.arange(n).reshape(shape)
    single: dict[int, Indices] = {}
    for axis, length in enumerate(shape):
        answers = _answers(centre, block, np.indices(shape)[axis].ravel(), length) if length > 1 else None
        if answers is not None:
            single[axis] = answers
    if not single:
        return [Colour(grid.ravel()[i : i + 1], np.zeros(0, dtype=np.intp)) for i in range(n)]

    # Outputs that answer to none along one axis answer to none at all.
    nobody = np.logical_or.reduce([index < 0 for index in single.values()])
    together = tuple(shape[axis] for axis in single)
    owner = np.ravel_multi_index([np.maximum(index, 0) for index in single.values()], together)
    owner = np.where(nobody, -1, owner).astype(np.intp)
    rest = [axis for axis in range(len(shape)) if axis not in single]
    rows = grid.transpose(*rest, *single).reshape(-1, prod(together))
    # Within a colour the elements of a C-ordered block ascend already: the axes moved together keep their order.
    return [Colour(row, owner) for row in rows]


def _answers(centre: Centre, block: Block, index: Indices, length: int) -> Indices | None:
    """Return the index along an axis to which each output answers, -1 for none; None where one answers to several."""
    v = centre.precision.step * centre.scale[block.where] * (1.0 + centre.rng.random(index.size))
    found = np.zeros(centre.y.size, dtype=np.intp)
    answered: list[NDArray[np.bool_]] = []
    for bit in range((length - 1).bit_length()):
        has = (index >> bit) & 1 == 1
        with_bit, without = _moved(centre, block, np.where(has, v, 0.0)), _moved(centre, block, np.where(has, 0.0, v))
        if with_bit is None or without is None or (with_bit & without).any():
            return None
        found += with_bit.astype(np.intp) << bit
        answered.append(with_bit | without)
    once, always = np.logical_or.reduce(answered), np.logical_and.reduce(answered)
    if (once & ~always).any() or (found[always] >= length).any():
        return None
    return np.where(always, found, -1).astype(np.intp)


def _moved(centre: Centre, block: Block, d: Vector) -> NDArray[np.bool_] | None:
    """Return which outputs differ when a block moves by ``d``."""
    x = centre.x.copy()
    x[block.where] += d
    y = centre.forward_at(rounded(x, centre.function.blocks))
    return None if y is None else np.asarray(y != centre.y)
