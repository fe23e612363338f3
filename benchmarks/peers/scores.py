"""Answers counted, and laid out: what was found of each class of bugs, which right layers were failed, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from benchmarks.numerics.peers import table
from benchmarks.peers.checkers import OURS
from benchmarks.peers.corpus import Asked
from benchmarks.peers.say import Said
from tests.faulty import KINDS

_SHOWN = 40  # names in a list of the text


@dataclass(frozen=True)
class Row:
    """A layer, and what each checker said of it at each seed."""

    layer: Asked
    said: Mapping[str, tuple[Said, ...]]

    def alarms(self, checker: str) -> int:
        """How many of its answers would make a user look into the layer.

        Ours is held to more: it has found a wrong layer only by a verdict of its own, and at the level of warnings only
        where it names the very rule. An exception of ours is a bug of ours.
        """
        if checker != OURS or self.layer.side != "wrong":
            return sum(said.alarm for said in self.said[checker])
        if self.layer.level == "warning":
            return self.named(checker)
        return sum(said.word == "fail" for said in self.said[checker])

    def named(self, checker: str) -> int:
        """How many of its answers name the rule that the layer breaks."""
        return sum(self.layer.rule in said.errors + said.warnings for said in self.said[checker])


def found_table(rows: Sequence[Row], checkers: Sequence[str]) -> str:
    """Lay out what was found, class by class, and which right layers were failed."""
    errors = [row for row in rows if row.layer.level == "error"]
    warned = [row for row in rows if row.layer.level == "warning"]
    groups = [
        *((f"{kind} {KINDS.get(kind, '')}", _of_kind(errors, kind)) for kind in _kinds(errors)),
        ("**wrong layers found, errors**", errors),
        *((f"warning {rule}", [row for row in warned if row.layer.rule == rule]) for rule in _rules(warned)),
        ("**wrong layers found, warnings**", warned),
        ("right twins failed", [row for row in rows if row.layer.side == "twin"]),
        ("right layers that look odd, failed", [row for row in rows if row.layer.side == "odd"]),
        ("**right layers failed**", [row for row in rows if row.layer.side != "wrong"]),
    ]
    body = [[label, *(_share(group, checker) for checker in checkers)] for label, group in groups if group]
    return table(["", *checkers], body)


def cost_table(rows: Sequence[Row], checkers: Sequence[str]) -> str:
    """Lay out how the answers were come by: exceptions, silence and time."""
    wrong, right = ([row for row in rows if (row.layer.side == "wrong") == side] for side in (True, False))
    lines: list[tuple[str, Callable[[str], str]]] = [
        ("wrong layers, raised instead of failed", lambda name: _words(wrong, name, "raised")),
        ("right layers, raised", lambda name: _words(right, name, "raised")),
        ("timed out or crashed", lambda name: _words(rows, name, "timed out", "crashed")),
        ("wrong layers, not asked", lambda name: _words(wrong, name, "not asked")),
        ("right layers, not asked", lambda name: _words(right, name, "not asked")),
        ("CPU seconds, right layers", lambda name: f"{sum(_seconds(right, name)):.1f}"),
        ("CPU seconds, wrong layers", lambda name: f"{sum(_seconds(wrong, name)):.1f}"),
        ("CPU milliseconds for a right layer, median", lambda name: _median(_seconds(right, name))),
    ]
    return table(["", *checkers], [[label, *map(cell, checkers)] for label, cell in lines])


def remarks(rows: Sequence[Row], checkers: Sequence[str]) -> str:
    """Name what ours did not find, and the right layers that each checker failed."""
    wrong, right = ([row for row in rows if (row.layer.side == "wrong") == side] for side in (True, False))
    missed = [row for row in wrong if row.alarms(OURS) < len(row.said[OURS])]
    errors = [row for row in wrong if row.layer.level == "error"]
    named, asked = sum(row.named(OURS) for row in errors), sum(len(row.said[OURS]) for row in errors)
    surplus = [row for row in right if any(set(s.warnings) - set(row.layer.allowed) for s in row.said[OURS])]
    lines = [
        f"Of the errors, ours named the very rule in {named} of {asked} answers.",
        f"Not found by ours: {_names(missed, with_rule=True)}.",
    ]
    for name in checkers:
        if name != OURS:
            extra = [row for row in missed if row.alarms(name) == len(row.said[name])]
            lines.append(f"Found by {name}, not by ours: {_names(extra)}.")
    lines += [f"Right, failed by {name}: {_names(r for r in right if r.alarms(name))}." for name in checkers]
    lines += [f"Right, {note}." for name in checkers for note in _raised(right, name)]
    lines.append(f"Right, and ours has a warning that its entry does not allow: {_names(surplus)}.")
    return "\n".join(f"- {line}" for line in lines)


def _kinds(rows: Iterable[Row]) -> list[str]:
    return sorted({row.layer.kind for row in rows})


def _rules(rows: Iterable[Row]) -> list[str]:
    return sorted({row.layer.rule for row in rows})


def _of_kind(rows: Iterable[Row], kind: str) -> list[Row]:
    return [row for row in rows if row.layer.kind == kind]


def _share(rows: Sequence[Row], checker: str) -> str:
    return f"{sum(row.alarms(checker) for row in rows)} of {sum(len(row.said[checker]) for row in rows)}"


def _words(rows: Sequence[Row], checker: str, *words: str) -> str:
    return str(sum(said.word in words for row in rows for said in row.said[checker]))


def _raised(rows: Iterable[Row], checker: str) -> list[str]:
    """Say what a checker raised in place of a verdict, and of which layers."""
    by_note: dict[str, list[Row]] = {}
    for row in rows:
        for note in {said.note for said in row.said[checker] if said.alarm and said.note}:
            by_note.setdefault(note, []).append(row)
    return [f"{checker} raised {note!r}: {_names(of)}" for note, of in by_note.items()]


def _seconds(rows: Sequence[Row], checker: str) -> list[float]:
    return [said.seconds for row in rows for said in row.said[checker] if said.seconds]


def _median(seconds: Sequence[float]) -> str:
    return f"{1e3 * median(seconds):.1f}" if seconds else "-"


def _names(rows: Iterable[Row], *, with_rule: bool = False) -> str:
    names = [f"`{row.layer.name}`" + f" ({row.layer.rule})" * with_rule for row in rows]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return (", ".join(names[:_SHOWN]) or "none") + more
