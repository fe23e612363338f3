"""Which functions of a file are layers, by its syntax tree: names pair them, signatures and returns confirm it."""

from __future__ import annotations

import ast
import re
from typing import Any

from gradcheck.subject import pairing
from gradcheck.subject.calls import CACHE_NAMES
from gradcheck.subject.text import (
    COTANGENT,
    GRADIENT,
    Function,
    arguments,
    closure_of,
    flag_of,
    is_gradient_of,
    made_closure,
    returns,
    statements,
    written,
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
    return bool(_VALUE.match(value) or asked) and all(
        is_gradient_of(gradient, names) or GRADIENT.match(gradient) or (asked and not gradient)
        for gradient in gradients
    )


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
