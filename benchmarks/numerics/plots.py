"""Four plots of how the error bars work: ``python -m benchmarks.numerics.plots`` writes them to ``docs/plots``.

They are the same to the byte wherever Matplotlib and NumPy are the same.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.numerics.calibration import BARS, DTYPES, looseness, measure
from gradcheck.derivative import Block, Function
from gradcheck.derivative.central import estimate, stencil
from gradcheck.derivative.judge import judge
from gradcheck.derivative.levels import Point, level
from gradcheck.derivative.probe import Centre, Direction

FOLDER = Path(__file__).parents[2] / "docs" / "plots"
BLUE, ORANGE, GREEN, RED, GREY = "#0072b2", "#d55e00", "#009e73", "#cc3311", "#777777"

Array = NDArray[Any]


def steps(axes: Any) -> None:
    """Draw the error of difference quotients of the sine against the step, and what is chosen."""
    x, true = 1.0, np.cos(1.0)
    h = 2.0 ** np.arange(-48.0, 0.5, 0.25)

    def central(h: Array) -> Array:
        up, down = x + h, x - h
        return (np.sin(up) - np.sin(down)) / (up - down)

    richardson = (4.0 * central(h) - central(2.0 * h)) / 3.0
    axes.loglog(h, np.abs(central(h) - true), ".", color=BLUE, markersize=3, label="central difference")
    axes.loglog(h, np.abs(richardson - true), ".", color=GREEN, markersize=3, label="Richardson's")
    axes.loglog(h, true * h**2 / 6.0, "-", color=GREY, linewidth=0.8, label="truncation, h² y‴/6")
    axes.loglog(h, 2.0**-53 * np.sin(x) / h, "--", color=GREY, linewidth=0.8, label="rounding, ε y/2h")
    point = Point(np.sin, np.array(x))
    levels = [level(point, np.ones(1), point.precision.step * ratio) for ratio in (1.0, 18.97)]
    seen = judge(point, [found for found in levels if found is not None], np.zeros(1), np.zeros(1))
    error = max(abs(float(seen.value[0]) - true), 1e-14)
    axes.errorbar(
        *(seen.h, [error]), yerr=[[0.0], [float(seen.bar[0]) - error]], fmt="o", color=ORANGE, capsize=4, label="chosen"
    )
    axes.set(xlabel="step h", ylabel="error of the derivative", ylim=(1e-14, 1.0), title="sin at 1: step, error, bar")
    axes.legend()


def kink(axes: Any) -> None:
    """Draw residual and bar of ``max(x, 0)`` near its kink, with the right gradient, against the step."""
    h = 2.0 ** np.arange(-36.0, -7.9, 0.25)
    for distance, colour in ((1e-6, BLUE), (0.0, GREEN)):
        x = np.full(1, distance)
        block = Block("x", 0, 1, x.dtype)
        function = Function(lambda x: (np.maximum(x, 0.0), lambda w: w * (x > 0)), x, (block,))
        centre = Centre(function, np.random.default_rng(0))
        scalar, direction = centre.scalar(np.ones(1)), Direction(block.where, np.ones(1))
        found = [estimate(s, scalar, centre.precision) for s in (stencil(centre, direction, step) for step in h) if s]
        where = "at the kink" if distance == 0.0 else f"{distance:g} from it"
        residual = np.array([abs(e.residual) for e in found])
        axes.loglog(h, np.where(residual > 1e-14, residual, np.nan), ".", color=colour, label=f"residual {where}")
        axes.loglog(h, [e.bar for e in found], "-", color=colour, linewidth=1, label=f"bar {where}")
    axes.axvline(1e-6, color=GREY, linewidth=0.8)
    axes.set(
        xlabel="step h", ylabel="numeric minus analytic", ylim=(1e-13, 20.0), title="max(x, 0): no kink exceeds the bar"
    )
    axes.legend(loc="lower right")


def widths(axes: Any) -> None:
    """Draw how many times wider than the true error the bars are, over the probes of the calibration."""
    rows = measure(SEEDS)
    for bar, style in zip(BARS, ("-", "--"), strict=True):
        for dtype, colour in zip(DTYPES, (BLUE, ORANGE), strict=True):
            some = [row for row in rows if (row.bar, row.dtype) == (bar, dtype)]
            error, width = (np.concatenate([getattr(row, z) for row in some]) for z in ("error", "width"))
            telling = np.isfinite(width) & ~np.concatenate([row.vacuous for row in some])
            ratios = np.sort(looseness(width[telling], error[telling]))
            shares = np.linspace(0.0, 1.0, 201)
            at = np.quantile(ratios, shares, method="lower")
            axes.semilogx(np.minimum(at, 1e12), shares, style, color=colour, label=f"{bar}, {dtype}")
    axes.axvline(1.0, color=RED, linewidth=1)
    axes.text(1.05, 0.93, "the truth lies\noutside, left of 1", color=RED, fontsize=7)
    axes.set(xlabel="bar / true error", ylabel="share of the probes", xlim=(0.5, 1e4), title="How loose the bars are")
    axes.legend(loc="lower right")


SEEDS = 20
_N, _DRAWS = 50, 20_000


def misses(axes: Any) -> None:
    """Draw how often a direction sees nothing of an error: one element off, or two swapped."""
    rng = np.random.default_rng(0)
    signs = rng.choice((-1.0, 1.0), (_DRAWS, _N))
    directions = {
        "ones": (np.ones((_DRAWS, _N)), GREY),
        "Rademacher": (signs, RED),
        "Gaussian": (rng.standard_normal((_DRAWS, _N)), ORANGE),
        "hybrid, sign times U[1, 2)": (signs * (1.0 + rng.random((_DRAWS, _N))), BLUE),
    }
    g = rng.standard_normal((_DRAWS, _N))
    one, swapped = np.zeros_like(g), np.zeros_like(g)
    one[:, 0] = 1e-3 * g[:, 0]
    swapped[:, 0], swapped[:, 1] = g[:, 1] - g[:, 0], g[:, 0] - g[:, 1]
    resolution = 10.0 ** np.arange(-9.0, 0.01, 0.25)
    for name, (v, colour) in directions.items():
        felt = np.linalg.norm(g * v, axis=1)
        for error, style, what in ((one, "--", "one off by 1e-3"), (swapped, "-", "two swapped")):
            seen = np.sort(np.abs((error * v).sum(axis=1)) / felt)
            share = np.searchsorted(seen, resolution, side="right") / _DRAWS
            axes.loglog(
                resolution,
                np.where(share > 0.0, share, np.nan),
                style,
                color=colour,
                linewidth=1.2,
                label=f"{name}, {what}",
            )
    axes.set(
        xlabel="resolution (bar / derivative)",
        ylabel="share of draws that miss",
        ylim=(3e-5, 1.5),
        title="What directions miss",
    )
    axes.legend(fontsize=6)


PLOTS: dict[str, Callable[[Any], None]] = {"step": steps, "kink": kink, "looseness": widths, "directions": misses}
_STYLE = {
    "svg.hashsalt": "gradcheck",  # otherwise identifiers are drawn anew each time
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "legend.fontsize": 7,
    "axes.grid": True,
    "grid.alpha": 0.3,
}


def main(folder: Path = FOLDER) -> None:
    """Write all plots as SVG."""
    try:
        import matplotlib as mpl  # noqa: PLC0415 - only who draws needs it
        from matplotlib.figure import Figure  # noqa: PLC0415
    except ImportError:
        sys.exit("the plots are drawn by Matplotlib, which is not installed: pip install matplotlib")
    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in PLOTS.items():
        with mpl.rc_context(_STYLE):
            figure = Figure(figsize=(5.0, 3.4), layout="constrained")
            draw(figure.add_subplot())
            figure.savefig(folder / f"{name}.svg", format="svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
