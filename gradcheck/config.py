"""Where rules and hints are written: ``[tool.gradcheck]`` in pyproject.toml, a command line, or keyword arguments.

Whatever is given wrongly is refused with its place, the nearest thing that exists, and the line that would be right.
The codes that exist come in as an argument: reading a configuration needs neither the rules nor NumPy.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path
from typing import Any

from gradcheck import hints
from gradcheck.cases.signature import Signature
from gradcheck.errors import UsageError
from gradcheck.hints import Hints, nearest
from gradcheck.rules.levels import ALL, Selection, covers, is_called

KEYS = ("select", "extend-select", "ignore", "error", "warning")
FILE = "pyproject.toml"
TABLE = "[tool.gradcheck]"
_LONG = 40  # characters of a wrong value that are shown

Where = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class LayerHints:
    """The hints of a file: per name, target or glob of either; ``root`` is the folder from which paths count."""

    layers: tuple[tuple[str, Hints], ...] = ()
    root: str = ""

    def of(self, *layer: str) -> Hints:
        """Return what is said of a layer that is called so; where several sections speak of it, the last one holds.

        Examples
        --------
        >>> file = LayerHints((("*", Hints(signature="(n)")), ("Relu", Hints(skip="slow"))))
        >>> file.of("pkg.mod:Relu").given(), file.of("Affine").given()
        ({'signature': '(n)', 'skip': 'slow'}, {'signature': '(n)'})
        """
        said = [hint for pattern, hint in self.layers if is_called(pattern, layer, self.root)]
        return reduce(lambda under, over: over.over(under), said, Hints())


def find(start: Path) -> Path | None:
    """Return the pyproject.toml that holds in a folder: the first one upwards that has a ``[tool.gradcheck]`` table.

    Raises
    ------
    UsageError
        If one on the way is no TOML.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name).resolve()
    ...     _ = (folder / "pyproject.toml").write_text("[tool.gradcheck]")
    ...     (folder / "layers").mkdir()
    ...     find(folder / "layers") == folder / "pyproject.toml"
    True
    """
    start = start.absolute()
    return next((folder / FILE for folder in (start, *start.parents) if has_table(folder / FILE)), None)


def has_table(path: Path) -> bool:
    """Whether there is such a file, and a ``[tool.gradcheck]`` table in it."""
    return path.is_file() and _table(path) is not None


def read(path: Path, codes: Collection[str]) -> Selection:
    r"""Read the ``[tool.gradcheck]`` table of a file.

    Parameters
    ----------
    path : Path
    codes : collection of str
        All codes that exist.

    Raises
    ------
    UsageError
        If there is no such file or table, or something in it is unknown or of the wrong type.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     file = Path(name, "pyproject.toml")
    ...     _ = file.write_text('[tool.gradcheck]\nignore = ["GC205"]\n[tool.gradcheck.layers.Relu]\nerror = ["GC2"]')
    ...     found = read(file, ["GC201", "GC205"])
    >>> found.ignore, found.layers
    (('GC205',), (('Relu', Selection(select=(), extend_select=(), ignore=(), error=('GC2',), ...)),))
    """
    table = _table(path)
    if table is None:
        raise UsageError(
            f"there is no {TABLE} table in {shown(path)}",
            fix=f'add one, such as: {TABLE} and below it ignore = ["GC205"]',
        )
    place = f"{TABLE} of {shown(path)}"
    per_layer = []
    for pattern, section, there in _layer_sections(table, path):
        rules = {key: value for key, value in section.items() if key not in hints.KEYS}
        per_layer.append((pattern, _section(rules, there, codes, keys=(*KEYS, *hints.KEYS))))
    whole = {key: value for key, value in table.items() if key != "layers"}
    root = str(path.absolute().parent)
    return replace(_section(whole, place, codes, keys=(*KEYS, "layers")), layers=tuple(per_layer), root=root)


def read_hints(path: Path) -> LayerHints:
    r"""Read what the sections of single layers say beyond rules: how to build and call them.

    Raises
    ------
    UsageError
        If a value cannot be what its key asks for. Unknown keys are refused by `read`.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     file = Path(name, "pyproject.toml")
    ...     _ = file.write_text('[tool.gradcheck.layers.Conv]\nsettings = { channels = "c", kernel = [3, 2] }')
    ...     read_hints(file).of("conv.py::Conv").settings
    {'channels': 'c', 'kernel': (3, 2)}
    """
    found = []
    for pattern, section, there in _layer_sections(_table(path) or {}, path):
        values = {key: _tuples(value) for key, value in section.items() if key in hints.KEYS}
        hint = hints.read_hints(values, f"{{}} in {there}".format)
        try:
            if hint.signature is not None:
                Signature.parse(hint.signature)
        except UsageError as error:
            raise UsageError(f"signature in {there}: {error.message}", fix=error.fix) from None
        found.append((pattern, hint))
    return LayerHints(tuple(found), str(path.absolute().parent))


def chosen(
    given: Mapping[str, object], codes: Collection[str], *, where: Where | None = None, under: Selection | None = None
) -> Selection:
    """Return what was selected by options or keyword arguments, laid over what a file says.

    Parameters
    ----------
    given : mapping of str to codes
        Under the names of `KEYS`: None, codes in one string with commas between them, or several such strings.
    codes : collection of str
        All codes that exist.
    where : callable, optional
        How the user calls a key; without it, as Python does.
    under : Selection, optional
        What this is laid over.

    Raises
    ------
    UsageError
        If a code is unknown, or something is no code at all.

    Examples
    --------
    >>> chosen({"select": "gc2, GC101", "ignore": ["GC205"]}, ["GC101", "GC205"]).select
    ('GC2', 'GC101')
    >>> chosen({"select": "GC2O5"}, ["GC101", "GC205"])
    Traceback (most recent call last):
    ...
    gradcheck.UsageError: select names 'GC2O5', which is no rule; to fix it: did you mean GC205? (`gradcheck rules` ...)
    """
    where = where or (lambda key: key.replace("-", "_"))
    words: dict[str, list[str]] = {}
    for key, value in given.items():
        if value is None:
            continue
        items = [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)
        texts = [item for item in items if isinstance(item, str)]
        if len(texts) < len(items) or isinstance(value, Mapping):
            fix = f'write {where(key)}=["GC205"]'
            raise UsageError(f"{where(key)} is {_short(value)}, expected codes of rules", fix=fix)
        words[key] = [word.strip() for text in texts for word in text.split(",") if word.strip()]
    return _selection(words, codes, where, under)


def no_such_rule(message: str, word: str, codes: Collection[str]) -> UsageError:
    """Return the error that a code is unknown, with the one that may have been meant."""
    families = {code[: len("GC1")] for code in codes}
    meant = nearest(word, [*sorted(codes), *sorted(families), ALL])
    lists = "`gradcheck rules` lists the codes"
    return UsageError(message, fix=f"did you mean {meant}? ({lists})" if meant else lists)


def shown(path: Path) -> str:
    """Return a path as short as it can be said where the user is."""
    try:
        return str(path.absolute().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _table(path: Path) -> dict[str, object] | None:
    """Return the ``[tool.gradcheck]`` table of a file, or None where it has none."""
    try:
        with path.open("rb") as file:
            document = tomllib.load(file)
    except FileNotFoundError:
        raise UsageError(f"there is no file {shown(path)}", fix="check the path") from None
    except OSError as error:
        raise UsageError(f"cannot read {shown(path)}: {error.strerror}", fix="give a file that can be read") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(
            f"cannot read {shown(path)}: {error}", fix="mend that line, or leave the file out with --isolated"
        ) from None
    tool = document.get("tool")
    if not isinstance(tool, dict) or "gradcheck" not in tool:
        return None
    return dict(_as_table(tool["gradcheck"], f"gradcheck in [tool] of {shown(path)}", TABLE))


def _layer_sections(table: Mapping[str, object], path: Path) -> list[tuple[str, dict[str, object], str]]:
    """Return the pattern, the table and the place of each section that is about single layers."""
    layers = _as_table(table.get("layers", {}), f"layers in {TABLE} of {shown(path)}", '[tool.gradcheck.layers."Name"]')
    found = []
    for pattern, section in layers.items():
        header = f'[tool.gradcheck.layers."{pattern}"]'
        there = f"{header} of {shown(path)}"
        found.append((pattern, _as_table(section, there, header), there))
    return found


def _tuples(value: Any) -> Any:
    """Return a value of a file with tuples for lists, as layers take shapes and axes."""
    if isinstance(value, list):
        return tuple(map(_tuples, value))
    return {key: _tuples(item) for key, item in value.items()} if isinstance(value, dict) else value


def _as_table(value: object, place: str, header: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise UsageError(f"{place} is {_short(value)}, expected a table", fix=f"write the header {header} above it")
    return value


def _section(table: Mapping[str, object], place: str, codes: Collection[str], *, keys: Collection[str]) -> Selection:
    """Read one table of a file; its place is where the user finds it."""
    words: dict[str, list[str]] = {}
    for key, value in table.items():
        if key not in KEYS:
            meant, lists = nearest(key, keys), f"the keys are {', '.join(keys)}"
            fix = f"did you mean {meant}? ({lists})" if meant else lists
            raise UsageError(f"{place} has an unknown key: {key}", fix=fix)
        words[key] = [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
        if not isinstance(value, list) or len(words[key]) < len(value):
            example = value if isinstance(value, str) and value else "GC205"
            listed = ", ".join(f'"{word.strip()}"' for word in example.split(","))
            raise UsageError(
                f"{key} in {place} is {_short(value)}, expected a list of codes", fix=f"write {key} = [{listed}]"
            )
    return _selection(words, codes, lambda key: f"{key} in {place}", None)


def _selection(
    words: Mapping[str, Iterable[str]], codes: Collection[str], where: Where, under: Selection | None
) -> Selection:
    """Make a selection of words, if each of them stands for a rule."""
    found: dict[str, tuple[str, ...]] = dict.fromkeys(KEYS, ())
    for key, given in words.items():
        found[key] = tuple(word.upper() for word in given)
        for word in given:
            if not (word.upper().startswith(("GC", ALL)) and any(covers(word.upper(), code) for code in codes)):
                raise no_such_rule(f"{where(key)} names {word!r}, which is no rule", word, codes)
    if "select" in words and not found["select"]:
        raise UsageError(f"{where('select')} is empty, which leaves no rule", fix="name codes, or leave it out")
    select, extend_select, ignore, error, warning = (found[key] for key in KEYS)
    return Selection(select, extend_select, ignore, error, warning, under=under)


def _short(value: object) -> str:
    """Show a value as it was written, or the beginning of it."""
    text = repr(value)
    return text if len(text) <= _LONG else f"{text[:_LONG]}..."
