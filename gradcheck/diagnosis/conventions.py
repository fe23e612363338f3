"""Known conventions: gradients that differ from the derivative on purpose, recognised on fresh cases and named."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.search import Points
from gradcheck.diagnosis.numeric import Sample, analytic, close, samples
from gradcheck.records import Finding
from gradcheck.subject.parameters import is_parameter_name
from gradcheck.subject.protocol import Argument, Array

RESOLUTION = 1e-6  # what `numeric.close` can tell: a convention is verified to so much, relative to the largest element

_SAMPLES = 5
_AT_LEAST = 3

Pair = tuple[Sample, Array]


@dataclass(frozen=True, slots=True)
class Named:
    """A convention, and the arguments whose gradients it explains."""

    rule: str
    message: str
    arguments: frozenset[str]

    def finding(self) -> Finding:
        """Return the finding that takes the place of those that it explains."""
        return Finding(self.rule, "warning", self.message)


def conventions(points: Points, arguments: Sequence[Argument], wrong: Set[str], right: Set[str]) -> Named | None:
    """Return the convention that explains all wrong gradients of a layer, if there is one.

    Parameters
    ----------
    points : Points
        Where fresh cases come from.
    arguments : sequence of Argument
        Those that owe a gradient.
    wrong, right : set of str
        The arguments whose values were found wrong, and those that were found right somewhere and wrong nowhere.
    """
    parameters = {a.name for a in arguments if a.kind == "parameter"}
    if not parameters:  # functions are given theirs
        parameters = {a.name for a in arguments[1:] if is_parameter_name(a.name)}
    inputs = {a.name for a in arguments} - parameters
    if not wrong:
        return None
    if wrong == parameters and inputs <= right:
        message = (
            "the gradients of all parameters are divided by the number of samples: that of a mean loss, by convention"
        )
        return _named(points, wrong, "GC111", message, lambda s, g: _is_share_of(s, g, _counts(s)))
    if wrong == inputs and not parameters & wrong:
        message = "forward gives a loss for each sample, backward the gradient of their mean, by convention"
        found = _named(points, wrong, "GC113", message, _is_mean_of_losses)
        if found is not None or len(inputs) > 1:
            return found
        message = "dout is handed through: the derivative is part of a cross-entropy elsewhere, by convention"
        return _named(points, wrong, "GC112", message, _is_fused)
    return None


def _named(
    points: Points, names: Set[str], rule: str, message: str, holds: Callable[[Sample, Array], bool | None]
) -> Named | None:
    """Return the convention if it holds for all arguments at all fresh cases, and was put to the test at a few."""
    for name in names:
        verdicts = [holds(sample, g) for sample, g in _pairs(points, name)]
        if any(verdict is False for verdict in verdicts) or verdicts.count(True) < _AT_LEAST:
            return None
    return Named(rule, message, frozenset(names))


def _pairs(points: Points, name: str) -> Iterator[Pair]:
    for sample in samples(points, name, 2 * _SAMPLES, seed=11):
        g = analytic(sample).get(name)
        yield sample, np.full(sample.numeric.shape, np.nan) if g is None else g


def _is_share_of(sample: Sample, g: Array, counts: Set[int]) -> bool | None:
    """Whether a gradient is one over a number of samples of the right one; None where that number is 1."""
    if g.shape != sample.numeric.shape or not counts:
        return False
    if counts == {1}:
        return None
    return any(close(g * count, sample.numeric) for count in counts)


def _counts(sample: Sample) -> frozenset[int]:
    """Return what may be the number of samples: the first or last size of the first input, or all but the last."""
    shape = next((a.value.shape for a in sample.subject.arguments if a.kind == "input"), ())
    return frozenset({shape[0], shape[-1], int(np.prod(shape[:-1]))}) if len(shape) > 1 else frozenset(shape)


def _is_mean_of_losses(sample: Sample, g: Array) -> bool | None:
    if sample.subject.summed:
        sizes = {a.value.size for a in sample.subject.arguments if a.name == sample.argument}  # of a loss per element
        return _is_share_of(sample, g, _counts(sample) | sizes)
    if len(sample.outputs) != 1 or sample.outputs[0].ndim != 1:
        return False
    return _is_share_of(sample, g, {sample.outputs[0].size})


def _is_fused(sample: Sample, g: Array) -> bool | None:
    """Whether forward is a sigmoid or a softmax, and backward returns what it was given."""
    (x,) = [a.value for a in sample.subject.arguments if a.name == sample.argument]
    y = sample.outputs[0]
    if len(sample.outputs) != 1 or y.shape != x.shape or not np.array_equal(g, sample.cotangents[0]):
        return False
    powers = [(np.exp(x - x.max(axis=axis, keepdims=True)), axis) for axis in range(x.ndim)]
    softmaxes = [e / e.sum(axis=axis, keepdims=True) for e, axis in powers]
    return any(close(candidate, y) for candidate in (*softmaxes, 1.0 / (1.0 + np.exp(-x))))


def explained(named: Named, findings: Mapping[tuple[str, str | None], object]) -> list[tuple[str, str | None]]:
    """Return the keys of the findings that a convention explains: wrong values, also at size 0 and on kinks."""
    return [key for key in findings if key[0] in {"GC101", "GC503", "GC507"} and key[1] in named.arguments]
