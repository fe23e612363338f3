"""The ways in which people spell a layer, one module each, and the choice between them.

A convention is a module (or object) with ``NAME``, ``claims(obj)``, ``interface(obj, settings)`` and
``bind(obj, settings, inputs, name=, constants=, seed=)``. Third parties add theirs under the entry point group
``gradcheck.conventions``; those are asked first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Protocol, cast

from gradcheck.errors import UsageError
from gradcheck.hints import did_you_mean
from gradcheck.subject.build import construct
from gradcheck.subject.calls import Parameter
from gradcheck.subject.conventions import closures, ctx, derivatives, nodes, objectives, objects, pairs
from gradcheck.subject.describe import describe
from gradcheck.subject.frameworks import CHECKED, framework_of, is_checked
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


def convention_of(
    obj: object,
    settings: Mapping[str | int, Any],
    inputs: Mapping[Any, Any] | Sequence[Any] = (),
    named: str | None = None,
) -> Convention:
    """Return the convention that claims ``obj``: a layer, or a factory that makes one when called with ``settings``.

    A function of another framework's arrays, which are then among the ``inputs``, is that framework's. ``named`` is the
    convention that it must be, where the user says so.

    Raises
    ------
    UsageError
        If no convention, or not the one that was named, knows what to do with it.
    """
    if named is not None:
        return _claimed(obj, settings, inputs, convention_named(named))
    for convention in (*_foreign(obj, inputs), *_numpys()):
        if _asked(convention, obj):
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


def convention_named(name: str) -> Convention:
    """Return the convention of that name; spaces, hyphens and capitals make no difference.

    Raises
    ------
    UsageError
        If there is none.

    Examples
    --------
    >>> convention_named("function-pair").NAME
    'function pair'
    """
    names = {_plain(convention.NAME): convention for convention in known_conventions()}
    if _plain(name) not in names:
        listed = [convention.NAME for convention in names.values()]
        raise UsageError(f"there is no convention {name!r}", fix=did_you_mean(name, listed, "the conventions"))
    return names[_plain(name)]


def claims_of(convention: Convention) -> str:
    """Return what a convention asks of a layer: the first sentence of its ``claims``, without "Whether".

    Examples
    --------
    >>> claims_of(convention_named("layer object"))
    'a class or an object has both halves, under whatever names'
    """
    words = " ".join((convention.claims.__doc__ or "").split()).partition(". ")[0]
    return words.removesuffix(".").removeprefix("Whether ").replace("``", "`")


def knows_others() -> bool:
    """Whether a convention of a third party is installed."""
    return bool(_others())


def others_claim(obj: object) -> bool:
    """Whether a convention of a third party claims an object."""
    return any(_asked(convention, obj) for convention in _others())


def _asked(convention: Convention, obj: object) -> bool:
    """Ask a convention whether it claims an object; a third party's may fail at it."""
    try:
        return convention.claims(obj)
    except Exception as error:
        raise UsageError(
            f"the convention {convention.NAME!r} failed at {describe(obj)}: {type(error).__name__}: {error}",
            fix="let its claims() return False for what it does not know",
        ) from error


def _claimed(
    obj: object,
    settings: Mapping[str | int, Any],
    inputs: Mapping[Any, Any] | Sequence[Any],
    convention: Convention,
) -> Convention:
    among = convention in _numpys() or convention in _foreign(obj, inputs)
    if among and (_asked(convention, obj) or (convention is _OBJECTS and _is_factory(obj, settings))):
        return convention
    claims = claims_of(convention)
    raise UsageError(
        f"{describe(obj)} is not in the convention {convention.NAME!r}" + (f": not so that {claims}" if claims else ""),
        fix="leave the name out, or name another one: `gradcheck conventions` lists them",
    )


def _plain(name: str) -> str:
    return name.casefold().replace("-", " ").replace("_", " ")


# Modules satisfy the protocol; mypy does not check modules against protocols with positional-only parameters.
_OBJECTS = cast(Convention, objects)
_PAIRS = cast(Convention, pairs)
_CTX = cast(Convention, ctx)
_NODES = cast(Convention, nodes)
_FUNCTIONS = (cast(Convention, derivatives), cast(Convention, objectives), cast(Convention, closures), _PAIRS)


def known_conventions() -> tuple[Convention, ...]:
    """Return all conventions, those of other frameworks too, whether these are installed or not."""
    return (*_numpys(), *map(_of_framework, CHECKED))


def _numpys() -> tuple[Convention, ...]:
    """Return the conventions of layers on NumPy arrays, in the order in which they are asked."""
    return (*_others(), _CTX, _NODES, _OBJECTS, *_FUNCTIONS)


def _of_framework(name: str) -> Convention:
    return cast(Convention, import_module(f"{__name__}.{name}"))


def _foreign(obj: object, inputs: Mapping[Any, Any] | Sequence[Any]) -> tuple[Convention, ...]:
    """Return the convention of the framework that an object, or a function's inputs, are of; only that is imported."""
    given = inputs.values() if isinstance(inputs, Mapping) else inputs
    is_function = callable(obj) and not isinstance(obj, type)
    found = [framework_of(thing) for thing in (obj, *(given if is_function else ()))]
    framework = next((name for name in found if name is not None and is_checked(name)), None)
    return () if framework is None else (_of_framework(framework),)


@cache
def _others() -> tuple[Convention, ...]:
    """Return the conventions of third parties."""
    return tuple(_loaded(point) for point in sorted(entry_points(group=GROUP), key=lambda point: point.name))


def _loaded(point: EntryPoint) -> Convention:
    try:
        convention = point.load()
    except Exception as error:
        raise UsageError(
            f"the convention {point.name} ({point.value}) cannot be loaded: {type(error).__name__}: {error}",
            fix="mend or uninstall the package that it comes from",
        ) from error
    lacks = [part for part in ("NAME", "claims", "interface", "bind") if not hasattr(convention, part)]
    if lacks:
        raise UsageError(
            f"the convention {point.name} ({point.value}) has no {lacks[0]}", fix="docs/conventions.md has an example"
        )
    return cast(Convention, convention)


def _is_factory(obj: Any, settings: Mapping[str | int, Any]) -> bool:
    """Whether calling it with the settings makes a layer object."""
    try:
        return objects.claims(construct(obj, settings))
    except Exception:  # noqa: BLE001 - it needs its inputs: a function, not a factory
        return False
