"""The JSON report: the stable schema of `Report.to_dict`, for programs."""

from __future__ import annotations

import json

from gradcheck.records import Report


def render(report: Report) -> str:
    """Return the report as JSON, ending in a newline.

    Examples
    --------
    >>> json.loads(render(Report(seed=0, subjects=())))["verdict"]
    'unchecked'
    """
    return json.dumps(report.to_dict(), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
