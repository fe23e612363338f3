"""What a check leaves behind: plain, frozen records, and their way to and from JSON and text.

Everything here is built from Python builtins only (a NumPy scalar in a pytest-xdist message kills the worker), and
nothing here knows how a layer is spelled or how a derivative is taken.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal

from gradcheck.errors import UsageError
from gradcheck.rounding import cut, digits_apart, short

Verdict = Literal["pass", "fail", "inconclusive", "unchecked"]
Level = Literal["error", "warning", "off"]

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Location:
    """A place in the user's source: a line of a file, or of a notebook's cell (both counted from 1)."""

    file: str
    line: int
    cell: int | None = None
    text: str = ""

    def __str__(self) -> str:
        """Say the place as a person would: ``cell 5, line 18`` or ``layers.py:18``."""
        return f"{self.file}:{self.line}" if self.cell is None else f"cell {self.cell}, line {self.line}"

    def to_dict(self) -> dict[str, Any]:
        """Return the ``location`` object of the JSON report."""
        return {"file": self.file, "cell": self.cell, "line": self.line}


@dataclass(frozen=True, slots=True)
class Case:
    """One point to check at, as plain data: printable, parseable, replayable.

    Parameters
    ----------
    sizes : tuple of (str, int)
        The named dimensions of the signature, in the order in which they first appear in it.
    seed : int
        Seeds every draw that the case needs (values, cotangents, directions), in sub-streams of their own.
    given : int or None
        The position of the case among those that the user gave (``inputs=`` or ``cases=``), counted from 0.
    large : int
        Real inputs are spread between minus and plus this number; 0: they are of ordinary size.
    ties : bool
        Real inputs are small whole numbers, so that some are 0 and some are equal.

    Examples
    --------
    >>> case = Case(sizes=(("n", 2), ("i", 3)), seed=7)
    >>> str(case)
    'n=2 i=3 seed=7'
    >>> Case.parse("n=2 i=3 seed=7") == case
    True
    """

    sizes: tuple[tuple[str, int], ...] = ()
    seed: int = 0
    given: int | None = None
    large: int = 0
    ties: bool = False

    def __str__(self) -> str:
        """Return the one short string that ``--case`` replays."""
        words = [] if self.given is None else [f"given={self.given}"]
        words += [f"{name}={size}" for name, size in self.sizes]
        words += [f"large={self.large}"] * (self.large > 0) + ["ties=1"] * self.ties
        return " ".join([*words, f"seed={self.seed}"])

    @classmethod
    def parse(cls, text: str) -> Case:
        """Read a case back from its printed form.

        Raises
        ------
        UsageError
            If a word is not ``name=integer``, a name comes twice, or a size is negative.
        """
        if not isinstance(text, str):
            raise UsageError(f"the case is {text!r}, expected text", fix='write it as printed: case="n=2 i=3 seed=0"')
        values: dict[str, int] = {}
        for word in shlex.split(text.replace(",", " ")):
            name, equals, number = word.partition("=")
            if not (equals and name.isidentifier() and number.isdecimal()):
                raise UsageError(
                    f"cannot read the case {text!r}: {word!r} is not of the form name=integer",
                    fix='give it as it was printed, for example --case "n=2 i=3 seed=0"',
                )
            if name in values:
                raise UsageError(f"cannot read the case {text!r}: {name!r} is given twice", fix="give each name once")
            values[name] = int(number)
        seed = values.pop("seed", 0)
        given = values.pop("given", None)
        large, ties = values.pop("large", 0), bool(values.pop("ties", 0))
        return cls(sizes=tuple(values.items()), seed=seed, given=given, large=large, ties=ties)


@dataclass(frozen=True, slots=True)
class Finding:
    """A broken rule at a case, with the evidence. Field by field the ``findings`` entry of the JSON report.

    Parameters
    ----------
    rule : str
        The stable code, such as ``"GC101"``.
    level : {"error", "warning", "off"}
        An error fails the gate; a warning is shown.
    message : str
        One line: what is wrong.
    argument : str or None
        The argument whose gradient is concerned, under the layer's own name for it.
    location : Location or None
        The guilty line, where it is known.
    case : str
        The printed `Case` that shows it.
    analytic, numeric, error_bar : float or None
        The worst element: what backward returned, the numeric derivative, and the half-width of its error bar.
    index : tuple of int or None
        Where in the gradient the worst element is.
    diagnosis : tuple of str
        What is known beyond the message, a line each.
    formula : str or None
        The right gradient, only when it was verified on fresh cases.
    """

    rule: str
    level: Level
    message: str
    argument: str | None = None
    location: Location | None = None
    case: str = ""
    analytic: float | None = None
    numeric: float | None = None
    error_bar: float | None = None
    index: tuple[int, ...] | None = None
    diagnosis: tuple[str, ...] = ()
    formula: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the ``findings`` entry of the JSON report."""
        digits = digits_apart(self.analytic, self.numeric)
        return {
            "rule": self.rule,
            "level": self.level,
            "argument": self.argument,
            "message": self.message,
            "location": None if self.location is None else self.location.to_dict(),
            "case": self.case,
            "analytic": cut(self.analytic, digits),
            "numeric": cut(self.numeric, digits),
            "error_bar": short(self.error_bar),
            "index": None if self.index is None else list(self.index),
            "diagnosis": list(self.diagnosis),
            "formula": self.formula,
        }


@dataclass(frozen=True, slots=True)
class SubjectReport:
    """All that was learned about one layer.

    Parameters
    ----------
    name, target, convention, signature : str
        The layer, where it was found, how it is spelled, and its shapes in gufunc notation (empty where unknown).
    verdict : {"pass", "fail", "inconclusive", "unchecked"}
        Only ``"pass"`` is good news, and only where something was really compared.
    cases, forwards, backwards : int
        How many points were checked, and how many calls of the layer that took (those that found out its shapes and
        parameters left out).
    resolution : mapping of str to float
        Per argument, the smallest relative error of the whole gradient that the check would have caught.
    element_resolution : mapping of str to float
        Likewise of a single element: of the worst where all were compared one by one, else of one of typical size.
    complete : tuple of str
        The arguments whose elements were all compared one by one, in one case at least; the others were compared along
        directions only.
    set_aside : int
        How many outputs lay on a kink and were left out of the comparisons, over all cases.
    reason : str or None
        Why it is unchecked or inconclusive; with ``fix``, the line that would mend it.
    rules : tuple of str
        The codes of the rules that were really tried.
    skipped : bool
        Whether it is unchecked because the user wants it so.
    """

    name: str
    target: str
    verdict: Verdict
    convention: str = ""
    signature: str = ""
    cases: int = 0
    forwards: int = 0
    backwards: int = 0
    resolution: Mapping[str, float] = field(default_factory=dict)
    element_resolution: Mapping[str, float] = field(default_factory=dict)
    complete: tuple[str, ...] = ()
    set_aside: int = 0
    reason: str | None = None
    fix: str | None = None
    rules: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    skipped: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return the ``subjects`` entry of the JSON report."""
        return {
            "name": self.name,
            "target": self.target,
            "convention": self.convention,
            "verdict": self.verdict,
            "signature": self.signature,
            "cases": self.cases,
            "forwards": self.forwards,
            "backwards": self.backwards,
            "resolution": {name: short(value) for name, value in self.resolution.items()},
            "element_resolution": {name: short(value) for name, value in self.element_resolution.items()},
            "complete": list(self.complete),
            "set_aside": self.set_aside,
            "reason": self.reason,
            "fix": self.fix,
            "skipped": self.skipped,
            "rules": list(self.rules),
            "findings": [finding.to_dict() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of one run over any number of layers; true only if something was checked and nothing failed.

    ``notes`` say what of the files was left out.

    Examples
    --------
    >>> report = Report(seed=0, subjects=())
    >>> report.verdict, bool(report)
    ('unchecked', False)
    """

    seed: int
    subjects: tuple[SubjectReport, ...]
    version: str = ""
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """``fail`` if any layer failed, else ``pass`` if any passed, else ``inconclusive`` or ``unchecked``."""
        found = {subject.verdict for subject in self.subjects}
        for verdict in _WORST_FIRST:
            if verdict in found:
                return verdict
        return "unchecked"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings of all layers, in order."""
        return tuple(finding for subject in self.subjects for finding in subject.findings)

    def __bool__(self) -> bool:
        return self.verdict == "pass"

    def __iter__(self) -> Iterator[SubjectReport]:
        return iter(self.subjects)

    def _repr_html_(self) -> str:
        """Return the report as a notebook shows it (by name: reports know the records, not the other way round)."""
        return str(import_module("gradcheck.report.html").render(self))

    def count(self, verdict: Verdict) -> int:
        """Return how many layers have this verdict."""
        return sum(subject.verdict == verdict for subject in self.subjects)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON report (schema 1): builtins only, no NaN and no infinity."""
        return {
            "schema": SCHEMA,
            "tool": {"name": "gradcheck", "version": self.version},
            "seed": self.seed,
            "verdict": self.verdict,
            "notes": list(self.notes),
            "subjects": [subject.to_dict() for subject in self.subjects],
        }


# A run in which one layer passed and another could not be checked is a pass (``--strict`` says otherwise).
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "pass", "inconclusive", "unchecked")
