"""gradcheck: finds wrong hand-written backwards, with no tolerance to tune."""

from __future__ import annotations

from gradcheck.errors import GradientError, UsageError
from gradcheck.records import Case, Finding, Location, Report, SubjectReport

__all__ = ["Case", "Finding", "GradientError", "Location", "Report", "SubjectReport", "UsageError", "__version__"]

__version__ = "0.1.0"
