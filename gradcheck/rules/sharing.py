"""GC205 to GC207: gradients that lie in the memory of something else."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding


def with_dout(evidence: Evidence) -> Iterator[Finding]:
    """GC205: a gradient is ``dout`` itself, or a view of it.

    Many right layers do that on purpose: it saves a copy. It binds whoever is upstream to never write into a gradient,
    for the one who gave ``dout`` would see it.

    Wrong::

        class Shift:
            def forward(self, x):
                return x + 1.0

            def backward(self, dout):
                return dout

    Not flagged::

        class Shift:
            def forward(self, x):
                return x + 1.0

            def backward(self, dout):
                return dout.copy()

    To mend it, return a copy.
    """
    for shared in evidence.shared:
        if shared.kind == "dout":
            yield Finding("GC205", "warning", f"the gradient of {shared.argument} is a view of dout", shared.argument)


def with_each_other(evidence: Evidence) -> Iterator[Finding]:
    """GC206: two gradients lie in the same memory.

    Clipping or scaling gradients in place (``for g in grads: g *= rate``) then happens twice, without a word.

    Wrong::

        class Add:
            def forward(self, x, y):
                return x + y

            def backward(self, dout):
                dx = dout.copy()
                return dx, dx

    Not flagged::

        class Add:
            def forward(self, x, y):
                return x + y

            def backward(self, dout):
                return dout.copy(), dout.copy()

    To mend it, return a copy for each argument.
    """
    for shared in evidence.shared:
        if shared.kind == "gradient":
            names = f"{shared.argument} and {shared.other}"
            yield Finding("GC206", "warning", f"the gradients of {names} lie in the same memory", shared.argument)


def with_an_argument(evidence: Evidence) -> Iterator[Finding]:
    """GC207: a gradient lies in the memory of an input or a parameter.

    Whoever scales, clips or adds to that gradient in place changes the data or the weights.

    Wrong::

        class Dot:
            def forward(self, x, y):
                self.x, self.y = x, y
                return (x * y).sum()

            def backward(self):
                return self.y, self.x  # the caller's own arrays

    Not flagged::

        class Dot:
            def forward(self, x, y):
                self.x, self.y = x, y
                return (x * y).sum()

            def backward(self):
                return self.y.copy(), self.x.copy()

    To mend it, return a copy.
    """
    for shared in evidence.shared:
        if shared.kind == "argument":
            message = f"the gradient of {shared.argument} lies in the memory of {shared.other}"
            yield Finding("GC207", "error", message, shared.argument)
