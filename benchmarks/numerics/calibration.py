"""How often a true derivative lies outside its error bar, and how loose the bars are.

``python -m benchmarks.numerics.calibration [--seeds 1000] [--jobs N] [--write]``

A *probe* is the derivative of ``w @ y`` for a random cotangent ``w`` along a random direction, sign times U[1, 2) times
the scale of the argument: one for each argument of each reference layer, dtype, scale and seed. Two bars are held
against the truth: that of the engine's own probe (`gradcheck.derivative.deep`), on which verdicts stand, with the right
analytic gradient; and that of `gradcheck.derivative.directional`, which is given the function alone. The truth is the
layer's own forward and backward in long double, at the very point that the dtype holds.
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import layers
from gradcheck.derivative import Block, Function, directional
from gradcheck.derivative.deep import probe
from gradcheck.derivative.probe import Centre, Direction, cotangent

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "calibration.md"
LONG = np.longdouble
SCALES = (1e-6, 1e-4, 1e-2, 1.0, 1e2, 1e4, 1e6)
DTYPES = ("float64", "float32")
BARS = ("engine", "directional")
# Inputs are drawn at every scale, parameters at 1: layer -> (shapes of the inputs, shapes of the parameters).
SHAPES: dict[str, tuple[dict[str, tuple[int, ...]], dict[str, tuple[int, ...]]]] = {
    "Mul": ({"x": (3, 4), "y": (3, 4)}, {}),
    "Add": ({"x": (3, 4), "y": (4,)}, {}),
    "Relu": ({"x": (3, 4)}, {}),
    "Sigmoid": ({"x": (3, 4)}, {}),
    "Affine": ({"x": (3, 4)}, {"W": (4, 2), "b": (2,)}),
}
# Seeds that one process works off at a time.
_CHUNK = 50

Array = NDArray[Any]


@dataclass(frozen=True)
class Row:
    """The probes of one argument at one dtype and scale, by one of the bars; one element per seed.

    ``error`` is numeric minus true, ``size`` the norm of the derivatives along each element, which is what a random
    direction feels. All three are nan or infinite where there is no estimate.
    """

    bar: str
    layer: str
    argument: str
    dtype: str
    scale: float
    seeds: range
    error: Array
    width: Array
    size: Array

    @property
    def misses(self) -> Array:
        """Where the truth lies outside of the bar."""
        return np.abs(self.error) > self.width

    @property
    def vacuous(self) -> Array:
        """Where the derivative is zero, or lost in the bar, so that the bar says nothing of it."""
        return self.size <= self.width


def measure(seeds: int, jobs: int = 1) -> list[Row]:
    """Make all probes for so many seeds; return a row for each bar, argument, dtype and scale, in that order."""
    if not set(layers.__all__) <= SHAPES.keys():
        raise LookupError(f"say in SHAPES what {sorted(set(layers.__all__) - SHAPES.keys())} are called with")
    if not np.finfo(LONG).eps < 1e-18:
        raise RuntimeError("long double is no more precise than double on this platform: there is no truth to be had")
    chunks = [range(first, min(first + _CHUNK, seeds)) for first in range(0, seeds, _CHUNK)]
    work = list(product(layers.__all__, DTYPES, SCALES, chunks))
    if jobs == 1:
        done = [_probes(*one) for one in work]
    else:
        with ProcessPoolExecutor(jobs) as pool:
            done = list(pool.map(_probes, *zip(*work, strict=True)))
    parts: dict[tuple[str, str, str, str, float], list[Row]] = {}
    for row in (row for rows in done for row in rows):
        parts.setdefault((row.bar, row.layer, row.argument, row.dtype, row.scale), []).append(row)
    joined = [
        Row(*key, range(seeds), *(np.concatenate([getattr(p, z) for p in part]) for z in ("error", "width", "size")))
        for key, part in parts.items()
    ]
    return sorted(joined, key=lambda row: BARS.index(row.bar))


def _probes(name: str, dtype: str, scale: float, seeds: range) -> list[Row]:
    """Make the probes of one layer at one dtype and scale."""
    inputs, parameters = SHAPES[name]
    found: dict[tuple[str, str], list[tuple[float, float, float]]] = {}
    for seed in seeds:
        rng = np.random.default_rng([seed, layers.__all__.index(name), DTYPES.index(dtype), SCALES.index(scale)])
        sizes = dict.fromkeys(inputs, scale) | dict.fromkeys(parameters, 1.0)
        arrays = {
            argument: (sizes[argument] * rng.standard_normal(shape)).astype(dtype)
            for argument, shape in (inputs | parameters).items()
        }
        layer = _Flat(name, arrays)
        with np.errstate(all="ignore"):
            centre = Centre(layer.function(), rng)
            w = cotangent(centre)
            for block in layer.blocks:
                u = rng.choice((-1.0, 1.0), block.stop - block.start) * (1.0 + rng.random(block.stop - block.start))
                direction = Direction(block.where, sizes[block.name] * u)
                found.setdefault(("engine", block.name), []).append(_by_the_engine(layer, centre, w, direction))
                found.setdefault(("directional", block.name), []).append(_alone(layer, w, block, direction.v))
    return [
        Row(bar, name, argument, dtype, scale, seeds, *np.array(triples).T)
        for (bar, argument), triples in found.items()
    ]


class _Flat:
    """A layer at a point, as a function of all its arguments laid end to end."""

    def __init__(self, name: str, arrays: dict[str, Array]) -> None:
        self.name, self.arrays, self.blocks, start = name, arrays, [], 0
        for argument, a in arrays.items():
            self.blocks.append(Block(argument, start, start + a.size, a.dtype, a.shape))
            start += a.size

    def run(self, arrays: dict[str, Array]) -> tuple[Array, Callable[[Array], Array]]:
        """Return the output, and a flat pullback of a cotangent in its shape."""
        inputs, parameters = SHAPES[self.name]
        layer = getattr(layers, self.name)(**{argument: arrays[argument] for argument in parameters})
        y = layer.forward(*(arrays[argument] for argument in inputs))

        def pullback(w: Array) -> Array:
            g = layer.backward(w)
            gradients = dict(zip(inputs, g if isinstance(g, tuple) else (g,), strict=True))
            gradients |= {argument: getattr(layer, f"d{argument}") for argument in parameters}
            return np.concatenate([np.ravel(gradients[block.name]) for block in self.blocks])

        return y, pullback

    def function(self) -> Function:
        """Return what the engine wants."""

        def vjp(x: Array) -> tuple[Array, Callable[[Array], Array]]:
            y, pullback = self.run({b.name: x[b.where].astype(b.dtype).reshape(b.shape) for b in self.blocks})
            return y.ravel().astype(np.float64), lambda w: pullback(w.reshape(y.shape).astype(y.dtype)).astype(float)

        x = np.concatenate([np.ravel(a).astype(np.float64) for a in self.arrays.values()])
        return Function(vjp, x, tuple(self.blocks), (self.run(self.arrays)[0].dtype,))

    def truth(self, w: Array) -> Array:
        """Return the gradient of ``w @ y`` in long double."""
        y, pullback = self.run({argument: a.astype(LONG) for argument, a in self.arrays.items()})
        return pullback(w.reshape(y.shape).astype(LONG))


def _by_the_engine(layer: _Flat, centre: Centre, w: Array, direction: Direction) -> tuple[float, float, float]:
    """Return error, bar and size of the engine's probe, along the direction that its format could hold."""
    scalar = centre.scalar(w)
    found = probe(centre, direction, scalar, centre.precision.step, centre.precision)
    if found.best is None or found.stencil is None:
        return np.nan, np.inf, np.nan
    s = found.stencil
    realised = (8.0 * s.dx1.astype(LONG) - s.dx2) / (12.0 * LONG(s.h))
    right = layer.truth(found.scalar.w)[direction.where]
    given = found.scalar.g[direction.where]
    error = found.best.residual + ((given - right) * realised).sum()
    return float(error), found.best.bar, float(np.sqrt(np.square(right * realised).sum()))


def _alone(layer: _Flat, w: Array, block: Block, v: Array) -> tuple[float, float, float]:
    """Return error, bar and size of `directional`, given ``w @ y`` as a function of one argument."""

    def f(z: Array) -> Any:
        y, _ = layer.run(layer.arrays | {block.name: z})
        return (w.reshape(y.shape).astype(y.dtype) * y).sum()

    found = directional(f, layer.arrays[block.name], v.reshape(block.shape))
    each = layer.truth(w)[block.where] * v
    error, width = float(found.value - each.sum()), float(found.error_bar)
    return (error if np.isfinite(width) else np.nan), width, float(np.sqrt(np.square(each).sum()))


def report(rows: list[Row], command: str) -> str:
    """Write the document."""
    tables = {bar: _table([row for row in rows if row.bar == bar]) for bar in BARS}
    totals = {bar: _total([row for row in rows if row.bar == bar]) for bar in BARS}
    return _TEXT.format(
        command=command,
        machine=f"Python {platform.python_version()}, NumPy {np.__version__}, {platform.machine()}",
        epsilon=f"{np.finfo(LONG).eps:.1e}",
        layers=", ".join(layers.__all__),
        **{f"{bar}_table": tables[bar] for bar in BARS},
        **{f"{bar}_total": totals[bar] for bar in BARS},
    )


def _table(rows: list[Row]) -> str:
    lines = ["| " + " | ".join(_COLUMNS) + " |", "| --- " * len(_COLUMNS) + "|"]
    for dtype, scale in product(DTYPES, SCALES):
        some = [row for row in rows if (row.dtype, row.scale) == (dtype, scale)]
        error, width, size = (np.concatenate([getattr(row, z) for row in some]) for z in ("error", "width", "size"))
        vacuous = np.concatenate([row.vacuous for row in some])
        none = ~np.isfinite(width)
        telling = ~vacuous & ~none
        cells = [dtype, f"{scale:g}", f"{error.size:,}", f"{vacuous.sum():,}", f"{none.sum():,}"]
        cells.append(f"{sum(row.misses.sum() for row in some)}")
        cells += [f"{z:.1e}" for z in _shares(width[telling] / size[telling], (0.5, 0.99))]
        cells += [f"{z:.3g}" for z in _shares(looseness(width[telling], error[telling]), (0.0, 0.01, 0.5, 0.99))]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def looseness(width: Array, error: Array) -> Array:
    """Return how many times wider than the error a bar is; infinite where the error is zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(error == 0.0, np.inf, width / np.abs(error)))


def _shares(z: Array, shares: tuple[float, ...]) -> Iterator[float]:
    return (float(np.quantile(z, share, method="lower")) if z.size else float("nan") for share in shares)


def _total(rows: list[Row]) -> str:
    n = sum(row.error.size for row in rows)
    misses = [(row, seed) for row in rows for seed in np.array(row.seeds)[row.misses]]
    said = f"{n:,} probes, {len(misses)} outside of the bar"
    if not misses:
        return f"{said}: by the rule of three, below {3.0 / n:.1e} of such probes with 95 % confidence."
    which = [f"{row.layer}.{row.argument} {row.dtype} {row.scale:g} seed {seed}" for row, seed in misses[:20]]
    return f"{said}: {', '.join(which)}{' ...' if len(misses) > 20 else ''}."


_COLUMNS = (
    *("dtype", "scale", "probes", "vacuous", "no estimate", "outside"),
    *("bar / derivative, median", "99 %", "bar / error, least", "1 %", "median", "99 %"),
)
_TEXT = """# Calibration: true derivatives and their error bars

    {command}

{machine}, long double with an epsilon of {epsilon}

A probe is the derivative of `w @ y` along a direction, sign times U[1, 2) times the scale, for a random cotangent `w`;
one for each layer ({layers}), argument, dtype, scale and seed. Inputs are normal times the scale,
parameters normal. The truth is the layer's own forward and backward in long double, at the point that the dtype holds.

- *outside*: the true error exceeds the bar. This is the number that has to be 0.
- *vacuous*: the derivative (the norm of its parts along the elements) is zero or lost in the bar, as in a saturated
  sigmoid. *no estimate*: the bar is infinite. Both are counted in *outside*, and left out of what follows.
- *bar / derivative*: how fine the bar is; *bar / error*: how loose, 1 being the tightest that is right.

## The engine's own probe

What verdicts stand on: `gradcheck.derivative.deep.probe` with the right gradient, along the realised direction.
{engine_total}

{engine_table}

## `gradcheck.derivative.directional`

No gradient is given; `w @ y` is summed in the dtype of the layer, and differentiated as one number. {directional_total}

{directional_table}
"""


def main() -> int:
    """Run from the command line; exit status 1 if a truth lies outside of its bar."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.calibration")
    parser.add_argument("--seeds", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name} in docs/measured")
    given = parser.parse_args()
    command = f"python -m benchmarks.numerics.calibration --seeds {given.seeds} --jobs {given.jobs}"
    try:
        rows = measure(given.seeds, given.jobs)
    except RuntimeError as error:
        sys.exit(str(error))
    text = report(rows, command + (" --write" if given.write else ""))
    print(text)
    if given.write:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text, encoding="utf-8")
    return 1 if any(row.misses.any() for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
