"""Values for the arrays of a case: which domain, and how they are drawn from its seed.

Real values are standard normal, with some elements spread wider, so that a gradient that is wrong only beyond |x| > 3
shows. Nothing is drawn at exactly 0, 1 or a tie: a layer's choice of subgradient there is its author's own.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from gradcheck.cases.signature import Dims, format_dims, shape_of, size_of

Domain = Literal["real", "positive", "probability", "onehot", "index", "mask", "binary", "sign"]


def stream(seed: int, *names: str) -> np.random.Generator:
    """Return the random generator of one named use of a case's seed: streams never share draws.

    Examples
    --------
    >>> stream(0, "x").random() == stream(0, "x").random(), stream(0, "x").random() == stream(0, "w").random()
    (True, False)
    """
    return np.random.default_rng([seed, *(zlib.crc32(name.encode()) for name in names)])


_KEPT = 0.7  # of the elements of a mask


@dataclass(frozen=True, slots=True)
class Spec:
    """An array to be drawn: its dimensions and domain; ``limit`` names the dimension that indices run below."""

    dims: Dims
    domain: Domain = "real"
    limit: str | int = ""
    constant: bool = False

    def draw(self, rng: np.random.Generator, sizes: Mapping[str, int]) -> NDArray[Any]:
        """Draw the array for given sizes; integers for indices, booleans for masks, float64 otherwise."""
        shape = shape_of(self.dims, sizes)
        if self.domain == "index":
            below = max(size_of(self.limit, sizes), 1)
            indices = np.asarray(rng.integers(0, below, shape))
            if shape:
                indices.flat[:1] = below - 1  # the last row is always asked for: a table that is too short shows
            return indices
        if self.domain in {"mask", "binary", "sign"}:
            return _either(self.domain, rng.random(shape))
        if self.domain == "onehot":
            chosen = rng.integers(0, max(shape[-1], 1), shape[:-1])
            return np.eye(shape[-1])[chosen]
        x = rng.standard_normal(shape)
        if self.domain == "positive":
            return np.asarray(np.exp(0.5 * x))
        if self.domain == "probability":
            p = np.exp(0.7 * x)
            rows = p / p.sum(-1, keepdims=True) if shape and shape[-1] > 1 else p / (1.0 + p)
            return np.asarray(rows)
        wide = rng.random(shape) < 0.125
        return np.asarray(np.where(wide, 4.0 * x, x))

    def __str__(self) -> str:
        return format_dims(self.dims)


def _either(domain: Domain, u: NDArray[Any]) -> NDArray[Any]:
    """Return an array of two values, told by uniform numbers: booleans, 0 and 1, or -1 and 1."""
    if domain == "sign":
        return np.where(u < 0.5, -1.0, 1.0)
    mask = np.asarray(u < _KEPT)
    mask[..., :1] = True  # something counts in every row
    return mask if domain == "mask" else mask.astype(float)


@dataclass(frozen=True, slots=True)
class Size:
    """A constructor argument that is the size of a named dimension."""

    dim: str | int


@dataclass(frozen=True, slots=True)
class Sizes:
    """A constructor argument that is a shape: a tuple of sizes."""

    dims: Dims


@dataclass(frozen=True, slots=True)
class Choice:
    """A whole-number setting that is no size but shapes what a layer does: a stride, a padding, an axis.

    Each case takes one of the values, under the argument's own name: a defect that hides at stride 1 shows at 2.
    """

    name: str
    values: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Fixed:
    """An argument that is the same in every case."""

    value: Any


Recipe = Spec | Size | Sizes | Choice | Fixed


def dims_of(recipe: Recipe) -> Dims:
    """Return the dimensions that a recipe speaks of."""
    match recipe:
        case Spec():
            return (*recipe.dims, *((recipe.limit,) if recipe.limit != "" else ()))
        case Sizes():
            return recipe.dims
        case Size():
            return (recipe.dim,)
    return ()


def realise(recipe: Recipe, rng: np.random.Generator, sizes: Mapping[str, int]) -> Any:
    """Return the value of an argument for given sizes."""
    if isinstance(recipe, Spec):
        return recipe.draw(rng, sizes)
    if isinstance(recipe, Size):
        return size_of(recipe.dim, sizes)
    if isinstance(recipe, Choice):
        return sizes[recipe.name]
    if isinstance(recipe, Sizes):
        return shape_of(recipe.dims, sizes)
    return dict(recipe.value) if isinstance(recipe.value, dict) else recipe.value  # layers keep statistics in dicts
