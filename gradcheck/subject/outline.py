"""What a file defines, read from its syntax tree alone: nothing is imported that holds no layer."""

from __future__ import annotations

import ast
import builtins
import sys
from collections.abc import Collection, Iterator

from gradcheck.subject import functions, text
from gradcheck.subject.halves import BACKWARDS, halves_in
from gradcheck.subject.text import Function

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# What makes a function one with a backward of its own: `jax.custom_vjp`, and HIPS autograd's `primitive`.
_DECORATORS = {"jax": "custom_vjp", "autograd": "primitive"}

# A class that leaves one of these to others is a base class.
_HALVES = ("forward", *BACKWARDS)


def layers(tree: ast.Module, known: Collection[str] = ()) -> dict[str, ast.ClassDef | Function]:
    r"""Return the layer-like definitions of a file by name: classes with a backward, and functions.

    Parameters
    ----------
    tree : ast.Module
    known : collection of str
        Names of layer classes in other files: what derives from one is layer-like, too.

    Examples
    --------
    >>> tree = ast.parse("def relu_forward(x): ...\ndef relu_backward(dout, cache): ...\nclass Data: ...")
    >>> list(layers(tree))
    ['relu']
    """
    classes: dict[str, ast.ClassDef] = {}
    for node in definitions(tree):
        if isinstance(node, ast.ClassDef):
            classes.pop(node.name, None)  # the last definition of a name holds
            own = _is_layer_like(node) or text.closing_method(node)
            if own or _bases(node) & ({*classes} | {*known}) or framework_of(node, tree):
                classes[node.name] = node
    concrete: dict[str, ast.ClassDef | Function] = {
        name: node for name, node in classes.items() if not name.startswith("_") and not is_abstract(node)
    }
    written = dict(text.written(tree))
    made = {name: written[forward] for name, (forward, *_) in functions.layers(tree).items()}
    made |= {name: node for name, node in written.items() if framework_of(node, tree)}
    return concrete | {name: node for name, node in made.items() if name not in concrete}


def layer_names(tree: ast.Module, known: Collection[str] = ()) -> set[str]:
    """Return the names of all layer classes, base classes and private ones included, for the ``known`` of others."""
    names = set(known)
    for node in definitions(tree):
        if isinstance(node, ast.ClassDef) and (_is_layer_like(node) or _bases(node) & names):
            names.add(node.name)
    return names


def may_inherit(tree: ast.Module) -> bool:
    """Whether a class derives from something imported, other than from the standard library: it may be a layer."""
    imported = {
        alias.asname or alias.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
        if _top_module(node, alias) not in sys.stdlib_module_names
    }
    roots = {_root(base) for node in definitions(tree) if isinstance(node, ast.ClassDef) for base in node.bases} - vars(
        builtins
    ).keys()
    return bool(roots & imported) or ("*" in imported and bool(roots))


def definitions(tree: ast.Module) -> Iterator[Definition]:
    """Yield the classes and functions of a module, those in its ``if``, ``try`` and ``with`` blocks included."""
    for node in text.statements(tree.body):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def is_abstract(cls: ast.ClassDef) -> bool:
    """Whether the class itself leaves forward or backward to others."""
    return any(isinstance(node, ast.FunctionDef) and node.name in _HALVES and is_stub(node) for node in cls.body)


def is_stub(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the body is only a docstring, ``pass``, ``...`` or ``raise NotImplementedError``.

    Examples
    --------
    >>> is_stub(ast.parse("def backward(self, dout): raise NotImplementedError('later')").body[0])
    True
    >>> is_stub(ast.parse("def forward(self, x): return x").body[0])
    False
    """
    if any(ast.unparse(decorator).endswith("abstractmethod") for decorator in function.decorator_list):
        return True
    return all(_says_nothing(node) for node in function.body)


def framework_of(node: ast.AST, tree: ast.Module) -> str | None:
    """Return the framework that a layer is written for, None for NumPy.

    Those are a ``torch.autograd.Function``, a ``torch.nn.Module`` with a part written by hand, and a function with one
    of `_DECORATORS`.
    """
    if not isinstance(node, ast.ClassDef):
        words = _decorators(node)
        return next(
            (package for package, word in _DECORATORS.items() if word in words and _imports(tree, package)), None
        )
    bases = _bases(node)
    by_hand = "Function" in bases or ("Module" in bases and _is_by_hand(node))
    return "torch" if by_hand and _imports(tree, "torch") else None


def _is_by_hand(node: ast.AST) -> bool:
    """Whether a module applies a function that has a backward of its own, or has a backward itself."""
    return any(
        (isinstance(part, ast.Attribute) and part.attr == "apply")
        or (isinstance(part, ast.FunctionDef) and part.name in BACKWARDS)
        for part in ast.walk(node)
    )


def _imports(tree: ast.Module, package: str) -> bool:
    return any(
        _top_module(node, alias) == package
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    )


def _decorators(node: ast.AST) -> set[str]:
    """Return the words in the decorators: ``custom_vjp``, among others, of ``@partial(jax.custom_vjp, …)``."""
    parts = [part for decorator in getattr(node, "decorator_list", ()) for part in ast.walk(decorator)]
    return {part.attr for part in parts if isinstance(part, ast.Attribute)} | {
        part.id for part in parts if isinstance(part, ast.Name)
    }


def _is_layer_like(cls: ast.ClassDef) -> bool:
    """Whether a class has a backward, or both halves under other names."""
    methods = _methods(cls)
    return not methods.isdisjoint(BACKWARDS) or halves_in(methods) is not None


def _methods(cls: ast.ClassDef) -> set[str]:
    """Names of what a class body defines, aliases such as ``backward = bprop`` included."""
    names = set()
    for node in cls.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            names.add(node.name)
        elif isinstance(node, ast.Assign):
            names.update(target.id for target in node.targets if isinstance(target, ast.Name))
    return names


def _bases(cls: ast.ClassDef) -> set[str]:
    """Last words of the base classes: ``Module`` of ``nn.Module``."""
    return {ast.unparse(base).partition("[")[0].rpartition(".")[2] for base in cls.bases}


def _root(node: ast.expr) -> str:
    """First word of a base class: ``nn`` of ``nn.Module``."""
    return ast.unparse(node).partition("[")[0].partition(".")[0]


def _top_module(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    """Top package of an import; empty for a relative one."""
    if isinstance(node, ast.Import):
        return alias.name.partition(".")[0]
    return "" if node.level else (node.module or "").partition(".")[0]


def _says_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Raise) and node.exc is not None:
        return ast.unparse(node.exc).startswith("NotImplemented")
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))
