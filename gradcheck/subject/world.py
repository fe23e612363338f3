"""The world around a layer while it runs: quiet, repeatable, without lucky zeros, and put back afterwards."""

from __future__ import annotations

import contextlib
import functools
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradcheck.subject.limit import clock
from gradcheck.subject.process import put_back
from gradcheck.subject.replaced import replaced

_seed_numpy, _seed_python = np.random.seed, random.seed
_reseeded: list[str] = []


@contextlib.contextmanager
def quiet_world() -> Iterator[None]:
    """Swallow what layers print and warn, and set back what they change of the process, global generators included.

    Floating-point errors become non-finite values, which the rules look at; they are never exceptions of ours. Memory
    that `numpy.empty` returns holds NaN instead of what happens to be there, often zeros: a gradient that is made of it
    must not be right by luck. Whoever seeds the global generators is noted (`reseeding`).
    """
    with (
        put_back(),
        np.errstate(all="ignore"),
        clock(),
        replaced(np, "empty", _filled(np.empty)),
        replaced(np, "empty_like", _filled(np.empty_like)),
        replaced(np.random, "seed", _noted(_seed_numpy, "np.random.seed")),
        replaced(random, "seed", _noted(_seed_python, "random.seed")),
    ):
        yield


def reseed(seed: int) -> None:
    """Seed the global generators, so that a layer that draws from them draws the same in every run."""
    _seed_numpy(seed % 2**32)
    _seed_python(seed)


@contextlib.contextmanager
def generators_watched(used: list[str]) -> Iterator[None]:
    """Note in ``used`` whether the code below draws from the global generators (``"draws"``) or seeds them."""
    numpy_before, python_before = _where(), random.getstate()
    _reseeded.clear()
    try:
        yield
    finally:
        if _reseeded:
            used.append(_reseeded[0])
        elif _where() != numpy_before:
            used.append("draws from np.random")
        elif random.getstate() != python_before:
            used.append("draws from random")


@contextlib.contextmanager
def floating_errors(seen: set[str]) -> Iterator[None]:
    """Note in ``seen`` the floating-point errors of the code below: ``invalid``, ``divide``, ``over``."""

    def note(kind: str, flag: int) -> None:  # noqa: ARG001 - the signature of numpy's callback
        seen.add(kind)

    with np.errstate(invalid="call", divide="call", over="call", call=note):
        yield


def _where() -> tuple[Any, ...]:
    """Return where NumPy's global generator stands."""
    state: Any = np.random.get_state()  # noqa: NPY002
    return state[0], state[1].tobytes(), *state[2:]


def _filled(make: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(make)
    def filled(*args: Any, **kwargs: Any) -> Any:
        array = make(*args, **kwargs)
        if type(array) is np.ndarray and array.dtype.kind in "fc":
            array.fill(np.nan)
        return array

    return filled


def _noted(seed: Callable[..., Any], name: str) -> Callable[..., Any]:
    @functools.wraps(seed)
    def noted(*args: Any, **kwargs: Any) -> Any:
        _reseeded.append(f"calls {name}")
        return seed(*args, **kwargs)

    return noted
