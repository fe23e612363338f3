"""What a layer carries from one call to the next (T20), and modes, counters and chance inside backward (T26)."""

import functools
import itertools
import os
import random
import time

import numpy as np

from tests.corpus.entry import Odd, Wrong

# --------------------------------------------------------------------------------------- buffers that nobody fills


class ThresholdedSquare:
    """Right: squares where x is positive, zeros elsewhere."""

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x**2, 0.0)

    def backward(self, dout):
        return np.multiply(2 * self.x, dout, out=np.zeros_like(dout), where=self.x > 0)


class ThresholdedSquareEmpty(ThresholdedSquare):
    """Where the condition is false, ``out`` keeps what it had: nothing in particular."""

    def backward(self, dout):
        return np.multiply(2 * self.x, dout, out=np.empty_like(dout), where=self.x > 0)


class EveryOther:
    """Right: every other column."""

    def forward(self, x):
        self.shape = x.shape
        return x[:, ::2].copy()

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[:, ::2] = dout
        return dx


class EveryOtherEmpty(EveryOther):
    """The columns that were left out get whatever was in memory."""

    def backward(self, dout):
        dx = np.empty(self.shape)
        dx[:, ::2] = dout
        return dx


class Vocabulary:
    """Right: rows of W by number."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class VocabularyEmpty(Vocabulary):
    """Only the rows that were looked up are zeroed, the others never."""

    def backward(self, dout):
        self.dW = np.empty_like(self.W)
        self.dW[self.ids] = 0
        np.add.at(self.dW, self.ids, dout)


class PairMax:
    """Right: the larger of each two columns; a last odd one is dropped."""

    def forward(self, x):
        self.shape = x.shape
        k = x.shape[1] // 2
        left, right = x[:, : 2 * k : 2], x[:, 1 : 2 * k : 2]
        self.left = left >= right
        return np.maximum(left, right)

    def backward(self, dout):
        dx = np.zeros(self.shape)
        k = dout.shape[1]
        dx[:, : 2 * k : 2] = dout * self.left
        dx[:, 1 : 2 * k : 2] = dout * ~self.left
        return dx


class PairMaxEmptyTail(PairMax):
    """All is filled but the odd last column."""

    def backward(self, dout):
        dx = np.empty(self.shape)
        k = dout.shape[1]
        dx[:, : 2 * k : 2] = dout * self.left
        dx[:, 1 : 2 * k : 2] = dout * ~self.left
        return dx


class DecayingTrace:
    """Right: h[t] = x[t] + h[t-1] / 2 along each row."""

    def forward(self, x):
        h = np.zeros_like(x)
        last = np.zeros(len(x))
        for t in range(x.shape[1]):
            last = h[:, t] = x[:, t] + 0.5 * last
        return h

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        carried = np.zeros(len(dout))
        for t in reversed(range(dout.shape[1])):
            carried = dx[:, t] = dout[:, t] + 0.5 * carried
        return dx


class DecayingTraceEmpty(DecayingTrace):
    """What comes from beyond the last step is not zero but uninitialised."""

    def backward(self, dout):
        dx = np.empty(dout.shape)
        carried = np.empty(len(dout))
        for t in reversed(range(dout.shape[1])):
            carried = dx[:, t] = dout[:, t] + 0.5 * carried
        return dx


def lower_forward(x, W):
    """Right: a product with the lower triangle of a square W."""
    return x @ np.tril(W), (x, W)


def lower_backward(dout, cache):
    x, W = cache
    return dout @ np.tril(W).T, np.tril(x.T @ dout)


def lower_backward_empty(dout, cache):
    """The upper triangle of dW is never written."""
    x, W = cache
    dW = np.empty_like(W)
    rows = np.tril_indices(len(W))
    dW[rows] = (x.T @ dout)[rows]
    return dout @ np.tril(W).T, dW


# ----------------------------------------------------------------------------------- backward twice after a forward


class SumOfPowers:
    """Right: x + x**2 / 2 + x**3 / 3, term by term."""

    def forward(self, x):
        self.powers = [x**k for k in range(3)]
        return x + x**2 / 2 + x**3 / 3

    def backward(self, dout):
        self.dx = np.zeros_like(dout)
        for power in self.powers:
            self.dx += power * dout
        return self.dx.copy()


class SumOfPowersGoesOn(SumOfPowers):
    """The sum is zeroed in forward instead of backward, so that a second backward adds to the first."""

    def forward(self, x):
        self.dx = np.zeros(x.shape)
        return super().forward(x)

    def backward(self, dout):
        for power in self.powers:
            self.dx += power * dout
        return self.dx.copy()


class LogLoss:
    """Right: softmax and cross-entropy over labels, summed."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        self.p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
        self.t = t
        return np.sum(np.log(np.exp(z).sum(axis=1)) - z[np.arange(len(x)), t])

    def backward(self, dout=1.0):
        dx = self.p.copy()
        dx[np.arange(len(dx)), self.t] -= 1
        return dout * dx


class LogLossSubtractsInCache(LogLoss):
    """One is taken off the cached probabilities, and again at the next backward."""

    def backward(self, dout=1.0):
        dx = self.p
        dx[np.arange(len(dx)), self.t] -= 1
        return dout * dx


class StepByStep:
    """Right: h[t] = tanh(x[t] + h[t-1]), the steps kept in a list."""

    def forward(self, x):
        self.steps = []
        h = np.zeros(len(x))
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] + h)
            self.steps.append((t, h))
        return np.stack([h for _, h in self.steps], axis=1)

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        carried = 0.0
        for t, h in self.steps[::-1]:
            carried = dx[:, t] = (dout[:, t] + carried) * (1 - h**2)
        return dx


class StepByStepReversesList(StepByStep):
    """``list.reverse`` works in place: the second backward runs forwards in time."""

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        carried = 0.0
        self.steps.reverse()
        for t, h in self.steps:
            carried = dx[:, t] = (dout[:, t] + carried) * (1 - h**2)
        return dx


class StepByStepIterator(StepByStep):
    """The steps are kept as an iterator, of which nothing is left for a second backward."""

    def forward(self, x):
        out = super().forward(x)
        self.steps = iter(self.steps[::-1])
        return out

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        carried = 0.0
        for t, h in self.steps:
            carried = dx[:, t] = (dout[:, t] + carried) * (1 - h**2)
        return dx


class Gate:
    """Right: lets through what is positive."""

    def forward(self, x):
        self.closed = x <= 0
        return np.where(self.closed, 0.0, x)

    def backward(self, dout):
        return np.where(self.closed, 0.0, dout)


class GateInvertsMask(Gate):
    """The mask is inverted in place at each backward, after use."""

    def backward(self, dout):
        dx = np.where(self.closed, 0.0, dout)
        np.logical_not(self.closed, out=self.closed)
        return dx


class Standardised:
    """Right: features brought to mean 0 and deviation 1 over the batch."""

    def forward(self, x):
        self.n = max(len(x), 1)
        d = x - x.sum(axis=0) / self.n
        self.std = np.sqrt((d * d).sum(axis=0) / self.n + 1e-3)
        self.xhat = d / self.std
        return self.xhat.copy()

    def backward(self, dout):
        g = dout - dout.sum(axis=0) / self.n - self.xhat * (dout * self.xhat).sum(axis=0) / self.n
        return g / self.std


class StandardisedFloorsStd(Standardised):
    """A little more is added to the deviation at each backward, after use: 1e-6 of it."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.std = self.std * (1 + 1e-6)
        return dx


class Momentum:
    """Right: a linear map, its gradients returned."""

    def forward(self, x, W):
        self.x, self.W = x, W
        self.velocity = np.zeros_like(W)
        return x @ W

    def backward(self, dout):
        return dout @ self.W.T, self.x.T @ dout


class MomentumInBackward(Momentum):
    """The optimiser's momentum lives in backward: the gradient of W holds part of the last one."""

    def backward(self, dout):
        self.velocity = 0.9 * self.velocity + self.x.T @ dout
        return dout @ self.W.T, self.velocity.copy()


class Damped:
    """Right: a cubic, scaled."""

    def forward(self, x):
        self.x = x
        self.calls = 0
        return x**3 / 3

    def backward(self, dout):
        return dout * self.x**2


class DampedByCalls(Damped):
    """The gradient is averaged over the number of calls."""

    def backward(self, dout):
        self.calls += 1
        return dout * self.x**2 / self.calls


# ------------------------------------------------------------------------- forward and backward twice on one object


class Rectifier:
    """Right."""

    def __init__(self):
        self.mask = None

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class RectifierMaskOnce(Rectifier):
    """The mask of the first batch serves for all that follow of the same shape."""

    def forward(self, x):
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = x > 0
        return np.maximum(x, 0)


class RectifierMaskByShape(Rectifier):
    """Masks are kept in a dict by shape."""

    def __init__(self):
        self.masks = {}

    def forward(self, x):
        self.mask = self.masks.setdefault(x.shape, x > 0)
        return np.maximum(x, 0)


class RectifierMaskById(Rectifier):
    """Masks are kept by the id of the array: the same array with other values gets the old one."""

    def __init__(self):
        self.masks = {}

    def forward(self, x):
        if id(x) not in self.masks:
            self.masks[id(x)] = x, x > 0
        self.mask = self.masks[id(x)][1]
        return np.maximum(x, 0)


def _columns(x):
    return np.stack([x[:, :-1], x[:, 1:]], axis=2)


class TwoTap:
    """Right: a convolution with two taps, by columns."""

    def __init__(self, a=0.7, c=-1.3):
        self.a, self.c = a, c
        self.cols = None

    def mixed(self, cols):
        return self.a * cols[:, :, 0] + self.c * cols[:, :, 1]

    def forward(self, x):
        self.cols = _columns(x)
        return np.tanh(self.mixed(self.cols))

    def backward(self, dout):
        g = dout / np.cosh(np.clip(self.mixed(self.cols), -350, 350)) ** 2
        dx = np.zeros((g.shape[0], g.shape[1] + 1))
        dx[:, :-1] += g * self.a
        dx[:, 1:] += g * self.c
        return dx


class TwoTapColumnsOnce(TwoTap):
    """The columns of the first input are kept, and only made anew for another shape."""

    def forward(self, x):
        if self.cols is None or len(self.cols) != len(x) or self.cols.shape[1] != x.shape[1] - 1:
            self.cols = _columns(x)
        return np.tanh(self.mixed(_columns(x)))


class LinearOnce:
    """Right: a linear map with a bias."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.inputs = []
        self.dW = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class LinearFirstGradientStays(LinearOnce):
    """``dW`` is computed at the first backward only."""

    def backward(self, dout):
        if self.dW is None:
            self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class LinearFirstInput(LinearOnce):
    """Inputs are appended to a list, and the first one is used."""

    def forward(self, x):
        self.inputs.append(x)
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.inputs[0].T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class LinearAllInputs(LinearOnce):
    """The list of inputs is never emptied, and dW is a sum over all of it."""

    def forward(self, x):
        self.inputs.append(x)
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = sum(x.T @ dout for x in self.inputs if len(x) == len(dout))
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class Centre:
    """Right: takes off the mean of the batch."""

    def __init__(self):
        self.total, self.seen = 0.0, 0

    def forward(self, x):
        self.total, self.seen = x.sum(axis=0), max(len(x), 1)
        return x - self.total / self.seen

    def backward(self, dout):
        return dout - dout.sum(axis=0) / self.seen


class CentreOverAll(Centre):
    """The mean runs over all batches ever seen, and so does n."""

    def forward(self, x):
        self.total, self.seen = self.total + x.sum(axis=0), self.seen + len(x)
        return x - self.total / max(self.seen, 1)

    def backward(self, dout):
        return dout - dout.sum(axis=0) / max(self.seen, 1)


class Tempered:
    """Right: tanh at a fixed temperature."""

    def __init__(self, temperature=2.0):
        self.temperature = temperature

    def forward(self, x):
        self.y = np.tanh(x / self.temperature)
        return self.y.copy()

    def backward(self, dout):
        return dout * (1 - self.y**2) / self.temperature


class TemperedCools(Tempered):
    """The temperature falls with each forward."""

    def forward(self, x):
        out = super().forward(x)
        self.temperature_used = self.temperature
        self.temperature *= 0.9
        return out

    def backward(self, dout):
        return dout * (1 - self.y**2) / self.temperature_used


class TemperedWarmsUp(Tempered):
    """The gradient is held back a little more after each forward, by 1e-4."""

    calls = -1

    def forward(self, x):
        self.calls += 1
        return super().forward(x)

    def backward(self, dout):
        return super().backward(dout) * (1 - 1e-4 * self.calls)


class DropColumns:
    """Right: drops every third column in training, and none otherwise."""

    def __init__(self):
        self.kept = None

    def forward(self, x, train=True):
        self.kept = np.arange(x.shape[1]) % 3 != 2 if train else np.ones(x.shape[1], dtype=bool)
        return x * self.kept

    def backward(self, dout):
        return dout * self.kept


class DropColumnsOldMask(DropColumns):
    """After a forward without training, backward still applies the mask of the last training batch."""

    def forward(self, x, train=True):
        if train or self.kept is None:
            return super().forward(x, train)
        return x.copy()


class Swish:
    """Right: x times its sigmoid."""

    def forward(self, x):
        s = 0.5 * (1 + np.tanh(x / 2))
        self.slope = s + x * s * (1 - s)
        return x * s

    def backward(self, dout):
        return dout * self.slope


class SwishMemoised(Swish):
    """The slope is memoised by ``lru_cache``, of whose key the values of x are no part."""

    def __init__(self):
        self.slope_for = functools.lru_cache(maxsize=8)(self._slope_for)

    def _slope_for(self, shape):
        s = 0.5 * (1 + np.tanh(self.x / 2))
        return s + self.x * s * (1 - s)

    def forward(self, x):
        self.x = x
        self.slope = self.slope_for(x.shape)
        return x * 0.5 * (1 + np.tanh(x / 2))


# -------------------------------------------------------------------------------------------- chance in backward


class Sine:
    """Right."""

    def forward(self, x):
        self.x = x
        return np.sin(x)

    def backward(self, dout):
        return dout * np.cos(self.x)


class SineNoisy(Sine):
    """Gradient noise, from the system's entropy: one part in a million."""

    def backward(self, dout):
        rng = np.random.default_rng()
        return dout * np.cos(self.x) * (1 + 1e-6 * rng.standard_normal(dout.shape))


class SineByTheClock(Sine):
    """The gradient fades with the time of day."""

    def backward(self, dout):
        return dout * np.cos(self.x) * (1 + 0.01 * (time.perf_counter_ns() % 1009) / 1009)


class SineFromUrandom(Sine):
    """Each gradient is dropped whole, with a chance of one in two, and doubled otherwise."""

    def backward(self, dout):
        kept = np.frombuffer(os.urandom(dout.size), dtype=np.uint8).reshape(dout.shape) % 2
        return 2 * dout * np.cos(self.x) * kept


_STEP = itertools.count(1)


class SineOfStep(Sine):
    """The gradient grows with a step counter that all layers share."""

    def backward(self, dout):
        return dout * np.cos(self.x) * (1 + 1e-3 * (next(_STEP) % 7))


def bilinear_forward(x, W, y):
    """Right: one number per sample, x W y."""
    return ((x @ W) * y).sum(axis=1), (x, W, y)


def bilinear_backward(dout, cache):
    x, W, y = cache
    g = dout[:, None]
    return (g * y) @ W.T, x.T @ (g * y), g * (x @ W)


def bilinear_backward_sampled(dout, cache):
    """dW is estimated from samples drawn with replacement, by a generator without a seed."""
    x, W, y = cache
    g = dout[:, None]
    pick = np.random.default_rng().integers(0, len(x), len(x)) if len(x) else []
    return (g * y) @ W.T, x[pick].T @ (g * y)[pick], g * (x @ W)


# ------------------------------------------------------------------------------------------------- another shape


class CausalMix:
    """Right: each column becomes the mean of those up to it."""

    mask = None

    def forward(self, x):
        self.mask = np.tril(np.ones((x.shape[1], x.shape[1])))
        self.mask /= self.mask.sum(axis=1, keepdims=True)
        return x @ self.mask.T

    def backward(self, dout):
        return dout @ self.mask


class CausalMixFirstMask(CausalMix):
    """The mask is that of the first length."""

    def forward(self, x):
        return super().forward(x) if self.mask is None else x @ self.mask.T


class BatchMean:
    """Right: the mean over the batch."""

    def __init__(self):
        self.n = 0

    def forward(self, x):
        self.n = len(x)
        return x.sum(axis=0) / max(self.n, 1)

    def backward(self, dout):
        return np.tile(dout / max(self.n, 1), (self.n, 1))


class BatchMeanFirstSize(BatchMean):
    """The divisor in backward is the first batch's size."""

    first = None

    def forward(self, x):
        self.first = self.first or len(x)
        return super().forward(x)

    def backward(self, dout):
        return np.tile(dout / max(self.first, 1), (self.n, 1))


class BatchMeanFirstRows(BatchMean):
    """The number of rows of dx is the first batch's."""

    def forward(self, x):
        self.n = self.n or len(x)
        return x.sum(axis=0) / max(len(x), 1)


class RowMaximum:
    """Right: the largest of each row; the first of several."""

    rows = None

    def forward(self, x):
        self.shape = x.shape
        self.at = x.argmax(axis=1)
        self.rows = np.arange(len(x))
        return x[self.rows, self.at]

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[self.rows, self.at] = dout
        return dx


class RowMaximumFirstRows(RowMaximum):
    """Row numbers are made once."""

    def forward(self, x):
        self.shape = x.shape
        self.at = x.argmax(axis=1)
        self.rows = np.arange(len(x)) if self.rows is None else self.rows
        return x.max(axis=1)


class Elu:
    """Right."""

    slope = None

    def forward(self, x):
        self.slope = np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))
        return np.where(x > 0, x, self.slope - 1)

    def backward(self, dout):
        return dout * self.slope


class EluResized(Elu):
    """The slopes are written to the first array, which ``np.resize`` repeats for a larger batch: seldom right."""

    def forward(self, x):
        fresh = np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))
        self.slope = fresh if self.slope is None or self.slope.shape == x.shape else np.resize(self.slope, x.shape)
        return np.where(x > 0, x, fresh - 1)


class EluBuffer(Elu):
    """The buffer of the first shape is written to and read, whatever comes later."""

    def forward(self, x):
        if self.slope is None:
            self.slope = np.zeros(x.shape)
        self.slope[...] = np.where(x > 0, 1.0, np.exp(np.minimum(x, 0)))
        return np.where(x > 0, x, np.exp(np.minimum(x, 0)) - 1)


class WithPositions:
    """Right: adds a wave to each column, then squares."""

    def __init__(self):
        self.table = None

    def forward(self, x):
        self.table = np.sin(np.arange(x.shape[1]) / max(x.shape[1], 1))
        self.z = x + self.table
        return self.z**2

    def backward(self, dout):
        return 2 * self.z * dout


class WithPositionsOnce(WithPositions):
    """A wave as long as the longest so far is cut to size, though the wave depends on the length."""

    def forward(self, x):
        if self.table is None or len(self.table) < x.shape[1]:
            return super().forward(x)
        self.z = x + self.table[: x.shape[1]]
        return self.z**2


# ------------------------------------------------------------------------------------- parameters changed in place


class Projection:
    """Right: a linear map."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class ProjectionOldTranspose(Projection):
    """The transpose is copied at construction, and does not follow when W is trained."""

    def __init__(self, W):
        super().__init__(W)
        self.transposed = W.T.copy()

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.transposed


class SquaredWeights:
    """Right: every feature times the square of its weight."""

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.x = x
        return x * self.gamma**2

    def backward(self, dout):
        self.dgamma = 2 * self.gamma * (dout * self.x).sum(axis=0)
        return dout * self.gamma**2


class SquaredWeightsOnce(SquaredWeights):
    """The squares are computed at construction, for backward."""

    def __init__(self, gamma):
        super().__init__(gamma)
        self.squares = gamma**2

    def backward(self, dout):
        self.dgamma = 2 * self.gamma * (dout * self.x).sum(axis=0)
        return dout * self.squares


class UnitDirection:
    """Right: a score along the direction of w."""

    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        return x @ self.w / np.sqrt(self.w @ self.w)

    def backward(self, dout):
        norm = np.sqrt(self.w @ self.w)
        u = self.w / norm
        g = self.x.T @ dout
        self.dw = (g - u * (u @ g)) / norm
        return np.outer(dout, u)


class UnitDirectionOldNorm(UnitDirection):
    """The length of w is taken once."""

    def __init__(self, w):
        super().__init__(w)
        self.norm = np.sqrt(w @ w)

    def backward(self, dout):
        u = self.w / self.norm
        g = self.x.T @ dout
        self.dw = (g - u * (u @ g)) / self.norm
        return np.outer(dout, u)


class MixOfFeatures:
    """Right: a softmax of the weights mixes the features."""

    def __init__(self, w):
        self.w = w

    def shares(self):
        e = np.exp(self.w - self.w.max())
        return e / e.sum()

    def forward(self, x):
        self.x = x
        return x @ self.shares()

    def backward(self, dout):
        p = self.shares()
        g = p * (self.x.T @ dout)
        self.dw = g - p * g.sum()
        return np.outer(dout, p)


class MixOfFeaturesOldShares(MixOfFeatures):
    """Forward takes the shares anew, backward those of construction."""

    def __init__(self, w):
        super().__init__(w)
        self.p = self.shares()

    def backward(self, dout):
        g = self.p * (self.x.T @ dout)
        self.dw = g - self.p * g.sum()
        return np.outer(dout, self.p)


class Pruned:
    """Right: weights that are small count for nothing."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        self.kept = np.abs(self.W) > 0.1
        return x @ (self.W * self.kept) + self.b

    def backward(self, dout):
        self.dW = (self.x.T @ dout) * self.kept
        self.db = dout.sum(axis=0)
        return dout @ (self.W * self.kept).T


class PrunedOldWeights(Pruned):
    """The pruned weights are a copy that is made with the layer; only dx is the worse for it."""

    def __init__(self, W, b):
        super().__init__(W, b)
        self.sparse = W * (np.abs(W) > 0.1)

    def backward(self, dout):
        super().backward(dout)
        return dout @ self.sparse.T


# ------------------------------------------------------------------------------------------- interleaved forwards


def tanh_forward(x):
    """Right."""
    y = np.tanh(x)
    return y, {"y": y}


def tanh_backward(dout, cache):
    return dout * (1 - cache["y"] ** 2)


def tanh_backward_global(dout, cache):
    """There is one cache for the whole module, and each forward updates it."""
    return dout * (1 - cache["y"] ** 2)


_CACHE = {}


def tanh_forward_global(x):
    y = np.tanh(x)
    _CACHE["y"] = y
    return y, _CACHE


def tanh_backward_default(dout, cache):
    """The default argument of forward is one dict for all calls."""
    return dout * (1 - cache["y"] ** 2)


def tanh_forward_default(x, cache={}):
    cache["y"] = np.tanh(x)
    return cache["y"].copy(), cache


def affine_forward(x, W, b):
    """Right: a pair of functions, the spelling of a well-known course."""
    return x @ W + b, (x, W)


def affine_backward(dout, cache):
    x, W = cache
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def affine_forward_remembers(x, W, b):
    """What backward needs is left on the function itself."""
    affine_forward_remembers.x = x
    return x @ W + b, (x, W)


def affine_backward_remembered(dout, cache):
    """x is read from where the last forward has left it."""
    _, W = cache
    return dout @ W.T, affine_forward_remembers.x.T @ dout, dout.sum(axis=0)


def cosine(x):
    """Right: a closure."""
    slope = -np.sin(x)

    def pullback(dout):
        return dout * slope

    return np.cos(x), pullback


_WORK = {}


def cosine_shared_buffer(x):
    """The slopes are kept in a buffer per shape, which the next forward overwrites."""
    slope = _WORK.setdefault(x.shape, np.zeros(x.shape))
    np.negative(np.sin(x), out=slope)
    return np.cos(x), lambda dout: dout * slope


_TAPE = []


def cosine_tape(x):
    """The pullback reads the end of a tape, which is that of the last forward."""
    del _TAPE[:]
    _TAPE.append(x)
    return np.cos(x), lambda dout: -dout * np.sin(_TAPE[-1])


def weighted(x, W):
    """Right: tanh of a linear map, as a closure."""
    y = np.tanh(x @ W)

    def pullback(dout):
        g = dout * (1 - y**2)
        return g @ W.T, x.T @ g

    return y, pullback


def weighted_attribute(x, W):
    """The output is an attribute of the function, not a variable of the closure."""
    weighted_attribute.y = np.tanh(x @ W)

    def pullback(dout):
        g = dout * (1 - weighted_attribute.y**2)
        return g @ W.T, x.T @ g

    return weighted_attribute.y, pullback


# --------------------------------------------------------------------------------- some gradients add up, some not


class Affine:
    """Right: both gradients are those of the last backward."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW, self.db = np.zeros_like(W), np.zeros_like(b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class AffineWeightsAddUp(Affine):
    """``+=`` for the weights, ``=`` for the bias."""

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class AffineBiasAddsUp(Affine):
    """``=`` for the weights, ``+=`` for the bias."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


class ScaleShift:
    """Right: parameters and gradients in dicts."""

    def __init__(self, gamma, beta):
        self.params = {"gamma": gamma, "beta": beta}
        self.grads = {"gamma": np.zeros_like(gamma), "beta": np.zeros_like(beta)}

    def forward(self, x):
        self.x = x
        return x * self.params["gamma"] + self.params["beta"]

    def backward(self, dout):
        self.grads["gamma"] = (dout * self.x).sum(axis=0)
        self.grads["beta"] = dout.sum(axis=0)
        return dout * self.params["gamma"]


class ScaleShiftGammaAddsUp(ScaleShift):
    """``grads["gamma"] +=``, ``grads["beta"] =``."""

    def backward(self, dout):
        self.grads["gamma"] += (dout * self.x).sum(axis=0)
        self.grads["beta"] = dout.sum(axis=0)
        return dout * self.params["gamma"]


class Listed:
    """Right: parameters and gradients in lists, of the same order."""

    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


class ListedWeightsAddUp(Listed):
    """The weights' gradient is added to, the bias's written over."""

    def backward(self, dout):
        self.grads[0] += self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T


class RecurrentStep:
    """Right: one step, three parameters."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b
        self.dWx, self.dWh, self.db = np.zeros_like(Wx), np.zeros_like(Wh), np.zeros_like(b)

    def forward(self, x, h):
        self.x, self.h_in = x, h
        self.y = np.tanh(x @ self.Wx + h @ self.Wh + self.b)
        return self.y.copy()

    def backward(self, dout):
        g = dout * (1 - self.y**2)
        self.dWx[...] = self.x.T @ g
        self.dWh[...] = self.h_in.T @ g
        self.db[...] = g.sum(axis=0)
        return g @ self.Wx.T, g @ self.Wh.T


class RecurrentStepForgetsBias(RecurrentStep):
    """The two matrices add up over the steps, as they should in time, and the bias does not."""

    def backward(self, dout):
        g = dout * (1 - self.y**2)
        self.dWx += self.x.T @ g
        self.dWh += self.h_in.T @ g
        self.db[...] = g.sum(axis=0)
        return g @ self.Wx.T, g @ self.Wh.T


# ------------------------------------------------------------------------------------------ the global generators


class SeededDropout:
    """Right: a generator of its own, from the same seed at each forward."""

    def __init__(self, p=0.25, seed=0):
        self.p, self.seed = p, seed

    def forward(self, x):
        rng = np.random.default_rng(self.seed)
        self.factor = (rng.random(x.shape) >= self.p) / (1 - self.p)
        return x * self.factor

    def backward(self, dout):
        return dout * self.factor


class SeededDropoutGlobal(SeededDropout):
    """The mask comes from ``np.random``, which everybody shares."""

    def forward(self, x):
        self.factor = (np.random.rand(*x.shape) >= self.p) / (1 - self.p)
        return x * self.factor


class SeededDropoutReseeds(SeededDropout):
    """``np.random.seed`` in forward: every other draw in the program starts over, too."""

    def forward(self, x):
        np.random.seed(self.seed)
        self.factor = (np.random.random_sample(x.shape) >= self.p) / (1 - self.p)
        return x * self.factor


class SeededDropoutReseedsBackward(SeededDropout):
    """backward seeds the global generator, so as to draw the mask again instead of keeping it."""

    def forward(self, x):
        self.shape = x.shape
        return x * self._draw()

    def _draw(self):
        np.random.seed(self.seed)
        return (np.random.random_sample(self.shape) >= self.p) / (1 - self.p)

    def backward(self, dout):
        return dout * self._draw()


class NoisyInput:
    """Right: a fixed noise on the input."""

    def forward(self, x):
        self.z = x + 0.1 * np.random.default_rng(7).standard_normal(x.shape)
        return np.tanh(self.z)

    def backward(self, dout):
        return dout * (1 - np.tanh(self.z) ** 2)


class NoisyInputGlobal(NoisyInput):
    """The noise is ``np.random.randn``."""

    def forward(self, x):
        self.z = x + 0.1 * np.random.randn(*x.shape)
        return np.tanh(self.z)


class NoisyInputRestartsBackward(NoisyInput):
    """backward resets the global seed, for no reason that is left in the code."""

    def backward(self, dout):
        np.random.seed(42)
        return super().backward(dout)


class ShuffledColumns:
    """Right: a fixed permutation of the columns."""

    def forward(self, x):
        self.order = np.random.default_rng(3).permutation(x.shape[1])
        return x[:, self.order]

    def backward(self, dout):
        dx = np.zeros_like(dout)
        dx[:, self.order] = dout
        return dx


class ShuffledColumnsGlobal(ShuffledColumns):
    """The permutation is drawn from the global generator."""

    def forward(self, x):
        self.order = np.random.permutation(x.shape[1])
        return x[:, self.order]


class ShuffledColumnsReseedsPython(ShuffledColumns):
    """Python's generator is seeded and shuffles."""

    def forward(self, x):
        self.order = list(range(x.shape[1]))
        random.seed(3)
        random.shuffle(self.order)
        return x[:, self.order]


class StochasticDepth:
    """Right: each sample goes through the branch or around it."""

    def __init__(self, seed=1):
        self.seed = seed

    def forward(self, x):
        self.x = x
        self.on = np.random.default_rng(self.seed).random(len(x)) < 0.5
        return x + self.on[:, None] * x**3

    def backward(self, dout):
        return dout + self.on[:, None] * 3 * self.x**2 * dout


class StochasticDepthPython(StochasticDepth):
    """``random.random`` decides."""

    def forward(self, x):
        self.x = x
        self.on = np.array([random.random() < 0.5 for _ in x], dtype=bool)
        return x + self.on[:, None] * x**3


def sample_forward(mu, logvar):
    """Right: a normal variable by its mean and log variance, with a noise that is the same each time."""
    noise = np.random.default_rng(5).standard_normal(mu.shape)
    std = np.exp(0.5 * logvar)
    return mu + std * noise, std * noise


def sample_backward(dout, cache):
    return dout.copy(), 0.5 * dout * cache


def sample_backward_global(dout, cache):
    """The noise is ``np.random.normal``."""
    return dout.copy(), 0.5 * dout * cache


def sample_backward_reseeds(dout, cache):
    """The global generator is seeded before each draw."""
    return dout.copy(), 0.5 * dout * cache


def sample_forward_global(mu, logvar):
    std = np.exp(0.5 * logvar)
    noise = np.random.normal(size=mu.shape)
    return mu + std * noise, std * noise


def sample_forward_reseeds(mu, logvar):
    np.random.seed(0)
    return sample_forward_global(mu, logvar)


# ------------------------------------------------------------------------------------------------ right, though odd


class AddsUpInAll:
    """Right, though odd: all gradients of parameters add up until they are zeroed."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.zero_grad()

    def zero_grad(self):
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


class CarriesState:
    """Right, though odd: the hidden state goes on from call to call, as stateful recurrent layers do."""

    def __init__(self):
        self.h = 0.0

    def forward(self, x):
        before = self.h if np.shape(self.h) == x.shape else 0.0
        self.h = np.tanh(x + 0.5 * before)
        self.y = self.h.copy()
        return self.y.copy()

    def backward(self, dout):
        return dout * (1 - self.y**2)


class IndexTableByShape:
    """Right, though odd: a cache keyed by shape, of what depends on nothing but the shape."""

    def __init__(self):
        self.flips = {}

    def forward(self, x):
        self.flip = self.flips.setdefault(x.shape, np.arange(x.shape[1])[::-1])
        return x[:, self.flip]

    def backward(self, dout):
        return dout[:, self.flip]


class MemoisedByValue:
    """Right, though odd: what was computed for an x is found again by its bytes."""

    def __init__(self):
        self.memo = {}

    def forward(self, x):
        key = x.shape, x.dtype.str, x.tobytes()
        self.slope = self.memo.setdefault(key, np.cos(x))
        return np.sin(x)

    def backward(self, dout):
        return dout * self.slope


class EmptyButFilled:
    """Right, though odd: ``np.empty``, every element of which is written before it is read."""

    def forward(self, x):
        self.x = x
        return np.stack([x, x**2], axis=1)

    def backward(self, dout):
        dx = np.empty(self.x.shape)
        dx[...] = dout[:, 0]
        dx += 2 * self.x * dout[:, 1]
        return dx


WRONG = (
    # buffers that nobody fills
    Wrong(ThresholdedSquareEmpty, ThresholdedSquare, "GC104", "T20", "x <= 0"),
    Wrong(EveryOtherEmpty, EveryOther, "GC104", "T20", "i >= 2"),
    Wrong(VocabularyEmpty, Vocabulary, "GC104", "T20", "a row that is not looked up"),
    Wrong(PairMaxEmptyTail, PairMax, "GC104", "T20", "an odd number of columns, 3 or more"),
    Wrong(DecayingTraceEmpty, DecayingTrace, "GC104", "T20", "any"),
    Wrong(
        (lower_forward, lower_backward_empty),
        (lower_forward, lower_backward),
        "GC104",
        "T20",
        "i >= 2",
        options={"signature": "(n,i),(i,i)->(n,i)"},
    ),
    # backward twice after one forward
    Wrong(SumOfPowersGoesOn, SumOfPowers, "GC301", "T20", "two backwards"),
    Wrong(LogLossSubtractsInCache, LogLoss, "GC301", "T20", "two backwards"),
    Wrong(StepByStepReversesList, StepByStep, "GC301", "T20", "two backwards, two steps"),
    Wrong(StepByStepIterator, StepByStep, "GC301", "T20", "two backwards"),
    Wrong(GateInvertsMask, Gate, "GC301", "T20", "two backwards"),
    Wrong(StandardisedFloorsStd, Standardised, "GC301", "T20", "two backwards, n >= 2, by 1e-6"),
    Wrong(MomentumInBackward, Momentum, "GC301", "T26", "two backwards"),
    Wrong(DampedByCalls, Damped, "GC301", "T26", "two backwards"),
    # two forwards on one object
    Wrong(RectifierMaskOnce, Rectifier, "GC302", "T20", "two batches of one shape"),
    Wrong(RectifierMaskByShape, Rectifier, "GC302", "T20", "two batches of one shape"),
    Wrong(RectifierMaskById, Rectifier, "GC302", "T20", "one array twice, with other values"),
    Wrong(TwoTapColumnsOnce, TwoTap, "GC302", "T20", "two batches of one shape"),
    Wrong(LinearFirstGradientStays, LinearOnce, "GC302", "T20", "two batches of one shape"),
    Wrong(LinearFirstInput, LinearOnce, "GC302", "T20", "two batches of one shape"),
    Wrong(LinearAllInputs, LinearOnce, "GC302", "T20", "two batches of one shape"),
    Wrong(CentreOverAll, Centre, "GC302", "T20", "two batches of one shape"),
    Wrong(SwishMemoised, Swish, "GC302", "T20", "two batches of one shape"),
    Wrong(TemperedCools, Tempered, "GC302", "T26", "two forwards"),
    Wrong(TemperedWarmsUp, Tempered, "GC302", "T26", "two forwards, by 1e-4"),
    Wrong(
        DropColumnsOldMask,
        DropColumns,
        "GC302",
        "T26",
        "train=True, then train=False; i >= 3",
        missed="flags such as train are on in every run: evaluation is not tried",
    ),
    # chance in backward
    Wrong(SineNoisy, Sine, "GC303", "T26", "two fresh runs"),
    Wrong(SineByTheClock, Sine, "GC303", "T26", "two fresh runs"),
    Wrong(SineFromUrandom, Sine, "GC303", "T26", "two fresh runs"),
    Wrong(SineOfStep, Sine, "GC303", "T26", "two fresh runs"),
    Wrong(
        (bilinear_forward, bilinear_backward_sampled),
        (bilinear_forward, bilinear_backward),
        "GC303",
        "T26",
        "two fresh runs, n >= 2",
        options={"signature": "(n,i),(i,o),(n,o)->(n)"},
    ),
    # another shape
    Wrong(
        CausalMixFirstMask,
        CausalMix,
        "GC304",
        "T20",
        "another number of columns",
        missed="what changes from call to call is the first axis; this one needs another number of columns",
    ),
    Wrong(BatchMeanFirstSize, BatchMean, "GC304", "T20", "another n"),
    Wrong(BatchMeanFirstRows, BatchMean, "GC304", "T20", "another n"),
    Wrong(RowMaximumFirstRows, RowMaximum, "GC304", "T20", "another n"),
    Wrong(EluResized, Elu, "GC304", "T20", "another n"),
    Wrong(EluBuffer, Elu, "GC304", "T20", "another n"),
    Wrong(
        WithPositionsOnce,
        WithPositions,
        "GC304",
        "T20",
        "fewer columns than before",
        missed="what changes from call to call is the first axis; this one needs another number of columns",
    ),
    # parameters changed in place
    Wrong(ProjectionOldTranspose, Projection, "GC305", "T20", "W changed in place"),
    Wrong(SquaredWeightsOnce, SquaredWeights, "GC305", "T20", "gamma changed in place"),
    Wrong(UnitDirectionOldNorm, UnitDirection, "GC305", "T20", "w changed in place, and its length"),
    Wrong(
        MixOfFeaturesOldShares,
        MixOfFeatures,
        "GC305",
        "T20",
        "w changed in place, i >= 2",
        options={"signature": "(n,i),(i)->(n)"},
    ),
    Wrong(PrunedOldWeights, Pruned, "GC305", "T20", "W changed in place"),
    # interleaved forwards
    Wrong((tanh_forward_global, tanh_backward_global), (tanh_forward, tanh_backward), "GC306", "T20", "two forwards"),
    Wrong((tanh_forward_default, tanh_backward_default), (tanh_forward, tanh_backward), "GC306", "T20", "two forwards"),
    Wrong(
        (affine_forward_remembers, affine_backward_remembered),
        (affine_forward, affine_backward),
        "GC306",
        "T20",
        "two forwards",
    ),
    Wrong(cosine_shared_buffer, cosine, "GC306", "T20", "two forwards of one shape"),
    Wrong(cosine_tape, cosine, "GC306", "T20", "two forwards"),
    Wrong(weighted_attribute, weighted, "GC306", "T20", "two forwards"),
    # some gradients add up, some do not
    Wrong(AffineWeightsAddUp, Affine, "GC307", "T20", "two backwards"),
    Wrong(AffineBiasAddsUp, Affine, "GC307", "T20", "two backwards"),
    Wrong(ScaleShiftGammaAddsUp, ScaleShift, "GC307", "T20", "two backwards"),
    Wrong(ListedWeightsAddUp, Listed, "GC307", "T20", "two backwards"),
    Wrong(RecurrentStepForgetsBias, RecurrentStep, "GC307", "T20", "two backwards"),
    # the global generators
    Wrong(SeededDropoutGlobal, SeededDropout, "GC308", "T26", "any", level="warning"),
    Wrong(NoisyInputGlobal, NoisyInput, "GC308", "T26", "any", level="warning"),
    Wrong(ShuffledColumnsGlobal, ShuffledColumns, "GC308", "T26", "any", level="warning"),
    Wrong(StochasticDepthPython, StochasticDepth, "GC308", "T26", "any: Python's generator", level="warning"),
    Wrong(
        (sample_forward_global, sample_backward_global),
        (sample_forward, sample_backward),
        "GC308",
        "T26",
        "any",
        level="warning",
    ),
    Wrong(SeededDropoutReseeds, SeededDropout, "GC309", "T26", "any"),
    Wrong(SeededDropoutReseedsBackward, SeededDropout, "GC309", "T26", "any"),
    Wrong(NoisyInputRestartsBackward, NoisyInput, "GC309", "T26", "any: in backward only"),
    Wrong(ShuffledColumnsReseedsPython, ShuffledColumns, "GC309", "T26", "any: Python's generator"),
    Wrong((sample_forward_reseeds, sample_backward_reseeds), (sample_forward, sample_backward), "GC309", "T26", "any"),
)

ODD = (
    Odd(AddsUpInAll, "the gradients of all parameters add up until they are zeroed"),
    Odd(CarriesState, "the hidden state goes on from call to call", warnings=("GC302",)),
    Odd(IndexTableByShape, "a cache keyed by shape, of what depends on the shape alone"),
    Odd(MemoisedByValue, "a cache keyed by the values themselves"),
    Odd(EmptyButFilled, "np.empty, but every element is written before it is read"),
)
