"""A function and its derivative, ``(sigmoid, sigmoid_prime)``, or one function with a flag, ``sigmoid(x, deriv=True)``.

Whether the derivative is given the argument or the output of the function (``a * (1 - a)``) is tried, away from the
points that are checked: it is right as one of the two, or wrong as both; then its parameter's name decides.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradcheck.errors import UncheckedError
from gradcheck.subject import functions, source, text
from gradcheck.subject.calls import CACHE_NAMES, OUTPUT_NAMES, Parameter, called, parameters_of, signature_of
from gradcheck.subject.conventions.local import LocalSubject, agrees, real_inputs
from gradcheck.subject.conventions.owed import targets, wrt
from gradcheck.subject.pairing import Derived, is_derivative_name
from gradcheck.subject.protocol import Array

NAME = "value and derivative"

Reading = Literal["argument", "output"]
_Function = Callable[..., Any]

_OUTPUTS = OUTPUT_NAMES | {"s", "fx", "activated", "activation", "activations", "sig", "result", "sigmoid_output"}
_FRESH = np.random.default_rng(5).standard_normal(64) * 1.5
_POSITIVE = np.abs(_FRESH) + 0.05
_POINTS = (_FRESH, _FRESH.reshape(8, 8), _FRESH[0], _POSITIVE, _POSITIVE[0])  # of our own: the same for all cases


def claims(obj: object) -> bool:
    """Whether it is a function with a flag for its derivative, or a pair whose second takes no cotangent."""
    if isinstance(obj, tuple):
        return isinstance(obj, Derived) or (
            len(obj) == 2 and all(callable(part) and part.__hash__ for part in obj) and _is_derivative(*obj)
        )
    return _flag(obj) is not None


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return no constructor parameters, and those of the function, its flag left out."""
    return (), tuple(p for p in parameters_of(obj[0] if isinstance(obj, tuple) else obj) if p.name != _flag(obj))


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LocalSubject:
    """Bring a function and its derivative to a subject at these inputs."""
    value, derivative = obj if isinstance(obj, tuple) else _halves(obj)
    real = real_inputs(inputs)
    pair = _Pair(value, derivative, tuple(inputs), real)
    options = {str(key): given for key, given in settings.items()}
    if len(inputs) == 1 and real and not options:
        reading = _tried(pair)
        if np.ndim(inputs[real[0]]) != 1 and _is_jacobian(pair):
            raise UncheckedError(
                f"the derivative of {name} is a matrix, the Jacobian at one vector, but {real[0]} has "
                f"{np.ndim(inputs[real[0]])} dimensions",
                fix=f"give one vector: gradcheck.check(..., inputs=({real[0]},))",
            )
    else:
        reading = _chosen(pair, inputs, options)
    return pair.subject(reading, inputs, options, name=name, constants=constants, seed=seed)


@dataclass(frozen=True)
class _Pair:
    """A function and its derivative; the names of the inputs, and of those that are real."""

    value: _Function
    derivative: _Function
    inputs: tuple[str, ...]
    real: tuple[str, ...]

    @property
    def owed(self) -> tuple[str, ...]:
        """The inputs that the derivative is with respect to."""
        labels, stacked = _returned(self.derivative)
        return self.real if 1 < len(self.real) == stacked else wrt(self.real, labels, len(labels))

    @property
    def said(self) -> dict[str, str | None]:
        """What the derivative's parameters get, as their names say: an input, or None for the output."""
        asked = [p for p in parameters_of(self.derivative) if not p.variadic]
        asked = [p for p in asked if p.required or p.name in self.inputs] or asked[:1]
        got: dict[str, str | None] = {p.name: p.name for p in asked if p.name in self.inputs}
        left = [name for name in self.inputs if name not in got]
        for p in asked:
            if p.name not in got:
                takes_output = not left or (p.name.lower() in _OUTPUTS and len(asked) <= len(self.inputs))
                got[p.name] = None if takes_output else left.pop(0)
        return got

    def given(self, reading: Reading) -> dict[str, str | None]:
        """Return what the derivative's parameters get in a reading; in both the same where it takes neither or both."""
        x, said = self.owed[0], self.said
        about = [name for name, got in said.items() if got in (x, None)]
        return said if len(about) != 1 else {**said, about[0]: x if reading == "argument" else None}

    def subject(
        self,
        reading: Reading,
        inputs: Mapping[str, Any],
        options: Mapping[str, Any],
        *,
        name: str = "",
        constants: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> LocalSubject:
        """Return the subject at a point, in a reading."""
        given = self.given(reading)
        accepted = {p.name for p in parameters_of(self.derivative)}
        passed = {key: option for key, option in options.items() if key in accepted}

        def run(values: Mapping[str, Any]) -> tuple[object, Callable[[], object]]:
            result = _call(self.value, values, options)
            known = {key: result if got is None else values[got] for key, got in given.items()}
            return result, lambda: _call(self.derivative, known or values, passed)

        compared = targets(self.real)
        with_respect = f" with respect to {', '.join(self.owed)}" if len(self.inputs) > 1 else ""
        return LocalSubject(
            run,
            inputs,
            name=name,
            convention=f"{NAME}{with_respect}, which is given the {'output' if None in given.values() else 'argument'}",
            wrt=self.owed,
            constants=constants,
            named=compared,
            is_loss=bool(compared or constants),
            holders=(self.value, self.derivative),
            seed=seed,
        )


@functools.lru_cache(maxsize=64)
def _tried(pair: _Pair) -> Reading:
    """Return what the derivative of a function of one argument is given, tried at points of our own."""
    for point in _POINTS:
        right = _right(pair, {pair.real[0]: point}, {})
        if any(verdict is not None for verdict in right.values()):
            return _decided(pair, right)
    return _decided(pair, {})


def _chosen(pair: _Pair, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> Reading:
    """Return what the derivative is given, tried near the inputs."""
    if not pair.real or pair.given("argument") == pair.given("output"):
        return "argument"
    x = pair.owed[0]
    try:
        elementwise = np.shape(_call(pair.value, inputs, options)) == np.shape(inputs[x])
    except Exception:  # noqa: BLE001 - whatever it raises: it does not take this
        elementwise = False
    if not elementwise:
        return "argument"
    moved = np.random.default_rng(5).uniform(0.5, 0.9, np.shape(inputs[x])) * np.asarray(inputs[x])
    return _decided(pair, _right(pair, {**inputs, x: moved}, options))


def _right(pair: _Pair, inputs: Mapping[str, Any], options: Mapping[str, Any]) -> dict[Reading, bool | None]:
    readings: tuple[Reading, Reading] = ("argument", "output")
    return {reading: agrees(pair.subject(reading, inputs, options)) for reading in readings}


def _decided(pair: _Pair, right: Mapping[Reading, bool | None]) -> Reading:
    exact = [reading for reading, verdict in right.items() if verdict]
    if len(exact) == 1:
        return exact[0]
    return "output" if None in pair.said.values() else "argument"


@functools.lru_cache(maxsize=64)
def _is_jacobian(pair: _Pair) -> bool:
    """Whether the derivative of a function of one argument is a matrix at a vector, and nothing of use at a matrix."""
    vector, matrix = _FRESH[:6], _FRESH[:20].reshape(4, 5)
    return _shape_at(pair, vector) == (6, 6) and _shape_at(pair, matrix) not in {(4, 5), (4, 5, 5)}


def _shape_at(pair: _Pair, x: Array) -> tuple[int, ...] | None:
    try:
        y = _call(pair.value, {pair.real[0]: x}, {})
        known = {key: y if got is None else x for key, got in pair.given(_tried(pair)).items()}
        return tuple(np.shape(_call(pair.derivative, known or {pair.real[0]: x}, {})))
    except Exception:  # noqa: BLE001 - whatever it raises: it does not take this
        return None


def _call(function: _Function, values: Mapping[str, Any], options: Mapping[str, Any]) -> Any:
    """Call a function by the names of its parameters; a builtin, which has none, by position."""
    signature = signature_of(function)
    if signature is None or not set(values) <= set(signature.parameters):
        return called(function, *values.values(), **options)
    bound = signature.bind_partial()
    bound.arguments.update(values)
    return called(function, *bound.args, **bound.kwargs, **options)


def _flag(obj: object) -> str | None:
    """Return the parameter by which one function is asked for its derivative."""
    return _flag_of(obj) if inspect.isfunction(obj) else None


@functools.lru_cache(maxsize=64)
def _flag_of(function: _Function) -> str | None:
    node = source.definition(function)
    return text.flag_of(node) if node is not None and functions.is_flagged(node) else None


@functools.lru_cache(maxsize=64)
def _halves(function: _Function) -> tuple[_Function, _Function]:
    """Return a function with a flag as a function and its derivative: the same two each time."""
    flag = str(_flag_of(function))
    return functools.partial(function, **{flag: False}), functools.partial(function, **{flag: True})


@functools.lru_cache(maxsize=64)
def _returned(derivative: _Function) -> tuple[tuple[str, ...], int]:
    """Return what a derivative calls the gradients that it returns, and how many it stacks in one array."""
    node = source.definition(derivative)
    returned = text.returns(node) if node is not None else []
    return tuple(returned[-1]) if returned else ("",), text.stacked(node) if node is not None else 0


def _is_derivative(value: _Function, derivative: _Function) -> bool:
    """Whether the second of two functions takes what the first does, or its output, but no cotangent and no cache."""
    given = [p.name for p in parameters_of(value) if not p.variadic]
    parameters = parameters_of(derivative)
    asked = [p.name for p in parameters if p.required]
    if not asked or any(p.variadic for p in parameters) or CACHE_NAMES & {*asked}:
        return False
    if len(asked) > 1 and asked == given[: len(asked)]:  # a loss and its gradient, whatever they are called
        return True
    named = is_derivative_name(str(getattr(derivative, "__name__", "")))
    if any(text.COTANGENT.match(name) and name not in given for name in asked):
        return False
    if named:
        return len(asked) <= max(len(given), 1) + (len(given) == 1)
    return len(asked) == 1 and not _is_linear(value)


@functools.lru_cache(maxsize=64)
def _is_linear(value: _Function) -> bool:
    """Whether a function may be linear: only then is ``backward(x)`` a pullback, whose cotangent is called ``x``."""
    for point in _POINTS:
        try:
            y, twice, back = (np.asarray(called(value, factor * point)) for factor in (1.0, 2.0, -1.0))
            return bool(np.allclose(twice, 2.0 * y) and np.allclose(back, -y))
        except Exception:  # noqa: BLE001 - whatever it raises: it does not take this
            continue
    return True
