"""Every element of a block by itself, so that a small error in one cannot hide among the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradcheck.derivative.central import Estimate, Stencil, estimate, stencil
from gradcheck.derivative.colour import Colour, colours
from gradcheck.derivative.deep import Probe, probe
from gradcheck.derivative.function import Block, Comparison
from gradcheck.derivative.locate import Worst, confirm_twice
from gradcheck.derivative.noise import Precision, norm
from gradcheck.derivative.probe import Centre, Direction, Scalar, element

# A bar of this many targets needs no better step: the elements of a colour share theirs.
_ENOUGH = 16.0


def complete(
    centre: Centre, block: Block, scalar: Scalar, passed: Comparison, precision: Precision, *, at_most: int
) -> Comparison:
    """Compare every element of a block that passed along a direction, where that takes at most so many stencils.

    The resolution for one element is that of the worst: its bar relative to its own derivative or to the block's
    typical one, whichever is larger (the gradient of a saturated element is lost in rounding, and says nothing about
    the rest). An element whose own bar is worse than what the direction says of it has that.
    """
    parts = colours(centre, block)
    if len(parts) > at_most:
        return passed
    n = block.stop - block.start
    size = np.abs(scalar.g * centre.scale)[block.where]
    typical = norm(size) / n**0.5
    wrong: list[Worst] = []
    resolution, single = 0.0, 0
    for i, e, suspect, scale, settled in _elements(centre, block, parts, scalar, precision):
        single += not settled
        if single > at_most:
            break
        found = None if suspect is None else confirm_twice(centre, block, i, suspect, precision)
        if found is not None:
            wrong.append(found)
        elif e.sound and not e.dead:
            seen = (e.bar if e.agrees else e.bar + abs(e.residual)) * scale
            least = min(float(seen), passed.element * typical)
            resolution = max(resolution, least / max(float(size[i]), typical))
    if not wrong:
        if single > at_most:
            return passed
        element = resolution or passed.element  # what every element would show, all of them together show too
        return replace(passed, resolution=min(passed.resolution, element), element=element, complete=True)
    worst = max(wrong, key=lambda found: found.badness)
    return worst.comparison(block, wrong=len(wrong))


def _elements(
    centre: Centre, block: Block, parts: list[Colour], scalar: Scalar, precision: Precision
) -> Iterator[tuple[int, Estimate, Scalar | None, float, bool]]:
    """Yield each element with its estimate, where to suspect it, its scale over its tangent, and if it came cheaply.

    Left out are those that agree exactly, and those on a kink, where the direction has seen them as far as can be.
    """
    for part in parts:
        together = _together(centre, block, part)
        for k, i in enumerate(map(int, part.elements)):
            scale, alone = float(centre.scale[block.start + i]), scalar
            if together is not None:
                s, mine = _own(together, part, k, block), part.owner == k
                if s.dead.all() and scalar.g[block.start + i] == 0.0:
                    continue
                e = estimate(s, Scalar(scalar.w[mine], scalar.g), precision)
                if e.agrees and e.within(_ENOUGH * precision.target):
                    yield i, e, None, scale / float(s.direction.v[0]), True
                    continue
                alone = centre.scalar(np.where(mine, scalar.w, 0.0)) if mine.any() else scalar
            probed = _probe(centre, block, i, alone, precision)
            if probed is None or probed.best is None:
                continue
            suspect = _moving(centre, probed) if probed.best.agrees else alone
            yield i, probed.best, suspect, scale / float(probed.direction.v[0]), False


def _together(centre: Centre, block: Block, part: Colour) -> Stencil | None:
    """Evaluate the stencil along all elements of a colour at once."""
    if part.elements.size < 2:
        return None
    first, last = int(part.elements[0]), int(part.elements[-1])
    where = slice(block.start + first, block.start + last + 1)
    v = np.zeros(last + 1 - first)
    moved = part.elements - first
    v[moved] = centre.scale[where][moved] * (1.0 + centre.rng.random(moved.size))
    return stencil(centre, Direction(where, v), centre.precision.step)


def _own(s: Stencil, part: Colour, k: int, block: Block) -> Stencil:
    """Return the stencil of one element of a colour: what it moved, and the outputs that answered to it."""
    mine = part.owner == k
    place = int(part.elements[k] - part.elements[0])
    i = block.start + int(part.elements[k])
    return Stencil(
        s.h,
        Direction(slice(i, i + 1), s.direction.v[place : place + 1]),
        s.dx1[place : place + 1],
        s.dx2[place : place + 1],
        s.dy1[mine],
        s.t[mine],
        s.d4[mine],
        s.largest[mine],
        s.dead[mine],
        s.typical,
        s.span[mine],
    )


def _probe(centre: Centre, block: Block, i: int, scalar: Scalar, precision: Precision) -> Probe | None:
    """Probe an element; None where nothing moves and nothing should."""
    d, h = element(centre, block, i), centre.precision.step
    if scalar.g[block.start + i] == 0.0:
        s = stencil(centre, d, h)
        if s is not None and s.dead.all():
            return None
    return probe(centre, d, scalar, h, precision)


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
