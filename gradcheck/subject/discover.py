"""From what the user names to the layers in it.

::

    target ─places→ files ─outline→ those with layers ─load, notebook→ modules ─recognise→ Found, Found, …
"""

from __future__ import annotations

import ast
import difflib
import inspect
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from gradcheck.errors import UsageError
from gradcheck.records import Location
from gradcheck.subject import functions, outline, pairing, recognise, source
from gradcheck.subject.absent import base_of
from gradcheck.subject.files import File, Loaded, Obstacle, read
from gradcheck.subject.frameworks import is_installed, not_installed
from gradcheck.subject.load import MADE_UP
from gradcheck.subject.places import places, split


@dataclass(frozen=True)
class Found:
    """A layer, or what looks like one.

    Parameters
    ----------
    name : str
        As the user would call it: ``Affine``, or ``affine`` for ``affine_forward`` and ``affine_backward``.
    target : str
        What to give to find it again: ``path/to/file.py::Affine``, ``pkg.mod:Affine``.
    obj : object
        A class (or, where one was named, an instance or a factory), or the tuple ``(forward, backward)`` of two
        functions; None if there is a ``reason``.
    location : Location or None
        Where it is defined.
    reason, fix : str or None
        Why it cannot be checked though it was found, and what to do about it.
    notes : tuple of str
        What of its file was left out.
    """

    name: str
    target: str
    obj: Any
    location: Location | None = None
    reason: str | None = None
    fix: str | None = None
    notes: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """What a configuration may call it: its target, its name and, in a module, ``pkg.mod.Name``."""
        thing = self.obj[0] if isinstance(self.obj, tuple) and self.obj else self.obj
        module = getattr(thing, "__module__", None)
        dotted = isinstance(module, str) and module != "__main__" and not module.startswith(MADE_UP)
        return (self.target, self.name, *((f"{module}.{self.name}",) if dotted else ()))


def discover(target: str) -> list[Found]:
    """Return the layers that a target names, in the order of the source; those that cannot be loaded with the reason.

    Parameters
    ----------
    target : str
        A ``.py`` file, a notebook, a directory, a module; with ``::Name`` (or ``module:Name``) one layer of it.

    Returns
    -------
    list of Found
        Empty if there is no layer; `nothing_found` then says so.

    Raises
    ------
    UsageError
        If there is no such thing, or it is of a kind in which no layers can be looked for.
    """
    where, name = split(target)
    files, single = places(where, module_first=bool(name) and "::" not in target)
    contents = [read(place, strict=single) for place in files]
    if name:
        return _named(name, where, contents)
    known = _known(file.tree for file in contents)
    return [found for file in contents for found in _in_file(file, known, single=single)]


def of_object(obj: object) -> Found:
    """Name and place a layer that is at hand: a class, an instance, a function or a pair of functions.

    Examples
    --------
    >>> def scale_forward(x, a): ...
    >>> def scale_backward(dout, cache): ...
    >>> of_object((scale_forward, scale_backward)).name
    'scale'
    """
    thing: Any = source.bare(obj[0] if isinstance(obj, tuple) and obj else obj)
    if not isinstance(thing, type) and not hasattr(thing, "__name__"):
        thing = getattr(thing, "func", type(thing))  # a partial has the name of its function, an instance of its class
    qualified = str(getattr(thing, "__qualname__", getattr(thing, "__name__", type(thing).__name__)))
    name = qualified.rpartition("<locals>.")[2]
    if isinstance(obj, tuple):
        stems = pairing.pairs([str(getattr(part, "__name__", "")) for part in obj])
        name = next(iter(stems), name)
    location = source.location_of(thing)
    replayable = "<" not in qualified and location is not None and Path(location.file).suffix in (".py", ".ipynb")
    return Found(name, f"{location.file}::{name}" if location and replayable else name, obj, location)


def nothing_found(target: str) -> UsageError:
    """Say that a target was looked through and has no layer."""
    files, single = places(split(target)[0])
    looked = "" if single else f" ({len(files)} file{'' if len(files) == 1 else 's'} looked through)"
    notes = read(files[0], strict=False).notes if single else ()
    return UsageError(
        "; ".join([f"no layer found in {target}{looked}", *notes]),
        fix="a layer is a class with forward and backward, or a pair of functions NAME_forward and NAME_backward",
    )


def _known(trees: Iterable[ast.Module]) -> set[str]:
    """Return the names of the layer classes of all files, so that one may derive from another's."""
    trees, known = list(trees), set[str]()
    while True:
        more = known.union(*(outline.layer_names(tree, known) for tree in trees))
        if more == known:
            return known
        known = more


def _in_file(file: File, known: set[str], *, single: bool) -> list[Found]:
    """Return all layers of a file, in the order of its lines."""
    if file.unreadable:
        location, obstacle = file.unreadable
        return [Found(file.place.path.name, file.place.shown, None, location, *obstacle)]
    likely = outline.layers(file.tree, known)
    found = [
        _unchecked(file, name, obstacle, location)
        for name, (location, obstacle) in file.lost.items()
        if name not in likely and not name.startswith("_")
    ]
    without = {name: told for name, node in likely.items() if (told := _without_framework(file, name, node))}
    found += [_unchecked(file, name, told) for name, told in without.items()]
    likely = {name: node for name, node in likely.items() if name not in without}
    if likely or (single and not without and _may_hold_others(file)):
        found += (layer for layer in _run(file, likely) if layer.name not in without)
    return sorted(found, key=lambda layer: _order(layer.location))


def _may_hold_others(file: File) -> bool:
    """Whether a file may hold layers that its text does not show: inherited ones, or in a third party's spelling."""
    return outline.may_inherit(file.tree) or recognise.knows_others()


def _without_framework(file: File, name: str, node: ast.AST | None) -> Obstacle | None:
    """Say that a layer is another framework's, which is not installed; None if it is, or if it is of none."""
    framework = None if node is None else outline.framework_of(node, file.tree)
    return None if framework is None or is_installed(framework) else not_installed(name, framework)


def _run(file: File, likely: Iterable[str]) -> Iterator[Found]:
    """Run a file and yield what is a layer or looks like one."""
    parts = {name for couple in functions.layers(file.tree).values() for name in couple}
    loaded = file.run({*likely, *parts})
    layers = recognise.in_module(loaded.module, file.tree)
    if loaded.failure and not likely:
        yield Found(file.place.path.name, file.place.shown, None, None, *loaded.failure)
    heirs = [name for name, obj in vars(loaded.module).items() if base_of(obj)]  # of what is not installed
    for name in {**layers, **dict.fromkeys(likely), **({} if likely else dict.fromkeys(heirs))}:
        obj = layers.get(name)
        own = recognise.obstacle(obj, file.tree)
        trouble = _trouble(file, loaded, name)
        obstacle = (own or trouble) if isinstance(obj, type) else (trouble or own)
        if obstacle:
            yield _unchecked(file, name, obstacle, _location(obj))
        elif obj is not None:
            notes = (*file.notes, *loaded.notes)
            yield Found(name, f"{file.place.prefix}{name}", obj, _location(obj), notes=notes)


def _named(name: str, where: str, files: list[File]) -> list[Found]:
    """Return the one layer that the user has named; of a directory, each layer of that name."""
    top = name.partition(".")[0]
    is_module = bool(files) and files[0].place.dotted == where  # pkg:Name is what pkg/__init__.py makes of Name
    asked = files[:1] if is_module or len(files) == 1 else [file for file in files if _defines(file, top)]
    found = [layer for layer in (_one(file, name) for file in asked) if layer is not None]
    if found:
        return found
    known = _known(file.tree for file in files)
    there = {f"{file.place.prefix}{layer}": layer for file in files for layer in outline.layers(file.tree, known)}
    close = difflib.get_close_matches(name, there.values()) or list(there.values())
    listed = list(there.values()) if len(files) == 1 else [target for target in there if there[target] in close]
    raise UsageError(
        "; ".join([f"no {name} in {where}", *(note for file in files for note in file.notes)]),
        fix=f"name one of its layers: {', '.join(listed[:20])}" if listed else "name a file or module that has it",
    )


def _one(file: File, name: str) -> Found | None:
    """Return the layer of that name in a file, or None if there is none."""
    top = name.partition(".")[0]
    if name in file.lost and top not in _names(file):
        location, lost = file.lost[name]
        return _unchecked(file, name, lost, location)
    likely = outline.layers(file.tree)
    told = _without_framework(file, name, likely.get(name))
    if told:
        return _unchecked(file, name, told)
    loaded = file.run({top, *_couple(name, file.tree), *likely})
    if loaded.failure:
        return _unchecked(file, name, loaded.failure) if _defines(file, top) else None
    obj, obstacle = None, _trouble(file, loaded, name)
    if obstacle is None:
        name, obj = _lookup(loaded.module, name, file.tree)
        if obj is None:
            return None
        obstacle = recognise.why_not(name, obj)
    if obstacle:
        return _unchecked(file, name, obstacle, _location(obj))
    notes = (*file.notes, *loaded.notes)
    return Found(name, f"{file.place.prefix}{name}", obj, _location(obj), notes=notes)


def _lookup(module: ModuleType, name: str, tree: ast.Module) -> tuple[str, Any]:
    """Return what a name means in a module: a class, nested ones with dots, else a pair, else whatever it is."""
    obj: Any = module
    for part in name.split("."):
        obj = inspect.getattr_static(obj, part, None) if isinstance(obj, type) else getattr(obj, part, None)
    couple = _couple(name, tree)
    parts = tuple(getattr(module, part, None) for part in couple)
    if len(couple) < 2 or isinstance(obj, type) or None in parts:
        return name, obj
    return next(stem for stem, found in functions.layers(tree).items() if found == couple), functions.layer_of(
        couple, parts
    )


def _unchecked(file: File, name: str, obstacle: Obstacle, location: Location | None = None) -> Found:
    """Return a layer of this file that was found but cannot be checked."""
    nodes = {node.name: node for node in outline.definitions(file.tree)} | {**outline.layers(file.tree)}
    if location is None and name in nodes:
        location = source.location(file.filename, nodes[name].lineno)
    return Found(name, f"{file.place.prefix}{name}", None, location, *obstacle)


def _names(file: File) -> list[str]:
    return [node.name for node in outline.definitions(file.tree)]


def _couple(name: str, tree: ast.Module) -> tuple[str, ...]:
    """Return the functions that a name means: that of the layer which they make, or of one of them."""
    found = functions.layers(tree)
    return found.get(name) or next((couple for couple in found.values() if name in couple), ())


def _defines(file: File, name: str) -> bool:
    return name in _names(file) or name in functions.layers(file.tree) or name in file.lost


def _trouble(file: File, loaded: Loaded, name: str) -> Obstacle | None:
    """Say what is the trouble with a layer, or with either function of a pair."""
    names = _couple(name, file.tree) or [name.partition(".")[0]]
    return next((found for found in map(loaded.trouble, names) if found), None)


def _location(obj: object) -> Location | None:
    thing = obj[0] if isinstance(obj, tuple) else obj
    return None if thing is None else source.location_of(thing)


def _order(location: Location | None) -> tuple[float, int]:
    """Sort by cell and line; what has no place comes last."""
    return (float("inf"), 0) if location is None else (location.cell or 0, location.line)
