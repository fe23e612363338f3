"""Which statements of a script a definition needs: found by following names, nothing is run."""

from __future__ import annotations

import ast
import copy
import symtable
from collections.abc import Iterator
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


def bound(statement: ast.stmt | ast.ExceptHandler) -> set[str]:
    """Return the names that a statement gives a value to; ``*`` for a star import.

    ``params["W"] = ...`` and ``Relu.backward = ...`` count for ``params`` and ``Relu``.
    """
    if isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return {statement.name}
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return {alias.asname or alias.name.partition(".")[0] for alias in statement.names}
    if isinstance(statement, (*_COMPOUND, ast.ExceptHandler)):
        parts = [node for node in ast.iter_child_nodes(statement) if isinstance(node, ast.stmt | ast.ExceptHandler)]
        return set().union(*map(bound, parts))
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
