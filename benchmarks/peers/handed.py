"""A layer as peers get it: a function of arrays, with the backward that belongs to each run.

The way from a layer to such a function is gradcheck's own: peers profit from the shapes and parameters that it finds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.peers.corpus import Asked
from gradcheck.cases.profile import profile_of
from gradcheck.cases.search import Points
from gradcheck.subject.protocol import Array, Gradients, Missing, Outputs, Subject, point_of

CASES = 3  # of the sweep: different sizes, the smallest, and all equal, as far as forward takes them

Pullback = Callable[[Outputs], tuple[Array | None, ...]]


@dataclass(frozen=True)
class Handed:
    """A layer at a point.

    Parameters
    ----------
    subject : Subject
    arrays : mapping of str to array
        What is differentiated. The other arguments (integers, targets, tables without a gradient) are held.
    """

    subject: Subject
    arrays: Mapping[str, Array]

    def run(self, *arrays: Array) -> tuple[Outputs, Pullback]:
        """Build the layer anew and run forward; the arrays are not copied, and neither are the cotangents.

        Raises
        ------
        TypeError
            From the pullback: if backward gives another number of gradients than are owed, or nests them.
        """
        primals = point_of(self.subject.arguments) | dict(zip(self.arrays, arrays, strict=True))
        outputs, pullback = self.subject.vjp(primals)

        def gradients(cotangents: Outputs) -> tuple[Array | None, ...]:
            return self._in_order(pullback(cotangents))

        return tuple(map(np.asarray, outputs)), gradients

    def _in_order(self, gradients: Gradients) -> tuple[Array | None, ...]:
        if gradients.problems:
            raise TypeError("; ".join(gradients.problems))
        found = [gradients.values.get(name) for name in self.arrays]
        return tuple(None if g is None or isinstance(g, Missing) else np.asarray(g) for g in found)

    def draw(self, seed: int) -> Outputs:
        """Draw a cotangent for each output, from a normal distribution, as courses do."""
        rng = np.random.default_rng([seed, 2])
        return tuple(np.asarray(rng.standard_normal(y.shape)) for y in self.run(*self.copies())[0])

    def copies(self) -> tuple[Array, ...]:
        """Return fresh arrays at the point, to be moved or spoilt."""
        return tuple(np.array(a) for a in self.arrays.values())


def whole(gradients: tuple[Array | None, ...]) -> tuple[Array, ...]:
    """Return gradients of which none may be missing.

    Raises
    ------
    TypeError
        If one is: there is nothing to compute with.
    """
    if any(g is None for g in gradients):
        raise TypeError("backward gave no gradient for an argument")
    return tuple(g for g in gradients if g is not None)


def points(asked: Asked, seed: int) -> tuple[Handed, ...]:
    """Return a layer at the first cases of gradcheck's sweep that show something.

    Raises
    ------
    Exception
        Whatever keeps gradcheck from finding any shape.
    """
    found = Points.of(asked.name, asked.layer, **asked.options)
    subjects = _subjects(found, seed)
    return tuple(islice((handed for subject in subjects if (handed := _handed(subject)) is not None), CASES))


def _subjects(found: Points, seed: int) -> Iterator[Subject]:
    for case in found.sweep(seed, profile_of("default")):
        try:
            yield found.at(case)
        except Exception:  # noqa: BLE001 - a layer may refuse a size, and it may raise anything
            continue


def _handed(subject: Subject) -> Handed | None:
    """Return a layer at a point, or None where forward raises, or what it takes or gives is empty or not finite."""
    try:
        outputs, pullback = subject.vjp(point_of(subject.arguments))
    except Exception:  # noqa: BLE001
        return None
    sound = [y.size > 0 and y.dtype.kind == "f" and bool(np.isfinite(y).all()) for y in outputs]
    excused = _excused(pullback, outputs)
    arrays = {a.name: a.value for a in subject.arguments if a.differentiable and a.name not in excused}
    if not all(sound) or not arrays or any(a.value.size == 0 for a in subject.arguments):
        return None
    return Handed(subject, arrays)


def _excused(pullback: Callable[[Outputs], Any], outputs: Outputs) -> set[str]:
    """Return the arguments that a right layer, too, may have no gradient for, and this one has none."""
    try:
        values = pullback(tuple(np.ones_like(y) for y in outputs)).values
    except Exception:  # noqa: BLE001 - what backward raises is for the checkers to find
        return set()
    return {name for name, g in values.items() if isinstance(g, Missing) and not g.owed}
