"""One block by itself: a few draws of a direction and a cotangent, each with the step that suits it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gradcheck.derivative.accuse import Charge, charge
from gradcheck.derivative.central import Estimate
from gradcheck.derivative.complex_step import ComplexStep
from gradcheck.derivative.deep import Probe, probe
from gradcheck.derivative.function import Block, Comparison
from gradcheck.derivative.locate import locate
from gradcheck.derivative.noise import Precision
from gradcheck.derivative.probe import Scalar, cotangent, direction
from gradcheck.derivative.verdict import passed, proven_along, refined

# An accusation must reproduce in a fresh direction with a fresh cotangent; so many are drawn before giving up.
_DRAWS, _REPRODUCED = 4, 2


def alone(step: ComplexStep, block: Block, scalar: Scalar) -> tuple[Comparison, Precision]:
    """Decide one block, and say how finely the function computes as far as that was measured."""
    centre = step.centre
    so_far = _SoFar(centre.precision)
    for draw in range(_DRAWS):
        if draw > 0:
            scalar = centre.scalar(cotangent(centre))
            if not np.isfinite(scalar.g[block.where]).all():
                so_far.reason = "the analytic gradient is not finite"
                break
        tangent = direction(centre, block, scalar.g)
        probed = probe(centre, tangent, scalar, centre.precision.step, so_far.precision)
        so_far.precision = probed.precision
        found = _heard(step, block, probed, so_far)
        if found is not None:
            return found, so_far.precision
    return Comparison(block.name, "inconclusive", reason=so_far.reason), so_far.precision


@dataclass
class _SoFar:
    """What the draws have shown: charges that stand, and the largest relative difference that was let go."""

    precision: Precision
    charges: list[tuple[Probe, Charge]] = field(default_factory=list)
    let_go: float = 0.0
    reason: str = ""


def _heard(step: ComplexStep, block: Block, probed: Probe, so_far: _SoFar) -> Comparison | None:
    """Return the verdict, if this draw settles it."""
    if probed.best is None:
        so_far.reason = probed.reason
        return None
    if not probed.best.agrees:
        return _differs(step, block, probed, probed.best, so_far)
    if so_far.charges:
        return None
    agreed = _agreement(step, block, probed, probed.best)
    if agreed.verdict in ("vacuous", "fail"):
        return agreed
    if agreed.verdict == "pass" and so_far.let_go <= so_far.precision.limit:
        no_finer = max(agreed.resolution, so_far.let_go)
        return agreed if no_finer == agreed.resolution else passed(block, no_finer, agreed.set_aside)
    so_far.reason = so_far.reason or agreed.reason
    return None


def _differs(step: ComplexStep, block: Block, probed: Probe, e: Estimate, so_far: _SoFar) -> Comparison | None:
    """Charge the block with a difference; fail it once that has happened twice."""
    accused = charge(step.centre, probed)
    if accused.stands:
        so_far.charges.append((probed, accused))
        so_far.reason = "the difference did not reproduce in a fresh direction"
        return _failed(step, block, *so_far.charges[0]) if len(so_far.charges) == _REPRODUCED else None
    so_far.reason = accused.reason
    so_far.let_go = max(so_far.let_go, abs(e.residual) / e.size if e.size > 0.0 else np.inf)
    # Where differences of a coarse format are not sure, the complex step may be.
    return proven_along(step, block, probed) if not probed.precision.is_fine else None


def _failed(step: ComplexStep, block: Block, probed: Probe, charged: Charge) -> Comparison:
    """Name the worst element; a charge that holds for no single element is not brought."""
    found = locate(step.centre, block, probed.direction, charged)
    if found is None and not charged.precision.is_fine:
        found = proven_along(step, block, probed)
    reason = "the gradient differs along a direction, but no single element differs beyond its own error bar"
    return found or Comparison(block.name, "inconclusive", reason=reason)


def _agreement(step: ComplexStep, block: Block, probed: Probe, e: Estimate) -> Comparison:
    """Say what an agreement within the bar is worth."""
    by_differences = _by_differences(block, e, probed)
    exact = step.along(probed.direction.where, probed.direction.v, probed.scalar, probed.precision)
    if exact is None or not exact.fits(e) or by_differences.verdict == "vacuous":
        return by_differences
    if exact.is_suspicious:
        found = proven_along(step, block, probed)
        if found is not None or by_differences.verdict != "pass":
            return found or by_differences
    return refined(block, passed(block, e.resolution, probed.set_aside), exact, exact.size)


def _by_differences(block: Block, e: Estimate, probed: Probe) -> Comparison:
    if e.resolution <= probed.precision.limit:
        return passed(block, e.resolution, probed.set_aside)
    if e.structure > 0.5 * e.bar:
        reason = "too much of the output lies on a kink, or bends too fast, to tell a slope"
        return Comparison(block.name, "inconclusive", reason=reason)
    if e.size <= e.bar:
        reason = "the gradient is zero, or lost in the rounding of the output"
        return Comparison(block.name, "vacuous", reason=reason)
    return Comparison(block.name, "inconclusive", reason="the output is too noisy to tell a slope")
