"""What a layer's own source does with a constructor argument: calls it, takes it apart, compares it with words.

The name of an argument says what it means, its use says what kind of thing it is. ``a, b = kernel_size`` wants a pair,
``self.act.forward(z)`` a layer, ``mode == "same"`` a word.
"""

from __future__ import annotations

import ast
import re
import textwrap
import warnings
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any


@dataclass(slots=True)
class Usage:
    """What is done with one constructor argument.

    ``words``: what it is compared with, or looked up among. ``length``: of the tuple that it is taken apart as; 0 if it
    is taken for a sequence of any length, None for no sequence. ``layer``, ``layers``: its methods forward or backward
    are called, or those of its items. ``function``: it is called itself. ``array``: it has a shape, or is multiplied
    as a matrix.
    """

    words: list[str] = field(default_factory=list)
    length: int | None = None
    layer: bool = False
    layers: bool = False
    function: bool = False
    array: bool = False
    flag: bool = False


def usages(source: str, names: tuple[str, ...], scope: Mapping[str, Any], method: str = "__init__") -> dict[str, Usage]:
    r"""Return what the source of a class, or of functions, does with the arguments of these names.

    Parameters
    ----------
    source : str
        Of the class, and of those it derives from, each at the margin.
    names : tuple of str
    scope : mapping
        The names of its module, for tables that words are looked up in.
    method : str
        The one that has the arguments.

    Examples
    --------
    >>> source = "class A:\n  def __init__(self, mode, size):\n    assert mode in ('same', 'valid')\n    h, w = size"
    >>> found = usages(source, ("mode", "size"), {})
    >>> found["mode"].words, found["size"].length
    (['same', 'valid'], 2)
    """
    found = {name: Usage() for name in names}
    for cls in _definitions(source):
        if isinstance(cls, ast.ClassDef):
            attributes = _kept(cls, names)
            for function in (node for node in cls.body if isinstance(node, ast.FunctionDef)):
                own = {name: name for name in names if function.name == method}
                _Reader(found, own | attributes, scope).visit(function)
        elif isinstance(cls, ast.FunctionDef):
            _Reader(found, {name: name for name in names}, scope).visit(cls)
    return found


@lru_cache(maxsize=8)
def _definitions(source: str) -> tuple[ast.stmt, ...]:
    """Return the classes of a source, of which some may stand inside functions, and be indented."""
    found: list[ast.stmt] = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for part in _parts(source):
            with suppress(SyntaxError, ValueError):
                found += ast.parse(textwrap.dedent(part)).body
    return tuple(found)


def _parts(source: str) -> Iterator[str]:
    """Split a source where it returns to a smaller indentation than it began with."""
    part: list[str] = []
    margin = 0
    for line in source.splitlines():
        indent = len(line) - len(line.lstrip())
        if line.strip() and part and indent < margin:
            yield "\n".join(part)
            part = []
        margin = margin if part else indent
        part.append(line)
    yield "\n".join(part)


def _kept(cls: ast.ClassDef, names: tuple[str, ...]) -> dict[str, str]:
    """Return the arguments that the constructor keeps, by the attribute: ``{"self.act": "activation"}``."""
    kept: dict[str, str] = {}
    for node in ast.walk(cls):
        if isinstance(node, ast.Assign):
            for target, value in _assignments(node):
                if isinstance(value, ast.Name) and value.id in names and isinstance(target, ast.Attribute):
                    kept[ast.unparse(target)] = value.id
    return kept


def _assignments(node: ast.Assign) -> Iterator[tuple[ast.expr, ast.expr]]:
    for target in node.targets:
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            yield from zip(target.elts, node.value.elts, strict=False)
        else:
            yield target, node.value


class _Reader(ast.NodeVisitor):
    """Notes what is done with some expressions, each of which stands for an argument."""

    def __init__(self, found: dict[str, Usage], stands_for: Mapping[str, str], scope: Mapping[str, Any]) -> None:
        self._found, self._stands_for, self._scope = found, dict(stands_for), scope
        self._items: dict[str, str] = {}  # loop variables, and the argument whose items they are

    def _usage(self, node: ast.expr) -> Usage | None:
        named = isinstance(node, ast.Name | ast.Attribute)
        name = self._stands_for.get(ast.unparse(node)) if named else None
        return self._found[name] if name else None

    def visit_Assign(self, node: ast.Assign) -> None:
        usage = self._usage(node.value)
        if usage is not None:
            for target in node.targets:
                if isinstance(target, ast.Tuple):
                    usage.length = len(target.elts)
        self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> None:
        usage, other = self._usage(node.left), node.comparators[0]
        if usage is not None:
            usage.words += [word for word in _words(other, self._scope) if word not in usage.words]
        self.generic_visit(node)

    def visit_Match(self, node: ast.Match) -> None:
        usage = self._usage(node.subject)
        parts = [part for case in node.cases for part in ast.walk(case.pattern)]
        values = [part.value for part in parts if isinstance(part, ast.MatchValue)]
        if usage is not None:
            usage.words += [word for value in values for word in _words(value, self._scope)]
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        key = self._usage(node.slice)
        if key is not None:
            key.words += [word for word in _words(node.value, self._scope) if word not in key.words]
        usage = self._usage(node.value)
        if usage is not None and isinstance(node.slice, ast.Constant) and type(node.slice.value) is int:
            usage.length = max(usage.length or 0, node.slice.value + 1)
        self.generic_visit(node)

    def visit_Starred(self, node: ast.Starred) -> None:
        usage = self._usage(node.value)
        if usage is not None:
            usage.length = usage.length or 0
        self.generic_visit(node)

    def visit_For(self, node: ast.For) -> None:
        self._looped(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        self._looped(node.target, node.iter)
        self.generic_visit(node)

    def _looped(self, target: ast.expr, over: ast.expr) -> None:
        if isinstance(over, ast.Call) and ast.unparse(over.func) in ("reversed", "enumerate", "list") and over.args:
            over = over.args[0]
            target = target.elts[-1] if isinstance(target, ast.Tuple) else target
        if isinstance(over, ast.Subscript):
            over = over.value
        usage = self._usage(over)
        if usage is not None:
            usage.length = usage.length or 0
            self._items[ast.unparse(target)] = self._stands_for[ast.unparse(over)]

    def visit_Call(self, node: ast.Call) -> None:
        function = ast.unparse(node.func)
        usage = self._usage(node.func)
        if usage is not None:
            usage.function = True
        if isinstance(node.func, ast.Attribute) and node.func.attr in ("forward", "backward"):
            owner = self._usage(node.func.value)
            item = self._items.get(ast.unparse(node.func.value))
            if owner is not None:
                owner.layer = True
            elif item is not None:
                self._found[item].layers = True
        first = self._usage(node.args[0]) if node.args else None
        if first is not None:
            first.length = (first.length or 0) if function in ("len", "tuple", "list") else first.length
            first.flag |= function == "isinstance" and ast.unparse(node.args[-1]) == "bool"
        for position, argument in enumerate(node.args):
            among = self._usage(argument)
            if among is not None and position < _arrays_taken(function):
                among.array = True
            if among is not None and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
                among.words += [word for word in _words(node.func.value, self._scope) if word not in among.words]
        self.generic_visit(node)

    def visit_Attribute(self, node: ast.Attribute) -> None:
        usage = self._usage(node.value)
        if usage is not None:
            usage.array |= node.attr in ("shape", "T", "ndim", "dtype", "copy", "astype", "reshape", "dot")
        self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        if isinstance(node.op, ast.MatMult):
            for side in (node.left, node.right):
                usage = self._usage(side)
                if usage is not None:
                    usage.array = True
        self.generic_visit(node)


def _arrays_taken(function: str) -> int:
    """Return how many of the first arguments of a function of NumPy are arrays, 0 if that is not known."""
    name = re.sub(r"^(np|numpy)\.", "", function)
    taken = dict.fromkeys(("dot", "matmul", "tensordot"), 2) | {"einsum": 9}
    one = {"transpose", "zeros_like", "linalg.norm", "linalg.inv", "linalg.det"}
    return 0 if name == function else taken.get(name, int(name in one))


def _words(node: ast.expr, scope: Mapping[str, Any]) -> list[str]:
    """Return the words that an expression is or holds: a string, a collection of strings, the keys of a table."""
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        return [word for part in node.elts for word in _words(part, scope)]
    if isinstance(node, ast.Dict):
        return [word for part in node.keys if part is not None for word in _words(part, scope)]
    table = scope.get(node.id) if isinstance(node, ast.Name) else None
    return [word for word in table if isinstance(word, str)] if isinstance(table, dict | tuple | list | set) else []
