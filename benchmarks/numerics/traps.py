"""Points where right gradients are rejected, or wrong ones pass, by fixed steps and tolerances.

``python -m benchmarks.numerics.traps [--seeds 5] [--write]`` asks every checker twice at every point: about the right
gradient, which must not be failed, and about a wrong one, which must not pass.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import numpy as np

from benchmarks.numerics import problems as layer
from benchmarks.numerics.peers import (
    OURS,
    Peer,
    Verdict,
    available,
    counted,
    on_wrong,
    table,
    versions,
)
from benchmarks.numerics.problems import (
    Draw,
    Layer,
    Problem,
    Wrong,
    among,
    away,
    doubled,
    full,
    near,
    normal,
    outlier,
    positive,
    sure,
    times,
)

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "traps.md"


@dataclass(frozen=True)
class Trap:
    """A layer at points where checkers stumble, and a wrong gradient to be told from the right one there."""

    name: str
    layer: Layer
    draws: Mapping[str, Draw]
    wrong: Wrong = field(default_factory=lambda: times(1.01))

    def right(self, seed: int) -> Problem:
        """Draw a point; the check draws from other streams."""
        rng = np.random.default_rng([seed, 0])
        return self.layer.at(self.name, {name: draw(rng) for name, draw in self.draws.items()})

    def spoilt(self, seed: int) -> Problem:
        """Return the same point with the wrong backward."""
        return self.wrong.of(self.right(seed))


def in_format(dtype: type[np.floating], trap: Trap, wrong: Wrong) -> Trap:
    """Return the trap with all arithmetic in a coarser format, in which only a larger error can be seen."""
    draws = {name: (lambda rng, draw=draw: draw(rng).astype(dtype)) for name, draw in trap.draws.items()}
    return Trap(f"{trap.name}, {np.dtype(dtype).name}", trap.layer, draws, wrong)


_AFFINE = {"x": normal(4, 3), "W": normal(3, 2), "b": normal(2)}
_NORM = {"x": normal(3, 5), "g": normal(5, offset=1.0, scale=0.1), "b": normal(5)}
_NORM_TWO = {"x": normal(3, 2), "g": normal(2, offset=1.0, scale=0.1), "b": normal(2)}

DOUBLE = (
    # Kinks: a central difference gives half the jump of the slope, whatever its step.
    Trap("ReLU, some elements at 0", layer.relu, {"x": near(0, 0)}),
    Trap("ReLU, all elements at 0", layer.relu_from_right, {"x": full(0, 16)}, times(2)),
    Trap("ReLU at 1e-12", layer.relu, {"x": near(0, 1e-12)}),
    Trap("ReLU at 1e-8", layer.relu, {"x": near(0, 1e-8)}),
    Trap("ReLU at 1e-4", layer.relu, {"x": near(0, 1e-4)}),
    Trap(
        "ReLU of an affine map of integers",
        layer.relu_affine,
        {"x": among((-2, -1, 0, 1, 2), 5, 3), "W": among((-1, 0, 1), 3, 4), "b": full(0, 4)},
    ),
    Trap("leaky ReLU at 0", layer.leaky, {"x": near(0, 0)}),
    Trap("abs at 0", layer.absolute, {"x": near(0, 0)}),
    Trap("abs at 1e-12", layer.absolute, {"x": near(0, 1e-12)}),
    Trap("hinge at 1", layer.hinge, {"x": near(1, 0)}),
    Trap("hinge at 1 ± 1e-12", layer.hinge, {"x": near(1, 1e-12)}),
    Trap("clip at its bounds", layer.clip, {"x": near(1, 0)}),
    Trap("hard shrink at the jump", layer.hard_shrink, {"x": near(0.5, 0)}),
    Trap("max pool with ties", layer.max_pool, {"x": among((0, 1, 2), 4, 8)}),
    Trap("max pool, all tied", layer.max_pool, {"x": full(1, 4, 8)}, times(3)),
    # Steep or singular: a fixed step is too long, or leaves the domain.
    Trap("sqrt near 1e-6", layer.root, {"x": positive(1e-6, 1)}),
    Trap("sqrt near 1e-8", layer.root, {"x": positive(1e-8, 1)}),
    Trap("log near 1e-6", layer.log, {"x": positive(1e-6, 1)}),
    Trap("log near 1e-9", layer.log, {"x": positive(1e-9, 1)}),
    Trap("1/x near 1e-4", layer.reciprocal, {"x": positive(1e-4, 1)}),
    Trap("x**1.5 near 1e-10", layer.power, {"x": positive(1e-10, 1)}),
    Trap("length of vectors of 1e-9", layer.length, {"x": normal(6, 4, scale=1e-9)}),
    Trap("angle of points at 1e-7", layer.angle, {"y": normal(9, scale=1e-7), "x": normal(9, scale=1e-7)}),
    Trap("exp(10 x)", layer.steep, {"x": normal(16)}),
    Trap("sin(1000 x)", layer.wave, {"x": normal(16)}),
    Trap("sin(1e8 x)", layer.fast_wave, {"x": normal(16)}),
    # Rounding: the difference drowns in the digits that the output loses.
    Trap("1e8 + x**3", layer.raised_cube, {"x": away(0.5, 2)}),
    Trap("(x + 1e8) - 1e8", layer.there_and_back, {"x": normal(16)}),
    Trap("sum of 10,000 squares", layer.sum_of_squares, {"x": normal(10_000)}),
    Trap("mean of 10,000 squares", layer.mean_of_squares, {"x": normal(10_000)}),
    Trap("affine, x around 1e6", layer.affine, _AFFINE | {"x": normal(4, 3, offset=1e6)}),
    Trap("affine, one x of 1e8", layer.affine, _AFFINE | {"x": outlier(normal(4, 3), 1e8)}),
    # Normalisation: gradients that cancel, or rows that say nothing.
    Trap("layer norm", layer.layer_norm(1e-5), _NORM),
    Trap("layer norm, 16 by 32", layer.normalised(1), {"x": normal(16, 32)}),
    Trap("layer norm over two features, eps 1e-5", layer.layer_norm(1e-5), _NORM_TWO),
    Trap("layer norm over two features, eps 1e-12", layer.layer_norm(1e-12), _NORM_TWO),
    Trap(
        "layer norm over one feature",
        layer.layer_norm(1e-5),
        {"x": normal(3, 1), "g": normal(1), "b": normal(1)},
        times(1.01, "b"),
    ),
    Trap("layer norm of constant rows", layer.layer_norm(1e-5), _NORM | {"x": full(2.5, 3, 5)}),
    # Saturation: gradients below the rounding of the output.
    Trap("sigmoid at ±40", layer.sigmoid, {"x": away(35, 45)}),
    Trap("sigmoid, some at ±40", layer.sigmoid, {"x": outlier(normal(16, scale=20), 0.5)}),
    Trap("tanh at ±20", layer.tanh, {"x": outlier(away(15, 25), 0.5)}),
    Trap("GELU in the tail", layer.gelu, {"x": normal(16, offset=-6)}),
    Trap("softmax, logits of 100", layer.softmax, {"x": normal(3, 5, scale=100)}),
    Trap("log-sum-exp, logits of 100", layer.log_sum_exp, {"x": normal(3, 5, scale=100)}),
    Trap("cross entropy, logits of 100", layer.cross_entropy, {"x": normal(3, 5, scale=100)}),
    # Absorption: the output is exactly 0 and stays there, but its derivative is not 0.
    Trap("cross entropy of a sure and right classifier", layer.cross_entropy, {"x": sure(3, 5, by=60)}),
    Trap("softplus, log(1 + exp(x)), at -60", layer.softplus, {"x": normal(6, offset=-60)}),
    Trap("1 - tanh(x) at 30", layer.one_minus_tanh, {"x": normal(6, offset=30)}),
    Trap("pseudo-Huber loss of one residual of 1e-12", layer.pseudo_huber, {"x": positive(1e-12, n=1)}),
    Trap("pseudo-Huber loss, some residuals of 1e-12", layer.pseudo_huber, {"x": positive(1e-12, 1, 1, 1)}),
    # Scale: a fixed tolerance is nothing, or everything.
    Trap("affine, x of 1e-100", layer.affine, _AFFINE | {"x": normal(4, 3, scale=1e-100)}, times(1.01, "W")),
    Trap("affine, x of 1e-6", layer.affine, _AFFINE | {"x": normal(4, 3, scale=1e-6)}, times(1.01, "W")),
    Trap("affine, x of 1e6", layer.affine, _AFFINE | {"x": normal(4, 3, scale=1e6)}),
    Trap("affine, x of 1e100", layer.affine, _AFFINE | {"x": normal(4, 3, scale=1e100)}),
    Trap("loss scaled by 1e-8", layer.scaled(layer.cross_entropy, 1e-8), {"x": normal(3, 5)}, times(-1)),
    Trap("product, one element doubled", layer.product, {"x": normal(500), "y": normal(500, offset=5)}, doubled(7)),
)
_BY_NAME = {trap.name: trap for trap in DOUBLE}
# A pass in float32 may say no more than that it would have caught 2 %, so that the error must be larger than that.
SINGLE = tuple(
    in_format(np.float32, trap, times(1.1, trap.wrong.argument))
    for trap in (
        Trap("affine", layer.affine, _AFFINE),
        Trap("GELU", layer.gelu, {"x": normal(16, scale=2)}),
        *(
            _BY_NAME[name]
            for name in (
                *("ReLU, some elements at 0", "ReLU at 1e-4", "abs at 0", "hinge at 1", "max pool with ties"),
                *("sqrt near 1e-6", "exp(10 x)", "sum of 10,000 squares", "mean of 10,000 squares", "layer norm"),
                *("layer norm over two features, eps 1e-5", "sigmoid, some at ±40", "tanh at ±20", "GELU in the tail"),
                *("softmax, logits of 100", "cross entropy, logits of 100", "affine, x of 1e-6", "affine, x of 1e6"),
            )
        ),
    )
)
HALF = tuple(
    in_format(np.float16, trap, times(2))
    for trap in (
        Trap("affine", layer.affine, _AFFINE),
        Trap("tanh", layer.tanh, {"x": normal(16)}),
        _BY_NAME["ReLU, some elements at 0"],
    )
)
TRAPS = DOUBLE + SINGLE + HALF


@dataclass(frozen=True)
class Row:
    """What every checker said at a trap: how often which verdict, by checker."""

    trap: Trap
    right: Mapping[str, Counter[Verdict]]
    wrong: Mapping[str, Counter[Verdict]]
    calls: Mapping[str, int]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with ``--write`` keep the table among the documents."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.numerics.traps", description=__doc__)
    parser.add_argument("--seeds", type=int, default=5, help="points and checks per trap (default: 5)")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(REPORT.parents[2])}")
    given = parser.parse_args(arguments)
    peers = available()
    checkers = (*OURS, *peers)
    rows = [measure(trap, checkers, range(given.seeds)) for trap in TRAPS]
    command = f"python -m benchmarks.numerics.traps --seeds {given.seeds} --write"
    text = report(rows, [c.name for c in checkers], command, versions(peers))
    print(text)
    if given.write:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text, encoding="utf-8")


def measure(trap: Trap, checkers: Sequence[Peer], seeds: Sequence[int]) -> Row:
    """Ask all checkers about the right and the wrong gradient, at a point for each seed."""
    right: dict[str, Counter[Verdict]] = {}
    wrong: dict[str, Counter[Verdict]] = {}
    calls: dict[str, int] = {}
    for checker in checkers:
        right[checker.name] = Counter(checker.check(trap.right(seed), seed) for seed in seeds)
        wrong[checker.name] = Counter(on_wrong(checker, trap.spoilt(seed), trap.wrong, seed) for seed in seeds)
        problem, count = counted(trap.right(seeds[0]))
        checker.check(problem, seeds[0])
        calls[checker.name] = count.total()
    return Row(trap, right, wrong, calls)


def report(rows: Sequence[Row], checkers: Sequence[str], command: str, measured: str) -> str:
    """Write the document: what was run, a summary line for each checker, and a row for each trap."""
    header = ["trap", "wrong gradient", *(f"{name}: {side}" for name in checkers for side in ("right", "wrong"))]
    body = [
        [
            row.trap.name,
            row.trap.wrong.name,
            *(cell for name in checkers for cell in (_cell(row.right[name], "fail"), _cell(row.wrong[name], "pass"))),
        ]
        for row in rows
    ]
    summary = [_summary(rows, name) for name in checkers]
    return _TEXT.format(
        command=command, versions=measured, summary=table(_SUMMARY, summary), traps=table(header, body), n=len(rows)
    )


def _cell(verdicts: Counter[Verdict], bad: Verdict) -> str:
    """Say how often which verdict was given; the bad one in bold."""
    said = sorted(verdicts.items(), key=lambda item: -item[1])
    words = [f"{verdict} {n}" if len(said) > 1 else verdict for verdict, n in said]
    return ", ".join(f"**{word}**" if verdict == bad else word for word, (verdict, _) in zip(words, said, strict=True))


_SUMMARY = (
    *("checker", "false alarms, float64", "misses, float64", "false alarms, coarser", "misses, coarser"),
    *("right and passed", "wrong and failed", "calls per check, median"),
)


def _summary(rows: Sequence[Row], name: str) -> list[str]:
    def share(side: Literal["right", "wrong"], verdict: Verdict, traps: Sequence[Trap] = TRAPS) -> str:
        said = [getattr(row, side)[name] for row in rows if row.trap in traps]
        return f"{sum(v[verdict] for v in said)} of {sum(v.total() for v in said)}"

    bad = [
        share(*which, traps) for traps in (DOUBLE, SINGLE + HALF) for which in (("right", "fail"), ("wrong", "pass"))
    ]
    calls = sorted(row.calls[name] for row in rows)[len(rows) // 2]
    return [name, *bad, share("right", "pass"), share("wrong", "fail"), str(calls)]


_TEXT = """# Traps: right gradients that are rejected, wrong ones that pass

{n} points at which fixed steps and tolerances go wrong. Every checker got the same NumPy forward and backward, at its
defaults, once with the right gradient and once with a wrong one. **fail** on a right gradient is a false alarm,
**pass** on a wrong one a miss. *vacuous*, *inconclusive* and *unchecked* are neither: they say that nothing was
learned. *error* is an exception that is no verdict.

    {command}

{versions}

- *compare* is `gradcheck.derivative.compare`; of a wrong gradient, the verdict on the very argument that is wrong.
  *check* is `gradcheck.check((forward, vjp), inputs=...)`, which promotes float32 and float16 to float64, and applies
  all other rules.
- *torch slow* and *torch fast* are `torch.autograd.gradcheck` of an `autograd.Function`; fast mode draws its directions
  from a generator that is never seeded. *jax* is `jax.test_util.check_grads(order=1, modes=["rev"])` of a `custom_vjp`
  in x64; its seed is always 0. *autograd* is `autograd.test_util.check_grads(order=1, modes=["rev"])` of a `primitive`.
- torch warns that its check is made for float64, and autograd has one tolerance for all formats: in coarser formats
  their columns say what happens to those who use them nevertheless.
- Every seed is another point; right gradients are held against differences in long double by
  `tests/test_benchmarks_numerics.py`.

{summary}

{traps}
"""

if __name__ == "__main__":
    main()
