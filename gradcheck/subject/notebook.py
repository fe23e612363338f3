"""The definitions of a notebook, run without the rest of it.

Of a notebook's statements only those are run that its layers need: their own definitions, the functions, imports and
assignments whose names these use, and so on down. Calls that train, print and plot are left out.
"""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from gradcheck.records import Location
from gradcheck.subject import cells, load, source
from gradcheck.subject.roots import project_folders
from gradcheck.subject.script import Script, Trouble


@dataclass(frozen=True, slots=True)
class Notebook:
    """A notebook that has been read but not run.

    Parameters
    ----------
    tree : ast.Module
        The statements of all cells, with line numbers in the made-up file ``filename``.
    broken : tuple of Cell
        The cells with a syntax error, which are left out.
    """

    path: Path
    shown: str
    filename: str
    tree: ast.Module
    broken: tuple[cells.Cell, ...]

    def lost(self) -> dict[str, tuple[Location, Trouble]]:
        """Return the classes and pairs with a backward that stand in broken cells, by name."""
        return {
            a or b: (self._place(cell, text), self._syntax_error(cell))
            for cell in self.broken
            if "backward" in cell.code
            for text, a, b in re.findall(r"^((?:class +(\w+)|def +(\w+)_backward\b).*)$", cell.code, re.MULTILINE)
        }

    def load(self, roots: Collection[str]) -> tuple[ModuleType, Script]:
        """Run what the named definitions need; the script says what became of them."""
        module = load.new_module(self.path.stem, self.filename)
        vars(module).update(get_ipython=_Shell, display=_ignore)
        script = Script(self.filename, self.tree.body, self._in_broken_cell)
        with load.contained(self.path, *project_folders(self.path), cwd=self.path.parent):
            script.run(vars(module), roots)
        return module, script

    def _in_broken_cell(self, name: str) -> Trouble | None:
        for cell in self.broken:
            binding = rf"^\s*(?:(?:def|class) +{name}\b|{name}\b.*=|.*\bimport\b.*\b{name}\b)"
            if re.search(binding, cell.code, re.MULTILINE):
                reason, fix = self._syntax_error(cell)
                return f"`{name}` is not defined: {reason}", fix
        return None

    def _syntax_error(self, cell: cells.Cell) -> Trouble:
        error = cell.error or SyntaxError("invalid syntax")
        where = f"cell {cell.number}, line {error.lineno or 1}"
        return f"{where} has a syntax error: {error.msg}", f"mend {where}"

    def _place(self, cell: cells.Cell, text: str) -> Location:
        line = cell.code.split("\n").index(text) + 1
        return Location(self.shown, line, cell=cell.number, text=text.strip())


def read(path: Path, shown: str) -> Notebook:
    """Read a notebook; `UsageError` if it is none."""
    path = path.resolve()
    found = cells.read(path, shown)
    filename = f"<{shown} #{next(_serial)}>"
    lines: list[str] = []
    starts = []
    tree = ast.Module([], [])
    for cell in found:
        starts.append(len(lines) + 1)
        if cell.tree is not None:
            tree.body += ast.increment_lineno(cell.tree, len(lines)).body
        # What does not parse must not keep `inspect` from parsing the rest.
        lines += [row + "\n" if cell.tree is not None else "\n" for row in cell.code.split("\n")]
    source.remember_notebook(filename, lines, shown=shown, cells=[cell.number for cell in found], starts=starts)
    return Notebook(path, shown, filename, tree, tuple(cell for cell in found if cell.tree is None))


_serial = itertools.count(1)


class _Shell:
    """Stands for IPython's shell: whatever is asked of it, nothing happens."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _ignore


def _ignore(*args: object, **kwargs: object) -> None:
    """Do nothing: a notebook's ``display`` has nowhere to show things."""
