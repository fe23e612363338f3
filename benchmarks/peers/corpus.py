"""What is asked: every wrong layer of the corpus, every right twin once, and every right layer that looks odd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from tests.corpus import ODD, WRONG
from tests.corpus.entry import name_of

Side = Literal["wrong", "twin", "odd"]


@dataclass(frozen=True)
class Asked:
    """A layer that every checker is asked about.

    ``rule``, ``kind`` and ``level`` are those of a wrong layer; ``allowed`` are the warnings that a right one may have.
    """

    name: str
    layer: Any
    options: Mapping[str, Any]
    side: Side
    kind: str = ""
    rule: str = ""
    level: str = ""
    allowed: tuple[str, ...] = ()

    def among(self, only: str) -> bool:
        """Whether its name, kind or rule has these letters in it."""
        return only.lower() in f"{self.name} {self.kind} {self.rule}".lower()


def asked() -> Iterator[Asked]:
    """Yield all that is asked, in an order that is the same in every process."""
    for wrong in WRONG:
        yield Asked(_named(wrong.layer), wrong.layer, wrong.options, "wrong", wrong.kind, wrong.rule, level=wrong.level)
    # One twin serves many wrong layers. A layer that is listed as odd too is counted there, with its warnings.
    odd = {_identity(entry.layer, entry.options) for entry in ODD}
    seen = set(odd)
    for wrong in WRONG:
        if wrong.right is None or (key := _identity(wrong.right, wrong.options)) in seen:
            continue
        seen.add(key)
        yield Asked(_named(wrong.right), wrong.right, wrong.options, "twin")
    for entry in ODD:
        if (key := _identity(entry.layer, entry.options)) in odd:
            odd.remove(key)
            yield Asked(_named(entry.layer), entry.layer, entry.options, "odd", allowed=entry.warnings)


def _identity(layer: Any, options: Mapping[str, Any]) -> tuple[Any, str]:
    parts = tuple(map(id, layer)) if isinstance(layer, tuple) else id(layer)
    return parts, repr(sorted(options.items()))


def _named(layer: Any) -> str:
    """Name a layer with its module, for other modules may have a layer of the same name."""
    part = layer[1] if isinstance(layer, tuple) else layer
    module = str(getattr(part, "__module__", "")).rpartition(".")[2]
    return f"{module}.{name_of(layer)}"
