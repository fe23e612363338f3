"""The HTML report: what a notebook shows for a `Report`."""

from __future__ import annotations

from html import escape

from gradcheck.records import Report
from gradcheck.report.layout import Span, Style, layout

# Shades that can be read on white and on black.
_CSS: dict[Style, str] = {
    "good": "color:#2a9d3a",
    "bad": "color:#e0443e;font-weight:bold",
    "warning": "color:#b58900",
    "quiet": "opacity:.7",
    "strong": "font-weight:bold",
}


def render(report: Report) -> str:
    """Return the report as one ``<pre>`` element, styled in place: notebooks strip style sheets.

    Examples
    --------
    >>> from gradcheck.records import Report
    >>> print(render(Report(seed=0, subjects=())).splitlines()[0])
    <pre style="line-height:1.3;white-space:pre-wrap"><span style="color:#e0443e;font-weight:bold">0 pass, ...
    """
    lines = ("".join(map(_span, line)).rstrip() for line in layout(report))
    return '<pre style="line-height:1.3;white-space:pre-wrap">' + "\n".join(lines) + "</pre>"


def _span(span: Span) -> str:
    text, style = span
    return f'<span style="{_CSS[style]}">{escape(text)}</span>' if style in _CSS and text.strip() else escape(text)
