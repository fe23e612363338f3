"""What an argument's name says: the families of names that layers in the wild use, and what each is tried with.

The families come from a census of 2,506 layer classes in 140 public repositories: ``in_features``, ``n_in`` and
``fan_in`` mean one thing, ``W`` and ``kernel`` another. A name only orders the trials; running decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.signature import Dims
from gradcheck.cases.values import Domain, Fixed, Recipe, Size, Sizes, Spec


@dataclass(frozen=True, slots=True)
class Layout:
    """A shape to try for a layer's first input; ``feature`` is the dimension that weights contract with."""

    dims: Dims
    feature: str | int
    domain: Domain = "real"
    degenerate: bool = False  # too small to show a bug: only where nothing else runs

    @property
    def spec(self) -> Spec:
        """The first input itself; indices run below the feature dimension, which is then not an axis of it."""
        return Spec(self.dims, self.domain, limit=self.feature if self.domain == "index" else "")

    @property
    def space(self) -> Dims:
        """The dimensions beyond batch and feature."""
        return tuple(dim for dim in self.dims[1:] if dim != self.feature)


ROWS = Layout(("n", "i"), "i")
LAYOUTS = (
    ROWS,
    Layout(("n", "c", "h", "w"), "c"),
    Layout(("n", "t", "i"), "i"),
    Layout(("n", "t"), "v", "index"),
    Layout(("n",), "v", "index"),
    Layout(("n", "c", "l"), "c"),
    Layout(("n", "h", "w", "c"), "c"),
    Layout(("c", "h", "w"), "c"),
    Layout(("i",), "i", degenerate=True),
    Layout(("i", 1), "i", degenerate=True),
    Layout((), 1, degenerate=True),
)


def constructor_recipes(name: str, layout: Layout) -> tuple[Recipe, ...]:
    """Return what to try for a constructor argument, the likeliest first."""
    for pattern, recipes in _CONSTRUCTOR:
        if pattern.match(name):
            return recipes(layout)
    array = _array_recipes(name, layout)
    return array or (Size(layout.feature), Spec((layout.feature,)), Fixed(2), Fixed(0.5), Size("o"), layout.spec)


def input_recipes(name: str, layout: Layout, *, first: bool) -> tuple[Recipe, ...]:
    """Return what to try for an argument of forward, the likeliest first."""
    if first:
        return (layout.spec,)
    if _TARGET.match(name):
        return _targets(layout)
    for pattern, recipe in _FLAGS:
        if pattern.match(name):
            return (recipe,)
    array = _array_recipes(name, layout)
    if array:
        return array
    if _STATE.match(name):
        return Spec((*layout.dims[:1], "o")), layout.spec
    return layout.spec, Spec((layout.feature, "o")), Spec((layout.feature,)), *_targets(layout)


def is_target(name: str) -> bool:
    """Whether the name alone says that an input is a loss's target, which has no gradient."""
    return bool(_TARGET.match(name))


def domains(name: str, source: str) -> tuple[Domain, ...]:
    """Return the domains to try for real inputs, by the layer's first argument and its source.

    A loss that takes logarithms without a softmax or sigmoid of its own wants probabilities; fed reals, its clipping
    would flatten them and a right gradient would look wrong.
    """
    logs = re.search(r"\blog\w*\(", source)
    own = re.search(r"exp|softmax|sigmoid|logsumexp|log1p|logaddexp", source)
    if _PROBABILITY.match(name) and logs and not own:
        return "probability", "positive", "real"
    if logs and not own:
        return "probability", "positive"
    return "real", "positive", "probability"


def ranked_layouts(source: str, first: str) -> tuple[Layout, ...]:
    """Return the layouts in the order in which to try them, by what the source unpacks from ``.shape``."""
    ranks = [line.count(",") + 1 for line in re.findall(r"^\s*([\w\s,()_]+?)\s*=\s*[\w.]+\.shape\s*$", source, re.M)]
    ranks += [match.count(",") + 1 for match in re.findall(r"transpose\(\(?\s*([\d\s,]+)\)", source)]
    ranks += [4] if "im2col" in source else []
    wanted = max((rank for rank in ranks if rank in (3, 4)), default=2)
    indices = bool(_INDEX.match(first)) or "np.add.at" in source

    def order(item: tuple[int, Layout]) -> tuple[bool, bool, bool, int]:
        position, layout = item
        is_index = layout.domain == "index"
        return layout.degenerate, indices != is_index, len(layout.dims) != wanted and not is_index, position

    return tuple(layout for _, layout in sorted(enumerate(LAYOUTS), key=order))


def given_layouts(sizes: Sequence[int]) -> tuple[Layout, ...]:
    """Return layouts whose feature size is one that the layer already has (it was built, or its settings are given)."""
    found: list[Layout] = []
    for size in dict.fromkeys(sizes):
        found += [Layout(("n", size), size), Layout(("n", size, "h", "w"), size), Layout(("n", "t", size), size)]
        found += [Layout(("n", "t"), size, "index"), Layout((size,), size, degenerate=True)]
    return tuple(sorted(found, key=lambda layout: layout.degenerate))


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"^_?(?:{pattern})$", re.IGNORECASE)


_TARGET = _named("t|ts|targets?|labels?|y_?true|true|truth|ground_truth|y_?target|teacher|one_?hot|gt")
_INDEX = _named("i?ids?|idxs?|index|indexes|indices|tokens?|words?|sequence")
_PROBABILITY = _named("y_?pred|y_?hat|yhat|p|ps|probs?|probabilities|pred|preds|predictions?|predicted|output|a|y|x")
_STATE = _named("h|h_?prev|h_?0|hidden|prev_h|state|c|c_?prev|c_?0|s_?prev")
_WEIGHT = _named(
    "w|weights?|kernels?|filters?_?w|w[_xhioft0-9]{0,3}|weight_matrix|wmat|mat|matrix|u|v|theta|embeddings?|table"
)
_BIAS = _named("b|bias|biases|b[_xhioft0-9]{0,2}")
_SCALE = _named("gamma|beta|scale|shift|g|gain|mean|mu|var|sigma|offset")
_FLAGS: tuple[tuple[re.Pattern[str], Recipe], ...] = (
    (_named("train\\w*|is_?train\\w*|training|mode_train|retain\\w*|save_cache"), Fixed(True)),
    (_named("axis|dim"), Fixed(-1)),
)


def _array_recipes(name: str, layout: Layout) -> tuple[Recipe, ...]:
    f = layout.feature
    if _WEIGHT.match(name):
        return _weights(layout)
    if _BIAS.match(name):
        return Spec(("o",)), Spec((1, "o")), Spec(("o", 1)), Spec((f,)), Spec((1, f)), Spec((1, "o", 1, 1))
    if _SCALE.match(name):
        shapes = Spec((f,)), Spec((1, f)), Spec((1, f, 1, 1)), Spec((f, 1, 1))
        return *shapes, Spec(layout.dims[1:]), Spec(()), Fixed(0.5)
    return ()


def _weights(layout: Layout) -> tuple[Recipe, ...]:
    f = layout.feature
    if layout.domain == "index":
        return (Spec((f, "o")),)
    if len(layout.space) == 2:
        kernels = Spec(("o", f, 3, 2)), Spec((3, 2, f, "o")), Spec(("o", f, 2, 2))
        return *kernels, Spec((f, 3, 2)), Spec((f, "o")), Spec(("o", f))
    if len(layout.space) == 1:
        return Spec((f, "o")), Spec(("o", f, 2)), Spec(("o", f)), Spec((f,))
    return Spec((f, "o")), Spec(("o", f)), Spec((f,)), layout.spec


def _targets(layout: Layout) -> tuple[Recipe, ...]:
    dims = layout.dims
    onehot = Spec(dims, "onehot", constant=True) if dims else Spec(dims, "probability", constant=True)
    labels = Spec(dims[:-1], "index", limit=dims[-1]) if dims else Fixed(1)
    if len(dims) == 1:  # a batch of numbers, each with a label 0 or 1
        return Spec(dims, "index", limit=2), onehot, labels, Spec(dims, constant=True)
    return onehot, labels, Spec(dims, constant=True)


_Maker = Callable[[Layout], tuple[Recipe, ...]]


def _always(*recipes: Recipe) -> _Maker:
    return lambda _: recipes


_CONSTRUCTOR: tuple[tuple[re.Pattern[str], _Maker], ...] = (
    (
        _named(
            "in|n_?in|num_?in|d_?in|dim_?in|fan_?in|inputs?_?(size|dim|dims|units|features|channels|nodes|shape_size)?"
            "|in_?(features?|size|dims?|units|channels|ch|c|nodes)|n_?(inputs?|features)|num_?(inputs?|features|channels)"
            "|dims?|d|features|size|d_?model|channels|n_?channels|embed_?dim_?in|c|D"
        ),
        lambda layout: (Size(layout.feature), Sizes((layout.feature,))),
    ),
    (
        _named(
            "out|n_?out|num_?out|d_?out|dim_?out|fan_?out|outputs?_?(size|dim|dims|units|features|channels|nodes)?"
            "|out_?(features?|size|dims?|units|channels|ch|c|nodes)|n_?(outputs?|units|neurons|hidden|nodes|filters)"
            "|num_?(outputs?|units|neurons|hiddens?|nodes|filters|classes)|units|neurons|filters|hidden"
            "|hidden_?(size|dim|units)|embed\\w*|emb_?\\w*|H|M"
        ),
        _always(Size("o")),
    ),
    (_named("vocab\\w*|num_?embeddings|n_?(vocab|tokens|words)|V"), lambda layout: (Size(layout.feature), Size("v"))),
    (_named("normalized_?shape|norm_?shape"), lambda layout: (Size(layout.feature), Sizes((layout.feature,)))),
    (_named("input_?shape|in_?shape|shape"), lambda layout: (Sizes(layout.dims[1:]), Sizes(layout.dims))),
    (
        _named(
            "kernel_?(size|shape|h|w)?|k_?size|k|filter_?(size|shape|h|w)|pool_?(size|shape|h|w)?|f|window_?\\w*|fh|fw"
        ),
        _always(Fixed(2), Fixed(3), Fixed((2, 2))),
    ),
    (_named("strides?|s|step"), _always(Fixed(1), Fixed(2), Fixed((1, 1)))),
    (_named("pad|padding|p_?ad\\w*"), _always(Fixed(0), Fixed(1), Fixed((0, 0)), Fixed("valid"))),
    (_named("groups|dilation|num_?layers|n_?layers|reps|repeats"), _always(Fixed(1), Fixed(2))),
    (_named("n?_?heads|num_?heads"), _always(Fixed(1), Fixed(2))),
    (_named("p|rate|drop\\w*|prob|keep_?prob|ratio"), _always(Fixed(0.5))),
    (_named("alpha|slope|negative_?slope|leak\\w*|lam|lambda_?|delta|temperature|factor|k"), _always(Fixed(0.3))),
    (_named("eps|epsilon"), _always(Fixed(1e-5))),
    (_named("momentum|decay"), _always(Fixed(0.9))),
    (_named("lr|learning_?rate|eta"), _always(Fixed(0.01))),
    (_named("axis|dim_?axis"), _always(Fixed(-1), Fixed(1), Fixed(0))),
    (_named("exponent|power|n"), _always(Fixed(2), Fixed(3))),
    (_named("seed|random_?state"), _always(Fixed(0))),
    (_named("rng|generator"), lambda _: (Fixed(np.random.default_rng(0)),)),
    (_named("name|label"), _always(Fixed("layer"))),
    (_named("act|activation\\w*|nonlinearity"), _always(Fixed("relu"), Fixed(None))),
    (_named("reduction"), _always(Fixed("mean"))),
    (_named("train\\w*|is_?train\\w*|training|use_?\\w+|has_?\\w+|with_?\\w+|bias_?flag"), _always(Fixed(True))),
)
