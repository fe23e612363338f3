"""What a wrong gradient looks like beside the right one: its sign, a factor, a transpose, another's gradient.

Each pattern is tried on several fresh cases of different sizes, and said only if it holds on all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from math import prod

import numpy as np

from gradcheck.diagnosis.numeric import Sample, analytic, close
from gradcheck.subject.protocol import Array, point_of

Holds = Callable[[Sample, Array], bool]


def recognise(samples: Sequence[Sample]) -> tuple[str, ...]:
    """Return what is verified about the wrong gradient, a line each; the most telling pattern only."""
    pairs = [(sample, analytic(sample)) for sample in samples]
    name = samples[0].argument if samples else ""
    mine = [(sample, found[name]) for sample, found in pairs if name in found]
    if len(mine) < 2 or len(mine) < len(pairs):
        return ()
    for line, holds in _PATTERNS:
        if all(holds(sample, g) for sample, g in mine):
            return (line,)
    factor = _factor(mine)
    if factor:
        return (f"it is {factor} times the right one, at every case tried",)
    for other in pairs[0][1]:
        if other != name and all(other in found and _same(found[other], s.numeric) for s, found in pairs):
            return (f"the gradient returned for {other} is the right one for {name}: are the two swapped?",)
    return ()


def _factor(mine: Sequence[tuple[Sample, Array]]) -> str:
    """Name a constant factor: a number, a size of the case, or one over it."""
    ratios = [_ratio(g, sample.numeric) for sample, g in mine]
    if any(r is None for r in ratios):
        return ""
    known = [float(r) for r in ratios if r is not None]
    if np.ptp(known) <= 1e-6 * abs(known[0]):
        # Within what differences can tell of 1, the error is of another kind.
        return _nice(known[0]) if abs(known[0] - 1.0) > 1e-6 else ""
    for name in mine[0][0].sizes:
        sizes = [s.sizes[name] for s, _ in mine]
        if len(set(sizes)) > 1 and min(sizes) > 0:
            for label, values in ((name, sizes), (f"1/{name}", [1 / k for k in sizes])):
                if np.allclose(known, values, rtol=1e-6):
                    return f"{label} (the size of a dimension)"
    counts = [prod(s.outputs[0].shape) for s, _ in mine]
    if np.allclose(known, counts, rtol=1e-6):
        return "the number of outputs"
    return "1 / (the number of outputs)" if np.allclose(known, [1 / k for k in counts], rtol=1e-6) else ""


def _ratio(g: Array, numeric: Array) -> float | None:
    if g.shape != numeric.shape or not np.any(g):
        return None
    ratio = float(np.vdot(numeric, g) / np.vdot(numeric, numeric))
    return ratio if ratio and close(g / ratio, numeric) else None


def _nice(value: float) -> str:
    fraction = Fraction(value).limit_denominator(12)
    return str(fraction) if abs(float(fraction) - value) <= 1e-7 * abs(value) else f"{value:.6g}"


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and close(a, b)


def _is_permuted(sample: Sample, g: Array) -> bool:
    return (
        g.shape == sample.numeric.shape
        and not _same(g, sample.numeric)
        and close(np.sort(g, axis=None), np.sort(sample.numeric, axis=None))
    )


def _is_diagonal(sample: Sample, g: Array) -> bool:
    """Whether a gradient is dout times the diagonal of the Jacobian: that of a softmax taken element by element."""
    arguments = sample.subject.arguments
    x = next(a.value for a in arguments if a.name == sample.argument)
    if len(sample.outputs) != 1 or not g.shape == x.shape == sample.outputs[0].shape or x.size < 2:
        return False

    def at(element: tuple[int, ...], step: float) -> float:
        primals = point_of(arguments)
        primals[sample.argument][element] += step
        return float(sample.subject.vjp(primals)[0][0][element])

    h = 1e-4
    diagonal = np.array([(at(e, h) - at(e, -h)) / (2 * h) for e in np.ndindex(x.shape)]).reshape(x.shape)
    return close(g, sample.cotangents[0] * diagonal)


_PATTERNS: tuple[tuple[str, Holds], ...] = (
    ("it is zero, but the output does depend on this argument", lambda _, g: not np.any(g)),
    ("it has the opposite sign of the right one", lambda s, g: _same(-g, s.numeric)),
    ("it is dout itself: the local derivative is missing", lambda s, g: _same(g, s.cotangents[0])),
    ("it is the transpose of the right one", lambda s, g: g.ndim == 2 and _same(g.T, s.numeric)),
    ("it is right but for the order of its elements", _is_permuted),
    ("it is dout times the diagonal of the Jacobian: what one element does to the others is left out", _is_diagonal),
)
