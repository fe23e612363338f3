"""GC1: the values, shapes and number of the gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.derivative.function import Comparison
from gradcheck.evidence.agree import SHARE, top
from gradcheck.evidence.calls import as_real
from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding, Level
from gradcheck.rules.linearity import constant_part
from gradcheck.rules.precision import is_coarse
from gradcheck.subject.describe import describe
from gradcheck.subject.gradients import shape_or_none
from gradcheck.subject.protocol import Argument, Missing


def value(evidence: Evidence) -> Iterator[Finding]:
    """GC101: a gradient differs from the numeric derivative by more than the error bar of the latter.

    The gradient that backward gives for an argument, contracted with a random ``dout``, is held against a numeric
    derivative of forward along random directions. The bar is measured at this very point (truncation and rounding), so
    there is no tolerance to choose; what disagrees is confirmed element by element in fresh probes before it is said.

    Wrong::

        class Linear:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                dx = dout @ self.W.T
                self.dW = self.x.T @ (dout + 0.1 * dx @ self.W)  # self.x.T @ dout
                return dx

    Not flagged::

        class Relu:
            def forward(self, x):
                self.x = x
                return np.maximum(x, 0)

            def backward(self, dout):
                return dout * (self.x >= 0)  # at exactly 0 any slope between 0 and 1 is right

    A difference as small as a stabilising constant of forward, such as the 1e-7 in ``np.log(y + 1e-7)``, that backward
    leaves out is a warning.

    To mend it, differentiate forward with respect to this argument alone, at one element, by hand.
    """
    for argument in evidence.owed:
        found = evidence.comparisons.get(argument.name)
        if found is None or found.verdict != "fail" or is_coarse(evidence, argument.name):
            continue
        if argument.name in evidence.unsteady or _is_a_constant(evidence, argument.name, found):  # GC303, GC402
            continue
        size = argument.value.size
        share = "" if found.wrong is None or size == 1 else f" in {found.wrong} of {size} elements"
        index = (
            None if found.index is None else tuple(int(k) for k in np.unravel_index(found.index, argument.value.shape))
        )
        yield Finding(
            "GC101", "error", f"the gradient of {argument.name} is wrong{share}", argument.name,
            analytic=found.analytic, numeric=found.numeric, error_bar=found.error_bar, index=index,
        )  # fmt: skip


def missing(evidence: Evidence) -> Iterator[Finding]:
    """GC102: backward gives no gradient, or None, for an argument that the output depends on.

    What is upstream of that argument then learns nothing, without a word.

    Wrong::

        class Shift:
            def __init__(self, b):
                self.b = b

            def forward(self, x):
                return x + self.b

            def backward(self, dout):
                self.db = None  # dout.sum(axis=0)
                return 1.0 * dout

    Not flagged::

        class Look:
            def forward(self, x, ids):
                self.ids, self.shape = ids, x.shape
                return x[ids]

            def backward(self, dout):
                dx = np.zeros(self.shape)
                np.add.at(dx, self.ids, dout)
                return dx, None  # whole numbers have no gradient

    For arrays that may well be constants (a loss's float targets, a fixed table under a name that parameters do not
    bear) it is a warning only.

    To mend it, return the gradient, or set it as an attribute such as ``self.dW``.
    """
    if evidence.gradients is None:
        return
    for argument in evidence.owed:
        found = evidence.gradients.values.get(argument.name)
        if isinstance(found, Missing):
            level: Level = "error" if found.owed else "warning"
            yield Finding("GC102", level, f"no gradient for {argument.name}: {found.how}", argument.name)


def shape(evidence: Evidence) -> Iterator[Finding]:
    """GC103: a gradient is no array of its argument's shape.

    A gradient has one number for each element of its argument. A wrong shape broadcasts silently in the update
    ``W -= lr * dW``, and changes W's own shape.

    Wrong::

        class Shift:
            def __init__(self, b):
                self.b = b

            def forward(self, x):
                return x + self.b

            def backward(self, dout):
                self.db = 1.0 * dout  # (n, i) for b of shape (i,): dout.sum(axis=0)
                return 1.0 * dout

    Not flagged::

        class Scale:
            def forward(self, x):
                return 3.0 * x

            def backward(self, dout):
                return (3.0 * dout).tolist()  # a list of the right shape will do

    To mend it, sum over the axes along which the argument was broadcast.
    """
    if evidence.gradients is None:
        return
    for argument in evidence.owed:
        found = evidence.gradients.values.get(argument.name)
        if argument.name in evidence.arrays or found is None or isinstance(found, Missing):
            continue
        yield Finding(
            "GC103", "error",
            f"the gradient of {argument.name} is {describe(found)}, expected an array of shape {argument.value.shape}",
            argument.name, diagnosis=(*_swapped(evidence, argument), *_shape_hints(argument, found)),
        )  # fmt: skip


def finite(evidence: Evidence) -> Iterator[Finding]:
    """GC104: a gradient is NaN or infinite at a point where forward is finite.

    One NaN in one gradient is a NaN in every parameter after the next step. While a layer is checked, memory from
    ``np.empty`` holds NaN rather than whatever happens to be there, so a sum into it shows here, too.

    Wrong::

        class Positive:
            def forward(self, x):
                self.y = np.maximum(x, 0)
                return self.y**2

            def backward(self, dout):
                return dout * 2 * self.y**2 / self.y  # 0 / 0 wherever the function is flat

    Not flagged::

        class Positive:
            def forward(self, x):
                self.y = np.maximum(x, 0)
                return self.y**2

            def backward(self, dout):
                return dout * 2 * np.divide(self.y**2, self.y, out=np.zeros_like(self.y), where=self.y > 0)

    An infinite slope where the function really has one is re-drawn elsewhere. What happens at large values only is
    GC504.

    To mend it, write the derivative in a form that does not divide by what may vanish, and start sums from np.zeros.
    """
    if evidence.large:
        return
    for finding in not_finite(evidence, "GC104", "though forward is"):
        # On a kink or at a singular point, only where there are finite slopes to both sides.
        if evidence.kinks is None or any(
            k.argument == finding.argument and np.isnan(k.analytic) for k in evidence.kinks
        ):
            yield finding


def structure(evidence: Evidence) -> Iterator[Finding]:
    """GC105: backward returns another number of gradients than there are arguments, or nests them otherwise.

    What is in another's place, and has another shape, is GC103, which says so; of the same shape, it is GC101.

    Wrong::

        class Product:
            def forward(self, x, y):
                self.x, self.y = x, y
                return x * y

            def backward(self, dout):
                return dout * self.y  # and y's gradient?

    Not flagged::

        class Weighted:
            def forward(self, x, ids):
                self.factor = 1.0 + ids
                return x * self.factor

            def backward(self, dout):
                return dout * self.factor  # whole numbers have no gradient, and may be left out

    Values beyond the gradients that are owed are a warning only: many layers return a carried state too.

    To mend it, return one gradient for each input of forward, in the same order.
    """
    if evidence.gradients is None:
        return
    for problem in () if evidence.flat else evidence.gradients.problems:
        yield Finding("GC105", "error", problem)
    for remark in evidence.gradients.remarks:
        yield Finding("GC105", "warning", remark)


def not_finite(evidence: Evidence, code: str, where: str) -> Iterator[Finding]:
    """Yield a finding for each gradient with elements that are NaN or infinite."""
    for argument in evidence.owed:
        g = evidence.arrays.get(argument.name)
        if g is not None and not np.all(np.isfinite(g)):
            bad = np.argwhere(~np.isfinite(g))
            index = tuple(int(k) for k in bad[0])
            yield Finding(
                code, "error",
                f"the gradient of {argument.name} is not finite in {len(bad)} of {g.size} elements, {where}",
                argument.name, index=index, diagnosis=(f"the gradient at {list(index)} is {g[index]}",),
            )  # fmt: skip


def _is_a_constant(evidence: Evidence, name: str, found: Comparison) -> bool:
    """Whether all that is wrong is a constant that is added whatever ``dout`` is."""
    constant = constant_part(evidence, name)
    if constant is None or found.analytic is None or found.numeric is None or found.index is None:
        return False
    off = found.analytic - found.numeric - float(constant.flat[found.index])
    return abs(off) <= SHARE * top(constant)


def _swapped(evidence: Evidence, argument: Argument) -> tuple[str, ...]:
    """Say which other argument has the shape of this one's gradient, and a gradient of this one's shape."""
    values = {} if evidence.gradients is None else evidence.gradients.values
    mine = shape_or_none(values.get(argument.name))
    for other in evidence.owed:
        theirs = shape_or_none(values.get(other.name))
        if other is not argument and mine == other.value.shape and theirs == argument.value.shape != mine:
            return (f"looks like the gradients of {argument.name} and {other.name} in each other's place",)
    return ()


def _shape_hints(argument: Argument, found: object) -> tuple[str, ...]:
    """Say what a wrong shape looks like."""
    g = as_real(found)
    if g is None:
        return ()
    wanted = argument.value.shape
    if g.ndim == 0:
        return ("a chained assignment such as `dx = dout[mask] = 0` binds dx to the constant",) if g == 0 else ()
    if g.ndim > len(wanted) and g.shape[g.ndim - len(wanted) :] == wanted:
        axes = tuple(range(g.ndim - len(wanted)))
        return (f"looks like a missing sum over axis {axes[0] if len(axes) == 1 else axes}",)
    if g.size == argument.value.size:
        return (f"looks like a missing reshape to {wanted}" + (" or a transpose" if g.shape == wanted[::-1] else ""),)
    return ()
