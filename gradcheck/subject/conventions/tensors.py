"""Tensor engines: classes of one's own with ``backward()`` and ``grad``, brought in by the one line that names them."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.errors import UncheckedError
from gradcheck.subject.calls import parameters_of
from gradcheck.subject.describe import describe
from gradcheck.subject.halves import has
from gradcheck.subject.protocol import Array
from gradcheck.subject.session import generators
from gradcheck.subject.source import bare, code_of

# Where tensors keep their array, and what a backward calls the gradient that it starts from.
_VALUES = ("data", "value", "array", "_data", "arr", "numpy")
_GRADIENT = re.compile(r"(?!retain|create|zero|keep)\w*grad|d?out|delta|seed|g$|d[a-z]$|upstream", re.IGNORECASE)


def through(function: Callable[..., Any], tensor: Callable[[Any], Any]) -> Callable[..., Any]:
    """Return a function of arrays that runs through a tensor engine, for `gradcheck.check`.

    Arrays of reals go in as ``tensor(x)``. The engine is started by ``out.backward(dout)``, or, where that takes no
    gradient, by ``out.grad = dout; out.backward()``; ``dout`` is an array, or a tensor where the engine wants one. Each
    gradient is what is left as ``x.grad``. What else the function needs (weights) must come in as an argument, too.

    Parameters
    ----------
    function : callable
        Takes tensors and returns one.
    tensor : callable
        The engine's class, or anything that makes a tensor of an array: ``lambda x: Tensor(x, requires_grad=True)``.

    Examples
    --------
    >>> import numpy as np, gradcheck
    >>> class Tensor:
    ...     def __init__(self, data, send=lambda dout: None):
    ...         self.data, self.grad, self.backward = data, None, send
    ...
    ...     def square(self):
    ...         def send(dout):
    ...             self.grad = 2 * self.data * dout
    ...         return Tensor(self.data**2, send)
    >>> square = gradcheck.through(lambda x: x.square(), Tensor)
    >>> gradcheck.check(square, inputs=(np.array([0.5, -3.0]),)).verdict
    'pass'
    """
    forms: list[Callable[[Any], Any]] = [lambda dout: dout, tensor]  # of dout; the one that is taken, once it is known

    def run(arrays: tuple[Any, ...]) -> tuple[Any, list[Any]]:
        given = [tensor(x) if isinstance(x, np.ndarray) and x.dtype.kind == "f" else x for x in arrays]
        return function(*given), given

    @functools.wraps(function)
    def closure(*arrays: Any) -> tuple[Array | None, Callable[[Array], tuple[Any, ...]]]:
        rewind = generators(function)
        if len(forms) > 1:
            forms[:] = _likely_first(forms, run, arrays)
            rewind()
        graphs = [run(arrays)]
        output = _array_of(graphs[0][0])

        def pullback(dout: Array) -> tuple[Any, ...]:
            refusal: Exception | None = None
            dout = np.asarray(dout)  # a number is an array to an engine
            for form in list(forms):
                if not graphs:  # a second backward through one graph would add up
                    rewind()
                    graphs.append(run(arrays))
                out, given = graphs.pop()
                try:
                    factor = _start(out, dout, form)
                except (AttributeError, TypeError, AssertionError) as error:
                    refusal = refusal or error
                    continue
                forms[:] = [form]
                found = (_array_of(getattr(x, "grad", None)) for x in given)
                return tuple(g if g is None or factor is None else factor * g for g in found)
            raise refusal or AssertionError

        return output, pullback

    return closure


def is_tensor(cls: type) -> bool:
    """Whether objects of a class keep data and a gradient, and have a backward but no forward."""
    if not has(cls, "backward") or has(cls, "forward"):
        return False
    code = code_of(bare(inspect.getattr_static(cls, "__init__")))
    return code is not None and {"data", "grad"} <= {*code.co_names, *vars(cls)}


def _likely_first(
    forms: list[Callable[[Any], Any]], run: Callable[[tuple[Any, ...]], tuple[Any, list[Any]]], arrays: tuple[Any, ...]
) -> list[Callable[[Any], Any]]:
    """Return the forms of dout, first the one in which the engine, left to itself, leaves gradients."""
    try:
        out, given = run(arrays)
        out.backward()
        left = next(x.grad for x in given if getattr(x, "grad", None) is not None)
    except Exception:  # noqa: BLE001 - it does not start by itself
        return forms
    return forms if isinstance(left, np.ndarray | np.number | float) else forms[::-1]


def _start(out: Any, dout: Array, form: Callable[[Any], Any]) -> Array | None:
    """Run the engine from ``dout``; return what gradients are to be multiplied by where it starts from 1 regardless."""
    start = next((p.name for p in parameters_of(out.backward) if p.required or _GRADIENT.match(p.name)), None)
    if start is not None:
        out.backward(**{start: form(dout)})
        return None
    out.grad = form(dout)
    out.backward()
    left = _array_of(out.grad)
    if left is None or not np.all(left == 1.0) or np.all(dout == 1.0):
        return None
    if np.size(dout) == 1:
        return dout
    raise UncheckedError(
        f"{type(out).__name__}.backward() starts from ones, whatever grad is, so that no dout can be handed in",
        fix="let the function return one number: lambda x: (f(x) * weights).sum()",
    )


def _array_of(value: Any) -> Array | None:
    """Return what a tensor, or its gradient, holds."""
    for _ in range(2):
        if value is None or isinstance(value, np.ndarray | np.number | float | int):
            return None if value is None else np.asarray(value)
        held = next((getattr(value, name) for name in _VALUES if hasattr(value, name)), value)
        value = held() if callable(held) else held
    raise UncheckedError(
        f"the function returned, or left as grad, {describe(value)}, expected a tensor that keeps an array as data",
        fix="let tensors keep their array as .data and its gradient as .grad",
    )
