"""Layers at points of any size: ten elements or ten million, over all arguments together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from benchmarks.numerics import problems as layer
from benchmarks.numerics.peers import Verdict
from benchmarks.numerics.problems import Array, Layer, Problem, function_of
from gradcheck.derivative import Comparison, Function, compare

DType = type[np.float64] | type[np.float32]
Sized = Callable[[int, DType, int], Problem]


# --- as the numeric core takes them ----------------------------------------------------------------------------------


def flat(problem: Problem, *, complex_step: bool = True) -> Function:
    """Lay a problem out, with or without its extension to complex arguments."""
    function = function_of(problem)
    return function if complex_step else replace(function, extension=None)


def compared(function: Function, seed: int) -> dict[str, Comparison]:
    """Run the numeric core once."""
    with np.errstate(all="ignore"):
        return compare(function, np.random.default_rng([seed, 1]))


def worst(found: dict[str, Comparison]) -> Verdict:
    """Return the verdict on the argument that fares worst."""
    verdicts = {one.verdict for one in found.values()}
    order: tuple[Verdict, ...] = ("fail", "inconclusive", "vacuous", "pass")
    return next(verdict for verdict in order if verdict in verdicts)


# --- at about n elements ---------------------------------------------------------------------------------------------


def affine_of(n: int, dtype: DType = np.float64, seed: int = 0) -> Problem:
    """Return an affine map, with four in five elements in its matrix."""
    side = max(2, round((0.8 * n) ** 0.5))
    return affine(max(1, (n - side * side - side) // side), side, dtype, seed)


def tanh_of(n: int, dtype: DType = np.float64, seed: int = 0) -> Problem:
    """Return tanh of a matrix, nearly square."""
    rows = max(k for k in range(1, round(n**0.5) + 1) if n % k == 0)
    return layer.tanh.at(f"tanh {_name(dtype)}", {"x": _normal(seed, 0, dtype, rows, n // rows)})


def cross_entropy_of(n: int, dtype: DType = np.float64, seed: int = 0) -> Problem:
    """Return the cross entropies of a batch about as large as there are classes."""
    classes = max(2, round(n**0.5))
    x = _normal(seed, 0, dtype, max(1, n // classes), classes)
    return layer.cross_entropy.at(f"cross entropy {_name(dtype)}", {"x": x})


def layer_norm_of(n: int, dtype: DType = np.float64, seed: int = 0) -> Problem:
    """Return a layer norm with scale and shift that fills a real buffer: right, but closed to complex numbers."""
    features = max(3, round(n**0.5))
    arrays = {
        "x": _normal(seed, 0, dtype, max(2, n // features - 2), features),
        "g": 1 + _normal(seed, 1, dtype, features) / dtype(8),
        "b": _normal(seed, 2, dtype, features),
    }
    return Layer(_layer_norm_forward, _layer_norm_backward).at(f"layer norm {_name(dtype)}", arrays)


def attention_of(n: int, dtype: DType = np.float64, seed: int = 0) -> Problem:
    """Return one head of attention, over about as many tokens as it has features."""
    side = max(2, round((n / 3) ** 0.5))
    arrays = {name: _normal(seed, k, dtype, side, side) for k, name in enumerate("qkv")}
    return Layer(_attention_forward, _attention_backward).at(f"attention {_name(dtype)}", arrays)


SIZED: dict[str, Sized] = {
    "affine": affine_of,
    "tanh": tanh_of,
    "cross entropy": cross_entropy_of,
    "layer norm": layer_norm_of,
    "attention": attention_of,
}


# --- of given shapes -------------------------------------------------------------------------------------------------


def affine(rows: int, side: int, dtype: DType, seed: int = 0) -> Problem:
    """Return an affine map of a batch of vectors of ``side`` elements to as many."""
    arrays = {
        "x": _normal(seed, 0, dtype, rows, side),
        "W": _normal(seed, 1, dtype, side, side) / dtype(side**0.5),
        "b": _normal(seed, 2, dtype, side),
    }
    return layer.affine.at(f"affine {side}x{side}, batch {rows}, {_name(dtype)}", arrays)


def convolution(images: int, channels: int, side: int, dtype: DType, seed: int = 0) -> Problem:
    """Return a convolution with as many 3x3 filters as channels, over padded square images."""
    arrays = {
        "x": _normal(seed, 0, dtype, images, channels, side, side),
        "W": _normal(seed, 1, dtype, channels, channels, 3, 3) / dtype(3 * channels**0.5),
        "b": _normal(seed, 2, dtype, channels),
    }
    name = f"convolution 3x3, {channels} channels, {images} images of {side}x{side}, {_name(dtype)}"
    return Layer(_convolution_forward, _convolution_backward).at(name, arrays)


def _normal(seed: int, argument: int, dtype: DType, *shape: int) -> Array:
    return np.random.default_rng([seed, argument]).standard_normal(shape).astype(dtype)


def _name(dtype: DType) -> str:
    return np.dtype(dtype).name


# --- layers ----------------------------------------------------------------------------------------------------------


def _normalised(x: Array) -> tuple[Array, Array]:
    inv = 1 / np.sqrt(np.var(x, 1, keepdims=True) + x.dtype.type(1e-5))
    buffer = np.empty(x.shape, np.float32 if x.dtype == np.float32 else np.float64)
    buffer[...] = (x - x.mean(1, keepdims=True)) * inv
    return buffer, inv


def _layer_norm_forward(x: Array, g: Array, b: Array) -> Array:
    return _normalised(x)[0] * g + b


def _layer_norm_backward(w: Array, x: Array, g: Array, b: Array) -> dict[str, Array]:
    n, inv = _normalised(x)
    dn = w * g
    dx = inv * (dn - dn.mean(1, keepdims=True) - n * (dn * n).mean(1, keepdims=True))
    return {"x": dx, "g": (w * n).sum(0), "b": w.sum(0)}


def _scores(q: Array, k: Array) -> Array:
    return q @ k.T / q.dtype.type(k.shape[1] ** 0.5)


def _attention_forward(q: Array, k: Array, v: Array) -> Array:
    return layer.softmax.forward(x=_scores(q, k)) @ v


def _attention_backward(w: Array, q: Array, k: Array, v: Array) -> dict[str, Array]:
    s = _scores(q, k)
    ds = layer.softmax.backward(w @ v.T, x=s)["x"] / q.dtype.type(k.shape[1] ** 0.5)
    return {"q": ds @ k, "k": ds.T @ q, "v": layer.softmax.forward(x=s).T @ w}


def _columns(x: Array) -> Array:
    """Return the 3x3 neighbourhood of every pixel as a row (im2col)."""
    n, c, h, w = x.shape
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (2, 3))
    return windows.transpose(0, 2, 3, 1, 4, 5).reshape(n * h * w, c * 9)


def _convolution_forward(x: Array, W: Array, b: Array) -> Array:
    n, _, h, w = x.shape
    return (_columns(x) @ W.reshape(len(W), -1).T + b).reshape(n, h, w, len(W)).transpose(0, 3, 1, 2)


def _convolution_backward(w: Array, x: Array, W: Array, b: Array) -> dict[str, Array]:
    n, c, height, width = x.shape
    rows = w.transpose(0, 2, 3, 1).reshape(-1, len(W))
    windows = (rows @ W.reshape(len(W), -1)).reshape(n, height, width, c, 3, 3)
    padded = np.zeros((n, c, height + 2, width + 2), x.dtype)
    for i, j in np.ndindex(3, 3):
        padded[:, :, i : i + height, j : j + width] += windows[..., i, j].transpose(0, 3, 1, 2)
    return {"x": padded[:, :, 1:-1, 1:-1], "W": (rows.T @ _columns(x)).reshape(W.shape), "b": rows.sum(0)}
