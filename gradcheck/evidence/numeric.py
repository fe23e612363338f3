"""A layer laid out flat for the numeric side: all arguments end to end in one vector, all outputs in another."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.derivative import compare
from gradcheck.derivative.function import Block, Comparison, FlatPullback, Function, Vector
from gradcheck.evidence.agree import Arrays
from gradcheck.subject.protocol import Argument, Array, Outputs, Primals, point_of

Run = Callable[[Primals], tuple[Outputs, Callable[[Outputs], Arrays]]]


def compare_gradients(
    run: Run, arguments: tuple[Argument, ...], arrays: Arrays, outputs: Outputs, seed: int, *, stencils: int = 0
) -> dict[str, Comparison]:
    """Hold gradients against numeric derivatives.

    Parameters
    ----------
    run : callable
        One forward; returns outputs and a pullback that gives those gradients that are well formed.
    arguments : tuple of Argument
        All of them, at the point.
    arrays : mapping
        The gradients of this point; what is not finite is left out.
    outputs : tuple of arrays
        The outputs of this point.
    seed : int
        Seeds the directions.
    stencils : int
        Gradients that so many stencils are enough for are compared element by element too.
    """
    chosen = [a for a in arguments if a.name in arrays and np.all(np.isfinite(arrays[a.name])) and a.value.size]
    if not chosen:
        return {}
    blocks: list[Block] = []
    for argument in chosen:
        start = blocks[-1].stop if blocks else 0
        blocks.append(
            Block(argument.name, start, start + argument.value.size, argument.value.dtype, argument.value.shape)
        )

    def vjp(x: Vector) -> tuple[Vector, FlatPullback]:
        primals = point_of(arguments)
        for argument, block in zip(chosen, blocks, strict=True):
            primals[argument.name] = x[block.where].astype(block.dtype).reshape(argument.value.shape)
        ys, pullback = run(primals)

        def flat(w: Vector) -> Vector:
            found = pullback(_split(w, outputs))
            parts = [found.get(a.name, np.full(a.value.size, np.nan)).ravel() for a in chosen]
            return np.concatenate(parts).astype(np.float64)

        return _joined(ys), flat

    def extension(z: Any) -> Any:
        primals = point_of(arguments)
        for argument, block in zip(chosen, blocks, strict=True):
            primals[argument.name] = z[block.where].reshape(argument.value.shape)
        return np.concatenate([y.ravel() for y in run(primals)[0]])

    x0 = np.concatenate([a.value.ravel() for a in chosen]).astype(np.float64)
    # A backward that works in float32 is held to float32: GC106 speaks of it, GC101 does not.
    dtypes = {np.dtype(a.dtype) for a in (*outputs, *(arrays[a.name] for a in chosen))}
    function = Function(vjp, x0, tuple(blocks), tuple(sorted(dtypes, key=str)), extension)
    return compare(function, stream(seed, "direction"), complete_up_to=stencils)


def _joined(ys: Outputs) -> Vector:
    return np.concatenate([np.asarray(y, dtype=np.float64).ravel() for y in ys])


def _split(w: Vector, like: Outputs) -> Outputs:
    parts: list[Array] = []
    start = 0
    for y in like:
        parts.append(w[start : start + y.size].reshape(y.shape).astype(y.dtype))
        start += y.size
    return tuple(parts)
