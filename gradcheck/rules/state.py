"""GC3: what a layer carries from one call to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from gradcheck.records import Finding
from gradcheck.rules.evidence import Evidence
from gradcheck.rules.linearity import disagree, lost_in_rounding


def repeat(evidence: Evidence) -> Iterator[Finding]:
    """GC301: a second backward after the same forward, with the same ``dout``, gives another gradient.

    Backward spoilt what forward had kept for it. Whoever calls it twice (a gradient check, a second loss, a retained
    graph) gets a wrong number without a word.

    Wrong::

        self.out *= 1 - self.out   # the cache is gone now
        return dout * self.out

    Not flagged: a layer that adds to its parameters' gradients at each call (``self.dW += ...``), and one that drops
    its cache and raises at the second call: both are designs.

    To mend it, leave what forward kept as it is.
    """
    if not isinstance(evidence.again, Mapping):
        return
    for argument in evidence.owed:
        first, second = evidence.arrays.get(argument.name), evidence.again.get(argument.name)
        if first is None or second is None or not np.all(np.isfinite(first)):
            continue
        if evidence.comparisons.get(argument.name) and lost_in_rounding(evidence, argument.name):
            continue
        if disagree(first, second) and disagree(2.0 * first, second):
            yield Finding(
                "GC301", "error", f"a second backward gives another gradient of {argument.name}", argument.name
            )
