"""The corpus at default settings: how many wrong layers are found by the rule on their label, how many right accused.

``python -m benchmarks.corpus [--wrong 20] [--right 200] [--only recurrent] [--jobs 2] [--write]`` prints both numbers,
and every layer that is not found or is accused, with the seed that shows it.
"""

from __future__ import annotations

import argparse
import os
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradcheck
from benchmarks.numerics.cost import about, write
from benchmarks.numerics.peers import table
from gradcheck.cases.search import Points
from gradcheck.examine import Request, sweep
from gradcheck.subject.discover import of_object
from gradcheck.subject.world import quiet_world
from tests.corpus import MODULES, ODD, WRONG, Wrong
from tests.corpus.entry import name_of

REPORT = Path(__file__).parents[1] / "docs" / "measured" / "corpus.md"


@dataclass(frozen=True, slots=True)
class Right:
    """A layer that must not be accused, and the warnings that it may bring about."""

    name: str
    layer: Any
    options: Any
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one layer at some seeds: ``failures`` holds the seeds at which it was missed or accused."""

    name: str
    rule: str
    level: str
    seeds: int
    failures: tuple[int, ...]
    said: str = ""
    missed: str = ""


def right_layers() -> tuple[Right, ...]:
    """Return every right twin once, and the layers that look odd."""
    twins = {_identity(entry): Right(f"{name_of(entry.right)}", entry.right, entry.options) for entry in WRONG}
    return (*twins.values(), *(Right(entry.name, entry.layer, entry.options, entry.warnings) for entry in ODD))


def rules_found(layer: Any, seed: int, options: Any) -> set[tuple[str, str]]:
    """Return the rules that a check finds broken, with their levels: without the time to shrink and explain them."""
    found = of_object(layer)
    request = Request(seed=seed, **options)
    with quiet_world():
        points = Points.of(
            found.name, found.obj,
            inputs=request.inputs, settings=request.settings, cases=request.cases, signature=request.signature,
        )  # fmt: skip
        tally = sweep(points, found, request)
    return {(finding.rule, finding.level) for finding, _, _ in tally.findings.values()}


def is_found(entry: Wrong, seed: int) -> tuple[bool, str]:
    """Whether a wrong layer is found by its own rule at its own level; and what was found."""
    try:
        found = rules_found(entry.layer, seed, entry.options)
    except gradcheck.UsageError as error:
        return False, str(error)
    return (entry.rule, entry.level) in found, ", ".join(sorted(rule for rule, _ in found))


def is_accused(right: Right, seed: int) -> tuple[bool, str]:
    """Whether a right layer is accused at level error; and of what, or why it could not be checked."""
    report = gradcheck.check(right.layer, seed=seed, **right.options)
    errors = [f"{f.rule} at {f.case}" for f in report.findings if f.level == "error"]
    return report.verdict == "fail", ", ".join(errors) or f"{report.verdict} {report.subjects[0].reason or ''}"


def outcome_of_wrong(number: int, seeds: Sequence[int]) -> Outcome:
    """Run one wrong layer; numbers go between processes, layers do not."""
    entry = WRONG[number]
    tries = [(seed, *is_found(entry, seed)) for seed in seeds]
    failures = tuple(seed for seed, found, _ in tries if not found)
    said = next((said for _, found, said in tries if not found), "")
    return Outcome(entry.name, entry.rule, entry.level, len(seeds), failures, said, entry.missed)


def outcome_of_right(number: int, seeds: Sequence[int]) -> Outcome:
    """Run one right layer."""
    right = right_layers()[number]
    tries = [(seed, *is_accused(right, seed)) for seed in seeds]
    failures = tuple(seed for seed, accused, _ in tries if accused)
    said = next((said for _, accused, said in tries if accused), "")
    return Outcome(right.name, "", "error", len(seeds), failures, said)


def slice_of(entries: Iterable[Any], part: int, parts: int) -> Iterator[Any]:
    """Yield the entries of one of several parts, by their names: the same part on every machine."""
    return (entry for entry in entries if zlib.crc32(entry.name.encode()) % parts == part)


def _identity(entry: Wrong) -> tuple[object, ...]:
    parts = entry.right if isinstance(entry.right, tuple) else (entry.right,)
    return (*map(id, parts), str(entry.options.get("signature")))


def _numbers(only: str) -> tuple[list[int], list[int]]:
    """Return the positions of the wrong and of the right layers that are asked for."""
    modules = {module.__name__ for module in MODULES if only in module.__name__}

    def chosen(layer: Any) -> bool:
        last = layer[-1] if isinstance(layer, tuple) else layer
        return getattr(last, "__module__", "") in modules or not only

    wrong = [k for k, entry in enumerate(WRONG) if chosen(entry.layer)]
    return wrong, [k for k, right in enumerate(right_layers()) if chosen(right.layer)]


def report(wrong: Sequence[Outcome], right: Sequence[Outcome], command: str) -> str:
    """Lay the outcomes out as Markdown."""
    by_rule = Counter(outcome.rule for outcome in wrong)
    rows = [
        (rule, str(count), str(sum(o.rule == rule and not o.failures for o in wrong)))
        for rule, count in sorted(by_rule.items())
    ]
    expected = [o for o in wrong if not o.missed]
    tries, found = sum(o.seeds for o in expected), sum(o.seeds - len(o.failures) for o in expected)
    checks, accused = sum(o.seeds for o in right), sum(len(o.failures) for o in right)
    failing = [
        (o.name, o.rule or "right", f"{len(o.failures)} of {o.seeds}", str(o.failures[0]), o.missed or o.said)
        for o in (*wrong, *right)
        if o.failures
    ]
    return "\n\n".join(
        [
            "# The corpus",
            about(command),
            f"**{found} of {tries}** checks of {len(expected)} wrong layers found the rule on the label "
            f"({len(wrong) - len(expected)} more are known not to be found, and listed).",
            f"**{accused} of {checks}** checks of {len(right)} right layers accused one at level error.",
            "At default settings, a seed a check. In the table, a wrong layer is found only if it is at every seed.",
            table(("rule", "wrong layers", "found at every seed"), rows),
            "## Not found, or accused",
            table(("layer", "rule", "checks", "first seed", "why, or what was said"), failing) if failing else "None.",
        ]
    )


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the report, or write it to ``docs/measured/corpus.md``."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=__doc__)
    parser.add_argument("--wrong", type=int, default=20, help="seeds for each wrong layer")
    parser.add_argument("--right", type=int, default=200, help="seeds for each right layer")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--only", default="", help="modules of the corpus with this in their names")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.name}, do not print")
    given = parser.parse_args(arguments)
    wrong, right = _numbers(given.only)
    with ProcessPoolExecutor(given.jobs) as pool:
        seeds = [range(given.first, given.first + count) for count in (given.wrong, given.right)]
        wrongs = list(pool.map(outcome_of_wrong, wrong, [seeds[0]] * len(wrong)))
        rights = list(pool.map(outcome_of_right, right, [seeds[1]] * len(right)))
    options = [f"--wrong {given.wrong}", f"--right {given.right}"]
    options += [f"--first {given.first}"] * bool(given.first) + [f"--only {given.only}"] * bool(given.only)
    text = report(wrongs, rights, f"{parser.prog} {' '.join(options)}")
    write(text, REPORT) if given.write else print(text)


if __name__ == "__main__":
    main()
