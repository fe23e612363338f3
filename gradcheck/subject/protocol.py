"""The waist: whatever a layer looks like, below this line it is a `Subject`.

A subject is one layer at one point. It has named arguments (inputs and parameters alike) and one operation,
``vjp(primals) -> (outputs, pullback)``: run forward, and hand back the analytic backward that belongs to that run.
Nothing that imports this module knows how the layer is spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Primals = Mapping[str, Array]
Outputs = tuple[Array, ...]


@dataclass(frozen=True, slots=True)
class Missing:
    """There is no gradient for an argument: ``how`` says what was found instead.

    ``owed`` is false where a right layer may well have none (a fixed table, a loss's float targets): then it is
    remarked on, but no error.
    """

    how: str
    owed: bool = True


@dataclass(frozen=True, slots=True)
class Argument:
    """One thing that the output depends on: an input of forward, or a parameter that the layer keeps."""

    name: str
    kind: Literal["input", "parameter"]
    value: Array
    constant: bool = False

    @property
    def differentiable(self) -> bool:
        """Whether a gradient is owed: integers, booleans and declared constants (a loss's targets) have none."""
        return not self.constant and self.value.dtype.kind == "f"


def point_of(arguments: Iterable[Argument]) -> dict[str, Array]:
    """Return fresh copies of the arguments' values, a layer's to keep or to spoil."""
    return {argument.name: np.array(argument.value) for argument in arguments}


@dataclass(frozen=True, slots=True)
class Gradients:
    """What one backward gave: per argument the raw object, or `Missing`.

    ``problems`` says what is wrong with the whole (too few gradients, a wrong nesting), ``remarks`` what is odd but
    may be meant (values beyond the gradients that are owed), a sentence each. ``left`` names the arguments whose
    gradients were not returned but left behind on the layer (``self.dW``), which may add up there. ``raw`` are the very
    objects that backward gave, where ``values`` are multiples of them (a loss whose backward takes no cotangent).
    ``unasked`` are gradients that it left for settings which are plain numbers: they may be meant as parameters.
    """

    values: Mapping[str, object]
    problems: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    left: frozenset[str] = frozenset()
    raw: Mapping[str, object] | None = None
    unasked: Mapping[str, object] = field(default_factory=dict)


Pullback = Callable[[Outputs], Gradients]


class Session(Protocol):
    """One and the same layer that lives on from call to call, as it does in a training loop."""

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Give the layer these parameters, in place where it can be, and run forward, as `Subject.vjp` does.

        Generators that the layer draws from are set back to where they were before the first forward, so that whatever
        differs from a fresh layer was carried over by the layer itself.
        """
        ...

    def kept(self) -> Mapping[str, Array]:
        """Return the arrays, as they are, that the layer keeps now, or its last forward returned as a cache."""
        ...


class Subject(Protocol):
    """One layer at one point, in the one form that the engine knows.

    ``independent``: whether the pullbacks of several forwards may be called in any order, because each one has a cache
    of its own (closures, ``(out, cache)``); a layer object keeps only the cache of its last forward.
    ``summed``: whether the outputs are added up to one number, because backward takes no cotangent.
    """

    name: str
    convention: str
    arguments: tuple[Argument, ...]
    independent: bool
    summed: bool

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run forward at ``primals`` and return its outputs and the pullback of this very run.

        Parameters
        ----------
        primals : mapping of str to array
            One array per argument, of the argument's shape. They are handed to the layer as they are, not copied, so
            that the caller can see whether the layer writes into them.

        Returns
        -------
        outputs : tuple of arrays
        pullback : callable
            Takes one cotangent per output (handed over as they are, too) and returns `Gradients`.
            Whatever forward or the pullback raises comes through as it is.
        """
        ...

    def session(self, primals: Primals, *, forgetful: bool = False) -> Session:
        """Build one layer at ``primals`` and keep it.

        ``forgetful``: before each forward, what the layer calls its state (``h``, ``prev``, ``running_mean``) is set
        back to what it was when the layer was built.
        """
        ...
