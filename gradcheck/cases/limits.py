"""How small a plan's dimensions may be, and which of its choices forward takes: found by trying, one at a time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import islice, product

from gradcheck.cases.outputs import Bind, outputs_at
from gradcheck.cases.plan import Plan
from gradcheck.cases.values import Choice

_TOGETHER = 16  # choices tried together for each smallest size: a wide kernel with a stride needs a larger image


def with_limits(bind: Bind, plan: Plan) -> Plan:
    """Find the values that each choice takes, and the smallest size of each dimension, the others as in the trial."""
    usual = dict(plan.trial().sizes)
    for name, values in plan.choices.items():
        taken = (values[0], *(v for v in values[1:] if _runs(bind, plan, {**usual, name: v})))
        recipes = {k: Choice(name, taken) if r == Choice(name, values) else r for k, r in plan.settings.items()}
        plan = replace(plan, settings=recipes)
    choices = plan.choices
    extremes = islice(product(*({min(values), max(values)} for values in choices.values())), _TOGETHER)
    together = [dict(zip(choices, chosen, strict=True)) for chosen in extremes]

    def smallest(name: str) -> int:
        for size in range(1, usual[name]):
            if all(_runs(bind, plan, {**usual, **chosen, name: size}) for chosen in together):
                return size
        return usual[name]

    return replace(plan, limits={name: smallest(name) for name in usual if name not in choices})


def _runs(bind: Bind, plan: Plan, sizes: Mapping[str, int]) -> bool:
    return outputs_at(bind, plan, plan.case(sizes, 0)) is not None
