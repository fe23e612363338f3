"""Parameters that are views of the same elements: one array under several names, or one that two layers share."""

from __future__ import annotations

from collections.abc import Sequence

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


def same_elements(kept: Sequence[Kept]) -> list[list[Kept]]:
    """Return the groups of arrays that are views of the same elements, those of one array too."""
    groups: list[list[Kept]] = []
    for candidate in kept:
        same = next((group for group in groups if overlap(candidate.value, group[0].value)), None)
        if same is None:
            groups.append([candidate])
        else:
            same.append(candidate)
    return groups


def parameter_among(layer: object, group: Sequence[Kept]) -> tuple[Kept, bool]:
    """Return which of several views is the parameter: that which has a gradient; and whether others have, too.

    ``Affine(embedding.W.T)`` shares an array with another layer, each of the two has a part of its gradient, and adding
    them up is left to an optimizer.

    Parameters
    ----------
    layer : object
        Whose backward has run.
    group : sequence of Kept
        From `same_elements`, before backward ran: one that takes a step puts another array in the place of the old.
    """
    gradients = {k.name: gradient_of(layer, k) for k in group}
    first, *others = sorted(group, key=lambda k: isinstance(gradients[k.name], Missing))
    return first, any(_are_parts(gradients[first.name], gradients[k.name]) for k in others)


def _are_parts(a: object, b: object) -> bool:
    return isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and not np.shares_memory(a, b)


def _root(a: Array) -> Array:
    while isinstance(a.base, np.ndarray):
        a = a.base
    return a
