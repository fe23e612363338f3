"""Where a selection of rules is written: ``[tool.gradcheck]`` in pyproject.toml, a command line, or keyword arguments.

Whatever is given wrongly is refused with its place, the nearest thing that exists, and the line that would be right.
The codes that exist come in as an argument: reading a configuration needs neither the rules nor NumPy.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from gradcheck.errors import UsageError
from gradcheck.rules.levels import ALL, Selection, covers

KEYS = ("select", "extend-select", "ignore", "error", "warning")
FILE = "pyproject.toml"
TABLE = "[tool.gradcheck]"
_LONG = 40  # characters of a wrong value that are shown

Where = Callable[[str], str]


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
    layers = _as_table(table.pop("layers", {}), f"layers in {place}", '[tool.gradcheck.layers."Name"]')
    per_layer = []
    for pattern, section in layers.items():
        header = f'[tool.gradcheck.layers."{pattern}"]'
        there = f"{header} of {shown(path)}"
        per_layer.append((pattern, _section(_as_table(section, there, header), there, codes, keys=KEYS)))
    whole = _section(table, place, codes, keys=(*KEYS, "layers"))
    return replace(whole, layers=tuple(per_layer), root=str(path.absolute().parent))


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


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, or None where none is.

    Examples
    --------
    >>> nearest("GC2O5", ["GC101", "GC205"]), nearest("extend_select", KEYS), nearest("nonsense", KEYS)
    ('GC205', 'extend-select', None)
    """
    known = list(known)
    exact = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), exact, n=1)
    return exact[found[0]] if found else None


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
