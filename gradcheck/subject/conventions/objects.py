"""Layer objects, ``y = layer.forward(x, …)`` and ``dx = layer.backward(dout)``: which are some, how to bind them."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from gradcheck.errors import UsageError
from gradcheck.subject.build import construct, keeper
from gradcheck.subject.calls import Parameter, parameters_of
from gradcheck.subject.conventions.layer import LayerSubject
from gradcheck.subject.conventions.owed import targets
from gradcheck.subject.halves import Halves, halves_of, is_static
from gradcheck.subject.inputs import arguments_of

NAME = "layer object"


def claims(obj: object) -> bool:
    """Whether a class or an object has both halves, under whatever names."""
    return halves_of(obj) is not None


def interface(obj: Any, settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return the parameters of the constructor (none for an object) and of forward."""
    halves = _halves(obj, settings)
    if inspect.isclass(obj):
        constructor = () if inspect.getattr_static(obj, "__init__") is object.__init__ else parameters_of(obj)
        forward = parameters_of(getattr(obj, halves.forward))
        return constructor, forward[0 if is_static(obj, halves.forward) else 1 :]
    if claims(obj):
        return (), parameters_of(getattr(obj, halves.forward))
    return parameters_of(obj), parameters_of(getattr(construct(obj, settings), halves.forward))


def _halves(obj: Any, settings: Mapping[str | int, Any]) -> Halves:
    """Return the halves of a class or an object, or of what a factory makes."""
    found = halves_of(obj) or halves_of(construct(obj, settings))
    assert found is not None, "claims() comes first"
    return found


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LayerSubject:
    """Bring a class, a factory or an object to a `LayerSubject` at the point given by settings and inputs."""
    built = claims(obj) and not inspect.isclass(obj)
    if built and settings:
        raise UsageError(
            f"settings were given for {name}, which is built already", fix="give the class itself, or leave them out"
        )
    forward, halves = interface(obj, settings)[1], _halves(obj, settings)
    real = [a.name for a in arguments_of(inputs, constants) if a.differentiable]
    if halves.derivative and len(real) > 1:  # loss(y, y_pred) and gradient(y, y_pred)
        constants |= frozenset(targets(real))
    return LayerSubject(
        keeper(obj) if built else obj,
        settings,
        inputs,
        name=name,
        constants=constants,
        halves=halves,
        keywords=frozenset(p.name for p in forward if p.keyword_only),
        takes_more=any(p.variadic or p.name not in inputs for p in forward),
        seed=seed,
    )
