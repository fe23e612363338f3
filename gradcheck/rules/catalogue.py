"""The rules that a right backward keeps, under their stable codes; a rule's docstring is its page.

Families: GC0 it could not be checked · GC1 gradient values and shapes · GC2 purity · GC3 state · GC4 linearity ·
GC6 it raised.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gradcheck.records import Finding, Level
from gradcheck.rules import gradient, linearity, purity, raised, state
from gradcheck.rules.evidence import Evidence


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a function from evidence to findings, and what ``gradcheck rule CODE`` says about it."""

    code: str
    title: str
    level: Level
    check: Callable[[Evidence], Iterator[Finding]]

    @property
    def page(self) -> str:
        """What it means, why it matters, a wrong example, and the near miss that is not flagged."""
        return inspect.cleandoc(self.check.__doc__ or "")


_TABLE: tuple[tuple[str, str, Level, Callable[[Evidence], Iterator[Finding]]], ...] = (
    ("GC101", "a gradient's values are wrong", "error", gradient.value),
    ("GC102", "a gradient is missing or None", "error", gradient.missing),
    ("GC103", "a gradient has the wrong shape or is no array", "error", gradient.shape),
    ("GC104", "a gradient is not finite where the function is", "error", gradient.finite),
    ("GC105", "backward returns too few gradients", "error", gradient.structure),
    ("GC106", "a gradient is kept in a coarser dtype", "warning", gradient.precision),
    ("GC201", "backward overwrites dout", "error", purity.cotangent),
    ("GC202", "backward overwrites an input or a parameter", "error", purity.backward),
    ("GC203", "forward overwrites an input or a parameter", "error", purity.forward),
    ("GC301", "a second backward gives something else", "error", state.repeat),
    ("GC401", "backward is not linear in dout", "error", linearity.linear),
    ("GC602", "backward raises", "error", raised.backward),
)

CATALOGUE: Mapping[str, Rule] = {code: Rule(code, title, level, check) for code, title, level, check in _TABLE}


def findings_of(evidence: Evidence) -> Iterator[Finding]:
    """Yield what all rules find in the evidence of one case, in the order of their codes."""
    for rule in CATALOGUE.values():
        yield from rule.check(evidence)


def tried(evidence: Evidence) -> frozenset[str]:
    """Return the codes of the rules that this evidence could really show to be broken."""
    codes = {"GC203", "GC602", "GC201", "GC202"}
    if evidence.gradients is not None:
        codes |= {"GC102", "GC103", "GC105"}
    if evidence.arrays:
        codes |= {"GC104", "GC106"}
    if any(c.verdict in {"pass", "fail"} for c in evidence.comparisons.values()):
        codes |= {"GC101"}
    if isinstance(evidence.again, Mapping):
        codes |= {"GC301"}
    if evidence.linearity:
        codes |= {"GC401"}
    return frozenset(codes)
