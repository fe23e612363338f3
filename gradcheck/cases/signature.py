"""Shapes in gufunc notation: ``(n,i),(i,o),(o)->(n,o)``.

The notation is NumPy's (NumPy reference, "Generalized universal function API", section "Details of signature"), with
whole numbers allowed where a size is fixed: ``(n,3)``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from gradcheck.errors import UsageError

Dims = tuple[str | int, ...]

_SHAPE = re.compile(r"\(([^()]*)\)")
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
        dims = (dim for shape in (*self.inputs, *self.outputs) for dim in shape)
        return tuple(dict.fromkeys(dim for dim in dims if isinstance(dim, str)))

    def __str__(self) -> str:
        left = ",".join(format_dims(dims) for dims in self.inputs)
        return f"{left}->{','.join(format_dims(dims) for dims in self.outputs)}" if self.outputs else left


def format_dims(dims: Dims) -> str:
    """Write one shape: ``('n', 3)`` is ``(n,3)``."""
    return f"({','.join(map(str, dims))})"


def shape_of(dims: Dims, sizes: Mapping[str, int]) -> tuple[int, ...]:
    """Return the shape for given sizes of the named dimensions."""
    return tuple(sizes[dim] if isinstance(dim, str) else dim for dim in dims)


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
        if not (word.isidentifier() or word.isdecimal()):
            raise UsageError(
                f"cannot read the signature {text!r}: {word!r} is neither a name nor a number", fix=_EXAMPLE
            )
        dims.append(int(word) if word.isdecimal() else word)
    return tuple(dims)
