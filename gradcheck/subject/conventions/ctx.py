"""Functions with a context, ``forward(ctx, *xs)`` and ``backward(ctx, *dys)``: PyTorch's spelling, on NumPy arrays.

They get a stand-in for the context (`Context`), a fresh one for each run.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from gradcheck.subject.build import construct
from gradcheck.subject.calls import Parameter, called, copied, parameters_of
from gradcheck.subject.conventions.foreign import ForeignSubject, is_number, positional, unpaid
from gradcheck.subject.frameworks import framework_of

NAME = "functions with ctx"

_CONTEXT = re.compile(r"_*(\w+_)?(ctx|context)\d*$", re.IGNORECASE)


class Context:
    """What forward keeps for backward: saved values, and any attribute that is set on it.

    Examples
    --------
    >>> ctx = Context(2)
    >>> ctx.save_for_backward(2.0, 3.0)
    >>> ctx.saved_tensors, ctx.needs_input_grad
    ((2.0, 3.0), (True, True))
    """

    def __init__(self, inputs: int) -> None:
        self.needs_input_grad = (True,) * inputs
        self._saved: tuple[Any, ...] = ()
        self._flat: tuple[Any, ...] = ()

    def save_for_backward(self, *values: Any) -> None:
        """Keep values for backward."""
        self._saved = values

    @property
    def saved_tensors(self) -> tuple[Any, ...]:
        """The values that were kept."""
        return self._saved

    saved_variables = saved_arrays = saved_values = saved_tensors  # as look-alikes of PyTorch call them

    def mark_non_differentiable(self, *outputs: Any) -> None:
        """Take note of outputs that have no derivative: they are set aside, their cotangents are zeros."""
        self._flat = outputs

    def mark_dirty(self, *inputs: Any) -> None:
        """Take note of inputs that forward overwrites on purpose: whether it does is seen anyway."""

    def set_materialize_grads(self, value: bool) -> None:
        """Take note of how missing cotangents come: there are none missing here."""

    def is_flat(self, output: Any) -> bool:
        """Whether an output was marked as having no derivative."""
        return any(output is other for other in self._flat)


def claims(obj: object) -> bool:
    """Whether forward and backward both begin with a context."""
    halves = [getattr(obj, half, None) for half in ("forward", "backward")]
    if framework_of(obj) is not None or not all(map(callable, halves)):
        return False
    first = 1 if _is_built_first(obj) else 0
    return all(_takes_context(half, first) for half in halves)


def interface(obj: Any, settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:  # noqa: ARG001
    """Return the parameters of the constructor, where one is called, and those of forward but for its context."""
    if not _is_built_first(obj):
        return (), parameters_of(obj.forward)[1:]
    constructor = () if inspect.getattr_static(obj, "__init__") is object.__init__ else parameters_of(obj)
    return constructor, parameters_of(obj.forward)[2:]


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> ForeignSubject:
    """Bring the two functions to a subject at these inputs."""
    built = _is_built_first(obj)

    def run(*values: Any) -> tuple[Any, Any]:
        functions = construct(obj, settings) if built else copied(obj)  # of a class that is the class itself
        ctx = Context(len(values))
        arguments = positional(functions.forward, (ctx, *values), {} if built else settings)
        result = called(functions.forward, *arguments)
        several = isinstance(result, tuple | list)
        outputs = tuple(result) if several else (result,)
        smooth = [k for k, output in enumerate(outputs) if not ctx.is_flat(output)]

        def pullback(*cotangents: Any) -> Any:
            handed: list[Any] = [np.zeros_like(output) for output in outputs]
            for k, cotangent in zip(smooth, cotangents, strict=True):
                handed[k] = cotangent
            return _of_numbers(functions.backward(ctx, *handed), values)

        return tuple(outputs[k] for k in smooth) if several else result, pullback

    subject = ForeignSubject(run, inputs, name=name, convention=NAME, constants=constants, seed=seed)
    options = unpaid(subject, inputs)
    return ForeignSubject(run, inputs, name=name, convention=NAME, constants=constants | options, seed=seed)


def _is_built_first(obj: Any) -> bool:
    """Whether the functions are methods of an object that is made first: ``forward(self, ctx, x)``.

    A method without ``self``, ``def forward(ctx, x)``, is called as if it were static.
    """
    if not inspect.isclass(obj) or isinstance(inspect.getattr_static(obj, "forward"), staticmethod | classmethod):
        return False
    return not _takes_context(getattr(obj, "forward"), 0)  # noqa: B009 - to mypy, a class need not have one


def _takes_context(function: Any, position: int) -> bool:
    parameters = parameters_of(function)[position : position + 1]
    return any(_CONTEXT.match(p.name) for p in parameters)


def _of_numbers(returned: Any, values: tuple[Any, ...]) -> Any:
    """Return the gradients of those inputs that are numbers or arrays: PyTorch wants one, or None, for each input."""
    if not isinstance(returned, tuple | list) or len(returned) < len(values):
        return returned
    if any(gradient is not None for gradient in returned[len(values) :]):
        return returned
    return tuple(gradient for gradient, value in zip(returned, values, strict=False) if is_number(value))
