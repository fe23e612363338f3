"""What a layer carries from call to call: the generators that it draws from, and what it calls its own state."""

from __future__ import annotations

import contextlib
import random
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, MutableSequence
from types import FunctionType
from typing import Any

import numpy as np

from gradcheck.subject.calls import copied
from gradcheck.subject.protocol import Array

Restore = Callable[[], None]

# What a layer that goes on from call to call on purpose calls what it carries: a hidden state, a moving average, the
# vectors of a power iteration.
_CARRIED = re.compile(
    r"(^|_)(h|c|u|v|hx|cx|hs|cs|hidden|cell|states?|prev|previous|last|memory|carry|running|moving|momentum|ema|avg)\d*(_|$)",
    re.IGNORECASE,
)
_FLUSHES = ("flush_gradients", "zero_grad", "zero_grads", "clear_grads", "zero_gradients", "reset_gradients")
_DEPTH = 4


def generators(*holders: object, globally: bool = True) -> Restore:
    """Remember where the generators below some objects stand; return what puts them back there.

    ``globally``: the global ones of NumPy and Python, too.

    Examples
    --------
    >>> class Noise:
    ...     rng = np.random.default_rng(0)
    >>> back = generators(Noise)
    >>> first = Noise.rng.random()
    >>> back()
    >>> first == Noise.rng.random()
    True
    """
    found = {id(g): g for holder in holders for g in _generators(holder, _DEPTH, set())}
    own = [(g, _state(g)) for g in found.values()]
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - the user's layers use it

    def restore() -> None:
        if globally:
            np.random.set_state(numpy_state)  # noqa: NPY002
            random.setstate(python_state)
        for generator, state in own:
            _put(generator, state)

    return restore


class Unseeded:
    """Where the generators of the first layer that was built stand: all later ones start from there.

    A layer that makes a generator of its own without a seed (``np.random.default_rng()``) starts from entropy each time
    it is built; seeded ones stand there anyway.
    """

    def __init__(self) -> None:
        self._states: list[Any] | None = None

    def seed(self, layer: object) -> None:
        """Set the generators of a layer that was just built to where those of the first one stood."""
        if self._states == []:
            return
        found = list({id(g): g for g in _generators(layer, _DEPTH, set(), own=True)}.values())
        if self._states is None:
            self._states = [_state(generator) for generator in found]
        elif len(found) == len(self._states):
            for generator, state in zip(found, self._states, strict=True):
                _put(generator, state)


def carried(layer: object) -> Restore:
    """Remember what a layer, and the layers in it, call their state; return what sets it back."""
    held = [vars(part) for part in _parts(layer, _DEPTH, set())]
    before = [{name: copied(value) for name, value in names.items() if _CARRIED.search(name)} for names in held]

    def restore() -> None:
        for names, then in zip(held, before, strict=True):
            for name in [name for name in names if _CARRIED.search(name)]:
                if name in then:
                    names[name] = copied(then[name])
                else:
                    del names[name]

    return restore


def snapshot(layer: object) -> dict[str, Any]:
    """Return what tells whether a layer keeps something else now: which objects it holds, and the values of arrays."""
    held = getattr(layer, "__dict__", {})
    return {name: (id(value), [a.tobytes() for _, a in arrays_in(value)]) for name, value in held.items()}


def flush(layer: object) -> None:
    """Let a layer forget what it keeps of earlier calls, as a training loop does, if it has a method for that."""
    for name in _FLUSHES:
        method = getattr(layer, name, None)
        if callable(method):
            with contextlib.suppress(Exception):  # it wants arguments: something else is meant
                method()


def arrays_in(value: object, name: str = "cache", depth: int = _DEPTH) -> Iterator[tuple[str, Array]]:
    """Yield the arrays in a cache, which may be an array, or tuples, lists and dicts of them."""
    if isinstance(value, np.ndarray):
        yield name, value
    elif depth and isinstance(value, Mapping):
        for key, item in value.items():
            yield from arrays_in(item, f"{name}[{key!r}]", depth - 1)
    elif depth and isinstance(value, tuple | list):
        for key, item in enumerate(value):
            yield from arrays_in(item, f"{name}[{key}]", depth - 1)
    elif depth and hasattr(value, "__dict__") and not callable(value):
        for key, item in vars(value).items():
            yield from arrays_in(item, f"{name}.{key}", depth - 1)


def _generators(holder: object, depth: int, seen: set[int], *, own: bool = False) -> Iterator[Any]:
    """Yield the generators below an object; ``own``: only those that it holds itself, not its class or module."""
    if id(holder) in seen:
        return
    seen.add(id(holder))
    if isinstance(holder, np.random.Generator | np.random.RandomState | random.Random):
        yield holder
    elif depth:
        for value in _below(holder):
            if not (own and (isinstance(value, type) or hasattr(value, "__code__") or hasattr(value, "__func__"))):
                yield from _generators(value, depth - 1, seen, own=own)


def _below(holder: object) -> list[Any]:
    """Return what an object, a class, a container or a function holds; of a function, its closure and module too."""
    if isinstance(holder, MutableMapping):
        return list(holder.values())
    if isinstance(holder, MutableSequence | tuple):
        return list(holder)
    function: Any = getattr(holder, "__func__", holder)
    if isinstance(function, FunctionType):
        closed = [cell.cell_contents for cell in function.__closure__ or () if is_filled(cell)]
        named = [function.__globals__.get(name) for name in function.__code__.co_names]
        return [*closed, *named, *(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()]
    if isinstance(holder, type):
        return [value for base in holder.__mro__[:-1] for value in vars(base).values()]
    library = type(holder).__module__.partition(".")[0] in {"builtins", "numpy", "logging", "threading", "_thread"}
    if library:
        return []
    slots = [getattr(holder, name, None) for name in getattr(type(holder), "__slots__", ()) if isinstance(name, str)]
    return [*slots, *getattr(holder, "__dict__", {}).values(), type(holder)]


def _parts(holder: object, depth: int, seen: set[int]) -> Iterator[object]:
    """Yield an object of the user's and those of its attributes, lists and dicts."""
    if id(holder) in seen or isinstance(holder, type | np.ndarray) or hasattr(holder, "__code__"):
        return
    seen.add(id(holder))
    if hasattr(holder, "__dict__"):
        yield holder
    for value in _below(holder) if depth else ():
        yield from _parts(value, depth - 1, seen)


def is_filled(cell: Any) -> bool:
    """Whether a closure's cell holds something yet."""
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False


def _state(generator: Any) -> Any:
    if isinstance(generator, np.random.Generator):
        return copied(generator.bit_generator.state)
    return generator.get_state() if isinstance(generator, np.random.RandomState) else generator.getstate()


def _put(generator: Any, state: Any) -> None:
    if isinstance(generator, np.random.Generator):
        generator.bit_generator.state = state
    elif isinstance(generator, np.random.RandomState):
        generator.set_state(state)
    else:
        generator.setstate(state)
