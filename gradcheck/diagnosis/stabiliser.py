"""A constant such as the 1e-7 in ``np.log(y + 1e-7)`` that keeps forward finite, and that backward leaves out."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from gradcheck.diagnosis.numeric import Sample, analytic
from gradcheck.subject.halves import PLAIN, halves_of
from gradcheck.subject.source import definition

_LARGEST = 1e-6  # a larger constant changes the function, and its gradient, by more than anybody would wave through
_AMPLIFIED = 1e4  # log(y + eps) is off by eps / y, and probabilities of 1e-4 are common
_HARMLESS = 1e-3
_NOTHING = 1e-6  # of dout, and no more than is amplified: off by so little where the right gradient is next to nothing
_MOST = 0.6  # of the samples; at some of them a probability may be as small as the constant itself
_ANYWHERE = 0.1
_DEPTH = 3  # a layer calls a layer that calls a function


def stabiliser(obj: Any, samples: Sequence[Sample]) -> float | None:
    """Return the constant of forward that explains how little a gradient is off, None where nothing explains it."""
    halves = halves_of(obj) or PLAIN
    methods = getattr(obj, halves.forward, None), getattr(obj, halves.backward, None)
    forward, backward = obj if isinstance(obj, tuple) else methods
    built = _constants(getattr(obj, "__init__", None), None)
    constants = (_constants(forward, obj) | built) - _constants(backward, obj)
    if not constants or not samples:
        return None
    constant = max(constants)
    off = [_difference(sample, constant) for sample in samples]
    harmless = sum(difference <= min(_AMPLIFIED * constant, _HARMLESS) for difference in off)
    return constant if harmless >= _MOST * len(off) and max(off) <= _ANYWHERE else None


def _difference(sample: Sample, constant: float) -> float:
    """Return by how much a gradient is off, relative to its largest element; 0 if by next to nothing of dout."""
    g = analytic(sample).get(sample.argument)
    if g is None or g.shape != sample.numeric.shape:
        return float("inf")
    off = float(np.max(np.abs(g - sample.numeric)))
    upstream = max(float(np.max(np.abs(w), initial=0.0)) for w in sample.cotangents)
    return (
        0.0 if off <= min(_AMPLIFIED * constant, _NOTHING) * upstream else off / float(np.max(np.abs(sample.numeric)))
    )


def _constants(function: Any, owner: Any) -> set[float]:
    """Return the small literals in a function and in the functions, methods and layers that it calls by name."""
    return {
        part.value
        for tree in _trees(function, owner, _DEPTH)
        for part in ast.walk(tree)
        if isinstance(part, ast.Constant) and isinstance(part.value, float) and 0.0 < part.value <= _LARGEST
    }


def _trees(function: Any, owner: Any, depth: int) -> Iterator[ast.AST]:
    node = definition(function) if callable(function) and depth > 0 else None
    if node is None:
        return
    yield node
    names = getattr(inspect.unwrap(function), "__globals__", {})
    for called in {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}:
        inner = names.get(called)
        inner = getattr(inner, (halves_of(inner) or PLAIN).forward, None) if inspect.isclass(inner) else inner
        if inspect.isfunction(inner) and inner is not function:
            yield from _trees(inner, owner, depth - 1)
    own = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute) and _is_self(part.value)}
    for method in (getattr(owner, name, None) for name in own):
        if inspect.isroutine(method) and definition(method) not in {None, node}:
            yield from _trees(method, owner, depth - 1)


def _is_self(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"self", "cls"}
