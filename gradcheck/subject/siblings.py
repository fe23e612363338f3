"""How the user's own modules are imported: statement by statement, as `script` runs them, one after the other."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Collection, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.subject import absent, needs
from gradcheck.subject.parse import parse
from gradcheck.subject.script import Script


class Loader(SourceFileLoader):
    """Runs a file of the user's, and keeps what became of its statements.

    ``names`` are wanted of it though they may be no definitions.
    """

    def __init__(self, name: str, path: str, names: Collection[str] = ()) -> None:
        super().__init__(name, path)
        self.names = names

    def exec_module(self, module: ModuleType) -> None:
        """Run the file; what it cannot give says why when it is asked for."""
        path = Path(self.path)
        self.script = Script(str(path), parse(path).body)
        is_package = path.name == "__init__.py"
        whole = is_package or not needs.is_script(self.script.body)
        with absent.defining():
            self.script.run(vars(module), None if whole else needs.definitions(self.script.body) | {*self.names})
        vars(module).setdefault("__getattr__", _asked(self.script, is_package=is_package))


class Finder(MetaPathFinder):
    """Finds what Python would find, and takes over the files for which ``is_users`` holds."""

    def __init__(self, is_users: Callable[[Path], bool], names: dict[Path, Collection[str]]) -> None:
        self.is_users, self.names = is_users, names

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        """Return the spec of one of the user's modules, None for all others."""
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.origin is None or type(spec.loader) is not SourceFileLoader:
            return None
        file = Path(spec.origin)
        if not self.is_users(file):
            return None
        spec.loader = Loader(name, spec.origin, self.names.get(file.resolve(), ()))
        return spec


def alone(path: Path, name: str, names: Collection[str] = ()) -> ModuleType:
    """Run a file that is in no package, under a module name of its own."""
    spec = importlib.util.spec_from_file_location(name, path, loader=Loader(name, str(path), names))
    if spec is None or spec.loader is None:
        raise ImportError(f"cannot import {path}")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _asked(script: Script, *, is_package: bool) -> Callable[[str], Any]:
    def asked(name: str) -> Any:
        # A package is asked for its submodules, too, before they are imported.
        trouble = script.failed.get(name) if is_package or name.startswith("__") else script.trouble(name)
        if trouble is not None:
            raise absent.UnavailableError(*trouble)
        raise AttributeError(f"there is no {name} in {script.filename}")

    return asked
