"""The report as a person reads it: lines of styled spans, which text, HTML and JUnit then put into their own form.

Every finding answers in the same order: what · where · how much · what is known of the cause · how to repeat it.
Words of the user (names, messages, source lines) are carried as plain data and are never read as markup.
"""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from typing import Literal

from gradcheck.records import Finding, Report, SubjectReport, Verdict
from gradcheck.rounding import digits_apart

Style = Literal["", "good", "bad", "warning", "quiet", "strong"]
Span = tuple[str, Style]
Line = tuple[Span, ...]
Repeat = Callable[[SubjectReport, str], str]

# A finding's location stands at the right of its message as long as the line fits into this, and else below it.
WIDTH = 110

_LABELS: dict[Verdict, Span] = {
    "pass": ("pass", "good"),
    "fail": ("FAIL", "bad"),
    "inconclusive": ("inconclusive", "warning"),
    "unchecked": ("unchecked", "warning"),
}


def repeat_command(subject: SubjectReport, case: str, *, options: Sequence[str] = ()) -> str:
    """Return what to type to check one case of one layer again.

    Parameters
    ----------
    subject : SubjectReport
    case : str
        The printed case.
    options : sequence of str
        Further words of the command line that this one was given, and that the case needs.

    Examples
    --------
    >>> affine = SubjectReport(name="Affine", target="my layers.py::Affine", verdict="fail")
    >>> print(repeat_command(affine, "n=2 i=2 o=1 seed=0"))
    gradcheck 'my layers.py::Affine' --case "n=2 i=2 o=1 seed=0"
    >>> affine = SubjectReport(name="Affine", target="Affine", verdict="fail")
    >>> print(repeat_command(affine, "n=2 i=2 o=1 seed=0"))
    gradcheck.check(Affine, case="n=2 i=2 o=1 seed=0"), with the other arguments as they were
    """
    if ":" in subject.target:
        return f'{shlex.join(["gradcheck", subject.target, *options])} --case "{case}"'
    return f'gradcheck.check({subject.target}, case="{case}"), with the other arguments as they were'


def headline(report: Report) -> str:
    """Return the one line that says most: the first error, or why there is no pass.

    Examples
    --------
    >>> wrong = Finding(rule="GC101", level="error", message="dW is wrong")
    >>> headline(Report(seed=0, subjects=(SubjectReport("Affine", "a.py::Affine", "fail", findings=(wrong,)),)))
    'Affine: GC101 dW is wrong'
    """
    for subject in report.subjects:
        for finding in subject.findings:
            if finding.level == "error":
                return f"{subject.name}: {finding.rule} {_one_line(finding.message)}"
    return tally(report)


def layout(report: Report, *, repeat: Repeat = repeat_command) -> Iterator[Line]:
    """Lay out a whole report: each layer with its findings, then how many passed and failed."""
    origins = {_origin(subject) for subject in report.subjects}
    labels = {_LABELS[subject.verdict][0] for subject in report.subjects}
    names = {_clean(subject.name) for subject in report.subjects}
    widths = max(map(len, names), default=0), max(map(len, labels), default=0)

    here = None
    for subject in report.subjects:
        if len(origins) > 1 and _origin(subject) != here:
            here = _origin(subject)
            yield ((_clean(here), "strong"),)
        yield from _subject_lines(subject, *widths, repeat=repeat)
    yield from (((f"note: {_one_line(note)}", "quiet"),) for note in report.notes)
    yield ((tally(report), "good" if report else "bad"),)
    if report.verdict in ("inconclusive", "unchecked"):
        yield (("nothing was checked, so this is not a pass", "bad"),)


def finding_lines(finding: Finding) -> Iterator[Line]:
    """Lay out one finding, but for the command that repeats it."""
    first, *others = _clean(finding.message).splitlines() or [""]
    kind: Span = (finding.rule, "bad") if finding.level == "error" else (f"{finding.rule} {finding.level}:", "warning")
    what: Line = (kind, (f" {first}", ""))
    place = _place(finding)
    # Locations begin in one column as far as messages allow, so that the eye finds them.
    gap = max(3, WIDTH // 2 - _length(what))
    if place and not others and _length(what) + gap + len(place) <= WIDTH:
        yield (*what, (" " * gap + place, "quiet"))
    else:
        yield what
        yield from ((("  " + line, ""),) for line in others)
        if place:
            yield (("  at ", ""), (place, "quiet"))

    if sizes := [word for word in finding.case.split() if not word.startswith("seed=")]:
        label = "case" if sizes[0].startswith("given=") else "smallest case"
        yield ((f"  {label}: ", ""), (" ".join(sizes), "strong"))
    if finding.analytic is not None or finding.numeric is not None:
        yield (("  " + _worst(finding), ""),)
    for text in finding.diagnosis:
        yield from ((("  " + line, ""),) for line in _clean(text).splitlines())
    if finding.formula:
        left = f"{_gradient(finding.argument)} = " if finding.argument else ""
        yield (("  matches the numeric gradient: ", ""), (left + _one_line(finding.formula), "strong"))


def repeat_lines(subject: SubjectReport, case: str, repeat: Repeat) -> Iterator[Line]:
    """Lay out the command that repeats a case: one line, or none where there is no case."""
    if case:
        yield (("  repeat: ", ""), (_clean(repeat(subject, case)), "quiet"))


def tally(report: Report) -> str:
    """Count the verdicts in one line.

    Examples
    --------
    >>> tally(Report(seed=0, subjects=(SubjectReport("Mul", "m.py::Mul", "pass"),)))
    '1 pass, 0 fail, 0 unchecked'
    """
    counts: list[Verdict] = ["pass", "fail", "unchecked"]
    counts += ["inconclusive"] if report.count("inconclusive") else []
    seed = f" · seed {report.seed}" if report.seed else ""
    return ", ".join(f"{report.count(verdict)} {verdict}" for verdict in counts) + seed


def _subject_lines(subject: SubjectReport, name_width: int, label_width: int, *, repeat: Repeat) -> Iterator[Line]:
    label, style = _LABELS[subject.verdict]
    shown = [finding for finding in subject.findings if finding.level != "off"]
    name: Span = (_clean(subject.name).ljust(name_width) + "   ", "strong")
    yield (name, (label, style), (" " * (label_width - len(label) + 3), ""), (_about(subject, shown), "quiet"))
    if subject.fix and subject.verdict in ("inconclusive", "unchecked"):
        yield (("    to fix it: " + _one_line(subject.fix), ""),)
    # Findings of one case follow each other: the command that shows them all is given once, after the last.
    for case, findings in groupby(shown, key=lambda finding: finding.case):
        for finding in findings:
            yield from _indented(finding_lines(finding))
        yield from _indented(repeat_lines(subject, case, repeat))


_PLAIN = frozenset({"", "layer object", "function pair", "closure"})  # what goes without saying


def _about(subject: SubjectReport, shown: Sequence[Finding]) -> str:
    """Say in one line what the verdict rests on."""
    if subject.verdict in ("inconclusive", "unchecked"):
        return _one_line(subject.reason or "no reason is known")
    if subject.verdict == "fail":
        errors = sum(finding.level == "error" for finding in shown)
        warnings = len(shown) - errors
        parts = [_count(errors, "error")] + ([_count(warnings, "warning")] if warnings else [])
        parts += [f"shapes {_clean(subject.signature)}"] if subject.signature else []
        parts += _reading(subject)
        accused = {finding.argument for finding in shown}
        right = [_clean(name) for name in subject.resolution if name not in accused]
        parts += [f"right where it could be compared: {', '.join(right)}"] if right else []
        return " · ".join(parts)
    parts = [_count(len(subject.rules), "rule"), _count(subject.cases, "case"), *_reading(subject)]
    caught = [value for value in subject.resolution.values() if math.isfinite(value)]
    blind = [_clean(name) for name, value in subject.resolution.items() if not math.isfinite(value)]
    parts += [f"would have caught a relative error of {_short(max(caught))}{_in_one(subject)}"] if caught else []
    parts += [f"{_count(subject.set_aside, 'output')} on a kink set aside"] if subject.set_aside else []
    parts += [f"nothing learned about {', '.join(blind)}"] if blind else []
    parts += [_one_line(subject.reason)] if subject.reason else []
    return " · ".join(parts)


def _reading(subject: SubjectReport) -> list[str]:
    """Say how a layer was read, where more than one reading is thinkable."""
    return [] if subject.convention in _PLAIN else [f"read as {_clean(subject.convention)}"]


def _in_one(subject: SubjectReport) -> str:
    """Say how small an error in a single element would have been caught, and whether all were looked at."""
    caught = [value for value in subject.element_resolution.values() if math.isfinite(value)]
    if not caught:
        return ""
    directions = [_clean(name) for name in subject.resolution if name not in subject.complete]
    how = f"; along directions only: {', '.join(directions)}" if directions else ""
    return f" ({_short(max(caught))} in one element{how})"


def _worst(finding: Finding) -> str:
    """Show the worst element: ``worst at dW[0, 0]: analytic -1.25   numeric 0.5 ± 3e-15``."""
    index = f"[{', '.join(map(str, finding.index))}]" if finding.index else ""
    analytic, numeric = _apart(finding.analytic, finding.numeric)
    bar = "" if finding.error_bar is None else f" ± {_short(finding.error_bar)}"
    values = [f"analytic {analytic}"] if analytic else []
    values += [f"numeric {numeric}{bar}"] if numeric else []
    return f"worst at {_gradient(finding.argument)}{index}: {'   '.join(values)}"


def _apart(a: float | None, b: float | None) -> tuple[str, str]:
    """Print two numbers with as few digits as still show their difference to a tenth of itself."""
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return ("" if a is None else f"{a:.6g}"), ("" if b is None else f"{b:.6g}")
    digits = digits_apart(a, b)
    return f"{a:.{digits}g}", f"{b:.{digits}g}"


def _short(x: float) -> str:
    return f"{x:.2g}"


def _count(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _gradient(argument: str | None) -> str:
    """Name the gradient of an argument as layers do: ``dW``; what is no name is described."""
    if argument is None:
        return "the gradient"
    return f"d{argument}" if argument.isidentifier() else f"the gradient of {_clean(argument)}"


def _place(finding: Finding) -> str:
    location = finding.location
    if location is None:
        return ""
    text = _one_line(location.text)
    return _clean(f"{location}: {text}" if text else str(location))


def _origin(subject: SubjectReport) -> str:
    """Return the file, notebook or module that a target's layer is in; empty for an object."""
    for mark in ("::", ":"):
        origin, found, _ = subject.target.rpartition(mark)
        if found:
            return origin
    return ""


def _indented(lines: Iterable[Line]) -> Iterator[Line]:
    return ((("  ", ""), *line) for line in lines)


def _length(line: Line) -> int:
    return sum(len(text) for text, _ in line)


def _one_line(text: str) -> str:
    return " ".join(_clean(text).split())


def _clean(text: str) -> str:
    """Spell out control characters: an error message must not be able to recolour or rewrite the terminal."""
    return "".join(c if c.isprintable() or c in "\n " else "    " if c == "\t" else ascii(c)[1:-1] for c in text)
