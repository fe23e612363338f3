"""How a forward and a backward are called, and what forward returned: shared by all conventions.

Everything is bound by *name* first and by position last, because in the wild ``backward(dout, cache)``,
``backward(x, dout)`` and ``backward(dh, dc)`` all occur.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.absent import UnavailableError, named_in, needs
from gradcheck.subject.describe import describe
from gradcheck.subject.limit import time_limit
from gradcheck.subject.protocol import Outputs

CACHE_NAMES = frozenset({"cache", "caches", "ctx", "context", "saved", "tape", "residuals", "res", "state", "memory"})
OUTPUT_NAMES = frozenset({"out", "output", "outputs", "y", "a", "ans"})


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
    signature = signature_of(function)
    return tuple(
        Parameter(
            name=p.name,
            required=p.default is p.empty and p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD),
            default=None if p.default is p.empty else p.default,
            keyword_only=p.kind is p.KEYWORD_ONLY,
            variadic=p.kind is p.VAR_POSITIONAL,
        )
        for p in (signature.parameters.values() if signature is not None else ())
        if p.kind is not p.VAR_KEYWORD
    )


def signature_of(function: Callable[..., Any]) -> inspect.Signature | None:
    """Return the signature of a function, bound method or class, None for builtins without one.

    Remembered as long as the function lives: a layer's methods are asked for at each of its calls.
    """
    plain = getattr(function, "__func__", function)
    if not inspect.isfunction(plain):
        return _signature(function)
    known = _SIGNATURES.setdefault(plain, {})
    bound = plain is not function
    if bound not in known:
        known[bound] = _signature(function)
    return known[bound]


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):
        return None


_SIGNATURES: WeakKeyDictionary[Any, dict[bool, inspect.Signature | None]] = WeakKeyDictionary()


def called(function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    """Call the user's function; neither `sys.exit` nor an endless loop in it must end the check as if all were well."""
    try:
        with time_limit():
            return function(*args, **kwargs)
    except SystemExit as error:
        raise RuntimeError(f"it called sys.exit({error.code!r})") from error
    except ModuleNotFoundError as error:
        raise UnavailableError(*needs(error.name or str(error))) from error
    except TypeError as error:
        if absent := named_in(error):
            raise UnavailableError(*needs(absent)) from error
        raise


def copied(value: Any) -> Any:
    """Return a deep copy, or the value itself where it cannot be copied."""
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - locks, generators, handles: what cannot be copied must do as it is
        return value


def outputs_of(result: object, asked: Sequence[str] | None = None) -> tuple[Outputs, Any]:
    """Split what forward returned into outputs and a cache.

    One array or number is one output; a tuple or list of arrays is several; what follows that is no array is a cache.
    ``asked`` names what backward asks for and nobody knows yet: where a cache is among it, or where forward returned
    one, the rest is one cotangent for each output, as in ``lstm_backward(dh, dc, cache)``.

    Raises
    ------
    UsageError
        If there is no numeric output at all.

    Examples
    --------
    >>> h, c = np.ones(2), np.zeros(2)
    >>> len(outputs_of((h, c))[0]), outputs_of((h, c), asked=["dout", "cache"])
    (2, ((array([1., 1.]),), array([0., 0.])))
    """
    if _is_numeric(result):
        return (_array(result),), None
    items = list(result) if isinstance(result, tuple | list) else []
    numeric = next((k for k, item in enumerate(items) if not _is_numeric(item)), len(items))
    if not numeric:
        raise UsageError(
            f"forward returned {describe(result)}, expected an array, or a tuple of arrays",
            fix="return the output (and keep what backward needs on self, or return it as a cache)",
        )
    count = numeric
    if asked is None:
        count = numeric if numeric == len(items) else 1
    elif numeric < len(items) or CACHE_NAMES & set(asked):
        cotangents = [name for name in asked if name not in CACHE_NAMES]
        count = min(max(len(cotangents), 1), numeric, len(items) - 1)
    cache = items[count:]
    return tuple(map(_array, items[:count])), (cache[0] if len(cache) == 1 else tuple(cache) or None)


def as_returned(cotangents: Outputs, result: object) -> Outputs:
    """Hand over a cotangent as forward gave its output: a number, which nobody can write into, for a number."""
    results = result if isinstance(result, tuple | list) else (result,)
    pairs = zip(cotangents, results, strict=False)
    return tuple(w if isinstance(y, np.ndarray) else w[()] for w, y in pairs)


@dataclass(frozen=True, slots=True)
class BackwardCall:
    """How a backward is to be called: which of its parameters take the cotangents, and which take known arrays.

    ``cotangents`` is empty for ``backward(self)``, the gradient of a loss for the cotangent 1; ``packed`` means that
    several cotangents go into one parameter, as a tuple; ``variadic`` is ``backward(*douts)``; ``rest`` are the known
    arrays that go into ``*args``.
    """

    cotangents: tuple[str, ...] = ()
    known: tuple[str, ...] = ()
    packed: bool = False
    variadic: bool = False
    rest: tuple[str, ...] = ()

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
    rest = [known[name] for name in call.rest]
    if call.variadic:
        return called(backward, *cotangents, *rest)
    signature = signature_of(backward) or inspect.signature(backward)
    bound = signature.bind_partial()
    bound.arguments.update({name: known[name] for name in call.known})
    bound.arguments.update(
        {p.name: tuple(rest) for p in signature.parameters.values() if rest and p.kind is p.VAR_POSITIONAL}
    )
    if not call.packed:
        bound.arguments.update(zip(call.cotangents, cotangents, strict=bool(call.cotangents)))
        return called(backward, *bound.args, **bound.kwargs)
    bound.arguments[call.cotangents[0]] = cotangents
    try:
        return called(backward, *bound.args, **bound.kwargs)
    except Exception as error:
        raise UsageError(
            f"forward has {len(cotangents)} outputs, but backward takes one cotangent ({call.cotangents[0]}); given a "
            f"tuple of them it raised {type(error).__name__}: {error}",
            fix="let backward take one cotangent for each output, or forward return only the output it differentiates",
        ) from error


def plan_backward(
    parameters: Sequence[Parameter], outputs: int, known: Set[str], *, rest: Sequence[str] = (), scalar: bool = False
) -> BackwardCall:
    """Decide how to call a backward with these parameters for this many outputs.

    Parameters that are known by name (inputs, the output, a cache) take those; the others take the cotangents.

    Parameters
    ----------
    parameters : sequence of Parameter
    outputs : int
    known : set of str
        What can be filled in by name.
    rest : sequence of str
        The known arrays that a ``*args`` of backward takes, but for those that it asks for by name.
    scalar : bool
        Whether the output is one number: then ``gradient(pred, target)`` may need no cotangent.

    Raises
    ------
    UsageError
        If more parameters are asked for than there are cotangents and known arrays.

    Examples
    --------
    >>> plan_backward(parameters_of(lambda x, dout: 0), outputs=1, known={"x"}).cotangents
    ('dout',)
    >>> plan_backward(parameters_of(lambda dout, *xs: 0), outputs=1, known={"x", "w"}, rest=("x", "w")).rest
    ('x', 'w')
    """
    named = [p for p in parameters if not p.variadic]
    starred = len(named) < len(parameters)
    rest = tuple(name for name in rest if starred and name not in {p.name for p in named})
    if starred and not any(p.required for p in named):
        return BackwardCall(variadic=True, rest=rest)
    free = [p.name for p in named if p.required and p.name not in known]
    required = [p.name for p in named if p.required]
    if not free and not (scalar and len(required) > 1):
        # backward(dout=1), or backward(x) where the cotangent bears the name of an input
        free = ([p.name for p in named if p.name not in known] or required)[:outputs]
    if len(free) > outputs:
        raise UsageError(
            f"backward asks for {', '.join(free)}, but forward has {outputs} output{'s' * (outputs != 1)}, and only "
            f"inputs, outputs and a cache can be filled in by name",
            fix="check it as a pair of functions whose backward names its parameters as forward does, after dout: "
            "gradcheck.check((forward, vjp), inputs=(...))",
        )
    packed = outputs > 1 and len(free) == 1
    if free and not packed and len(free) < outputs:
        raise UsageError(
            f"forward has {outputs} outputs, but backward takes {len(free)} cotangents ({', '.join(free)})",
            fix="let backward take one cotangent for each output",
        )
    filled = tuple(p.name for p in named if p.name in known and p.name not in free)
    return BackwardCall(tuple(free), filled, packed, rest=rest)


def _array(value: Any) -> Any:
    """Return a numeric value as a plain array; complex ones as they are, for they may trace what is done with them."""
    return value if isinstance(value, np.ndarray) and value.dtype.kind == "c" else np.asarray(value)


def _is_numeric(value: object) -> bool:
    if isinstance(value, np.ndarray):
        return bool(np.issubdtype(value.dtype, np.number) or value.dtype == np.bool_)
    return isinstance(value, int | float | np.number)
