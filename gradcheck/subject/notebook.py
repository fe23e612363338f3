"""The definitions of a notebook, run without the rest of it.

Of a notebook's statements only those are run that its layers need: their own definitions, the functions, imports and
assignments whose names these use, and so on down. Calls that train, print and plot are left out.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import itertools
import re
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.records import Location
from gradcheck.subject import cells, load, needs, source

Trouble = tuple[str, str]  # why a layer cannot be checked, and what to do about it


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

    def load(self, roots: Collection[str]) -> tuple[ModuleType, Callable[[str], Trouble | None]]:
        """Run what the named definitions need.

        Returns
        -------
        module : ModuleType
        trouble : callable
            ``trouble(name)`` says why a definition cannot be used though the notebook has it, or None.
        """
        kept = needs.statements(self.tree.body, set(roots))
        module = load.new_module(self.path.stem, self.filename)
        vars(module).update(get_ipython=_Shell, display=_ignore)
        with load.contained(self.path, *load.project_folders(self.path), cwd=self.path.parent):
            failed = self._run(kept, vars(module))
        return module, lambda name: self._trouble(name, kept, vars(module), failed)

    def _run(self, statements: list[ast.stmt], namespace: dict[str, Any]) -> dict[str, Trouble]:
        """Run the statements one by one; those that raise leave their names to the returned dict."""
        failed: dict[str, Trouble] = {}
        flags = 0
        for statement in statements:
            names = needs.bound(statement)
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                flags |= sum(getattr(__future__, name).compiler_flag for name in names)
            try:
                code = compile(ast.Module([statement], []), self.filename, "exec", flags=flags, dont_inherit=True)
                exec(code, namespace)
            except KeyboardInterrupt:
                raise
            except BaseException as error:  # noqa: BLE001 - SystemExit, pytest.skip: whatever the user's code raises
                partly = not isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.Assign)
                names = {name for name in names if not (partly and name in namespace)}
                failed.update(dict.fromkeys(names, self._raised(error, statement)))
            else:
                failed = {name: trouble for name, trouble in failed.items() if name not in names or name == "*"}
        return failed

    def _trouble(
        self, name: str, kept: list[ast.stmt], namespace: dict[str, Any], failed: dict[str, Trouble]
    ) -> Trouble | None:
        """Follow what a definition needs down to a name that is not there, and say why it is not."""
        seen: set[str] = set()
        queue = [name]
        while queue:
            name = queue.pop(0)
            if name in failed:
                return failed[name]
            if name not in namespace and not hasattr(builtins, name):
                trouble = self._why_missing(name) or failed.get("*")
                if trouble is not None:
                    return trouble
            seen.add(name)
            used = set().union(*(needs.free_names(statement) for statement in kept if name in needs.bound(statement)))
            queue += sorted(used - seen - set(queue))
        return None

    def _why_missing(self, name: str) -> Trouble | None:
        for cell in self.broken:
            binding = rf"^\s*(?:(?:def|class) +{name}\b|{name}\b.*=|.*\bimport\b.*\b{name}\b)"
            if re.search(binding, cell.code, re.MULTILINE):
                reason, fix = self._syntax_error(cell)
                return f"`{name}` is not defined: {reason}", fix
        for node in _outside_functions(self.tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
                place = source.location(self.filename, node.lineno)
                return (
                    f"`{name}` is not defined: it comes from {place}, which is not run (only definitions are)",
                    f"give `{name}` its value by an assignment or a function",
                )
        return None

    def _raised(self, error: BaseException, statement: ast.stmt) -> Trouble:
        line, link = statement.lineno, error.__traceback__
        while link is not None:
            if link.tb_frame.f_code.co_filename == self.filename:
                line = link.tb_lineno
            link = link.tb_next
        place = source.location(self.filename, line)
        text = " ".join(str(error).split())
        reason = f"{place} raised {type(error).__name__}" + (f": {text}" if text else "")
        if isinstance(error, ModuleNotFoundError) and error.name:
            return reason, f"install {error.name}, or run gradcheck where it can be imported"
        return reason, f"mend {place}: {place.text}"

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


def _outside_functions(tree: ast.AST) -> Iterator[ast.AST]:
    for node in ast.iter_child_nodes(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            yield from _outside_functions(node)


class _Shell:
    """Stands for IPython's shell: whatever is asked of it, nothing happens."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        return _ignore


def _ignore(*args: object, **kwargs: object) -> None:
    """Do nothing: a notebook's ``display`` has nowhere to show things."""
