"""Parameters that are views of the same elements: one array under several names, or one that two layers share."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from gradcheck.subject.parameters import Kept, gradient_of
from gradcheck.subject.protocol import Array, Missing


def overlap(a: Array, b: Array) -> bool:
    """Whether one array is a view of the other, or both are views of the same elements.

    Examples
    --------
    >>> W = np.zeros((3, 2))
    >>> overlap(W, W.T), overlap(W[:1], W[1:])
    (True, False)
    """
    return _root(a) is _root(b) and np.shares_memory(a, b)


def are_apart(kept: Sequence[Kept]) -> bool:
    """Whether no two of the arrays are views of the same elements."""
    return not any(overlap(a.value, b.value) for a, b in combinations(kept, 2))


def without_views(layer: object, kept: Sequence[Kept]) -> tuple[list[Kept], frozenset[str]]:
    """Leave out what is another view of the same elements; that which has a gradient is the parameter.

    Also return the names of the tied ones: ``Affine(embedding.W.T)`` shares an array with another layer, each of the
    two has a part of its gradient, and adding them up is left to an optimizer.

    Parameters
    ----------
    layer : object
        Whose backward has run.
    kept : sequence of Kept
    """
    chosen: list[Kept] = []
    tied: set[str] = set()
    gradients = {k.name: gradient_of(layer, k) for k in kept}
    for candidate in sorted(kept, key=lambda k: isinstance(gradients[k.name], Missing)):
        same = next((other for other in chosen if overlap(candidate.value, other.value)), None)
        if same is None:
            chosen.append(candidate)
        elif _are_parts(gradients[same.name], gradients[candidate.name]):
            tied.add(same.name)
    return [k for k in kept if any(k is other for other in chosen)], frozenset(tied)


def _are_parts(a: object, b: object) -> bool:
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and not np.shares_memory(a, b)


def _root(a: Array) -> Array:
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a
