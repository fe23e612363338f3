"""Running the user's file so that its layers come into being, and leaving the process as it was.

A file inside a package is imported under its dotted name, so that its relative imports work; any other file is run
afresh each time, under a module name of its own.
"""

from __future__ import annotations

import ast
import importlib
import importlib.util
import io
import itertools
import os
import random
import sys
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

MADE_UP = "gradcheck_target_"  # how the names of modules begin that are run from a file outside of any package


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file.

    Raises
    ------
    SyntaxError
        With the line in ``lineno``, also for what only the compiler or the decoder finds.
    OSError
        If the file cannot be read.
    """
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source, str(path))
            compile(source, str(path), "exec", dont_inherit=True)
        except SyntaxError:
            raise
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, ten thousand nested brackets
            raise SyntaxError(str(error), (str(path), 1, None, None)) from error
    return tree


def import_file(path: Path) -> ModuleType:
    """Run a Python file and return its module; whatever it raises comes through."""
    path = path.resolve()
    root, dotted = package_name(path)
    if dotted:
        return import_module(dotted, root, script=path)
    module = new_module(path.stem, str(path))
    try:
        with contained(path, *project_folders(path)):
            exec(compile(path.read_bytes(), str(path), "exec", dont_inherit=True), vars(module))  # a .pyc may lag
    except BaseException:
        del sys.modules[module.__name__]
        raise
    return module


def import_module(dotted: str, root: Path | None = None, *, script: Path | None = None) -> ModuleType:
    """Import a module by its dotted name, with ``root`` (or the working directory) in front of ``sys.path``."""
    root = root or Path.cwd()
    with contained(script or Path(dotted), root, *(project_folders(script) if script else [])):
        importlib.invalidate_caches()
        return importlib.import_module(dotted)


def package_name(path: Path) -> tuple[Path, str]:
    """Return the folder that a file's package is imported from, and the file's dotted name; empty outside a package."""
    root, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    while (root / "__init__.py").is_file() and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    inside = root != path.parent and not any("." in part for part in parts)
    return root, ".".join(parts) if inside else ""


def project_folders(path: Path) -> list[Path]:
    """Return the folders from which a file of a project may import: its own, and those above it in the project.

    The project ends at the first folder that looks like its root; where none does, one folder up.
    """
    above = list(path.parents)
    for k, folder in enumerate(above):
        if any((folder / mark).exists() for mark in (".git", "pyproject.toml", "setup.py", "requirements.txt")):
            return above[: k + 1]
    return above[:2]


def new_module(stem: str, filename: str) -> ModuleType:
    """Return an empty module that stays in ``sys.modules`` under a name which nobody else uses."""
    name = f"{MADE_UP}{next(_serial)}_{stem}"
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
    if isinstance(error, ModuleNotFoundError) and error.name:
        return reason, f"install {error.name}, or run gradcheck from the folder that has it"
    return reason, f'mend {where}, or move what only a script does below `if __name__ == "__main__":`'


@contextmanager
def contained(script: Path, *roots: Path, cwd: Path | None = None) -> Iterator[None]:
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
    """
    before = Path.cwd()
    path, argv, stdin, bytecode = list(sys.path), sys.argv, sys.stdin, sys.dont_write_bytecode
    backend, draws = os.environ.get("MPLBACKEND"), random.getstate()
    with ExitStack() as stack:
        stack.enter_context(redirect_stdout(_sink()))
        stack.enter_context(redirect_stderr(_sink()))
        stack.enter_context(warnings.catch_warnings())
        stack.enter_context(_numpy_as_it_was())
        stack.enter_context(_names_of([roots[0], before], list(roots[1:])))
        warnings.simplefilter("ignore")
        try:
            sys.path[:] = [str(roots[0]), str(before), *path, *map(str, roots[1:])]
            sys.argv, sys.stdin, sys.dont_write_bytecode = [str(script)], io.StringIO(), True
            os.environ.setdefault("MPLBACKEND", "Agg")  # no window, no display needed
            os.chdir(cwd or before)
            yield
        finally:
            os.chdir(before)
            sys.path[:] = path
            sys.argv, sys.stdin, sys.dont_write_bytecode = argv, stdin, bytecode
            random.setstate(draws)
            if backend is None:
                os.environ.pop("MPLBACKEND", None)


_serial = itertools.count(1)

# Modules that came with an import of ours, with the state of their files then: a changed one is imported anew.
_stamps: dict[str, tuple[str, int, int]] = {}


def _sink() -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # not a StringIO: some scripts re-wrap sys.stdout.buffer


@contextmanager
def _numpy_as_it_was() -> Iterator[None]:
    """Restore NumPy's global generator and error state; without loading NumPy."""
    numpy: Any = sys.modules.get("numpy")
    if numpy is None:
        yield
        return
    draws = numpy.random.get_state()
    try:
        with numpy.errstate():
            yield
    finally:
        numpy.random.set_state(draws)


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
    """Whether a module is the user's own, though a virtual environment may lie in the project."""
    return "site-packages" not in place.parts and any(place.is_relative_to(folder) for folder in folders)


def _is_displaced(top: str, module: ModuleType, front: list[Path], back: list[Path], others: set[Path]) -> bool:
    """Whether ``import top`` would find another module than the loaded one."""
    place = _place(module)
    # NumPy cannot be loaded twice, and gradcheck is running.
    if place is None or top in sys.stdlib_module_names or top in ("__main__", "numpy", "gradcheck"):
        return False
    home = place.parent.parent if place.name == "__init__.py" else place.parent
    folders = front if home in others and home not in front else [*front, *back]
    is_namespace = getattr(module, "__file__", None) is None
    for folder in folders:
        if (folder / f"{top}.py").is_file() or (folder / top / "__init__.py").is_file():
            return folder != home
        # A folder without __init__.py gives way to any real package.
        if is_namespace and (folder / top).is_dir():
            return folder != home
    return False


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
