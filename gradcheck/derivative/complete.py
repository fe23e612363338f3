"""Every element of a small block by itself, so that a small error in one cannot hide among the others."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.derivative.central import estimate, stencil
from gradcheck.derivative.deep import Probe, probe
from gradcheck.derivative.function import Block, Comparison
from gradcheck.derivative.locate import Worst, confirm
from gradcheck.derivative.noise import Precision, norm
from gradcheck.derivative.probe import Centre, Scalar, cotangent, element


def complete(centre: Centre, block: Block, scalar: Scalar, passed: Comparison, precision: Precision) -> Comparison:
    """Compare every element of a block that passed along a direction.

    The resolution is that of the worst element: its bar relative to its own derivative or to the block's typical one,
    whichever is larger (the gradient of a saturated element is lost in rounding, and says nothing about the rest). An
    element whose own bar is worse than what the direction says of it, ``sqrt(n)`` times its resolution, has that.
    """
    n = block.stop - block.start
    size = np.abs(scalar.g * centre.scale)[block.where]
    typical = norm(size) / n**0.5
    wrong: list[Worst] = []
    resolution = 0.0
    for i in range(n):
        probed = _probe(centre, block, i, scalar, precision)
        e = None if probed is None else probed.best
        if probed is None or e is None:
            continue  # it agrees exactly; or it lies on a kink, where the direction has seen it as far as can be
        suspect = _moving(centre, probed) if e.agrees else scalar
        found = None if suspect is None else _reproduced(centre, block, i, suspect, precision)
        if found is not None:
            wrong.append(found)
        elif e.sound and not e.dead:
            seen = (
                (e.bar if e.agrees else e.bar + abs(e.residual)) * centre.scale[block.start + i] / probed.direction.v[0]
            )
            least = min(float(seen), passed.resolution * n**0.5 * typical)
            resolution = max(resolution, least / max(float(size[i]), typical))
    if not wrong:
        return replace(passed, resolution=resolution or passed.resolution)
    worst = max(wrong, key=lambda found: found.badness)
    return worst.comparison(block, wrong=len(wrong))


def _probe(centre: Centre, block: Block, i: int, scalar: Scalar, precision: Precision) -> Probe | None:
    """Probe an element; None where nothing moves and nothing should."""
    d, h = element(centre, block, i), centre.precision.step
    if scalar.g[block.start + i] == 0.0:
        s = stencil(centre, d, h)
        if s is not None and s.dead.all():
            return None
    return probe(centre, d, scalar, h, precision)


def _reproduced(centre: Centre, block: Block, i: int, suspect: Scalar, precision: Precision) -> Worst | None:
    """Confirm an element under the cotangent that raised suspicion and under a fresh one of the same outputs."""
    found = confirm(centre, block, i, suspect, precision)
    if found is None:
        return None
    fresh = centre.scalar(np.where(suspect.w == 0.0, 0.0, cotangent(centre)))
    return found if confirm(centre, block, i, fresh, precision) is not None else None


def _moving(centre: Centre, probed: Probe) -> Scalar | None:
    """Return the outputs that the element moves, if without the rounding of all others they tell another story."""
    e, s = probed.best, probed.stencil
    if e is None or s is None or e.dead or e.within(probed.precision.target):
        return None
    w = np.where(s.dead, 0.0, probed.scalar.w)
    if np.array_equal(w, probed.scalar.w):
        return None
    moving = centre.scalar(w)
    estimates = [estimate(t, moving, probed.precision) for t in probed.stencils]
    best = min((t for t in estimates if t.sound and not t.dead), key=lambda t: t.bar, default=None)
    return moving if best is not None and best.clearly_differs else None
