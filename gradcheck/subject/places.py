"""What a target names: the files to look in, and how the user would name each of them."""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
import pkgutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path

from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Place:
    """One file to look in.

    Parameters
    ----------
    path : Path
    shown : str
        The path as the user gave it, or would have.
    prefix : str
        What the targets of its layers begin with: ``layers.py::`` or ``pkg.layers:``.
    dotted, root
        For a target that is a module: the name to import, and the folder from which it is found.
    """

    path: Path
    shown: str
    prefix: str
    dotted: str = ""
    root: Path | None = None


def split(target: str) -> tuple[str, str]:
    """Divide a target into where to look and the name to look for, which may be empty.

    Examples
    --------
    >>> split("nets/layers.py::Affine"), split("nets.layers:Affine"), split("nets")
    (('nets/layers.py', 'Affine'), ('nets.layers', 'Affine'), ('nets', ''))
    """
    where, colons, name = target.partition("::")
    if not colons and not Path(target).exists():
        where, colons, name = target.rpartition(":")
        if not (colons and (_is_dotted(name) or not name)) or len(where) == 1:  # C:\layers.py
            return target, ""
    if not where or (colons and not _is_dotted(name)):
        given = f"the target {target!r} names no layer" if where else f"the target {target!r} says nowhere to look"
        raise UsageError(given, fix="write it as path/to/file.py::Name, notebook.ipynb::Name or package.module:Name")
    return where, name


def places(where: str, *, module_first: bool = False) -> tuple[list[Place], bool]:
    """Return the files that a target names, and whether it names a single one.

    Raises
    ------
    UsageError
        If there is no such file, directory or module, or it is of another kind.
    """
    path = Path(where)
    if _is_dotted(where) and (module_first or not path.exists()):
        spec = _find(where)
        if spec is not None:
            found = list(_in_module(where, spec))
            return found, spec.submodule_search_locations is None
    if path.is_dir():
        return [Place(file, str(file), f"{file}::") for file in _walk(path)], False
    if not path.exists():
        raise _not_there(where)
    if not path.is_file() or path.suffix.lower() not in (".py", ".ipynb"):
        kind = (f"a {path.suffix} file" if path.suffix else "of no known type") if path.is_file() else "a device"
        raise UsageError(
            f"cannot look for layers in {where}: it is {kind}, expected a .py file, a .ipynb notebook or a directory",
            fix="name the file that defines the layers",
        )
    return [Place(path, where, f"{where}::")], True


# Folders that hold other people's code, or copies of one's own.
_NOT_ENTERED = {"__pycache__", "node_modules", "site-packages", "build", "dist"}
# Files that are run for what they do, not for what they define.
_NOT_TAKEN = {"conftest.py", "setup.py", "__main__.py"}


def _walk(folder: Path) -> Iterator[Path]:
    """Yield the Python files and notebooks below a folder, sorted."""
    for top, folders, files in os.walk(folder):
        here = Path(top)
        folders[:] = sorted(name for name in folders if _is_entered(here / name))
        yield from (here / name for name in sorted(files) if _is_taken(name))


def _is_entered(folder: Path) -> bool:
    name = folder.name
    return not (name.startswith(".") or name in _NOT_ENTERED or (folder / "pyvenv.cfg").exists())


def _is_taken(name: str) -> bool:
    stem, suffix = Path(name).stem, Path(name).suffix
    if name.startswith((".", "test_")) or stem.endswith("_test") or name in _NOT_TAKEN:
        return suffix == ".ipynb" and not name.startswith(".")
    return suffix in (".py", ".ipynb")


def _in_module(dotted: str, spec: ModuleSpec) -> Iterator[Place]:
    """Yield the files of a module, or of a package and all below it."""
    depth = dotted.count(".")
    if spec.submodule_search_locations is None:
        origin = Path(spec.origin or "")
        if not spec.has_location or origin.suffix != ".py":
            raise UsageError(
                f"cannot look for layers in the module {dotted}: it has no Python source",
                fix="name a module that is a .py file",
            )
        root = origin.parents[depth]
        yield Place(origin, _from_here(origin), f"{dotted}:", dotted, root)
        return
    for location in spec.submodule_search_locations:
        folder = Path(location)
        root = folder.parents[depth]
        for file in _walk(folder):
            if file.suffix == ".py":
                parts = file.relative_to(folder).with_suffix("").parts
                name = ".".join([dotted, *(parts[:-1] if parts[-1] == "__init__" else parts)])
                yield Place(file, _from_here(file), f"{name}:", name, root)


def _find(dotted: str) -> ModuleSpec | None:
    """Find a module without importing anything, its parent packages included."""
    importlib.invalidate_caches()
    top, *rest = dotted.split(".")
    spec = PathFinder.find_spec(top, [str(Path.cwd()), *sys.path])
    if spec is None:
        try:
            spec = importlib.util.find_spec(top)  # finders of editable installs
        except (ImportError, ValueError):
            return None
    name = top
    for part in rest:
        if spec is None or spec.submodule_search_locations is None:
            return None
        name = f"{name}.{part}"
        spec = PathFinder.find_spec(name, list(spec.submodule_search_locations))
    return spec


def _not_there(where: str) -> UsageError:
    """Say that there is no such thing, and what is most like it."""
    what, hints = "no such file or directory", _paths_like(Path(where))
    if _is_dotted(where) and Path(where).suffix not in (".py", ".ipynb"):
        what = "no such file, directory or module"
        hints += _modules_like(where)
    found = " or ".join(dict.fromkeys(hints))
    return UsageError(
        f"{what}: {where}",
        fix=f"did you mean {found}?" if found else f"check the spelling; it was looked for from {Path.cwd()}",
    )


def _paths_like(path: Path) -> list[str]:
    missing = path  # the first part of the path that is not there
    while not missing.parent.is_dir() and missing != missing.parent:
        missing = missing.parent
    names = [entry.name for entry in missing.parent.iterdir()] if missing.parent.is_dir() else []
    close = difflib.get_close_matches(missing.name, names, n=3)
    likely = [missing.with_name(name) / path.relative_to(missing) for name in close]
    return [str(candidate) for candidate in likely if candidate.exists()]


def _modules_like(dotted: str) -> list[str]:
    parent, _, last = dotted.rpartition(".")
    spec = _find(parent) if parent else None
    if parent and (spec is None or spec.submodule_search_locations is None):
        return []
    around = list(spec.submodule_search_locations or []) if spec else [str(Path.cwd())]
    close = difflib.get_close_matches(last, [module.name for module in pkgutil.iter_modules(around)], n=3)
    return [f"{parent}.{name}" if parent else name for name in close]


def _is_dotted(name: str) -> bool:
    return all(part.isidentifier() for part in name.split("."))


def _from_here(path: Path) -> str:
    return os.path.relpath(path) if path.is_relative_to(Path.cwd()) else str(path)
