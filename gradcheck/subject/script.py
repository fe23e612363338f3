"""Running the statements of a file or notebook one by one, so that each costs only what needs it.

Of a module all statements are run. Of a script, which does something of its own at the top level (trains, plots, asks),
only its definitions are, and what these need. What raises, hangs, or was left out is told to the layers that need it.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from importlib.util import resolve_name
from types import ModuleType
from typing import Any, TypeGuard

from gradcheck.subject import absent, limit, needs, source

Trouble = tuple[str, str]  # why something cannot be used, and what to do about it


def script_of(module: ModuleType | None) -> Script | None:
    """Return what became of the statements of a module; None if it was not imported by `siblings.Loader`."""
    return getattr(getattr(getattr(module, "__spec__", None), "loader", None), "script", None)


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
    starred: list[Script] = field(default_factory=list)

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

    def left_out(self, shown: str) -> tuple[str, ...]:
        """Say what was not run of the file."""
        lines = {statement.lineno for statement in self.kept}
        left = [node.lineno for node in self.body if node.lineno not in lines and needs.is_script([node])]
        if not left:
            return ()
        place = source.location(self.filename, left[0])
        others = f", and {len(left) - 1} more" if len(left) > 1 else ""
        return (f"{shown}: only definitions were run, not {place.text!r} ({place}{others})",)

    def stood_in(self, shown: str) -> tuple[str, ...]:
        """Say which packages were not there."""
        packages = sorted({absent.package_of(value) for value in self.namespace.values()} - {""})
        if not packages:
            return ()
        return (f"{shown}: stand-ins took the place of {', '.join(packages)}: not installed",)

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
            self._remember_star(statement)
            self._stand_in_for_optional(statement)
            self.failed = {key: told for key, told in self.failed.items() if key not in names or key == "*"}

    def _remember_star(self, statement: ast.stmt) -> None:
        """Remember a module that gave all its names: it may have lacked some."""
        if isinstance(statement, ast.ImportFrom) and statement.names[0].name == "*":
            name = "." * statement.level + (statement.module or "")
            module = sys.modules.get(resolve_name(name, self.namespace.get("__package__") or ""))
            script = script_of(module)
            self.starred += [script] if script else []

    def _stand_in_for_optional(self, statement: ast.stmt) -> None:
        """Bind what a ``try`` did not import, and leaves to be found out when it is used."""
        if isinstance(statement, ast.Try):
            imports = [node for node in statement.body if isinstance(node, ast.Import | ast.ImportFrom)]
            for name, full in [pair for node in imports for pair in _imported(node).items()]:
                if name != "*":
                    self.namespace.setdefault(name, absent.Absent(full))

    def _seconds(self, statement: ast.stmt) -> float:
        if any("interrupted after" in reason for reason, _ in self.failed.values()):
            return limit.SECONDS_AFTER_A_HANG
        is_import = isinstance(statement, ast.Import | ast.ImportFrom | ast.Try)
        return limit.IMPORT_SECONDS if is_import else limit.STATEMENT_SECONDS

    def _stand_in(self, statement: ast.stmt, missing: str) -> bool:
        """Let something stand for what could not be imported, so that what does not use it can be checked."""
        if isinstance(statement, ast.Import | ast.ImportFrom) and not getattr(statement, "level", 0):
            names = _imported(statement)
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
        for lost in (self.lost, *(script.trouble for script in self.starred)):
            told = lost(name)
            if told is not None:
                return told
        for node in _outside_functions(self.body):
            if _binds(node, name):
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
        own = [node for node in self.kept if not isinstance(node, ast.Import | ast.ImportFrom)]
        needed = set().union(*map(needs.bound, own))
        for name, line in needs.disturbed(self.body, self.kept, needed).items():
            place = source.location(self.filename, line)
            self.failed.setdefault(
                name,
                (
                    f"`{name}` is not complete: it is changed at {place}, which is not run (only definitions are)",
                    f"give `{name}` its value by an assignment or a function",
                ),
            )


def _imported(statement: ast.Import | ast.ImportFrom) -> dict[str, str]:
    """Return what an import binds: ``{"plt": "matplotlib.pyplot"}``; a relative one keeps its dots."""
    if isinstance(statement, ast.Import):
        return {a.asname or a.name.partition(".")[0]: a.name if a.asname else a.name.partition(".")[0]
                for a in statement.names}  # fmt: skip
    module = "." * statement.level + (statement.module or "")
    return {a.asname or a.name: f"{module}.{a.name}" for a in statement.names}


def _binds(node: ast.AST, name: str) -> TypeGuard[ast.stmt | ast.expr]:
    if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        return node.name == name
    return isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id == name


def _outside_functions(body: Collection[ast.AST]) -> Iterator[ast.AST]:
    for node in body:
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            yield from _outside_functions(list(ast.iter_child_nodes(node)))
