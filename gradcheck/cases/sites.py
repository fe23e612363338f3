"""How a repository itself builds a layer: the literal arguments of the calls in the layer's file and beside it."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from gradcheck.subject.calls import called
from gradcheck.subject.source import lines_of

_FILES, _BYTES = 12, 200_000  # read beside the layer's own, the first ones by name; none that is larger


def examples(name: str, parameters: Sequence[str], filename: str, scope: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return what the arguments of a class are where the repository calls it.

    Parameters
    ----------
    name : str
        Of the class.
    parameters : sequence of str
        The names of its constructor's arguments, in order.
    filename : str
        The file that defines it.
    scope : mapping
        The names of its module: an argument may be another of its classes, ``activation=ReLU()``.

    Examples
    --------
    >>> examples("A", ["size"], "", {})
    {}
    """
    found: dict[str, list[Any]] = {}
    for text in _texts(filename):
        for call in _calls(text).get(name, ()):
            keywords = [(k.arg, k.value) for k in call.keywords if k.arg in parameters]
            for parameter, node in (*zip(parameters, call.args, strict=False), *keywords):
                for value in _values(node, scope):
                    found.setdefault(str(parameter), []).append(value)
    return found


def _texts(filename: str) -> Iterator[str]:
    """Yield the layer's own file, which may be a notebook, then the files beside it."""
    own = "".join(lines_of(filename)) if filename else ""
    if own:
        yield own
    path = Path(filename)
    if path.is_file():
        others = sorted(other for other in path.parent.glob("*.py") if other != path)
        for other in others[:_FILES]:
            if other.stat().st_size <= _BYTES:
                yield "".join(lines_of(str(other)))


@lru_cache(maxsize=32)
def _calls(text: str) -> dict[str, list[ast.Call]]:
    """Return the calls in a file by the name that is called, ``nn.Dense(...)`` under ``Dense``."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return {}
    found: dict[str, list[ast.Call]] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
            function = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
            found.setdefault(function, []).append(node)
    return found


def _values(node: ast.expr, scope: Mapping[str, Any]) -> Iterator[Any]:
    """Yield the value of an argument, if it can be told without running more than a constructor of the module."""
    try:
        yield ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        value = _built(node, scope)
        if value is not None:
            yield value


def _built(node: ast.expr, scope: Mapping[str, Any]) -> Any:
    """Return an object, or a list of them, that the module's own classes make, called with literals or with nothing."""
    if isinstance(node, ast.List | ast.Tuple):
        parts = [_built(part, scope) for part in node.elts]
        return parts if parts and all(part is not None for part in parts) else None
    if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
        return None
    make: Callable[..., Any] | None = scope.get(node.func.id)
    if not isinstance(make, type):
        return None
    try:
        keywords = {str(k.arg): ast.literal_eval(k.value) for k in node.keywords}
        return called(make, *map(ast.literal_eval, node.args), **keywords)
    except Exception:  # noqa: BLE001 - it needs what stands nowhere in the file
        return None
