"""Backward as a linear map of the cotangent: combinations of cotangents, zero, and one that is broadcast."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.evidence.agree import Arrays, clearly_agree, top
from gradcheck.evidence.calls import BackwardRaised
from gradcheck.evidence.record import Linearity, Trial
from gradcheck.subject.protocol import Array, Outputs

# Powers of two scale floating-point numbers exactly, so a linear backward scales exactly too: what is left is only
# what the backward rounds. 2**10 takes a cotangent beyond any clipping in use, 2**-30 below any dead zone; in a coarser
# format that is below everything, and 2**-10 must do.
_UP, _DOWN, _DOWN_IF_COARSE = -(2.0**10), 2.0**-30, 2.0**-10

Runs = Callable[[Outputs], Arrays]  # backward at the point, for the very arrays that it is given


@dataclass(frozen=True, slots=True)
class Linear:
    """What the combinations gave, what zero gave, and what a broadcast cotangent gave."""

    tests: tuple[Linearity, ...]
    zero: Arrays
    broadcast: Trial | None


def linearity(runs: Runs, arrays: Arrays, w: Outputs, seed: int) -> Linear:
    """Hold B(s w) against s B(w) at several scales, and B(w + u) against B(w) + B(u); six calls of backward.

    ``u`` is constant along an axis, so that it can be handed over a second time as what `numpy.broadcast_to` makes,
    read-only and with a stride of 0, like the gradient of a sum or a mean.
    """
    finite = {name: g for name, g in arrays.items() if np.all(np.isfinite(g))}
    tests: list[Linearity] = []
    fine = all(part.dtype.itemsize >= 8 for part in w)
    for scale in (_UP, _DOWN if fine else _DOWN_IF_COARSE):
        scaled = runs(tuple((scale * part).astype(part.dtype) for part in w))
        label = f"backward({scale:g} * dout) is not {scale:g} * backward(dout)"
        tests += [
            Linearity(n, label, scale * g, scaled[n], abs(scale) * top(g)) for n, g in finite.items() if n in scaled
        ]
    u = tuple(_constant_along_an_axis(part, seed) for part in w)
    of_u = runs(tuple(np.array(part, order="C") for part in u))
    of_sum = runs(tuple(a + b for a, b in zip(w, u, strict=True)))
    label = "backward(dout1 + dout2) is not backward(dout1) + backward(dout2)"
    for name in finite.keys() & of_u.keys() & of_sum.keys():
        g, g_u = finite[name], of_u[name]
        tests.append(Linearity(name, label, g + g_u, of_sum[name], max(top(g), top(g_u))))
    zero = runs(tuple(np.zeros_like(part) for part in w))
    return Linear(tuple(tests), zero, _broadcast(runs, u, of_u) if any(part.size > 1 for part in u) else None)


def _broadcast(runs: Runs, u: Outputs, expected: Arrays) -> Trial | None:
    how = "for a dout that numpy.broadcast_to made (read-only, with strides of 0)"
    try:
        found: Arrays | Exception = runs(u)
    except BackwardRaised as raised:
        found = raised.error
    return None if clearly_agree(expected, found) else Trial("layout of dout", how, expected, found)


def _constant_along_an_axis(part: Array, seed: int) -> Array:
    """Draw a cotangent that is constant along one axis, or along all of them, and hand it out as a broadcast view."""
    rng = stream(seed, "cotangent", "second")
    which = seed % (part.ndim + 1)
    shape = tuple(1 if which in {k, part.ndim} else size for k, size in enumerate(part.shape))
    few = np.asarray(rng.choice((-1.0, 1.0), shape) * rng.uniform(1.0, 2.0, shape), part.dtype)
    few.flags.writeable = False
    return np.broadcast_to(few, part.shape)
