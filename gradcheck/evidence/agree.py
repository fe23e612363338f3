"""When two runs gave the same: but for rounding, or to the last bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gradcheck.subject.protocol import Array, Outputs

Arrays = Mapping[str, Array]

# A right backward is linear, and the same from run to run, but for its rounding; one that is not is off by about its
# own size. A part in a thousand of the largest element lies far from both, down to float16 inside; what float16 rounds
# away altogether is excluded by the square root of its own eps.
SHARE = 1e-3
NEAR = 1e-9


def same_outputs(a: Outputs, b: Outputs) -> bool:
    """Whether two runs gave the same but for rounding (threads may sum in another order)."""

    def same(y: Array, z: Array) -> bool:
        if y.shape != z.shape:
            return False
        allowed = 1e3 * float(np.finfo(y.dtype).eps) * top(y)
        return bool(np.all(np.abs(y - z) <= allowed)) or np.array_equal(y, z, equal_nan=True)

    return len(a) == len(b) and all(same(y, z) for y, z in zip(a, b, strict=True))


def disagree(expected: Array, found: Array, size: float = 0.0, share: float = SHARE) -> bool:
    """Whether two gradients differ by more than ``share`` of the largest element; what is not finite does not count.

    Backwards that round in float32 or float16 are given the square root of that format's own eps.
    """
    if expected.shape != found.shape or not (np.all(np.isfinite(expected)) and np.all(np.isfinite(found))):
        return False
    size = max(size, top(expected), top(found))
    eps = float(np.finfo(found.dtype).eps)
    return bool(np.max(np.abs(expected - found), initial=0.0) > max(share, 4.0 * eps**0.5) * size)


def clearly_agree(expected: Arrays, found: Arrays | Exception) -> bool:
    """Whether two sets of gradients are so near to each other that nothing needs to be looked into."""
    return isinstance(found, Mapping) and expected.keys() <= found.keys() and all(
        np.array_equal(g, found[name], equal_nan=True)
        or (bool(np.all(np.isfinite(found[name]))) and not disagree(g, found[name], share=NEAR))
        for name, g in expected.items()
    )  # fmt: skip


def top(g: Array) -> float:
    """Return the size of the largest element."""
    return float(np.max(np.abs(g), initial=0.0))


def bitwise(a: Array, b: Array) -> bool:
    """Whether two arrays hold the very same bytes."""
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()
