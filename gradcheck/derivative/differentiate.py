"""Numeric derivatives with error bars, of any function of one array: nothing analytic is asked for.

Of the two errors of a difference quotient, truncation grows with the step and rounding shrinks with it (Gill, Murray &
Wright 1981, section 8.6). No step is best for all outputs of a function, so each output has its own, chosen by Lepski's
rule (1991) on a ladder of five-point stencils; both errors are read off the same evaluations. The search is in
`gradcheck.derivative.ladder`, the bars are in `gradcheck.derivative.judge`. Only real steps are taken: the complex step
(Squire & Trapp 1998) is more precise, but many functions do not bear complex numbers, and some of them silently.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gradcheck.derivative.function import Vector
from gradcheck.derivative.ladder import follow
from gradcheck.derivative.levels import Point
from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Derivative:
    """A numeric derivative.

    Parameters
    ----------
    value : array of float64
        In the shape of ``f(x)`` (`directional`), of ``x`` (`gradient`) or of both, outputs first (`jacobian`).
    error_bar : array of float64
        In the same shape: half of the width of an interval around ``value`` that is made to contain the derivative.
        Infinite where no step gave an estimate: on a jump, or where ``f`` is not finite nearby. ``value`` is then 0 and
        means nothing. Where ``f`` does not move at all it is what rounding may hide, never 0.
    kinks : array of bool
        In the same shape: where the slopes to both sides differ. ``value`` lies between them, and the bar covers both.
    forwards : int
        How often ``f`` was called.
    """

    value: NDArray[np.float64]
    error_bar: NDArray[np.float64]
    kinks: NDArray[np.bool_]
    forwards: int


def directional(f: Callable[[Any], Any], x: ArrayLike, v: ArrayLike) -> Derivative:
    """Return the derivative of ``f`` at ``x`` along ``v``: the Jacobian-vector product ``J v``.

    Parameters
    ----------
    f : callable
        Takes one array like ``x`` (a fresh one each time, in its shape and dtype) and returns an array or a number,
        always of the same shape. What it raises at ``x`` comes through; nearby that means that the step was too large.
    x : array_like
        The point. float64, float32 and float16 stay what they are; other real numbers become float64.
    v : array_like
        The tangent, in the shape of ``x``, finite, not zero everywhere.

    Returns
    -------
    Derivative
        ``value`` and ``error_bar`` have the shape of ``f(x)``. A smooth function takes about 12 forwards, whatever the
        sizes of ``x`` and ``f(x)``; kinks, noise, steep functions and steps take more, rarely above 200.

    Raises
    ------
    UsageError
        ``x`` or ``v`` is not what is described above, or ``f(x)`` is not real, not finite, or changes its shape.

    Notes
    -----
    The difference quotient is ``r = (4 dy1 - dy2) / 3`` (Richardson 1911), with ``dy1 = (y(h) - y(-h)) / 2h`` and
    ``dy2 = (y(2h) - y(-2h)) / 4h`` along ``v``; its bar is ``|dy2 - dy1| + |d4|/4h + 5.7 sigma/h``, with the fourth
    difference ``d4`` and the standard deviation ``sigma`` of rounding (Hamming 1971; More & Wild 2011).

    Where outputs do not move, `f` is also called farther out, up to a thousand times the size of ``x`` and its spread,
    to tell what is constant from what is computed in grains.

    The bar is about what `f` computes. A part of it in a coarser format that is much smaller than the rest, or whose
    next grain is farther off than the search goes, is not seen: ``x * (1 + tanh(x))`` in float32 at -5, where
    ``1 + tanh(x)`` moves by a third when it moves.

    Examples
    --------
    >>> d = directional(np.sin, [0.0, 1.0], [1.0, 2.0])
    >>> [round(slope, 6) for slope in d.value.tolist()]
    [1.0, 1.080605]
    >>> bool(d.error_bar.max() < 1e-8)
    True

    On a kink, the interval covers the slopes to both sides:

    >>> d = directional(np.abs, 0.0, 1.0)
    >>> bool(d.kinks), bool(d.value - d.error_bar <= -1.0), bool(d.value + d.error_bar >= 1.0)
    (True, True, True)
    """
    x = _numbers(x)
    v = _tangent(v, x)
    point = Point(_callable(f), x)
    shape = point.shape
    if point.y.size == 0:
        return Derivative(np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=bool), point.forwards)
    value, bar, kinks = follow(point, v)
    return Derivative(value.reshape(shape), bar.reshape(shape), kinks.reshape(shape), point.forwards)


def gradient(f: Callable[[Any], Any], x: ArrayLike) -> Derivative:
    """Return the gradient of a scalar function at ``x``.

    Parameters
    ----------
    f : callable
        As for `directional`; returns one number, or an array of shape ``()`` or ``(1,)``.
    x : array_like
        As for `directional`.

    Returns
    -------
    Derivative
        ``value`` and ``error_bar`` have the shape of ``x``. One direction is followed per element of ``x``: a smooth
        function takes about 9 forwards each.

    Raises
    ------
    UsageError
        As for `directional`; and if ``f(x)`` is not one number.

    Examples
    --------
    >>> d = gradient(lambda x: (x**2).sum() / 2, [[1.0, -2.0], [0.5, 4.0]])
    >>> np.round(d.value, 6).tolist()
    [[1.0, -2.0], [0.5, 4.0]]
    >>> bool((abs(d.value - [[1.0, -2.0], [0.5, 4.0]]) <= d.error_bar).all()), d.forwards
    (True, 37)
    """
    x = _numbers(x)
    point = Point(_callable(f), x)
    if point.shape not in {(), (1,)}:
        raise UsageError(
            f"f returned an array of shape {point.shape}, and only a number has a gradient",
            fix="take the jacobian, or sum the outputs with weights",
        )
    return _element_by_element(point, x.shape)


def jacobian(f: Callable[[Any], Any], x: ArrayLike) -> Derivative:
    """Return the Jacobian of ``f`` at ``x``: ``value[i, j] = d f(x)[i] / d x[j]``, for multi-indices ``i`` and ``j``.

    Parameters
    ----------
    f : callable
        As for `directional`.
    x : array_like
        As for `directional`.

    Returns
    -------
    Derivative
        ``value`` and ``error_bar`` have the shape ``f(x).shape + x.shape``. One direction is followed per element of
        ``x``, so that forwards grow with ``x.size`` (about 9 or 10 each where ``f`` is smooth) and not with that of
        ``f(x)``. For large arrays ask for what you need along a direction.

    Raises
    ------
    UsageError
        As for `directional`.

    Examples
    --------
    >>> d = jacobian(lambda x: np.array([x[0] * x[1], np.maximum(x[0], 0)]), [0.0, 3.0])
    >>> np.round(d.value[0], 6).tolist(), d.kinks.tolist()
    ([3.0, 0.0], [[False, False], [True, False]])
    """
    x = _numbers(x)
    point = Point(_callable(f), x)
    return _element_by_element(point, point.shape + x.shape)


def _element_by_element(point: Point, shape: tuple[int, ...]) -> Derivative:
    """Follow one direction per element of ``x``."""
    n, m = point.x.size, point.y.size
    value, bar, kinks = np.zeros((m, n)), np.zeros((m, n)), np.zeros((m, n), dtype=bool)
    for j in range(n if m > 0 else 0):
        v = np.zeros(n)
        v[j] = 1.0
        value[:, j], bar[:, j], kinks[:, j] = follow(point, v)
    return Derivative(value.reshape(shape), bar.reshape(shape), kinks.reshape(shape), point.forwards)


def _callable(f: Callable[[Any], Any]) -> Callable[[Any], Any]:
    if not callable(f):
        raise UsageError(f"f is of type {type(f).__name__} and cannot be called", fix="pass a function of one array")
    return f


def _numbers(x: ArrayLike) -> NDArray[np.floating]:
    """Return ``x`` as an array of float64, float32 or float16."""
    array = _real(x, "x")
    if not np.isfinite(array).all():
        raise UsageError("x is not finite everywhere", fix="differentiate at a finite point")
    own = array.dtype in (np.dtype(np.float32), np.dtype(np.float16))
    return array if own else array.astype(np.float64)


def _tangent(v: ArrayLike, x: NDArray[np.floating]) -> Vector:
    """Return ``v`` as a flat float64 vector that goes with ``x``."""
    array = _real(v, "v")
    if array.shape != x.shape:
        raise UsageError(f"v has the shape {array.shape}, x has {x.shape}", fix="give v the shape of x")
    flat: Vector = array.astype(np.float64).ravel()
    if not np.isfinite(flat).all():
        raise UsageError("v is not finite everywhere", fix="pass a finite direction")
    if not flat.any():
        raise UsageError("v is zero everywhere, which is no direction", fix="pass a direction that moves something")
    return flat


def _real(z: ArrayLike, name: str) -> NDArray[Any]:
    try:
        array = np.asarray(z)
    except ValueError as error:
        raise UsageError(f"{name} is no array: {error}", fix="pass one array of real numbers") from error
    if array.dtype.kind == "c":
        raise UsageError(
            f"{name} is complex ({array.dtype}); derivatives are with respect to real numbers",
            fix="make f a function of the real and the imaginary part",
        )
    if array.dtype.kind not in "iuf":
        raise UsageError(f"{name} is an array of {array.dtype}, not of real numbers", fix="pass floats")
    return array
