"""The story of one layer: find its points, gather evidence at each, keep the smallest case of every finding."""

from __future__ import annotations

from collections.abc import Iterable, Set
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from gradcheck.cases.profile import Profile, profile_of
from gradcheck.cases.search import Points, Settings
from gradcheck.diagnosis import diagnose
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.records import Case, Finding, SubjectReport, Verdict
from gradcheck.rules.catalogue import findings_of, tried
from gradcheck.rules.evidence import Evidence, NotComparableError, gather
from gradcheck.subject.discover import Found
from gradcheck.subject.protocol import Subject
from gradcheck.subject.world import quiet_world

_SHRINKS = 32  # smaller cases tried for each finding
_SMALL = 16  # stencils for each argument of these, and of a case that is repeated
_NUMERIC = frozenset({"GC101", "GC301", "GC401"})  # rules that ask whether the gradient is lost in rounding


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
    if found.reason is not None:
        return replace(blank, reason=found.reason, fix=found.fix)
    profile = profile_of(request.profile)
    with quiet_world():
        try:
            points = Points.of(
                found.name, found.obj,
                inputs=request.inputs, settings=request.settings, cases=request.cases, signature=request.signature,
            )  # fmt: skip
            blank = replace(blank, convention=points.convention.NAME, signature=points.signature)
            tally = _Tally(points, profile)
            if request.case:
                tally.look(Case.parse(request.case), tally.stencils_if_small)
            else:
                for number, case in enumerate(points.sweep(request.seed, profile)):
                    tally.look(case, profile.stencils if number < profile.complete else 0)
                tally.shrink()
        except UsageError as error:
            if strict and not isinstance(error, UncheckedError):
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
    return tally.summary(blank, findings)


def _explained(obj: Any, points: Points, finding: Finding, case: Case, evidence: Evidence) -> Finding:
    try:
        return diagnose(obj, points, finding, case, evidence)
    except Exception:  # noqa: BLE001 - a finding stands without its explanation; the layer is run again for that
        return replace(finding, case=str(case))


@dataclass
class _Tally:
    """What the cases of one layer have shown so far."""

    points: Points
    profile: Profile
    cases: int = 0
    forwards: int = 0
    backwards: int = 0
    rules: set[str] = field(default_factory=set)
    resolution: dict[str, float] = field(default_factory=dict)
    element_resolution: dict[str, float] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    set_aside: int = 0
    undecided: dict[str, str] = field(default_factory=dict)
    findings: dict[tuple[str, str | None], tuple[Finding, Case, Evidence]] = field(default_factory=dict)
    skipped: str = ""

    @property
    def stencils_if_small(self) -> int:
        """What to spend on each argument of a small case: what is wrong with a single element must show there."""
        return max(self.profile.stencils, _SMALL)

    def look(self, case: Case, stencils: int) -> None:
        """Gather the evidence of a case and enter its findings, and what its passes resolved."""
        wrong = {str(argument) for rule, argument in self.findings if rule == "GC101"}
        evidence = self._gather(case, left_out=wrong, stencils=stencils)
        if evidence is None:
            return
        self.cases += 1
        self.rules |= tried(evidence)
        for finding in findings_of(evidence):
            self.findings.setdefault((finding.rule, finding.argument), (finding, case, evidence))
        for argument in evidence.owed:
            comparison = evidence.comparisons.get(argument.name)
            if comparison is None:
                continue
            self.set_aside += comparison.set_aside
            if comparison.verdict == "pass":
                name = argument.name
                self.resolution[name] = min(self.resolution.get(name, np.inf), comparison.resolution)
                self.element_resolution[name] = min(self.element_resolution.get(name, np.inf), comparison.element)
                self.complete |= {name} if comparison.complete else set()
            else:
                self.undecided.setdefault(argument.name, comparison.reason or comparison.verdict)

    def shrink(self) -> None:
        """Replace each finding by the same one at the smallest case that shows it."""
        for key, (_, case, first) in list(self.findings.items()):
            others = {a.name for a in first.subject.arguments} - ({key[1]} if key[0] in _NUMERIC else set())
            for smaller in self.points.smaller(case, _SHRINKS):
                evidence = self._gather(smaller, left_out=others, stencils=self.stencils_if_small)
                found = {(f.rule, f.argument): f for f in findings_of(evidence)} if evidence is not None else {}
                if evidence is not None and key in found:
                    self.findings[key] = found[key], smaller, evidence
                    break

    def summary(self, blank: SubjectReport, findings: tuple[Finding, ...]) -> SubjectReport:
        """Return the report of the layer: a pass only where every gradient that could be compared was."""
        verdict: Verdict = "pass"
        reason = fix = None
        undecided = {name: why for name, why in self.undecided.items() if name not in self.resolution}
        if any(finding.level == "error" for finding in findings):
            verdict = "fail"
        elif not self.cases:
            verdict = "unchecked"
            reason, fix = self.skipped or "no case could be run", "give inputs that forward takes: inputs=(...)"
        elif not self.resolution:
            verdict = "inconclusive"
            reason = "; ".join(f"{name}: {why}" for name, why in undecided.items()) or "no gradient could be compared"
        elif undecided:
            # What is zero, or lost in rounding, wherever it is looked at cannot be wrong by much; what is too singular
            # or too noisy everywhere may be.
            verdict = "inconclusive" if any("vacuous" not in why for why in undecided.values()) else "pass"
            reason = "; ".join(f"{name} was not compared: {why}" for name, why in undecided.items())
        return replace(
            blank,
            verdict=verdict,
            cases=self.cases,
            forwards=self.forwards,
            backwards=self.backwards,
            resolution=self.resolution,
            element_resolution=self.element_resolution,
            complete=tuple(name for name in self.resolution if name in self.complete),
            set_aside=self.set_aside,
            reason=reason,
            fix=fix,
            rules=tuple(sorted(self.rules)),
            findings=findings,
        )

    def _gather(self, case: Case, *, left_out: Set[str], stencils: int) -> Evidence | None:
        """Return the evidence of a case and count its calls; None where the case shows nothing."""
        try:
            evidence = gather(self._subject(case), case.seed, left_out=left_out, stencils=stencils)
        except NotComparableError as error:
            self.skipped = self.skipped or str(error)
            return None
        self.forwards += evidence.forwards
        self.backwards += evidence.backwards
        obstacle = _obstacle(evidence)
        if obstacle is not None and not self.cases:
            raise obstacle
        return evidence if obstacle is None else None

    def _subject(self, case: Case) -> Subject:
        """Return the layer at a case: building it runs the user's code, which may refuse the case."""
        try:
            return self.points.at(case)
        except UsageError:
            raise
        except Exception as error:
            raise NotComparableError(f"the layer raised {type(error).__name__}: {error}") from error


def _obstacle(evidence: Evidence) -> UncheckedError | None:
    """Return why nothing can be said at a case whatever backward does, or None."""
    if not evidence.deterministic:
        return UncheckedError(
            "forward is random: two runs at the same point with the same global seeds give different outputs",
            fix="let the layer take a seed or generator, so that it draws the same each time it is built",
        )
    if not evidence.owed:
        return UncheckedError(
            "no argument is real, so there is no gradient to check",
            fix="give floating-point inputs, for example x.astype(float)",
        )
    return None
