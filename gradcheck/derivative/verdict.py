"""What an agreement is worth, and what the complex step makes of it: the last words on a block."""

from __future__ import annotations

import numpy as np

from gradcheck.derivative.complex_step import Agreement, ComplexStep, prove, suspect
from gradcheck.derivative.deep import Probe
from gradcheck.derivative.function import Block, Comparison, Vector
from gradcheck.derivative.noise import Precision
from gradcheck.derivative.probe import Scalar


def passed(block: Block, resolution: float, set_aside: int = 0) -> Comparison:
    """Let a block pass along a direction: an error in one of ``n`` like elements is felt as ``1/sqrt(n)`` of itself."""
    element = resolution * (block.stop - block.start) ** 0.5
    return Comparison(block.name, "pass", resolution, element, set_aside=set_aside)


def refined(block: Block, coarse: Comparison, exact: Agreement, size: float) -> Comparison:
    """Return a pass with the resolution of the complex step, where that is the finer one."""
    resolution = exact.resolution * exact.size / size if size > 0.0 else np.inf
    return coarse if resolution >= coarse.resolution else passed(block, resolution, coarse.set_aside)


def proven_along(step: ComplexStep, block: Block, probed: Probe) -> Comparison | None:
    """Look for the element behind a difference along a probe that only the complex step is sure of."""
    exact = step.along(probed.direction.where, probed.direction.v, probed.scalar, probed.precision)
    if exact is None or not exact.is_suspicious:
        return None
    v = np.zeros(step.centre.x.size)
    v[block.where] = probed.direction.v
    return proven(step, (block,), probed.scalar, v, probed.precision)


def proven(
    step: ComplexStep, blocks: tuple[Block, ...], scalar: Scalar, v: Vector, precision: Precision
) -> Comparison | None:
    """Name the element with the largest share in what the complex step sees; None where it cannot be shown wrong."""
    place = suspect(step, blocks, scalar, v, precision)
    if place is None:
        return None
    block, i = place
    worst = prove(step, block, i, scalar, precision)
    return None if worst is None else worst.comparison(block, wrong=None)
