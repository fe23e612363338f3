"""GC1: the values, shapes and number of the gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradcheck.records import Finding, Level
from gradcheck.rules.evidence import Evidence, as_real
from gradcheck.subject.describe import describe
from gradcheck.subject.protocol import Argument, Missing


def value(evidence: Evidence) -> Iterator[Finding]:
    """GC101: a gradient differs from the numeric derivative by more than the error bar of the latter.

    The gradient that backward gives for an argument, contracted with a random ``dout``, is held against a numeric
    derivative of forward along random directions. The bar is measured at this very point (truncation and rounding), so
    there is no tolerance to choose; what disagrees is confirmed element by element in fresh probes before it is said.

    Wrong::

        self.dW = dX @ dout        # X.T @ dout

    Not flagged: any value between the one-sided slopes at a kink, as ``dout * (x > 0)`` and ``dout * (x >= 0)`` both
    are for a ReLU at exactly 0. A difference as small as a stabilising constant of forward, such as the 1e-7 in
    ``np.log(y + 1e-7)``, that backward leaves out is a warning.

    To mend it, differentiate forward with respect to this argument alone, at one element, by hand.
    """
    for argument in evidence.owed:
        found = evidence.comparisons.get(argument.name)
        if found is None or found.verdict != "fail":
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

    Wrong::

        self.db = None             # and backward never sets it

    Not flagged: None for an integer or boolean input, which has no gradient. For arrays that may well be constants (a
    loss's float targets, a fixed table under a name that parameters do not bear) it is a warning only.

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

        self.db = dout             # (n, o) for b of shape (o,): dout.sum(axis=0)

    Not flagged: a Python float for an argument that is a scalar.

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
            argument.name, diagnosis=_shape_hints(argument, found),
        )  # fmt: skip


def finite(evidence: Evidence) -> Iterator[Finding]:
    """GC104: a gradient is NaN or infinite at a point where forward is finite.

    Wrong::

        dx = dout * y / x          # 0 / 0 where x is 0; the same is dout * 2 * x for y = x**2

    Not flagged: an infinite slope where the function really has one is re-drawn elsewhere (points are drawn where
    forward is smooth).

    To mend it, write the derivative in a form that does not divide by what may vanish.
    """
    for argument in evidence.owed:
        g = evidence.arrays.get(argument.name)
        if g is not None and not np.all(np.isfinite(g)):
            bad = np.argwhere(~np.isfinite(g))
            index = tuple(int(k) for k in bad[0])
            yield Finding(
                "GC104", "error",
                f"the gradient of {argument.name} is not finite in {len(bad)} of {g.size} elements, though forward is",
                argument.name, index=index, diagnosis=(f"the gradient at {list(index)} is {g[index]}",),
            )  # fmt: skip


def precision(evidence: Evidence) -> Iterator[Finding]:
    """GC106: a gradient has a coarser dtype than its argument and the output.

    Half of the digits that forward keeps are lost on the way back, and on every layer before this one.

    Wrong::

        dx = np.empty(x.shape, dtype="f")       # float32, whatever x is: np.empty_like(x)

    Not flagged: a layer that works in float32 throughout, forward too.

    To mend it, take the dtype from the argument.
    """
    for argument in evidence.owed:
        g = evidence.arrays.get(argument.name)
        wide = min([argument.value.dtype, *(y.dtype for y in evidence.outputs)], key=lambda dtype: dtype.itemsize)
        if g is not None and g.dtype.itemsize < wide.itemsize:
            message = f"the gradient of {argument.name} is {g.dtype}, its argument and the output are {wide}"
            yield Finding("GC106", "warning", message, argument.name)


def structure(evidence: Evidence) -> Iterator[Finding]:
    """GC105: backward returns another number of gradients than there are arguments.

    Wrong::

        def forward(self, x, y): ...
        def backward(self, dout): return dout * self.y        # and y's gradient?

    Not flagged: integer inputs left out. Values beyond the gradients that are owed are a warning only: many layers
    return a carried state too.

    To mend it, return one gradient for each input of forward, in the same order.
    """
    if evidence.gradients is None:
        return
    for problem in evidence.gradients.problems:
        yield Finding("GC105", "error", problem)
    for remark in evidence.gradients.remarks:
        yield Finding("GC105", "warning", remark)


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
