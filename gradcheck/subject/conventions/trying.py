"""Whether a reading of a second half is the right one: its gradient is held against differences of forward."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import product

import numpy as np

from gradcheck.subject.conventions.reading import AT_INPUT, OF_MODEL, Reading
from gradcheck.subject.protocol import Argument, Array, Outputs, Primals, Pullback, point_of

Vjp = Callable[[Primals], tuple[Outputs, Pullback]]
_DIRECTIONS = 4


def tried(
    possible: Sequence[Reading], arguments: Sequence[Argument], vjp_as: Callable[[Reading], Vjp]
) -> Reading | None:
    """Return the first reading whose gradient is that of forward: of its first input, or of a model's parameter.

    None if there is nothing to choose, or if the gradient of none will do: the layer is wrong.
    """
    owed = [a for a in arguments if a.differentiable]
    first = [a.name for a in owed if a.kind == "input"][:1]
    learnt = [a.name for a in owed if a.kind == "parameter"]
    for names, reading in product((first, learnt), possible if len(possible) > 1 else ()):
        if any(follows(vjp_as(reading), point_of(arguments), name) for name in names):
            return OF_MODEL if names is learnt and reading is AT_INPUT else reading
    return None


def follows(vjp: Vjp, primals: Primals, name: str) -> bool:
    """Whether the gradient of an argument points where differences of forward point.

    A factor is left open, so that a layer that is wrong by one is read as it was meant; what points elsewhere is no
    gradient in this reading. Of a single number only the gradient itself will do. This chooses between readings and
    judges nothing: the tolerance only has to tell one reading from another.
    """
    try:
        outputs, pullback = vjp({key: np.array(value) for key, value in primals.items()})
        weights = tuple(_weights(y) for y in outputs)
        size = float(sum(np.sum(w * y) for w, y in zip(weights, outputs, strict=True)))
        gradient = np.asarray(pullback(weights).values[name], dtype=float)
        x = primals[name]
        if gradient.shape != x.shape or not np.isfinite([size]).all():
            return False
        eps = float(max(np.finfo(y.dtype).eps for y in outputs))
        along, moved = np.empty(_DIRECTIONS), np.empty(_DIRECTIONS)
        for k in range(_DIRECTIONS):
            v = np.random.default_rng(k).uniform(0.5, 1.5, x.shape) * np.where(_weights(x, k) > 1.0, 1.0, -1.0)
            h = eps ** (1 / 3)
            ahead, behind = (
                _value(vjp, {**primals, name: np.asarray(x + s * h * v, x.dtype)}, weights) for s in (1, -1)
            )
            along[k], moved[k] = float(np.sum(gradient * v)), (ahead - behind) / (2.0 * h)
    except Exception:  # noqa: BLE001 - what the layer refuses is not how it is meant
        return False
    return _parallel(along, moved, only=x.size == 1, tolerance=eps**0.35)


def _parallel(a: Array, b: Array, *, only: bool, tolerance: float) -> bool:
    """Whether two vectors are multiples of each other; ``only``: whether they are equal."""
    square = float(b @ b)
    if not np.isfinite(a).all() or not np.isfinite(square) or square == 0.0 or not a.any():
        return False
    factor = 1.0 if only else float(a @ b) / square
    return bool(np.linalg.norm(a - factor * b) <= tolerance * np.linalg.norm(a))


def _value(vjp: Vjp, primals: Primals, weights: Outputs) -> float:
    outputs, _ = vjp({key: np.array(value) for key, value in primals.items()})
    return float(sum(np.sum(w * y) for w, y in zip(weights, outputs, strict=True)))


def _weights(like: Array, turn: int = 0) -> Array:
    """Return numbers around 1 that repeat in no axis; 1 for a single number, as a loss is differentiated."""
    if like.ndim == 0:
        return np.ones_like(like)
    ramp = np.cos(1.0 + turn + 1.7 * np.arange(like.size)).reshape(like.shape)
    return np.asarray(1.0 + 0.5 * ramp, like.dtype)
