"""The rules that a right backward keeps, under their stable codes; a rule's docstring is its page.

Families: GC0 it could not be checked · GC1 gradient values and shapes · GC2 purity · GC3 state · GC4 linearity ·
GC5 edges and layout · GC6 it raised, hung or complained.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from gradcheck.evidence.record import GROUPS, Evidence, Group
from gradcheck.records import Finding, Level
from gradcheck.rules import (
    convention,
    edges,
    generators,
    gradient,
    layout,
    linearity,
    precision,
    purity,
    raised,
    sharing,
    state,
    unchecked,
)


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule: a function from evidence to findings, and what ``gradcheck rule CODE`` says about it.

    ``groups`` are the runs whose evidence it reads, beyond the first run.
    """

    code: str
    title: str
    level: Level
    check: Callable[[Evidence], Iterator[Finding]]
    groups: frozenset[Group]

    @property
    def page(self) -> str:
        """What it means, why it matters, a wrong example, and the near miss that is not flagged."""
        return inspect.cleandoc(self.check.__doc__ or "")


_TABLE: tuple[tuple[str, str, Level, Callable[[Evidence], Iterator[Finding]], str], ...] = (
    ("GC001", "forward is random", "warning", unchecked.random, "layouts"),
    ("GC101", "a gradient's values are wrong", "error", gradient.value, "values"),
    ("GC102", "a gradient is missing or None", "error", gradient.missing, ""),
    ("GC103", "a gradient has the wrong shape or is no array", "error", gradient.shape, ""),
    ("GC104", "a gradient is not finite where the function is", "error", gradient.finite, ""),
    ("GC105", "backward returns another number of gradients", "error", gradient.structure, ""),
    ("GC106", "a gradient is kept in a coarser dtype", "warning", precision.dtype, ""),
    ("GC107", "a gradient has the digits of a coarser dtype", "error", precision.digits, "values"),
    ("GC111", "parameter gradients are divided by the batch size", "warning", convention.batch_mean, "values"),
    ("GC112", "softmax or sigmoid hands dout through", "warning", convention.fused, "values"),
    ("GC113", "a loss per sample, with the gradient of the mean", "warning", convention.mean_of_losses, "values"),
    ("GC201", "backward overwrites dout", "error", purity.cotangent, ""),
    ("GC202", "backward overwrites an input or a parameter", "error", purity.backward, ""),
    ("GC203", "forward overwrites an input or a parameter", "error", purity.forward, ""),
    ("GC204", "backward overwrites the output", "error", purity.output, ""),
    ("GC205", "a gradient is dout or a view of it", "warning", sharing.with_dout, ""),
    ("GC206", "two gradients lie in the same memory", "warning", sharing.with_each_other, ""),
    ("GC207", "a gradient lies in the memory of an argument", "error", sharing.with_an_argument, ""),
    ("GC208", "what was handed out is overwritten by the next call", "error", purity.buffer, "linear reuse"),
    ("GC209", "backward overwrites what forward cached", "warning", purity.cache, ""),
    ("GC301", "a second backward gives something else", "error", state.repeat, "values"),
    ("GC302", "a layer that was used gives something else than a fresh one", "error", state.fresh, "values reuse"),
    ("GC303", "backward is random", "error", state.determined, "values layouts"),
    ("GC304", "another number of samples before spoils the next", "error", state.other_shape, "values reuse"),
    ("GC305", "backward does not follow a changed parameter", "error", state.parameters, "values reuse"),
    ("GC306", "a pullback is spoilt by a later forward", "error", state.independent, "values reuse"),
    ("GC307", "some gradients add up, others are overwritten", "error", state.accumulation, ""),
    ("GC308", "a layer draws from the global generators", "warning", generators.draws, ""),
    ("GC309", "a layer seeds the global generators", "error", generators.seeds, ""),
    ("GC401", "backward is not linear in dout", "error", linearity.linear, "values linear"),
    ("GC402", "zero gives a gradient that is not zero", "error", linearity.zero, "linear"),
    ("GC501", "the memory layout of dout matters", "error", layout.of_dout, "values linear layouts"),
    ("GC502", "the memory layout of an argument matters", "error", layout.of_arguments, "values layouts"),
    ("GC503", "wrong or raising without samples", "error", edges.empty, "empty"),
    ("GC504", "a gradient is not finite at large values", "error", edges.large, ""),
    ("GC505", "wrong when two inputs are one array", "error", layout.same_array, "values same"),
    ("GC507", "beyond the one-sided slopes at a kink or tie", "error", edges.kinks, "kinks"),
    ("GC602", "backward raises", "error", raised.backward, "linear"),
    ("GC603", "backward hangs", "error", raised.hung, ""),
    ("GC604", "backward makes a floating-point error", "warning", raised.complained, ""),
)

CATALOGUE: Mapping[str, Rule] = {
    code: Rule(code, title, level, check, frozenset(group for group in GROUPS if group in groups.split()))
    for code, title, level, check, groups in _TABLE
}


def findings_of(evidence: Evidence) -> Iterator[Finding]:
    """Yield what all rules find in the evidence of one case, in the order of their codes."""
    for rule in CATALOGUE.values():
        yield from rule.check(evidence)


def tried(evidence: Evidence) -> frozenset[str]:
    """Return the codes of the rules that this evidence could really show to be broken."""
    if evidence.gradients is None:
        return frozenset({"GC201", "GC202", "GC203", "GC204", "GC308", "GC309", "GC602", "GC603"})
    compared = any(c.verdict in {"pass", "fail"} for c in evidence.comparisons.values())
    lacking = {
        *(() if evidence.arrays else ("GC104", "GC106", "GC307", "GC401", "GC402", "GC504", "GC604")),
        *(() if compared else ("GC101", "GC107", "GC111", "GC112", "GC113")),
        *(() if isinstance(evidence.again, Mapping) else ("GC209", "GC301", "GC307")),
        *(() if evidence.linearity else ("GC401", "GC402")),
        *(() if evidence.empty is not None else ("GC503",)),
        *(() if evidence.kinks is not None else ("GC507",)),
        *(("GC104",) if evidence.large else ("GC504",)),
        *(() if evidence.subject.independent else ("GC306",)),
        *(() if any(t.kind == "parameter" for t in evidence.subject.arguments) else ("GC111", "GC305")),
    }
    return frozenset(code for code, rule in CATALOGUE.items() if rule.groups <= evidence.tried and code not in lacking)
