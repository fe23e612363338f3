"""GC3: what a layer carries from one call to the next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np

from gradcheck.evidence.agree import disagree
from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding
from gradcheck.rules.purity import writes_arguments
from gradcheck.rules.trials import changed_by_repeating, findings_of_trials


def repeat(evidence: Evidence) -> Iterator[Finding]:
    """GC301: a second backward after the same forward, with the same ``dout``, gives another gradient.

    Backward spoilt what forward had kept for it, or adds to what it returned before. Whoever calls it twice (a gradient
    check, a second loss, a retained graph) gets a wrong number without a word.

    Wrong::

        class Exp:
            def forward(self, x):
                self.out = np.exp(x)
                return self.out.copy()

            def backward(self, dout):
                self.out *= dout  # the cache is gone now
                return self.out.copy()

    Not flagged::

        class Exp:
            def forward(self, x):
                self.out = np.exp(x)
                return self.out.copy()

            def backward(self, dout):
                out, self.out = self.out, None  # a second backward raises: a design
                return dout * out

    Nor is a layer that adds to its parameters' gradients at each call (``self.dW += ...``).

    To mend it, leave what forward kept as it is.
    """
    for name in () if writes_arguments(evidence) else changed_by_repeating(evidence):
        if name not in evidence.adding_up:
            yield Finding("GC301", "error", f"a second backward gives another gradient of {name}", name)


def fresh(evidence: Evidence) -> Iterator[Finding]:
    """GC302: a layer that was run at other values before gives something else than a fresh one.

    A mask that is made once, columns that are cached, a counter: right for the first batch, wrong for all others.

    Wrong::

        class Relu:
            def __init__(self):
                self.mask = None

            def forward(self, x):
                if self.mask is None:
                    self.mask = x > 0  # of the first batch
                return np.maximum(x, 0)

            def backward(self, dout):
                return np.resize(self.mask, dout.shape) * dout

    Not flagged::

        class Dropout:
            def __init__(self):
                self.rng = np.random.default_rng(0)

            def forward(self, x):
                self.factor = (self.rng.random(x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor  # another mask at each call, and the right one

    What a layer itself calls a state (``h``, ``hidden``, ``prev``, ``running_mean``) and carries on purpose is a
    warning.

    To mend it, compute in each forward all that backward needs.
    """
    yield from findings_of_trials(evidence, "reused", "GC302")
    for finding in findings_of_trials(evidence, "carried", "GC302"):
        yield replace(finding, level="warning", diagnosis=("what it carries bears the name of a state",))


def determined(evidence: Evidence) -> Iterator[Finding]:
    """GC303: backward is random: two runs of fresh layers at one point give different gradients.

    Wrong::

        class Noisy:
            def forward(self, x):
                return 3.0 * x

            def backward(self, dout):
                noise = np.random.default_rng().uniform(0.9, 1.1)
                return 3.0 * noise * dout

    Not flagged::

        class Dropout:
            def __init__(self):
                self.rng = np.random.default_rng(0)

            def forward(self, x):
                self.factor = (self.rng.random(x.shape) > 0.3) / 0.7
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor  # what forward drew is kept

    To mend it, draw in forward, and keep what was drawn.
    """
    yield from findings_of_trials(evidence, "repeatable", "GC303")


def other_shape(evidence: Evidence) -> Iterator[Finding]:
    """GC304: a layer that was run at another number of samples before gives something else than a fresh one, or raises.

    The last batch of an epoch is smaller than the others.

    Wrong::

        class Sum:
            def __init__(self):
                self.shape = None

            def forward(self, x):
                self.shape = self.shape or x.shape  # of the first batch
                return x.sum(axis=0)

            def backward(self, dout):
                return np.broadcast_to(dout, self.shape).copy()

    Not flagged::

        class Sum:
            def forward(self, x):
                self.shape = x.shape
                return x.sum(axis=0)

            def backward(self, dout):
                return np.broadcast_to(dout, self.shape).copy()

    To mend it, take sizes from the arrays of this very call.
    """
    yield from findings_of_trials(evidence, "new shape", "GC304")


def parameters(evidence: Evidence) -> Iterator[Finding]:
    """GC305: a parameter that was changed in place after construction is not the one that backward uses.

    An optimiser changes ``layer.W`` at each step. What was copied from it when the layer was built stays behind.

    Wrong::

        class Linear:
            def __init__(self, W):
                self.W, self.WT = W, W.T.copy()

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout
                return dout @ self.WT

    Not flagged::

        class Linear:
            def __init__(self, W):
                self.W, self.WT = W, W.T  # a view, which follows

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout
                return dout @ self.WT

    To mend it, take the parameter from where the optimiser changes it.
    """
    yield from findings_of_trials(evidence, "parameters", "GC305")


def independent(evidence: Evidence) -> Iterator[Finding]:
    """GC306: a pullback is spoilt by a later forward, though each has a cache of its own.

    Closures, and functions that return ``(out, cache)``, promise that forwards may be run one after the other and
    pulled back in any order, as a shared layer in a recurrent network is.

    Wrong::

        cache = {}


        def square(x):
            cache["x"] = x

            def pullback(dout):
                return 2 * cache["x"] * dout

            return x**2, pullback

    Not flagged::

        def square(x):
            def pullback(dout):
                return 2 * x * dout

            return x**2, pullback

    A layer object keeps the cache of its last forward only: that is its convention.

    To mend it, keep in the closure or the cache what backward needs.
    """
    yield from findings_of_trials(evidence, "independent", "GC306")


def accumulation(evidence: Evidence) -> Iterator[Finding]:
    """GC307: some gradients add up from backward to backward, while others are overwritten.

    Adding up is a design, and so is overwriting. Both in one layer mean that after two backwards, or with gradients
    that were never set to zero, the step is a mixture.

    Wrong::

        class Affine:
            def __init__(self, W, b):
                self.W, self.b = W, b
                self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

            def forward(self, x):
                self.x = x
                return x @ self.W + self.b

            def backward(self, dout):
                self.dW += self.x.T @ dout
                self.db = dout.sum(axis=0)  # +=
                return dout @ self.W.T

    Not flagged::

        class Affine:
            def __init__(self, W, b):
                self.W, self.b = W, b
                self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

            def forward(self, x):
                self.x = x
                return x @ self.W + self.b

            def backward(self, dout):
                self.dW += self.x.T @ dout
                self.db += dout.sum(axis=0)
                return dout @ self.W.T

    To mend it, add up all of them, or none.
    """
    if evidence.gradients is None or not isinstance(evidence.again, Mapping):
        return
    left = [
        name
        for name in evidence.again
        if name in evidence.gradients.left and name in evidence.arrays and np.any(evidence.arrays[name])
        if np.all(np.isfinite(evidence.arrays[name]))
    ]
    adding = [name for name in left if name in evidence.adding_up]
    staying = [name for name in left if not disagree(evidence.arrays[name], evidence.again[name])]
    if adding and staying:
        message = f"the gradient of {adding[0]} adds up from call to call, that of {staying[0]} is overwritten"
        yield Finding("GC307", "error", message, adding[0])
