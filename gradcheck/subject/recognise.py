"""Which of the objects of a loaded module are layers, and what stands in the way of the others."""

from __future__ import annotations

import inspect
from types import ModuleType
from typing import Any

from gradcheck.subject import outline, source
from gradcheck.subject.conventions import knows_others, others_claim
from gradcheck.subject.halves import BACKWARDS, PLAIN, halves_of, has

__all__ = ["foreign", "in_module", "is_base", "is_layer", "knows_others", "obstacle", "why_not"]

# What has gradients of its own kind: found, but not checked yet.
_FRAMEWORKS = ("torch", "tensorflow", "keras", "jax", "flax", "chainer", "paddle", "mindspore")

_BY_HAND = "gradcheck.check((f, vjp), inputs=...)"


def in_module(module: ModuleType) -> dict[str, Any]:
    """Return the layers that a module itself defines, by name: classes, and pairs of functions as tuples.

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
        if is_layer(obj) or others_claim(obj) or (not is_base(obj) and obstacle(obj)):
            found[name] = obj
    functions = {name: obj for name, obj in names.items() if callable(obj) and not isinstance(obj, type)}
    couples = {stem: (functions[f], functions[b]) for stem, (f, b) in outline.pairs(functions).items()}
    return found | {stem: couple for stem, couple in couples.items() if stem not in found}


def is_layer(cls: type) -> bool:
    """Whether the class has a forward and a backward, under whatever names, that are really written."""
    return halves_of(cls) is not None and not is_base(cls) and _framework(cls) is None


def is_base(cls: type) -> bool:
    """Whether the class leaves its forward or backward to those that derive from it."""
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        return True
    halves = halves_of(cls) or PLAIN
    nodes = [source.definition(getattr(cls, name)) for name in (halves.forward, halves.backward) if has(cls, name)]
    return any(node is not None and outline.is_stub(node) for node in nodes)


def obstacle(cls: type) -> tuple[str, str] | None:
    """Say why a class that looks like a layer cannot be checked, and what to do about it; None for all others."""
    name = cls.__name__
    framework = _framework(cls)
    if framework is not None and (has(cls, "forward") or has(cls, "backward")):
        return foreign(name, framework)
    backward = next((method for method in BACKWARDS if has(cls, method)), None)
    if backward is None or halves_of(cls) is not None:
        return None
    return (
        f"{name} has {backward} but no forward: there is nothing to differentiate",
        f"give {name} a forward method, or check the two functions by hand: {_BY_HAND}",
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
    if others_claim(obj):
        return None
    if not isinstance(obj, type):
        cls = type(obj)
        # What can be called is a factory: what it returns is checked.
        if isinstance(obj, tuple) or callable(obj) or halves_of(obj) is not None:
            return None
        return (
            f"{name} is {_article(cls.__name__)}, not a layer",
            "name a class with forward and backward, or a pair of functions NAME_forward and NAME_backward",
        )
    if is_layer(obj):
        return None
    if is_base(obj):
        return (
            f"{name} is a base class: its forward or backward is not written",
            "name a class that derives from it and writes both",
        )
    missing = " and ".join(method for method in ("forward", "backward") if not has(obj, method))
    return obstacle(obj) or (
        f"{name} has no {missing}: it is not a layer",
        f"name a class with forward and backward, or check two functions by hand: {_BY_HAND}",
    )


def _framework(cls: type) -> str | None:
    """Return the framework that the class derives from, told by module names: nothing is imported to find out."""
    tops = {str(base.__module__).partition(".")[0] for base in cls.__mro__}
    return next((name for name in _FRAMEWORKS if name in tops), None)


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiouAEIOU" else f"a {noun}"
