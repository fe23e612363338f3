"""What a function's own text says: its parameters, what it returns, and the functions that it makes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TypeVar

from gradcheck.subject.names import gradient_names

_Node = TypeVar("_Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
CLOSING = ("begin_update", "forward", "__call__")  # methods that may return a pullback
FLAG = re.compile(r"^(is_?)?(deriv\w*|prime|grad|gradient|dx?)$", re.IGNORECASE)
COTANGENT = re.compile(
    r"^_?(d_?out\w*|d(?!im|en|ot|eg|ir|ur|ay|t$)[a-z]{1,2}\d*|d_\w+|d[A-Z]\w*|d(next|prev|curr|current)_?\w*|dl_?d\w+|gy?s?"
    r"|grad\w*|\w+_grads?|g_?(out\w*|y|z)|upstream\w*|ct|cotangents?|deltas?|dvalues|err|errors?|v_?jp)$"
)
GRADIENT = re.compile(
    r"^(\w*_?grad(ient)?s?|g|jac(obian)?|delta|d_?[A-Za-z]{1,2}\d*|d_?(scores|logits|preds?|out|probs)|dj_d\w+)$"
)
_INNER = re.compile(r"back|pull|vjp|grad|finish|bwd|bprop|deriv|update", re.IGNORECASE)


def written(tree: ast.Module) -> Iterator[tuple[str, Function]]:
    """Yield the functions of a module with their names, lambdas that are given one included."""
    for node in statements(tree.body):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name, node
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a block, those in its ``if``, ``try`` and ``with`` blocks included."""
    for node in body:
        yield node
        if isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With):
            for _, block in ast.iter_fields(node):
                if isinstance(block, list):
                    yield from statements([part for part in block if isinstance(part, ast.stmt)])
                    for handler in block:
                        if isinstance(handler, ast.ExceptHandler):
                            yield from statements(handler.body)


def arguments(node: Function, *, required: bool = False) -> list[str]:
    """Return the names of a function's parameters, ``*args`` left out.

    Examples
    --------
    >>> arguments(ast.parse("lambda x, y=1, *, z: x").body[0].value, required=True)
    ['x', 'z']
    """
    found = node.args
    positional = [*found.posonlyargs, *found.args]
    must = positional[: len(positional) - len(found.defaults)] if required else positional
    named = [
        a for a, default in zip(found.kwonlyargs, found.kw_defaults, strict=True) if default is None or not required
    ]
    return [argument.arg for argument in (*must, *named)]


def flag_of(node: Function) -> str | None:
    """Return the parameter that asks for the derivative, as in ``sigmoid(x, deriv=False)``."""
    found = node.args
    positional = [*found.posonlyargs, *found.args]
    defaults = [*zip(positional[len(positional) - len(found.defaults) :], found.defaults, strict=True)]
    defaults += [(a, d) for a, d in zip(found.kwonlyargs, found.kw_defaults, strict=True) if d is not None]
    for argument, default in defaults:
        if FLAG.match(argument.arg) and isinstance(default, ast.Constant) and isinstance(default.value, bool):
            return argument.arg
    return None


def is_gradient_of(gradient: str, names: list[str]) -> bool:
    """Whether a name is one for the gradient of something called one of ``names``."""
    low = gradient.lower()
    return any(low in spellings_of(name) for name in names)


def spellings_of(name: str) -> tuple[str, ...]:
    """Return the names that the gradient of an argument has among local variables, ``dj_dw`` too."""
    low = name.lower().lstrip("_")
    return (
        *gradient_names(name),
        f"dj_d{low}",
        f"dj{low}",
        f"dc_d{low}",
        f"de_d{low}",
        f"d{low}s",
        f"d{low[:1]}{low[1:].rstrip('s')}",
    )


def returns(node: Function) -> list[list[str]]:
    """Return what each return of a function gives, as names: those of variables, empty for other expressions."""
    values = [node.body] if isinstance(node, ast.Lambda) else [part.value for part in _own(node, ast.Return)]
    return [
        [_label(item) for item in (value.elts if isinstance(value, ast.Tuple | ast.List) else [value])]
        for value in values
        if value is not None and not (isinstance(value, ast.Constant) and value.value is None)
    ]


def stacked(node: Function) -> int:
    """Return how many gradients ``return np.array([dx, dy])`` stacks in one array, 0 for any other return."""
    for value in [node.body] if isinstance(node, ast.Lambda) else [part.value for part in _own(node, ast.Return)]:
        match value:
            case ast.Call(
                func=ast.Attribute(attr="array" | "asarray" | "stack"), args=[ast.List() | ast.Tuple() as rows]
            ):
                return len(rows.elts)
    return 0


def closure_of(node: Function) -> Function | None:
    """Return the pullback that a function returns behind its outputs: a nested function or a lambda."""
    for value in [part.value for part in _own(node, ast.Return)]:
        if isinstance(value, ast.Tuple) and len(value.elts) > 1 and arguments(node):
            inner = _inner(node, value.elts[-1])
            if inner is None:
                continue
            names = arguments(inner, required=True)
            called = inner.name if isinstance(inner, ast.FunctionDef) else ""
            if names and (_INNER.search(called) or COTANGENT.match(names[0])):
                return inner
    return None


def made_closure(node: Function) -> Function | None:
    """Return the function with a pullback that a function makes."""
    for value in [part.value for part in _own(node, ast.Return)]:
        inner = _inner(node, value)
        if inner is not None and closure_of(inner) is not None:
            return inner
    return None


def closing_method(cls: ast.ClassDef) -> str | None:
    """Return the method of a class that returns its output and a pullback, as thinc's ``begin_update`` does."""
    methods = {node.name: node for node in cls.body if isinstance(node, ast.FunctionDef)}
    found = (name for name in CLOSING if name in methods and len(arguments(methods[name])) > 1)
    return next((name for name in found if closure_of(methods[name]) is not None), None)


def _inner(node: Function, value: ast.expr | None) -> Function | None:
    """Return the nested function that an expression means."""
    if isinstance(value, ast.Lambda):
        return value
    if not isinstance(value, ast.Name):
        return None
    return next((part for part in _own(node, ast.FunctionDef) if part.name == value.id), None)


def _own(node: Function, kind: type[_Node]) -> list[_Node]:
    """Return the parts of a kind in a function, none of those in functions inside it."""
    found: list[_Node] = []
    waiting: list[ast.AST] = [] if isinstance(node, ast.Lambda) else [*node.body]
    while waiting:
        part = waiting.pop(0)
        if isinstance(part, kind):
            found.append(part)
        if not isinstance(part, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda | ast.ClassDef):
            waiting = [*ast.iter_child_nodes(part), *waiting]
    return found


def _label(value: ast.expr) -> str:
    """Return the gradient that an expression is about, ``dW`` of ``dW / m`` and of ``dW.ravel()``, or a variable."""
    if isinstance(value, ast.Name):
        return value.id
    name = _about(value)
    return name if GRADIENT.match(name) or COTANGENT.match(name) else ""


def _about(value: ast.expr) -> str:
    while True:
        match value:
            case ast.Name(id=name) | ast.Attribute(attr=name):
                return name
            case ast.Subscript(value=inner) | ast.UnaryOp(operand=inner) | ast.BinOp(left=inner):
                value = inner
            case ast.Call(func=ast.Attribute(value=inner, attr="ravel" | "flatten" | "reshape" | "copy")):
                value = inner
            case ast.Call(args=[inner]):
                value = inner
            case _:
                return ""
