"""Checkers timed beside the one forward and the one backward that they are about, all in one process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from time import perf_counter

import numpy as np

from benchmarks.numerics.peers import Verdict, available, counted, ours_check
from benchmarks.numerics.problems import Array, Problem, function_of
from benchmarks.numerics.sized import compared, flat, worst

# Lays a problem out for a checker, which is not timed, and returns what is.
Prepare = Callable[[Problem], Callable[[], Verdict]]
# A checker that takes longer than this, in seconds, is timed once; others in this many alternating rounds.
LONG, ROUNDS = 2.0, 7


@dataclass(frozen=True)
class Time:
    """What a checker took for a problem, in seconds and as a ratio to one forward and one backward of the same run.

    ``extrapolated``: the checker was not run here. Its calls at two small sizes, which grow with the number of elements
    (forwards) and of outputs (backwards), are multiplied with the time of one call here; nothing else that it does is.
    """

    problem: str
    checker: str
    seconds: float
    ratio: float
    forwards: int
    backwards: int
    verdict: Verdict | None
    extrapolated: bool = False


def measure(tiny: Problem, small: Problem, large: Problem, *, peers: bool = True, rounds: int = ROUNDS) -> list[Time]:
    """Time all checkers at the small problem; at the large one those that need not look at every element.

    A peer that rejects the right gradient of the small problem is not asked about the large one: torch's fast mode
    goes on to look at every element, for its message.
    """
    slow, fast = (looking_at_all(), looking_once()) if peers else ({}, {})
    at_tiny = times(tiny, ours() | fast | slow, rounds=1)  # before anything counts: imports, first calls
    at_small = times(small, ours() | fast | slow, rounds=rounds)
    passed = {one.checker for one in at_small if one.verdict in ("pass", "unchecked")}
    at_large = times(large, ours() | {name: fast[name] for name in fast if name in passed}, rounds=rounds)
    pairs = zip(at_tiny, at_small, strict=True)
    return [
        *at_small,
        *at_large,
        *(extrapolated((a, tiny), (b, small), large) for a, b in pairs if b.checker in slow and b.checker in passed),
    ]


def times(problem: Problem, checks: dict[str, Prepare], *, rounds: int = ROUNDS) -> list[Time]:
    """Time checkers and the two calls that they are about, in turn, and compare the fastest of each."""
    watched, count = counted(problem)
    ready = {name: prepare(watched) for name, prepare in checks.items()}
    seen: dict[str, tuple[int, int, Verdict]] = {}

    def run(name: str) -> None:
        count.clear()
        verdict = ready[name]()
        seen[name] = (count["forward"], count["backward"], verdict)

    best = alternating({"": forward_and_backward(problem)} | {name: partial(run, name) for name in checks}, rounds)
    return [Time(problem.name, name, best[name], best[name] / best[""], *seen[name]) for name in checks]


def alternating(calls: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Time calls in turn, so that what else the machine does befalls all alike; return the fastest seconds of each."""
    best = dict.fromkeys(calls, float("inf"))
    for number in range(rounds):
        for name, call in calls.items():
            if number == 0 or best[name] <= LONG:
                start = perf_counter()
                call()
                best[name] = min(best[name], perf_counter() - start)
    return best


def forward_and_backward(problem: Problem) -> Callable[[], object]:
    """Return one forward and one backward as one call."""
    w = _cotangent(problem)

    def call() -> None:
        problem.forward(**problem.arrays)
        problem.backward(w, **problem.arrays)

    return call


def extrapolated(tiny: tuple[Time, Problem], small: tuple[Time, Problem], large: Problem) -> Time:
    """Say what the calls of a checker that looks at every element would take at a larger problem."""
    first, second = tiny[0], small[0]
    n = [sum(a.size for a in problem.arrays.values()) for problem in (tiny[1], small[1], large)]
    m = [np.size(problem.forward(**problem.arrays)) for problem in (tiny[1], small[1], large)]
    forwards, backwards = _line(n, first.forwards, second.forwards), _line(m, first.backwards, second.backwards)
    w = _cotangent(large)
    best = alternating(
        {
            "forward": lambda: large.forward(**large.arrays),
            "backward": lambda: large.backward(w, **large.arrays),
        },
        ROUNDS,
    )
    seconds = forwards * best["forward"] + backwards * best["backward"]
    ratio = seconds / (best["forward"] + best["backward"])
    return Time(large.name, second.checker, seconds, ratio, forwards, backwards, None, extrapolated=True)


def _line(at: list[int], first: int, second: int) -> int:
    """Follow the line through two counts to a third size."""
    return round(second + (second - first) / (at[1] - at[0]) * (at[2] - at[1]))


def _cotangent(problem: Problem) -> Array:
    y = np.asarray(problem.forward(**problem.arrays))
    return np.random.default_rng(1).standard_normal(y.shape).astype(y.dtype)


# --- checkers --------------------------------------------------------------------------------------------------------


def ours() -> dict[str, Prepare]:
    """Return our own doors: the core without and with the complex step, and the whole checker."""
    return {
        "compare, differences only": core(complex_step=False),
        "compare": core(complex_step=True),
        "gradcheck.check, all rules": lambda problem: partial(ours_check, problem, 0),
    }


def core(*, complex_step: bool) -> Prepare:
    """Return the numeric core, with or without the complex step."""

    def prepare(problem: Problem) -> Callable[[], Verdict]:
        function = flat(problem, complex_step=complex_step)
        return lambda: worst(compared(function, 0))

    return prepare


def looking_once() -> dict[str, Prepare]:
    """Return the peers that look along directions, whatever the size."""
    peers = {peer.name: _peer(peer.check) for peer in available() if peer.name != "torch slow"}
    return peers | _scipy("random")


def looking_at_all() -> dict[str, Prepare]:
    """Return the peers that look at every element."""
    peers = {peer.name: _peer(peer.check) for peer in available() if peer.name == "torch slow"}
    return peers | _scipy("all")


def _scipy(direction: str) -> dict[str, Prepare]:
    if find_spec("scipy") is None:
        return {}
    return {f"scipy check_grad, {direction}": partial(scipy_check_grad, direction=direction)}


def _peer(check: Callable[[Problem, int], Verdict]) -> Prepare:
    return lambda problem: partial(check, problem, 0)


def scipy_check_grad(problem: Problem, *, direction: str) -> Callable[[], Verdict]:
    """Prepare ``scipy.optimize.check_grad`` of ``w @ y``; it returns an error and leaves the verdict to its caller."""
    from scipy.optimize import check_grad  # noqa: PLC0415

    function, w = function_of(problem), _cotangent(problem).ravel().astype(np.float64)
    options = {"direction": direction} | ({"rng": 0} if direction == "random" else {})

    def run() -> Verdict:
        check_grad(lambda x: float(w @ function.vjp(x)[0]), lambda x: function.vjp(x)[1](w), function.x, **options)
        return "unchecked"

    return run
