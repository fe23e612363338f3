"""Running the user's file so that its layers come into being, and leaving the process as it was.

A file inside a package is imported under its dotted name, so that its relative imports work; any other file is run
afresh each time, under a module name of its own.
"""

from __future__ import annotations

import collections
import collections.abc
import importlib
import importlib.util
import itertools
import os
import sys
import sysconfig
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from gradcheck.subject import absent, siblings
from gradcheck.subject.frameworks import extra, needed_by
from gradcheck.subject.process import put_back
from gradcheck.subject.roots import package_name, project_folders
from gradcheck.subject.script import script_of

MADE_UP = "gradcheck_target_"  # how the names of modules begin that are run from a file outside of any package


def import_file(path: Path, names: Collection[str] = ()) -> ModuleType:
    """Run a Python file and return its module, with what the ``names`` need though they may be no definitions.

    What its statements raise is kept for those who need them (`script_of`); a syntax error comes through.
    """
    path = path.resolve()
    root, dotted = package_name(path)
    if dotted:
        return import_module(dotted, root, script=path, names=names)
    with contained(path, *project_folders(path)):
        return siblings.alone(path, _new_name(path.stem), names)


def import_module(
    dotted: str, root: Path | None = None, *, script: Path | None = None, names: Collection[str] = ()
) -> ModuleType:
    """Import a module by its dotted name, with ``root`` (or the working directory) in front of ``sys.path``."""
    root = root or Path.cwd()
    wanted = {script.resolve(): names} if script else {}
    above = project_folders(script) if script else []
    with contained(script or Path(dotted), root, *above, own=dotted.partition(".")[0], names=wanted):
        importlib.invalidate_caches()
        return importlib.import_module(dotted)


def new_module(stem: str, filename: str) -> ModuleType:
    """Return an empty module that stays in ``sys.modules`` under a name which nobody else uses."""
    name = _new_name(stem)
    spec = importlib.util.spec_from_loader(name, loader=None, origin=filename)
    module = importlib.util.module_from_spec(spec) if spec else ModuleType(name)
    module.__file__ = filename
    sys.modules[name] = module
    return module


def failure(error: BaseException, path: Path, shown: str) -> tuple[str, str]:
    """Say in words that a file could not be imported: the reason, and what to do about it."""
    line = _line_in(error, path)
    text = " ".join(str(error).split())
    reason = f"importing {shown} raised {type(error).__name__}" + (f": {text}" if text else "")
    where = f"line {line}" if line else "the import"
    if line:
        reason += f" (line {line})"
    framework = needed_by(error)
    if framework is not None:
        return reason, f"{extra(framework)}, or run gradcheck where {framework} is installed"
    if isinstance(error, ModuleNotFoundError) and error.name:
        return reason, f"install {error.name}, or run gradcheck from the folder that has it"
    return reason, f'mend {where}, or move what only a script does below `if __name__ == "__main__":`'


@contextmanager
def contained(
    script: Path,
    *roots: Path,
    cwd: Path | None = None,
    own: str = "",
    names: dict[Path, Collection[str]] | None = None,
) -> Iterator[None]:
    """Keep what an import does to the process within the import.

    Parameters
    ----------
    script : Path
        Becomes ``sys.argv``, as if it were run without arguments.
    *roots : Path
        The first is put in front of ``sys.path``, then the working directory; the others at its end, where they
        cannot hide anything.
    cwd : Path, optional
        The working directory meanwhile.
    own : str
        A package that is the user's wherever it is installed.
    names : dict
        What is wanted of a file though it may be no definition.
    """
    before = Path.cwd()
    with put_back(), _retired_names(), absent.defining(), _importable([roots[0], before], list(roots[1:]), own, names):
        sys.argv = [str(script)]
        os.chdir(cwd or before)
        yield


@contextmanager
def imports_of(obj: object) -> Iterator[None]:
    """Let a layer that was loaded here import, while it runs, what its file could import."""
    first = obj[0] if isinstance(obj, tuple) and obj else obj
    module = sys.modules.get(getattr(first, "__module__", None) or "")
    if module is None or not (script_of(module) and module.__file__):
        yield
        return
    path = Path(module.__file__)
    with _importable([package_name(path)[0], Path.cwd()], project_folders(path)):
        yield


@contextmanager
def isolated() -> Iterator[None]:
    """Forget the user's modules afterwards: who imports ``utils`` next must find their own."""
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in sys.modules.keys() - before:
            if script_of(sys.modules[name]) or name.startswith(MADE_UP):
                del sys.modules[name]
                _stamps.pop(name, None)


_serial = itertools.count(1)


def _new_name(stem: str) -> str:
    return f"{MADE_UP}{next(_serial)}_{stem}"


@contextmanager
def _importable(
    front: list[Path], back: list[Path], own: str = "", names: dict[Path, Collection[str]] | None = None
) -> Iterator[None]:
    """Let modules be found in these folders, before and after those on ``sys.path``."""
    path = list(sys.path)

    def is_users(place: Path) -> bool:
        return _is_users(place, [*front, *back]) or bool(own and place.is_relative_to(front[0] / own))

    finder = siblings.Finder(is_users, names or {})
    with _names_of(front, back):
        sys.path[:] = [*map(str, front), *path, *map(str, back)]
        sys.meta_path.insert(0, finder)
        try:
            yield
        finally:
            sys.meta_path.remove(finder)
            sys.path[:] = path


@contextmanager
def _retired_names() -> Iterator[None]:
    """Let ``from collections import Hashable`` work, as it did before Python 3.10."""
    retired = [name for name in collections.abc.__all__ if not hasattr(collections, name)]
    for name in retired:
        setattr(collections, name, getattr(collections.abc, name))
    try:
        yield
    finally:
        for name in retired:
            delattr(collections, name)


# Modules that came with an import of ours, with the state of their files then: a changed one is imported anew.
_stamps: dict[str, tuple[str, int, int]] = {}

_STDLIB = Path(sysconfig.get_path("stdlib"))


@contextmanager
def _names_of(front: list[Path], back: list[Path]) -> Iterator[None]:
    """Let ``import functions`` in a file mean the ``functions.py`` that it would find, whatever was imported before.

    Modules of the same names from elsewhere step aside for the time of the import, and come back after it. ``front``
    and ``back`` are what is put before and after ``sys.path``.
    """
    _drop_changed()
    others = {Path(entry) for entry in sys.path}
    tops = {name: module for name, module in sys.modules.items() if "." not in name}
    displaced = {name for name, module in tops.items() if _is_displaced(name, module, front, back, others)}
    aside = {name: module for name, module in sys.modules.items() if name.partition(".")[0] in displaced}
    for name in aside:
        del sys.modules[name]
    before = set(sys.modules)
    try:
        yield
    finally:
        for name in sys.modules.keys() - before:
            place = _place(sys.modules[name])
            if name.partition(".")[0] in displaced:
                del sys.modules[name]
            elif place and _is_users(place, [*front, *back]):
                _stamps[name] = _stamp(place)
        sys.modules.update(aside)


def _is_users(place: Path, folders: list[Path]) -> bool:
    """Whether a module is the user's own, though a virtual environment or Python itself may lie in the project."""
    is_installed = {"site-packages", "dist-packages"} & {*place.parts} or place.is_relative_to(_STDLIB)
    is_ours = place.is_relative_to(Path(__file__).parents[1])
    return not (is_installed or is_ours) and any(place.is_relative_to(folder) for folder in folders)


def _is_displaced(top: str, module: ModuleType, front: list[Path], back: list[Path], others: set[Path]) -> bool:
    """Whether ``import top`` would find another module than the loaded one."""
    place = _place(module)
    # NumPy cannot be loaded twice, and gradcheck is running.
    if place is None or top in sys.stdlib_module_names or top in ("__main__", "numpy", "gradcheck"):
        return False
    home = place.parent.parent if place.name == "__init__.py" else place.parent
    folders = front if home in others and home not in front else [*front, *back]
    is_elsewhere = script_of(module) is not None and home not in {*front, *back, *others}
    is_namespace = getattr(module, "__file__", None) is None
    for folder in folders:
        if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file():
            return folder != home
        # A folder without __init__.py gives way to any real package.
        if (is_namespace or is_elsewhere) and (folder / top).is_dir():
            return folder != home
    return is_elsewhere


def _place(module: ModuleType | None) -> Path | None:
    file = getattr(module, "__file__", None)
    if file is None:
        file = next(iter(getattr(module, "__path__", ())), None)
    return Path(file) if isinstance(file, str) else None


def _drop_changed() -> None:
    """Forget the modules of every package (or folder) of which a file has changed since we imported it."""
    changed = {name.partition(".")[0] for name, stamp in _stamps.items() if _stamp(Path(stamp[0])) != stamp}
    for name in [name for name in _stamps if name.partition(".")[0] in changed]:
        del _stamps[name]
        sys.modules.pop(name, None)


def _stamp(path: Path) -> tuple[str, int, int]:
    try:
        stat = path.stat()
    except OSError:
        return str(path), 0, 0
    return str(path), stat.st_mtime_ns, stat.st_size


def _line_in(error: BaseException, path: Path) -> int | None:
    """Return the innermost line of the file that the error passed through."""
    line, link = None, error.__traceback__
    while link is not None:
        if link.tb_frame.f_code.co_filename in (str(path), str(path.resolve())):
            line = link.tb_lineno
        link = link.tb_next
    return line
