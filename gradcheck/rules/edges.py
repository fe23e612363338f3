"""GC503, GC504 and GC507: no samples, large values, kinks and ties."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding, Level
from gradcheck.rules.gradient import not_finite
from gradcheck.rules.trials import said_so_itself, told

_NO_ELEMENTS = "cannot reshape array of size 0 into shape"


def empty(evidence: Evidence) -> Iterator[Finding]:
    """GC503: backward raises, or is wrong, for an input without samples, which forward took without complaint.

    A filter that leaves nothing, a shard of a small data set: a batch of size 0 is a batch. Nothing depends on anything
    then: gradients of parameters are zeros, those of inputs are empty.

    Wrong::

        class Norms:
            def forward(self, x):
                self.x = x
                return (x**2).sum(axis=1)

            def backward(self, dout):
                return np.stack([2 * row * d for row, d in zip(self.x, dout)])  # np.stack([]) raises

    Not flagged::

        class Norms:
            def forward(self, x):
                self.x = x
                return (x**2).sum(axis=1)

            def backward(self, dout):
                return 2 * self.x * dout[:, None]

    Nor is a layer whose forward raises, or warns, at size 0, or whose backward refuses it by a ``raise`` of its own. A
    ``reshape`` with a -1 that NumPy cannot work out for no elements is a warning: half of all convolutions have one.

    To mend it, write for whole arrays what is written sample by sample.
    """
    found = evidence.empty
    if found is None:
        return
    if found.raised is not None and not said_so_itself(found.raised):
        level: Level = "warning" if str(found.raised).startswith(_NO_ELEMENTS) else "error"
        yield Finding("GC503", level, f"backward raises {told(found.raised)} for no samples, which forward takes")
    for name, problem in found.wrong.items():
        if name not in evidence.arrays:  # it is no gradient at other sizes either
            continue
        yield Finding("GC503", "error", f"for no samples, the gradient of {name} {problem}", name)


def large(evidence: Evidence) -> Iterator[Finding]:
    """GC504: a gradient is NaN or infinite at large values, where forward is finite.

    ``exp`` overflows beyond 709 (88 in float32), and infinity over infinity, or times 0, is NaN. Inputs up to 1000 are
    tried.

    Wrong::

        class Sigmoid:
            def forward(self, x):
                self.x = x
                return 1 / (1 + np.exp(-x))

            def backward(self, dout):
                e = np.exp(-self.x)
                return dout * e / (1 + e) ** 2  # inf / inf

    Not flagged::

        class Sigmoid:
            def forward(self, x):
                self.s = 1 / (1 + np.exp(-x))
                return self.s

            def backward(self, dout):
                return dout * self.s * (1 - self.s)

    To mend it, write the derivative in terms of the output, or of ``np.exp(-np.abs(x))``, which is never above 1.
    """
    if evidence.large:
        yield from not_finite(evidence, "GC504", "though forward is finite at these large values")


def kinks(evidence: Evidence) -> Iterator[Finding]:
    """GC507: at a kink or a tie, a gradient lies beyond the slopes to both sides.

    At a kink any value between the one-sided slopes is right, and where several inputs share a maximum, any way to
    share its gradient. To give all of it to each of them counts it twice. After a ReLU, ties at 0 are the rule.

    Wrong::

        class Max:
            def forward(self, x):
                self.x, self.y = x, x.max(axis=1, keepdims=True)
                return self.y

            def backward(self, dout):
                return dout * (self.x == self.y)  # to each of several equal ones

    Not flagged::

        class Max:
            def forward(self, x):
                self.x, self.y = x, x.max(axis=1, keepdims=True)
                return self.y

            def backward(self, dout):
                ties = self.x == self.y
                return dout * ties / ties.sum(axis=1, keepdims=True)

    To mend it, give the gradient to the first (``argmax``), or share it.
    """
    if any(found.verdict == "fail" for found in evidence.comparisons.values()):  # wrong elsewhere, too
        return
    for kink in evidence.kinks or ():
        if math.isnan(kink.analytic) or kink.argument not in evidence.comparisons:  # GC104
            continue
        if kink.argument in evidence.unsteady:  # GC303
            continue
        yield Finding(
            "GC507", "error", f"at a kink or tie, the gradient of {kink.argument} lies beyond the one-sided slopes",
            kink.argument,
            diagnosis=(
                f"along one direction it gives {kink.analytic:.4g}; the slopes to both sides are {kink.low:.4g} and "
                f"{kink.high:.4g}",
            ),
        )  # fmt: skip
