"""Layers as every checker can take them: arrays, a forward and a backward, all pure functions of NumPy arrays.

Forwards and backwards keep the dtype that they are given, so that the same code runs in float16, float32, float64 and,
where its formula is held against the truth, in long double.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.derivative import Block, Function
from gradcheck.derivative.function import FlatPullback, Vector

Array = np.ndarray[Any, np.dtype[np.floating]]
Draw = Callable[[np.random.Generator], Array]
Forward = Callable[..., Array]
Gradients = dict[str, Array]
Backward = Callable[..., Gradients]


@dataclass(frozen=True)
class Problem:
    """A layer at a point: ``forward(**arrays) -> y`` and ``backward(w, **arrays)``, the gradients of ``w @ y``."""

    name: str
    arrays: Mapping[str, Array]
    forward: Forward
    backward: Backward


@dataclass(frozen=True)
class Layer:
    """A forward with its right backward."""

    forward: Forward
    backward: Backward

    def at(self, name: str, arrays: Mapping[str, Array]) -> Problem:
        """Return the problem of checking this layer at a point."""
        return Problem(name, arrays, self.forward, self.backward)


@dataclass(frozen=True)
class Wrong:
    """A defect: its name, and what it makes of the right gradients; those of other arguments stay right."""

    name: str
    spoil: Callable[[Array], Array]
    argument: str = "x"

    def of(self, problem: Problem) -> Problem:
        """Return the problem with this defect in its backward."""

        def backward(w: Array, **arrays: Array) -> Gradients:
            g = problem.backward(w, **arrays)
            return g | {self.argument: self.spoil(g[self.argument]).astype(g[self.argument].dtype)}

        return replace(problem, backward=backward)


def times(k: float, argument: str = "x") -> Wrong:
    """Multiply the gradient by a constant."""
    return Wrong(f"d{argument} * {k:g}", lambda g: g * k, argument)


def doubled(i: int) -> Wrong:
    """Double one element."""
    return Wrong(f"dx[{i}] * 2", lambda g: np.where(np.arange(g.size).reshape(g.shape) == i, 2 * g, g))


def function_of(problem: Problem) -> Function:
    """Lay a problem's arrays end to end, and its outputs, as the numeric core takes them."""
    blocks: list[Block] = []
    for name, array in problem.arrays.items():
        start = blocks[-1].stop if blocks else 0
        blocks.append(Block(name, start, start + array.size, array.dtype, array.shape))

    def vjp(x: Vector) -> tuple[Vector, FlatPullback]:
        arrays = {b.name: x[b.where].astype(b.dtype).reshape(b.shape) for b in blocks}
        y = np.asarray(problem.forward(**arrays))

        def pullback(w: Vector) -> Vector:
            g = problem.backward(w.reshape(y.shape).astype(y.dtype), **arrays)
            return np.concatenate([np.ravel(g[b.name]).astype(np.float64) for b in blocks])

        return np.ravel(y).astype(np.float64), pullback

    def extension(z: Any) -> Any:
        return np.ravel(problem.forward(**{b.name: z[b.where].reshape(b.shape) for b in blocks}))

    x = np.concatenate([np.ravel(array).astype(np.float64) for array in problem.arrays.values()])
    y = np.asarray(problem.forward(**problem.arrays))
    return Function(vjp, x, tuple(blocks), (y.dtype,), extension)


def elementwise(f: Callable[[Array], Array], df: Callable[[Array], Array]) -> Layer:
    """Make a layer of a function of one number and its derivative."""

    def forward(x: Array) -> Array:  # a ufunc takes no names
        return f(x)

    return Layer(forward, lambda w, x: {"x": w * df(x)})


relu = elementwise(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype))
relu_from_right = elementwise(lambda x: np.maximum(x, 0), lambda x: (x >= 0).astype(x.dtype))
leaky = elementwise(lambda x: np.where(x > 0, x, x / 100), lambda x: np.where(x > 0, 1, 0.01).astype(x.dtype))
absolute = elementwise(np.abs, np.sign)
hinge = elementwise(lambda x: np.maximum(1 - x, 0), lambda x: -(x < 1).astype(x.dtype))
clip = elementwise(lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) <= 1).astype(x.dtype))
hard_shrink = elementwise(lambda x: x * (np.abs(x) > 0.5), lambda x: (np.abs(x) > 0.5).astype(x.dtype))
root = elementwise(np.sqrt, lambda x: 1 / (2 * np.sqrt(x)))
log = elementwise(np.log, lambda x: 1 / x)
reciprocal = elementwise(lambda x: 1 / x, lambda x: -1 / (x * x))
power = elementwise(lambda x: x * np.sqrt(x), lambda x: 3 * np.sqrt(x) / 2)
steep = elementwise(lambda x: np.exp(10 * x), lambda x: 10 * np.exp(10 * x))
wave = elementwise(lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x))
fast_wave = elementwise(lambda x: np.sin(10**8 * x), lambda x: 10**8 * np.cos(10**8 * x))
raised_cube = elementwise(lambda x: 10**8 + x * x * x, lambda x: 3 * x * x)
there_and_back = elementwise(lambda x: (x + 10**8) - 10**8, np.ones_like)
tanh = elementwise(np.tanh, lambda x: 1 - np.tanh(x) ** 2)
one_minus_tanh = elementwise(lambda x: 1 - np.tanh(x), lambda x: -1 / np.cosh(x) ** 2)
softplus = elementwise(lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)))
pseudo_huber = elementwise(lambda x: np.sqrt(1 + x * x) - 1, lambda x: x / np.sqrt(1 + x * x))


def _sigmoid(x: Array) -> Array:
    e = np.exp(-np.abs(x))
    return np.where(x > 0, 1 / (1 + e), e / (1 + e))


sigmoid = elementwise(_sigmoid, lambda x: _sigmoid(x) * (1 - _sigmoid(x)))


def _gelu_parts(x: Array) -> tuple[Array, Array]:
    c = x.dtype.type(np.sqrt(np.longdouble(2) / np.longdouble(np.pi)))
    a = x.dtype.type(0.044715)
    return np.tanh(c * (x + a * x * x * x)), c * (1 + 3 * a * x * x)


def _dgelu(x: Array) -> Array:
    t, du = _gelu_parts(x)
    return (1 + t) / 2 + x * (1 - t * t) * du / 2


gelu = elementwise(lambda x: x * (1 + _gelu_parts(x)[0]) / 2, _dgelu)

product = Layer(lambda x, y: x * y, lambda w, x, y: {"x": w * y, "y": w * x})


def _angle(y: Array, x: Array) -> Array:
    return np.arctan2(y, x)


angle = Layer(_angle, lambda w, y, x: {"y": w * x / (x * x + y * y), "x": -w * y / (x * x + y * y)})
weighted_sum = Layer(lambda x, a: (x * a).sum(), lambda w, x, a: {"x": w * a, "a": w * x})
sum_of_squares = Layer(lambda x: (x * x).sum(), lambda w, x: {"x": w * (2 * x)})
mean_of_squares = Layer(lambda x: (x * x).mean(), lambda w, x: {"x": w * (2 * x / x.dtype.type(x.size))})


def _affine_backward(w: Array, x: Array, W: Array, b: Array) -> Gradients:
    return {"x": w @ W.T, "W": x.T @ w, "b": w.sum(0)}


affine = Layer(lambda x, W, b: x @ W + b, _affine_backward)
relu_affine = Layer(
    lambda x, W, b: np.maximum(x @ W + b, 0),
    lambda w, x, W, b: _affine_backward(w * (x @ W + b > 0), x, W, b),
)


def normalised(axis: int, eps: float = 1e-5) -> Layer:
    """Normalise rows (axis 1: layer norm) or columns (axis 0: batch norm), without scale and shift."""

    def normal(x: Array) -> tuple[Array, Array]:
        xc = x - x.mean(axis, keepdims=True)
        inv = 1 / np.sqrt((xc * xc).mean(axis, keepdims=True) + x.dtype.type(eps))
        return xc * inv, inv

    def backward(w: Array, x: Array) -> Gradients:
        n, inv = normal(x)
        return {"x": inv * (w - w.mean(axis, keepdims=True) - n * (w * n).mean(axis, keepdims=True))}

    return Layer(lambda x: normal(x)[0], backward)


def layer_norm(eps: float) -> Layer:
    """Normalise rows, then scale and shift."""
    inner = normalised(1, eps)

    def backward(w: Array, x: Array, g: Array, b: Array) -> Gradients:
        return inner.backward(w * g, x) | {"g": (w * inner.forward(x)).sum(0), "b": w.sum(0)}

    return Layer(lambda x, g, b: inner.forward(x) * g + b, backward)


def _softmax(x: Array) -> Array:
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def _softmax_backward(w: Array, x: Array) -> Gradients:
    p = _softmax(x)
    return {"x": p * (w - (w * p).sum(1, keepdims=True))}


softmax = Layer(_softmax, _softmax_backward)


def _log_sum_exp(x: Array) -> Array:
    top = x.max(1, keepdims=True)
    return (top + np.log(np.exp(x - top).sum(1, keepdims=True)))[:, 0]


log_sum_exp = Layer(_log_sum_exp, lambda w, x: {"x": w[:, None] * _softmax(x)})


def _one_hot(x: Array) -> Array:
    """Return the targets of a cross entropy: class ``i`` of row ``i``, and so round."""
    return np.eye(x.shape[1], dtype=x.dtype)[np.arange(len(x)) % x.shape[1]]


cross_entropy = Layer(
    lambda x: _log_sum_exp(x) - (x * _one_hot(x)).sum(1),
    lambda w, x: {"x": w[:, None] * (_softmax(x) - _one_hot(x))},
)


def _length(x: Array) -> Array:
    return np.sqrt((x * x).sum(1))


length = Layer(_length, lambda w, x: {"x": (w / _length(x))[:, None] * x})


def _max_pool_backward(w: Array, x: Array) -> Gradients:
    pairs = x.reshape(len(x), -1, 2)
    g = np.zeros_like(pairs)
    np.put_along_axis(g, pairs.argmax(-1)[..., None], w[..., None], -1)
    return {"x": g.reshape(x.shape)}


max_pool = Layer(lambda x: x.reshape(len(x), -1, 2).max(-1), _max_pool_backward)


def scaled(layer: Layer, k: float) -> Layer:
    """Multiply a layer's output by a constant."""
    return Layer(lambda **arrays: layer.forward(**arrays) * k, lambda w, **arrays: layer.backward(w * k, **arrays))


def normal(*shape: int, scale: float = 1.0, offset: float = 0.0) -> Draw:
    return lambda rng: offset + scale * rng.standard_normal(shape)


def full(value: float, *shape: int) -> Draw:
    return lambda _: np.full(shape, float(value))


def among(values: Sequence[float], *shape: int) -> Draw:
    return lambda rng: rng.choice(np.asarray(values, dtype=float), size=shape)


def positive(*values: float, n: int = 16) -> Draw:
    """Draw elements near the values given, in turn: each times U[1, 2)."""
    return lambda rng: np.resize(values, n) * (1.0 + rng.random(n))


def near(kink: float, distance: float, n: int = 16) -> Draw:
    """Put every third element at a distance from a kink, on either side, and the others well away from it."""

    def draw(rng: np.random.Generator) -> Array:
        sign = rng.choice((-1.0, 1.0), n)
        return kink + sign * np.where(np.arange(n) % 3 == 0, distance, rng.uniform(0.2, 1.5, n))

    return draw


def away(low: float, high: float, n: int = 16) -> Draw:
    """Draw sizes between two bounds, with either sign."""
    return lambda rng: rng.uniform(low, high, n) * rng.choice((-1.0, 1.0), n)


def sure(rows: int, classes: int, by: float) -> Draw:
    """Draw logits whose largest, by far, is that of class ``i`` in row ``i``."""
    return lambda rng: rng.standard_normal((rows, classes)) + by * np.eye(rows, classes)


def outlier(draw: Draw, value: float) -> Draw:
    """Replace the first element."""

    def drawn(rng: np.random.Generator) -> Array:
        x = draw(rng)
        x.flat[0] = value
        return x

    return drawn
