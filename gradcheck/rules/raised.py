"""GC6: it raised, it hung, it complained."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding
from gradcheck.rules.trials import told
from gradcheck.subject.limit import HungError


def backward(evidence: Evidence) -> Iterator[Finding]:
    """GC602: backward raised, for an output that forward gave without complaint.

    Wrong::

        class Sigmoid:
            def forward(self, x):
                self.out = 1 / (1 + np.exp(-x))
                return self.out

            def backward(self, dout):
                return dout * self.out(1 - self.out)  # a call: the `*` is missing

    Not flagged::

        class Exp:
            def forward(self, x):
                self.out = np.exp(x)
                return self.out.copy()

            def backward(self, dout):
                if self.out is None:
                    raise RuntimeError("call forward first")  # a *second* backward may be refused
                out, self.out = self.out, None
                return dout * out

    Nor is a forward that refuses the case.

    To mend it, look at the line that raised, at the smallest case that is printed.
    """
    if isinstance(evidence.raised, np.linalg.LinAlgError) and (evidence.large or "kinks" in evidence.tried):
        return  # a matrix of large or of small whole numbers may be singular
    if evidence.raised is not None and not isinstance(evidence.raised, HungError):
        yield Finding("GC602", "error", f"backward raised {told(evidence.raised)}")


def hung(evidence: Evidence) -> Iterator[Finding]:
    """GC603: backward does not come back.

    A call that has used up twenty seconds of processor time is interrupted.

    Wrong::

        class Halve:
            def forward(self, x):
                self.x = x
                return 0.5 * x

            def backward(self, dout):
                step = 1.0
                while step > 0.5 * step:  # forever, while step is positive
                    step = max(step / 2, 1e-300)
                return 0.5 * dout

    Not flagged::

        class Halve:
            def forward(self, x):
                self.x = x
                return 0.5 * x

            def backward(self, dout):
                step = 1.0
                while step > 0.5:
                    step /= 2
                return step * dout

    Only Python code can be interrupted, in the main thread, on systems that have signals.

    To mend it, bound the loop.
    """
    if isinstance(evidence.raised, HungError):
        yield Finding("GC603", "error", f"backward does not come back ({evidence.raised})")


def complained(evidence: Evidence) -> Iterator[Finding]:
    """GC604: backward divides by zero, overflows or makes a NaN on its way, where forward does not.

    The result is finite, so something masks it afterwards. Under ``np.seterr(all="raise")`` it is an error.

    Wrong::

        class Relu:
            def forward(self, x):
                self.y = np.maximum(x, 0)
                return self.y

            def backward(self, dout):
                return dout * np.nan_to_num(self.y / self.y)  # 0 / 0, then 0

    Not flagged::

        class Relu:
            def forward(self, x):
                self.y = np.maximum(x, 0)
                return self.y

            def backward(self, dout):
                return dout * (self.y > 0)

    Nor is a layer that puts the operation under ``np.errstate``, or whose forward complains of the same.

    To mend it, do not compute what is not wanted: ``np.divide(a, b, out=..., where=b > 0)``.
    """
    kinds = evidence.floating if not evidence.large and evidence.kinks is None else frozenset()
    said = [text for kind, text in _FLOATING.items() if kind in kinds]
    if said and evidence.arrays and all(bool(np.all(np.isfinite(g))) for g in evidence.arrays.values()):
        yield Finding("GC604", "warning", f"backward {' and '.join(said)}, forward does not")


_FLOATING = {"divide by zero": "divides by zero", "overflow": "overflows", "invalid value": "computes an invalid value"}
