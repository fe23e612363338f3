"""Where the gradient is wrong: bisection down to a short stretch, then element by element, each with its own bar."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.accuse import Charge, charge
from gradcheck.derivative.central import Estimate, estimate, stencil
from gradcheck.derivative.deep import probe
from gradcheck.derivative.function import Block, Comparison, Vector
from gradcheck.derivative.noise import Precision
from gradcheck.derivative.probe import Centre, Direction, Scalar, cotangent, element, step_to

# Blocks up to here are looked at element by element (four forwards each), larger ones first bisected to a stretch.
_SMALL, _STRETCH = 256, 32
# So many of the worst elements are heard before the search gives up.
_HEARD = 4


@dataclass(frozen=True, slots=True)
class Worst:
    """An element found wrong: its place in the block, and its estimate per unit of ``x``."""

    index: int
    analytic: float
    numeric: float
    error_bar: float

    def comparison(self, block: Block, wrong: int | None) -> Comparison:
        """Return the failed comparison of a block that this element stands for, one of ``wrong``."""
        return Comparison(
            block.name,
            "fail",
            analytic=self.analytic,
            numeric=self.numeric,
            error_bar=self.error_bar,
            index=self.index,
            wrong=wrong,
        )

    @property
    def badness(self) -> float:
        """How many bars the difference is wide."""
        return abs(self.numeric - self.analytic) / max(self.error_bar, 1e-300)


def locate(centre: Centre, block: Block, direction: Direction, found: Charge) -> Comparison | None:
    """Find the worst element behind a charge, and confirm it by itself; None where no element can be."""
    n, h = block.stop - block.start, found.estimate.h
    first, stop = (0, n) if n <= _SMALL else _narrow(centre, block, direction, found)
    seen: list[tuple[float, float, int]] = []
    for i in range(first, stop):
        e = _one_step(centre, block, i, found, h)
        if e is not None and not e.agrees:
            # Beyond a million bars all are equally certain: then the larger difference is the worse.
            seen.append((min(abs(e.residual) / max(e.bar, 1e-300), 1e6), abs(e.residual), i))
    wrong = sum(ratio > 2.0 for ratio, _, _ in seen) if n <= _SMALL else None
    for _, _, i in sorted(seen, reverse=True)[:_HEARD]:
        worst = confirm(centre, block, i, found.scalar, found.precision)
        if worst is not None:
            return worst.comparison(block, wrong=None if wrong is None else max(wrong, 1))
    return None


def _one_step(centre: Centre, block: Block, i: int, found: Charge, h: float) -> Estimate | None:
    s = stencil(centre, element(centre, block, i), h)
    return None if s is None else estimate(s, found.scalar, found.precision)


def confirm(centre: Centre, block: Block, i: int, scalar: Scalar, precision: Precision) -> Worst | None:
    """Probe one element with the step that suits it, and charge it; None where the charge does not stand."""
    d = element(centre, block, i)
    found = probe(centre, d, scalar, centre.precision.step, precision)
    if found.best is None or found.best.agrees:
        return None
    c = charge(centre, found)
    if not c.stands:
        return None
    s = float(d.v[0])
    analytic = float(c.scalar.g[block.start + i])
    numeric = 0.0 if c.estimate.dead else analytic + c.estimate.residual / s
    return Worst(i, analytic, numeric, c.estimate.bar / s)


def confirm_twice(centre: Centre, block: Block, i: int, suspect: Scalar, precision: Precision) -> Worst | None:
    """Confirm an element under the cotangent that raised suspicion and under a fresh one of the same outputs."""
    found = confirm(centre, block, i, suspect, precision)
    if found is None:
        return None
    return found if confirm(centre, block, i, again(centre, suspect), precision) is not None else None


def again(centre: Centre, scalar: Scalar) -> Scalar:
    """Draw a fresh cotangent over the same outputs."""
    return centre.scalar(np.where(scalar.w == 0.0, 0.0, cotangent(centre)))


def _narrow(centre: Centre, block: Block, direction: Direction, found: Charge) -> tuple[int, int]:
    """Halve the direction, two forwards a time, and follow the half with the larger residual (its sibling is the rest).

    Adaptive group testing (Dorfman 1943; Hwang 1972): one wrong element among n costs ``2 log2(n)`` forwards.
    """
    start, stop, r = 0, block.stop - block.start, found.estimate.residual
    while stop - start > _STRETCH:
        middle = (start + stop) // 2
        left = _residual(centre, block, direction.v[start:middle], start, found)
        if left is None:
            break
        right = r - left
        start, stop, r = (start, middle, left) if abs(left) > abs(right) else (middle, stop, right)
    return start, min(stop, start + _SMALL)


def _residual(centre: Centre, block: Block, v: Vector, start: int, found: Charge) -> float | None:
    h = found.estimate.h
    d = Direction(slice(block.start + start, block.start + start + v.size), v)
    up, down = step_to(centre, d, h), step_to(centre, d, h, -1.0)
    y_up = centre.forward_at(up)
    y_down = None if y_up is None else centre.forward_at(down)
    if y_up is None or y_down is None:
        return None
    return float((found.scalar.w * (y_up - y_down)).sum() - (found.scalar.g * (up - down)).sum()) / (2.0 * h)
