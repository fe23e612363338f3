"""Whole gradients at small fresh cases, both numeric and analytic: what patterns and formulas are held against."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.profile import PROFILES
from gradcheck.cases.search import Points
from gradcheck.errors import UsageError
from gradcheck.evidence.calls import as_real, draw_cotangents
from gradcheck.subject.protocol import Array, Missing, Outputs, Subject, point_of

_ELEMENTS = 64  # a gradient of more elements is not needed to recognise a formula
_NOISE = 1e-11  # of such differences, relative to what is differenced: a gradient below that may be zero
_CLOSE = 1e-6  # relative to the largest element: differences of step 1e-3 and order 4 are good to some 1e-10


@dataclass(frozen=True)
class Sample:
    """A layer at one case, with everything that a formula for the gradient of ``argument`` may be made of."""

    subject: Subject
    sizes: Mapping[str, int]
    argument: str
    arrays: Mapping[str, Array]
    outputs: Outputs
    cotangents: Outputs
    numeric: Array

    def matches(self, gradient: object) -> bool:
        """Whether something is the right gradient here."""
        g = as_real(gradient)
        return g is not None and g.shape == self.numeric.shape and close(g, self.numeric)


def samples(points: Points, argument: str, count: int, seed: int) -> Iterator[Sample]:
    """Yield fresh small cases at which the gradient of ``argument`` is finite and not zero."""
    if points.plan is not None:
        cases = [points.plan.trial(), *points.plan.sweep(seed, 4 * count)]
    else:
        cases = list(points.sweep(seed, PROFILES["default"]))
    for case in cases:
        if case.large or case.ties:  # where one step for all points is no good
            continue
        try:
            sample = sample_at(points.at(case), dict(case.sizes), argument, case.seed)
        except UsageError:
            continue
        if sample is not None:
            yield sample
            count -= 1
        if count == 0:
            return


def sample_at(subject: Subject, sizes: Mapping[str, int], argument: str, seed: int) -> Sample | None:
    """Return the sample at a point, or None where the layer does not run or has nothing to show there."""
    primals = point_of(subject.arguments)
    if argument not in primals or not 0 < primals[argument].size <= _ELEMENTS:
        return None
    try:
        outputs = tuple(np.array(y) for y in subject.vjp(primals)[0])
        cotangents = draw_cotangents(outputs, seed, "diagnosis")
        numeric = _differences(subject, argument, cotangents)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - a case that forward refuses is no sample
        return None
    x = float(np.max(np.abs(primals[argument])))  # what is lost where an output is the small rest of large things
    size = sum(float(np.sum(np.abs(w) * (np.abs(y) + x))) for w, y in zip(cotangents, outputs, strict=True))
    if not np.all(np.isfinite(numeric)) or not np.max(np.abs(numeric)) > _NOISE * size:
        return None
    return Sample(subject, sizes, argument, point_of(subject.arguments), outputs, cotangents, numeric)


def analytic(sample: Sample) -> Mapping[str, Array]:
    """Return the gradients that backward gives at a sample, those of them that are real arrays."""
    try:
        _, pullback = sample.subject.vjp(point_of(sample.subject.arguments))
        values = pullback(tuple(w.copy() for w in sample.cotangents)).values
    except Exception:  # noqa: BLE001 - it raises here: nothing to recognise
        return {}
    arrays = {name: None if isinstance(value, Missing) else as_real(value) for name, value in values.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def close(a: Array, b: Array) -> bool:
    """Whether two gradients agree as far as differences can tell."""
    top = float(np.max(np.abs(b), initial=0.0))
    return bool(np.all(np.isfinite(a))) and bool(np.max(np.abs(a - b), initial=0.0) <= _CLOSE * top)


def _differences(subject: Subject, argument: str, cotangents: Outputs) -> Array:
    """Return the gradient by central differences of order 4, element by element.

    (8 (f(x+h) - f(x-h)) - (f(x+2h) - f(x-2h))) / 12 h; Fornberg 1988, Math. Comp. 51, table 1.
    """
    x = point_of(subject.arguments)[argument].astype(np.float64)
    steps = 1e-3 * np.clip(np.abs(x), 0.02, 1.0)  # the logarithm of a small probability bends within a thousandth

    def f(element: tuple[int, ...], step: float) -> float:
        primals = point_of(subject.arguments)
        moved = x.copy()
        moved[element] += step
        primals[argument] = moved
        outputs, _ = subject.vjp(primals)
        return float(sum(np.vdot(w, y) for w, y in zip(cotangents, outputs, strict=True)))

    gradient = np.empty_like(x)
    for element in np.ndindex(x.shape):
        h = float(steps[element])
        near = f(element, h) - f(element, -h)
        far = f(element, 2 * h) - f(element, -2 * h)
        gradient[element] = (8 * near - far) / (12 * h)
    return gradient
