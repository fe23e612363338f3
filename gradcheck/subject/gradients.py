"""How what a backward returned is read: by name where it has names, then by position, and by shape where that is open.

Shapes never excuse a wrong gradient: they only choose between readings that explain equally many values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np

from gradcheck.subject.names import gradient_names
from gradcheck.subject.protocol import Argument, Gradients


def read_gradients(returned: object, inputs: Sequence[Argument], parameters: Sequence[Argument]) -> Gradients:
    """Read what backward returned as gradients of the inputs and, where it goes on, of the parameters.

    Inputs that are integers or constants may be left out or be None. ``(dx, {"W": dW})``, ``{"x": dx}`` and named
    tuples are read by name. Arguments that the returned value says nothing about are simply absent from ``values``.

    Examples
    --------
    >>> x, ids = (Argument(name, "input", np.zeros(2, dtype)) for name, dtype in (("x", float), ("ids", int)))
    >>> read_gradients((np.ones(2), None), [x, ids], []).values
    {'x': array([1., 1.])}
    >>> read_gradients({"dx": np.ones(2)}, [x, ids], []).values
    {'x': array([1., 1.])}
    """
    owed = [a for a in inputs if a.differentiable]
    items, named = _taken_apart(returned, owed, [*inputs, *parameters])
    if not items:
        return Gradients(named)
    learnt = [p for p in parameters if p.differentiable and p.name not in named]
    layouts = [layout for layout in (owed, inputs, [*inputs, *learnt], [*owed, *learnt]) if len(layout) == len(items)]
    if layouts:
        layout = max(
            layouts, key=lambda layout: (sum(map(_fits, layout, items)), sum(a.differentiable for a in layout))
        )
        return Gradients({a.name: g for a, g in zip(layout, items, strict=True) if a.differentiable} | named)
    values = {a.name: g for a, g in zip(owed, items, strict=False)} | named
    names = ", ".join(a.name for a in owed)
    if len(items) > len(owed):
        return Gradients(values, remarks=(f"backward returned {len(items)} values, expected {len(owed)} ({names})",))
    found = f"{len(items)} gradient{'s' * (len(items) != 1)}"
    return Gradients(values, problems=(f"backward returned {found}, expected {len(owed)} ({names})",))


def _taken_apart(
    returned: object, owed: Sequence[Argument], everything: Sequence[Argument]
) -> tuple[list[object], dict[str, object]]:
    """Split a returned value into what has a position and what has a name."""
    if returned is None:
        return [], {}
    if not isinstance(returned, tuple | list) or _is_one_gradient(returned, owed):
        returned = (returned,)
    fields: tuple[str, ...] = getattr(returned, "_fields", ())
    if fields:  # a named tuple, read by its names where they are those of the gradients
        named = _by_name(dict(zip(fields, returned, strict=True)), everything)
        if len(named) == len(fields):
            return [], named
    tables = [item for item in returned if isinstance(item, Mapping)]
    named = {name: value for table in tables for name, value in _by_name(table, everything).items()}
    return [item for item in returned if not isinstance(item, Mapping)], named


def _is_one_gradient(returned: Sequence[object], owed: Sequence[Argument]) -> bool:
    """Whether a list of numbers (``dx.tolist()``, a comprehension) is the one gradient that is owed."""
    if len(owed) != 1 or not all(isinstance(item, list | float | int | np.number) for item in returned):
        return False
    return owed[0].value.ndim > 0 and shape_or_none(returned) == owed[0].value.shape


def _fits(argument: Argument, item: object) -> bool:
    """Whether a value could be the gradient of an argument; None is as good as a gradient of what has none."""
    return (item is None and not argument.differentiable) or shape_or_none(item) == argument.value.shape


def shape_or_none(item: object) -> tuple[int, ...] | None:
    """Return the shape of what may be an array, or None for a ragged list."""
    try:
        return tuple(np.shape(cast(Any, item)))
    except ValueError:  # a ragged list
        return None


def _by_name(table: Mapping[Any, Any], arguments: Sequence[Argument]) -> dict[str, object]:
    """Pick the gradients out of ``{"W": dW}`` or ``{"dW": dW}``."""
    keys = {str(key).lower(): value for key, value in table.items()}
    found: dict[str, object] = {}
    for argument in arguments:
        for name in (argument.name, argument.name.rpartition(".")[2]):
            for spelling in (*gradient_names(name), name.lower()):
                if spelling in keys:
                    found.setdefault(argument.name, keys[spelling])
    return found
