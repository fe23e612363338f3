"""Which functions of a file are layers, by its syntax tree: names pair them, signatures and returns confirm it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any, TypeVar

from gradcheck.subject import pairing
from gradcheck.subject.calls import CACHE_NAMES
from gradcheck.subject.names import gradient_names

_Node = TypeVar("_Node", bound=ast.AST)
Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda

CLOSING = ("begin_update", "forward", "__call__")  # methods that may return a pullback

FLAG = re.compile(r"^(is_?)?(deriv\w*|prime|grad|gradient|dx?)$", re.IGNORECASE)
COTANGENT = re.compile(
    r"^_?(d_?out\w*|d(?!im|en|ot|eg|ir|ur|ay|t$)[a-z]{1,2}\d*|d_\w+|d[A-Z]\w*|d(next|prev|curr|current)_?\w*|dl_?d\w+|gy?s?"
    r"|grad\w*|\w+_grads?|g_?(out\w*|y|z)|upstream\w*|ct|cotangents?|deltas?|dvalues|err|errors?|v_?jp)$"
)

# What layers are not called with: functions to differentiate, networks, optimisers.
_TOOLS = re.compile(
    r"^(f|fn|func|fun|funcs|function|callback|model|net|network|optimi[sz]er|env|agent|self|cls|loss_?(fn|func)|ax|fig"
    r"|path|epochs?|num_?iter\w*|n_?iter\w*|iterations)$"
)
_OPTIONS = re.compile(r"^(\w+_params?|h?param(eter)?s?_?dict|hparam(eter)?s?|conf(ig)?|opts?|options|caches?|memory)$")
_VALUE = re.compile(
    r"^(\w*(loss|cost|obj|objective|nll|energy|error|entropy|likelihood)\w*"
    r"|[fFjJlLE]|f_?val|fx|val(ue)?|err|mse|ce|out(put)?|y)$"
)
_GRADIENT = re.compile(
    r"^(\w*_?grad(ient)?s?|g|jac(obian)?|delta|d_?[A-Za-z]{1,2}\d*|d_?(scores|logits|preds?|out|probs)|dj_d\w+)$"
)
_INNER = re.compile(r"back|pull|vjp|grad|finish|bwd|bprop|deriv|update", re.IGNORECASE)
_OUTSIDE = re.compile(
    r"train|test|check|numeric|plot|eval|step|optimi[sz]e|minimi[sz]e|descent|fit|solve|demo|main|hvp"
)


def layers(tree: ast.Module) -> dict[str, tuple[str, ...]]:
    r"""Return the layers that functions make, by name: the names of a forward and its backward, or of one function.

    One function is a layer where it returns its gradient beside its value, returns its pullback, makes a function that
    does, or gives its derivative on a flag.

    Examples
    --------
    >>> layers(ast.parse("def relu_forward(x): ...\ndef relu_backward(dout, cache): ...\ndef f(x): ..."))
    {'relu': ('relu_forward', 'relu_backward')}
    >>> layers(ast.parse("def l2(x):\n    loss = x @ x\n    dx = 2 * x\n    return loss, dx"))
    {'l2': ('l2',)}
    """
    known = {name: node for name, node in written(tree) if not name.startswith("_")}
    found: dict[str, tuple[str, ...]] = {
        stem: couple for stem, couple in pairing.pairs(known).items() if _is_pair(*(known[part] for part in couple))
    }
    taken = {part for couple in found.values() for part in couple}
    for stem, couple in pairing.derivatives(name for name in known if name not in taken).items():
        value, derivative = (known[part] for part in couple)
        if _is_value_and_derivative(value, derivative):
            found.setdefault(stem, tuple(couple) if _takes_cotangent(value, derivative) else couple)
            taken.update(couple)
    for name, node in known.items():
        single = is_flagged(node) or is_objective(node) or closure_of(node) or made_closure(node)
        if name not in taken and single and not _OUTSIDE.search(name) and not _has_tools(node):
            found.setdefault(name, (name,))
    return found


def layer_of(names: tuple[str, ...], made: tuple[Any, ...]) -> Any:
    """Return the layer that functions make, given their names in `layers`: one function, or a couple of its kind."""
    if isinstance(names, pairing.Derived):
        return pairing.Derived(*made)
    return made if len(made) > 1 else made[0]


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


def table_in(node: Function) -> str | None:
    """Return the parameter that a function takes for a dictionary of arrays (``parameters["W1"]``), if there is one."""
    names = {name for name in arguments(node) if not _OPTIONS.match(name)}
    for part in ast.walk(node):
        if isinstance(part, ast.Subscript) and isinstance(part.value, ast.Name) and part.value.id in names:
            key = part.slice.left if isinstance(part.slice, ast.BinOp) else part.slice
            if isinstance(key, ast.JoinedStr) or (isinstance(key, ast.Constant) and isinstance(key.value, str)):
                return part.value.id
    return None


def lost_import(function: object, tree: ast.Module) -> str | None:
    """Return a name that a function uses and its file imports, but that is not there: its import failed."""
    code = getattr(function, "__code__", None)
    there = getattr(function, "__globals__", {})
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in statements(tree.body)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    names = code.co_names if code is not None else ()
    return next((name for name in names if name in imported and name not in there), None)


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


def is_flagged(node: Function) -> bool:
    """Whether a function gives its derivative where a flag asks for it, and says so in an ``if``."""
    flag = flag_of(node)
    tests = [part.test for part in ast.walk(node) if isinstance(part, ast.If | ast.IfExp)]
    return bool(arguments(node, required=True)) and any(
        isinstance(name, ast.Name) and name.id == flag for test in tests for name in ast.walk(test)
    )


def is_objective(node: Function, *, asked: bool = False) -> bool:
    """Whether a function returns its value and gradients of it, as ``return loss, dW``.

    ``asked``: the user has named it: then an expression without a name will do for a value or a gradient.
    """
    returned = returns(node)
    sizes = {len(items) for items in returned}
    if len(sizes) != 1 or not returned or len(returned[0]) < 2 or not arguments(node) or closure_of(node):
        return False
    value, *gradients = returned[-1]
    names = arguments(node)
    return bool(_VALUE.match(value) or (asked and not value)) and all(
        is_gradient_of(gradient, names) or _GRADIENT.match(gradient) or (asked and not gradient)
        for gradient in gradients
    )


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
    """Return the variable that an expression is about: ``dW`` of ``dW / m`` and of ``dW.ravel()``."""
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


def _is_pair(forward: Function, backward: Function) -> bool:
    asked = arguments(backward)
    same = asked == arguments(forward) and len(asked) > 1
    return bool(asked or backward.args.vararg) and not same and not _has_tools(forward) and not _has_tools(backward)


def _is_value_and_derivative(value: Function, derivative: Function) -> bool:
    """Whether two functions take the same things, or the second the output or a cotangent besides."""
    given, asked = arguments(value, required=True), arguments(derivative, required=True)
    if not given or not asked or _has_tools(value) or _has_tools(derivative):
        return False
    strange = [name for name in asked if name not in arguments(value) and not COTANGENT.match(name)]
    return len(strange) <= max(len(given), 1) and len(asked) <= len(arguments(value)) + 2


def _takes_cotangent(value: Function, derivative: Function) -> bool:
    """Whether ``relu_grad(dout, x)`` is a backward after all."""
    names = set(arguments(derivative, required=True)) - set(arguments(value))
    return any(COTANGENT.match(name) or name in CACHE_NAMES for name in names)


def _has_tools(node: Function) -> bool:
    return any(_TOOLS.match(name) for name in arguments(node, required=True))
