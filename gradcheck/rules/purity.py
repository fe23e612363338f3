"""GC2: what forward and backward write into though it is not theirs, and what of it shares memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding
from gradcheck.rules.trials import changed_by_repeating, told


def cotangent(evidence: Evidence) -> Iterator[Finding]:
    """GC201: backward wrote into its argument ``dout``.

    ``dout`` is the caller's. Where a value feeds two branches, the same array goes to both, and the second one gets
    what the first left of it.

    Wrong::

        class Relu:
            def forward(self, x):
                self.mask = x <= 0
                return np.maximum(x, 0)

            def backward(self, dout):
                dout[self.mask] = 0
                return dout.copy()

    Not flagged::

        class Relu:
            def forward(self, x):
                self.mask = x <= 0
                return np.maximum(x, 0)

            def backward(self, dout):
                dx = dout.copy()
                dx[self.mask] = 0
                return dx

    To mend it, write into a copy, or compute ``dout * (x > 0)``.
    """
    if writes_dout(evidence):
        yield Finding("GC201", "error", "backward overwrote its argument dout", "dout")


def backward(evidence: Evidence) -> Iterator[Finding]:
    """GC202: backward wrote into an input of forward, or into a parameter.

    The next layer's cache, or the caller's data, is the same array.

    Wrong::

        class Square:
            def forward(self, x):
                self.x = x
                return x**2

            def backward(self, dout):
                dx = 2 * dout * self.x
                self.x -= 0.1 * dx  # self.x is the caller's array
                return dx

    Not flagged::

        class Square:
            def forward(self, x):
                self.x = x.copy()
                return x**2

            def backward(self, dout):
                return 2 * self.x * dout

    Nor are arrays that the layer made itself.

    To mend it, compute into a new array, and leave the update of parameters to an optimiser.
    """
    for overwrite in evidence.overwrites:
        if overwrite.by == "backward" and overwrite.kind == "argument":
            yield Finding("GC202", "error", f"backward overwrote {overwrite.what}", overwrite.what)


def forward(evidence: Evidence) -> Iterator[Finding]:
    """GC203: forward wrote into its input or into a parameter.

    Wrong::

        class Relu:
            def forward(self, x):
                self.mask = x > 0
                x[~self.mask] = 0
                return x.copy()

            def backward(self, dout):
                return dout * self.mask

    Not flagged::

        class Relu:
            def forward(self, x):
                out = x.copy()
                out[x < 0] = 0
                self.mask = x > 0
                return out

            def backward(self, dout):
                return dout * self.mask

    Nor are statistics that the layer keeps for itself.

    To mend it, write into a copy.
    """
    for overwrite in evidence.overwrites:
        if overwrite.by == "forward":
            yield Finding("GC203", "error", f"forward overwrote {overwrite.what}", overwrite.what)


def output(evidence: Evidence) -> Iterator[Finding]:
    """GC204: backward wrote into the output that forward had handed out.

    The layer kept its output as a cache, and the caller has the same array: a loss that is computed, or a value that is
    plotted, after backward is another one.

    Wrong::

        class Exp:
            def forward(self, x):
                self.kept, self.out = np.exp(x), np.exp(x)
                return self.out

            def backward(self, dout):
                np.multiply(self.kept, dout, out=self.out)  # a new array
                return self.out.copy()

    Not flagged::

        class Exp:
            def forward(self, x):
                self.out = np.exp(x)
                return self.out

            def backward(self, dout):
                return self.out * dout

    To mend it, compute into a new array.
    """
    if any(o.kind == "output" for o in evidence.overwrites):
        yield Finding("GC204", "error", "backward overwrote the output that forward had returned")


def buffer(evidence: Evidence) -> Iterator[Finding]:
    """GC208: an output or a gradient that had been handed out was overwritten by the next call.

    The layer returns a buffer that it uses again. Whoever kept the first result, or runs the layer twice before looking
    at either, has the second result twice.

    Wrong::

        class Double:
            def __init__(self):
                self.out = None

            def forward(self, x):
                if self.out is None or self.out.shape != x.shape:
                    self.out = np.zeros_like(x)
                np.multiply(x, 2.0, out=self.out)
                return self.out

            def backward(self, dout):
                return 2.0 * dout

    Not flagged::

        class Double:
            def __init__(self):
                self.work = None

            def forward(self, x):
                if self.work is None or self.work.shape != x.shape:
                    self.work = np.zeros_like(x)
                np.multiply(x, 2.0, out=self.work)
                return self.work.copy()

            def backward(self, dout):
                return 2.0 * dout

    Gradients of parameters that are kept on the layer (``self.dW[...] = …``) may be overwritten: that is what they are
    there for.

    To mend it, return a copy, or compute into a new array.
    """
    for what in dict.fromkeys(o.what for o in evidence.overwrites if o.kind == "handed out"):
        yield Finding("GC208", "error", f"the next call overwrote {what}, which had been returned", what)


def cache(evidence: Evidence) -> Iterator[Finding]:
    """GC209: backward wrote into an array that forward had kept for it, though a second backward gives the same.

    It is harmless today, and a second backward away from GC301.

    Wrong::

        class Relu:
            def forward(self, x):
                self.kept = 1.0 * x
                return np.maximum(x, 0)

            def backward(self, dout):
                np.maximum(self.kept, 0, out=self.kept)
                return dout * (self.kept > 0)

    Not flagged::

        class Relu:
            def forward(self, x):
                self.kept = 1.0 * x
                return np.maximum(x, 0)

            def backward(self, dout):
                self.kept = np.maximum(self.kept, 0)  # another array under the same name
                return dout * (self.kept > 0)

    To mend it, compute into a new array.
    """
    if not isinstance(evidence.again, Mapping) or any(changed_by_repeating(evidence)):
        return
    for overwrite in evidence.overwrites:
        if overwrite.kind == "cache":
            yield Finding("GC209", "warning", f"backward overwrote {overwrite.what}, which forward had kept for it")


def writes_dout(evidence: Evidence) -> bool:
    """Whether backward was seen to write into ``dout``, or to be kept from it."""
    refused = (trial.found for trial in evidence.trials if trial.contract == "layout of dout")
    return any(o.kind == "dout" for o in evidence.overwrites) or any(
        isinstance(error, ValueError) and "read-only" in told(error) for error in refused
    )


def writes_arguments(evidence: Evidence) -> bool:
    """Whether backward was seen to write into an argument, so that a second one is at another point."""
    return any(o.kind == "argument" for o in evidence.overwrites)
