"""Which statements of a script define something, and which of them a definition needs: nothing is run."""

from __future__ import annotations

import ast
import copy
import symtable
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any


def statements(body: list[ast.stmt], names: set[str]) -> list[ast.stmt]:
    """Return the statements that define the names, and those that these need, in order."""
    while True:
        kept = _defining(body, names)
        more = names.union(*map(free_names, kept))
        if more == names:
            return kept
        names = more


def is_script(body: list[ast.stmt]) -> bool:
    r"""Whether a file does something of its own at the top level: loops, opens files, calls functions for their effect.

    What only sets the scene (``np.random.seed(0)``, ``sys.path.append(...)``) does not count.

    Examples
    --------
    >>> is_script(ast.parse("import numpy as np; np.random.seed(0); rate = float('0.1')").body)
    False
    >>> is_script(ast.parse("def main(): ...\nif True:\n    main()").body)
    True
    """
    return any(map(_acts, body))


def definitions(body: Iterable[ast.stmt | ast.ExceptHandler]) -> set[str]:
    r"""Return the names of the classes, functions, constants and imports at the top level.

    Examples
    --------
    >>> sorted(definitions(ast.parse("RATE = 0.1; data = load()\ndef f(): ...").body))
    ['RATE', 'f']
    """
    names: set[str] = set()
    for statement in body:
        if isinstance(statement, (*_COMPOUND, ast.ExceptHandler)) and not _is_main(statement):
            names |= definitions([node for node in ast.iter_child_nodes(statement) if isinstance(node, _PARTS)])
        elif isinstance(statement, _DEFINITIONS) and not _calls(statement):
            names |= bound(statement)
    return names


def disturbed(body: list[ast.stmt], kept: Collection[ast.stmt], names: set[str]) -> dict[str, int]:
    """Return the names that something which is not kept fills or changes in place, with the line."""
    changes: dict[str, int] = {}
    lines = {statement.lineno for statement in kept}
    for statement in body:
        if statement.lineno not in lines and not _is_main(statement):
            found = [node for node in _nodes(statement) if isinstance(node, ast.stmt)]
            changes |= {name: node.lineno for node in found for name in _changed(node) if name in names}
    return changes


def bound(statement: ast.stmt | ast.ExceptHandler) -> set[str]:
    """Return the names that a statement gives a value to; ``*`` for a star import.

    ``params["W"] = ...``, ``Relu.backward = ...`` and ``names.append(...)`` count for ``params``, ``Relu``, ``names``.
    """
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, (*_COMPOUND, ast.ExceptHandler)):
        parts = [node for node in ast.iter_child_nodes(statement) if isinstance(node, _PARTS)]
        return set().union(*map(bound, parts))
    if isinstance(statement, ast.Expr):
        return _changed(statement)
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    if isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    return {name for target in targets for name in _target_names(target)}


def free_names(statement: ast.stmt) -> set[str]:
    """Return the global names that a statement uses, those inside its functions and classes included."""
    names = {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
    with suppress(SyntaxError):  # a return outside a function: running it will tell
        top = symtable.symtable(ast.unparse(statement), "<cell>", "exec")
        names = {symbol.get_name() for symbol in top.get_symbols() if symbol.is_referenced()}
        names.update(
            symbol.get_name()
            for table in _inner(top)
            for symbol in table.get_symbols()
            if symbol.is_referenced() and symbol.is_global()
        )
    return names


_COMPOUND = (ast.If, ast.Try, ast.TryStar, ast.With)
_PARTS = (ast.stmt, ast.ExceptHandler)
_DEFINITIONS = (
    *(ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef),
    *(ast.Assign, ast.AnnAssign, ast.Import, ast.ImportFrom),
)

# Modules whose functions, called for their effect, set the scene for the definitions.
_SCENE = {"sys", "os", "warnings", "logging", "np", "numpy", "random", "matplotlib", "mpl", "plt"}
_FILLING = {"append", "extend", "insert", "add", "update", "setdefault", "register"}
_GIVES_A_DERIVATIVE = {"defvjp", "defjvp", "defvjps", "defvjp_argnum", "defvjp_argnums"}  # of jax and HIPS autograd


def _acts(statement: ast.stmt) -> bool:
    if isinstance(statement, ast.Expr):
        calls = isinstance(statement.value, ast.Call | ast.Await) and not _completed(statement.value)
        return calls and ast.unparse(statement).partition("(")[0].partition(".")[0] not in _SCENE
    if isinstance(statement, ast.If | ast.Try | ast.TryStar) and not _is_main(statement):
        return any(_acts(node) for field in ("body", "orelse", "finalbody") for node in getattr(statement, field, []))
    return isinstance(statement, ast.For | ast.AsyncFor | ast.While | ast.With | ast.AsyncWith)


def _is_main(statement: ast.AST) -> bool:
    return isinstance(statement, ast.If) and ast.unparse(statement.test).startswith("__name__ ==")


def _calls(statement: ast.AST) -> bool:
    """Whether an assignment calls something: then it may be data, or a model in training."""
    value = getattr(statement, "value", None)
    return value is not None and any(isinstance(node, ast.Call) for node in ast.walk(value))


def _changed(node: ast.stmt) -> set[str]:
    """Return the name that is filled in place: ``names.append(...)``, ``setattr(Relu, ...)``, ``table[k] = ...``."""
    call = node.value if isinstance(node, ast.Expr) else None
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr in _FILLING:
        return set(_target_names(call.func.value))
    if call is not None and (completed := _completed(call)):
        return completed
    if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "setattr" and call.args:
        return set(_target_names(call.args[0]))
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return {n for t in targets if isinstance(t, ast.Subscript | ast.Attribute) for n in _target_names(t)}


def _completed(call: ast.expr) -> set[str]:
    """Return the function that a call gives its derivative: ``square.defvjp(...)``, ``defvjp(square, ...)``."""
    if not isinstance(call, ast.Call) or ast.unparse(call.func).rpartition(".")[2] not in _GIVES_A_DERIVATIVE:
        return set()
    holders = [call.func.value] if isinstance(call.func, ast.Attribute) else []
    return {node.id for node in (*holders, *call.args[:1]) if isinstance(node, ast.Name)}


def _nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes of a statement outside of functions and classes."""
    yield statement
    for node in ast.iter_child_nodes(statement):
        if not isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            yield from _nodes(node)


def _defining(body: list[ast.stmt], names: set[str]) -> list[ast.stmt]:
    """Return the statements that bind one of the names, without what else their blocks do."""
    kept = []
    for statement in body:
        if isinstance(statement, _COMPOUND):
            block = _pruned(statement, names)
            if block is not None:
                kept.append(block)
        elif bound(statement) & {*names, "*"} or _prepares_imports(statement):
            kept.append(statement)
    return kept


def _pruned(node: Any, names: set[str]) -> Any:
    """Return a copy of a block with only what defines the names, or None if nothing in it does."""
    pruned, useful = copy.copy(node), False
    for field, block in ast.iter_fields(node):
        if field in ("body", "orelse", "finalbody"):
            kept = _defining(block, names)
            useful |= bool(kept)
            empty = [ast.copy_location(ast.Pass(), node)] if field == "body" else []
            setattr(pruned, field, kept or empty)
        elif field == "handlers":
            handlers = [(_pruned(handler, names), handler) for handler in block]
            useful |= any(kept is not None for kept, _ in handlers)
            pruned.handlers = [kept or _silenced(handler) for kept, handler in handlers]
    return pruned if useful else None


def _silenced(handler: ast.ExceptHandler) -> ast.ExceptHandler:
    silenced = copy.copy(handler)
    silenced.body = [ast.copy_location(ast.Pass(), handler)]
    return silenced


def _target_names(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Attribute | ast.Subscript | ast.Starred):
        yield from _target_names(target.value)
    elif isinstance(target, ast.Tuple | ast.List):
        for part in target.elts:
            yield from _target_names(part)


def _prepares_imports(statement: ast.stmt) -> bool:
    """Whether it is ``sys.path.append(...)`` or the like, or switches on a ``__future__``."""
    if isinstance(statement, ast.ImportFrom):
        return statement.module == "__future__"
    return isinstance(statement, ast.Expr) and ast.unparse(statement).startswith("sys.path.")


def _inner(table: symtable.SymbolTable) -> Iterator[symtable.SymbolTable]:
    for child in table.get_children():
        yield child
        yield from _inner(child)
