"""Every element of a small block by itself, so that a small error in one cannot hide among the others."""

from __future__ import annotations

from gradcheck.derivative.deep import probe
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
        e = probe(centre, element(centre, block, i), scalar, h).best
        if e is None:
            continue  # on the edge of the domain or on a kink: the direction has seen it, alone it cannot be
        reference = max(abs(float(scalar.g[block.start + i])) * float(centre.scale[block.start + i]), typical)
        if e.agrees:
            resolution = max(resolution, e.bar / reference if e.sound and not e.dead else 0.0)
            continue
        found = confirm(centre, block, i, scalar, h)
        if found is not None and _reproduces(centre, block, i, h):
            wrong += 1
            worst = found if worst is None or abs(found.residual) > abs(worst.residual) else worst
        else:
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


def _reproduces(centre: Centre, block: Block, i: int, h: float) -> bool:
    """Whether an element is wrong under a fresh cotangent, too."""
    return confirm(centre, block, i, centre.scalar(cotangent(centre)), h) is not None
