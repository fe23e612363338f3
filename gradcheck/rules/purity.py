"""GC2: what forward and backward write into though it is not theirs."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.records import Finding
from gradcheck.rules.evidence import Evidence


def cotangent(evidence: Evidence) -> Iterator[Finding]:
    """GC201: backward wrote into its argument ``dout``.

    ``dout`` is the caller's. Where a value feeds two branches, the same array goes to both, and the second one gets
    what the first left of it.

    Wrong::

        dout[self.mask] = 0
        return dout

    Not flagged: ``dx = dout.copy(); dx[self.mask] = 0``, or returning ``dout`` itself unchanged.

    To mend it, write into a copy, or compute ``dout * (x > 0)``.
    """
    if any(o.by == "backward" and o.what == "dout" for o in evidence.overwrites):
        yield Finding("GC201", "error", "backward overwrote its argument dout", "dout")


def backward(evidence: Evidence) -> Iterator[Finding]:
    """GC202: backward wrote into an input of forward, or into a parameter.

    Wrong::

        self.x *= dout             # self.x is the caller's array
        return self.x

    Not flagged: writing into arrays that the layer made itself.

    To mend it, compute into a new array.
    """
    for overwrite in evidence.overwrites:
        if overwrite.by == "backward" and overwrite.what != "dout":
            yield Finding("GC202", "error", f"backward overwrote {overwrite.what}", overwrite.what)


def forward(evidence: Evidence) -> Iterator[Finding]:
    """GC203: forward wrote into its input or into a parameter.

    Wrong::

        x[x < 0] = 0
        return x

    Not flagged: ``out = x.copy(); out[x < 0] = 0``; statistics that the layer keeps for itself.

    To mend it, write into a copy.
    """
    for overwrite in evidence.overwrites:
        if overwrite.by == "forward":
            yield Finding("GC203", "error", f"forward overwrote {overwrite.what}", overwrite.what)
