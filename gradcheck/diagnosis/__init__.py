"""Why a layer fails: the smallest case in words, the guilty line, and what the wrong gradient looks like."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from gradcheck.cases.search import Points
from gradcheck.records import Case, Finding
from gradcheck.rules.evidence import Evidence


def diagnose(obj: Any, points: Points, finding: Finding, case: Case, evidence: Evidence) -> Finding:
    """Add to a finding its case, the line it comes from, and what is known of its cause."""
    return replace(finding, case=str(case))
