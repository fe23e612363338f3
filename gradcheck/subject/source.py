"""Where things are in the user's source: of a definition, and of the line that raised.

A notebook's code cells are laid end to end under one made-up file name, so that `inspect` and `linecache` treat them
like a file; `location` turns a line of that file back into the cell and the line that the reader sees.
"""

from __future__ import annotations

import ast
import functools
import linecache
import os
import sys
import warnings
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import CodeType, MethodType, TracebackType

from gradcheck.records import Location


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
    lines = _lines(filename)
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
    obj = _bare(obj)
    if not isinstance(obj, type):
        code = _code(obj)
        if code is not None:
            return location(code.co_filename, _def_line(code))
        obj = type(obj)
    filename, line = _class_place(obj)
    return location(filename, line) if filename and line else None


def blame(error: BaseException, obj: object) -> Location | None:
    """Return the innermost line of the user's own code that the error passed through.

    Parameters
    ----------
    error : BaseException
        A caught error, with its traceback.
    obj : object
        The layer: a class, an instance, a function or a tuple of them. Its own code is what lies in the same file or
        notebook as it or as a class that it derives from.
    """
    guilty = _guilty(error, obj)
    return None if guilty is None else location(guilty.tb_frame.f_code.co_filename, guilty.tb_lineno)


def raising_expression(error: BaseException, obj: object) -> str:
    """Return the very expression that raised, on the line that `blame` names; empty where it is not known.

    Examples
    --------
    With ``out = dout * self.out(1.0 - self.out)`` and an array ``self.out`` it is ``self.out(1.0 - self.out)``.
    """
    guilty = _guilty(error, obj)
    if guilty is None:
        return ""
    code = guilty.tb_frame.f_code
    position = next(islice(code.co_positions(), guilty.tb_lasti // 2, None), (None,) * 4)
    line, last_line, start, stop = position
    if line is None or last_line is None or start is None or stop is None:
        return ""
    # Columns count bytes, not characters: a comment or a string in Korean may stand before the expression.
    rows = [row.encode() for row in _lines(code.co_filename)[line - 1 : last_line]]
    if not rows:
        return ""
    rows[-1] = rows[-1][:stop]
    rows[0] = rows[0][start:]
    return " ".join(row.decode(errors="replace").strip() for row in rows)


def definition(function: object) -> ast.FunctionDef | ast.AsyncFunctionDef | None:
    """Return the syntax tree of a function's definition, or None where its source is not at hand."""
    code = _code(_bare(function))
    if code is None:
        return None
    for _, node in _definitions(_tree("".join(_lines(code.co_filename)))):
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


def _lines(filename: str) -> list[str]:
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


def _bare(obj: object) -> object:
    """Take off what is wrapped around a function: partial, property, method, staticmethod, functools.wraps."""
    while not isinstance(obj, type):
        inner: object
        if isinstance(obj, functools.partial):
            inner = obj.func
        elif isinstance(obj, property):
            inner = obj.fget
        elif isinstance(obj, staticmethod | classmethod | MethodType):
            inner = obj.__func__
        else:
            inner = getattr(obj, "__dict__", {}).get("__wrapped__")
        if inner is None:
            break
        obj = inner
    return obj


def _code(obj: object) -> CodeType | None:
    code = getattr(obj, "__code__", None)
    return code if isinstance(code, CodeType) else None


def _def_line(code: CodeType) -> int:
    """Go down from the first decorator, where a code object begins, to the line that says def."""
    lines = _lines(code.co_filename)
    line = code.co_firstlineno
    if line <= len(lines) and lines[line - 1].lstrip().startswith("@"):
        for below in range(line + 1, len(lines) + 1):
            if lines[below - 1].lstrip().startswith(("def ", "async def ")):
                return below
    return line


def _class_place(cls: type) -> tuple[str, int]:
    """Return the file and line of a class statement; the Pythons before 3.13 do not keep the line."""
    own = getattr(sys.modules.get(cls.__module__), "__file__", None)
    codes = [code for code in map(_code, map(_bare, vars(cls).values())) if code is not None]
    # Not those which dataclasses made up or which were borrowed from elsewhere.
    written = [code for code in codes if code.co_qualname.startswith(f"{cls.__qualname__}.") or code.co_filename == own]
    methods = [code for code in written if _lines(code.co_filename)]
    inside = [code for code in methods if code.co_filename == own] or methods
    filename = inside[0].co_filename if inside else own
    if filename is None:
        return "", 0
    found = [
        node
        for name, node in _definitions(_tree("".join(_lines(filename))))
        if isinstance(node, ast.ClassDef) and name == cls.__qualname__
    ]
    lines = [code.co_firstlineno for code in inside if code.co_filename == filename]
    # A notebook or an if/else may define the class twice: take the one around its methods, else the last.
    around = [node for node in found if any(node.lineno < line <= (node.end_lineno or 0) for line in lines)]
    for node in reversed(around or found):
        return filename, node.lineno
    return filename, min(lines, default=0)


@functools.lru_cache(maxsize=16)
def _tree(text: str) -> ast.Module:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError):
            return ast.Module([], [])


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


def _guilty(error: BaseException, obj: object) -> TracebackType | None:
    """Return the innermost link of the traceback that lies in the object's files."""
    files = set(_files(obj))
    guilty, link = None, error.__traceback__
    while link is not None:
        if link.tb_frame.f_code.co_filename in files:
            guilty = link
        link = link.tb_next
    return guilty


def _files(obj: object) -> Iterator[str]:
    if isinstance(obj, tuple):
        for part in obj:
            yield from _files(part)
        return
    obj = _bare(obj)
    code = _code(obj)
    if code is not None:
        yield code.co_filename
        return
    for cls in (obj if isinstance(obj, type) else type(obj)).__mro__:
        for method in map(_code, map(_bare, vars(cls).values())):
            if method is not None:
                yield method.co_filename
