"""What levels say of a slope when they are heard together, output by output.

The bar of a level is ``|t| + |d4|/4h`` (*structure*: kinks, curvature; the latter only where it is no rounding) plus
six standard deviations of rounding, ``6 * 0.95 sigma / h``; `gradcheck.derivative.central` says why.

One output has one sample of ``sigma`` a level, ``|d4| / sqrt(70)`` (Hamming 1971; More & Wild 2011, *ECnoise*). That is
ten times too small once in thirteen draws, and so is a bar that believes it. But rounding does not depend on the step,
so that levels lend each other their samples. ``sigma`` is at least 0.3 units in the last place (times what most outputs
show in that unit), and else the root of the sum of the squares of

- ``|d4| / sqrt(70)`` here, at all smaller steps, and at the next larger one (if what showed there was no rounding, the
  level below this one is free of it);
- ``sqrt(2) h |dy1 - s1|`` and ``sqrt(2) 2h |dy2 - s2|``, here and at all smaller steps, where ``s1`` and ``s2`` are
  what the next larger step makes expect: its own rounding is smaller by the ratio of the steps.

With normal rounding of unknown size, two levels miss once in a million (2 of 4,000,000 simulated draws). Among the
levels each output follows Lepski (1991): intervals are intersected from the smallest step upwards, a larger one counts
only while it contradicts no smaller one, and the tightest wins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gradcheck.derivative.function import Vector
from gradcheck.derivative.levels import Level, Mask, Point

Table = NDArray[np.float64]  # (levels, outputs), smallest step first

# Six standard deviations of r, and of a one-sided slope (at most), in units of that of y over h. What t tells of the
# rounding of r, -1.13 t, is bounded by this times |t|.
_ROUNDING, _ONE_SIDED, _OF_T = 6.0 * 0.95, 6.0 * 2.7, 1.15
# The standard deviation of d4; that of a value rounded to nearest, in units in the last place; and up to so many of
# these d4 may be rounding (as in `central`).
_SIGMA_D4, _ULP, _QUIET = 70.0**0.5, 0.3, 16.0
# The median of |N(0, 1)|, and how many outputs have one worth asking.
_MEDIAN, _MANY = 0.67, 5
# Formats so fine leave room for many smaller steps, at which rounding shows.
_FINE = 2.0**-40
# From step to step rounding stays, while a kink's d4 grows by the ratio, 4 or more; and what is smooth grows with the
# square of the step, and hardly by so many times more.
_GROWS, _ABRUPT = 3.0, 4.0
# Where structure exceeds this share of the slope, the step is beyond the range where a slope means anything ...
_SOUND = 0.1
# ... but for slopes near zero, which have no share: there it has to shrink by this from step to step.
_SHRINKS = 2.0
# At a kink the jump of the slope is the same, to this, at so many steps.
_SAME, _LEVELS = 0.25, 3
# So many times what the shift of the stencil adds to d4 is no kink yet.
_SHIFTED = 8.0
# Rounding beyond so many units in the last place is not believed to be rounding before smaller steps have said so;
# and beyond this share of the output it is a jump, unless a slope stands clear of it.
_PLAUSIBLE, _JUMP = 2.0**12, 2.0**-10
# The slope along what rounding kept from the stencil is believed but for this share.
_REST = 0.25


@dataclass(frozen=True, slots=True)
class View:
    """What levels say together: the estimate of each output, and at which steps a better one may be found.

    ``low`` and ``high`` are its ends. ``below``: something that is not smooth, or not finite, keeps the bar wide, and a
    smaller step may mend that; ``above``: it is rounding, and a larger step may. ``repeated``: two steps gave one.
    ``h``, ``bend``, ``t``, ``sigma``, ``dead`` are those of the step chosen; ``size`` is how large the output is;
    ``against`` is the first step beyond that contradicts it, or is far from smooth all of a sudden (zero: none is).
    """

    value: Vector
    low: Vector
    high: Vector
    kinks: Mask
    size: Vector
    repeated: Mask
    below: Mask
    above: Mask
    h: Vector
    bend: Vector
    t: Vector
    sigma: Vector
    dead: Mask
    against: Vector

    @property
    def bar(self) -> Vector:
        """Half of the distance of the ends."""
        return self.high / 2.0 - self.low / 2.0

    def settled(self, target: float) -> Mask:
        """Whether a bar is this small beside the slope, or beside the output where the slope could be zero."""
        zero = (self.low <= 0.0) & (self.high >= 0.0)
        return self.repeated & ((self.bar <= target * np.abs(self.value)) | (zero & (self.bar <= target * self.size)))


def judge(point: Point, levels: list[Level], onset: Vector, grain: Vector) -> View:
    """Choose an estimate per output, from steps that reach as far as ``onset``, where grains of that size begin."""

    def table(name: str) -> Table:
        return np.stack([getattr(level, name) for level in levels])

    eps, tiny = point.precision.eps, point.precision.tiny
    h = np.array([[level.h] for level in levels])
    r, dy1, t, bend, d4, rest, largest = map(table, ("r", "dy1", "t", "bend", "d4", "rest", "largest"))
    dead = np.stack([level.dead for level in levels])
    finite = np.isfinite(r + t + d4)
    ok = finite & (2.0 * h >= onset) & ~(dead & (onset > 0.0))
    r, dy1, t, d4 = (np.where(ok, z, 0.0) for z in (r, dy1, t, d4))
    unseen = dead | (eps > _FINE)
    size = np.where(unseen, np.maximum(largest, _hidden(point, largest)), largest)
    promised = np.maximum(np.where(size > 0.0, np.maximum(eps * size, tiny), 0.0), grain)
    ulp = promised * _coarser(np.abs(d4), promised.max(axis=0), dead)

    loud = np.maximum(np.abs(d4), h * np.abs(t))
    structure = np.abs(d4) / (4.0 * h) + np.abs(t)
    small = structure <= _SOUND * np.abs(dy1)
    shown = np.abs(d4) / _SIGMA_D4
    so_far = np.hypot.accumulate(shown)
    others = np.hypot(_next(shown), _unexplained(h, r=r, dy1=dy1, t=t, structure=structure, ok=ok))
    sigma = np.maximum(_ULP * ulp, np.hypot(so_far, np.where(dead, 0.0, others)))
    bars = _ROUNDING / h * sigma + _OF_T * np.abs(t) + np.where(loud <= _QUIET * ulp, 0.0, np.abs(d4) / (4.0 * h))
    bars += _REST * np.abs(rest) + 2.0**-50 * np.abs(r)
    bars = np.where(dead, np.maximum(bars, _QUIET * ulp / (2.0 * h)), bars)  # it may rest on grains of so many

    known = _ROUNDING / h * np.maximum(_ULP * ulp, _last(so_far))  # by what smaller steps have shown of it
    shrinks = (_SHRINKS * structure <= _next(structure)) & _next(ok)
    sound = ok & (small | (structure <= known) | shrinks)
    suddenly = structure > _ABRUPT * (h / _last(h, h)) ** 2 * _last(structure + known)
    suddenly &= ok & _last(ok) & ~dead
    chosen, best, against = _lepski(r, bars, sound, suddenly, h)

    def pick(z: NDArray[Any]) -> NDArray[Any]:
        return np.asarray(np.take_along_axis(np.broadcast_to(z, r.shape), chosen[None], axis=0)[0])

    value, whole = np.where(np.isfinite(best), pick(r), 0.0), size.max(axis=0)
    jump = (np.abs(value) <= best) & (pick(so_far) > max(_JUMP, _QUIET * eps) * whole)
    bar = np.where(jump, np.inf, best)
    kinks, low, high = _kinks(levels, ok, eps * largest)
    grows = _next(loud)[0] > _GROWS * loud[0]
    odd = (~small[0] | (best > _SOUND * np.abs(value))) & (loud[0] > _PLAUSIBLE * promised[0])
    structured = structure[0] > _ROUNDING / h[0] * _ULP * promised[0]
    lent = _next(shown)[0] > _GROWS * np.maximum(_ULP * ulp, so_far)[0]  # what is no rounding, perhaps
    rounded = ok[-1] & (structure[-1] <= _ROUNDING / h[-1] * np.maximum(_ULP * ulp, so_far)[-1])
    return View(
        value=np.where(kinks, low / 2.0 + high / 2.0, value),
        low=np.where(kinks, low, value - bar),
        high=np.where(kinks, high, value + bar),
        kinks=kinks,
        size=whole,
        repeated=np.count_nonzero(finite, axis=0) > 1,
        below=(~finite[0] | (~dead[0] & (lent | (structured & (grows | odd))))) & (onset == 0.0),
        above=(rounded & (bars[-1] <= best)) | ~np.isfinite(bar),
        h=pick(h),
        bend=pick(bend),
        t=pick(t),
        sigma=pick(sigma),
        dead=pick(dead),
        against=against,
    )


def _next(z: NDArray[Any]) -> NDArray[Any]:
    """Return what the next larger step has; zero or False at the largest."""
    return np.concatenate([z[1:], np.zeros_like(z[:1])])


def _last(z: NDArray[Any], first: NDArray[Any] | None = None) -> NDArray[Any]:
    """Return what the next smaller step has; zero or False, or as given, at the smallest."""
    return np.concatenate([np.zeros_like(z[:1]) if first is None else first[:1], z[:-1]])


def _hidden(point: Point, largest: Table) -> Table:
    """Return the size of what an output that does not move may have been rounded from: others, or x if it is zero."""
    typical = float(np.median(largest[largest > 0.0])) if (largest > 0.0).any() else 0.0
    return np.where(largest > 0.0, typical, max(typical, float(np.abs(point.x).max())))


def _coarser(d4: Table, ulp: Vector, dead: Mask) -> float:
    """Return in how many units in the last place most outputs seem to be computed: d4 shows it, if it does not grow."""
    medians = []
    for shown, rests in zip(d4[:2], dead[:2], strict=True):
        moving = (ulp > 0.0) & ~rests
        if np.count_nonzero(moving) < _MANY:
            return 1.0
        medians.append(float(np.median(shown[moving] / ulp[moving])) / (_MEDIAN * _SIGMA_D4 * _ULP))
    grows = len(medians) < 2 or medians[1] > _GROWS * medians[0]
    return 1.0 if grows else max(1.0, *medians)


def _unexplained(h: Table, *, r: Table, dy1: Table, t: Table, structure: Table, ok: Mask) -> Table:
    """Return what slopes show beside those that the next larger step makes expect: for that step and all smaller ones.

    Where a function is smooth, ``dy1 = y' + h**2 y'''/6`` and ``dy2 = y' + 4 h**2 y'''/6`` with ``y''' = 2 t / h**2``;
    the larger step's own error is of the second order in its structure.
    """
    shown = np.zeros_like(r)
    for i in range(len(h) - 1):
        truncation = t[i + 1] / 3.0 * (h[i] / h[i + 1]) ** 2
        with np.errstate(all="ignore"):
            own = structure[i + 1] * np.fmin(1.0, 4.0 * structure[i + 1] / np.abs(dy1[i + 1]))
        off1 = np.abs(dy1[i] - r[i + 1] - truncation) - own
        off2 = np.abs(dy1[i] + t[i] - r[i + 1] - 4.0 * truncation) - own
        off = 2.0**0.5 * h[i] * np.hypot(np.maximum(off1, 0.0), 2.0 * np.maximum(off2, 0.0))
        shown[i] = np.where(ok[i] & ok[i + 1], off, 0.0)
    return np.asarray(np.hypot.accumulate(shown))


def _lepski(r: Table, bars: Table, sound: Mask, suddenly: Mask, h: Table) -> tuple[NDArray[np.intp], Vector, Vector]:
    """Return, per output, the level chosen, its bar (infinite where there is none), and ``against`` (see `View`)."""
    chosen, best, against = np.zeros(r[0].size, dtype=np.intp), np.full(r[0].size, np.inf), np.zeros(r[0].size)
    low, high, on = np.full(r[0].size, -np.inf), np.full(r[0].size, np.inf), np.ones(r[0].size, dtype=bool)
    for i, (r_h, bar_h, sound_h) in enumerate(zip(r, bars, sound, strict=True)):
        meets = (r_h - bar_h <= high) & (r_h + bar_h >= low)
        on &= ~sound_h | meets
        use = sound_h & on
        low, high = np.where(use, np.maximum(low, r_h - bar_h), low), np.where(use, np.minimum(high, r_h + bar_h), high)
        tighter = use & (bar_h < best)
        chosen, best = np.where(tighter, i, chosen), np.where(tighter, bar_h, best)
        objects = ((sound_h & ~meets) | suddenly[i]) & (against == 0.0)
        against = np.where(tighter, 0.0, np.where(objects, h[i], against))
    return chosen, best, against


def _kinks(levels: list[Level], ok: Mask, ulp: Table) -> tuple[Mask, Vector, Vector]:
    """Return which outputs have the same jump of the slope, ``-d4/2h``, at the smallest steps that can show it.

    And how low and how high the slopes to both sides reach, their own rounding included.
    """
    kinks, hidden = np.zeros(ulp[0].size, dtype=bool), np.ones(ulp[0].size, dtype=bool)
    low, high = np.zeros(ulp[0].size), np.zeros(ulp[0].size)
    jumps = np.stack([-level.d4 / (2.0 * level.h) for level in levels])
    shifted = [_SHIFTED * level.shift * level.h * (np.abs(level.r) + np.abs(level.t)) for level in levels]
    clear = np.stack([np.abs(level.d4) for level in levels]) > np.maximum(4.0 * _QUIET * ulp, shifted)
    for i in range(len(levels) - _LEVELS + 1):
        few, jump = levels[i : i + _LEVELS], jumps[i : i + _LEVELS]
        middle = np.stack([level.r - 2.0 / 3.0 * level.t for level in few])  # of the slopes to the left and the right
        err = [
            np.abs(level.rest)
            + 4.0 * level.shift * (np.abs(level.r) + np.abs(level.d4) / level.h)
            + _ONE_SIDED * _ULP * unit / level.h
            for level, unit in zip(few, ulp[i:], strict=False)
        ]
        with np.errstate(invalid="ignore"):
            same = np.ptp(jump, axis=0) <= _SAME * np.abs(jump).max(axis=0)
            new = hidden & ~kinks & same & (clear & ok)[i : i + _LEVELS].all(axis=0)
            low = np.where(new, (middle - np.abs(jump) / 2.0 - err).min(axis=0), low)
            high = np.where(new, (middle + np.abs(jump) / 2.0 + err).max(axis=0), high)
            hidden &= ~clear[i] & ~few[0].dead & (np.abs(jump[1]) * 2.0 * few[0].h <= 8.0 * _QUIET * ulp[i])
        kinks |= new
    return kinks, low, high
