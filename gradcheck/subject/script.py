"""Running the statements of a file or notebook one by one, so that each costs only what needs it.

Of a module all statements are run. Of a script, which does something of its own at the top level (trains, plots, asks),
only its definitions are, and what these need. What raises, hangs, or was left out is told to the layers that need it.
"""

from __future__ import annotations
import __future__

import ast
import builtins
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from typing import Any

from gradcheck.records import Location
from gradcheck.subject import absent, limit, needs, source

Trouble = tuple[str, str]  # why something cannot be used, and what to do about it


def _unknown(name: str) -> Trouble | None:  # noqa: ARG001 - the signature of Script.lost
    return None


@dataclass(slots=True)
class Script:
    """The statements of a file, and what became of them.

    Parameters
    ----------
    filename : str
        That of the code objects.
    body : list of ast.stmt
    lost : callable
        ``lost(name)`` says why a name is not there though the source has it, where somebody else knows.
    """

    filename: str
    body: list[ast.stmt]
    lost: Callable[[str], Trouble | None] = _unknown
    kept: list[ast.stmt] = field(default_factory=list)
    namespace: dict[str, Any] = field(default_factory=dict)
    failed: dict[str, Trouble] = field(default_factory=dict)

    def run(self, namespace: dict[str, Any], names: Collection[str] | None = None) -> None:
        """Run all statements, or those that these names need."""
        self.namespace = namespace
        self.kept = self.body if names is None else needs.statements(self.body, set(names))
        flags = 0
        for statement in self.kept:
            if isinstance(statement, ast.ImportFrom) and statement.module == "__future__":
                flags |= sum(getattr(__future__, alias.name).compiler_flag for alias in statement.names)
            code = compile(ast.Module([statement], []), self.filename, "exec", flags=flags, dont_inherit=True)
            self._attempt(statement, code)
        self._note_disturbances()

    def trouble(self, name: str) -> Trouble | None:
        """Follow what a name needs down to one that is not there, and say why it is not; None if all is there."""
        seen: set[str] = set()
        queue = [name]
        while queue:
            name = queue.pop(0)
            if name in self.failed:
                return self.failed[name]
            if name not in self.namespace and not hasattr(builtins, name):
                trouble = self._why_missing(name) or self.failed.get("*")
                if trouble is not None:
                    return trouble
            seen.add(name)
            used = set().union(*(needs.free_names(node) for node in self.kept if name in needs.bound(node)))
            queue += sorted(used - seen - set(queue))
        return None

    def left_out(self) -> list[Location]:
        """Return the statements that were not run, by their first lines."""
        lines = {statement.lineno for statement in self.kept}
        quiet = (ast.Import, ast.ImportFrom)
        return [
            source.location(self.filename, node.lineno)
            for node in self.body
            if node.lineno not in lines and not isinstance(node, quiet)
        ]

    def _attempt(self, statement: ast.stmt, code: Any) -> None:
        """Run one statement; if it raises, its names are to be found in ``failed``."""
        names = needs.bound(statement)
        try:
            with limit.deadline(self._seconds(statement)):
                exec(code, self.namespace)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - SystemExit, pytest.skip: whatever the user's code raises
            if isinstance(error, ModuleNotFoundError) and self._stand_in(statement, error.name or ""):
                return
            partly = not isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.Assign)
            names = {name for name in names if not (partly and name in self.namespace)}
            self.failed.update(dict.fromkeys(names, self._raised(error, statement)))
        else:
            if isinstance(statement, ast.ClassDef) and absent.base_of(self.namespace.get(statement.name)):
                self.failed[statement.name] = absent.needs(absent.base_of(self.namespace[statement.name]))
                return
            self.failed = {key: told for key, told in self.failed.items() if key not in names or key == "*"}

    def _seconds(self, statement: ast.stmt) -> float:
        if any("interrupted after" in reason for reason, _ in self.failed.values()):
            return limit.SECONDS_AFTER_A_HANG
        is_import = isinstance(statement, ast.Import | ast.ImportFrom | ast.Try)
        return limit.IMPORT_SECONDS if is_import else limit.STATEMENT_SECONDS

    def _stand_in(self, statement: ast.stmt, missing: str) -> bool:
        """Let something stand for what could not be imported, so that what does not use it can be checked."""
        if isinstance(statement, ast.Import):
            names = {a.asname or a.name.partition(".")[0]: a.name if a.asname else "" for a in statement.names}
        elif isinstance(statement, ast.ImportFrom) and not statement.level:
            names = {a.asname or a.name: f"{statement.module}.{a.name}" for a in statement.names}
        elif isinstance(statement, ast.If | ast.Try | ast.With):
            names = dict.fromkeys(needs.bound(statement) - self.namespace.keys(), "")
        else:
            return False
        if names.pop("*", None):
            self.failed["*"] = absent.needs(missing)
        for name, full in names.items():
            is_of_it = full.partition(".")[0] == missing.partition(".")[0]
            self.namespace[name] = absent.Absent(full if is_of_it else missing)
        return True

    def _raised(self, error: BaseException, statement: ast.stmt) -> Trouble:
        if isinstance(error, absent.UnavailableError):
            return error.message, error.fix
        line, link = statement.lineno, error.__traceback__
        while link is not None:
            if link.tb_frame.f_code.co_filename == self.filename:
                line = link.tb_lineno
            link = link.tb_next
        place = source.location(self.filename, line)
        if isinstance(error, ModuleNotFoundError) and error.name:
            reason, fix = absent.needs(error.name)
            return f"{reason}: {place}", fix
        text = " ".join(str(error).split())
        return f"{place} raised {type(error).__name__}" + (f": {text}" if text else ""), f"mend {place}: {place.text}"

    def _why_missing(self, name: str) -> Trouble | None:
        told = self.lost(name)
        if told is not None:
            return told
        for node in _outside_functions(self.body):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name:
                place = source.location(self.filename, node.lineno)
                return (
                    f"`{name}` is not defined: it comes from {place}, which is not run (only definitions are)",
                    f"give `{name}` its value by an assignment or a function",
                )
        return None

    def _note_disturbances(self) -> None:
        """Note what is not as it was meant to be: a table that a loop fills, where the loop is not run."""
        if self.kept is self.body:
            return
        needed = set().union(*map(needs.bound, self.kept))
        for name, line in needs.disturbed(self.body, self.kept, needed).items():
            place = source.location(self.filename, line)
            self.failed.setdefault(
                name,
                (
                    f"`{name}` is not complete: it is changed at {place}, which is not run (only definitions are)",
                    f"give `{name}` its value by an assignment or a function",
                ),
            )


def _outside_functions(body: Collection[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield node
            yield from _outside_functions(list(ast.iter_child_nodes(node)))
