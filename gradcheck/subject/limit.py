"""A limit to how long the user's code may run: an endless loop in a backward is a finding, not the end of the check."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# Of one call, in seconds of this process's own processor time: a machine that stands still does not use it up.
SECONDS = 20.0


class HungError(Exception):
    """A call of the user's code did not come back."""


@contextlib.contextmanager
def time_limit() -> Iterator[None]:
    """Raise `HungError` in what runs below, once it has used up `SECONDS` of processor time.

    Signals are the only way to interrupt Python code, so this works in the main thread of a POSIX system, between two
    byte codes; elsewhere, within another time limit, and where somebody else uses the timer, there is none.

    Examples
    --------
    >>> with time_limit():
    ...     sum(range(10))
    45
    """
    if not _can_interrupt():
        yield
        return
    previous = signal.signal(signal.SIGVTALRM, _interrupt)
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.0)
        signal.signal(signal.SIGVTALRM, previous)


def _can_interrupt() -> bool:
    return (
        hasattr(signal, "setitimer")
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGVTALRM) is signal.SIG_DFL
    )


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of a handler
    raise HungError(f"it had not come back after {SECONDS:g} s of processor time")
