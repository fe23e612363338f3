"""Shapes that a layer's own code states: ``Annotated[np.ndarray, "(n,i)"]``, or ``Float[Array, "n i"]`` of jaxtyping.

Read from the annotations of forward and of the constructor, whether they are objects or, under ``from __future__ import
annotations``, text. Nothing of jaxtyping is imported: its types carry ``dim_str`` and ``dtypes``. What says more than
a signature can (``...``, ``*batch``, ``n-1``) is left unread.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, get_args, get_origin

from gradcheck.subject.halves import halves_of

_TERM = r"(?:\d+\*)?[^\W\d]\w*"
_DIM = re.compile(rf"\d+|{_TERM}(?:\+{_TERM})*")
_WORD = r"(?:[^\W\d]\w?|\d+)"  # short, so that "the input" is no shape
_LISTED = re.compile(rf"\(.*\)|{_WORD}(?:\s+{_WORD})*")
_WHOLE = re.compile(r"U?Int\d*|Integer")
_REAL = re.compile(r"B?Float\w*|Num|Real|Inexact|Shaped")


@dataclass(frozen=True, slots=True)
class Stated:
    """One shape: its dimensions, and whether it is one of whole numbers."""

    dims: tuple[str | int, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Annotations:
    """The shapes that are stated: by argument of forward and of the constructor, and of the outputs."""

    forward: Mapping[str, Stated] = field(default_factory=dict)
    constructor: Mapping[str, Stated] = field(default_factory=dict)
    outputs: tuple[Stated, ...] = ()


def annotations_of(layer: object) -> Annotations:
    """Return the shapes that the annotations of a layer state.

    Parameters
    ----------
    layer : class, object, function or pair of functions

    Examples
    --------
    >>> def double(x: Annotated[list, "(n,i)"], k: int) -> Annotated[list, "(n,i)"]: ...
    >>> found = annotations_of(double)
    >>> found.forward, found.outputs[0].dims
    ({'x': Stated(dims=('n', 'i'), whole=False)}, ('n', 'i'))
    """
    forward = _forward_of(layer)
    if forward is None:
        return Annotations()
    stated = dict(_stated(forward))
    constructor = dict(_stated(vars(layer).get("__init__"))) if isinstance(layer, type) else {}
    returned = stated.pop("return", ())
    return Annotations(
        {name: shapes[0] for name, shapes in stated.items() if len(shapes) == 1},
        {name: shapes[0] for name, shapes in constructor.items() if len(shapes) == 1},
        returned,
    )


def _forward_of(layer: Any) -> Callable[..., Any] | None:
    if isinstance(layer, tuple):
        layer = layer[0] if layer else None
    halves = None if inspect.isroutine(layer) else halves_of(layer)
    found = layer if halves is None else getattr(layer, halves.forward)
    return found if inspect.isroutine(found) else None


def _stated(function: Any) -> Iterator[tuple[str, tuple[Stated, ...]]]:
    """Yield each name that has a shape: several for what returns a tuple."""
    plain = inspect.unwrap(getattr(function, "__func__", function)) if callable(function) else None
    for name, annotation in getattr(plain, "__annotations__", {}).items():
        shapes = _in_text(annotation) if isinstance(annotation, str) else _in_type(annotation)
        if shapes:
            yield name, shapes


def _in_type(annotation: Any) -> tuple[Stated, ...]:
    if isinstance(dims := getattr(annotation, "dim_str", None), str):
        kinds = getattr(annotation, "dtypes", ())
        names = [str(kind) for kind in kinds] if isinstance(kinds, tuple | list) else []
        whole = bool(names) and all("int" in name for name in names)
        return _one(_spaced(dims), whole=whole) if whole or not names or any("float" in name for name in names) else ()
    if get_origin(annotation) is Annotated:
        return next((_one(_listed(text)) for text in annotation.__metadata__ if isinstance(text, str)), ())
    if get_origin(annotation) is tuple:
        return _several(map(_in_type, get_args(annotation)))
    return ()


def _in_text(annotation: str) -> tuple[Stated, ...]:
    try:
        return _in_tree(ast.parse(annotation.strip(), mode="eval").body)
    except SyntaxError:
        return ()


def _in_tree(node: ast.expr) -> tuple[Stated, ...]:
    """Return the shapes that an annotation states, read off its text: its names need not exist when it is read."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return _in_text(node.value)
    if not (isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Tuple)):
        return ()
    kind, parts = ast.unparse(node.value).rpartition(".")[2], node.slice.elts
    if kind in ("tuple", "Tuple"):
        return _several(map(_in_tree, parts))
    texts = [part.value for part in parts[1:] if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    if not texts:
        return ()
    if kind == "Annotated":
        return _one(_listed(texts[0]))
    whole = bool(_WHOLE.fullmatch(kind))
    return _one(_spaced(texts[0]), whole=whole) if whole or _REAL.fullmatch(kind) else ()


def _one(dims: tuple[str | int, ...] | None, *, whole: bool = False) -> tuple[Stated, ...]:
    return () if dims is None else (Stated(dims, whole),)


def _several(found: Iterator[tuple[Stated, ...]]) -> tuple[Stated, ...]:
    """Return the shapes at the beginning of a tuple: a cache or a pullback may follow."""
    shapes = []
    for one in found:
        if len(one) != 1:
            break
        shapes.append(one[0])
    return tuple(shapes)


def _listed(text: str) -> tuple[str | int, ...] | None:
    """Read ``(n,i)`` or ``n i``; None where it is no shape, for `Annotated` may carry anything."""
    text = text.strip()
    if not _LISTED.fullmatch(text):
        return None
    return _dims(text.strip("()").replace(",", " ").split())


def _spaced(text: str) -> tuple[str | int, ...] | None:
    """Read the words of jaxtyping: a size may be named (``rows=n``), broadcast (``#n``) or tree-wise (``?n``)."""
    return _dims([word.rpartition("=")[2].lstrip("#?") for word in text.split()])


def _dims(words: list[str]) -> tuple[str | int, ...] | None:
    if not all(map(_DIM.fullmatch, words)) or "_" in words:
        return None
    return tuple(int(word) if word.isdecimal() else word for word in words)
