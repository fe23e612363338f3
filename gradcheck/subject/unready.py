"""Layers that are not ready when they are built: ``self.loss`` is None until somebody calls ``compile(loss)``."""

from __future__ import annotations

import ast
import re
from typing import Any

from gradcheck.errors import UncheckedError
from gradcheck.subject.halves import NAMES
from gradcheck.subject.source import text_of


def unready(layer: Any, error: Exception) -> UncheckedError | None:
    """Return what is missing where a call failed on an attribute that another method would have set; else None.

    What a layer's own forward should have set, and did not, is a bug of the layer's and no excuse.
    """
    none = "'NoneType' object" in str(error)
    if type(getattr(error, "obj", None)).__module__.partition(".")[0] == "gradcheck":
        return UncheckedError(
            f"{type(layer).__name__} is built of layers of its own kind: {error}",
            fix="build it with layers that it knows: layer = ..., then gradcheck.check(layer)",
        )
    lacks = re.search(r"object has no attribute '(\w+)'", str(error))
    owner = getattr(error, "obj", None) if lacks and not none and isinstance(error, AttributeError) else layer
    kept = getattr(owner, "__dict__", {})
    missing = {name for name, value in kept.items() if value is None} if none else {lacks[1]} if lacks else set()
    for method, name in _set_later(type(owner), inner=owner is not layer) if missing else ():
        if name in missing and owner is layer and method == "__call__":
            return UncheckedError(
                f"backward needs {name}, which {type(layer).__name__} gets when the engine it belongs to calls it",
                fix="check what it computes through the engine's own tensors: gradcheck.check((f, vjp), inputs=(...))",
            )
        if name in missing:
            whose = "its" if owner is layer else f"the {name} of its {type(owner).__name__}"
            what = f"{whose} {name}" if owner is layer else whose
            call = f"layer.{method}(...), then " if owner is layer else ""
            return UncheckedError(
                f"{type(layer).__name__} is not ready: {what} is {'None' if none else 'missing'} until {method}(...) "
                f"is called",
                fix=f"give a layer that is ready: {call}gradcheck.check(layer)",
            )
    return None


def _set_later(cls: type, *, inner: bool) -> list[tuple[str, str]]:
    """Return the attributes that methods other than the constructor set, with the method.

    ``inner``: of a layer inside of another, which may not have been run; of the layer itself the halves have been.
    """
    try:
        tree = ast.parse(re.sub(r"^(?=\s+class )", "if 1:\n", text_of(cls)))
    except SyntaxError:
        return []
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [
        (method.name, target.attr)
        for method in methods
        if method.name == "__call__" or not (method.name.startswith("_") or (method.name in NAMES and not inner))
        for node in ast.walk(method)
        if isinstance(node, ast.Assign) and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    ]
