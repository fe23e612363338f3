"""What a constructor argument's name says: a size, a stride, a rate, an array (see `gradcheck.cases.families`)."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

import numpy as np

from gradcheck.cases.families import Reading, array_recipes
from gradcheck.cases.layouts import Layout
from gradcheck.cases.values import Choice, Fixed, Recipe, Size, Sizes, Spec

# A default size above this is only a default: small sizes show as much and cost a fraction.
_LARGE = 32


def constructor_recipes(
    name: str, layout: Layout, reading: Reading, others: Collection[str] = ()
) -> tuple[Recipe, ...]:
    """Return what to try for a constructor argument, the likeliest first; ``others`` are the names beside it."""
    if name in ("c", "C", "s") and layout.space == () and not any(_OUT.match(other) for other in others):
        return Size(layout.feature), Fixed(0.3), Choice(name, (3, 2))  # a constant: nothing is built from channels
    if _OUT.match(name) and not _STATE_SIZE.match(name) and any(_STATE_SIZE.match(other) for other in others):
        return Size("p"), Size("o")  # a state of its own size between input and output
    for pattern, recipes in _FAMILIES:
        if pattern.match(name):
            return recipes(name, layout)
    array = array_recipes(name, layout, reading)
    return array or (Size(layout.feature), Spec((layout.feature,)), Fixed(2), Fixed(0.5), Size("o"), layout.spec)


def output_dim(names: Collection[str]) -> str:
    """Return the dimension that the constructor's names give to the output; empty if they speak of none."""
    if not any(_OUT.match(name) and not _STATE_SIZE.match(name) for name in names):
        return "v" if any(_VOCABULARY.match(name) for name in names) else ""
    return "p" if any(_STATE_SIZE.match(name) for name in names) else "o"


def optional_recipes(name: str, default: object, layout: Layout, reading: Reading) -> tuple[Recipe, ...]:
    """Return what to try for a constructor argument that has a default; empty if the default will do.

    Whole numbers that shape what a layer does are varied, and sizes that are large only by default are made small.
    """
    if isinstance(default, bool) or not isinstance(default, int):
        return ()
    if _VARIED.match(name):
        others = (0, 1, 2) if _PADDING.match(name) else (1, 2)
        return (Choice(name, (default, *(value for value in others if value != default))),)
    if default > _LARGE and any(pattern.match(name) for pattern in _SIZES):
        return constructor_recipes(name, layout, reading)
    return ()


def is_size(name: str) -> bool:
    """Whether the name alone says that a constructor argument is the size of something."""
    return any(pattern.match(name) for pattern in (*_SIZES, _LIKE_A_SIZE)) and not _WINDOW.match(name)


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"^_?(?:{pattern})$", re.IGNORECASE)


_Maker = Callable[[str, Layout], tuple[Recipe, ...]]


def _always(*recipes: Recipe) -> _Maker:
    return lambda _name, _layout: recipes


def _chosen(*values: int, otherwise: tuple[Recipe, ...] = ()) -> _Maker:
    """Return a maker of a choice among the values; of the first few alone where the layer does not take them all."""
    return lambda name, _: (Choice(name, values), *(Choice(name, (value,)) for value in values), *otherwise)


def _feature(_: str, layout: Layout) -> tuple[Recipe, ...]:
    return Size(layout.feature), Sizes((layout.feature,))


def _table(_: str, layout: Layout) -> tuple[Recipe, ...]:
    return Size(layout.feature), Size("v")


def _embedded(_: str, layout: Layout) -> tuple[Recipe, ...]:
    return (Size("o"),) if layout.domain == "index" else (Size(layout.feature), Size("o"))


def _steps(_: str, layout: Layout) -> tuple[Recipe, ...]:
    return (*(Size(dim) for dim in layout.dims[1:2]), Size("o"))


def _shape(_: str, layout: Layout) -> tuple[Recipe, ...]:
    return Sizes(layout.dims[1:]), Sizes(layout.dims)


def _chain(name: str, layout: Layout) -> tuple[Recipe, ...]:
    inner = Sizes(("o", "p"))
    return (inner,) if name.startswith("hidden") else (Sizes((layout.feature, "o", "p")), inner)


def _axis(name: str, layout: Layout) -> tuple[Recipe, ...]:
    return Choice(name, (1, 0, *range(2, len(layout.dims)))), Fixed(-1), Fixed(1), Fixed(0)


def _axes(_: str, layout: Layout) -> tuple[Recipe, ...]:
    rank = len(layout.dims)
    return Fixed((*range(1, rank), 0)), Fixed((0, *range(2, rank), 1))


_IN = _named(
    "in|n_?in|num_?in|d_?in|dim_?in|fan_?in|inputs?_?(size|dim|dims|units|features|channels|nodes|shape_size)?"
    "|in_?(features?|size|dims?|units|channels|ch|c|nodes)|n_?(inputs?|features|channels)"
    "|num_?(inputs?|features|channels)"
    "|dims?|d|features|size|d_?model|channels|embed_?dim_?in|c"
)
_STATE_SIZE = _named("hidden_?(size|dim|units|nodes)?|n_?hidden|num_?hiddens?|h")
_OUT = _named(
    "out|n_?out|num_?out|d_?out|dim_?out|fan_?out|outputs?_?(size|dim|dims|units|features|channels|nodes)?"
    "|out_?(features?|size|dims?|units|channels|ch|c|nodes)|n_?(outputs?|units|neurons|nodes|filters|classes)"
    "|num_?(outputs?|units|neurons|nodes|filters|classes)|units|neurons|filters|m"
)
_VOCABULARY = _named("vocab\\w*|num_?embeddings|n_?(vocab|tokens|words)|v")
_EMBEDDED = _named("embed\\w*|emb_?\\w*|word_?vec\\w*")
_SIZES = (_IN, _STATE_SIZE, _OUT, _VOCABULARY, _EMBEDDED)
_LIKE_A_SIZE = _named(
    "\\w+_(size|dims?|units|features|channels|width|rank)|(n|num)_\\w+|rank|width|c_?(in|out)|[io]c|d_\\w+"
)
_WINDOW = _named(
    "(kernel|filter|pool|window|batch|stride|block|k)\\w*|\\w*(heads|groups|layers|iter\\w*|steps)|dim|\\w*axis"
)
_PADDING = _named("pad|padding")
_VARIED = _named("strides?|pad|padding|dilation")
_CONSTANT = "alpha|slope|negative_?slope|leak\\w*|lam|lambda_?|delta|temperature|factor|k"

_FAMILIES: tuple[tuple[re.Pattern[str], _Maker], ...] = (
    (_named("(layers?|hidden|net\\w*)_?(sizes|dims|dimensions|units)|sizes|dimensions|architecture"), _chain),
    (_IN, _feature),
    (_STATE_SIZE, _always(Size("o"))),
    (_OUT, _always(Size("o"))),
    (_VOCABULARY, _table),
    (_EMBEDDED, _embedded),
    (_named("normalized_?shape|norm_?shape"), _feature),
    (_named("input_?shape|in_?shape|shape"), _shape),
    (_named("max_?len\\w*|seq_?len\\w*|time_?steps?|n_?steps|block_?size|T"), _steps),
    (
        _named("kernel_?(size|shape)?|k_?size|filter_?(size|shape)|pool_?(size|shape)?|f|window_?\\w*"),
        _chosen(2, 3, otherwise=(Fixed((3, 2)), Fixed((2, 2)))),
    ),
    (_named("(kernel|filter|pool|k|f)_?(h|w|height|width)|[hw]_?(kernel|filter|pool|k|f)"), _chosen(2, 3)),
    (_named("strides?|s|step"), _chosen(1, 2, otherwise=(Fixed((2, 1)), Fixed((1, 1))))),
    (_named("pad|padding|p_?ad\\w*"), _chosen(0, 1, otherwise=(Fixed((0, 0)), Fixed("valid")))),
    (_named("dilation|num_?layers|n_?layers|reps|repeats"), _chosen(1, 2)),
    (_named("n?_?heads|num_?heads|n?_?groups|num_?groups"), _chosen(2, otherwise=(Fixed(1),))),
    # Not a half, which is its own complement: 1/p for 1/(1-p) would not show.
    (_named("p|rate|drop\\w*|prob|keep_?prob|ratio"), _always(Fixed(0.3))),
    (_named(_CONSTANT), _always(Fixed(0.3), Fixed(2))),
    (_named("scale\\w*|up\\w*factor|down\\w*factor"), _chosen(2, 3, otherwise=(Fixed(0.5), Fixed((2, 3))))),
    (_named("(min|lo|low|lower)(_?(val(ue)?|bound))?|a_?min"), _always(Fixed(-0.8))),
    (_named("(max|hi|high|upper)(_?(val(ue)?|bound))?|a_?max"), _always(Fixed(1.3))),
    (_named("eps|epsilon"), _always(Fixed(1e-5))),
    (_named("momentum|decay"), _always(Fixed(0.9))),
    # What a backward adds for a penalty is no derivative of what forward gives.
    (_named("((weight|bias|kernel)_?)?(l[12]|reg\\w*|decay)(_?(l[12]|reg\\w*|lambda|strength))?"), _always(Fixed(0.0))),
    (_named("lr|learning_?rate|eta"), _always(Fixed(0.01))),
    (_named("axis|dim_?axis"), _axis),
    (_named("axes|perm\\w*"), _axes),
    (_named("exponent|power|n"), _chosen(3, 2)),
    (_named("seed|random_?state"), _always(Fixed(0))),
    (_named("rng|generator"), lambda _name, _layout: (Fixed(np.random.default_rng(0)),)),
    (_named("name|label"), _always(Fixed("layer"))),
    (_named("act|activation\\w*|nonlinearity"), _always(Fixed("relu"), Fixed(None))),
    (_named("reduction"), _always(Fixed("mean"))),
    (_named("train\\w*|is_?train\\w*|use_?\\w+|has_?\\w+|with_?\\w+|bias_?flag"), _always(Fixed(True))),
)
