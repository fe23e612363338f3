"""What the conventions of other frameworks share: a run of theirs is a function that returns its pullback.

Each of them has its own ``run(*values) -> (outputs, pullback)``; the arrays that cross are NumPy's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from importlib import import_module
from typing import Any

import numpy as np

from gradcheck.errors import UncheckedError, UsageError
from gradcheck.subject.calls import signature_of
from gradcheck.subject.conventions.pairs import FunctionSubject
from gradcheck.subject.frameworks import not_installed
from gradcheck.subject.parameters import is_parameter_name
from gradcheck.subject.protocol import Array, Gradients, Missing, Outputs, Primals, Pullback, point_of

# Names that arguments bear, beside those of parameters. None for any other (``scale``, ``mask``) may be meant.
_OPERAND = re.compile(r"_?(inputs?|other|left|right|lhs|rhs|[abchkqvxyz]\d*)$", re.IGNORECASE)


class ForeignSubject(FunctionSubject):
    """A function in the manner of another framework, at a point.

    Parameters
    ----------
    run : callable
        Takes the inputs in order, and returns ``(outputs, pullback)``. ``pullback(*cotangents)`` returns a tuple with a
        gradient, or None, for each input that is a number or an array.
    """

    def __init__(
        self,
        run: Callable[..., Any],
        inputs: Mapping[str, Any],
        *,
        name: str,
        convention: str,
        constants: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> None:
        super().__init__(run, None, {}, inputs, name=name, constants=constants, seed=seed)
        self.convention = convention

    def run(self, primals: Primals) -> tuple[Outputs, Pullback, object]:
        """Run forward; where backward gives None for what may well be an option, that is no error."""
        outputs, pullback, cache = super().run(primals)
        return outputs, lambda cotangents: self._excused(pullback(cotangents)), cache

    def _excused(self, gradients: Gradients) -> Gradients:
        first = next((a.name for a in self.arguments if a.differentiable), "")

        def excused(name: str, value: object) -> object:
            is_argument = name == first or is_parameter_name(name) or _OPERAND.match(name)
            return value if is_argument or not isinstance(value, Missing) else replace(value, owed=False)

        return replace(gradients, values={name: excused(name, value) for name, value in gradients.values.items()})


def library(framework: str, name: str) -> Any:
    """Import a framework for the layer of that name.

    Raises
    ------
    UncheckedError
        If it is not installed.
    """
    try:
        return import_module(framework)
    except ImportError as error:
        reason, fix = not_installed(name, framework)
        raise UncheckedError(reason, fix=fix) from error


def positional(
    function: Callable[..., Any], values: Iterable[Any], options: Mapping[str | int, Any]
) -> tuple[Any, ...]:
    """Return all arguments of a function in order, where some options are given by name.

    Raises
    ------
    UsageError
        If an option is none of the function's.
    """
    named = {str(key): value for key, value in options.items()}
    signature = signature_of(function)
    if not named or signature is None:
        return tuple(values)
    try:
        bound = signature.bind(*values, **named)
    except TypeError as error:
        raise UsageError(f"settings do not fit: {error}", fix="give the options of forward by name") from error
    bound.apply_defaults()
    return bound.args


def is_number(value: object) -> bool:
    """Whether a value is an argument to the engine: a number, or an array."""
    return isinstance(value, np.ndarray | np.number | float | int)


def is_real(value: object) -> bool:
    """Whether a framework may give a gradient for a value: an array of reals, and no plain number."""
    return isinstance(value, np.ndarray) and value.dtype.kind == "f"


def plain_numbers(inputs: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the plain numbers among the inputs: to a framework these are options, without a gradient."""
    return frozenset(name for name, value in inputs.items() if is_number(value) and not isinstance(value, np.ndarray))


def unpaid(subject: FunctionSubject, inputs: Mapping[str, Any]) -> frozenset[str]:
    """Return the plain numbers that backward gives None for: they are options (``alpha=0.1``), not arguments."""
    numbers = plain_numbers(inputs)
    if not any(a.differentiable for a in subject.arguments if a.name in numbers):
        return frozenset()
    try:
        outputs, pullback = subject.vjp(point_of(subject.arguments))
        found = pullback(tuple(map(np.ones_like, outputs))).values
    except Exception:  # noqa: BLE001 - what it raises is for the check to judge
        return frozenset()
    return frozenset(name for name in numbers if isinstance(found.get(name), Missing))


def refuse_complex(values: Iterable[Any]) -> None:
    """Refuse the arrays of the complex step: what another framework does with them is not seen."""
    if any(isinstance(value, np.ndarray) and value.dtype.kind == "c" for value in values):
        raise TypeError("only real arrays are handed to another framework")


def own(value: Any) -> Array:
    """Return a NumPy array with memory of its own."""
    return np.array(value)
