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
from gradcheck.subject.halves import halves_of
from gradcheck.subject.updates import OPTIMIZER_NAMES, Descent

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
    halves = halves_of(cls)
    if not hooks or halves is None or not inspect.isclass(cls):
        return
    tail_first = "set_input_shape" in hooks
    for told in (_tail, _whole) if tail_first else (_whole, _tail):
        yield _building(cls, hooks, halves.forward, told)


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
    """Call a hook with the shape, or the last size of it where its parameter is named so.

    An optimizer is one that shows the gradients that it is given; what else is asked for is None.
    """
    asked = [p.name for p in parameters_of(hook) if p.required]
    size = shape[-1] if asked and _WIDTH.search(asked[0]) and shape else shape
    hook(*(Descent() if name in OPTIMIZER_NAMES else size if k == 0 else None for k, name in enumerate(asked)))


def _whole(shape: Shape) -> Shape:
    return shape


def _tail(shape: Shape) -> Shape:
    return shape[1:]
