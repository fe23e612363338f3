"""Layers whose backward takes a step of gradient descent instead of leaving gradients behind.

Handed a learning rate, or an optimizer, that makes the step much larger than the parameter, what the step took away is
the gradient to the last few digits.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np

from gradcheck.subject.parameters import Kept
from gradcheck.subject.protocol import Array

RATE = 2.0**24  # a power of two: the gradient comes back from its multiple without rounding
RATE_NAMES = frozenset({"lr", "learning_rate", "learningRate", "learn_rate", "eta", "step_size"})
OPTIMIZER_NAMES = frozenset({"optimizer", "optimiser", "optim", "opt"})


class Descent:
    """An optimizer that takes a step of `RATE` times the gradient, however it is asked to."""

    lr = learning_rate = RATE

    def update(self, w: Any, grad: Any, *_: Any, **__: Any) -> Any:
        """Return the parameter after the step; lists and dicts of parameters are changed in place."""
        if isinstance(w, Mapping | list):
            for key in w if isinstance(w, Mapping) else range(len(w)):
                w[key] = w[key] - RATE * grad[key]  # type: ignore[index]
            return w
        return w - RATE * grad

    __call__ = step = apply = get_update = update


def known_for_updates() -> dict[str, Any]:
    """Return what a backward that updates its parameters may ask for by name."""
    return {**dict.fromkeys(RATE_NAMES, RATE), **{name: Descent() for name in OPTIMIZER_NAMES}}


def takes_steps(layer: object, names: Collection[str]) -> bool:
    """Whether a backward with parameters of these names takes a step, or one with an optimizer that the layer keeps."""
    keeps = any(isinstance(value, Descent) for value in getattr(layer, "__dict__", {}).values())
    return keeps or not (RATE_NAMES | OPTIMIZER_NAMES).isdisjoint(names)


def step_taken(before: Array, home: Kept) -> Array:
    """Return the gradient that a step followed, and take the step back.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> from gradcheck.subject.parameters import arrays_of
    >>> layer = SimpleNamespace(W=np.array([0.5]))
    >>> (home,) = arrays_of(layer)
    >>> layer.W = layer.W - RATE * np.array([3.0])
    >>> step_taken(np.array([0.5]), home), layer.W
    (array([3.]), array([0.5]))
    """
    gradient = np.asarray((before - home.value) / RATE)
    home.put(before)
    return gradient
