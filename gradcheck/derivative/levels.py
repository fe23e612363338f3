"""A function at its point, and what five evaluations around it give, output by output.

The stencil is that of `gradcheck.derivative.central`, without an analytic side: Richardson's slope
``r = (4 dy1 - dy2) / 3`` (Richardson 1911), the change ``t = dy2 - dy1`` between its two central differences, and the
fourth difference ``d4``. Two things are different.

- Its middle stands aside from ``x`` by a small shift, for which all is corrected. Points that mirror each other would
  hide rounding from ``d4``: it is odd where a function is (``tanh`` at 0, a sum of equal numbers).
- The perturbation that was realised, ``fl(x + h v) - x``, is not ``h v``. Of a single element it is a multiple of that,
  and the slope is divided by it. Of several, what is missing is measured by one more evaluation.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.derivative.function import Block, Function, Vector
from gradcheck.derivative.noise import Precision, precision_of
from gradcheck.derivative.probe import scales
from gradcheck.errors import UsageError

Mask = NDArray[np.bool_]

# The shift: so many units in the last place, within these shares of the step.
_SHIFT_ULPS, _SHIFT_LEAST, _SHIFT_MOST = 37.0, 2.0**-22, 2.0**-5


class Point:
    """``f`` at ``x``, seen as a function of flat float64 vectors, which counts its calls.

    At the point itself what ``f`` raises comes through; nearby it means that the step was too large, and gives nan.
    """

    def __init__(self, f: Callable[[Any], Any], x: NDArray[np.floating]) -> None:
        self._f, self._shape, self._dtype = f, x.shape, x.dtype
        self.x: Vector = x.astype(np.float64).ravel()
        self.forwards = 1
        y = _numbers(f(x.copy()))
        if y.dtype.kind == "c":
            raise UsageError(f"f returned {y.dtype} numbers, which are not real", fix="return y.real, y.imag or abs(y)")
        if y.dtype.kind not in "iuf":
            raise UsageError(f"f returned no real numbers but {y.dtype}", fix="return a float array or a number")
        if not np.isfinite(y).all():
            place = np.unravel_index(int(np.argmin(np.isfinite(y).ravel())), y.shape)
            where = f" at output {tuple(map(int, place))}" if y.shape else ""
            raise UsageError(f"f(x) is {y[place]}{where}", fix="differentiate where f is finite")
        self.shape: tuple[int, ...] = y.shape
        self.y: Vector = y.astype(np.float64).ravel()
        formats = (y.dtype,) if y.dtype.kind == "f" else ()
        block = Block("x", 0, self.x.size, self._dtype)
        self.precision: Precision = precision_of(Function(_no_pullback, self.x, (block,), formats))
        self.scale: Vector = scales(self.x, self.precision.floor)

    def step(self, d: Vector) -> Vector:
        """Return the change that adding ``d`` to ``x`` makes, in the format of ``x``."""
        with np.errstate(all="ignore"):
            return (self.x + d).astype(self._dtype).astype(np.float64) - self.x

    def at(self, x: Vector) -> Vector:
        """Return the outputs at another point; nan where they are not finite real numbers, or ``f`` raises."""
        if not np.isfinite(x).all():
            return np.full(self.y.size, np.nan)
        self.forwards += 1
        try:
            with np.errstate(all="ignore"):
                y = _numbers(self._f(x.astype(self._dtype).reshape(self._shape)))
        except Exception:  # noqa: BLE001 - whatever f raises off its domain, the step was too large
            return np.full(self.y.size, np.nan)
        if y.shape != self.shape:
            raise UsageError(
                f"f changes its shape: {self.shape} at x, {y.shape} nearby", fix="return arrays of one shape"
            )
        if y.dtype.kind not in "iuf":
            return np.full(self.y.size, np.nan)
        out: Vector = y.astype(np.float64).ravel()
        return np.where(np.isfinite(out), out, np.nan)


@dataclass(frozen=True, slots=True)
class Level:
    """What the evaluations at one step gave, per output; nan where one of them is not finite.

    ``bend`` is the second difference; ``rest`` is the part of ``r`` that rounding kept from the stencil; ``dead`` are
    the outputs that did not move at all. The middle was ``shift`` steps from ``x``.
    """

    h: float
    shift: float
    r: Vector
    dy1: Vector
    t: Vector
    bend: Vector
    d4: Vector
    rest: Vector
    largest: Vector
    dead: Mask


def level(point: Point, v: Vector, h: float) -> Level | None:
    """Evaluate around the point; None where no output is finite, or elements do not move although they should."""
    share = min(_SHIFT_MOST, max(_SHIFT_LEAST, _SHIFT_ULPS * point.precision.eps / h))
    aside, d = point.step(share * h * v), point.step(h * v)
    xs = {k: point.x + point.step(aside + k * d) for k in (2.0, -2.0, 1.0, -1.0)}
    dx1, dx2 = xs[1.0] - xs[-1.0], xs[2.0] - xs[-2.0]
    if not (dx1.any() and dx2.any() and np.isfinite(dx2).all()):
        return None
    dy: dict[float, Vector] = {}
    for k, x in xs.items():
        dy[k] = point.at(x) - point.y
        if not np.isfinite(dy[k]).any():
            return None
    h1, h2, shift, rest = h, h, share * h, np.zeros(point.y.size)
    if np.count_nonzero(v) == 1:
        i = int(np.flatnonzero(v)[0])
        h1, h2, shift = float(dx1[i] / (2.0 * v[i])), float(dx2[i] / (4.0 * v[i])), float(aside[i] / v[i])
    else:
        rest = _rest(point, v, v - (8.0 * dx1 - dx2) / (12.0 * h), h)
    if not np.isfinite(rest).any():
        return None
    with np.errstate(all="ignore"):
        dy1, dy2 = (dy[1.0] - dy[-1.0]) / (2.0 * h1), (dy[2.0] - dy[-2.0]) / (4.0 * h2)
        r = (4.0 * dy1 - dy2) / 3.0
        bend = dy[1.0] + dy[-1.0] - 2.0 * shift * r
        back = rest - shift * bend / h**2
        return Level(
            h,
            shift / h,
            r=r + back,
            dy1=dy1 + back,
            t=dy2 - dy1,
            bend=bend,
            d4=dy[2.0] + dy[-2.0] - 4.0 * (dy[1.0] + dy[-1.0]) + 6.0 * shift * r,
            rest=rest,
            largest=np.abs(point.y) + np.fmax(np.abs(dy[2.0]), np.abs(dy[-2.0])),
            dead=np.logical_and.reduce([change == 0.0 for change in dy.values()]),
        )


def _rest(point: Point, v: Vector, missing: Vector, h: float) -> Vector:
    """Return the slope along ``missing``, the part of ``v`` that rounding ``x + h v`` lost, at steps as long as that.

    The part is small, so that the error of a one-sided difference matters little. An element of ``v`` too small to move
    anything is lost as a whole; it gets its turn when what is larger has been measured. All nan if it never does.
    """
    total = np.zeros(point.y.size)
    while (length := float((np.abs(missing) / point.scale).max())) > 0.0:
        e = h / length
        d = point.step(e * missing)
        if not d.any():
            break
        with np.errstate(all="ignore"):
            total += (point.at(point.x + d) - point.y) / e
        missing = missing - d / e
        if (np.abs(missing) <= 0.5 * np.abs(v)).all():
            break
    return total if (np.abs(missing) <= 0.5 * np.abs(v)).all() else np.full(point.y.size, np.nan)


def _numbers(y: Any) -> NDArray[Any]:
    """Return what ``f`` returned as an array. It may be a buffer that ``f`` uses again and again."""
    try:
        return np.asarray(y)
    except ValueError as error:
        raise UsageError(f"f returned no array: {error}", fix="return one array or number") from error


def _no_pullback(_: Vector) -> Any:
    raise AssertionError("a numeric derivative asks for no analytic one")
