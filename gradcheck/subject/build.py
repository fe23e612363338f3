"""Making layer objects: from a class or factory and its settings, or as copies of one that exists."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.subject.calls import called, copied, parameters_of


def construct(make: Callable[..., Any], settings: Mapping[str | int, Any]) -> Any:
    """Call a class or factory with keyword settings, or positional ones under integer keys."""
    positional = [value for key, value in settings.items() if isinstance(key, int)]
    return called(make, *positional, **{key: value for key, value in settings.items() if isinstance(key, str)})


def keeper(layer: Any) -> Callable[[], Any]:
    """Return a maker of copies of a layer that exists, so that the user's own is left as it was."""
    original = copied(layer)
    return lambda: copied(original)


def constructor_names(make: Callable[..., Any], settings: Mapping[str | int, Any]) -> dict[str | int, str]:
    """Return the name of each constructor argument, positional ones too."""
    names = [p.name for p in parameters_of(make)]
    return {key: key if isinstance(key, str) else (names[key] if key < len(names) else f"arg{key}") for key in settings}
