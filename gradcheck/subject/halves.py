"""Which two methods of a class are the halves of a layer, told by their names alone.

Nine in ten call them ``forward`` and ``backward``. Others write ``fprop`` and ``bprop``; a loss has ``loss`` and
``gradient``, an activation ``__call__`` and ``derivative``. What the second half is given and returns is not told by
its name: see `gradcheck.subject.conventions.reading`.
"""

from __future__ import annotations

import inspect
from collections.abc import Collection
from dataclasses import dataclass

# Those that stand first are taken first where a class has several.
_FORWARDS = (
    *("forward", "fprop", "forward_pass", "forward_prop", "forward_propagation", "forward_propagate", "feedforward"),
    *("feed_forward", "propagate", "call", "apply", "compute", "__call__"),
)
BACKWARDS = (
    *("backward", "bprop", "backward_pass", "backprop", "back_prop", "backward_prop", "backward_propagation"),
    *("back_propagation", "backpropagation", "backpropagate", "back_propagate", "backward_propagate", "backwards"),
)
_VALUES = (
    *("forward", "fprop", "forward_pass", "activate", "activation", "fn", "func", "function", "f", "loss", "cost"),
    *("calculate", "compute", "compute_loss", "calculate_loss", "loss_function", "value", "apply", "call", "__call__"),
)
DERIVATIVES = (
    *(
        "derivative",
        "deriv",
        "gradient",
        "grad",
        "prime",
        "df",
        "dfn",
        "fprime",
        "f_prime",
        "derivate",
        "differentiate",
    ),
    *("delta", "compute_gradient", "calculate_gradient", "compute_grad", "loss_gradient", "loss_grad"),
    *("loss_derivative", "cost_derivative", "gradient_function", "activation_derivative", "local_gradient"),
)
NAMES = tuple(dict.fromkeys((*_FORWARDS, *BACKWARDS, *_VALUES, *DERIVATIVES)))


@dataclass(frozen=True, slots=True)
class Halves:
    """The names of the two methods; ``derivative``: the second one is not called a backward."""

    forward: str
    backward: str
    derivative: bool = False


PLAIN = Halves("forward", "backward")


def halves_in(names: Collection[str]) -> Halves | None:
    """Return the two halves of a layer among the names of a class's methods.

    Examples
    --------
    >>> halves_in({"__init__", "forward", "backward", "update"})
    Halves(forward='forward', backward='backward', derivative=False)
    >>> halves_in({"__call__", "gradient"}).derivative
    True
    >>> halves_in({"forward", "fit"}) is None
    True
    """
    for firsts, seconds, derivative in ((_FORWARDS, BACKWARDS, False), (_VALUES, DERIVATIVES, True)):
        first = next((name for name in firsts if name in names), None)
        second = next((name for name in seconds if name in names), None)
        if first is None and not derivative:  # a loss whose value has another name: loss() and backward()
            first = next((name for name in _VALUES if name in names), None)
        if first is not None and second is not None:
            return Halves(first, second, derivative)
    return None


def halves_of(obj: object) -> Halves | None:
    """Return the two halves of a class or an object, or None if it has not both, as a pair of functions has not."""
    return None if isinstance(obj, tuple) else halves_in([name for name in NAMES if has(obj, name)])


def has(obj: object, method: str) -> bool:
    """Whether a class or an object has a method of that name.

    Examples
    --------
    >>> has(int, "__call__"), has(len, "__call__"), has(int, "bit_length")
    (False, True, True)
    """
    if method == "__call__":  # every class has the one of its metaclass
        cls = obj if isinstance(obj, type) else type(obj)
        return any("__call__" in vars(base) for base in cls.__mro__)
    return callable(getattr(obj, method, None))


def is_static(obj: object, method: str) -> bool:
    """Whether a method of a class takes no ``self``."""
    return isinstance(inspect.getattr_static(obj, method), staticmethod | classmethod)
