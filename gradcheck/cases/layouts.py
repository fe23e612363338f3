"""The shapes tried for a layer's first input."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from gradcheck.cases.signature import Dims, times
from gradcheck.cases.values import Domain, Spec


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape to try for a layer's first input; ``feature`` is the dimension that weights contract with."""

    dims: Dims
    feature: str | int
    domain: Domain = "real"
    degenerate: bool = False  # too small to show a bug: only where nothing else runs
    batch_last: bool = False  # samples are columns

    @property
    def spec(self) -> Spec:
        """The first input itself; indices run below the feature dimension, which is then not an axis of it."""
        return Spec(self.dims, self.domain, limit=self.feature if self.domain == "index" else "")

    @property
    def space(self) -> Dims:
        """The dimensions beyond batch and feature."""
        return () if self.batch_last else tuple(dim for dim in self.dims[1:] if dim != self.feature)


LAYOUTS = (
    Layout(("n", "i"), "i"),
    Layout(("i", "n"), "i", batch_last=True),
    Layout(("n", "c", "h", "w"), "c"),
    Layout(("n", "t", "i"), "i"),
    Layout(("n", "t"), "v", "index"),
    Layout(("n",), "v", "index"),
    Layout(("n", "c", "l"), "c"),
    Layout(("n", "h", "w", "c"), "c"),
    Layout(("c", "h", "w"), "c"),
    Layout(("n", "c", "2*h", "2*w"), "c"),  # windows that must fill the image
    Layout(("n", "2*h", "2*w", "c"), "c"),
    Layout(("n", "4*c", "h", "w"), "4*c"),  # channels that become pixels
    Layout(("n", "2*i"), "2*i"),  # features in two halves
    Layout(("i",), "i", degenerate=True),
    Layout(("i", 1), "i", degenerate=True),
    Layout((), 1, degenerate=True),
)

# A matrix by itself, where the source speaks of what only square ones have.
_SQUARE = Layout(("i", "i"), "i", degenerate=True)
# A vector by itself, where forward makes outer products: of matrices they would be those of all their elements.
_VECTOR = Layout(("i",), "i")
_OUTER = re.compile(r"\bouter\(")
_BACKWARD = re.compile(r"def \w*(backward|bprop|backprop|grad)\w*\(.*?(?=^\s*def |\Z)", re.MULTILINE | re.DOTALL)
_MATRICES = re.compile(r"linalg|trace\(|eye\(|shape\[0\] [!=]= \w+\.shape\[1\]")

_DIVIDED = re.compile(r"^_?(?:n?_?|num_?)(?:heads?|groups?|experts?)$", re.IGNORECASE)
_AXIS = re.compile(r"^_?(?:axis|dim_?axis)$", re.IGNORECASE)


def ranked_layouts(source: str, settings: Sequence[str], *, indices: bool) -> tuple[Layout, ...]:
    """Return the layouts in the order in which to try them.

    Parameters
    ----------
    source : str
        The layer's source: what it unpacks from ``.shape`` tells the rank.
    settings : sequence of str
        Names of constructor arguments: with heads or groups, the features are tried as a multiple of two first, and
        with an axis, three dimensions.
    indices : bool
        Whether the name of the first input says that it holds indices.
    """
    ranks = [line.count(",") + 1 for line in re.findall(r"^\s*([\w\s,()_]+?)\s*=\s*[\w.]+\.shape\s*$", source, re.M)]
    ranks += [match.count(",") + 1 for match in re.findall(r"transpose\(\(?\s*([\d\s,]+)\)", source)]
    ranks += [4] if "im2col" in source else []
    ranks += [3] if any(map(_AXIS.match, settings)) else []  # of two axes, each is the other's only neighbour
    wanted = max((rank for rank in ranks if rank in (3, 4)), default=2)
    indices = indices or "np.add.at" in source
    divided = any(map(_DIVIDED.match, settings))

    def order(item: tuple[int, Layout]) -> tuple[bool, bool, bool, int]:
        position, layout = item
        is_index = layout.domain == "index"
        other_rank = len(layout.dims) != wanted and not is_index and not layout.degenerate
        return layout.degenerate, indices != is_index, other_rank, position

    layouts = (*LAYOUTS, _SQUARE) if _MATRICES.search(source) else LAYOUTS
    vector = [_VECTOR] if _OUTER.search(without_backward(source)) else []
    ordered = [*vector, *(layout for _, layout in sorted(enumerate(layouts), key=order))]
    return tuple(found for layout in ordered for found in ((_even(layout), layout) if divided else (layout,)))


def without_backward(source: str) -> str:
    """Return a source without the methods and functions that are judged: they have no say in what shape is meant."""
    return _BACKWARD.sub("", source)


def given_layouts(sizes: Sequence[int]) -> tuple[Layout, ...]:
    """Return layouts whose feature size is one that the layer already has (it was built, or its settings are given)."""
    found: list[Layout] = []
    for size in dict.fromkeys(sizes):
        found += [Layout(("n", size), size), Layout((size, "n"), size, batch_last=True)]
        found += [Layout(("n", size, "h", "w"), size), Layout(("n", "t", size), size)]
        found += [Layout(("n", "t"), size, "index"), Layout((size,), size, degenerate=True)]
    return tuple(sorted(found, key=lambda layout: layout.degenerate))


def _even(layout: Layout) -> Layout:
    f = layout.feature
    if not (isinstance(f, str) and f.isidentifier() and f in layout.dims):
        return layout
    return replace(layout, dims=tuple(times(2, d) if d == f else d for d in layout.dims), feature=times(2, f))
