"""Reading a notebook: its code cells as Python, each line where it stood."""

from __future__ import annotations

import ast
import json
import re
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell.

    Parameters
    ----------
    number : int
        Its position among all cells of the notebook, text cells included, counted from 1.
    code : str
        Its source; magics are blanked out, so that every line keeps its number.
    tree : ast.Module or None
        None if it has a syntax error, which is then in ``error``.
    """

    number: int
    code: str
    tree: ast.Module | None
    error: SyntaxError | None = None


def read(path: Path, shown: str) -> list[Cell]:
    """Return the code cells of a notebook, in order.

    Raises
    ------
    UsageError
        If the file is not JSON, or not a notebook.
    """
    try:
        notebook = json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise _not_a_notebook(shown, f"it is not UTF-8 text (byte {error.start})") from error
    except json.JSONDecodeError as error:
        detail = f"line {error.lineno}, column {error.colno}: {error.msg}" if error.doc.strip() else "the file is empty"
        raise _not_a_notebook(shown, f"it is not JSON ({detail})") from error
    except RecursionError as error:
        raise _not_a_notebook(shown, "its JSON is nested too deeply") from error
    return [
        _cell(number, _text(cell, number, shown))
        for number, cell in enumerate(_cells(notebook, shown), 1)
        if cell.get("cell_type") == "code"
    ]


def python(code: str) -> str:
    r"""Blank out what only IPython understands, keeping every line's number.

    Examples
    --------
    >>> python("%matplotlib inline\nx = 1\nfiles = !ls\n")
    'pass\nx = 1\nfiles = None\n'
    >>> python("%%bash\necho hello")
    '\n'
    """
    rows = code.split("\n")
    first = next((k for k, row in enumerate(rows) if row.strip()), 0)
    magic = _CELL_MAGIC.match(rows[first])
    if magic:
        if magic[1] not in ("time", "capture"):
            return "\n" * (len(rows) - 1)
        rows[first] = ""
        code = "\n".join(rows)
    if _parsed(code)[0] is not None:
        return code  # then a line that begins with % goes on with an expression
    rows = [_ASSIGNED_MAGIC.sub(r"\1None", row) for row in rows]
    return "\n".join(_LINE_MAGIC.sub(r"\1pass", row) for row in rows)


_CELL_MAGIC = re.compile(r"\s*%%(\w*)")
_LINE_MAGIC = re.compile(r"^(\s*)(?:[%!?].*|[\w.]+\?{1,2}\s*)$")
_ASSIGNED_MAGIC = re.compile(r"^(\s*[\w\s,.\[\]'\"]+=\s*)[%!].*$")

_EXPECTED = "expected a Jupyter notebook: a JSON object with a list of cells"


def _not_a_notebook(shown: str, found: str) -> UsageError:
    return UsageError(f"cannot read {shown}: {found}; {_EXPECTED}", fix="save it again as .ipynb, or name a .py file")


def _cells(notebook: Any, shown: str) -> list[dict[str, Any]]:
    if not isinstance(notebook, dict):
        raise _not_a_notebook(shown, f"its JSON is {_kind(notebook)}")
    cells = notebook.get("cells")
    if cells is None and isinstance(notebook.get("worksheets"), list):  # nbformat 3
        sheets = [sheet for sheet in notebook["worksheets"] if isinstance(sheet, dict)]
        cells = [cell for sheet in sheets for cell in sheet.get("cells", [])]
    if not isinstance(cells, list):
        raise _not_a_notebook(shown, "it has no cells" if cells is None else f"its cells are {_kind(cells)}")
    for number, cell in enumerate(cells, 1):
        if not isinstance(cell, dict):
            raise _not_a_notebook(shown, f"cell {number} is {_kind(cell)}")
    return cells


def _text(cell: dict[str, Any], number: int, shown: str) -> str:
    text = cell.get("source", cell.get("input", ""))  # nbformat 3 says input
    if isinstance(text, list) and all(isinstance(row, str) for row in text):
        text = "".join(text)
    if not isinstance(text, str):
        raise _not_a_notebook(shown, f"the source of cell {number} is {_kind(text)}, not text")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _cell(number: int, text: str) -> Cell:
    code = python(text)
    tree, error = _parsed(code)
    return Cell(number, code, tree, error)


def _parsed(code: str) -> tuple[ast.Module | None, SyntaxError | None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(code), None
        except SyntaxError as error:
            return None, error
        except (ValueError, RecursionError, MemoryError) as error:
            return None, SyntaxError(str(error), ("", 1, None, None))


def _kind(value: object) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean", type(None): "null"}
    return names.get(type(value), "a number")
