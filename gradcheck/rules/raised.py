"""GC6: it raised."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.records import Finding
from gradcheck.rules.evidence import Evidence


def backward(evidence: Evidence) -> Iterator[Finding]:
    """GC602: backward raised, for an output that forward gave without complaint.

    Wrong::

        dx = dout * self.out(1 - self.out)      # a call: the `*` is missing

    Not flagged: a forward that refuses the case; a backward that refuses a *second* call.

    To mend it, look at the line that raised, at the smallest case that is printed.
    """
    if evidence.raised is not None:
        error = evidence.raised
        text = " ".join(str(error).split())
        yield Finding("GC602", "error", f"backward raised {type(error).__name__}: {text}")
