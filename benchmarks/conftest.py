"""Keeps the timings of a run, and prints the ratios at its end."""

import os

import pytest

# One thread, set before NumPy is first imported: on a machine that does something else besides, threads that wait for
# each other make a small matrix product a hundred times slower, now and then.
for library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
os.environ.setdefault("VECLIB_MAXIMUM_THREADS", "1")

# (what is timed, the way it is done) -> median seconds
TIMINGS = pytest.StashKey[dict[tuple[str, str], float]]()


def pytest_configure(config):
    config.stash[TIMINGS] = {}


@pytest.fixture(scope="session")
def timings(pytestconfig):
    """The median seconds of this run so far, by ``(what, way)``."""
    return pytestconfig.stash[TIMINGS]


@pytest.fixture
def clock(benchmark, timings):
    """Time a call: ``clock(what, way, call)``; `slow` ones are run three times, others for a fifth of a second."""

    def clock(what, way, call, *, slow=False):
        benchmark.group = what
        benchmark.extra_info["way"] = way
        if slow:
            benchmark.pedantic(call, rounds=3, warmup_rounds=0)
        else:
            benchmark(call)
        if benchmark.stats is not None:  # None under --benchmark-disable
            timings[what, way] = benchmark.stats.stats.median

    return clock


@pytest.fixture
def ratio(timings):
    """Divide the medians of two ways; a run that did not time both skips the test."""

    def ratio(what, way, other):
        if not {(what, way), (what, other)} <= timings.keys():
            pytest.skip(f"this run did not time {what!r} both as {way!r} and as {other!r}")
        return timings[what, way] / timings[what, other]

    return ratio


@pytest.hookimpl(trylast=True)  # below the tables of pytest-benchmark
def pytest_terminal_summary(terminalreporter, config):
    """Print, for everything that was timed in more than one way, the slowest beside the fastest."""
    timings = config.stash[TIMINGS]
    rows = []
    for what in dict.fromkeys(what for what, _ in timings):
        ways = sorted((seconds, way) for (timed, way), seconds in timings.items() if timed == what)
        (fast, quick), (slow, plain) = ways[0], ways[-1]
        if plain != quick:
            rows.append((what, f"{plain} {_pretty(slow)}", f"{quick} {_pretty(fast)}", f"{slow / fast:,.1f}x"))
    if not rows:
        return
    terminalreporter.section("ratios of the medians")
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for what, slow, fast, times in rows:
        terminalreporter.write_line(
            f"{what:<{widths[0]}}   {slow:>{widths[1]}}   {fast:>{widths[2]}}   {times:>{widths[3]}}"
        )


def _pretty(seconds):
    for unit, size in (("s ", 1.0), ("ms", 1e-3)):
        if seconds >= size:
            return f"{seconds / size:6.1f} {unit}"
    return f"{seconds / 1e-6:6.1f} us"
