"""Relative errors, planted in right gradients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from benchmarks.numerics.problems import Array, Problem

KINDS = ("one element", "one of median size", "one row", "all of an argument")


def planted(problem: Problem, kind: str, error: float, rng: np.random.Generator) -> tuple[str, Problem]:
    """Plant a relative error where the gradient is not zero; return the argument that has it, and the problem."""
    y = np.asarray(problem.forward(**problem.arrays))
    right = problem.backward(rng.standard_normal(y.shape).astype(y.dtype), **problem.arrays)
    names = [name for name, a in problem.arrays.items() if kind != "one row" or a.ndim > 1]
    sizes = np.array([1 if kind == "all of an argument" else problem.arrays[name].size for name in names])
    argument = names[rng.choice(len(names), p=sizes / sizes.sum())]
    where = _where(kind, np.abs(right[argument]), rng)

    def backward(w: Array, **arrays: Array) -> dict[str, Array]:
        g = problem.backward(w, **arrays)
        spoilt = np.array(g[argument])
        spoilt[where] *= spoilt.dtype.type(1.0 + error)
        return g | {argument: spoilt}

    return argument, replace(problem, backward=backward)


def _where(kind: str, size: Array, rng: np.random.Generator) -> Any:
    """Return the index of the elements that an error of a kind is planted in."""
    live = np.argwhere(size > 0.0)
    if kind == "all of an argument":
        return ...
    if kind == "one of median size":
        live = live[[np.argsort(size[tuple(live.T)])[len(live) // 2]]]
    place = tuple(rng.choice(live))
    return place[:1] if kind == "one row" else place
