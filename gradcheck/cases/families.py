"""What an argument's name says: the families of names that layers in the wild use, and what each is tried with.

The families come from a census of 2,506 layer classes in 140 public repositories: ``in_features``, ``n_in`` and
``fan_in`` mean one thing, ``W`` and ``kernel`` another. A name only orders the trials; running decides. Constructor
arguments that are no arrays have a module of their own, `gradcheck.cases.settings`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass

from gradcheck.cases.layouts import Layout
from gradcheck.cases.signature import Dims, times
from gradcheck.cases.values import Domain, Fixed, Recipe, Spec
from gradcheck.subject import names as spelling


@dataclass(frozen=True, slots=True)
class Reading:
    """What the names of a layer's arguments say together.

    ``gates``: the arrays are those of a recurrent cell, whose weights are so many times as wide as its state (4 for an
    LSTM, 3 for a GRU); 0 if they are taken one by one. ``letters``: the inputs are simply a, b, c or x, y, z, and ``b``
    is no bias, or q, k, v, and ``v`` is no weight. ``out``: the dimension of the output, where the constructor is told
    its size; targets may have it too. ``picks``: the names that the source uses as the only index of something.
    ``shares``: the source speaks of a softmax, whose targets add up to 1.
    """

    gates: int = 0
    letters: bool = False
    out: str = ""
    picks: frozenset[str] = frozenset()
    shares: bool = False


def readings(
    inputs: Collection[str], settings: Collection[str], out: str = "", source: str = ""
) -> tuple[Reading, ...]:
    """Return the readings of a layer's argument names, the likeliest first."""
    weights = any(_WEIGHT.match(name) for name in (*inputs, *settings))
    out = out or ("o" if any(map(_WEIGHT.match, inputs)) else "")  # loss(W, x, t)
    attention = any(map(_KEY.match, inputs)) and any(map(_VALUE.match, inputs))
    picks = frozenset(name for name in inputs if re.search(rf"\w\[(int\()?(self\.)?{name}\)?\]", source))
    letters = attention or {"u", "v"} <= {*inputs} or (not weights and bool({"a", "c", "y"} & {*inputs}))
    alone = Reading(letters=letters, out=out, picks=picks, shares="softmax" in source)
    if any(_HIDDEN_WEIGHT.match(name) for name in (*inputs, *settings)):
        return Reading(1, out=out), Reading(4, out=out), Reading(3, out=out), alone
    return (alone,)


def input_recipes(name: str, layout: Layout, reading: Reading, *, first: bool) -> tuple[Recipe, ...]:
    """Return what to try for an argument of forward, the likeliest first."""
    if first:
        return (layout.spec,)
    array = () if reading.letters else array_recipes(name, layout, reading)
    match_of: tuple[tuple[object, Callable[[], tuple[Recipe, ...]]], ...] = (
        (is_target(name) and not (reading.letters and name == "t"), lambda: _targets(layout, reading, name)),
        (is_train_flag(name), lambda: (Fixed(True),)),
        (_MASK.match(name), lambda: _masks(layout, reading)),
        (_OPTIONS.match(name), lambda: _COURSE_OPTIONS),
        (_AXIS.match(name), lambda: (Fixed(-1),)),
        (_CHOICE.match(name), lambda: tuple(map(Fixed, _CHOICES))),
        (_NUMBER.match(name), lambda: (Fixed(0.3), Fixed(2))),
        (is_group_count(name), lambda: (Fixed(2),)),
        (is_index(name), lambda: _indices(layout)),
        (_STATE.match(name) and not reading.letters, lambda: _states(layout)),
        (array, lambda: array),
    )
    return next((recipes() for matches, recipes in match_of if matches), _operands(name, layout, reading))


def first_input(names: Sequence[str]) -> int:
    """Return the position of the input whose layouts are tried: not a target, and the data where weights come first.

    Examples
    --------
    >>> [first_input(names) for names in (["y_true", "p"], ["W", "X", "y"], ["w", "b"], ["y", "y_hat"], ["y", "t"])]
    [1, 1, 0, 1, 0]
    """
    others = [k for k, name in enumerate(names) if not is_target(name)] or [0]
    truth_first = len(others) > 1 and (names[others[0]] in ("y", "Y") or list(names) == ["p", "q"])
    found = others[truth_first] if names else 0
    if names and _WEIGHT.match(names[found]):
        return next((k for k, name in enumerate(names) if _DATA.match(name)), found)
    return found


def array_recipes(name: str, layout: Layout, reading: Reading) -> tuple[Recipe, ...]:
    """Return what to try for an array of that name, given to the constructor or to forward; empty for others."""
    f, o = layout.feature, "o"
    wide = times(reading.gates or 1, o)
    if reading.gates and _HIDDEN_WEIGHT.match(name):
        return Spec((o, wide)), Spec((wide, o))
    if reading.gates and _WEIGHT.match(name):
        return Spec((f, wide)), Spec((wide, f))
    if _WEIGHT.match(name):
        return _weights(layout)
    if _BIAS.match(name):
        rows = Spec((wide,)), Spec((1, wide)), Spec((wide, 1))
        if layout.batch_last:
            rows = rows[2], rows[0], rows[1]
        return (
            rows
            if reading.gates
            else (*rows, Spec((f,)), Spec((1, f)), Spec((f, 1)), Spec((1, o, 1, 1)), Spec((1, 1, 1, o)))
        )
    if _SCALE.match(name):
        shapes = Spec((f,)), Spec((1, f)), Spec((o,)), Spec((1, o)), Spec((f, 1)), Spec((1, f, 1, 1)), Spec((f, 1, 1))
        return *shapes, Spec(layout.dims[1:]), Spec(()), Fixed(0.5)
    return ()


def is_target(name: str) -> bool:
    """Whether the name alone says that an input is a loss's target, which has no gradient."""
    return spelling.is_target(name)


def is_mask(name: str) -> bool:
    """Whether the name alone says that an input says which elements count: it has no gradient."""
    return bool(_MASK.match(name))


def is_index(name: str) -> bool:
    """Whether the name alone says that an input holds whole numbers that point into a table."""
    return bool(_INDEX.match(name))


def is_telling(name: str) -> bool:
    """Whether the name says what shape is meant: then backward has no say in it."""
    patterns = (_INDEX, _STATE, _WEIGHT, _HIDDEN_WEIGHT, _BIAS, _SCALE)
    return is_target(name) or any(pattern.match(name) for pattern in patterns)


def is_group_count(name: str) -> bool:
    """Whether an input says into how many groups the channels are divided."""
    return name == "G" or bool(_GROUPS.match(name))


def is_train_flag(name: str) -> bool:
    """Whether an optional argument of forward switches on what backward relies on."""
    return bool(_TRAIN.match(name))


def is_option(name: str) -> bool:
    """Whether the name alone says that an argument of forward is no array: a flag, an axis, a dict of options."""
    return any(pattern.match(name) for pattern in (_TRAIN, _OPTIONS, _AXIS))


def domains(name: str, source: str, inputs: Collection[str] = ()) -> tuple[Domain, ...]:
    """Return the domains to try for real inputs, by the layer's first argument, its source and all its inputs.

    A loss that takes logarithms without a softmax or sigmoid of its own wants probabilities; fed reals, its clipping
    would flatten them and a right gradient would look wrong.
    """
    logs = re.search(r"\blog\w*\(", source)
    own = re.search(r"exp|softmax|sigmoid|logsumexp|log1p|logaddexp", source)
    if _PROBABILITY.match(name) and logs and not own:
        return "probability", "positive", "real"
    if logs and (not own or any(clipped[1] in inputs for clipped in _CLIPPED.finditer(source))):
        return "probability", "positive"
    return "real", "positive", "probability"


# Between nearly 0 and nearly 1: what is clipped so is a probability.
_CLIPPED = re.compile(r"clip\(\s*(\w+)\s*,\s*(1e-\d+|[\w.]*eps\w*|0(\.0)?)\s*,\s*1(\.0)?\s*-")


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"^_?(?:{pattern})$", re.IGNORECASE)


_INDEX = _named("i?ids?|idxs?|index|indexes|indices|tokens?|words?|sequence|contexts")
_PROBABILITY = _named("y_?pred|y_?hat|yhat|p|ps|probs?|probabilities|pred|preds|predictions?|predicted|output|a|y|x")
_STATE = _named("(h|c|s|hx|cx|hidden|state|cell)s?(_?(prev|0|t|init|in|state))*|prev_?(h|c|s|hidden|state|cell)")
_HIDDEN_WEIGHT = _named("w_?h_?h?\\d?|w_hidden|w_rec|u|weight_hh|recurrent_(kernel|weights?)")
_WEIGHT = _named(
    "w|weights?|kernels?|filters?_?w|w_?[_xhioft0-9]{0,3}|weight_(matrix|ih|hh)|wmat|mat|matrix|u|v|theta"
    "|embeddings?|table|recurrent_(kernel|weights?)"
)
_BIAS = _named("b|bias|biases|b[_xhioft0-9]{0,3}")
_SCALE = _named("gamma|beta|scale|shift|g|gain|mean|mu|var|sigma|std|offset")
_MASK = _named("\\w*mask\\w*")
_TRAIN = _named("train\\w*|is_?train\\w*|mode_train|retain\\w*|save_cache")
_GROUPS = _named("(n|num)?_?(groups?|heads?)")
_AXIS = _named("axis|dim")
_NUMBER = _named("reg(ulari[sz]ation)?(_?(strength|lambda|param))?|lam|lambd|lambda_?|l[12](_reg)?|weight_decay|slope")
_CHOICE = _named("activation(_?(name|type|function))?|act|nonlinearity")
_CHOICES = ("relu", "sigmoid", "tanh")
_DATA = _named("x|xs|x_?(train|batch|data)|data|features|inputs?")
_KEY, _VALUE = _named("k|keys?|context|memory|enc\\w*|hs_enc"), _named("v|values?")

# The dicts of options of the cs231n course: bn_param, conv_param, pool_param, dropout_param.
_OPTIONS = _named("\\w+_params?|hparam(eter)?s?")
_COURSE_OPTIONS = tuple(
    Fixed({"mode": "train", "p": 0.7, "stride": stride, "pad": pad, "f": 2, "pool_height": 2, "pool_width": width})
    for stride, pad, width in ((2, 1, 3), (1, 1, 3), (1, 0, 3), (2, 0, 2), (2, 1, 2))
)


def _weights(layout: Layout) -> tuple[Recipe, ...]:
    f = layout.feature
    if layout.domain == "index":
        return (Spec((f, "o")),)
    if len(layout.space) == 2:
        kernels = Spec(("o", f, 3, 2)), Spec((3, 2, f, "o")), Spec(("o", f, 2, 2)), Spec((2, 2, f, "o"))
        return *kernels, Spec((f, 3, 2)), Spec((f, "o")), Spec(("o", f))
    if len(layout.space) == 1:
        return Spec((f, "o")), Spec(("o", f, 2)), Spec(("o", f)), Spec((f,))
    if layout.batch_last:
        return Spec(("o", f)), Spec((f, "o")), Spec((f,))
    return Spec((f, "o")), Spec(("o", f)), Spec((f,)), layout.spec


def _indices(layout: Layout) -> tuple[Recipe, ...]:
    """Return what points into a table beside the first input, or into that input itself."""
    if not layout.dims:
        return (Fixed(0),)
    return Spec(layout.dims[:-1], "index", limit="o"), Spec(("k",), "index", limit=layout.dims[0])


def _states(layout: Layout) -> tuple[Recipe, ...]:
    """Return what a recurrent cell carries, by sample; or a second operand of an attention."""
    if layout.batch_last:
        return Spec(("o", "n")), layout.spec
    if len(layout.dims) < 2:
        return Spec(("o",)), layout.spec
    batch = layout.dims[0]
    same = (Spec((batch, layout.feature)),) if len(layout.dims) > 2 else ()
    return Spec((batch, "o")), *same, layout.spec, Spec((layout.dims[1], "o"))


def _operands(name: str, layout: Layout, reading: Reading) -> tuple[Recipe, ...]:
    """Return what a second input may be that no name says anything about: alike, a factor of a product, a weight."""
    f, lead = layout.feature, layout.dims[:-2]
    if len(layout.dims) > 2 and _KEY.match(name):
        return Spec((*lead, "s", f)), layout.spec
    if len(layout.dims) > 2 and _VALUE.match(name):
        return Spec((*lead, "s", "o")), layout.spec
    factor = (Spec((*lead, f, "o")),) if lead else ()
    if len(layout.dims) == 1 and not layout.degenerate:  # of an outer product
        return Spec(("o",)), layout.spec
    less = tuple(Spec(layout.dims[:k]) for k in range(len(layout.dims) - 1, 0, -1)) if lead else ()
    return layout.spec, Spec((f, "o")), *factor, *less, Spec((f,)), *_targets(layout, reading, name)


def _masks(layout: Layout, reading: Reading) -> tuple[Recipe, ...]:
    """Return what says which elements count, as booleans and as numbers: of scores, of samples and steps, of all."""
    dims = layout.dims
    *lead, t, _ = dims if len(dims) > 1 else (*dims, 1, 1)[:2]
    scores = ((*lead, t, "s"), (t, "s"), (*lead, t, t), (t, t)) if reading.letters or len(dims) > 2 else ()
    shapes = tuple(dict.fromkeys((*scores, dims, dims[:-1])))
    return (*(Spec(d, "mask") for d in shapes), *(Spec(d, "binary", constant=True) for d in shapes))


def _targets(layout: Layout, reading: Reading, name: str) -> tuple[Recipe, ...]:
    dims = layout.dims
    if len(dims) == 1 and name in reading.picks:  # the class of a single sample
        return Spec((), "index", limit=dims[0]), Spec(dims, "index", limit=2)
    if not dims:
        return Spec(dims, "probability", constant=True), Fixed(1)
    either = Spec(dims, "index", limit=2)
    if len(dims) == 1 and reading.shares:
        return *_classes(dims), either
    if len(dims) == 1:  # a batch of numbers, each with a label 0 or 1
        return either, *_classes(dims), Spec(dims, constant=True), *_signs(dims)
    told = (*dims[:-1], reading.out) if layout.domain == "real" else (*dims, reading.out)
    outer = _classes(told) if reading.out and not layout.batch_last else ()
    return *_classes(dims), Spec(dims, constant=True), *outer, either, *_signs(dims)


def _signs(dims: Dims) -> tuple[Recipe, ...]:
    """Return labels -1 and 1, for each element and for each sample."""
    return Spec(dims, "sign", constant=True), Spec(dims[:-1], "sign", constant=True)


def _classes(dims: Dims) -> tuple[Recipe, ...]:
    """Return classes as one-hot rows, and as labels."""
    return Spec(dims, "onehot", constant=True), Spec(dims[:-1], "index", limit=dims[-1])
