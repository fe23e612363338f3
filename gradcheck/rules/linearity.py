"""GC4: backward is a linear map of the cotangent."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.evidence.agree import SHARE, disagree, top
from gradcheck.evidence.record import Evidence, Linearity
from gradcheck.records import Finding
from gradcheck.rules.trials import is_fine, is_loud, lost_in_rounding
from gradcheck.subject.protocol import Array

_SMALL = 1e-6  # multiples below which are judged only where both sides are known to have the digits of float64
_NOTHING = 1e-9  # of the gradient: what zero gives beyond that is no rounding


def linear(evidence: Evidence) -> Iterator[Finding]:
    """GC401: backward is not linear in ``dout``.

    A pullback is the transpose of a Jacobian: ``backward(a * u + b * v) == a * backward(u) + b * backward(v)``. It is
    tried for the sum of two random cotangents, and for a large and a small multiple of one.

    Wrong::

        class Square:
            def forward(self, x):
                self.x = x
                return x**2

            def backward(self, dout):
                return np.clip(2 * self.x * dout, -5000.0, 5000.0)  # clipping belongs to the optimiser

    Not flagged::

        class Square:
            def forward(self, x):
                self.x = x
                return x**2

            def backward(self, dout):
                return 2 * (self.x * (dout / 3) + self.x * dout / 1.5)  # linear, but for its rounding

    To mend it, multiply by ``dout``, once.
    """
    for argument in evidence.owed:
        name = argument.name
        if name in evidence.unsteady or lost_in_rounding(evidence, name) or constant_part(evidence, name) is not None:
            continue
        comparison = evidence.comparisons.get(name)
        if comparison is not None and comparison.verdict == "fail" and not is_loud(evidence, name):
            continue  # what is left where all else cancels, wrongly
        for test in evidence.linearity:
            if test.argument == name and disagree(test.expected, test.found, test.size):
                if test.size < _SMALL * top(evidence.arrays[name]) and not is_fine(evidence, name):
                    continue  # a backward that rounds to float16 inside
                yield Finding(
                    "GC401", "error", f"the gradient of {name} is not linear in dout", name,
                    diagnosis=(test.test, *_looks_like(evidence, name)),
                )  # fmt: skip
                break


def zero(evidence: Evidence) -> Iterator[Finding]:
    """GC402: a ``dout`` of zeros gives a gradient that is not zero.

    Nothing depends on the output, and yet the parameters move.

    Wrong::

        class Scale:
            def forward(self, x):
                return 3.0 * x

            def backward(self, dout):
                return 3.0 * dout + 0.5

    Not flagged::

        class Scale:
            def forward(self, x):
                return 3.0 * x

            def backward(self, dout):
                return 3.0 * (dout + 0.5) - 1.5  # zero for zero, and linear but for its rounding

    To mend it, let everything that backward returns be a multiple of ``dout``; weight decay belongs to the optimiser.
    """
    for argument in evidence.owed:
        g, nothing = evidence.arrays.get(argument.name), evidence.zero.get(argument.name)
        if g is None or nothing is None or argument.name in evidence.unsteady or not np.all(np.isfinite(g)):
            continue
        if not np.all(np.isfinite(nothing)):
            found = "is not finite"
        elif constant_part(evidence, argument.name) is not None:
            found = f"is not zero, but up to {top(nothing):.3g}"
        else:
            continue
        message = f"the gradient of {argument.name} {found} for a dout of zeros"
        yield Finding("GC402", "error", message, argument.name)


def constant_part(evidence: Evidence, name: str) -> Array | None:
    """Return what a backward that is linear otherwise adds to its gradient, whatever ``dout`` is."""
    g, c = evidence.arrays.get(name), evidence.zero.get(name)
    if g is None or c is None or not np.all(np.isfinite(c)) or top(c) <= _NOTHING * top(g):
        return None
    if top(g - c) <= SHARE * top(c):  # nothing but the constant: dout is ignored
        return None
    tests = [test for test in evidence.linearity if test.argument == name]
    return c if tests and not any(_beyond(test, g, c) for test in tests) else None


def _beyond(test: Linearity, g: Array, c: Array) -> bool:
    """Whether a test fails even when the constant is taken out of all that it compares."""
    factor = float(np.vdot(test.expected, g) / np.vdot(g, g)) if "dout1" not in test.test else 2.0
    return disagree(test.expected - factor * c, test.found - c, test.size)


def _looks_like(evidence: Evidence, argument: str) -> tuple[str, ...]:
    tests = [t for t in evidence.linearity if t.argument == argument]
    first = evidence.arrays[argument]
    if all(not disagree(first, t.found) for t in tests):
        return ("dout is ignored: backward gives the same whatever dout is",)
    if all(not disagree(first * 4.0**k, t.found) for k, t in zip((10,), tests, strict=False)):
        return ("it grows with the square of dout",)
    return ()
