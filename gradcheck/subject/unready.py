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

    What forward should have set, and did not, is a bug of the layer's and no excuse.
    """
    kept = getattr(layer, "__dict__", {})
    none = "'NoneType' object" in str(error)
    lacks = re.search(r"object has no attribute '(\w+)'", str(error))
    if none:
        missing = {name for name, value in kept.items() if value is None}
    elif lacks and getattr(error, "obj", None) is layer and isinstance(error, AttributeError):
        missing = {lacks[1]}
    else:
        return None
    for method, name in _set_later(type(layer)) if missing else ():
        if name in missing and method == "__call__":
            return UncheckedError(
                f"backward needs {name}, which {type(layer).__name__} gets when the engine it belongs to calls it",
                fix="check what it computes through the engine's own tensors: gradcheck.check((f, vjp), inputs=(...))",
            )
        if name in missing:
            return UncheckedError(
                f"{type(layer).__name__} is not ready: its {name} is {'None' if none else 'missing'} until "
                f"{method}(...) is called",
                fix=f"give a layer that is ready: layer.{method}(...), then gradcheck.check(layer)",
            )
    return None


def _set_later(cls: type) -> list[tuple[str, str]]:
    """Return the attributes that methods other than the constructor and the halves set, with the method."""
    try:
        tree = ast.parse(re.sub(r"^(?=\s+class )", "if 1:\n", text_of(cls)))
    except SyntaxError:
        return []
    methods = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    return [
        (method.name, target.attr)
        for method in methods
        if method.name == "__call__" or not (method.name in NAMES or method.name.startswith("_"))
        for node in ast.walk(method)
        if isinstance(node, ast.Assign) and not (isinstance(node.value, ast.Constant) and node.value.value is None)
        for target in node.targets
        if isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == "self"
    ]
