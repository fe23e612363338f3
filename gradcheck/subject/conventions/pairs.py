"""Pairs of functions: ``(f, vjp)``, with ``y = f(*xs)`` and ``vjp(dout, *xs)`` in any order of parameters.

``f`` may return ``(y, cache)``, and then ``vjp(dout, cache)`` gets the cache: the spelling of cs231n. A closure,
``y, pullback = f(*xs)`` as in thinc, is a pair whose second half is made anew by each forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.calls import (
    CACHE_NAMES,
    OUTPUT_NAMES,
    BackwardCall,
    Parameter,
    as_returned,
    call_backward,
    describe,
    outputs_of,
    parameters_of,
    plan_backward,
    read_gradients,
)
from gradcheck.subject.protocol import Argument, Gradients, Missing, Outputs, Primals, Pullback
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
        self._options = {str(key): value for key, value in settings.items()}
        self._inputs = dict(inputs)
        self._keywords = {p.name for p in parameters_of(forward) if p.keyword_only}
        arrays = {n: v for n, v in inputs.items() if isinstance(v, np.ndarray | float | np.number)}
        self.arguments = tuple(Argument(n, "input", np.asarray(v), n in constants) for n, v in arrays.items())

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run the forward function, and bind the backward one to its inputs, output and cache."""
        values = {name: primals.get(name, value) for name, value in self._inputs.items()}
        positional = [value for name, value in values.items() if name not in self._keywords]
        keywords = {name: value for name, value in values.items() if name in self._keywords}
        reseed(self._seed)
        result = self._forward(*positional, **keywords, **self._options)
        backward, known = self._backward, {**self._options, **values}
        if backward is None:
            result, backward = self._opened(result)
            known = {}
            outputs, _ = outputs_of(result)
            call = plan_backward(parameters_of(backward), len(outputs), known.keys())
        else:
            outputs, known, call = _planned(backward, result, known)

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

        return outputs, pullback

    def _opened(self, result: object) -> tuple[object, Callable[..., Any]]:
        if isinstance(result, tuple) and len(result) == 2 and callable(result[1]):
            return result[0], result[1]
        raise UsageError(
            f"{self.name} returned {describe(result)}, expected (output, pullback)",
            fix=f"give the backward too: gradcheck.check(({self.name}, {self.name}_backward), inputs=(...))",
        )


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
    backward: Callable[..., Any], result: object, known: Mapping[str, Any]
) -> tuple[Outputs, dict[str, Any], BackwardCall]:
    """Bind backward's parameters; ``(y, cache)`` and two outputs look alike, so the parameters' names decide."""
    parameters = parameters_of(backward)
    outputs, cache = outputs_of(result)
    names = {p.name for p in parameters}
    if cache is None and len(outputs) > 1 and isinstance(result, tuple):
        unbound = [p.name for p in parameters if p.required and p.name not in known]
        several = len(unbound) == len(outputs) and not names & CACHE_NAMES
        looks_like_cotangents = all(n.lower().startswith(("d", "g", "ct", "u", "v")) for n in unbound)
        if names & CACHE_NAMES or not (several and looks_like_cotangents):
            outputs, cache = outputs[:1], result[1] if len(result) == 2 else tuple(result[1:])
    known = {**dict.fromkeys(OUTPUT_NAMES, outputs[0]), **known}
    if cache is not None:
        unknown = [p.name for p in parameters if p.required and p.name not in known]
        # backward(dout, cache): whatever the second one is called, it is the cache.
        known |= dict.fromkeys([*CACHE_NAMES, *unknown[1:2]], cache)
    return outputs, known, plan_backward(parameters, len(outputs), known.keys())
