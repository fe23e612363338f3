"""What the cases of one layer have shown so far: the smallest case of every finding, and what the passes resolved."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Set
from dataclasses import dataclass, field, replace

import numpy as np

from gradcheck.cases.profile import Profile
from gradcheck.cases.search import Points
from gradcheck.diagnosis.conventions import RESOLUTION, conventions, explained
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.evidence.gather import gather
from gradcheck.evidence.record import GROUPS, Evidence, Group, NotComparableError
from gradcheck.records import Case, Finding, Level, SubjectReport, Verdict
from gradcheck.rules.catalogue import CATALOGUE, findings_of, tried
from gradcheck.subject.limit import HungError
from gradcheck.subject.protocol import Subject

Key = tuple[str, str | None]  # of a finding: the rule and the argument

_SHRINKS = 32  # smaller cases tried for each finding
_SMALL = 16  # stencils for each argument of these, and of a case that is repeated
# What is run at large values and at ties: conduct does not depend on them.
_AT_LARGE: frozenset[Group] = frozenset({"values"})
_AT_TIES: frozenset[Group] = frozenset({"values", "kinks"})
_FAINT = 1e-100
_ORDINARY = GROUPS - {"kinks"}
_SAME_AS = {"GC504": "GC104"}  # what is not finite at ordinary values need not be said of large ones


@dataclass
class Tally:
    """The sum of the cases of one layer; ``level_of(code, default)`` says which rules count, and how much."""

    points: Points
    profile: Profile
    level_of: Callable[[str, Level], Level]
    cases: int = 0
    forwards: int = 0
    backwards: int = 0
    rules: set[str] = field(default_factory=set)
    resolution: dict[str, float] = field(default_factory=dict)
    element_resolution: dict[str, float] = field(default_factory=dict)
    complete: set[str] = field(default_factory=set)
    set_aside: int = 0
    undecided: dict[str, str] = field(default_factory=dict)
    findings: dict[Key, tuple[Finding, Case, Evidence]] = field(default_factory=dict)
    skipped: str = ""
    convention: str = ""
    hangs: bool = False

    @property
    def stencils_if_small(self) -> int:
        """What to spend on each argument of a small case: what is wrong with a single element must show there."""
        return max(self.profile.stencils, _SMALL)

    def look(self, case: Case, stencils: int) -> None:
        """Gather the evidence of a case and enter its findings, and what its passes resolved."""
        wrong = {str(argument) for rule, argument in self.findings if rule in {"GC101", "GC107"}}
        evidence = self._gather(case, left_out=wrong, stencils=stencils)
        if evidence is None:
            return
        self.cases += 1
        self.convention = self.convention or evidence.subject.convention
        self.rules |= {code for code in tried(evidence) if self.level_of(code, CATALOGUE[code].level) != "off"}
        for finding in self._found(evidence):
            if case.large and _is_faint(finding):
                continue
            same_as = _SAME_AS.get(finding.rule, "")
            if finding.rule == "GC101" and (case.large or case.ties):
                same_as = "GC402"  # a constant; what else is wrong is so at ordinary values
            if (same_as, finding.argument) not in self.findings:
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
            if self.hangs:
                break
            groups = CATALOGUE[key[0]].groups
            others = {a.name for a in first.subject.arguments} - ({key[1]} if "values" in groups else set())
            for smaller in self.points.smaller(case, _SHRINKS):
                evidence = self._gather(smaller, left_out=others, stencils=self.stencils_if_small, groups=groups)
                found = {(f.rule, f.argument): f for f in self._found(evidence)} if evidence is not None else {}
                if evidence is not None and key in found:
                    self.findings[key] = found[key], smaller, evidence
                    break

    def summary(self, blank: SubjectReport, findings: tuple[Finding, ...]) -> SubjectReport:
        """Return the report of the layer: a pass only where every gradient that could be compared was."""
        verdict: Verdict = "pass"
        reason = fix = None
        undecided = {name: why for name, why in self.undecided.items() if name not in self.resolution}
        if not self._judges_values:  # nobody asked whether values are right, so nothing is undecided
            undecided = {}
        if any(finding.level == "error" for finding in findings):
            verdict = "fail"
        elif not self.cases:
            verdict = "unchecked"
            reason, fix = self.skipped or "no case could be run", "give inputs that forward takes: inputs=(...)"
        elif not self.resolution and self._judges_values:
            verdict = "inconclusive"
            reason = "; ".join(f"{name}: {why}" for name, why in undecided.items()) or "no gradient could be compared"
        elif undecided:
            # What is zero, or lost in rounding, wherever it is looked at cannot be wrong by much; what is too singular
            # or too noisy everywhere may be.
            verdict = "inconclusive" if any("vacuous" not in why for why in undecided.values()) else "pass"
            reason = "; ".join(f"{name} was not compared: {why}" for name, why in undecided.items())
        elif not self._judges_values:
            reason = "values were not judged: GC101 is not selected as an error"
        return replace(
            blank,
            verdict=verdict,
            convention=self.convention or blank.convention,
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

    @property
    def _judges_values(self) -> bool:
        return self.level_of("GC101", "error") == "error"

    def _found(self, evidence: Evidence) -> Iterator[Finding]:
        """Yield the findings of the rules that are on; their levels are set when they are explained."""
        return (f for f in findings_of(evidence) if self.level_of(f.rule, f.level) != "off")

    def _gather(self, case: Case, *, left_out: Set[str], stencils: int, groups: Set[Group] = GROUPS) -> Evidence | None:
        """Return the evidence of a case and count its calls; None where the case shows nothing."""
        groups = groups & (_AT_LARGE if case.large else _AT_TIES if case.ties else _ORDINARY)
        try:
            evidence = gather(
                self._subject(case), case.seed,
                left_out=left_out, stencils=stencils, groups=groups, large=case.large > 0,
            )  # fmt: skip
        except NotComparableError as error:
            self.skipped = self.skipped or str(error)
            return None
        self.forwards += evidence.forwards
        self.backwards += evidence.backwards
        self.hangs = self.hangs or isinstance(evidence.raised, HungError)
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


def _is_faint(finding: Finding) -> bool:
    """Whether a wrong value is of a size that only saturation leaves: 1 + exp(-500) is 1, forward has lost it, too."""
    values = [abs(value) for value in (finding.analytic, finding.numeric) if value is not None]
    return finding.rule == "GC101" and len(values) == 2 and max(values) < _FAINT


def name_conventions(points: Points, tally: Tally) -> None:
    """Let a known convention that explains all wrong values take the place of these findings."""
    keys = [key for key in tally.findings if key[0] == "GC101"]
    if not keys:
        return
    _, case, evidence = tally.findings[keys[0]]
    wrong = {str(argument) for _, argument in keys}
    named = conventions(points, evidence.owed, wrong, tally.resolution.keys() - wrong)
    if named is None:
        return
    for key in explained(named, tally.findings):
        del tally.findings[key]
    tally.findings[named.rule, None] = named.finding(), case, evidence
    for name in named.arguments:
        tally.resolution[name] = tally.element_resolution[name] = RESOLUTION


def _obstacle(evidence: Evidence) -> UncheckedError | None:
    """Return why nothing can be said at a case whatever backward does, or None."""
    if not evidence.deterministic:
        return UncheckedError(
            "GC001: forward is random: two runs at the same point with the same global seeds give different outputs",
            fix="let the layer take a seed or generator, so that it draws the same each time it is built",
        )
    if not evidence.owed:
        return UncheckedError(
            "no argument is real, so there is no gradient to check",
            fix="give floating-point inputs, for example x.astype(float)",
        )
    return None
