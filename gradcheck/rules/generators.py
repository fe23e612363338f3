"""GC308 and GC309: the generators that belong to the whole program."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding


def draws(evidence: Evidence) -> Iterator[Finding]:
    """GC308: forward or backward draws from the global generators.

    What the layer draws then depends on everything else that draws, and a run cannot be repeated from the layer's own
    seed. Many right layers do it.

    Wrong::

        class Dropout:
            def forward(self, x):
                self.factor = (np.random.rand(*x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    Not flagged::

        class Dropout:
            def __init__(self, seed=0):
                self.rng = np.random.default_rng(seed)

            def forward(self, x):
                self.factor = (self.rng.random(x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    To mend it, give the layer a generator of its own: ``self.rng = np.random.default_rng(seed)``.
    """
    for used in evidence.generators:
        if used.startswith("draws"):
            yield Finding("GC308", "warning", f"the layer {used}, the global generator")


def seeds(evidence: Evidence) -> Iterator[Finding]:
    """GC309: forward or backward seeds the global generators.

    From then on the whole program draws the same numbers again at every call: each batch has the same dropout mask, the
    data is shuffled alike in every epoch.

    Wrong::

        class Dropout:
            def forward(self, x):
                np.random.seed(0)
                self.factor = (np.random.rand(*x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    Not flagged::

        class Dropout:
            def forward(self, x):
                rng = np.random.default_rng(0)
                self.factor = (rng.random(x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    To mend it, give the layer a generator of its own.
    """
    for used in evidence.generators:
        if used.startswith("calls"):
            yield Finding("GC309", "error", f"the layer {used}, which seeds the generator of the whole program")
