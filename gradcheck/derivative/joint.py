"""The fast path: one direction over all arguments at once decides most passes, in two forwards."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gradcheck.derivative.function import Block, Vector
from gradcheck.derivative.noise import norm
from gradcheck.derivative.probe import Centre, Scalar, direction

# An argument whose derivative along its direction is larger than another's moves less, so that it does not drown the
# other in its rounding; but never less than this, or it would itself be lost in that of the outputs.
_LEAST_SHARE = 2.0**-6


@dataclass(frozen=True, slots=True)
class Joint:
    """What one direction over all arguments decided.

    Parameters
    ----------
    resolution : dict of str to float
        Per argument that agreed, its resolution; arguments that this could not decide are left out.
    tangents : dict of Block to (n,) float64
        The direction, argument by argument.
    """

    resolution: dict[str, float]
    tangents: dict[Block, Vector]


def joint(centre: Centre, blocks: tuple[Block, ...], scalar: Scalar) -> Joint:
    """Compare all arguments along one direction by a central difference.

    Notes
    -----
    ``r = w @ (y+ - y-) - g @ (x+ - x-)`` over ``2h``, with the realised ``x+- = fl(x +- h v)`` (the directional check
    of Squire & Trapp's central difference; Dennis & Schnabel 1983, section 5.6 for the step). No error bar is needed
    to agree: a wrong gradient meets the numeric one to ``2**-28`` by luck once in about ``2**28`` draws. The bar is
    needed only to accuse, which this never does.
    """
    w, g = scalar.w, scalar.g
    h, precision = centre.precision.step, centre.precision
    tangents = {block: direction(centre, block, g).v for block in blocks}
    sizes = {block: _norm(g[block.where] * v) for block, v in tangents.items()}
    least = min((size for size in sizes.values() if size > 0.0), default=0.0)
    share = {block: min(1.0, max(_LEAST_SHARE, least / size)) if size > 0.0 else 1.0 for block, size in sizes.items()}

    for block in blocks:
        tangents[block] *= h * share[block]
    up, down = _moved(centre, tangents, np.add), _moved(centre, tangents, np.subtract)
    y_up = centre.forward_at(up)
    y_down = None if y_up is None else centre.forward_at(down)
    if y_up is None or y_down is None:
        return Joint({}, tangents)

    q = np.subtract(up, down, out=up)  # from here on nobody needs these any more: a large layer pays for every copy
    q *= g
    dy = np.subtract(y_up, y_down, out=y_up)
    dy *= w
    r = abs(float(dy.sum()) - sum(float(q[block.where].sum()) for block in blocks)) / (2.0 * h)
    felt = {block: _norm(q[block.where]) / (2.0 * h) for block in blocks}
    reference = norm(np.array(list(felt.values())))
    if not r <= precision.agreement * reference:
        return Joint({}, tangents)
    resolution = {b.name: precision.agreement * reference / size for b, size in felt.items() if size > 0.0}
    return Joint({name: value for name, value in resolution.items() if value <= precision.loosest}, tangents)


def _moved(centre: Centre, steps: dict[Block, Vector], way: np.ufunc) -> Vector:
    """Return the point moved by a step per block, rounded to what each block's format can hold."""
    x = centre.x.copy()
    for block, step in steps.items():
        here = x[block.where]
        way(here, step, out=here)
        if block.dtype != np.float64:
            here[:] = here.astype(block.dtype)
    return x


def _norm(z: Vector) -> float:
    """Return the Euclidean norm in one pass where its square is far from both ends of the format, else carefully."""
    square = float(np.dot(z, z))
    return square**0.5 if 1e-200 < square < 1e200 else norm(z)
