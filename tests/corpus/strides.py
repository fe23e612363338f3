"""Arrays that are not laid out row by row (T27): Fortran, transposed, strided, reversed, broadcast, read-only."""

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from tests.corpus.entry import Odd, Wrong

# -------------------------------------------------------------------------------------------- the layout of dout


class Halve:
    """Right: leaks a half on the negative side, over the flattened array."""

    def forward(self, x):
        self.slope = np.where(x.reshape(-1) > 0, 1.0, 0.5)
        return np.where(x > 0, x, 0.5 * x)

    def backward(self, dout):
        return (dout.reshape(-1) * self.slope).reshape(dout.shape)


class HalveRavelK(Halve):
    """``ravel("K")`` runs through dout as it lies in memory, the slopes were taken row by row."""

    def backward(self, dout):
        return (dout.ravel("K") * self.slope).reshape(dout.shape)


class HalveRavelA(Halve):
    """``ravel("A")`` runs column by column through a Fortran dout."""

    def backward(self, dout):
        return (dout.ravel("A") * self.slope).reshape(dout.shape)


class HalveFromBuffer(Halve):
    """``frombuffer`` wants one contiguous block, and raises for anything else."""

    def backward(self, dout):
        return (np.frombuffer(dout, dtype=dout.dtype) * self.slope).reshape(dout.shape)


class HalveSetsShape(Halve):
    """``g.shape = -1`` cannot be done without a copy for a strided dout, and then raises."""

    def backward(self, dout):
        g = dout[...]
        g.shape = (-1,)
        return (g * self.slope).reshape(dout.shape)


class HalveToBytes(Halve):
    """The bytes are those of dout in its own order, "A", and are read back row by row."""

    def backward(self, dout):
        g = np.frombuffer(dout.tobytes("A"), dtype=dout.dtype)
        return (g * self.slope).reshape(dout.shape)


class HalveNditer(Halve):
    """``nditer`` visits the elements in the order of memory unless told otherwise."""

    def backward(self, dout):
        dx = np.zeros(dout.size)
        for k, g in enumerate(np.nditer(dout, flags=["zerosize_ok"])):
            dx[k] = g * self.slope[k]
        return dx.reshape(dout.shape)


class HalveWritesToCopy(Halve):
    """``zeros_like`` is laid out as dout is, and ``ravel`` of a Fortran array is a copy: what is written is lost."""

    def backward(self, dout):
        dx = np.zeros_like(dout)
        dx.ravel()[:] = dout.ravel() * self.slope
        return dx


class Windows:
    """Right: sums over windows of up to three columns."""

    def forward(self, x):
        self.width = min(3, x.shape[1])
        return sliding_window_view(x, self.width, axis=1).sum(axis=2)

    def backward(self, dout):
        padded = np.pad(dout, ((0, 0), (self.width - 1, self.width - 1)))
        return sliding_window_view(padded, self.width, axis=1).sum(axis=2)


class WindowsAssumedStrides(Windows):
    """``np.array`` copies in the order of memory, but the strides are those of a C array."""

    def backward(self, dout):
        g, size = np.array(dout), dout.itemsize
        g = as_strided(g, g.shape, (size * g.shape[1], size))
        return super().backward(g)


class WindowsAssumedStep(Windows):
    """The step from row to row is that of dout, the one along a row is assumed."""

    def backward(self, dout):
        g = dout if dout.strides[1] < 0 else as_strided(dout, dout.shape, (dout.strides[0], dout.itemsize))
        return super().backward(g)


class Turn:
    """Right: rows and columns exchanged, then squared."""

    def forward(self, x):
        self.x = x
        return (x.T) ** 2

    def backward(self, dout):
        return 2 * self.x * dout.T


class TurnByOrder(Turn):
    """A Fortran dout is taken for one that has been turned back already."""

    def backward(self, dout):
        if dout.flags.f_contiguous and not dout.flags.c_contiguous and dout.shape[0] == dout.shape[1]:
            return 2 * self.x * dout
        return 2 * self.x * dout.T


class TurnByRead(Turn):
    """The transpose is made by reading a flattened dout, in "A" order, in Fortran order."""

    def backward(self, dout):
        return 2 * self.x * dout.ravel("A").reshape(self.x.shape, order="F")


class PerChannel:
    """Right: a gain per channel of a three-dimensional array, (n, t, i)."""

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.x = x
        return x * self.gamma

    def backward(self, dout):
        self.dgamma = (dout * self.x).reshape(-1, len(self.gamma)).sum(axis=0)
        return dout * self.gamma


class PerChannelInMemory(PerChannel):
    """The product is laid out as dout is, and is read as if the channels came last in memory."""

    def backward(self, dout):
        g = np.array(dout, order="K")
        g *= self.x
        self.dgamma = g.ravel("K").reshape(-1, len(self.gamma)).sum(axis=0)
        return dout * self.gamma


class PerChannelLastStride(PerChannel):
    """The axis with the smallest step in memory is taken for the channels."""

    def backward(self, dout):
        g = dout * np.ones(dout.shape)
        axis = min(range(dout.ndim - 1, -1, -1), key=lambda k: dout.strides[k])
        g = np.moveaxis(g * self.x, axis, -1)
        self.dgamma = g.reshape(-1, g.shape[-1]).sum(axis=0)
        return dout * self.gamma


class Doubled:
    """Right: x plus its tanh."""

    def forward(self, x):
        self.t = np.tanh(x)
        return x + self.t

    def backward(self, dout):
        dx = dout.copy()
        dx += dout * (1 - self.t**2)
        return dx


class DoubledInBroadcast(Doubled):
    """The sum is formed in a copy only if dout owns its memory; else in dout, which may be read-only or a broadcast."""

    def backward(self, dout):
        dx = dout.copy() if dout.flags.owndata or dout.flags.c_contiguous else dout
        dx += dout * (1 - self.t**2)
        return dx


class DoubledUnlocks(Doubled):
    """``setflags`` cannot make a read-only dout writeable that is not its own, and raises."""

    def backward(self, dout):
        g = dout.view()
        g.setflags(write=True)
        return g + g * (1 - self.t**2)


class DoubledStrideZero(Doubled):
    """A broadcast dout (a step of 0 bytes) is taken for all ones: a shortcut for ``sum().backward()``."""

    def backward(self, dout):
        g = np.ones(dout.shape) if dout.size and 0 in dout.strides else dout
        return g + g * (1 - self.t**2)


class DoubledReversed(Doubled):
    """Negative steps are taken off by reading the other way round."""

    def backward(self, dout):
        g = dout[:, ::-1] if dout.strides[-1] < 0 else dout
        return g + g * (1 - self.t**2)


class DoubledComplexView(Doubled):
    """dout is viewed as bytes and back, which needs a contiguous last axis."""

    def backward(self, dout):
        g = dout.view(np.uint8).view(dout.dtype)
        return g + g * (1 - self.t**2)


def heads_forward(x):
    """Right: (n, t, i) to (n, i, t), squared."""
    return x.transpose(0, 2, 1) ** 2, x


def heads_backward(dout, cache):
    return 2 * cache * dout.transpose(0, 2, 1)


def heads_backward_reshaped(dout, cache):
    """dout is read in the order of memory, to spare a copy, before its axes are exchanged."""
    g = dout.ravel("K").reshape(dout.shape).transpose(0, 2, 1)
    return 2 * cache * g


def heads_backward_sorted_axes(dout, cache):
    """The axes are put into the order of their steps, largest first, before they are exchanged."""
    order = np.argsort([-abs(s) for s in dout.strides], kind="stable")
    g = dout.transpose(order)
    return 2 * cache * g.transpose(0, 2, 1)


# ------------------------------------------------------------------------------- the layout of inputs and parameters


class FlatScale:
    """Right: a sine, computed over the flattened array."""

    def forward(self, x):
        self.shape = x.shape
        self.flat = x.ravel()
        return np.sin(self.flat).reshape(x.shape)

    def backward(self, dout):
        return (dout.ravel() * np.cos(self.flat)).reshape(self.shape)


class FlatScaleK(FlatScale):
    """x is flattened for backward as it lies in memory, and dout row by row."""

    def forward(self, x):
        super().forward(x)
        self.flat = x.ravel(order="K")
        return np.sin(x)


class FlatScaleCopyK(FlatScale):
    """Both are flattened in "A" order: right if x and dout are laid out alike, and only then."""

    def forward(self, x):
        self.x = x
        return np.sin(x)

    def backward(self, dout):
        slope = np.cos(self.x.flatten("A"))
        return (dout.flatten("A") * slope).reshape(dout.shape, order="F" if self.x.flags.fnc else "C")


class Weighted:
    """Right: a linear map."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class WeightedByFlags(Weighted):
    """A Fortran W is taken to be a transposed one, and is not transposed again where it is square."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        turned = self.W.flags.fnc and self.W.shape[0] == self.W.shape[1]
        return dout @ (self.W if turned else self.W.T)


class WeightedStrided(Weighted):
    """The transpose of W is made by exchanging assumed strides instead of those it has."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        i, o = self.W.shape
        W, size = np.array(self.W), self.W.itemsize
        return dout @ as_strided(W, (o, i), (size, size * o))


class WeightedBuffer(Weighted):
    """W is read as one block of memory, which a Fortran or strided W is not."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        i, o = self.W.shape
        return dout @ np.frombuffer(self.W, dtype=self.W.dtype).reshape(i, o).T


class WeightedGradientLike(Weighted):
    """``empty_like`` keeps the layout of W, and the gradient is written along its memory."""

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        self.dW.ravel("K")[:] = (self.x.T @ dout).ravel()
        return dout @ self.W.T


class WeightedInputAsBlock(Weighted):
    """x is flattened by setting its shape, which raises where x is Fortran or strided."""

    def backward(self, dout):
        flat = self.x[...]
        flat.shape = (flat.size,)
        self.dW = flat.reshape(self.x.shape).T @ dout
        return dout @ self.W.T


class Patches:
    """Right: weighs each column and its right neighbour."""

    def forward(self, x, w):
        self.cols = sliding_window_view(x, 2, axis=1)
        self.w = w
        return self.cols @ w

    def backward(self, dout):
        n, k = dout.shape
        dx = np.zeros((n, k + 1))
        for j in range(2):
            dx[:, j : j + k] += dout * self.w[j]
        return dx, np.tensordot(dout, self.cols, axes=([0, 1], [0, 1]))


class PatchesAssumedStrides(Patches):
    """The windows kept for backward are cut with the strides of a C array: only dw suffers."""

    def forward(self, x, w):
        out = super().forward(x, w)
        (n, i), size = x.shape, x.itemsize
        self.cols = as_strided(np.array(x), (n, i - 1, 2), (size * i, size, size))
        return out


class PatchesAssumedStep(Patches):
    """The step from row to row is that of x, the one along a row is assumed."""

    def forward(self, x, w):
        out = super().forward(x, w)
        n, i = x.shape
        step = x.itemsize if x.strides[1] > 0 else x.strides[1]
        self.cols = as_strided(x, (n, i - 1, 2), (x.strides[0], step, step))
        return out


class PatchesWeightsAsBlock(Patches):
    """The weights are read as a block of memory, and a slice with steps is none."""

    def backward(self, dout):
        self.w = np.frombuffer(self.w, dtype=self.w.dtype)
        return super().backward(dout)


class Statistic:
    """Right: the mean square of each sample."""

    def forward(self, x):
        self.x = x
        self.size = int(np.prod(x.shape[1:]))
        return (x**2).reshape(len(x), self.size).sum(axis=1) / self.size

    def backward(self, dout):
        return 2 * self.x * dout.reshape(-1, *[1] * (self.x.ndim - 1)) / self.size


class StatisticByMemory(Statistic):
    """The upstream gradient is repeated for the elements of each sample, as if a sample were one block of memory."""

    def backward(self, dout):
        dx = np.repeat(dout, self.size) * 2 / self.size
        return (dx * self.x.ravel("K")).reshape(self.x.shape)


class StatisticFirstStride(Statistic):
    """The size of a sample is its step in memory."""

    def backward(self, dout):
        size = abs(self.x.strides[0]) // self.x.itemsize or 1
        return 2 * self.x * dout.reshape(-1, *[1] * (self.x.ndim - 1)) / size


def pick_forward(x, ids):
    """Right: one element of each row."""
    return x[np.arange(len(x)), ids], (x, ids)


def pick_backward(dout, cache):
    x, ids = cache
    dx = np.zeros_like(x)
    dx[np.arange(len(x)), ids] = dout
    return dx


def pick_backward_flat(dout, cache):
    """``zeros_like`` is laid out as x is, and ``reshape(-1)`` of a Fortran array is a copy: dx stays 0."""
    x, ids = cache
    dx = np.zeros_like(x)
    dx.reshape(-1)[np.arange(len(x)) * x.shape[1] + ids] = dout
    return dx


def smooth_abs(x):
    """Right: a smooth absolute value, as a closure."""
    r = np.sqrt(x**2 + 1)

    def pullback(dout):
        return dout * x / r

    return r, pullback


def smooth_abs_flat(x):
    """The quotient is kept flat in the order of memory, "K", and unfolded row by row."""
    r = np.sqrt(x**2 + 1)
    slope = (x / r).ravel("K")

    def pullback(dout):
        return dout * slope.reshape(x.shape)

    return r, pullback


# ------------------------------------------------------------------------------------------------ right, though odd


class ContiguousFirst:
    """Right, though odd: strides are assumed, but of arrays that have been made contiguous."""

    def forward(self, x):
        x = np.ascontiguousarray(x)
        n, i = self.shape = x.shape
        return as_strided(x, (n, i - 1, 2), (8 * i, 8, 8)).sum(axis=2)

    def backward(self, dout):
        flat = np.ascontiguousarray(dout).reshape(-1)
        g = as_strided(flat, dout.shape, (8 * dout.shape[1], 8))
        return np.pad(g, ((0, 0), (0, 1))) + np.pad(g, ((0, 0), (1, 0)))


class MemoryOrderBothWays:
    """Right, though odd: visits elements in the order of memory, but names each by its place."""

    def forward(self, x):
        self.x = x
        return np.exp(-np.abs(x)) * x

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        it = np.nditer(dout, flags=["multi_index", "zerosize_ok"])
        for g in it:
            x = self.x[it.multi_index]
            dx[it.multi_index] = g * np.exp(-abs(x)) * (1 - abs(x))
        return dx


class BranchOnFlags:
    """Right, though odd: another way for Fortran arrays, with the same result."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout if dout.flags.c_contiguous else (dout.T @ self.x).T
        return dout @ self.W.T if self.W.flags.c_contiguous else (self.W @ dout.T).T


class GradientInFortranOrder:
    """Right, though odd: the gradients come back in Fortran order, reversed and read-only."""

    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout):
        dx = np.asfortranarray(2 * self.x * dout)
        dx.flags.writeable = False
        return dx


_ROWS = {"signature": "(n,t,i),(i)->(n,t,i)"}
_COLUMNS = {"signature": "(n,2*i),(2)->(n,k)"}
_HEADS = {"signature": "(n,t,i)->(n,i,t)"}

WRONG = (
    # the layout of dout
    Wrong(HalveRavelK, Halve, "GC501", "T27", "a Fortran dout"),
    Wrong(HalveRavelA, Halve, "GC501", "T27", "a Fortran dout"),
    Wrong(HalveFromBuffer, Halve, "GC501", "T27", "a Fortran, strided, reversed or broadcast dout: raises"),
    Wrong(HalveSetsShape, Halve, "GC501", "T27", "a Fortran, strided, reversed or broadcast dout: raises"),
    Wrong(HalveToBytes, Halve, "GC501", "T27", "a Fortran dout"),
    Wrong(HalveNditer, Halve, "GC501", "T27", "a Fortran or reversed dout"),
    Wrong(HalveWritesToCopy, Halve, "GC501", "T27", "a Fortran dout"),
    Wrong(WindowsAssumedStrides, Windows, "GC501", "T27", "a Fortran dout"),
    Wrong(WindowsAssumedStep, Windows, "GC501", "T27", "a Fortran, strided or broadcast dout"),
    Wrong(TurnByOrder, Turn, "GC501", "T27", "a Fortran dout, n = i"),
    Wrong(TurnByRead, Turn, "GC501", "T27", "a Fortran dout"),
    Wrong(PerChannelInMemory, PerChannel, "GC501", "T27", "a permuted dout of three dimensions", options=_ROWS),
    Wrong(PerChannelLastStride, PerChannel, "GC501", "T27", "a permuted dout of three dimensions", options=_ROWS),
    Wrong(DoubledInBroadcast, Doubled, "GC201", "T27", "a broadcast or read-only view as dout: raises"),
    Wrong(DoubledUnlocks, Doubled, "GC501", "T27", "a read-only dout: raises"),
    Wrong(DoubledStrideZero, Doubled, "GC501", "T27", "a broadcast dout only, of other values than 1"),
    Wrong(DoubledReversed, Doubled, "GC501", "T27", "a reversed dout only"),
    Wrong(DoubledComplexView, Doubled, "GC501", "T27", "a Fortran or strided dout: raises"),
    Wrong(
        (heads_forward, heads_backward_reshaped),
        (heads_forward, heads_backward),
        "GC501",
        "T27",
        "a Fortran or permuted dout",
        options=_HEADS,
    ),
    Wrong(
        (heads_forward, heads_backward_sorted_axes),
        (heads_forward, heads_backward),
        "GC501",
        "T27",
        "a Fortran or permuted dout: raises",
        options=_HEADS,
    ),
    # the layout of inputs and parameters
    Wrong(FlatScaleK, FlatScale, "GC502", "T27", "a Fortran x"),
    Wrong(FlatScaleCopyK, FlatScale, "GC502", "T27", "a Fortran x and a C dout, or the other way round"),
    Wrong(WeightedByFlags, Weighted, "GC502", "T27", "a Fortran W, i = o"),
    Wrong(WeightedStrided, Weighted, "GC502", "T27", "a Fortran W"),
    Wrong(WeightedBuffer, Weighted, "GC502", "T27", "a Fortran or strided W: raises"),
    Wrong(WeightedGradientLike, Weighted, "GC502", "T27", "a Fortran W"),
    Wrong(WeightedInputAsBlock, Weighted, "GC502", "T27", "a Fortran or strided x: raises"),
    Wrong(PatchesAssumedStrides, Patches, "GC502", "T27", "a Fortran x", options=_COLUMNS),
    Wrong(PatchesAssumedStep, Patches, "GC502", "T27", "a Fortran or strided x", options=_COLUMNS),
    Wrong(PatchesWeightsAsBlock, Patches, "GC502", "T27", "a strided w: raises", options=_COLUMNS),
    Wrong(StatisticByMemory, Statistic, "GC502", "T27", "a Fortran x"),
    Wrong(StatisticFirstStride, Statistic, "GC502", "T27", "a Fortran or strided x"),
    Wrong((pick_forward, pick_backward_flat), (pick_forward, pick_backward), "GC502", "T27", "a Fortran x"),
    Wrong(smooth_abs_flat, smooth_abs, "GC502", "T27", "a Fortran x"),
)

ODD = (
    Odd(
        ContiguousFirst,
        "strides are assumed, but of arrays that have been made contiguous",
        options={"signature": "(n,2*i)->(n,k)"},
    ),
    Odd(MemoryOrderBothWays, "goes through dout in the order of memory, but by index"),
    Odd(BranchOnFlags, "another way for Fortran arrays, with the same result"),
    Odd(GradientInFortranOrder, "a gradient in Fortran order, and read-only"),
)
