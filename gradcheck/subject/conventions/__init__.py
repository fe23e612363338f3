"""The ways in which people spell a layer, one module each, and the choice between them.

A convention is a module (or object) with ``NAME``, ``claims(obj)``, ``interface(obj, settings)`` and
``bind(obj, settings, inputs, name=, constants=, seed=)``. Third parties add theirs under the entry point group
``gradcheck.conventions``; those are asked first.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Protocol, cast

from gradcheck.errors import UsageError
from gradcheck.subject.build import construct
from gradcheck.subject.calls import Parameter
from gradcheck.subject.conventions import closures, derivatives, objectives, objects, pairs
from gradcheck.subject.describe import describe
from gradcheck.subject.protocol import Subject

GROUP = "gradcheck.conventions"


class Convention(Protocol):
    """One way of spelling a layer."""

    NAME: str

    def claims(self, obj: object, /) -> bool:
        """Whether ``obj`` looks like a layer in this spelling."""
        ...

    def interface(
        self, obj: Any, settings: Mapping[str | int, Any], /
    ) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
        """Return the parameters of the constructor and of forward."""
        ...

    def bind(
        self,
        obj: Any,
        settings: Mapping[str | int, Any],
        inputs: Mapping[str, Any],
        /,
        *,
        name: str,
        constants: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> Subject:
        """Bring the layer to a `Subject` at the point given by constructor settings and inputs."""
        ...


def convention_of(obj: object, settings: Mapping[str | int, Any]) -> Convention:
    """Return the convention that claims ``obj``: a layer, or a factory that makes one when called with ``settings``.

    Raises
    ------
    UsageError
        If no convention knows what to do with it.
    """
    for convention in _known():
        if convention.claims(obj):
            if convention is _PAIRS and not isinstance(obj, tuple) and _is_factory(obj, settings):
                return _OBJECTS
            return convention
    lacks = [name for name in ("forward", "backward") if not callable(getattr(obj, name, None))]
    half = f" (it has no {lacks[0]})" if len(lacks) == 1 else ""
    raise UsageError(
        f"{describe(obj)} is no layer{half}: expected a class or object with forward and backward, a pair of functions "
        f"(forward, vjp), or a function that returns (output, pullback)",
        fix="wrap it: gradcheck.check((forward, vjp), inputs=(x, ...)) with vjp(dout, x, ...) -> gradients",
    )


# Modules satisfy the protocol; mypy does not check modules against protocols with positional-only parameters.
_OBJECTS = cast(Convention, objects)
_PAIRS = cast(Convention, pairs)
_FUNCTIONS = (cast(Convention, derivatives), cast(Convention, objectives), cast(Convention, closures), _PAIRS)


@cache
def _known() -> tuple[Convention, ...]:
    others = tuple(cast(Convention, point.load()) for point in sorted(entry_points(group=GROUP), key=lambda p: p.name))
    return (*others, _OBJECTS, *_FUNCTIONS)


def _is_factory(obj: Any, settings: Mapping[str | int, Any]) -> bool:
    """Whether calling it with the settings makes a layer object."""
    try:
        return objects.claims(construct(obj, settings))
    except Exception:  # noqa: BLE001 - it needs its inputs: a function, not a factory
        return False
