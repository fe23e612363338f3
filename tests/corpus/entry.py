"""What the corpus is made of: a wrong layer beside its right twin, or a right layer that looks odd."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True)
class Wrong:
    """A layer with one defect.

    Parameters
    ----------
    layer : class, pair of functions or closure
        As `gradcheck.check` takes it.
    right : likewise
        The twin without the defect: the same code but for a minimal change. It must pass.
    rule : str
        The code that must be among the findings.
    kind : str
        The class of bugs it is one of, ``T01`` to ``T30`` (`tests.faulty.KINDS`).
    shows : str
        The least shapes, values or conduct that show it: ``"n >= 2"``, ``"two calls"``, ``"x > 3"``.
    level : {"error", "warning"}
        Of the finding.
    options : mapping
        Further arguments of `gradcheck.check`, for both twins, where shapes cannot be found by trying.
    missed : str
        Why the checker does not find it, where it does not: the corpus does not only hold what is found.
    """

    layer: Any
    right: Any
    rule: str
    kind: str
    shows: str
    level: Literal["error", "warning"] = "error"
    options: Mapping[str, Any] = field(default_factory=dict)
    missed: str = ""

    @property
    def name(self) -> str:
        """What the entry is called in tests and tables."""
        return name_of(self.layer)


@dataclass(frozen=True)
class Odd:
    """A right layer that a checker may stumble over.

    Parameters
    ----------
    layer : class, pair of functions or closure
    why : str
        What is odd about it, and why it is right all the same.
    warnings : tuple of str
        The codes of the warnings that it may bring about; no other finding is allowed.
    options : mapping
        As for `Wrong`.
    """

    layer: Any
    why: str
    warnings: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What the entry is called in tests and tables."""
        return name_of(self.layer)


def name_of(layer: Any) -> str:
    """Return the name of a class or function; of a pair, that of its backward."""
    return str(getattr(layer[1] if isinstance(layer, tuple) else layer, "__name__", layer))
