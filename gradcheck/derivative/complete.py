"""Every element of a small block by itself, so that a small error in one cannot hide among the others."""

from __future__ import annotations

import numpy as np

from gradcheck.derivative.central import estimate
from gradcheck.derivative.deep import Probe, probe
from gradcheck.derivative.function import Block, Comparison
from gradcheck.derivative.locate import confirm
from gradcheck.derivative.noise import norm
from gradcheck.derivative.probe import Centre, Scalar, cotangent, element


def complete(centre: Centre, block: Block, scalar: Scalar) -> Comparison:
    """Compare every element of a block that agreed along a direction.

    The resolution is the worst element's: its bar relative to its own derivative or to the block's typical one,
    whichever is larger (the gradient of a saturated element is lost in rounding, and says nothing about the rest).
    """
    n, h = block.stop - block.start, centre.precision.step
    typical = norm(scalar.g[block.where] * centre.scale[block.where]) / n**0.5
    worst, wrong, resolution = None, 0, 0.0
    for i in range(n):
        probed = probe(centre, element(centre, block, i), scalar, h)
        e = probed.best
        if e is None:
            continue  # on the edge of the domain or on a kink: the direction has seen it, alone it cannot be
        reference = max(abs(float(scalar.g[block.start + i])) * float(centre.scale[block.start + i]), typical)
        if e.agrees:
            resolution = max(resolution, e.bar / reference if e.sound and not e.dead else 0.0)
        suspect = _of_moving(centre, probed) if e.agrees else scalar
        found = None if suspect is None else confirm(centre, block, i, suspect, h)
        if found is not None and _reproduces(centre, block, i, h):
            wrong += 1
            worst = found if worst is None or abs(found.residual) > abs(worst.residual) else worst
        elif not e.agrees:
            resolution = max(resolution, (abs(e.residual) + e.bar) / reference)
    if worst is None:
        return Comparison(block.name, "pass", resolution)
    return Comparison(
        block.name,
        "fail",
        analytic=worst.analytic,
        numeric=worst.numeric,
        error_bar=worst.error_bar,
        index=worst.index,
        wrong=wrong,
    )


def _of_moving(centre: Centre, probed: Probe) -> Scalar | None:
    """Return the outputs that the element moves, if without the rounding of all others they tell another story."""
    e, s = probed.best, probed.stencil
    if e is None or s is None or e.dead or e.within(centre.precision.target):
        return None
    w = np.where(s.dead, 0.0, probed.scalar.w)
    if np.array_equal(w, probed.scalar.w):
        return None
    moving = centre.scalar(w)
    return moving if estimate(s, moving, probed.precision).clearly_differs else None


def _reproduces(centre: Centre, block: Block, i: int, h: float) -> bool:
    """Whether an element is wrong under a fresh cotangent, too."""
    return confirm(centre, block, i, centre.scalar(cotangent(centre)), h) is not None
