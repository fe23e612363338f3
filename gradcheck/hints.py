"""What a user says about a layer where finding out is not enough: one record, and the forms in which it is written.

The same words stand in ``gradcheck.check(...)``, in ``[tool.gradcheck.layers."pkg.mod.Name"]`` and in what
``gradcheck infer`` prints. Neither NumPy nor a layer is needed to read them.
"""

from __future__ import annotations

import difflib
import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from gradcheck.errors import UsageError

DOMAINS = ("real", "positive", "probability", "onehot", "index")
_BELOW = re.compile(r"below\s+(\S+)")
_WIDTH = 100  # a call that is longer is written over several lines

Settings = Mapping[Any, Any] | Sequence[Any] | None


@dataclass(frozen=True, slots=True)
class Hints:
    """What is said about one layer; all of it is optional.

    Parameters
    ----------
    convention : str or None
        How it is spelled, by a name that ``gradcheck conventions`` lists.
    signature : str or None
        Shapes in gufunc notation: those of forward's arrays, then those of the constructor's.
    settings : mapping, sequence or None
        Arguments of the constructor. Text that names a dimension (of the signature, or a small letter) is its size,
        ``"1|2"`` is one of these numbers in each case, ``"(i,o)"`` an array of that shape, ``["c", "h"]`` a tuple of
        sizes; all else is handed over as it is.
    domains : mapping of str to object
        Per input of forward a word (`DOMAINS`, or ``"below v"`` for whole numbers from 0), or the value itself.
    constants : tuple of str or None
        The inputs that have no gradient, such as a loss's targets.
    smallest : mapping of str to int
        The smallest size of a dimension, where it is not 1.
    skip : str or None
        Why the layer is not to be checked.
    """

    convention: str | None = None
    signature: str | None = None
    settings: Settings = None
    domains: Mapping[str, Any] = field(default_factory=dict)
    constants: tuple[str, ...] | None = None
    smallest: Mapping[str, int] = field(default_factory=dict)
    skip: str | None = None

    def over(self, under: Hints) -> Hints:
        """Return these laid over others: what is said here holds, name by name in what has names.

        Examples
        --------
        >>> Hints(settings={"a": 1}).over(Hints(signature="(n)", settings={"a": 2, "b": 3})).given()
        {'signature': '(n)', 'settings': {'a': 1, 'b': 3}}
        """
        mine, theirs = self.given(), under.given()
        both = {**theirs, **mine}
        for key in mine.keys() & theirs.keys():
            if isinstance(mine[key], Mapping) and isinstance(theirs[key], Mapping):
                both[key] = {**theirs[key], **mine[key]}
        return Hints(**both)

    def given(self) -> dict[str, Any]:
        """Return what is said, key by key, in the order in which it is written."""
        values = {f.name: getattr(self, f.name) for f in fields(self)}
        return {key: value for key, value in values.items() if value is not None and value != {}}


@dataclass(frozen=True, slots=True)
class Inferred:
    """What was found out about one layer.

    Parameters
    ----------
    name, target : str
        The layer, and where it was found.
    pattern, call : str
        How a section of pyproject.toml and a Python call name it.
    hints : Hints or None
        What was found; with a ``reason``, what may be meant; None where nothing is known.
    reason, fix : str or None
        Why it cannot be checked, and what to do about it.
    """

    name: str
    target: str
    pattern: str
    call: str
    hints: Hints | None = None
    reason: str | None = None
    fix: str | None = None


NO_HINTS = Hints()
KEYS = tuple(f.name for f in fields(Hints))


def limit_of(domain: str) -> str | None:
    """Return the dimension that whole numbers are below, or None where the domain says no such thing.

    Examples
    --------
    >>> limit_of("below v"), limit_of("positive")
    ('v', None)
    """
    found = _BELOW.fullmatch(domain.strip())
    return found[1] if found else None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that is most like this one, or None where none is.

    Examples
    --------
    >>> nearest("GC2O5", ["GC101", "GC205"]), nearest("setings", KEYS), nearest("nonsense", KEYS)
    ('GC205', 'settings', None)
    """
    exact = {name.casefold(): name for name in known}
    found = difflib.get_close_matches(word.casefold(), exact, n=1)
    return exact[found[0]] if found else None


def did_you_mean(word: str, known: Iterable[str], listed: str) -> str:
    """Return what to do about an unknown word: the nearest one, and the list of all.

    Examples
    --------
    >>> did_you_mean("setings", KEYS, "the keys")
    'did you mean settings? (the keys are convention, signature, settings, domains, constants, smallest, skip)'
    """
    known = list(known)
    meant, lists = nearest(word, known), f"{listed} are {', '.join(known)}"
    return f"did you mean {meant}? ({lists})" if meant else lists


def read_hints(values: Mapping[str, Any], where: Callable[[str], str]) -> Hints:
    """Return the hints that were written, if each has a form that can be read; ``where`` says the place of a key.

    Raises
    ------
    UsageError
        If a value is of the wrong type, or a domain is none.

    Examples
    --------
    >>> read_hints({"domains": {"p": "probabilty"}}, str)
    Traceback (most recent call last):
    ...
    gradcheck.UsageError: domains says that p is 'probabilty', which is no domain; to fix it: did you mean ...
    """
    given = {key: value for key, value in values.items() if value is not None}
    for key, value in given.items():
        fits, expected, example = _FORMS[key]
        if not fits(value):
            raise UsageError(f"{where(key)} is {_short(value)}, expected {expected}", fix=f"write {key} = {example}")
    for name, domain in given.get("domains", {}).items():
        if isinstance(domain, str) and domain not in DOMAINS and limit_of(domain) is None:
            raise UsageError(
                f"{where('domains')} says that {name} is {domain!r}, which is no domain",
                fix=did_you_mean(domain, (*DOMAINS, "below v"), "the domains"),
            )
    return Hints(**({**given, "constants": tuple(given["constants"])} if "constants" in given else given))


def as_python(layer: str, hints: Hints, *, wrap: bool = True) -> str:
    """Return the call of `gradcheck.check` that says the same, over several lines where it is long.

    Examples
    --------
    >>> print(as_python("Conv", Hints(signature="(n,c,h,w)", settings={"in_channels": "c", "stride": "1|2"})))
    gradcheck.check(Conv, signature="(n,c,h,w)", settings=dict(in_channels="c", stride="1|2"))
    """
    words = [layer, *(f"{key}={_python(value)}" for key, value in hints.given().items())]
    line = f"gradcheck.check({', '.join(words)})"
    if len(line) <= _WIDTH or not wrap:
        return line
    return "".join(["gradcheck.check(\n", *(f"    {word},\n" for word in words), ")"])


def as_toml(pattern: str, hints: Hints) -> str:
    """Return the table of pyproject.toml that says the same; what TOML cannot hold (None) is left out.

    Examples
    --------
    >>> print(as_toml("layers.conv.Conv", Hints(settings={"in_channels": "c", "kernel": (3, 2)}, smallest={"h": 3})))
    [tool.gradcheck.layers."layers.conv.Conv"]
    settings = { in_channels = "c", kernel = [3, 2] }
    smallest = { h = 3 }
    """
    lines = [f"{key} = {_toml(value)}" for key, value in hints.given().items()]
    return "\n".join([f"[tool.gradcheck.layers.{_text(pattern)}]", *lines])


def is_plain(value: object) -> bool:
    """Whether a value can be written in both forms: numbers, text, and what is made of them."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and is_plain(item) for key, item in value.items())
    if isinstance(value, tuple | list):
        return all(map(is_plain, value))
    return type(value) in (bool, int, str) or (type(value) is float and math.isfinite(value))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_table(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(key, str) for key in value)


def _are_names(value: object) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, str) and all(isinstance(item, str) for item in value)


def _are_sizes(value: object) -> bool:
    return isinstance(value, Mapping) and all(type(size) is int and size >= 0 for size in value.values())


# What each key holds: a test, what is expected in words, and an example.
_FORMS: Mapping[str, tuple[Callable[[object], bool], str, str]] = {
    "convention": (_is_text, "the name of a convention", '"layer object"'),
    "signature": (_is_text, "text in gufunc notation", '"(n,i),(i,o)->(n,o)"'),
    "settings": (
        lambda value: _is_table(value) or isinstance(value, tuple | list),
        "arguments of the constructor by name",
        '{ in_features = "i", bias = true }',
    ),
    "domains": (_is_table, "a domain for each input that needs one", '{ ids = "below v" }'),
    "constants": (_are_names, "a list of inputs that have no gradient", '["target"]'),
    "smallest": (_are_sizes, "the smallest size of each dimension, a whole number", "{ h = 3 }"),
    "skip": (_is_text, "the reason in words", '"its forward needs a camera"'),
}


def _python(value: object) -> str:
    if isinstance(value, Mapping):
        if all(isinstance(key, str) and key.isidentifier() for key in value):
            return f"dict({', '.join(f'{key}={_python(item)}' for key, item in value.items())})"
        return f"{{{', '.join(f'{_python(key)}: {_python(item)}' for key, item in value.items())}}}"
    if isinstance(value, tuple):
        return f"({', '.join(map(_python, value))}{',' * (len(value) == 1)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_python, value))}]"
    return _text(value) if isinstance(value, str) else repr(value)


def _toml(value: object) -> str:
    if isinstance(value, Mapping):
        items = [f"{_toml_key(str(key))} = {_toml(item)}" for key, item in value.items() if item is not None]
        return f"{{ {', '.join(items)} }}" if items else "{}"
    if isinstance(value, tuple | list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, bool):
        return str(value).lower()
    return _text(value) if isinstance(value, str) else repr(value)


def _toml_key(key: str) -> str:
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _text(key)


def _text(value: str) -> str:
    """Return text between double quotes, as Python, JSON and TOML all read it."""
    return json.dumps(value, ensure_ascii=False)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."
