"""GC4: backward is a linear map of the cotangent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.records import Finding
from gradcheck.rules.evidence import Evidence
from gradcheck.subject.protocol import Array

# A right backward is linear but for its rounding; one that is not (dout ignored, clipped, squared, rectified) is wrong
# by about its own size. A part in a thousand of the largest element lies far from both, down to float16 inside; what
# float16 rounds away altogether is excluded by the square root of its own eps.
_SHARE = 1e-3


def linear(evidence: Evidence) -> Iterator[Finding]:
    """GC401: backward is not linear in ``dout``.

    A pullback is the transpose of a Jacobian: ``backward(a * u + b * v) == a * backward(u) + b * backward(v)``. It is
    tried for the sum of two random cotangents, and for multiples by -1, 1024 and 1/1024.

    Wrong::

        return self.mask * 1.0     # dout ignored: right only where dout is 1, at the end of a network

    Not flagged: rounding, in whatever precision the layer works.

    To mend it, multiply by ``dout``, once.
    """
    for argument in evidence.owed:
        if lost_in_rounding(evidence, argument.name):
            continue
        for test in evidence.linearity:
            if test.argument == argument.name and disagree(test.expected, test.found, test.size):
                yield Finding(
                    "GC401", "error", f"the gradient of {argument.name} is not linear in dout", argument.name,
                    diagnosis=(test.test, *_looks_like(evidence, argument.name)),
                )  # fmt: skip
                break


def lost_in_rounding(evidence: Evidence, argument: str) -> bool:
    """Whether a gradient is so small, or so noisy, at this case that only its rounding would be looked at."""
    if argument in evidence.left_out:
        return False
    comparison = evidence.comparisons.get(argument)
    if comparison is None or comparison.verdict in {"vacuous", "inconclusive"}:
        return True
    return comparison.verdict == "pass" and comparison.resolution > _SHARE / 10


def disagree(expected: Array, found: Array, size: float = 0.0) -> bool:
    """Whether two gradients differ by more than any rounding could explain; what is not finite is not compared."""
    if expected.shape != found.shape or not (np.all(np.isfinite(expected)) and np.all(np.isfinite(found))):
        return False
    size = max(size, float(np.max(np.abs(expected), initial=0.0)), float(np.max(np.abs(found), initial=0.0)))
    eps = float(np.finfo(found.dtype).eps)
    return bool(np.max(np.abs(expected - found), initial=0.0) > max(_SHARE, 4.0 * eps**0.5) * size)


def _looks_like(evidence: Evidence, argument: str) -> tuple[str, ...]:
    tests = [t for t in evidence.linearity if t.argument == argument]
    first = evidence.arrays[argument]
    if all(not disagree(first, t.found) for t in tests):
        return ("dout is ignored: backward gives the same whatever dout is",)
    if all(not disagree(first * 4.0**k, t.found) for k, t in zip((0, 10, -10), tests, strict=False)):
        return ("it grows with the square of dout",)
    return ()
