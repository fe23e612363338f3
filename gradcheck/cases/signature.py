"""Shapes in gufunc notation: ``(n,i),(i,o),(o)->(n,o)``.

The notation is NumPy's (NumPy reference, "Generalized universal function API", section "Details of signature"), with
whole numbers allowed where a size is fixed, ``(n,3)``, and multiples and sums where sizes are tied: ``(i+h,4*h)``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from gradcheck.errors import UsageError

Dims = tuple[str | int, ...]

_SHAPE = re.compile(r"\(([^()]*)\)")
_NAME = re.compile(r"[^\W\d]\w*")
_TERM = r"(\d+\*)?[^\W\d]\w*(\*[^\W\d]\w*)*"
_TIED = re.compile(rf"{_TERM}(\+{_TERM})*")
_EXAMPLE = 'write it like "(n,i),(i,o),(o)->(n,o)": one pair of parentheses for each array, commas between'


@dataclass(frozen=True, slots=True)
class Signature:
    """The shapes of a layer's arguments and, where known, of its outputs, over named dimensions.

    Examples
    --------
    >>> signature = Signature.parse("(n,i),(i,o),(o)->(n,o)")
    >>> signature.inputs[1], signature.names
    (('i', 'o'), ('n', 'i', 'o'))
    >>> print(signature)
    (n,i),(i,o),(o)->(n,o)
    """

    inputs: tuple[Dims, ...]
    outputs: tuple[Dims, ...] = ()

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read the notation; outputs may be left out.

        Raises
        ------
        UsageError
            If it is not a signature.
        """
        left, arrow, right = text.replace(" ", "").partition("->")
        inputs = _parse_shapes(left, text)
        if not inputs or (arrow and not right):
            raise UsageError(f"cannot read the signature {text!r}", fix=_EXAMPLE)
        return cls(inputs, _parse_shapes(right, text) if right else ())

    @property
    def names(self) -> tuple[str, ...]:
        """The named dimensions, in the order in which they first appear."""
        return names_in(dim for shape in (*self.inputs, *self.outputs) for dim in shape)

    def __str__(self) -> str:
        left = ",".join(format_dims(dims) for dims in self.inputs)
        return f"{left}->{','.join(format_dims(dims) for dims in self.outputs)}" if self.outputs else left


def format_dims(dims: Dims) -> str:
    """Write one shape: ``('n', 3)`` is ``(n,3)``."""
    return f"({','.join(map(str, dims))})"


def size_of(dim: str | int, sizes: Mapping[str, int]) -> int:
    """Return the size of a dimension: of a name, a whole number, or of what is tied to names.

    Examples
    --------
    >>> size_of("4*h", {"h": 5}), size_of("i+h", {"i": 3, "h": 5}), size_of("c*h*w", {"c": 2, "h": 3, "w": 4})
    (20, 8, 24)
    """
    if isinstance(dim, int):
        return dim
    if dim in sizes:
        return sizes[dim]
    terms = (term.split("*") for term in dim.split("+"))
    return sum(math.prod(int(f) if f.isdecimal() else sizes[f] for f in factors) for factors in terms)


def names_in(dims: Iterable[str | int]) -> tuple[str, ...]:
    """Return the names that dimensions are made of, each once, in order."""
    return tuple(dict.fromkeys(name for dim in dims if isinstance(dim, str) for name in _NAME.findall(dim)))


def times(factor: int, dim: str | int) -> str | int:
    """Return a multiple of a dimension: ``times(4, "h")`` is ``"4*h"``."""
    return factor * dim if isinstance(dim, int) else dim if factor == 1 else f"{factor}*{dim}"


def shape_of(dims: Dims, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape for given sizes of the named dimensions."""
    return tuple(size_of(dim, sizes) for dim in dims)


def name_shape(shape: Sequence[int], sizes: Mapping[str, int]) -> Dims:
    """Name the sizes of a shape that was found by trying, where a size is that of exactly one dimension.

    Examples
    --------
    >>> name_shape((3, 5, 9), {"n": 3, "i": 4, "o": 5})
    ('n', 'o', 9)
    """
    names = {size: name for name, size in reversed(list(sizes.items())) if list(sizes.values()).count(size) == 1}
    return tuple(names.get(size, size) for size in shape)


def _parse_shapes(side: str, text: str) -> tuple[Dims, ...]:
    if _SHAPE.sub("", side).strip(",") or not re.fullmatch(r"\([^()]*\)(,\([^()]*\))*", side):
        raise UsageError(f"cannot read the signature {text!r}", fix=_EXAMPLE)
    return tuple(_parse_dims(inner, text) for inner in _SHAPE.findall(side))


def _parse_dims(inner: str, text: str) -> Dims:
    dims: list[str | int] = []
    for word in filter(None, inner.split(",")):
        if not (_TIED.fullmatch(word) or word.isdecimal()):
            raise UsageError(
                f"cannot read the signature {text!r}: {word!r} is neither a name nor a number", fix=_EXAMPLE
            )
        dims.append(int(word) if word.isdecimal() else word)
    return tuple(dims)
