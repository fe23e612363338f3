"""Which functions belong together, told by their names: forward and backward, a value and its derivative."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

Words = tuple[str, ...]


class Derived(NamedTuple):
    """A function and its derivative, or the names of the two: no forward and backward."""

    value: Any
    derivative: Any


_FORWARD = frozenset({"forward", "forwards", "fwd", "fprop", "prop", "fw"})
_BACKWARD = frozenset({"backward", "backwards", "bwd", "bprop", "backprop", "backpropagate", "bw", "back"})
_RIDERS = frozenset({"pass", "prop", "propagation", "propagate"})  # forward_pass, back_prop

_DERIVATIVE = frozenset(
    {"derivative", "derivatives", "derivate", "deriv", "der", "prime", "grad", "gradient", "grads", "gradients"}
    | {"jacobian", "d"}
)
# What a value and its derivative need not both be called: mse_loss and mse_grad, compute_cost and compute_gradient.
_FILLERS = frozenset(
    {"loss", "cost", "error", "objective", "function", "func", "fn", "activation", "act", "forward", "of", "the"}
    | {"compute", "calculate", "calc", "get"}
)
_LOSSES = frozenset({"loss", "cost", "error", "objective"})

# Other things that have a gradient, a derivative, a forward or a backward in their names.
_OTHER = frozenset(
    {"euler", "difference", "differences", "diff", "algorithm", "selection", "hook", "kinematics", "descent", "ascent"}
    | {"clip", "clipping", "check", "checking", "numerical", "numeric", "num", "approx", "estimate", "finite", "norm"}
    | {"central", "test", "plot", "show", "print", "train", "update", "step", "optimizer", "boosting", "policy"}
    | {"zero", "accumulate", "apply", "magnitude", "image", "animate", "draw", "load", "save", "eval"}
)

# Where d is enough for a derivative: dstack is none of stack.
_ELEMENTARY = re.compile(
    r"(leaky_?|p|hard_?|l|log_?)?(relu|sigmoid|tanh|softmax|gelu|silu|swish|elu|selu|mish|softplus|softsign)\w*|logistic"
    r"|linear|identity|act(ivation)?|sin|cos|exp|log|mse|mae|bce|ce|loss|cost|[f-h]\d?",
    re.IGNORECASE,
)

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def pairs(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Find the forwards and backwards that belong together, by what they are of.

    A backward of its own variant (``norm_backward_alt``) goes with the plain forward.

    Examples
    --------
    >>> pairs(["affine_forward", "affine_backward", "backward_relu", "forward_relu", "forward", "backward"])
    {'affine': ('affine_forward', 'affine_backward'), 'relu': ('forward_relu', 'backward_relu')}
    >>> pairs(["conv_forward_naive", "conv_backward_naive", "poolFwd", "poolBwd", "tanh_prop", "tanh_backprop"])
    {'conv_naive': ('conv_forward_naive', 'conv_backward_naive'), 'pool': ('poolFwd', 'poolBwd'), 'tanh': ('tanh_prop', 'tanh_backprop')}
    """  # noqa: E501 - a doctest's answer is one line
    names = list(names)
    forwards = {half.words: half for half in reversed([*_halves(names, _FORWARD)])}
    backwards = {half.words: half for half in reversed([*_halves(names, _BACKWARD)])}
    found: dict[str, tuple[str, str]] = {}
    for words, half in reversed(forwards.items()):
        if words in backwards:
            found[half.stem] = (half.name, backwards[words].name)
    for words, half in reversed(backwards.items()):
        if words not in forwards and half.before in forwards and len(half.before) < len(words):
            found.setdefault(half.stem, (forwards[half.before].name, half.name))
    return found


def derivatives(names: Iterable[str]) -> dict[str, Derived]:
    """Find the functions that have a derivative beside them, by name.

    Examples
    --------
    >>> found = derivatives(["sigmoid", "sigmoid_prime", "relu", "drelu", "mse_loss", "mse_grad", "grad_clip", "clip"])
    >>> [tuple(couple) for couple in found.values()]
    [('sigmoid', 'sigmoid_prime'), ('relu', 'drelu'), ('mse_loss', 'mse_grad')]
    """
    names = list(names)
    spelled = {name: words_of(name) for name in names}
    values = {name: words for name, words in spelled.items() if words and not set(words) & (_DERIVATIVE | _OTHER)}
    found: dict[str, Derived] = {}
    for name, words in spelled.items():
        value = _value_of(name, words, values)
        if value:
            found.setdefault(value if value not in found else name, Derived(value, name))
    order = {name: k for k, name in enumerate(names)}
    return dict(sorted(found.items(), key=lambda item: order[item[1].value]))


def is_derivative_name(name: str) -> bool:
    """Whether a function's own name says that it is a derivative.

    Examples
    --------
    >>> [is_derivative_name(name) for name in ("sigmoid_prime", "d_relu", "dtanh", "relu_backward", "gradient_descent")]
    [True, True, False, False, False]
    """
    words = set(words_of(name))
    return bool(words & _DERIVATIVE) and not words & _OTHER


def words_of(name: str) -> Words:
    """Split a name into words, in lower case.

    Examples
    --------
    >>> words_of("maxPool_forward"), words_of("GELUPrime")
    (('max', 'pool', 'forward'), ('gelu', 'prime'))
    """
    return tuple(word.lower() for word in _WORD.findall(name))


@dataclass(frozen=True, slots=True)
class _Half:
    """One half of a layer: the words of what it is a half of, those of them before the direction, and their text."""

    name: str
    words: Words
    before: Words
    stem: str


def _halves(names: Iterable[str], directions: Collection[str]) -> Iterator[_Half]:
    """Yield the names that have a direction in them, and something else besides."""
    for name in names:
        found = list(_WORD.finditer(name))
        words = words_of(name)
        k = next((k for k, word in enumerate(words) if word in directions), None)
        if k is None or _OTHER - {"step", "norm"} & {*words}:
            continue
        end = k + 2 if k + 1 < len(words) and words[k + 1] in _RIDERS else k + 1
        if words[k] == "back" and end == k + 1:
            continue  # feed_back, back_to_front
        if k == 0 and end == 2 and words[1].startswith("propagat"):
            continue  # forward_propagation_with_dropout: a whole network
        rest = words[:k] + words[end:]
        left, right = name[: found[k].start()].rstrip("_"), name[found[end - 1].end() :].lstrip("_")
        if rest:
            yield _Half(name, rest, words[:k], "_".join(filter(None, (left, right))))


def _value_of(name: str, words: Words, values: dict[str, Words]) -> str | None:
    """Return the function that a name says it is the derivative of."""
    if {*words} & _OTHER:
        return None
    if name.startswith("d") and name[1:] in values and _ELEMENTARY.fullmatch(name[1:]):
        return name[1:]
    marks = [k for k, word in enumerate(words) if word in _DERIVATIVE and (word != "d" or _is_mark(words, k))]
    bare = tuple(word for k, word in enumerate(words) if k not in marks and word != "of")
    if not marks:  # tanh and tanh_backward
        marks = [k for k, word in enumerate(words) if word in _BACKWARD - {"back"}]
        bare = tuple(word for k, word in enumerate(words) if k not in marks)
        return next((value for value, other in values.items() if marks and bare and other == bare), None)
    if bare:
        exact = next((value for value, other in values.items() if other == bare), None)
        if exact:
            return exact
    alike = [
        value
        for value, other in values.items()
        if _plain(other) == _plain(bare) and (_plain(bare) or _LOSSES & {*other})
    ]
    alike.sort(key=lambda value: -len({*values[value]} & {*bare}))  # compute_gradient goes with compute_cost
    return alike[0] if alike else None


def _is_mark(words: Words, k: int) -> bool:
    """Whether a d stands for a derivative: first, or last but in ``conv_2d``."""
    return k == 0 or (k == len(words) - 1 and not words[k - 1].isdecimal())


def _plain(words: Words) -> Words:
    return tuple(word for word in words if word not in _FILLERS)
