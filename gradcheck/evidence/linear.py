"""Backward as a linear map of the cotangent: combinations of cotangents, zero, and one that is broadcast."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.evidence.agree import NEAR, Arrays, clearly_agree, disagree, top
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
    """Hold B(s w) against s B(w) at several scales, and B(w + u) against B(w) + B(u); five calls of backward.

    ``u`` is constant along an axis, so that it can be handed over as what `numpy.broadcast_to` makes, read-only
    and with a stride of 0, like the gradient of a sum or a mean.
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
    of_sum = runs(tuple(a + b for a, b in zip(w, u, strict=True)))
    sums, broadcast = _sums(runs, finite, of_sum, u)
    zero = runs(tuple(np.zeros_like(part) for part in w))
    return Linear((*tests, *sums), zero, broadcast)


def _sums(runs: Runs, of_w: Arrays, of_sum: Arrays, u: Outputs) -> tuple[list[Linearity], Trial | None]:
    """Add B(u) to B(w), first for ``u`` as a broadcast view; where that is no use, for a plain copy of it too."""
    try:
        of_view: Arrays | Exception = runs(u)
    except BackwardRaised as raised:
        of_view = raised.error
    if isinstance(of_view, Mapping):
        sums = _added(of_w, of_view, of_sum)
        if sums and not any(disagree(s.expected, s.found, s.size, NEAR) for s in sums):
            return sums, None
    plain = runs(tuple(np.array(part, order="C") for part in u))
    how = "for a dout that numpy.broadcast_to made (read-only, with strides of 0)"
    trial = None if clearly_agree(plain, of_view) else Trial("layout of dout", how, plain, of_view)
    return _added(of_w, plain, of_sum), trial


def _added(of_w: Arrays, of_u: Arrays, of_sum: Arrays) -> list[Linearity]:
    label = "backward(dout1 + dout2) is not backward(dout1) + backward(dout2)"
    return [
        Linearity(name, label, g + of_u[name], of_sum[name], max(top(g), top(of_u[name])))
        for name, g in of_w.items()
        if name in of_u and name in of_sum
    ]


def _constant_along_an_axis(part: Array, seed: int) -> Array:
    """Draw a cotangent that is constant along one axis, or along all of them, and hand it out as a broadcast view."""
    rng = stream(seed, "cotangent", "second")
    which = seed % (part.ndim + 1)
    shape = tuple(1 if which in {k, part.ndim} else size for k, size in enumerate(part.shape))
    few = np.asarray(rng.choice((-1.0, 1.0), shape) * rng.uniform(1.0, 2.0, shape), part.dtype)
    few.flags.writeable = False
    return np.broadcast_to(few, part.shape)
