"""What a comparison costs, counted in calls, and timed beside the one forward and backward that it is about.

``python -m benchmarks.numerics.cost [--largest 10000000] [--write]`` prints both, beside the peers that are installed.
"""

from __future__ import annotations

import argparse
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

import gradcheck
from benchmarks.numerics.peers import Verdict, counted, table
from benchmarks.numerics.problems import Problem
from benchmarks.numerics.sized import affine, affine_of, compared, convolution, flat, tanh_of, worst
from benchmarks.numerics.timed import LONG, ROUNDS, Time, measure

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "cost.md"
PACKAGES = ("torch", "jax", "autograd", "scipy")


@dataclass(frozen=True)
class Calls:
    """How often a passing comparison ran a layer: its forward, of them at complex arguments, and its backward."""

    layer: str
    elements: int
    forwards: int
    at_complex: int
    backwards: int
    verdict: Verdict


def measure_calls(largest: int) -> list[Calls]:
    """Count the calls of passing comparisons of 10, 100, ... elements, up to ``largest``."""
    sizes = [10**k for k in range(1, len(str(largest))) if 10**k <= largest]
    return [calls(name, make(n)) for name, make in (("tanh", tanh_of), ("affine", affine_of)) for n in sizes]


def calls(name: str, problem: Problem) -> Calls:
    """Count the calls of one comparison."""
    watched, count = counted(problem)
    function = flat(watched)

    def extension(z: Any) -> Any:
        count["complex"] += 1
        return function.extension(z)

    count.clear()
    verdict = worst(compared(replace(function, extension=extension), 0))
    elements = sum(a.size for a in problem.arrays.values())
    return Calls(name, elements, count["forward"], count["complex"], count["backward"], verdict)


def measure_times() -> list[Time]:
    """Time an affine map and a convolution with our checkers and with those that are installed."""
    rows = []
    for dtype in (np.float64, np.float32):
        rows += measure(affine(4, 8, dtype), affine(8, 16, dtype), affine(256, 1024, dtype))
        rows += measure(convolution(1, 1, 6, dtype), convolution(1, 2, 8, dtype), convolution(4, 64, 32, dtype))
    return rows


def report(largest: int, command: str) -> str:
    """Measure everything, and lay it out as Markdown."""
    return "\n\n".join(
        [
            "# What a comparison costs",
            about(command),
            "## Calls",
            "What one passing `gradcheck.derivative.compare` of all arguments at once ran, by the number of elements. "
            "From about a million on, the complex step is left out: it takes as long as four forwards.",
            calls_table(measure_calls(largest)),
            "## Time",
            "As a ratio to one forward and one backward in the same process, on one thread: the fastest of "
            f"{ROUNDS} alternating rounds each (of one, where it took longer than {LONG:g} s). Whoever takes a central "
            "difference needs three forwards and one backward. Peers are left at their defaults; those that reject the "
            "right gradient of the small problem (torch says itself that it wants float64) were not asked about the "
            "large one. A line marked ≈ was not run: what looks at every element would take hours there, and its "
            "calls, which grow along a line with the number of elements and of outputs, are multiplied with the time "
            "of a call.",
            times_table(measure_times()),
        ]
    )


def calls_table(rows: Iterable[Calls]) -> str:
    """Lay call counts out as a table."""
    header = ("layer", "elements", "forwards", "of them complex", "backwards", "verdict")
    return table(
        header,
        [(r.layer, f"{r.elements:,}", str(r.forwards), str(r.at_complex), str(r.backwards), r.verdict) for r in rows],
    )


def times_table(rows: Iterable[Time]) -> str:
    """Lay timings out as a table."""
    header = ("problem", "checker", "ratio", "seconds", "forwards", "backwards", "verdict")
    said = {None: "not run", "unchecked": "returns a number"}
    return table(
        header,
        [
            (
                row.problem,
                row.checker,
                "≈ " * row.extrapolated + f"{row.ratio:,.1f}",
                "≈ " * row.extrapolated + f"{row.seconds:,.4f}",
                f"{row.forwards:,}",
                f"{row.backwards:,}",
                said.get(row.verdict, row.verdict),
            )
            for row in rows
        ],
    )


def about(command: str) -> str:
    """Say how something was measured: the command line, the versions and the machine."""
    versions = [f"Python {platform.python_version()}", f"NumPy {np.__version__}", f"gradcheck {gradcheck.__version__}"]
    versions += [f"{package} {metadata.version(package)}" for package in PACKAGES if find_spec(package)]
    return f"`{command}`: {', '.join(versions)}; {platform.machine()}, one thread."


def write(text: str, path: Path) -> None:
    """Write a report where the documentation has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report, or write it to ``docs/measured/cost.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.cost", description=__doc__)
    parser.add_argument("--largest", type=int, default=10_000_000, help="count calls up to so many elements")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name}, do not print")
    given = parser.parse_args(arguments)
    text = report(given.largest, f"{parser.prog} --largest {given.largest}")
    write(text, REPORT) if given.write else print(text)


if __name__ == "__main__":
    main()
