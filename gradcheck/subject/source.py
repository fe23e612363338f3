"""Where things are in the user's source, and what is written there.

A notebook's code cells are laid end to end under one made-up file name, so that `inspect` and `linecache` treat them
like a file; `location` turns a line of that file back into the cell and the line that the reader sees.
"""

from __future__ import annotations

import ast
import functools
import inspect
import linecache
import os
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, MethodType
from typing import Any

from gradcheck.records import Location
from gradcheck.subject.frameworks import is_frameworks_own, is_primitive


def location(filename: str, line: int) -> Location:
    """Return the place of a line of a code object's file, as the user would name it.

    Parameters
    ----------
    filename : str
        As in ``code.co_filename``: a path, or the made-up file name of a notebook.
    line : int
        Counted from 1, as in ``frame.f_lineno``.

    Returns
    -------
    Location
        The file is spelled as the user gave it, if it came from a target, else relative to the working directory
        where it lies below it.

    Examples
    --------
    >>> str(location("layers.py", 3))
    'layers.py:3'
    """
    lines = lines_of(filename)
    text = lines[line - 1].strip() if 0 < line <= len(lines) else ""
    notebook = _notebooks.get(filename)
    if notebook is None:
        return Location(_shown_path(filename), line, text=text)
    k = max(bisect_right(notebook.starts, line) - 1, 0)
    return Location(notebook.shown, line - notebook.starts[k] + 1, cell=notebook.cells[k], text=text)


def location_of(obj: object) -> Location | None:
    """Return the line on which a class or function is defined; of an instance, the line of its class.

    Examples
    --------
    >>> place = location_of(location_of)
    >>> place.text.startswith("def location_of(")
    True
    >>> location_of(len) is None
    True
    """
    obj = bare(obj)
    if not isinstance(obj, type):
        code = code_of(obj)
        if code is not None:
            return location(code.co_filename, _def_line(code))
        obj = type(obj)
    filename, line = _class_place(obj)
    return location(filename, line) if filename and line else None


def text_of(obj: object) -> str:
    """Return the source of a layer, with that of the classes it derives from; empty where there is none to be had.

    Examples
    --------
    >>> text_of(text_of).splitlines()[0]
    'def text_of(obj: object) -> str:'
    """
    parts: list[object] = []
    for part in map(bare, obj if isinstance(obj, tuple) else (obj,)):
        kind = part if isinstance(part, type) else type(part)
        written = [cls for cls in kind.__mro__ if not is_frameworks_own(cls)]
        parts += [part] if inspect.isroutine(part) else written
    return "\n".join(map(_text, parts))


def definition(function: object) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the syntax tree of a function's definition, or None where its source is not at hand."""
    code = code_of(bare(function))
    if code is None:
        return None
    for _, node in _definitions_of("".join(lines_of(code.co_filename))):
        if (
            not isinstance(node, ast.ClassDef)
            and node.name == code.co_name
            and _first_line(node) == code.co_firstlineno
        ):
            return node
    return None


def remember_file(path: Path, shown: str) -> None:
    """Spell ``path`` as ``shown`` in every location from now on."""
    real = os.path.realpath(path)
    _shown[real] = shown
    linecache.checkcache(real)  # it may have changed since it was read last


def remember_notebook(filename: str, lines: list[str], *, shown: str, cells: list[int], starts: list[int]) -> None:
    """Make ``lines`` the source of the made-up ``filename``; cell ``cells[k]`` begins at line ``starts[k]``."""
    _notebooks[filename] = _Notebook(shown, tuple(cells), tuple(starts), lines)


@dataclass(frozen=True, slots=True)
class _Notebook:
    shown: str
    cells: tuple[int, ...]
    starts: tuple[int, ...]
    lines: list[str]


_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# What has been loaded in this process: real path -> path as the user gave it; made-up file name -> notebook.
_shown: dict[str, str] = {}
_notebooks: dict[str, _Notebook] = {}


def lines_of(filename: str) -> list[str]:
    """Return the lines of a code object's file, or none where it cannot be read."""
    notebook = _notebooks.get(filename)
    if notebook is None:
        return linecache.getlines(filename)
    if filename not in linecache.cache:  # at first, or when somebody has cleared the cache
        size = sum(map(len, notebook.lines))
        linecache.cache[filename] = (size, None, notebook.lines, filename)
    return notebook.lines


def _shown_path(filename: str) -> str:
    if filename.startswith("<"):
        return filename
    real = os.path.realpath(filename)
    if real in _shown or not Path(filename).is_absolute():
        return _shown.get(real, filename)
    return os.path.relpath(real) if Path(real).is_relative_to(Path.cwd()) else filename


def bare(obj: object) -> object:
    """Take off what is wrapped around a function: partial, property, method, staticmethod, wraps, primitive."""
    while not isinstance(obj, type):
        inner: object
        if isinstance(obj, functools.partial):
            inner = obj.func
        elif isinstance(obj, property):
            inner = obj.fget
        elif isinstance(obj, staticmethod | classmethod | MethodType):
            inner = obj.__func__
        else:
            held = getattr(obj, "__dict__", {})
            inner = held.get("__wrapped__", held.get("fun") if is_primitive(obj) else None)
        if inner is None:
            break
        obj = inner
    return obj


def code_of(obj: object) -> CodeType | None:
    """Return the code object of a function, or None for what has none."""
    code = getattr(obj, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _def_line(code: CodeType) -> int:
    """Go down from the first decorator, where a code object begins, to the line that says def."""
    lines = lines_of(code.co_filename)
    line = code.co_firstlineno
    if line <= len(lines) and lines[line - 1].lstrip().startswith("@"):
        for below in range(line + 1, len(lines) + 1):
            if lines[below - 1].lstrip().startswith(("def ", "async def ")):
                return below
    return line


def _text(part: Any) -> str:
    if isinstance(part, type):
        filename, statement, _ = _class_statement(part)
        if statement is None:
            return ""
        return "".join(lines_of(filename)[_first_line(statement) - 1 : statement.end_lineno])
    try:
        return inspect.getsource(part)
    except (OSError, TypeError):  # built in, or made up while running
        return ""


def _class_place(cls: type) -> tuple[str, int]:
    """Return the file and line of a class statement."""
    filename, node, line = _class_statement(cls)
    return filename, line if node is None else node.lineno


def _class_statement(cls: type) -> tuple[str, ast.ClassDef | None, int]:
    """Return a class's file and statement, else the first line of its methods: before 3.13 Python keeps no line."""
    own = getattr(sys.modules.get(cls.__module__), "__file__", None)
    codes = [code for code in map(code_of, map(bare, vars(cls).values())) if code is not None]
    # Not those which dataclasses made up or which were borrowed from elsewhere.
    written = [code for code in codes if code.co_qualname.startswith(f"{cls.__qualname__}.") or code.co_filename == own]
    methods = [code for code in written if lines_of(code.co_filename)]
    inside = [code for code in methods if code.co_filename == own] or methods
    filename = inside[0].co_filename if inside else own
    if filename is None:
        return "", None, 0
    found = [
        node
        for name, node in _definitions_of("".join(lines_of(filename)))
        if isinstance(node, ast.ClassDef) and name == cls.__qualname__
    ]
    lines = [code.co_firstlineno for code in inside if code.co_filename == filename]
    # A notebook or an if/else may define the class twice: take the one around its methods, else the last.
    around = [node for node in found if any(node.lineno < line <= (node.end_lineno or 0) for line in lines)]
    return filename, next(reversed(around or found), None), min(lines, default=0)


@functools.lru_cache(maxsize=16)
def _definitions_of(text: str) -> tuple[tuple[str, _Definition], ...]:
    """Return all definitions in a file: reading it takes longer than many a check of a layer in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return tuple(_definitions(ast.parse(text)))
        except (SyntaxError, ValueError):
            return ()


def _definitions(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, _Definition]]:
    """Walk all classes and functions with their ``__qualname__``."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            name = prefix + node.name
            yield name, node
            yield from _definitions(node, name + ("." if isinstance(node, ast.ClassDef) else ".<locals>."))
        else:
            yield from _definitions(node, prefix)


def _first_line(node: _Definition) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
