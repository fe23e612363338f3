"""How a forward and a backward are called, and how what they return is read: shared by all conventions.

Everything is bound by *name* first and by position last, because in the wild ``backward(dout, cache)``,
``backward(x, dout)`` and ``backward(dh, dc)`` all occur.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.protocol import Argument, Gradients, Missing, Outputs

CACHE_NAMES = frozenset({"cache", "caches", "ctx", "context", "saved", "tape", "residuals", "res", "state", "memory"})
OUTPUT_NAMES = frozenset({"out", "output", "outputs", "y", "a"})


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a user's function: its name, and its default where it has one."""

    name: str
    required: bool
    default: Any = None
    keyword_only: bool = False
    variadic: bool = False


def parameters_of(function: Callable[..., Any]) -> tuple[Parameter, ...]:
    """Return the parameters of a function, bound method or class (``self`` left out); empty if it has no signature.

    Examples
    --------
    >>> [p.name for p in parameters_of(lambda x, y=1: x)]
    ['x', 'y']
    """
    try:
        signature = inspect.signature(function)
    except (TypeError, ValueError):  # some builtins have none
        return ()
    return tuple(
        Parameter(
            name=p.name,
            required=p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD),
            default=None if p.default is p.empty else p.default,
            keyword_only=p.kind is p.KEYWORD_ONLY,
            variadic=p.kind is p.VAR_POSITIONAL,
        )
        for p in signature.parameters.values()
        if p.kind is not p.VAR_KEYWORD
    )


def outputs_of(result: object) -> tuple[Outputs, Any]:
    """Split what forward returned into arrays and a cache.

    One array or number is one output; a tuple or list of arrays is several; a tuple that starts with an array and goes
    on with something else is ``(output, cache)``.

    Raises
    ------
    UsageError
        If there is no numeric output at all.
    """
    if _is_numeric(result):
        return (np.asarray(result),), None
    if isinstance(result, tuple | list) and result and _is_numeric(result[0]):
        if all(_is_numeric(item) for item in result):
            return tuple(np.asarray(item) for item in result), None
        return (np.asarray(result[0]),), result[1] if len(result) == 2 else tuple(result[1:])
    raise UsageError(
        f"forward returned {describe(result)}, expected an array, or a tuple of arrays",
        fix="return the output (and keep what backward needs on self, or return it as a cache)",
    )


def as_returned(cotangents: Outputs, result: object) -> Outputs:
    """Hand over a cotangent as forward gave its output: a number, which nobody can write into, for a number."""
    results = result if isinstance(result, tuple | list) else (result,)
    pairs = zip(cotangents, results, strict=False)
    return tuple(w if isinstance(y, np.ndarray) else w[()] for w, y in pairs)


@dataclass(frozen=True, slots=True)
class BackwardCall:
    """How a backward is to be called: which of its parameters take the cotangents, and which take known arrays.

    ``cotangents`` is empty for ``backward(self)``, the gradient of a loss for the cotangent 1; ``packed`` means that
    several cotangents go into one parameter, as a tuple; ``variadic`` is ``backward(*douts)``.
    """

    cotangents: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    packed: bool = False
    variadic: bool = False

    @property
    def takes_cotangent(self) -> bool:
        """Whether the cotangent reaches backward at all."""
        return self.variadic or bool(self.cotangents)


def call_backward(
    backward: Callable[..., Any], call: BackwardCall, cotangents: Outputs, known: Mapping[str, Any]
) -> Any:
    """Call ``backward`` with these cotangents; ``known`` has the arrays that it may ask for by name.

    Raises
    ------
    UsageError
        If several cotangents had to go into one parameter, and backward did not take them: it may want only one.
    """
    if call.variadic:
        return backward(*cotangents)
    bound = inspect.signature(backward).bind_partial()
    bound.arguments.update({name: known[name] for name in call.known})
    if not call.packed:
        bound.arguments.update(zip(call.cotangents, cotangents, strict=bool(call.cotangents)))
        return backward(*bound.args, **bound.kwargs)
    bound.arguments[call.cotangents[0]] = cotangents
    try:
        return backward(*bound.args, **bound.kwargs)
    except Exception as error:
        raise UsageError(
            f"forward has {len(cotangents)} outputs, but backward takes one cotangent ({call.cotangents[0]}); given a "
            f"tuple of them it raised {type(error).__name__}: {error}",
            fix="let backward take one cotangent for each output, or forward return only the output it differentiates",
        ) from error


def plan_backward(parameters: Sequence[Parameter], outputs: int, known: Set[str]) -> BackwardCall:
    """Decide how to call a backward with these parameters for this many outputs.

    Parameters that are known by name (inputs, the output, a cache) take those; the others take the cotangents.

    Raises
    ------
    UsageError
        If more parameters are asked for than there are cotangents and known arrays.

    Examples
    --------
    >>> plan_backward(parameters_of(lambda x, dout: 0), outputs=1, known={"x"})
    BackwardCall(cotangents=('dout',), known=('x',), packed=False, variadic=False)
    """
    if any(p.variadic for p in parameters) and not any(p.required for p in parameters):
        return BackwardCall(variadic=True)
    named = [p for p in parameters if not p.variadic]
    free = [p.name for p in named if p.required and p.name not in known]
    if not free:  # backward(dout=1), or backward(x) where the cotangent bears the name of an input
        unknown = [p.name for p in named if p.name not in known]
        free = (unknown or [p.name for p in named if p.required])[:outputs]
    if len(free) > outputs:
        raise UsageError(
            f"backward asks for {', '.join(free)}, but forward has {outputs} output{'s' * (outputs != 1)}, and only "
            f"inputs, outputs and a cache can be filled in by name",
            fix="check it as a pair of functions that binds the rest: gradcheck.check((forward, vjp), inputs=(...))",
        )
    packed = outputs > 1 and len(free) == 1
    if free and not packed and len(free) < outputs:
        raise UsageError(
            f"forward has {outputs} outputs, but backward takes {len(free)} cotangents ({', '.join(free)})",
            fix="let backward take one cotangent for each output",
        )
    return BackwardCall(tuple(free), tuple(p.name for p in named if p.name in known and p.name not in free), packed)


def read_gradients(returned: object, inputs: Sequence[Argument], parameters: Sequence[Argument]) -> Gradients:
    """Read what backward returned as gradients of the inputs and, where it goes on, of the parameters.

    Inputs that are integers or constants may be left out or be None. ``(dx, {"W": dW})`` and ``{"x": dx}`` are read by
    name. Arguments that the returned value says nothing about are simply absent from ``values``.
    """
    owed = [a for a in inputs if a.differentiable]
    everything = [*inputs, *parameters]
    items = list(returned) if isinstance(returned, tuple | list) else [] if returned is None else [returned]
    tables = [item for item in items if isinstance(item, Mapping)]
    named = {name: value for table in tables for name, value in _by_name(table, everything).items()}
    items = [item for item in items if not isinstance(item, Mapping)]
    if not items:
        return Gradients(named)
    learnt = [p for p in parameters if p.differentiable and p.name not in named]
    for layout in (owed, inputs, [*inputs, *learnt], [*owed, *learnt]):
        if len(layout) == len(items):
            return Gradients({a.name: g for a, g in zip(layout, items, strict=True) if a.differentiable} | named)
    values = {a.name: g for a, g in zip(owed, items, strict=False)} | named
    names = ", ".join(a.name for a in owed)
    if len(items) > len(owed):
        return Gradients(values, remarks=(f"backward returned {len(items)} values, expected {len(owed)} ({names})",))
    found = f"{len(items)} gradient{'s' * (len(items) != 1)}"
    return Gradients(values, problems=(f"backward returned {found}, expected {len(owed)} ({names})",))


def describe(value: object) -> str:
    """Say what a value is, shortly: ``int 0``, ``None``, ``an array of shape (2, 3)``."""
    if value is None or isinstance(value, Missing):
        return "None"
    if isinstance(value, np.ndarray):
        kind = "" if np.issubdtype(value.dtype, np.floating) else f" of dtype {value.dtype}"
        return f"an array of shape {value.shape}{kind}"
    if isinstance(value, bool | int | float | complex | np.number):
        return f"{type(value).__name__} {value}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    return f"a {type(value).__name__}"


def _is_numeric(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return bool(np.issubdtype(value.dtype, np.number) or value.dtype == np.bool_)
    return isinstance(value, int | float | np.number)


def _by_name(table: Mapping[Any, Any], arguments: Sequence[Argument]) -> dict[str, object]:
    """Pick the gradients out of ``{"W": dW}`` or ``{"dW": dW}``."""
    keys = {str(key).lower(): value for key, value in table.items()}
    found: dict[str, object] = {}
    for argument in arguments:
        for name in (argument.name, argument.name.rpartition(".")[2]):
            for spelling in gradient_names(name):
                if spelling in keys:
                    found.setdefault(argument.name, keys[spelling])
            if name.lower() in keys:
                found.setdefault(argument.name, keys[name.lower()])
    return found


# weight and W, bias and b, input and x name the same thing: d + any of them is a spelling of the gradient.
_SYNONYMS = (
    frozenset({"w", "weight", "weights", "kernel"}),
    frozenset({"b", "bias", "biases"}),
    frozenset({"x", "input", "inputs", "in", "inp", "a_prev"}),
)


def gradient_names(name: str) -> tuple[str, ...]:
    """Return the lower-case spellings under which the gradient of ``name`` is kept, the likeliest first.

    Examples
    --------
    >>> gradient_names("W")[:4]
    ('dw', 'd_w', 'w_grad', 'grad_w')
    """
    low = name.lower().lstrip("_")
    same = next((words for words in _SYNONYMS if low in words), frozenset())
    spellings: list[str] = []
    for word in [low, *sorted(same - {low})]:
        spellings += [f"d{word}", f"d_{word}", f"{word}_grad", f"grad_{word}", f"{word}grad", f"grad{word}"]
        spellings += [f"{word}_gradient", f"gradient_{word}", f"{word}_grads", f"grads_{word}", f"delta_{word}"]
        spellings += [f"d{word}_", f"dl_d{word}", f"dldd{word}", f"g{word}", f"g_{word}"]
    return tuple(spellings)
