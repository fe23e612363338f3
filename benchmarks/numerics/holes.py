"""Known holes of other checkers, each with what ours says of the same wrong gradient at the same points.

``python -m benchmarks.numerics.holes [--seeds 20] [--write]`` measures them: at the checker that has the hole where it
is installed, else, and where the hole is a way of choosing directions, at that rule itself, in a few lines.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.numerics import problems as layer
from benchmarks.numerics.peers import (
    OURS,
    Check,
    Peer,
    Verdict,
    available,
    jax_check_grads_forward,
    on_wrong,
    table,
    versions,
)
from benchmarks.numerics.problems import Array, Layer, Problem, Wrong, function_of, near, normal, times
from gradcheck.derivative import compare

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "holes.md"

# Of the rules below: a common step, and common tolerances.
_STEP, _RTOL, _ATOL = 1e-6, 1e-5, 1e-5


@dataclass(frozen=True)
class Hole:
    """A way to be wrong about a gradient: whose, of what, and at which points."""

    what: str
    whose: str
    check: Check | None  # None: the peer of this name is asked, if it is installed
    point: Callable[[int], Problem]
    wrong: Wrong | None  # None: of the right gradient, which is rejected
    ours: Check | None = None  # in place of `compare`, where something about the call is the point


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with ``--write`` keep the table among the documents."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.holes", description=__doc__)
    parser.add_argument("--seeds", type=int, default=20, help="points and checks per hole (default: 20)")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(REPORT.parents[2])}")
    given = parser.parse_args(arguments)
    peers = available()
    checks = {peer.name: peer.check for peer in peers}
    if "jax" in checks:
        checks["jax, forward mode"] = jax_check_grads_forward
    rows = [row(hole, checks, range(given.seeds)) for hole in HOLES]
    command = f"python -m benchmarks.numerics.holes --seeds {given.seeds} --write"
    text = _TEXT.format(command=command, versions=versions(peers), table=table(_HEADER, rows))
    print(text)
    if given.write:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text, encoding="utf-8")


def row(hole: Hole, peers: dict[str, Check], seeds: Sequence[int]) -> list[str]:
    """Return a line of the table: how often the owner of a hole falls into it, and how often we do."""
    check = hole.check or peers.get(hole.whose)
    theirs = "not installed" if check is None else _share(Peer(hole.whose, check), hole, seeds)
    mine = [_share(checker, hole, seeds) for checker in ours_for(hole)]
    says = "false alarms" if hole.wrong is None else "misses"
    return [hole.what, "none: it is right" if hole.wrong is None else hole.wrong.name, hole.whose, says, theirs, *mine]


def ours_for(hole: Hole) -> tuple[Peer, ...]:
    """Return our checkers, as they are to be called for a hole."""
    return OURS if hole.ours is None else (Peer("compare", hole.ours), *OURS[1:])


def falls(checker: Peer, hole: Hole, seed: int) -> bool:
    """Whether a checker passes the wrong gradient, or fails the right one, at one point."""
    problem = hole.point(seed)
    if hole.wrong is None:
        return checker.check(problem, seed) == "fail"
    return on_wrong(checker, hole.wrong.of(problem), hole.wrong, seed) == "pass"


def _share(checker: Peer, hole: Hole, seeds: Sequence[int]) -> str:
    return f"{sum(falls(checker, hole, seed) for seed in seeds)} of {len(seeds)}"


# The rules: how a direction v and a cotangent w are chosen, for one central difference.


def _along(problem: Problem, v: Array, w: Array) -> Verdict:
    """Compare along one direction, under one cotangent, at a fixed step and tolerance."""
    function = function_of(problem)
    _, pullback = function.vjp(function.x)
    analytic = float((pullback(w.ravel()) * v.ravel()).sum())
    up, down = (function.vjp(function.x + h * v.ravel())[0] for h in (_STEP, -_STEP))
    numeric = float((w.ravel() * (up - down)).sum()) / (2.0 * _STEP)
    return "pass" if abs(numeric - analytic) <= _ATOL + _RTOL * abs(numeric) else "fail"


def _sizes(problem: Problem) -> tuple[int, int]:
    return function_of(problem).x.size, np.size(problem.forward(**problem.arrays))


def by_signs(problem: Problem, seed: int) -> Verdict:
    """Directions of random signs (Rademacher), as in simultaneous perturbation."""
    rng = np.random.default_rng([seed, 1])
    n, m = _sizes(problem)
    return _along(problem, rng.choice((-1.0, 1.0), n), rng.choice((-1.0, 1.0), m))


def along_ones(problem: Problem, seed: int) -> Verdict:
    """All elements moved by the same amount: the sum of the Jacobian's columns."""
    n, m = _sizes(problem)
    return _along(problem, np.ones(n), np.random.default_rng([seed, 1]).standard_normal(m))


def of_the_sum(problem: Problem, seed: int) -> Verdict:
    """The gradient of ``y.sum()``: a cotangent of ones."""
    n, m = _sizes(problem)
    return _along(problem, np.random.default_rng([seed, 1]).standard_normal(n), np.ones(m))


def with_the_seed_of_the_data(problem: Problem, seed: int) -> Verdict:
    """The cotangent is drawn with the seed that drew the input, and so is the input."""
    n, m = _sizes(problem)
    return _along(problem, np.random.default_rng(seed + 1).standard_normal(n), _data(seed, m))


def _data(seed: int, *shape: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape)


def unless_halving_disagrees(problem: Problem, seed: int) -> Verdict:
    """Element by element at two steps; where these disagree, a kink is supposed, and the element is skipped."""
    function = function_of(problem)
    y, pullback = function.vjp(function.x)
    w = np.random.default_rng([seed, 1]).standard_normal(y.size)
    g = pullback(w)
    for i, v in enumerate(np.eye(function.x.size)):
        slopes = [
            float((w * (function.vjp(function.x + h * v)[0] - function.vjp(function.x - h * v)[0])).sum()) / (2.0 * h)
            for h in (1e-4, 5e-5)
        ]
        smooth = abs(slopes[0] - slopes[1]) <= 1e-3 * abs(slopes[1])
        if smooth and abs(slopes[1] - g[i]) > _ATOL + 1e-3 * abs(slopes[1]):
            return "fail"
    return "pass"


def ours_with_the_seed_of_the_data(problem: Problem, seed: int) -> Verdict:
    """Our core, called as its documentation asks not to: with the generator that drew the point."""
    return compare(function_of(problem), np.random.default_rng(seed))["x"].verdict


def at(name: str, made: Layer, **draws: layer.Draw) -> Callable[[int], Problem]:
    """Draw the arrays of a layer anew for each seed."""

    def point(seed: int) -> Problem:
        rng = np.random.default_rng([seed, 0])
        return made.at(name, {name: draw(rng) for name, draw in draws.items()})

    return point


def swapped(i: int, j: int) -> Wrong:
    """Exchange two elements."""

    def spoil(g: Array) -> Array:
        g = np.array(g)
        g.flat[[i, j]] = g.flat[[j, i]]
        return g

    return Wrong(f"dx[{i}], dx[{j}] swapped", spoil)


def off(i: int, relative: float) -> Wrong:
    """Make one element wrong by a share of itself."""
    return Wrong(
        f"dx[{i}] * {1 + relative:g}",
        lambda g: g * np.where(np.arange(g.size).reshape(g.shape) == i, 1 + relative, 1.0),
    )


_ROWS = {n: at("layer norm", layer.normalised(1), x=normal(*n)) for n in ((32, 64), (64, 128))}
_COLUMNS = layer.normalised(0, 1e-12)
_SUM = at("weighted sum", layer.weighted_sum, x=normal(30), a=normal(30))
_ALL_AT_ONCE = at("affine", layer.affine, x=normal(6, 5, scale=1e6), W=normal(5, 4), b=normal(4))
_SMALL_LOSS = at("small loss", layer.scaled(layer.cross_entropy, 1e-8), x=normal(4, 7))

HOLES = (
    *(
        Hole(f"directions of one sign see little of layer norm, {n} by {d}", "torch fast", None, point, times(k))
        for (n, d), point in _ROWS.items()
        for k in (0, 2, -1)
    ),
    Hole("random signs cancel on two swapped elements", "random signs", by_signs, _SUM, swapped(0, 1)),
    Hole("a direction of ones sees no order", "direction of ones", along_ones, _SUM, swapped(0, 1)),
    Hole("the sum of a layer norm does not change", "cotangent of ones", of_the_sum, _ROWS[32, 64], times(0)),
    Hole(
        "the sum of a softmax does not change",
        "cotangent of ones",
        of_the_sum,
        at("softmax", layer.softmax, x=normal(4, 7)),
        times(0),
    ),
    Hole(
        "batch norm has no gradient for a cotangent that is its input",
        "seed of the data",
        with_the_seed_of_the_data,
        lambda seed: _COLUMNS.at("batch norm", {"x": _data(seed, 32, 16)}),
        times(2),
        ours_with_the_seed_of_the_data,
    ),
    Hole(
        "batch norm has no slope along its input: data of RandomState(0), which draws the direction too",
        "jax",
        None,
        lambda seed: _COLUMNS.at("batch norm", {"x": np.random.RandomState(0).randn(8 + seed, 16)}),
        times(2),
    ),
    Hole(
        "the tolerance is multiplied by the size of the output: tanh of 16,384",
        "jax, forward mode",
        None,
        at("tanh", layer.tanh, x=normal(16_384)),
        times(1.1),
    ),
    Hole(
        "one element wrong by 1e-3 is within the relative tolerance",
        "torch slow",
        None,
        at("tanh", layer.tanh, x=normal(30)),
        off(7, 1e-3),
    ),
    *(
        Hole("gradients below the absolute tolerance: a loss of 1e-8", whose, None, _SMALL_LOSS, times(-1))
        for whose in ("torch slow", "torch fast", "jax", "autograd")
    ),
    *(
        Hole("one number for all arguments: dx beside a dW of 1e6", whose, None, _ALL_AT_ONCE, times(1.01))
        for whose in ("jax", "autograd")
    ),
    *(
        Hole(
            "at a kink, both of two steps see the same wrong slope",
            whose,
            check,
            at("ReLU", layer.relu, x=near(0, 0)),
            None,
        )
        for whose, check in (("step halving", unless_halving_disagrees), ("torch slow", None))
    ),
)
_HEADER = ("hole", "wrong gradient", "whose", "what is counted", "theirs", "compare", "check")
_TEXT = """# Holes of other checkers

    {command}

{versions}

How often a checker passes a wrong gradient (*misses*), or rejects a right one (*false alarms*); every seed is another
point. *torch*, *jax* and *autograd* are asked as in [traps](traps.md); the others are ways to choose directions or to
tell kinks, and are asked by themselves, with a step of 1e-6 (halving: 1e-4 and 5e-5) and tolerances of 1e-5. *compare*
is our numeric core, *check* is `gradcheck.check`. What is neither missed nor found is inconclusive.

{table}
"""

if __name__ == "__main__":
    main()
