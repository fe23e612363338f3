"""GC0: it could not be checked."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding


def random(evidence: Evidence) -> Iterator[Finding]:
    """GC001: forward is random: two runs at the same point, from the same state, give different outputs.

    What is another function at each call has no derivative that could be compared. The layer is *unchecked*.

    Wrong::

        class Dropout:
            def forward(self, x):
                self.factor = (np.random.default_rng().random(x.shape) > 0.3) / 0.7  # anew, from entropy
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    Not flagged::

        class Dropout:
            def __init__(self):
                self.rng = np.random.default_rng()  # a generator that is kept can be set back

            def forward(self, x):
                self.factor = (self.rng.random(x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor

    To mend it, let the layer keep its generator, and best take a seed for it.
    """
    if not evidence.deterministic:
        yield Finding("GC001", "warning", "forward is random: two runs at the same point give different outputs")
