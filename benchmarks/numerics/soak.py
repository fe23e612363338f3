"""Fresh seeds for the catalogue of right functions: ``python -m benchmarks.numerics.soak --seeds 250``.

No block may get a verdict that its function forbids (`tests/derivative/conftest.py`), along directions or element by
element. Ends with exit status 1 if one did, and says which seed shows it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat

import numpy as np

from gradcheck.derivative import compare
from tests.derivative.conftest import CATALOGUE, pack

FIRST = 10_000  # seeds below were looked at while building


def soak(name: str, seeds: range, complete_up_to: int) -> tuple[Counter[str], list[str]]:
    """Compare one function at many seeds; return how often each verdict was given, and what may not be."""
    right = next(right for right in CATALOGUE if right.name == name)
    verdicts: Counter[str] = Counter()
    forbidden: list[str] = []
    with np.errstate(all="ignore"):
        for seed in seeds:
            function = pack(right.vjp, right.draw(np.random.default_rng([seed, 1])))
            found = compare(function, np.random.default_rng([seed, 2]), complete_up_to=complete_up_to)
            verdicts.update(comparison.verdict for comparison in found.values())
            forbidden += [f"{name}, seed {seed}: {c}" for c in found.values() if c.verdict in right.never]
    return verdicts, forbidden


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.soak", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--complete", type=int, default=0, help="stencils for element-by-element comparison")
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    names = [right.name for right in CATALOGUE]
    seeds = range(FIRST, FIRST + options.seeds)
    with ProcessPoolExecutor(options.jobs) as pool:
        found = list(pool.map(soak, names, repeat(seeds), repeat(options.complete)))
    total = sum((verdicts for verdicts, _ in found), Counter())
    forbidden = [line for _, lines in found for line in lines]
    print(f"{total.total():,} checks of {len(names)} right functions, {options.seeds} seeds: {dict(total)}")
    print(f"{len(forbidden)} verdicts that may not be", *forbidden, sep="\n  ")
    return 1 if forbidden else 0


if __name__ == "__main__":
    sys.exit(main())
