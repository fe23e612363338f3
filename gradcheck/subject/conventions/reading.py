"""What the second half of a layer is given and what it returns, where its name does not tell.

``backward(dout)`` is a pullback. ``derivative(z)`` is given what forward was given, ``derivative(a)`` what it returned,
and both give back a slope for each element; ``gradient(pred, target)`` and ``backward(dvalues, y_true)`` are given the
prediction again. Names and what forward keeps say which readings are possible at all; among these the gradient itself
decides, up to a factor. A backward that could be a pullback by its name is never read as anything else, or
``dout * (1 - dout)`` for ``out * (1 - out)`` would pass for a derivative at the output.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.calls import BackwardCall, Parameter
from gradcheck.subject.halves import Halves
from gradcheck.subject.protocol import Array, Outputs

Given = Literal["cotangent", "input", "output"]


@dataclass(frozen=True, slots=True)
class Reading:
    """``given``: what the second half is called with; ``convention``: how that is called in reports."""

    given: Given
    convention: str


PULLBACK = Reading("cotangent", "layer object")
AT_INPUT = Reading("input", "value and derivative, which is given the argument")
AT_OUTPUT = Reading("output", "value and derivative, which is given the output")

OF_MODEL = Reading("input", "model and the gradients of its parameters")  # what it is called with is data


def candidates(
    halves: Halves, parameters: Sequence[Parameter], inputs: Collection[str], *, stateless: bool, loss: bool
) -> tuple[Reading, ...]:
    """Return the readings of a second half that are possible, the likeliest first.

    Parameters
    ----------
    halves : Halves
    parameters : sequence of Parameter
        Of the second half.
    inputs : collection of str
        The names of what forward is called with.
    stateless : bool
        Whether forward keeps nothing on the layer: then the second half can know its point only from its arguments.
    loss : bool
        Whether forward returns less than it is given: a number, or one for each sample.
    """
    asked = _asked(parameters)
    first = asked[0] if asked else ""
    cotangent = len(asked) == 1 and is_cotangent(first) and not _VALUE.match(first)
    at_output = len(asked) == 1 and _OUTPUT.match(first) and first not in inputs
    values = (AT_OUTPUT, AT_INPUT) if at_output else (AT_INPUT, AT_OUTPUT)
    if halves.derivative:
        return (PULLBACK,) if cotangent and not stateless else (*values, PULLBACK)
    if len(asked) > 1 and first not in inputs and any(name in inputs for name in asked[1:]):
        return (*values, PULLBACK) if stateless and loss else (PULLBACK, *values)  # backward(dvalues, y_true)
    if not asked and parameters:  # backward(*args), which hands them on
        return (AT_INPUT, PULLBACK) if stateless and loss else (PULLBACK, AT_INPUT)
    if loss and first in inputs:  # backward(y_pred, y_true=None), which has kept them, too
        return (*values, PULLBACK)
    beyond = len(asked) > 1 and any(name not in inputs for name in asked)  # backward(x, cache, dout)
    if not stateless or not asked or cotangent or beyond:
        return (PULLBACK,)
    return (*values, PULLBACK) if first in inputs or _VALUE.match(first) else (PULLBACK, *values)


def plan_values(
    reading: Reading,
    parameters: Sequence[Parameter],
    known: Mapping[str, Any],
    inputs: Mapping[str, Any],
    output: object,
    *,
    x: object = None,
) -> tuple[BackwardCall, dict[str, Any]]:
    """Say how to call a second half that is given values instead of cotangents: by name, then by position.

    A derivative of a loss that goes on through the activation before it (``grad(y, y_pred, z, act_fn)``) gets one that
    changes nothing, and the prediction ``x`` for ``z``.

    Raises
    ------
    UsageError
        If it asks for more than forward was given and returned.
    """
    asked = _asked(parameters)
    bound = dict(known)
    free = [name for name in asked if name not in inputs]
    if reading.given == "output" and (free or asked):
        first = (free or asked)[0]
        bound[first] = output
        free = [name for name in free if name != first]
    left = [value for name, value in inputs.items() if name not in asked]
    bound |= zip(free, left, strict=False)
    bound |= {name: Identity() for name in free[len(left) :] if _ACTIVATION.match(name)}
    bound |= {name: x for name in free[len(left) :] if name in {"z", "zs"}}
    missing = [name for name in free[len(left) :] if name not in bound]
    if missing:
        raise UsageError(
            f"the derivative asks for {', '.join(missing)}, which is neither an input of forward nor its output",
            fix="check it as a pair of functions: gradcheck.check((forward, vjp), inputs=(...))",
        )
    named = tuple(p.name for p in parameters if p.name in bound and not p.variadic)
    starred = any(p.variadic for p in parameters)
    return BackwardCall((), named, rest=tuple(n for n in inputs if n not in named) if starred else ()), bound


class Identity:
    """An activation that changes nothing, under all names of an activation's methods."""

    def __call__(self, z: Array) -> Array:
        """Return the argument itself."""
        return z

    def derivative(self, z: Array) -> Array:
        """Return a slope of 1 for each element."""
        return np.ones_like(z)

    forward = fn = activate = __call__
    gradient = grad = prime = deriv = derivative


def chained(slope: object, cotangent: Array, x: Array) -> object:
    """Return the gradient that a local derivative gives: a product of each element, or with the Jacobian of each row.

    Examples
    --------
    >>> chained(np.array([2.0, 3.0]), np.array([1.0, 10.0]), np.zeros(2))
    array([ 2., 30.])
    >>> chained(np.array([[0.0, 1.0], [5.0, 0.0]]), np.array([1.0, 10.0]), np.zeros(2))
    array([50.,  1.])
    """
    if slope is None:
        return None
    if isinstance(slope, tuple | list) and all(np.shape(part) == x.shape for part in slope):  # of each input
        return tuple(cotangent * part for part in slope)
    slope = np.asarray(slope)
    rows = x.ndim
    if slope.ndim == rows + 1 and rows and slope.shape == (*x.shape, x.shape[-1]):
        return np.einsum("...j,...ji->...i", cotangent, slope)
    if slope.shape in (x.shape, ()):
        return cotangent * slope
    return slope  # of a wrong shape, which is said as it is


def is_local(outputs: Outputs, x: Array | None) -> bool:
    """Whether a derivative is one for each element: forward gives one number for each that it is given."""
    return x is not None and len(outputs) == 1 and outputs[0].shape == x.shape and x.ndim > 0


def is_cotangent(name: str) -> bool:
    """Whether a name is one that cotangents bear: ``dout``, ``g``, ``grad_output``, ``ct``, ``upstream``."""
    return bool(re.match(r"_?(d|g|ct|u|v|cot|bar|delta)", name, re.IGNORECASE))


def _asked(parameters: Sequence[Parameter]) -> list[str]:
    named = [p for p in parameters if not p.variadic]
    return [p.name for p in named if p.required] or [p.name for p in named[:1]]


_ACTIVATION = re.compile(r"_?(act|activation|transfer)(_?(fn|func|function))?$", re.IGNORECASE)
_VALUE = re.compile(r"_?(x|z|s|t|a|y|h|o|v|u|inputs?|inp|outputs?|out|val(ue)?s?|activations?|net)\d*$", re.IGNORECASE)
_OUTPUT = re.compile(r"_?(a|y|h|o|outputs?|out|activations?|activated|y_?hat|fx)\d*$", re.IGNORECASE)
