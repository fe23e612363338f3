"""gradcheck: finds wrong hand-written backwards, with no tolerance to tune."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gradcheck.errors import GradientError, UncheckedError, UsageError

if TYPE_CHECKING:
    from gradcheck.api import assert_gradients, check
    from gradcheck.records import Case, Finding, Location, Report, SubjectReport
    from gradcheck.subject.conventions.tensors import through

__all__ = [
    "Case",
    "Finding",
    "GradientError",
    "Location",
    "Report",
    "SubjectReport",
    "UncheckedError",
    "UsageError",
    "__version__",
    "assert_gradients",
    "check",
    "through",
]

__version__ = "0.1.0"

# The public names are loaded at first use: pytest imports this package at every start, through the plugin, and must
# not pay for NumPy then.
_HOMES = dict.fromkeys(("Case", "Finding", "Location", "Report", "SubjectReport"), "records")
_HOMES |= dict.fromkeys(("assert_gradients", "check"), "api")
_HOMES["through"] = "subject.conventions.tensors"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
