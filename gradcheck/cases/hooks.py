"""Layers that must be built before they run: ``build(input_shape)``, ``initialize()``, ``set_input_shape(shape)``.

Such a layer is checked as a class of its own that builds itself at its first forward, as the frameworks do it.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from gradcheck.subject.calls import parameters_of
from gradcheck.subject.outline import FORWARDS

# In the order in which they are called: the shape is said before anything is made from it.
_HOOKS = re.compile(r"^_?(set_input_shape|build|initialize|initiali[sz]e_\w+|init_(params|weights|parameters)|setup)$")
_WIDTH = re.compile(r"dim|size|feature|units|width|n_in|fan_in|channels", re.IGNORECASE)

Shape = tuple[int, ...]


def self_building(cls: object) -> Iterator[type]:
    """Yield classes that build themselves from the shape of their first input; none if there is nothing to call.

    They differ in what the hooks are told: the shape with the samples or without.
    """
    hooks = [name for name in dir(cls) if _HOOKS.match(name)] if inspect.isclass(cls) else []
    hooks.sort(key=lambda name: "set_input" not in name)
    forward = next((name for name in FORWARDS if callable(getattr(cls, name, None))), None)
    if not hooks or forward is None or not inspect.isclass(cls):
        return
    tail_first = "set_input_shape" in hooks
    for told in (_tail, _whole) if tail_first else (_whole, _tail):
        yield _building(cls, hooks, forward, told)


def _building(cls: Any, hooks: list[str], forward: str, told: Callable[[Shape], Shape]) -> type:
    run = getattr(cls, forward)

    @functools.wraps(run)
    def built_and_run(self: Any, *args: Any, **kwargs: Any) -> Any:
        if not self.__dict__.get(_DONE):
            self.__dict__[_DONE] = True
            for name in hooks:
                _call(getattr(self, name), told(np.shape(args[0] if args else next(iter(kwargs.values())))))
        return run(self, *args, **kwargs)

    own = {forward: built_and_run, "__module__": cls.__module__, "__qualname__": cls.__qualname__}
    return type(cls.__name__, (cls,), own)


_DONE = "_built_by_gradcheck"


def _call(hook: Callable[..., Any], shape: Shape) -> None:
    """Call a hook with the shape, or the last size of it where its parameter is named so; with None for all else."""
    asked = [p for p in parameters_of(hook) if p.required]
    shapes = [shape[-1] if _WIDTH.search(p.name) and shape else shape for p in asked[:1]]
    hook(*shapes, *(None for _ in asked[1:]))


def _whole(shape: Shape) -> Shape:
    return shape


def _tail(shape: Shape) -> Shape:
    return shape[1:]
