"""How rules read trials: a layer that was run in another way should have given the same gradients."""

from __future__ import annotations

import linecache
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from gradcheck.evidence.agree import SHARE, disagree, top
from gradcheck.evidence.record import Contract, Evidence, Trial
from gradcheck.records import Finding

_FINE = 2.0**-26
_NOISE = 1e-7  # of the outputs
_AGAIN = 1e-7  # where the very same was run again
_LEAST = 1e-6  # of the largest element: beyond any order of summation in float64
_LIBRARIES = (str(Path(np.__file__).parent), str(Path(linecache.__file__).parent))  # and the standard one
_ROUNDINGS = 100.0  # as many times as the numeric comparison could not tell apart


def findings_of_trials(evidence: Evidence, contract: Contract, code: str) -> Iterator[Finding]:
    """Yield a finding for each gradient that came out otherwise in the trials of one contract."""
    said: set[str | None] = set()
    for trial in evidence.trials:
        if trial.contract == contract:
            for argument, message in _differences(evidence, trial):
                if argument not in said:
                    said.add(argument)
                    yield Finding(code, "error", message, argument)


def lost_in_rounding(evidence: Evidence, argument: str) -> bool:
    """Whether a gradient is so small, or so noisy, at this case that only its rounding would be looked at."""
    if argument in evidence.left_out:
        return False
    comparison = evidence.comparisons.get(argument)
    if comparison is None or comparison.verdict in {"vacuous", "inconclusive"}:
        return True
    return comparison.verdict == "pass" and comparison.resolution > SHARE / 10


def is_fine(evidence: Evidence, argument: str) -> bool:
    """Whether a gradient was found right to many more digits than float16 and float32 have."""
    comparison = evidence.comparisons.get(argument)
    return comparison is not None and comparison.verdict == "pass" and comparison.resolution < _FINE


def changed_by_repeating(evidence: Evidence) -> Iterator[str]:
    """Yield the arguments whose gradient a second backward, for the same ``dout``, gives otherwise."""
    if not isinstance(evidence.again, Mapping):
        return
    for argument in evidence.owed:
        first, second = evidence.arrays.get(argument.name), evidence.again.get(argument.name)
        if first is None or second is None or not np.all(np.isfinite(first)) or argument.name in evidence.unsteady:
            continue
        if evidence.comparisons.get(argument.name) and lost_in_rounding(evidence, argument.name):
            continue
        allowed = _AGAIN if _is_float64(evidence) and is_loud(evidence, argument.name) else SHARE
        if disagree(first, second, share=allowed) or not np.all(np.isfinite(second)):
            yield argument.name


def said_so_itself(error: BaseException) -> bool:
    """Whether the user's own ``raise`` or ``assert`` refused the call: that is a statement, not a slip."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or trace.tb_frame.f_code.co_filename.startswith(_LIBRARIES):
        return False
    line = linecache.getline(trace.tb_frame.f_code.co_filename, trace.tb_lineno).strip()
    return line.startswith(("raise ", "assert ", "raise(", "assert("))


def told(error: BaseException) -> str:
    """Return what an error says, in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _differences(evidence: Evidence, trial: Trial) -> Iterator[tuple[str | None, str]]:
    if isinstance(trial.found, Exception):
        if not said_so_itself(trial.found):
            who = "forward" if trial.outputs_differ else "backward"
            yield None, f"{who} raises {told(trial.found)} {trial.how}"
        return
    if trial.outputs_differ:
        yield None, f"forward gives something else {trial.how}"
        return
    for argument in evidence.owed:
        name = argument.name
        expected, found = trial.expected.get(name), trial.found.get(name)
        if expected is None or _says_nothing(evidence, trial, name):
            continue
        if found is None:
            yield name, f"backward gives no usable gradient of {name} {trial.how}"
        elif not np.all(np.isfinite(found)) and np.all(np.isfinite(expected)):
            yield name, f"the gradient of {name} is not finite {trial.how}"
        elif disagree(expected, found, top(evidence.arrays[name]), _allowed(evidence, trial, name)):
            yield name, f"the gradient of {name} is another one {trial.how}"


def _allowed(evidence: Evidence, trial: Trial, name: str) -> float:
    """Return how far the gradients of a trial may be apart: hardly at all, where the very same was run again."""
    again = trial.contract == "repeatable" and _is_float64(evidence)
    return _AGAIN if again else _share(evidence, name)


def _says_nothing(evidence: Evidence, trial: Trial, name: str) -> bool:
    """Whether a difference would only be one of rounding, or of a gradient that is random anyway."""
    if trial.contract == "repeatable":  # the comparison was of a random gradient, and says nothing
        return not is_loud(evidence, name)
    return name in evidence.unsteady or lost_in_rounding(evidence, name)


def _is_float64(evidence: Evidence) -> bool:
    return all(y.dtype.itemsize >= 8 for y in evidence.outputs)


def is_loud(evidence: Evidence, name: str) -> bool:
    """Whether a gradient is more than what rounding makes, in whatever order threads add up."""
    return top(evidence.arrays[name]) > _NOISE * max(map(top, evidence.outputs), default=0.0)


def _share(evidence: Evidence, name: str) -> float:
    """Return how far two gradients may be apart: what they are known to be good for, and no more than a thousandth."""
    comparison = evidence.comparisons.get(name)
    if comparison is None or comparison.verdict != "pass":
        return SHARE
    return min(max(_LEAST, _ROUNDINGS * comparison.resolution), SHARE)
