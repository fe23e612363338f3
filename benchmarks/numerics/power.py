"""How small an error is found: relative errors planted in right gradients, smaller and smaller.

``python -m benchmarks.numerics.power [--seeds 100] [--jobs 1] [--peers] [--write]`` prints, for layers of ten to a
million elements, the smallest power of ten that is found in 99 of 100 draws of the point, of the place and of the
check, and whether the bounds that the documentation states were held. Its exit status is 1 where they were not.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks.numerics.cost import about, write
from benchmarks.numerics.peers import Verdict, available, ours_check, table
from benchmarks.numerics.plant import KINDS, planted
from benchmarks.numerics.problems import Problem
from benchmarks.numerics.sized import SIZED, compared, flat

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "power.md"
DECADES = tuple(10.0**k for k in range(-8, 3))
SIZES = (10, 100, 1_000, 10_000, 1_000_000)
DTYPES = {"float64": np.float64, "float32": np.float32}
# The largest sizes at which a checker is asked: beyond, it would take minutes for every answer.
LARGEST = {"compare": SIZES[-1], "check": 1_000, "torch slow": 100, "torch fast": SIZES[-1], "jax": SIZES[-1]}
# From this size on, so many times fewer draws: an error that is found is located, which takes ten seconds.
_MANY, _FEWER = 100_000, 20

Check = Callable[[Problem, str, int], Verdict]


@dataclass(frozen=True)
class Job:
    """What is measured at once: errors of one kind in one layer of one size, shown to one checker."""

    layer: str
    dtype: str
    n: int
    kind: str
    checker: str
    seeds: int

    @property
    def bound(self) -> float | None:
        """The error that the documentation says is always found; None where it says nothing."""
        if self.kind == "all of an argument" and self.checker in ("compare", "check"):
            return 1e-6 if self.dtype == "float64" or self.checker == "check" else 1e-3
        return 1e-6 if self.checker == "check" and self.n <= 1_000 else None


@dataclass(frozen=True)
class Power:
    """What a checker found; ``smallest`` is None where it did not find the largest error either.

    ``rejected`` counts the draws in which the right gradient was failed (asked once, beside the first kind of error),
    ``held`` those in which the bound was kept.
    """

    job: Job
    smallest: float | None
    rejected: int | None
    held: int | None


def measure(jobs: Iterable[Job], *, processes: int = 1) -> list[Power]:
    """Measure jobs, the long ones first."""
    ordered = sorted(jobs, key=lambda job: -job.n)
    if processes == 1:
        return [power_of(job) for job in ordered]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:  # a JAX that runs does not fork
        return list(pool.map(power_of, ordered))


def power_of(job: Job) -> Power:
    """Find the smallest error that is found in 99 of 100 draws, by bisection over the decades."""
    allowed = job.seeds // 100

    def is_found(error: float) -> bool:
        missed = 0
        for seed in range(job.seeds):
            missed += not _found(job, error, seed)
            if missed > allowed:
                return False
        return True

    rejected = sum(_found(job, 0.0, seed) for seed in range(job.seeds)) if job.kind == KINDS[0] else None
    held = None if job.bound is None else sum(_found(job, job.bound, seed) for seed in range(job.seeds))
    low, high = 0, len(DECADES)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_found(DECADES[middle]) else (middle + 1, high)
    return Power(job, DECADES[low] if low < len(DECADES) else None, rejected, held)


def _found(job: Job, error: float, seed: int) -> bool:
    problem = SIZED[job.layer](job.n, DTYPES[job.dtype], seed)
    argument, wrong = planted(problem, job.kind, error, np.random.default_rng([seed, 7]))
    return checkers()[job.checker](wrong, argument, seed) == "fail"


# --- checkers --------------------------------------------------------------------------------------------------------


@cache
def checkers() -> dict[str, Check]:
    """Return our own checkers and the peers that are installed."""
    peers: dict[str, Check] = {peer.name: _peer(peer.check) for peer in available()}
    if "torch fast" in peers:
        peers["torch fast"] = _without_explanation(peers["torch fast"])
    return {
        "compare": lambda problem, argument, seed: compared(flat(problem), seed)[argument].verdict,
        "check": lambda problem, _, seed: ours_check(problem, seed),
        **peers,
    }


def _peer(check: Callable[[Problem, int], Verdict]) -> Check:
    return lambda problem, _, seed: check(problem, seed)


def _without_explanation(check: Check) -> Check:
    """Spare torch what it does once a fast check has failed: look at every element, for its message."""

    def silent(problem: Problem, argument: str, seed: int) -> Verdict:
        import torch.autograd.gradcheck  # noqa: F401, PLC0415

        module = sys.modules["torch.autograd.gradcheck"]
        with mock.patch.object(module, "_run_slow_mode_and_get_error", return_value=""):
            return check(problem, argument, seed)

    return silent


# --- report ----------------------------------------------------------------------------------------------------------


def jobs_of(seeds: int, *, peers: bool, largest: int = SIZES[-1], layers: Iterable[str] = SIZED) -> list[Job]:
    """List everything that is measured."""
    names = [name for name in checkers() if peers or name in ("compare", "check")]
    return [
        Job(layer, dtype, n, kind, name, _seeds(n, seeds))
        for layer, dtype, n, kind, name in product(layers, DTYPES, SIZES, KINDS, names)
        if n <= min(largest, LARGEST.get(name, SIZES[-1]))
    ]


def _seeds(n: int, seeds: int) -> int:
    return max(1, seeds // _FEWER) if n >= _MANY else seeds


def report(rows: Sequence[Power], how: str) -> str:
    """Lay out what was found as Markdown."""
    seeds = max(row.job.seeds for row in rows)
    return "\n\n".join(
        [
            "# How small an error is found",
            how,
            f"The smallest relative error, of 1e-8 to 100, that is found in 99 of 100 draws: {seeds:,} draws each of "
            f"the point, of the place and of the check, {_seeds(_MANY, seeds)} from {_MANY:,} elements on. *compare* "
            "is one run of the numeric core in the format of the arrays; *check* is `gradcheck.check` of a pair of "
            "functions, by default, which promotes float32. *One element* is any whose gradient is not zero, "
            "*one of median size* the one in the middle by the size of its gradient; an argument may be any. "
            f"*-*: not found by {DECADES[-1]:g} either. *rejects*: fails the right gradient too, in more than one draw "
            "of 100.",
            *(f"## {dtype}\n\n{_table([row for row in rows if row.job.dtype == dtype])}" for dtype in DTYPES),
            "## Right gradients",
            _rejections(rows),
            "## Bounds",
            bounds(rows),
        ]
    )


def _table(rows: Sequence[Power]) -> str:
    names = list(dict.fromkeys(row.job.checker for row in sorted(rows, key=lambda row: row.job.n)))
    rejects = {_place(r.job) for r in rows if r.rejected is not None and r.rejected > r.job.seeds // 100}

    def cell(row: Power) -> str:
        if _place(row.job) in rejects:
            return "rejects"
        return "-" if row.smallest is None else f"{row.smallest:.0e}"

    cells = {(*_place(row.job), row.job.kind): cell(row) for row in rows}
    lines = [
        (layer, f"{n:,}", kind, *(cells.get((layer, n, name, kind), "") for name in names))
        for layer, n, kind in product(SIZED, SIZES, KINDS)
        if any((layer, n, name, kind) in cells for name in names)
    ]
    return table(("layer", "elements", "error in", *names), lines)


def _place(job: Job) -> tuple[str, int, str]:
    return job.layer, job.n, job.checker


def _rejections(rows: Sequence[Power]) -> str:
    lines = []
    for name, dtype in product(dict.fromkeys(row.job.checker for row in rows), DTYPES):
        of = [r for r in rows if r.job.checker == name and r.job.dtype == dtype and r.rejected is not None]
        if of:
            lines.append((name, dtype, f"{sum(r.rejected or 0 for r in of):,}", f"{sum(r.job.seeds for r in of):,}"))
    return table(("checker", "format", "right gradients rejected", "of"), lines)


def bounds(rows: Iterable[Power]) -> str:
    """Say whether what the documentation states was held, and where it was not."""
    stated = [row for row in rows if row.held is not None]
    broken = [row for row in stated if row.held != row.job.seeds]
    said = (
        "All elements of an argument by 1e-6 (float64, and float32 where it is promoted) or by 1e-3 (float32), at any "
        "size; one element or one row by 1e-6 among up to 1,000 with `gradcheck.check`. Held in all draws of "
        f"{len(stated) - len(broken)} of {len(stated)} settings"
    )
    if not broken:
        return said + "."
    lines = [
        (job.checker, job.dtype, job.layer, f"{job.n:,}", job.kind, f"{job.bound:g}", f"{row.held} of {job.seeds}")
        for row in broken
        for job in (row.job,)
    ]
    header = ("checker", "format", "layer", "elements", "error in", "by", "found")
    return f"{said}; not of\n\n{table(header, lines)}"


def saved(rows: Iterable[Power], how: str) -> str:
    """Write rows, and how they were measured, as text."""
    return "\n".join([how, *(json.dumps(asdict(row)) for row in rows)])


def loaded(text: str) -> tuple[list[Power], str]:
    """Read what `saved` wrote."""
    how, *lines = text.splitlines()
    found = [json.loads(line) for line in lines]
    return [Power(**row | {"job": Job(**row["job"])}) for row in found], how


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report, or write it to ``docs/measured/power.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.power", description=__doc__)
    parser.add_argument("--seeds", type=int, default=100, help="draws for every error")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--largest", type=int, default=SIZES[-1], help="leave out larger layers")
    parser.add_argument("--layer", action="append", choices=list(SIZED), help="only these (may be given again)")
    parser.add_argument("--peers", action="store_true", help="ask the peers that are installed, too")
    parser.add_argument("--save", type=Path, help="write what was measured to this file; do not report")
    parser.add_argument("--load", type=Path, nargs="+", help="report what such files hold; do not measure")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name}, do not print")
    given = parser.parse_args(arguments)
    how = about(f"{parser.prog} --seeds {given.seeds}" + " --peers" * given.peers)
    if given.load:
        parts = [loaded(path.read_text(encoding="utf-8")) for path in given.load]
        rows, how = [row for part, _ in parts for row in part], "\n\n".join(dict.fromkeys(how for _, how in parts))
    else:
        layers = given.layer or SIZED
        jobs = jobs_of(given.seeds, peers=given.peers, largest=given.largest, layers=layers)
        rows = measure(jobs, processes=given.jobs)
    if given.save:
        given.save.write_text(saved(rows, how), encoding="utf-8")
    elif given.write:
        write(report(rows, how), REPORT)
    else:
        print(report(rows, how))
    return int(any(row.held not in (None, row.job.seeds) for row in rows))


if __name__ == "__main__":
    sys.exit(main())
