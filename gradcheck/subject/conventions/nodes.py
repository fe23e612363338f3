"""Nodes of a tensor engine: ``forward(*arrays)`` and ``backward(*gys)``, run by the engine's own ``__call__``.

``__call__`` unwraps the engine's tensors, runs forward and keeps what backward needs; backward is run by the tensors.
So the node is called with tensors, and the gradients are those that the engine leaves on them.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import CodeType
from typing import Any

from gradcheck.subject.build import construct
from gradcheck.subject.calls import Parameter, parameters_of
from gradcheck.subject.conventions.pairs import FunctionSubject
from gradcheck.subject.conventions.tensors import is_tensor, through
from gradcheck.subject.halves import has
from gradcheck.subject.source import bare, code_of

NAME = "node of a tensor engine"


def claims(obj: object) -> bool:
    """Whether a class has a ``__call__`` that makes tensors with a backward of their own, beside both halves."""
    return isinstance(obj, type) and _tensor_of(obj) is not None


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return the parameters of the constructor and of forward."""
    plain = inspect.getattr_static(obj, "__init__") is object.__init__
    return () if plain else parameters_of(obj), parameters_of(obj.forward)[1:]


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> FunctionSubject:
    """Bring a node, called with tensors, to a subject at these inputs."""
    tensor: Any = _tensor_of(obj)

    def call(*tensors: Any) -> Any:
        return construct(obj, settings)(*tensors)

    subject = FunctionSubject(through(call, tensor), None, {}, inputs, name=name, constants=constants, seed=seed)
    subject.convention = NAME
    return subject


def _tensor_of(cls: type) -> type | None:
    """Return the class of tensors that a node's ``__call__`` makes of what forward returns."""
    if not (has(cls, "__call__") and has(cls, "forward") and has(cls, "backward")):
        return None
    function: Any = bare(inspect.getattr_static(cls, "__call__"))
    code = code_of(function)
    named = (getattr(function, "__globals__", {}).get(name) for name in (_names(code) if code is not None else ()))
    return next((thing for thing in named if isinstance(thing, type) and is_tensor(thing)), None)


def _names(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names(constant)
