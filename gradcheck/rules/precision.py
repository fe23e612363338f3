"""GC106 and GC107: gradients of fewer digits than forward keeps."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding


def dtype(evidence: Evidence) -> Iterator[Finding]:
    """GC106: a gradient has a coarser dtype than its argument and the output.

    Half of the digits that forward keeps are lost on the way back, and on every layer before this one.

    Wrong::

        class Scale:
            def forward(self, x):
                return 3.0 * x

            def backward(self, dout):
                return (3.0 * dout).astype(np.float32)  # float32, whatever x is

    Not flagged::

        class Scale:
            def forward(self, x):
                return 3 * x.astype(np.float32)

            def backward(self, dout):
                return 3 * dout.astype(np.float32)  # float32 throughout, forward too

    To mend it, take the dtype from the argument.
    """
    for argument in evidence.owed:
        g = evidence.arrays.get(argument.name)
        wide = min([argument.value.dtype, *(y.dtype for y in evidence.outputs)], key=lambda dtype: dtype.itemsize)
        if g is not None and g.dtype.itemsize < wide.itemsize:
            message = f"the gradient of {argument.name} is {g.dtype}, its argument and the output are {wide}"
            yield Finding("GC106", "warning", message, argument.name)


def digits(evidence: Evidence) -> Iterator[Finding]:
    """GC107: a gradient has the right dtype, but only the digits of a coarser one.

    Somewhere in backward the numbers went through float32 or float16. The dtype of what comes back does not tell, so
    nobody will look for it there.

    Wrong::

        class Tanh:
            def forward(self, x):
                self.y = np.tanh(x)
                return self.y

            def backward(self, dout):
                dx = np.zeros(dout.shape, dtype="f")  # np.zeros_like(dout)
                dx += dout * (1 - self.y**2)
                return dx.astype(dout.dtype)

    Not flagged::

        class Tanh:
            def forward(self, x):
                self.y = np.tanh(x.astype(np.float32))
                return self.y

            def backward(self, dout):
                return dout * (1 - self.y**2)  # float32 throughout, forward too

    To mend it, give buffers the dtype of what goes into them.
    """
    for argument in evidence.owed:
        coarse = is_coarse(evidence, argument.name)
        found = evidence.comparisons.get(argument.name)
        if coarse and found is not None:
            message = f"the gradient of {argument.name} is kept as {argument.value.dtype}, but is only {coarse}-good"
            yield Finding(
                "GC107", "error", message, argument.name,
                analytic=found.analytic, numeric=found.numeric, error_bar=found.error_bar,
            )  # fmt: skip


# By how many roundings a coarse gradient may be off: differences, as in a softmax, lose a few of the digits.
_CANCELS = 16.0


def is_coarse(evidence: Evidence, name: str) -> str:
    """Return the coarser format whose rounding explains what is wrong with a gradient, or nothing."""
    found, g = evidence.comparisons.get(name), evidence.arrays.get(name)
    if found is None or g is None or found.verdict != "fail" or found.analytic is None or found.numeric is None:
        return ""
    if any(y.dtype.itemsize < g.dtype.itemsize for y in evidence.outputs):
        return ""
    off = abs(found.analytic - found.numeric) / max(abs(found.analytic), abs(found.numeric))
    for coarse in (np.float16, np.float32):
        narrow = g.dtype.itemsize > np.dtype(coarse).itemsize
        if (
            narrow
            and off <= _CANCELS * float(np.finfo(coarse).eps)
            and np.array_equal(g, g.astype(coarse).astype(g.dtype))
        ):
            return np.dtype(coarse).name
    return ""
