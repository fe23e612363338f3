"""The numeric side in one function: hold a function's analytic gradient against its numeric derivative."""

from __future__ import annotations

import numpy as np

from gradcheck.derivative.alone import alone
from gradcheck.derivative.complete import complete
from gradcheck.derivative.complex_step import ComplexStep
from gradcheck.derivative.function import Block, Comparison, Function
from gradcheck.derivative.joint import Joint, joint
from gradcheck.derivative.noise import norm
from gradcheck.derivative.probe import Centre, Scalar, cotangent
from gradcheck.derivative.verdict import passed, proven, refined

# To compare every element, structure is looked for in blocks of up to so many elements for each stencil allowed.
_ELEMENTS = 64


def compare(function: Function, rng: np.random.Generator, *, complete_up_to: int = 0) -> dict[str, Comparison]:
    """Hold the analytic gradient of every block against the numeric derivative.

    Parameters
    ----------
    function : Function
        The function at its point.
    rng : numpy.random.Generator
        Draws directions and cotangents. It must not be the stream that drew the point.
    complete_up_to : int
        Blocks that pass by direction are also compared element by element, where so many stencils of four forwards are
        enough for that: one for each element, or for each colour of elements that no output shares.

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

    step = ComplexStep(centre)
    scalar = centre.scalar(cotangent(centre))
    finite = tuple(block for block in blocks if np.isfinite(scalar.g[block.where]).all())
    for block in blocks:
        found[block.name] = Comparison(block.name, "inconclusive", reason="the analytic gradient is not finite")
    agreed = joint(centre, finite, scalar)
    together = tuple(block for block in finite if block.name in agreed.resolution)
    found |= _together(step, together, scalar, agreed)
    for block in finite:
        precision = centre.precision
        if block not in together:
            found[block.name], precision = alone(step, block, scalar)
        one = found[block.name]
        if one.verdict == "pass" and block.stop - block.start <= _ELEMENTS * complete_up_to:
            found[block.name] = complete(centre, block, scalar, one, precision, at_most=complete_up_to)
    return found


def _together(step: ComplexStep, blocks: tuple[Block, ...], scalar: Scalar, agreed: Joint) -> dict[str, Comparison]:
    """Let the blocks that agreed jointly pass, as closely as the complex step can tell, or find what it sees.

    In a coarse format the rounding of all blocks would drown the differences of one: they are gone through one by one.
    """
    found: dict[str, Comparison] = {}
    groups = [blocks] if step.centre.precision.is_fine else [(block,) for block in blocks]
    for group in filter(None, groups):
        found |= _exactly(step, group, scalar, agreed)
    return found


def _exactly(step: ComplexStep, blocks: tuple[Block, ...], scalar: Scalar, agreed: Joint) -> dict[str, Comparison]:
    found = {block.name: passed(block, agreed.resolution[block.name]) for block in blocks}
    precision = step.centre.precision
    v = np.zeros(step.centre.x.size)
    for block in blocks:
        v[block.where] = agreed.tangents[block] / precision.step
    sizes = {block: norm(scalar.g[block.where] * v[block.where]) for block in blocks}
    exact = step.along(slice(0, v.size), v, scalar, precision)
    # The difference is at most what differences may have missed, or the complex step is of another function.
    missed = max(agreed.resolution[block.name] * size for block, size in sizes.items())
    if exact is None or abs(exact.residual) > 2.0 * missed:
        return found
    if exact.is_suspicious:
        wrong = proven(step, blocks, scalar, v, precision)
        if wrong is not None:
            return found | {wrong.name: wrong}
    return {block.name: refined(block, found[block.name], exact, size) for block, size in sizes.items()}
