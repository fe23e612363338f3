"""A limit to how long the user's code may run: an endless loop in a backward is a finding, not the end of the check."""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator
from types import FrameType

# Of one call, in seconds of this process's own processor time: a machine that stands still does not use it up.
SECONDS = 20.0
AFTER_A_HANG = 0.5  # of all calls after one that did not come back: a check makes many
_TICK = 0.05

# Of one statement of a file that is run for its definitions, in seconds on the wall: it may wait for what never comes.
STATEMENT_SECONDS = 10.0
IMPORT_SECONDS = 60.0  # some frameworks take half of it
SECONDS_AFTER_A_HANG = 1.0

_started: float | None = None  # when the call that is running now began, in processor time
_hung = False


class HungError(Exception):
    """A call of the user's code did not come back."""


@contextlib.contextmanager
def clock() -> Iterator[None]:
    """Let a clock tick that interrupts calls below `time_limit`.

    Signals are the only way to interrupt Python code, so this works in the main thread of a POSIX system, between two
    byte codes; elsewhere, and where somebody else uses the timer, there is no limit.
    """
    if not _can_interrupt():
        yield
        return
    global _hung  # noqa: PLW0603 - see below
    _hung = False
    previous = signal.signal(signal.SIGVTALRM, _on_tick)
    signal.setitimer(signal.ITIMER_VIRTUAL, _TICK, _TICK)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, previous)


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """Raise `HungError` in what runs below, once it has used up `SECONDS` of processor time and the clock ticks.

    Examples
    --------
    >>> with clock(), time_limit():
    ...     sum(range(10))
    45
    """
    global _started  # noqa: PLW0603 - there is one processor time, and one call at a time
    outer = _started
    _started = time.process_time() if outer is None else outer
    try:
        yield
    finally:
        _started = outer


@contextlib.contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Raise `HungError` in what runs below when so much time has gone by, and again each second that it goes on.

    In the main thread of a POSIX system, where nobody else has set an alarm.

    Examples
    --------
    >>> with deadline(60):
    ...     sum(range(10))
    45
    """
    if not _can_alarm():
        yield
        return

    def ring(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
        raise HungError(f"interrupted after {seconds:g} s")

    previous = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, previous)


def _can_alarm() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL
        and signal.getitimer(signal.ITIMER_REAL)[0] == 0.0
    )


def _can_interrupt() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    )


def _on_tick(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    global _started, _hung
    allowed = min(SECONDS, AFTER_A_HANG) if _hung else SECONDS
    if _started is not None and time.process_time() - _started > allowed:
        _started, _hung = None, True  # once is enough: what handles the error must not be interrupted too
        raise HungError(f"interrupted after {allowed:g} s of processor time")
