"""The numeric side in one function: hold a function's analytic gradient against its numeric derivative."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gradcheck.derivative.accuse import Charge, charge
from gradcheck.derivative.central import Estimate
from gradcheck.derivative.complete import complete
from gradcheck.derivative.deep import Probe, probe
from gradcheck.derivative.function import Block, Comparison, Function
from gradcheck.derivative.joint import joint
from gradcheck.derivative.locate import locate
from gradcheck.derivative.noise import Precision
from gradcheck.derivative.probe import Centre, Scalar, cotangent, direction

# An accusation must reproduce in a fresh direction with a fresh cotangent; so many are drawn before giving up.
_DRAWS, _REPRODUCED = 4, 2


def compare(function: Function, rng: np.random.Generator, *, complete_up_to: int = 0) -> dict[str, Comparison]:
    """Hold the analytic gradient of every block against the numeric derivative.

    Parameters
    ----------
    function : Function
        The function at its point.
    rng : numpy.random.Generator
        Draws directions and cotangents. It must not be the stream that drew the point.
    complete_up_to : int
        Blocks of at most so many elements that pass by direction are also compared element by element.

    Returns
    -------
    dict of str to Comparison
        One per block, in order. See ``docs/numerics.md`` for how a verdict is reached.

    Examples
    --------
    >>> def square(x):
    ...     return x**2, lambda w: 2 * w * x
    >>> def wrong(x):
    ...     return x**2, lambda w: w * x
    >>> x = np.array([0.5, -1.5, 2.0])
    >>> block = Block("x", 0, 3, x.dtype)
    >>> compare(Function(square, x, (block,)), np.random.default_rng(0))["x"].verdict
    'pass'
    >>> found = compare(Function(wrong, x, (block,)), np.random.default_rng(0))["x"]
    >>> found.verdict, found.wrong, round(found.numeric / found.analytic, 6)
    ('fail', 3, 2.0)
    """
    found = {block.name: Comparison(block.name, "vacuous", reason="it is empty") for block in function.blocks}
    blocks = tuple(block for block in function.blocks if block.stop > block.start)
    if not blocks:
        return found

    centre = Centre(function, rng)
    if centre.y.size == 0:
        return {name: Comparison(name, "vacuous", reason="the output is empty") for name in found}
    if not np.isfinite(centre.y).all():
        return {name: Comparison(name, "inconclusive", reason="the output is not finite") for name in found}

    scalar = centre.scalar(cotangent(centre))
    finite = tuple(block for block in blocks if np.isfinite(scalar.g[block.where]).all())
    for block in blocks:
        found[block.name] = Comparison(block.name, "inconclusive", reason="the analytic gradient is not finite")
    agreed = joint(centre, finite, scalar)
    for block in finite:
        if block.name in agreed:
            one, precision = Comparison(block.name, "pass", agreed[block.name]), centre.precision
        else:
            one, precision = _alone(centre, block, scalar)
        if one.verdict == "pass" and block.stop - block.start <= complete_up_to:
            one = complete(centre, block, scalar, one, precision)
        found[block.name] = one
    return found


def _alone(centre: Centre, block: Block, scalar: Scalar) -> tuple[Comparison, Precision]:
    """Decide one block by itself, in a few draws, each with the step that suits it; and say how finely it computes."""
    charges: list[tuple[Probe, Charge]] = []
    precision, reason, seen = centre.precision, "", 0.0  # the largest relative difference that was let go
    for draw in range(_DRAWS):
        if draw > 0:
            scalar = centre.scalar(cotangent(centre))
            if not np.isfinite(scalar.g[block.where]).all():
                reason = "the analytic gradient is not finite"
                break
        probed = probe(centre, direction(centre, block, scalar.g), scalar, centre.precision.step, precision)
        precision = probed.precision
        if probed.best is None:
            reason = probed.reason
        elif not probed.best.agrees:
            accused = charge(centre, probed)
            reason = accused.reason or "the difference did not reproduce in a fresh direction"
            seen = max(seen, abs(probed.best.residual) / probed.best.size if probed.best.size > 0.0 else np.inf)
            charges += [(probed, accused)] if accused.stands else []
            if len(charges) == _REPRODUCED:
                return _failed(centre, block, *charges[0]), precision
        elif not charges:
            agreed = _agreement(block, probed.best, probed.precision.limit)
            if agreed.verdict == "vacuous" or (agreed.verdict == "pass" and seen <= probed.precision.limit):
                return replace(agreed, resolution=max(seen, agreed.resolution)), precision
            reason = reason or agreed.reason
    return Comparison(block.name, "inconclusive", reason=reason), precision


def _agreement(block: Block, e: Estimate, limit: float) -> Comparison:
    """Say what an agreement within the bar is worth."""
    if e.resolution <= limit:
        return Comparison(block.name, "pass", e.resolution)
    if e.structure > 0.5 * e.bar:
        reason = "too much of the output lies on a kink, or bends too fast, to tell a slope"
        return Comparison(block.name, "inconclusive", reason=reason)
    if e.size <= e.bar:
        reason = "the gradient is zero, or lost in the rounding of the output"
        return Comparison(block.name, "vacuous", reason=reason)
    return Comparison(block.name, "inconclusive", reason="the output is too noisy to tell a slope")


def _failed(centre: Centre, block: Block, probed: Probe, charged: Charge) -> Comparison:
    """Name the worst element; a charge that holds for no single element is not brought."""
    reason = "the gradient differs along a direction, but no single element differs beyond its own error bar"
    return locate(centre, block, probed.direction, charged) or Comparison(block.name, "inconclusive", reason=reason)
