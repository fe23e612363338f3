"""The errors that gradcheck raises.

::

    Exception
    ├── UsageError (ValueError)             what was asked cannot be done: says what was given, and how to mend it
    │   └── UncheckedError                  a layer was found, but could not be checked as it stands
    └── GradientError (AssertionError)      a layer did not pass; its text is the report, its ``report`` the records
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradcheck.hints import Hints
    from gradcheck.records import Report


class UsageError(ValueError):
    """What was asked cannot be done.

    Parameters
    ----------
    message : str
        What was given and what was expected, in one sentence.
    fix : str
        What to do about it, in one sentence.

    Examples
    --------
    >>> str(UsageError("no such file: layer.py", fix="check the path"))
    'no such file: layer.py; to fix it: check the path'
    """

    def __init__(self, message: str, *, fix: str = "") -> None:
        super().__init__(f"{message}; to fix it: {fix}" if fix else message)
        self.message = message
        self.fix = fix


class UncheckedError(UsageError):
    """A layer was found, but could not be checked as it stands: the report lists it as unchecked.

    Parameters
    ----------
    message, fix : str
        As for `UsageError`.
    hint : Hints or None
        What to say about the layer, filled in as far as it is known: to be corrected, and given to the next check.
    """

    def __init__(self, message: str, *, fix: str = "", hint: Hints | None = None) -> None:
        super().__init__(message, fix=fix)
        self.hint = hint


class GradientError(AssertionError):
    """A layer did not pass: a finding at level error, or nothing that could be decided.

    Parameters
    ----------
    text : str
        The whole text report.
    report : Report
        The same as records.
    """

    def __init__(self, text: str, report: Report) -> None:
        super().__init__(text)
        self.report = report

    def __reduce__(self) -> tuple[type[GradientError], tuple[str, Report]]:
        """Keep the report across processes (pytest-xdist, multiprocessing)."""
        return type(self), (str(self), self.report)


# They are public under the package's own name, and short in a test runner's summary.
for _error in (UsageError, UncheckedError, GradientError):
    _error.__module__ = "gradcheck"
