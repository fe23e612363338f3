"""A Python file or a notebook, read and ready to run: from here on the two are alike."""

from __future__ import annotations

import ast
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from types import ModuleType

from gradcheck.errors import UsageError
from gradcheck.records import Location
from gradcheck.subject import load, notebook, source
from gradcheck.subject.parse import parse
from gradcheck.subject.places import Place
from gradcheck.subject.script import script_of

Obstacle = tuple[str, str]  # why something cannot be checked, and what to do about it


@dataclass(frozen=True, slots=True)
class Loaded:
    """What running a file gave: a module, empty if the run raised, and ``trouble(name)``, why a name is unusable.

    ``notes`` say what was left out.
    """

    module: ModuleType
    trouble: Callable[[str], Obstacle | None]
    failure: Obstacle | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class File:
    """A file that has been read.

    Parameters
    ----------
    place : Place
    filename : str
        That of its code objects.
    tree : ast.Module
        What can be read of it.
    run : callable
        ``run(names)`` runs it, or of a notebook what these names need.
    unreadable : tuple of (location, obstacle) or None
        Set if nothing can be read.
    lost : dict
        The layers in cells that cannot be read.
    notes : tuple of str
        What was left out.
    """

    place: Place
    filename: str = ""
    tree: ast.Module = field(default_factory=lambda: ast.Module([], []))
    run: Callable[[Collection[str]], Loaded] = lambda _: Loaded(ModuleType("nothing"), lambda _: None)
    unreadable: tuple[Location | None, Obstacle] | None = None
    lost: dict[str, tuple[Location, Obstacle]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read(place: Place, *, strict: bool) -> File:
    """Read a file.

    Raises
    ------
    UsageError
        If it cannot be read and ``strict`` holds; else the file is handed back as unreadable.
    """
    try:
        return _notebook(place) if place.path.suffix.lower() == ".ipynb" else _python(place)
    except SyntaxError as error:
        line, text = error.lineno or 1, (error.text or "").strip()
        reason = f"syntax error in {place.shown}, line {line}: {error.msg}" + (f": {text}" if text else "")
        location, obstacle = Location(place.shown, line, text=text), (reason, f"mend line {line}")
    except OSError as error:
        location, obstacle = None, (f"cannot read {place.shown}: {error.strerror}", "make it readable")
    except UsageError as error:
        location, obstacle = None, (error.message, error.fix)
    if strict:
        raise UsageError(obstacle[0], fix=obstacle[1])
    return File(place, unreadable=(location, obstacle))


def _python(place: Place) -> File:
    source.remember_file(place.path, place.shown)
    return File(place, str(place.path.resolve()), parse(place.path), lambda names: _imported(place, names))


def _imported(place: Place, names: Collection[str]) -> Loaded:
    try:
        if place.dotted:
            module = load.import_module(place.dotted, place.root, script=place.path, names=names)
        else:
            module = load.import_file(place.path, names)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a package around it that cannot be imported
        failure = load.failure(error, place.path, place.path.name)
        return Loaded(ModuleType("nothing"), lambda _: failure, failure)
    script = script_of(module)
    if script is None:
        return Loaded(module, lambda _: None)
    return Loaded(module, script.trouble, notes=(*script.left_out(place.shown), *script.stood_in(place.shown)))


def _notebook(place: Place) -> File:
    book = notebook.read(place.path, place.shown)
    notes = tuple(f"cell {cell.number} was left out: it has a syntax error" for cell in book.broken)
    return File(
        place,
        book.filename,
        book.tree,
        lambda names: _run_notebook(book, names),
        lost=book.lost(),
        notes=notes,
    )


def _run_notebook(book: notebook.Notebook, names: Collection[str]) -> Loaded:
    module, script = book.load(names)
    return Loaded(module, script.trouble, notes=script.stood_in(book.shown))
