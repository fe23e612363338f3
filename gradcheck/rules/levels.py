"""Which rules are on, and at which level: a selection by prefixes of codes, laid over another one.

Knows codes as text only, so that a command line can be read without NumPy.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from gradcheck.records import Level

ALL = "ALL"


@dataclass(frozen=True, slots=True)
class Selection:
    """Which rules count, as one place says it: a table of a file, the section of a layer, a command line.

    A code is given in full (``"GC205"``), as the beginning of several (``"GC2"``), or as ``"ALL"``. In one place the
    longer prefix wins; between equals ``ignore`` wins. What is laid over wins against what is under it.

    Parameters
    ----------
    select : tuple of str
        Only these rules, whatever was selected below; empty: as below, and at the bottom each at its default level.
    extend_select : tuple of str
        These rules too.
    ignore : tuple of str
        Without these.
    error, warning : tuple of str
        The level of these. It switches a rule on only where its code is given in full.
    layers : tuple of (str, Selection)
        What holds for some layers only, laid over the rest in this order: a name, a target or a glob of either.
    root : str
        The folder from which paths in ``layers`` count; empty: as targets are written.
    under : Selection or None
        What this one is laid over.

    Examples
    --------
    >>> Selection(select=("GC2",), ignore=("GC20",), warning=("GC201",)).level_of("GC201", "error")
    'warning'
    >>> file = Selection(ignore=("GC205",), layers=(("Relu", Selection(error=("GC205",))),))
    >>> file.level_of("GC205", "warning", "layers.py::Affine"), file.level_of("GC205", "warning", "layers.py::Relu")
    ('off', 'error')
    >>> Selection(select=("GC2",), under=file).level_of("GC205", "warning", "layers.py::Affine")
    'warning'
    """

    select: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    error: tuple[str, ...] = ()
    warning: tuple[str, ...] = ()
    layers: tuple[tuple[str, Selection], ...] = ()
    root: str = ""
    under: Selection | None = None

    def level_of(self, code: str, default: Level, *layer: str) -> Level:
        """Return the level of a rule for a layer.

        Parameters
        ----------
        code : str
            In full.
        default : {"error", "warning", "off"}
            The level without any selection. A rule that is off and gets selected is a warning.
        *layer : str
            What the layer is called: its target, its name.

        Examples
        --------
        >>> Selection().level_of("GC205", "warning"), Selection(ignore=("GC2",)).level_of("GC205", "warning")
        ('warning', 'off')
        >>> Selection(extend_select=("GC2",)).level_of("GC290", "off")
        'warning'
        """
        on, level = default != "off", default if default != "off" else "warning"
        for place in self._places(layer):
            in_full = tuple(word for word in (*place.error, *place.warning) if word == code)
            named, ignored = (
                _longest(code, (*place.select, *place.extend_select, *in_full)),
                _longest(code, place.ignore),
            )
            if place.select or max(named, ignored) >= 0:
                on = named > ignored
            error, warning = _longest(code, place.error), _longest(code, place.warning)
            if max(error, warning) >= 0:
                level = "error" if error >= warning else "warning"
        return level if on else "off"

    def _places(self, layer: Iterable[str]) -> Iterator[Selection]:
        """Yield what has a say about a layer: the last one has the last word."""
        if self.under is not None:
            yield from self.under._places(layer)
        yield self
        for pattern, selection in self.layers:
            if is_called(pattern, layer, self.root):
                yield selection


def is_called(pattern: str, layer: Iterable[str], root: str = "") -> bool:
    """Whether a layer that has these names goes by a pattern: a name, a target, a dotted name or a glob of them.

    Examples
    --------
    >>> is_called("pkg.*.Relu", ["pkg/mod.py::Relu"]), is_called("pkg/mod.py", ["pkg/mod.py::Relu"])
    (True, True)
    """
    forms = {form for name in layer for form in _forms(name, root)}
    return pattern in forms or any(fnmatchcase(form, pattern) for form in forms)


def covers(prefix: str, code: str) -> bool:
    """Whether a prefix, or ``"ALL"``, stands for a code.

    Examples
    --------
    >>> covers("GC2", "GC205"), covers("ALL", "GC205"), covers("GC3", "GC205")
    (True, True, False)
    """
    return prefix == ALL or code.startswith(prefix)


def _longest(code: str, prefixes: Iterable[str]) -> int:
    """Return the length of the longest prefix that stands for a code: 0 for ``"ALL"``, -1 where there is none."""
    return max((0 if prefix == ALL else len(prefix) for prefix in prefixes if covers(prefix, code)), default=-1)


def _forms(name: str, root: str) -> Iterator[str]:
    """Yield what a layer may be called: its target, its name, its file, and the latter two as seen from a folder."""
    yield name
    file, colons, layer = name.rpartition("::")
    if not colons:
        yield name.rpartition(":")[2]
        yield name.replace(":", ".")
        return
    yield layer
    for path in (file, _from(root, file)):
        shown = path.replace(os.sep, "/")
        yield shown
        yield f"{shown}::{layer}"
        yield f"{shown.removesuffix('.py').replace('/', '.')}.{layer}"


def _from(root: str, file: str) -> str:
    try:
        return os.path.relpath(file, root) if root else file
    except ValueError:  # another drive of Windows
        return file
