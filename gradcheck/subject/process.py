"""The process around the user's code: what the code does to it is undone afterwards."""

from __future__ import annotations

import atexit
import io
import logging
import os
import random
import signal
import sys
import sysconfig
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

from gradcheck.subject.readonly import nothing_written
from gradcheck.subject.replaced import replaced


@contextmanager
def put_back() -> Iterator[None]:
    """Swallow what is printed, logged, warned and written, and set everything back that the user's code changes.

    That is: the working directory, ``sys.path``, environment variables, the global generators, NumPy's error state
    and print options, warnings filters, handlers of signals and of the root logger, the recursion limit. Nobody
    sleeps, no thread keeps the process alive, and nothing of the user's is left to be done at exit.
    """
    with ExitStack() as stack:
        for keep in (_sys, _environment, _random, _numpy, _signals, _logging, warnings.catch_warnings, nothing_written):
            stack.enter_context(keep())
        stack.enter_context(redirect_stdout(_sink()))
        stack.enter_context(redirect_stderr(_sink()))
        stack.enter_context(replaced(time, "sleep", _idle))
        stack.enter_context(replaced(threading.Thread, "start", _as_daemon(threading.Thread.start)))
        stack.enter_context(replaced(atexit, "register", _but_for_users(atexit.register)))
        warnings.simplefilter("ignore")
        yield


_STDLIB = sysconfig.get_path("stdlib")


def _sink() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # not a StringIO: some scripts re-wrap sys.stdout.buffer


@contextmanager
def _sys() -> Iterator[None]:
    names = ("argv", "stdin", "dont_write_bytecode", "excepthook", "displayhook")
    before = {name: getattr(sys, name) for name in names}
    path, limit, cwd = list(sys.path), sys.getrecursionlimit(), Path.cwd()
    sys.stdin, sys.dont_write_bytecode = io.StringIO(), True
    try:
        yield
    finally:
        os.chdir(cwd)
        sys.path[:] = path
        sys.setrecursionlimit(limit)
        for name, value in before.items():
            setattr(sys, name, value)


@contextmanager
def _environment() -> Iterator[None]:
    before = dict(os.environ)
    os.environ.setdefault("MPLBACKEND", "Agg")  # no window, no display needed
    try:
        yield
    finally:
        if dict(os.environ) != before:
            os.environ.clear()
            os.environ.update(before)


@contextmanager
def _random() -> Iterator[None]:
    draws = random.getstate()
    try:
        yield
    finally:
        random.setstate(draws)


@contextmanager
def _numpy() -> Iterator[None]:
    """Keep what NumPy has of global state; without loading NumPy."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        yield
        return
    draws = numpy.random.get_state()
    try:
        with numpy.errstate(), numpy.printoptions():
            yield
    finally:
        numpy.random.set_state(draws)


@contextmanager
def _signals() -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in signal.valid_signals()}
    has_alarm = hasattr(signal, "setitimer") and signal.getitimer(signal.ITIMER_REAL)[0] > 0
    try:
        yield
    finally:
        if hasattr(signal, "setitimer") and not has_alarm:
            signal.setitimer(signal.ITIMER_REAL, 0)
        for number, handler in before.items():
            if handler is not None and signal.getsignal(number) is not handler:
                with suppress(OSError, ValueError):
                    signal.signal(number, handler)


@contextmanager
def _logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level, disabled = list(root.handlers), root.level, root.manager.disable
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        root.manager.disable = disabled


def _idle(*args: object, **kwargs: object) -> None:
    """Take no time."""


def _as_daemon(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    def started(thread: threading.Thread) -> None:
        thread.daemon = True
        start(thread)

    return started


def _but_for_users(register: Callable[..., Any]) -> Callable[..., Any]:
    def registered(function: Any, *args: Any, **kwargs: Any) -> Any:
        code = getattr(getattr(function, "__func__", function), "__code__", None)
        home = "" if code is None else str(code.co_filename)
        if home and not home.startswith((_STDLIB, "<frozen")) and "site-packages" not in home:
            return function
        return register(function, *args, **kwargs)

    return registered
