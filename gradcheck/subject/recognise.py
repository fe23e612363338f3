"""Which of the objects of a loaded module are layers, and what stands in the way of the others."""

from __future__ import annotations

import ast
import inspect
import re
from types import ModuleType
from typing import Any

from gradcheck.subject import functions, outline, source, text
from gradcheck.subject.conventions import closures, knows_others, others_claim
from gradcheck.subject.conventions.tensors import is_tensor
from gradcheck.subject.frameworks import (
    derives_from,
    framework_of,
    is_checked,
    is_custom_vjp,
    is_frameworks_own,
    is_installed,
    is_primitive,
    not_installed,
)
from gradcheck.subject.halves import BACKWARDS, PLAIN, halves_of, has

__all__ = ["foreign", "in_module", "is_base", "is_layer", "knows_others", "obstacle", "why_not"]

_FUNCTION, _MODULE = "torch.autograd.function.Function", "torch.nn.modules.module.Module"

_BY_HAND = "gradcheck.check((f, vjp), inputs=...)"


def in_module(module: ModuleType, tree: ast.Module) -> dict[str, Any]:
    """Return the layers that a module itself defines, by name: classes, and functions, of which pairs are tuples.

    Those that are found but cannot be checked are among them; `obstacle` tells them apart.
    """
    names = {
        name: obj
        for name, obj in list(vars(module).items())
        if not name.startswith("_") and _home(obj) == module.__name__
    }
    found: dict[str, Any] = {}
    for name, obj in names.items():
        if any(obj is other for other in found.values()):  # `ReLU = Relu` is one layer
            continue
        if is_custom_vjp(obj) or is_primitive(obj) or others_claim(obj):
            found[name] = obj
        elif not isinstance(obj, type):
            continue
        elif is_layer(obj) or closures.method_of(obj) or (not is_base(obj) and obstacle(obj)):
            found[name] = obj
    for name, parts in functions.layers(tree).items():
        made = tuple(names.get(part) for part in parts)
        if name not in found and all(callable(part) and not isinstance(part, type) for part in made):
            found[name] = functions.layer_of(parts, made)
    return found


def is_layer(cls: type) -> bool:
    """Whether the class has a forward and a backward, under whatever names, that are really written."""
    if derives_from(cls, _MODULE):
        by_hand = _writes(cls, "backward") or re.search(r"\.apply\b", source.text_of(cls))
        return _writes(cls, "forward") and bool(by_hand)
    own = framework_of(cls) is None or (derives_from(cls, _FUNCTION) and _writes(cls, "forward"))
    return own and halves_of(cls) is not None and not is_base(cls)


def is_base(cls: type) -> bool:
    """Whether the class leaves its forward or backward to those that derive from it."""
    if inspect.isabstract(cls) or getattr(cls, "_is_protocol", False):
        return True
    halves = halves_of(cls) or PLAIN
    nodes = [source.definition(getattr(cls, name)) for name in (halves.forward, halves.backward) if has(cls, name)]
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
    framework = framework_of(cls)
    if framework is not None and is_checked(framework) and not is_installed(framework):
        return not_installed(name, framework)
    if framework is not None:
        is_of_torch = derives_from(cls, _MODULE) or derives_from(cls, _FUNCTION)
        is_like_one = not is_of_torch and (has(cls, "forward") or has(cls, "backward"))
        return foreign(name, framework) if is_like_one else None
    if closures.method_of(cls) is not None:
        return None
    backward = next((method for method in BACKWARDS if has(cls, method)), None)
    if backward is None or halves_of(cls) is not None:
        return None
    if is_tensor(cls):
        return (
            f"{name} is the tensor of an engine: what is computed with it can be checked",
            f"name a function of such tensors: gradcheck.check(gradcheck.through(f, {name}), inputs=(x,))",
        )
    return (
        f"{name} has {backward} but no forward: there is nothing to differentiate",
        f"give {name} a forward method, or check the two functions by hand: {_BY_HAND}",
    )


def foreign(name: str, framework: str) -> tuple[str, str]:
    """Say that a framework's layers are not checked, and what to do about it."""
    return (
        f"{name} is a {framework} layer: those of NumPy, torch, jax and autograd are checked",
        f"use functions of NumPy arrays: {_BY_HAND}",
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
    # Of a module it is known once it has run.
    if is_layer(obj) or derives_from(obj, _MODULE) or closures.method_of(obj) is not None:
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


def _home(obj: Any) -> str | None:
    """Return the name of the module that defines an object."""
    return getattr(obj.fun if is_primitive(obj) else obj, "__module__", None)


def _writes(cls: type, method: str) -> bool:
    """Whether the class, or one of the user's that it derives from, defines a method."""
    return any(method in vars(base) for base in cls.__mro__ if not is_frameworks_own(base))


def _article(noun: str) -> str:
    return f"an {noun}" if noun[:1] in "aeiouAEIOU" else f"a {noun}"
