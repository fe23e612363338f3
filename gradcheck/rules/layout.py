"""GC501, GC502 and GC505: where numbers lie in memory must not matter, only which numbers they are."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding
from gradcheck.rules.purity import writes_arguments, writes_dout
from gradcheck.rules.trials import findings_of_trials


def of_dout(evidence: Evidence) -> Iterator[Finding]:
    """GC501: the gradient depends on how ``dout`` lies in memory.

    The next layer decides that: a transpose gives Fortran order, a slice gaps, a flip negative strides, the gradient of
    a sum a read-only view with strides of 0. Each of these is tried.

    Wrong::

        class Flatten:
            def forward(self, x):
                self.shape = x.shape
                return x.reshape(x.shape[0], -1)

            def backward(self, dout):
                return dout.ravel(order="K").reshape(self.shape) * 1.0  # in the order of memory

    Not flagged::

        class Flatten:
            def forward(self, x):
                self.shape = x.shape
                return x.reshape(x.shape[0], -1)

            def backward(self, dout):
                return dout.reshape(self.shape) * 1.0  # in the order of the axes

    A backward that refuses by an ``assert`` or ``raise`` of its own says so itself, and is not flagged either.

    To mend it, leave out ``order="K"`` and ``order="A"``, strides and raw memory, or begin with
    ``dout = np.ascontiguousarray(dout)``.
    """
    if not writes_dout(evidence):  # what writes into dout fails for a read-only one, and that is GC201
        yield from findings_of_trials(evidence, "layout of dout", "GC501")


def of_arguments(evidence: Evidence) -> Iterator[Finding]:
    """GC502: output or gradients depend on how inputs or parameters lie in memory.

    Wrong::

        class Scale:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = (self.x.T @ dout).copy()
                WT = self.W.ravel(order="A").reshape(self.W.shape).T  # right in C order only
                return dout @ WT

    Not flagged::

        class Scale:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout
                return dout @ self.W.T

    A forward that refuses a layout is not flagged.

    To mend it, leave out ``order="K"`` and ``order="A"``, strides and raw memory, or begin with
    ``x = np.ascontiguousarray(x)``.
    """
    if not writes_arguments(evidence):  # as above: GC202 or GC203
        yield from findings_of_trials(evidence, "layout", "GC502")


def same_array(evidence: Evidence) -> Iterator[Finding]:
    """GC505: the gradients are others when two inputs are one and the same array.

    ``mul(x, x)`` is a square. The layer still has two arguments there, with a gradient each.

    Wrong::

        class Product:
            def forward(self, x, y):
                self.x, self.y = x, y
                return x * y

            def backward(self, dout):
                grads = {id(self.x): dout * self.y}
                grads[id(self.y)] = dout * self.x * (1 + (self.x is self.y))
                return grads[id(self.x)], grads[id(self.y)].copy()

    Not flagged::

        class Product:
            def forward(self, x, y):
                self.x, self.y = x, y
                return x * y

            def backward(self, dout):
                return dout * self.y, dout * self.x

    To mend it, tell arguments apart by their position, not by their identity, and write into neither.
    """
    yield from findings_of_trials(evidence, "same array", "GC505")
