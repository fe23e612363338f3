"""The story of one layer: find its points, gather evidence at each, keep the smallest case of every finding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from gradcheck.cases.profile import profile_of
from gradcheck.cases.search import Points, Settings
from gradcheck.config import LayerHints
from gradcheck.diagnosis import diagnose
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.evidence.record import Evidence
from gradcheck.hints import NO_HINTS, Hints
from gradcheck.records import Case, Finding, Level, SubjectReport
from gradcheck.rules.catalogue import CATALOGUE
from gradcheck.rules.levels import Selection
from gradcheck.subject.absent import UnavailableError
from gradcheck.subject.discover import Found
from gradcheck.subject.load import imports_of
from gradcheck.subject.world import quiet_world
from gradcheck.tally import Tally, name_conventions


@dataclass(frozen=True)
class Request:
    """What the user asked for; see `gradcheck.check` for the fields."""

    inputs: Any = None
    settings: Settings = None
    cases: Iterable[tuple[Settings, Any]] | None = None
    signature: str | None = None
    seed: int = 0
    case: str | None = None
    profile: str = "default"
    selection: Selection = field(default_factory=Selection)
    hints: Hints = NO_HINTS
    file: LayerHints = field(default_factory=LayerHints)

    def level_of(self, found: Found, code: str, default: Level) -> Level:
        """Return the level of a rule for a layer."""
        return self.selection.level_of(code, default, *found.names)

    def hints_for(self, found: Found) -> Hints:
        """Return what is said about a layer: in arguments, and under them in a file."""
        return self.hints.over(self.file.of(*found.names))

    def points_of(self, found: Found) -> Points:
        """Find out where to check a layer, with what is said about it."""
        return Points.of(
            found.name, found.obj, inputs=self.inputs, settings=self.settings, cases=self.cases,
            signature=self.signature, hints=self.hints_for(found),
        )  # fmt: skip


def examine(found: Found, request: Request, *, strict: bool = False) -> SubjectReport:
    """Check one layer.

    Parameters
    ----------
    found : Found
    request : Request
    strict : bool
        Raise a `UsageError` where what was given does not fit the layer, rather than reporting it unchecked.
    """
    blank = SubjectReport(found.name, found.target, "unchecked")
    left_out = _left_out(found, request, blank)
    if left_out is not None:
        return left_out
    with quiet_world(), imports_of(found.obj):
        try:
            points = request.points_of(found)
            blank = replace(blank, convention=points.convention.NAME, signature=points.signature)
            tally = sweep(points, found, request)
            if not request.case:  # a case that is repeated is shown as it is
                tally.shrink()
        except (UsageError, UnavailableError) as error:
            if strict and not isinstance(error, UncheckedError | UnavailableError):
                raise
            return replace(blank, reason=error.message, fix=error.fix)
        except Exception as error:
            if strict:
                raise
            reason = f"gradcheck itself failed: {type(error).__name__}: {error}"
            return replace(blank, reason=reason, fix="report it as a bug of gradcheck, with the layer")
        findings = tuple(_explained(found.obj, points, *entry) for entry in tally.findings.values())
    for finding in findings:  # a difference that a stabilising constant explains limits what was resolved
        if finding.rule == "GC101" and finding.level == "warning" and finding.analytic and finding.numeric:
            tally.resolution[str(finding.argument)] = abs(finding.analytic / finding.numeric - 1.0)
    # Last, since a diagnosis may soften a finding, and what the user says of its level holds whatever was diagnosed.
    leveled = tuple(replace(f, level=request.level_of(found, f.rule, f.level)) for f in findings)
    return tally.summary(blank, leveled)


def _left_out(found: Found, request: Request, blank: SubjectReport) -> SubjectReport | None:
    """Return the report of a layer that is not looked at: none can be made of it, or the user wants it so."""
    if found.reason is not None:
        return replace(blank, reason=found.reason, fix=found.fix)
    if (skip := request.hints_for(found).skip) is not None:
        return replace(blank, reason=f"skipped: {skip}", skipped=True)
    if all(request.level_of(found, rule.code, rule.level) == "off" for rule in CATALOGUE.values()):
        return replace(blank, reason="every rule is off for it", fix="select some, or ignore fewer")
    return None


def sweep(points: Points, found: Found, request: Request) -> Tally:
    """Look at a sweep of cases, or at the one that was asked for."""
    profile = profile_of(request.profile)
    tally = Tally(points, profile, lambda code, default: request.level_of(found, code, default))
    if request.case:
        tally.look(Case.parse(request.case), tally.stencils_if_small)
        return tally
    for number, case in enumerate(points.sweep(request.seed, profile)):
        tally.look(case, profile.stencils if number < profile.complete else 0)
        if tally.hangs:
            break
    name_conventions(points, tally)
    return tally


def _explained(obj: Any, points: Points, finding: Finding, case: Case, evidence: Evidence) -> Finding:
    try:
        return diagnose(obj, points, finding, case, evidence)
    except Exception:  # noqa: BLE001 - a finding stands without its explanation; the layer is run again for that
        return replace(finding, case=str(case))
