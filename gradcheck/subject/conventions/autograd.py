"""HIPS autograd: primitives with a backward given to ``defvjp``. The pullback is that of ``make_vjp``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from gradcheck.subject.calls import Parameter, called, parameters_of
from gradcheck.subject.conventions import foreign
from gradcheck.subject.frameworks import is_primitive
from gradcheck.subject.protocol import Array

NAME = "autograd"


def claims(obj: object) -> bool:
    """Whether it is a primitive."""
    return is_primitive(obj)


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return no constructor parameters, and those of the function."""
    return (), parameters_of(obj.fun)


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> foreign.ForeignSubject:
    """Bring a primitive to a subject at these inputs."""
    core = foreign.library("autograd.core", name)
    makers = _makers(core.primitive_vjps.get(obj))
    constants |= foreign.plain_numbers(inputs)
    traced = [
        k
        for k, (key, value) in enumerate(inputs.items())
        if foreign.is_real(value) and key not in constants and _is_given(makers, k)
    ]

    def run(*values: Any) -> tuple[Any, Callable[..., Any]]:
        foreign.refuse_complex(values)

        def of_traced(boxes: Any) -> Any:
            everything = [*values]
            for place, k in enumerate(traced):
                everything[k] = boxes[place]
            return obj(*foreign.positional(obj.fun, everything, settings))

        pull, result = called(core.make_vjp, of_traced, tuple(values[k] for k in traced))
        # No closure: what it would hold is no cache of the layer's.
        return result, partial(_pull, pull, isinstance(result, tuple | list), traced, values)

    return foreign.ForeignSubject(run, inputs, name=name, convention=NAME, constants=constants, seed=seed)


def _pull(
    pull: Callable[..., Any], several: bool, traced: list[int], values: tuple[Any, ...], *cotangents: Array
) -> tuple[Array | None, ...]:
    found = dict(zip(traced, pull(cotangents if several else cotangents[0]), strict=True))
    return tuple(
        foreign.own(found[k]) if k in found else None for k, value in enumerate(values) if foreign.is_number(value)
    )


def _makers(vjp: Any) -> Mapping[int, Any] | None:
    """Return the table in which ``defvjp`` keeps a function for each argument; None where there is no such table."""
    names = getattr(getattr(vjp, "__code__", None), "co_freevars", ())
    cells = dict(zip(names, getattr(vjp, "__closure__", None) or (), strict=True))
    return cells["vjps_dict"].cell_contents if "vjps_dict" in cells else None


def _is_given(makers: Mapping[int, Any] | None, k: int) -> bool:
    """Whether a backward was given for an argument: None becomes a function of autograd's own, that returns zeros."""
    if makers is None:
        return True
    return k in makers and getattr(makers[k], "__module__", "") != "autograd.core"
