"""Worker processes that may hang or die: each takes one question at a time, and is replaced when it does not answer."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from queue import SimpleQueue
from typing import Any

HUNG, DIED = "timed out", "crashed"

# Threads that wait for each other spend time that no checker has asked for, and the arrays are small.
_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


class Lane:
    """One worker process.

    Parameters
    ----------
    limit : float
        Seconds on the wall that a question may take.
    prepare : callable, optional
        Called in each new worker with ``arguments``; this is under no limit.
    """

    def __init__(self, limit: float, prepare: Callable[..., None] | None = None, *arguments: Any) -> None:
        self._limit, self._prepare, self._arguments = limit, prepare, arguments
        self._pool: ProcessPoolExecutor | None = None
        self._pid = 0

    def ask(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns in the worker, or `HUNG` or `DIED`."""
        if self._pool is None:
            self._pool = ProcessPoolExecutor(1, get_context("spawn"), self._prepare, self._arguments)
            self._pid = self._pool.submit(os.getpid).result()
        future: Future[Any] = self._pool.submit(function, *arguments)
        try:
            return future.result(self._limit)
        except TimeoutError:
            self.close()
            return HUNG
        except BrokenProcessPool:
            self._pool = None
            return DIED

    def close(self) -> None:
        """End the worker, whatever it is doing."""
        if self._pool is not None:
            with suppress(ProcessLookupError):
                os.kill(self._pid, signal.SIGKILL)
            self._pool.shutdown(cancel_futures=True)
            self._pool = None


@contextmanager
def lanes(count: int, limit: float, prepare: Callable[..., None], *arguments: Any) -> Iterator[Callable[..., Any]]:
    """Give a function that asks many questions of many parts over ``count`` workers.

    ``ask_all(function, parts, questions)`` yields a list with an answer for each part, question by question: those of
    ``function(parts, *question)``. Where this hangs or dies, each part is asked alone, to see which one does.
    """
    for name in _ONE_THREAD:
        os.environ.setdefault(name, "1")
    made = [Lane(limit, prepare, *arguments) for _ in range(count)]
    free: SimpleQueue[Lane] = SimpleQueue()
    for lane in made:
        free.put(lane)

    def ask_all(
        function: Callable[..., Any], parts: Sequence[Any], questions: Sequence[tuple[Any, ...]]
    ) -> Iterator[list[Any]]:
        def one(question: tuple[Any, ...]) -> list[Any]:
            lane = free.get()
            try:
                answers = lane.ask(function, parts, *question)
                if isinstance(answers, str):
                    alone = [lane.ask(function, [part], *question) for part in parts]
                    return [answer if isinstance(answer, str) else answer[0] for answer in alone]
                return list(answers)
            finally:
                free.put(lane)

        with ThreadPoolExecutor(count) as threads:
            yield from threads.map(one, questions)

    try:
        yield ask_all
    finally:
        for lane in made:
            lane.close()
