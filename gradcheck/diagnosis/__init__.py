"""Why a layer fails: the guilty line, what the wrong gradient looks like, and the right formula."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradcheck.cases.search import Points
from gradcheck.diagnosis.formula import find_formula
from gradcheck.diagnosis.numeric import samples
from gradcheck.diagnosis.patterns import recognise
from gradcheck.diagnosis.stabiliser import stabiliser
from gradcheck.diagnosis.where import locate
from gradcheck.evidence.record import Evidence
from gradcheck.records import Case, Finding
from gradcheck.subject.blame import raising_expression

_SAMPLES = 5
_VALUES = frozenset({"GC101", "GC102", "GC103", "GC104", "GC402", "GC602"})  # what a right formula would mend


def diagnose(obj: Any, points: Points, finding: Finding, case: Case, evidence: Evidence) -> Finding:
    """Add to a finding its case, the line it comes from, and what is known of its cause.

    Nothing is said here that was not verified, except where it begins with "looks like".
    """
    lines = list(finding.diagnosis)
    location = locate(obj, finding, evidence)
    if finding.rule == "GC602" and evidence.raised is not None:
        lines += _missing_operator(evidence.raised, raising_expression(evidence.raised, obj))
    formula = None
    argument = finding.argument or _only(evidence)
    if finding.rule in _VALUES and argument is not None and finding.level == "error":
        fresh = list(samples(points, argument, _SAMPLES, case.seed + 1))
        constant = stabiliser(obj, fresh) if finding.rule == "GC101" else None
        if constant is not None:
            finding = replace(finding, level="warning")
            lines.append(f"no more off than the constant {constant:g} in forward explains, which backward leaves out")
        elif finding.rule == "GC101" and fresh:
            lines += recognise(fresh)
        formula = None if constant is not None else find_formula(fresh)
    return replace(finding, case=str(case), location=location, diagnosis=tuple(lines), formula=formula)


def _only(evidence: Evidence) -> str | None:
    """Return the one argument that owes a gradient, where there is one only."""
    return evidence.owed[0].name if len(evidence.owed) == 1 else None


def _missing_operator(error: Exception, expression: str) -> list[str]:
    """``self.out(1.0 - self.out)`` on an array: the likeliest slip is a missing ``*``."""
    callee, parenthesis, _ = expression.partition("(")
    if isinstance(error, TypeError) and "is not callable" in str(error) and parenthesis:
        return [f"looks like a missing `*` after `{callee.strip()}`"]
    return []
