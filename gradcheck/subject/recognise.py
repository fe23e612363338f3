"""Which of the objects of a loaded module are layers, and what stands in the way of the others."""

from __future__ import annotations

import ast
import inspect
from types import ModuleType
from typing import Any

from gradcheck.subject import functions, outline, source, text
from gradcheck.subject.conventions import closures

# What has gradients of its own kind: found, but not checked yet.
_FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "flax", "chainer", "paddle", "mindspore")

_BY_HAND = "gradcheck.check((f, vjp), inputs=...)"


def in_module(module: ModuleType, tree: ast.Module) -> dict[str, Any]:
    """Return the layers that a module itself defines, by name: classes, and functions, of which pairs are tuples.

    Those that are found but cannot be checked are among them; `obstacle` tells them apart.
    """
    names = {
        name: obj
        for name, obj in list(vars(module).items())
        if not name.startswith("_") and getattr(obj, "__module__", None) == module.__name__
    }
    found: dict[str, Any] = {}
    for name, obj in names.items():
        if not isinstance(obj, type) or any(obj is other for other in found.values()):  # `ReLU = Relu` is one layer
            continue
        if is_layer(obj) or closures.method_of(obj) or (not is_base(obj) and obstacle(obj)):
            found[name] = obj
    for name, parts in functions.layers(tree).items():
        made = tuple(names.get(part) for part in parts)
        if name not in found and all(callable(part) and not isinstance(part, type) for part in made):
            found[name] = functions.layer_of(parts, made)
    return found


def is_layer(cls: type) -> bool:
    """Whether the class has a forward and a backward that are really written."""
    return _has(cls, "forward") and _has(cls, "backward") and not is_base(cls) and _framework(cls) is None


def is_base(cls: type) -> bool:
    """Whether the class leaves its forward or backward to those that derive from it."""
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        return True
    nodes = [source.definition(getattr(cls, name)) for name in ("forward", "backward") if _has(cls, name)]
    return any(node is not None and outline.is_stub(node) for node in nodes)


def obstacle(obj: object, tree: ast.Module | None = None) -> tuple[str, str] | None:
    """Say why what looks like a layer cannot be checked, and what to do about it; None for all others."""
    return _of_class(obj) if isinstance(obj, type) else _of_functions(obj, tree)


def _of_functions(obj: object, tree: ast.Module | None) -> tuple[str, str] | None:
    """Say that functions need what could not be imported, or a dictionary of arrays whose shapes nobody can guess."""
    for part in obj if isinstance(obj, tuple) else (obj,):
        node = source.definition(part)
        lost = functions.lost_import(part, tree) if tree is not None else None
        if lost:
            return (
                f"{getattr(part, '__name__', 'it')} needs {lost}, which could not be imported",
                f"build or install what {lost} is imported from",
            )
        table = functions.table_in(node) if node is not None else None
        if node is not None and table:
            called = f"{getattr(part, '__name__', 'it')}({', '.join(text.arguments(node))})"
            return (
                f"{called} takes arrays in a dictionary, {table}, whose keys and shapes are not known",
                "check a function of the arrays: gradcheck.check((lambda x, W, b: forward(x, dict(W=W, b=b)), vjp), "
                "inputs=(x, W, b))",
            )
    return None


def _of_class(cls: type) -> tuple[str, str] | None:
    name = cls.__name__
    framework = _framework(cls)
    if framework is not None and (_has(cls, "forward") or _has(cls, "backward")):
        return foreign(name, framework)
    backwards = [method for method in outline.BACKWARDS if _has(cls, method)]
    if closures.method_of(cls) is not None:
        return None
    if not backwards or (_has(cls, "forward") and _has(cls, "backward")):
        return None
    forwards = [method for method in outline.FORWARDS if _has(cls, method)]
    if not forwards:
        return (
            f"{name} has {backwards[0]} but no forward: there is nothing to differentiate",
            f"give {name} a forward method, or check the two functions by hand: {_BY_HAND}",
        )
    aliases = [f"forward = {forwards[0]}"] if forwards[0] != "forward" else []
    aliases += [f"backward = {backwards[0]}"] if backwards[0] != "backward" else []
    return (
        f"{name} has {forwards[0]} and {backwards[0]}, where forward and backward were expected",
        f"write `{'; '.join(aliases)}` in the class, or check it by hand: {_BY_HAND}",
    )


def foreign(name: str, framework: str) -> tuple[str, str]:
    """Say that a framework's own layer is not checked yet, and what to do about it."""
    other = "torch.autograd.gradcheck, or " if framework == "torch" else ""
    return (
        f"{name} is a {framework} layer: only layers on NumPy arrays are checked yet",
        f"use {other}functions of NumPy arrays: {_BY_HAND}",
    )


def why_not(name: str, obj: object) -> tuple[str, str] | None:
    """Say why an object that the user has named cannot be checked; None if it can be tried."""
    if not isinstance(obj, type):
        cls = type(obj)
        # What can be called is a factory: what it returns is checked.
        if isinstance(obj, tuple) or callable(obj) or (_has(cls, "forward") and _has(cls, "backward")):
            return None
        return (
            f"{name} is {_article(cls.__name__)}, not a layer",
            "name a class with forward and backward, or a pair of functions NAME_forward and NAME_backward",
        )
    if is_layer(obj) or closures.method_of(obj) is not None:
        return None
    if is_base(obj):
        return (
            f"{name} is a base class: its forward or backward is not written",
            "name a class that derives from it and writes both",
        )
    missing = " and ".join(method for method in ("forward", "backward") if not _has(obj, method))
    return obstacle(obj) or (
        f"{name} has no {missing}: it is not a layer",
        f"name a class with forward and backward, or check two functions by hand: {_BY_HAND}",
    )


def _has(cls: type, method: str) -> bool:
    if method == "__call__":  # every class has the one of its metaclass
        return any("__call__" in vars(base) for base in cls.__mro__)
    return callable(getattr(cls, method, None))


def _framework(cls: type) -> str | None:
    """Return the framework that the class derives from, told by module names: nothing is imported to find out."""
    tops = {str(base.__module__).partition(".")[0] for base in cls.__mro__}
    return next((name for name in _FRAMEWORKS if name in tops), None)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiouAEIOU" else f"a {noun}"
