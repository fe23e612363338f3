"""Pairs of functions: ``(f, vjp)``, with ``y = f(*xs)`` and ``vjp(dout, *xs)`` in any order of parameters.

``f`` may return ``(y, cache)``, and then ``vjp(dout, cache)`` gets the cache: the spelling of cs231n. A closure,
``y, pullback = f(*xs)`` as in thinc, is a pair whose second half is made anew by each forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from gradcheck.errors import UsageError
from gradcheck.subject.calls import (
    CACHE_NAMES,
    OUTPUT_NAMES,
    BackwardCall,
    Parameter,
    as_returned,
    call_backward,
    called,
    outputs_of,
    parameters_of,
    plan_backward,
)
from gradcheck.subject.conventions.reading import is_cotangent
from gradcheck.subject.describe import describe
from gradcheck.subject.gradients import read_gradients
from gradcheck.subject.inputs import arguments_of, values_at
from gradcheck.subject.protocol import Array, Gradients, Missing, Outputs, Primals, Pullback, Session
from gradcheck.subject.session import arrays_in, generators, is_filled
from gradcheck.subject.world import reseed

NAME = "function pair"
CLOSURE = "closure"


def claims(obj: object) -> bool:
    """Whether it is a tuple of two functions, or a function that is not a class."""
    if isinstance(obj, tuple):
        return len(obj) == 2 and all(callable(part) for part in obj)
    return callable(obj) and not isinstance(obj, type)


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return no constructor parameters, and those of the forward function."""
    return (), parameters_of(obj[0] if isinstance(obj, tuple) else obj)


class FunctionSubject:
    """A pair of functions, or a function that returns its pullback, at a point."""

    def __init__(
        self,
        forward: Callable[..., Any],
        backward: Callable[..., Any] | None,
        settings: Mapping[str | int, Any],
        inputs: Mapping[str, Any],
        *,
        name: str,
        constants: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> None:
        self.name = name
        self._seed = seed
        self.convention = CLOSURE if backward is None else NAME
        self._forward, self._backward = forward, backward
        if any(isinstance(key, int) for key in settings):
            raise UsageError(
                f"settings is a tuple, but {name} is a function: it has options, no constructor",
                fix="give its options by name: settings=dict(axis=1); what it is called with goes into inputs",
            )
        self._options = {str(key): value for key, value in settings.items()}
        self._inputs = dict(inputs)
        self._keywords = {p.name for p in parameters_of(forward) if p.keyword_only}
        self._rewind = generators(forward, backward, globally=False)  # those are seeded
        self.arguments = arguments_of(inputs, constants)

    independent = True
    summed = False

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run the forward function, and bind the backward one to its inputs, output and cache."""
        return self.run(primals)[:2]

    def session(self, primals: Primals, *, forgetful: bool = False) -> Session:  # noqa: ARG002 - functions keep nothing
        """Return the functions themselves: what they carry from call to call is not theirs to carry."""
        self._rewind()
        reseed(self._seed)
        return _Functions(self)

    def run(self, primals: Primals) -> tuple[Outputs, Pullback, object]:
        """Run forward as `vjp` does; also return what it keeps for backward: a cache, or the cells of a closure."""
        values = values_at(self._inputs, primals)
        positional = [value for name, value in values.items() if name not in self._keywords]
        keywords = {name: value for name, value in values.items() if name in self._keywords}
        self._rewind()
        reseed(self._seed)
        result = called(self._forward, *positional, **keywords, **self._options)
        backward, known = self._backward, {**self._options, **values}
        if backward is None:
            result, backward = self._opened(result)
            known = {}
            outputs, _ = outputs_of(result)
            call = plan_backward(parameters_of(backward), len(outputs), known.keys())
            cells = getattr(backward, "__closure__", None) or ()
            cache: object = {k: cell.cell_contents for k, cell in enumerate(cells) if is_filled(cell)}
        else:
            outputs, known, call = _planned(backward, result, known, list(values))
            cache = next((known[name] for name in CACHE_NAMES if name in known), None)

        def pullback(cotangents: Outputs) -> Gradients:
            gradients = read_gradients(
                call_backward(backward, call, as_returned(cotangents, result), known), self.arguments, ()
            )
            values = dict(gradients.values)
            for argument in self.arguments:
                if argument.differentiable and values.get(argument.name) is None:
                    if argument.name not in values and gradients.problems:
                        continue  # said already: too few gradients came back
                    values[argument.name] = Missing(f"backward returned None for {argument.name}")
            return Gradients(values, gradients.problems, gradients.remarks)

        return outputs, pullback, cache

    def _opened(self, result: object) -> tuple[object, Callable[..., Any]]:
        if isinstance(result, tuple) and len(result) > 1 and callable(result[-1]):
            return result[0] if len(result) == 2 else result[:-1], result[-1]
        raise UsageError(
            f"{self.name} returned {describe(result)}, expected (output, pullback)",
            fix=f"give the backward too: gradcheck.check(({self.name}, {self.name}_backward), inputs=(...))",
        )


class _Functions:
    """Functions that are called again and again (see `gradcheck.subject.protocol.Session`)."""

    def __init__(self, subject: FunctionSubject) -> None:
        self._subject = subject
        self._cache: object = None

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run the forward function."""
        outputs, pullback, self._cache = self._subject.run(primals)
        return outputs, pullback

    def kept(self) -> Mapping[str, Array]:
        """Return the arrays in the cache that the last forward returned or closed over."""
        return dict(arrays_in(self._cache))


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> FunctionSubject:
    """Bring a pair of functions, or a function that returns its pullback, to a subject at these inputs."""
    forward, backward = obj if isinstance(obj, tuple) else (obj, None)
    return FunctionSubject(forward, backward, settings, inputs, name=name, constants=constants, seed=seed)


def _planned(
    backward: Callable[..., Any], result: object, known: Mapping[str, Any], inputs: Sequence[str]
) -> tuple[Outputs, dict[str, Any], BackwardCall]:
    """Say which outputs forward has, and bind backward's parameters: by name, then to caches, then by position.

    ``(y, cache)`` and two outputs look alike, and so do ``vjp(dout, cache)`` and ``vjp(dout, x)`` with another name
    for ``x``: what backward asks for decides.
    """
    parameters = parameters_of(backward)
    asked = [p.name for p in parameters if p.required and p.name not in known]
    outputs, cache = outputs_of(result, asked)
    several = isinstance(result, tuple) and cache is None and len(outputs) > 1
    if several and not (len(asked) == len(outputs) and all(map(is_cotangent, asked))):
        # (y, x, W) with vjp(dout, saved_x, saved_W): what looks like no cotangent is a cache.
        count = next((k for k, name in enumerate(asked) if not is_cotangent(name)), len(asked))
        count = min(max(count, 1), len(outputs) - 1)
        outputs, rest = outputs[:count], outputs[count:]
        cache = rest[0] if len(rest) == 1 else rest
    known = {**dict.fromkeys(OUTPUT_NAMES, outputs[0]), **known}
    if cache is not None:
        known |= dict.fromkeys(CACHE_NAMES, cache)
    unbound = [name for name in asked if name not in known]
    if len(unbound) > len(outputs):
        if cache is not None:
            known |= _caches(cache, unbound[len(outputs) :], asked[len(outputs) :])
        else:
            taken = {p.name for p in parameters}
            left = [known[name] for name in inputs if name not in taken]
            known |= _by_position(asked, unbound, len(outputs), left)
    scalar = len(outputs) == 1 and outputs[0].ndim == 0
    return outputs, known, plan_backward(parameters, len(outputs), known.keys(), rest=inputs, scalar=scalar)


def _caches(cache: object, unbound: Sequence[str], asked: Sequence[str]) -> dict[str, object]:
    """Bind ``vjp(dout, x, W)`` of a forward that returned ``(y, x, W)``, or the whole cache to each name that asks."""
    for names in (unbound, asked):
        if isinstance(cache, tuple) and len(cache) == len(names) > 1:
            return dict(zip(names, cache, strict=True))
    return dict.fromkeys(unbound, cache)


def _by_position(asked: Sequence[str], unbound: Sequence[str], outputs: int, left: Sequence[Any]) -> dict[str, Any]:
    """Bind ``vjp(dout, a, b)`` of ``f(x, y)``: the parameters beyond the cotangents are the inputs that are left.

    Where the count is right only with those that bear the name of an output (``a``), these are inputs too.
    """
    for names in (unbound, asked):
        if len(names) == outputs + len(left):
            last = all(map(is_cotangent, names[-outputs:])) and not is_cotangent(names[0])
            return dict(zip(names[:-outputs] if last else names[outputs:], left, strict=True))
    return {}
