"""The text report: for a terminal, a log, or the text of a `GradientError`."""

from __future__ import annotations

import os
import sys
from typing import TextIO

from gradcheck.records import Report
from gradcheck.report.layout import Line, Repeat, Style, layout, repeat_command

# The sixteen colours that every terminal has, in the shades that its owner chose.
_CODES: dict[Style, str] = {"good": "32", "bad": "1;31", "warning": "33", "quiet": "2", "strong": "1"}


def render(report: Report, *, color: bool | None = False, repeat: Repeat = repeat_command) -> str:
    """Return the report as text, lines ending in a newline.

    Parameters
    ----------
    report : Report
    color : bool or None
        Whether to write colours; None asks `wants_color` about standard output.
    repeat : callable
        ``repeat(subject, case) -> str``: what to type to see the case again.

    Examples
    --------
    >>> from gradcheck.records import SubjectReport
    >>> mul = SubjectReport("Mul", "m.py::Mul", "pass", cases=24, resolution={"x": 3e-13}, rules=("GC101", "GC103"))
    >>> print(render(Report(seed=0, subjects=(mul,))), end="")
    Mul   pass   2 rules · 24 cases · would have caught a relative error of 3e-13
    1 pass, 0 fail, 0 unchecked
    """
    if color is None:
        color = wants_color(sys.stdout)
    write = _painted if color else _plain
    return "".join(write(line) + "\n" for line in layout(report, repeat=repeat))


def wants_color(stream: TextIO) -> bool:
    """Tell whether to colour what goes to a stream: on a terminal, unless NO_COLOR or FORCE_COLOR say otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM", "").lower() not in ("dumb", "unknown")


def encodable(text: str, encoding: str) -> str:
    r"""Return the text so that the encoding can express it: signs of ours by their ASCII stand-ins, others escaped.

    Examples
    --------
    >>> print(encodable("0.5 ± 3e-15 · größer", "ascii"))
    0.5 +/- 3e-15 - gr\xf6\xdfer
    """
    if not _fits(text, encoding):
        for sign, stand_in in (("·", "-"), ("±", "+/-")):
            text = text if _fits(sign, encoding) else text.replace(sign, stand_in)
    return text.encode(encoding, errors="backslashreplace").decode(encoding)


def _plain(line: Line) -> str:
    return "".join(text for text, _ in line).rstrip()


def _painted(line: Line) -> str:
    return "".join(f"\x1b[{_CODES[style]}m{text}\x1b[0m" if style in _CODES and text else text for text, style in line)


def _fits(text: str, encoding: str) -> bool:
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
