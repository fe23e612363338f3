"""What forward is called with, as arguments that can be moved one by one."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any

import numpy as np

from gradcheck.subject.calls import copied
from gradcheck.subject.protocol import Argument, Primals


def arguments_of(inputs: Mapping[str, Any], constants: Set[str]) -> tuple[Argument, ...]:
    """Return the inputs that are numbers or arrays of numbers; options (strings, None, shapes) are no arguments.

    Where the first input is a list of arrays, as of a layer that adds them up, each of them is one.

    Examples
    --------
    >>> [a.name for a in arguments_of({"xs": [np.ones(2), np.ones(2)], "axis": None}, frozenset())]
    ['xs[0]', 'xs[1]']
    """
    return tuple(
        Argument(label, "input", np.asarray(value), not constants.isdisjoint({name, label}))
        for name, given in inputs.items()
        for label, value in _parts(name, given, inputs).items()
        if isinstance(value, np.ndarray | float | int | np.number)
    )


def values_at(inputs: Mapping[str, Any], primals: Primals) -> dict[str, Any]:
    """Return what forward is handed at ``primals``: arrays as they are, numbers as numbers, copies of all else."""
    values: dict[str, Any] = {}
    for name, given in inputs.items():
        parts = {
            label: _like(value, primals[label]) if label in primals else copied(value)
            for label, value in _parts(name, given, inputs).items()
        }
        values[name] = parts[name] if name in parts else type(given)(parts.values())
    return values


def _parts(name: str, value: Any, inputs: Mapping[str, Any]) -> dict[str, Any]:
    first = next(iter(inputs), None) == name
    if first and type(value) in {list, tuple} and value and all(isinstance(part, np.ndarray) for part in value):
        return {f"{name}[{k}]": part for k, part in enumerate(value)}
    return {name: value}


def _like(given: Any, now: Any) -> Any:
    """Return the current value of an input in the form in which it was given."""
    if isinstance(given, np.ndarray):
        return now
    if isinstance(given, int):  # an option or an index: nothing moves it
        return given
    return float(now) if type(given) is float and now.dtype.kind != "c" else now[()]
