"""The fast path: one direction over all arguments at once decides most passes, in two forwards."""

from __future__ import annotations

import numpy as np

from gradcheck.derivative.function import Block
from gradcheck.derivative.noise import norm, rounded
from gradcheck.derivative.probe import Centre, Scalar, direction

# An argument whose derivative along its direction is larger than another's moves less, so that it does not drown the
# other in its rounding; but never less than this, or it would itself be lost in that of the outputs.
_LEAST_SHARE = 2.0**-6


def joint(centre: Centre, blocks: tuple[Block, ...], scalar: Scalar) -> dict[str, float]:
    """Compare all arguments along one direction by a central difference.

    Returns
    -------
    dict of str to float
        Per argument that agreed, its resolution; arguments that this cannot decide are left out.

    Notes
    -----
    ``r = w @ (y+ - y-) - g @ (x+ - x-)`` over ``2h``, with the realised ``x+- = fl(x +- h v)`` (the directional check
    of Squire & Trapp's central difference; Dennis & Schnabel 1983, section 5.6 for the step). No error bar is needed
    to agree: a wrong gradient meets the numeric one to ``2**-28`` by luck once in about ``2**28`` draws. The bar is
    needed only to accuse, which this never does.
    """
    w, g = scalar.w, scalar.g
    h, precision = centre.precision.step, centre.precision
    directions = {block: direction(centre, block, g) for block in blocks}
    sizes = {block: norm(g[block.where] * d.v) for block, d in directions.items()}
    least = min((size for size in sizes.values() if size > 0.0), default=0.0)
    share = {block: min(1.0, max(_LEAST_SHARE, least / size)) if size > 0.0 else 1.0 for block, size in sizes.items()}

    d = np.zeros(centre.x.size)
    for block, tangent in directions.items():
        d[block.where] = h * share[block] * tangent.v
    up, down = rounded(centre.x + d, centre.function.blocks), rounded(centre.x - d, centre.function.blocks)
    y_up = centre.forward_at(up)
    y_down = None if y_up is None else centre.forward_at(down)
    if y_up is None or y_down is None:
        return {}

    q = {block: g[block.where] * (up - down)[block.where] / (2.0 * h) for block in blocks}
    r = abs(float((w * (y_up - y_down)).sum()) / (2.0 * h) - sum(float(q_b.sum()) for q_b in q.values()))
    felt = {block: norm(q_b) for block, q_b in q.items()}
    reference = norm(np.array(list(felt.values())))
    if not r <= precision.agreement * reference:
        return {}
    resolution = {b.name: precision.agreement * reference / size for b, size in felt.items() if size > 0.0}
    return {name: value for name, value in resolution.items() if value <= precision.loosest}
