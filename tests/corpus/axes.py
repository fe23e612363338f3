"""Axes: the batch axis, broadcasting that is not undone, the axis setting, and wrong operands: T06 to T09."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# --- T06: the batch axis -------------------------------------------------------------------------------------------


class DenseDict:
    """Right: parameters and gradients in dicts."""

    def __init__(self, W, b):
        self.params = {"W": W, "b": b}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class DenseDictBiasAveraged(DenseDict):
    """The bias is averaged over the samples, while W is summed."""

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.mean(axis=0)
        return dout @ self.params["W"].T


class DenseDictWeightAveraged(DenseDict):
    """W is averaged over the samples, while the bias is summed."""

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout / len(dout)
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class DenseDictAllAveraged(DenseDict):
    """A convention: the gradients of both parameters are averaged over the samples, that of x is not."""

    def backward(self, dout):
        n = max(len(dout), 1)
        self.grads["W"] = self.x.T @ dout / n
        self.grads["b"] = dout.sum(axis=0) / n
        return dout @ self.params["W"].T


class DenseDictInputAveraged(DenseDict):
    """The gradient of x is divided by the batch size."""

    def backward(self, dout):
        super().backward(dout)
        return dout @ self.params["W"].T / max(len(dout), 1)


class DenseDictWithoutLast(DenseDict):
    """An index that is off by one leaves out the last sample."""

    def backward(self, dout):
        self.grads["W"] = self.x[:-1].T @ dout[:-1]
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class DenseDictSqueezed(DenseDict):
    """The kept axis is squeezed away, and that of a single output unit with it."""

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = np.squeeze(dout.sum(axis=0, keepdims=True))
        return dout @ self.params["W"].T


class DenseDictAxisByShape(DenseDict):
    """The axis that is not as long as the bias is summed over: the wrong one where n = o."""

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.sum(axis=1 if len(dout) == len(self.params["b"]) else 0)
        return dout @ self.params["W"].T


def sequence_dense_forward(x, W, b):
    """Right: the same affine map at each time of each sample."""
    n, t, i = x.shape
    return x @ W + b, (x, W)


def sequence_dense_backward(dout, cache):
    x, W = cache
    return dout @ W.T, np.einsum("nti,nto->io", x, dout), dout.sum(axis=(0, 1))


def sequence_dense_bias_per_time_backward(dout, cache):
    """The bias is summed over the batch, and not over time."""
    x, W = cache
    return dout @ W.T, np.einsum("nti,nto->io", x, dout), dout.sum(axis=0)


def sequence_dense_one_sample_backward(dout, cache):
    """The gradient of W is that of the first sample."""
    x, W = cache
    return dout @ W.T, x[0].T @ dout[0], dout.sum(axis=(0, 1))


def sequence_dense_batched_weight_backward(dout, cache):
    """The product is batched and never summed: one gradient of W for each sample."""
    x, W = cache
    return dout @ W.T, x.swapaxes(1, 2) @ dout, dout.sum(axis=(0, 1))


def sequence_dense_mean_over_time_backward(dout, cache):
    """W is averaged over time, though its bias is summed."""
    x, W = cache
    return dout @ W.T, np.einsum("nti,nto->io", x, dout) / dout.shape[1], dout.sum(axis=(0, 1))


class ChannelBias:
    """Right: one number for each channel of an image."""

    def __init__(self, b):
        self.b = b

    def forward(self, x):
        n, c, h, w = x.shape
        return x + self.b.reshape(1, c, 1, 1)

    def backward(self, dout):
        self.db = dout.sum(axis=(0, 2, 3))
        return dout.copy()


class ChannelBiasPerSample(ChannelBias):
    """Height and width are summed over, the batch is not."""

    def backward(self, dout):
        self.db = dout.sum(axis=(2, 3))
        return dout.copy()


class ChannelBiasFirstImage(ChannelBias):
    """Only the first image counts."""

    def backward(self, dout):
        self.db = dout[0].sum(axis=(1, 2))
        return dout.copy()


class ChannelBiasMean(ChannelBias):
    """A convention: the only parameter's gradient is averaged over the batch."""

    def backward(self, dout):
        self.db = dout.sum(axis=(0, 2, 3)) / max(len(dout), 1)
        return dout.copy()


class ChannelBiasAxesByShape(ChannelBias):
    """All axes that are not as long as the bias are summed over: too few where n, h or w equals c."""

    def backward(self, dout):
        self.db = dout.sum(axis=tuple(a for a, size in enumerate(dout.shape) if size != self.b.size))
        return dout.copy()


class WordVectors:
    """Right: rows of a table, looked up by index."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class WordVectorsFirstSentence(WordVectors):
    """Only the words of the first sentence get a gradient."""

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids[0], dout[0])


class ParametricRelu:
    """Right: a slope of its own for the negative side of each feature."""

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.gamma * x)

    def backward(self, dout):
        self.dgamma = (dout * np.minimum(self.x, 0)).sum(axis=0)
        return dout * np.where(self.x > 0, 1, self.gamma)


class ParametricReluLastSample(ParametricRelu):
    """A loop over the samples overwrites where it should add: the last one is left."""

    def backward(self, dout):
        self.dgamma = np.zeros_like(self.gamma)
        for d, x in zip(dout, self.x, strict=True):
            self.dgamma = d * np.minimum(x, 0)
        return dout * np.where(self.x > 0, 1, self.gamma)


class Normalised:
    """Right: layer normalisation; gradients of gamma and beta are returned."""

    def forward(self, x, gamma, beta):
        self.gamma = gamma
        centred = x - x.mean(axis=1, keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-3)
        self.xhat = centred / self.std
        return gamma * self.xhat + beta

    def backward(self, dout):
        g = dout * self.gamma
        dx = g - g.mean(axis=1, keepdims=True) - self.xhat * (g * self.xhat).mean(axis=1, keepdims=True)
        return dx / self.std, (dout * self.xhat).sum(axis=0), dout.sum(axis=0)


class NormalisedGammaAveraged(Normalised):
    """gamma is averaged over the samples, beta is summed."""

    def backward(self, dout):
        dx, dgamma, dbeta = super().backward(dout)
        return dx, (dout * self.xhat).mean(axis=0), dbeta


# --- T07: broadcasting not undone ----------------------------------------------------------------------------------


class AddRow:
    """Right: a row is added to every row of x."""

    def forward(self, x, row):
        return x + row

    def backward(self, dout):
        return dout.copy(), dout.sum(axis=0)


class AddRowUnsummed(AddRow):
    """The gradient of the row has as many rows as x."""

    def backward(self, dout):
        return dout.copy(), dout.copy()


class AddRowKeepdims(AddRow):
    """Summed, but the axis is kept: (1, i) for (i,)."""

    def backward(self, dout):
        return dout.copy(), dout.sum(axis=0, keepdims=True)


class AddRowResized(AddRow):
    """The gradient is cut down to the right shape instead of summed: what is left is the first row."""

    def backward(self, dout):
        return dout.copy(), np.resize(dout, dout.shape[1:])


class AddRowMean(AddRow):
    """The rows are averaged instead of summed."""

    def backward(self, dout):
        return dout.copy(), dout.mean(axis=0)


class WeightSamples:
    """Right: each sample has a weight, in a column."""

    def forward(self, x, column):
        self.x, self.column = x, column
        return x * column

    def backward(self, dout):
        return dout * self.column, (dout * self.x).sum(axis=1, keepdims=True)


class WeightSamplesFlat(WeightSamples):
    """The gradient of the column (n, 1) has the shape (n,)."""

    def backward(self, dout):
        return dout * self.column, (dout * self.x).sum(axis=1)


class WeightSamplesUnsummed(WeightSamples):
    """The product is not summed over the features."""

    def backward(self, dout):
        return dout * self.column, dout * self.x


class WeightSamplesTotal(WeightSamples):
    """Everything is summed, and the total is given to every sample."""

    def backward(self, dout):
        return dout * self.column, np.full_like(self.column, (dout * self.x).sum())


def unbroadcast(g, shape):
    while g.ndim > len(shape):
        g = g.sum(axis=0)
    for axis, size in enumerate(shape):
        if size == 1:
            g = g.sum(axis=axis, keepdims=True)
    return g


def broadcast_product(x, y):
    """Right: a product that broadcasts, with its pullback; sizes of 1 and missing axes are summed over."""
    x, y = np.array(x), np.array(y)

    def pullback(dout):
        return unbroadcast(dout * y, x.shape), unbroadcast(dout * x, y.shape)

    return x * y, pullback


def broadcast_product_leading_only(x, y):
    """Missing axes are summed over, those of size 1 are not."""
    x, y = np.array(x), np.array(y)

    def reduced(g, shape):
        return g.sum(axis=tuple(range(g.ndim - len(shape))))

    def pullback(dout):
        return reduced(dout * y, x.shape), reduced(dout * x, y.shape)

    return x * y, pullback


def broadcast_product_squeezed(x, y):
    """Axes of size 1 are summed over, and dropped."""
    x, y = np.array(x), np.array(y)

    def pullback(dout):
        dx, dy = unbroadcast(dout * y, x.shape), unbroadcast(dout * x, y.shape)
        return dx, dy.squeeze(axis=-1)

    return x * y, pullback


class Gain:
    """Right: one learnt factor for everything, kept as an array of shape (1,)."""

    def __init__(self, gain):
        self.gain = gain

    def forward(self, x):
        self.x = x
        return x * self.gain

    def backward(self, dout):
        self.dgain = np.array([np.sum(dout * self.x)])
        return dout * self.gain


class GainOverBatch(Gain):
    """Only the batch is summed over: one number per feature for one factor."""

    def backward(self, dout):
        self.dgain = np.sum(dout * self.x, axis=0)
        return dout * self.gain


class GainBareNumber(Gain):
    """The sum is a number of no dimensions, for a parameter with one."""

    def backward(self, dout):
        self.dgain = np.sum(dout * self.x)
        return dout * self.gain


class GainOfSums(Gain):
    """The sum of the products is taken for the product of the sums."""

    def backward(self, dout):
        self.dgain = np.array([dout.sum() * self.x.sum()])
        return dout * self.gain


def outer_sum_forward(x, y):
    """Right: the table of all sums."""
    return x[:, None] + y[None, :]


def outer_sum_backward(dout, x, y):
    return dout.sum(axis=1), dout.sum(axis=0)


def outer_sum_swapped_backward(dout, x, y):
    """The two axes are the wrong way round; the shapes fit only for a square table."""
    return dout.sum(axis=0), dout.sum(axis=1)


class RowBias:
    """Right: a bias of shape (1, o)."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0, keepdims=True)
        return dout @ self.W.T


class RowBiasFlat(RowBias):
    """The gradient of the bias (1, o) has the shape (o,)."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = self.db[0]
        return dx


class LogisticColumn:
    """Right: a loss of a column of logits (n, 1) and labels (n,)."""

    def forward(self, x, t):
        self.x, self.t = x, t.reshape(-1, 1)
        return (np.maximum(x, 0) - x * self.t + np.log1p(np.exp(-np.abs(x)))).sum()

    def backward(self, dout=1.0):
        return dout * (0.5 * (1 + np.tanh(0.5 * self.x)) - self.t)


class LogisticColumnAgainstRow(LogisticColumn):
    """A column minus a row of labels is a table (n, n)."""

    def backward(self, dout=1.0):
        return dout * (0.5 * (1 + np.tanh(0.5 * self.x)) - self.t[:, 0])


class PositionBias:
    """Right: a table that is added to the scores of all samples and heads."""

    def forward(self, scores, table):
        return scores + table

    def backward(self, dout):
        return dout.copy(), dout.sum(axis=(0, 1))


class PositionBiasPerHead(PositionBias):
    """Summed over the samples, and not over the heads."""

    def backward(self, dout):
        return dout.copy(), dout.sum(axis=0)


class PositionBiasOneHead(PositionBias):
    """Summed over the samples of the first head: the right shape."""

    def backward(self, dout):
        return dout.copy(), dout[:, 0].sum(axis=0)


class RepeatRow:
    """Right: one row is repeated five times."""

    def forward(self, x):
        return np.broadcast_to(x, (5, *x.shape)).copy()

    def backward(self, dout):
        return dout.sum(axis=0)


class RepeatRowFirst(RepeatRow):
    """The gradient of the first copy is taken for that of all five."""

    def backward(self, dout):
        return dout[0].copy()


class Blend:
    """Right: x + a * (y - x), with a weight per sample."""

    def forward(self, x, y, a):
        self.x, self.y, self.a = x, y, a
        return x + a[:, None] * (y - x)

    def backward(self, dout):
        a = self.a[:, None]
        return dout * (1 - a), dout * a, (dout * (self.y - self.x)).sum(axis=1)


class BlendKeepsColumn(Blend):
    """The gradient of the weights (n,) is a column (n, 1)."""

    def backward(self, dout):
        a = self.a[:, None]
        return dout * (1 - a), dout * a, (dout * (self.y - self.x)).sum(axis=1, keepdims=True)


# --- T08: the axis -------------------------------------------------------------------------------------------------


class SoftmaxAlong:
    """Right: along an axis of one's choice."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        e = np.exp(x - x.max(axis=self.axis, keepdims=True))
        self.p = e / e.sum(axis=self.axis, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=self.axis, keepdims=True))


class SoftmaxAlongLast(SoftmaxAlong):
    """Backward always sums along the last axis."""

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=-1, keepdims=True))


class SoftmaxAlongOrLast(SoftmaxAlong):
    """``axis or -1`` takes 0 for "not given"."""

    def backward(self, dout):
        axis = self.axis or -1
        return self.p * (dout - (dout * self.p).sum(axis=axis, keepdims=True))


class SoftmaxAlongWithoutKeepdims(SoftmaxAlong):
    """The sum loses its axis: it fits for axis 0 only."""

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=self.axis))


class LogSumExpAlong:
    """Right: along an axis, or over everything for None."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        self.x, self.top = x, x.max(axis=self.axis, keepdims=True)
        out = self.top + np.log(np.exp(x - self.top).sum(axis=self.axis, keepdims=True))
        return out.squeeze(axis=self.axis)

    def backward(self, dout):
        e = np.exp(self.x - self.top)
        if self.axis is None:
            return dout * e / e.sum()
        return np.expand_dims(dout, self.axis) * e / e.sum(axis=self.axis, keepdims=True)


class LogSumExpAlongIfAxis(LogSumExpAlong):
    """``if self.axis`` takes axis 0 for None."""

    def backward(self, dout):
        e = np.exp(self.x - self.top)
        if not self.axis:
            return dout * e / e.sum()
        return np.expand_dims(dout, self.axis) * e / e.sum(axis=self.axis, keepdims=True)


class SumAlong:
    """Right: along an axis, negative ones too."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=self.axis)

    def backward(self, dout):
        return np.ones(self.shape, dtype=dout.dtype) * np.expand_dims(dout, self.axis)


class SumAlongByComparison(SumAlong):
    """The axis is looked for among 0, 1, ...: a negative one is never found."""

    def backward(self, dout):
        shape = [1 if a == self.axis else size for a, size in enumerate(self.shape)]
        return np.ones(self.shape) * dout.reshape(shape)


class SumAlongKept:
    """Right: the axis is kept, with size 1."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=self.axis, keepdims=True)

    def backward(self, dout):
        return np.ones(self.shape, dtype=dout.dtype) * dout


class SumAlongKeptExpands(SumAlongKept):
    """The axis is put in once more, though it was kept."""

    def backward(self, dout):
        return np.ones(self.shape) * np.expand_dims(dout, self.axis)


class CumulativeSum:
    """Right: along an axis; the gradient runs backwards along it."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return np.cumsum(x, axis=self.axis)

    def backward(self, dout):
        return np.flip(np.cumsum(np.flip(dout, self.axis), self.axis), self.axis)


class CumulativeSumFlipsFirst(CumulativeSum):
    """The flips are along the first axis, whatever the sum is along."""

    def backward(self, dout):
        return np.cumsum(dout[::-1], axis=self.axis)[::-1]


class Join:
    """Right: two arrays are joined along an axis."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x, y):
        self.cut = x.shape[self.axis]
        return np.concatenate([x, y], axis=self.axis)

    def backward(self, dout):
        dx, dy = np.split(dout, [self.cut], axis=self.axis)
        return dx.copy(), dy.copy()


class JoinCutAtBatch(Join):
    """The cut is at the number of rows, whatever the axis."""

    def forward(self, x, y):
        self.cut = x.shape[0]
        return np.concatenate([x, y], axis=self.axis)


class MaxAlong:
    """Right: of several maxima the first gets the gradient."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        self.x = x
        self.where = np.expand_dims(x.argmax(axis=self.axis), self.axis)
        return x.max(axis=self.axis)

    def backward(self, dout):
        dx = np.zeros(self.x.shape, dtype=dout.dtype)
        np.put_along_axis(dx, self.where, np.expand_dims(dout, self.axis), self.axis)
        return dx


class MaxAlongLastPlace(MaxAlong):
    """The maxima are marked along the last axis, whatever the axis."""

    def backward(self, dout):
        mask = self.x == self.x.max(axis=-1, keepdims=True)
        return mask * np.expand_dims(dout, self.axis)


class MeanOver:
    """Right: the mean over several axes."""

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        self.x = x
        return x.mean(axis=self.axes)

    def backward(self, dout):
        count = np.prod([self.x.shape[a] for a in self.axes])
        return np.ones(self.x.shape, dtype=dout.dtype) * np.expand_dims(dout, self.axes) / count


class MeanOverFirstCount(MeanOver):
    """Divided by the size of the first of the axes only."""

    def backward(self, dout):
        return np.ones(self.x.shape) * np.expand_dims(dout, self.axes) / self.x.shape[self.axes[0]]


class MeanOverNegativeUncounted(MeanOver):
    """A negative axis is not found when the elements are counted."""

    def backward(self, dout):
        count = np.prod([size for a, size in enumerate(self.x.shape) if a in self.axes])
        return np.ones(self.x.shape) * np.expand_dims(dout, self.axes) / count


class Permute:
    """Right: the axes are put in another order; the way back is the inverse order."""

    def __init__(self, axes):
        self.axes = axes

    def forward(self, x):
        return x.transpose(self.axes).copy()

    def backward(self, dout):
        return dout.transpose(np.argsort(self.axes)).copy()


class PermuteAgain(Permute):
    """The same order is applied again: right for a swap only."""

    def backward(self, dout):
        return dout.transpose(self.axes).copy()


class RollAlong:
    """Right: a roll along an axis, and back."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        return np.roll(x, 1, axis=self.axis)

    def backward(self, dout):
        return np.roll(dout, -1, axis=self.axis)


class RollAlongFlat(RollAlong):
    """The axis is left out, and the flattened gradient is rolled."""

    def backward(self, dout):
        return np.roll(dout, -1)


class VarianceAlong:
    """Right: the variance along an axis."""

    def __init__(self, axis):
        self.axis = axis

    def forward(self, x):
        self.centred = x - x.mean(axis=self.axis, keepdims=True)
        return (self.centred**2).mean(axis=self.axis)

    def backward(self, dout):
        return 2 * self.centred * np.expand_dims(dout, self.axis) / self.centred.shape[self.axis]


class VarianceAlongByBatch(VarianceAlong):
    """Divided by the number of rows, whatever the axis."""

    def backward(self, dout):
        return 2 * self.centred * np.expand_dims(dout, self.axis) / len(self.centred)


# --- T09: wrong operand, transpose, product ------------------------------------------------------------------------


class Projection:
    """Right: x W, with the gradient of W as an attribute."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class ProjectionTransposedWeight(Projection):
    """The product for W is the other way round: (o, i) for (i, o)."""

    def backward(self, dout):
        self.dW = dout.T @ self.x
        return dout @ self.W.T


class ProjectionForwardsAgain(Projection):
    """W is not transposed for dx, which does not even fit unless W is square."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W


class ProjectionWhicheverFits(Projection):
    """W is transposed only if it does not fit as it is."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W if dout.shape[1] == self.W.shape[0] else dout @ self.W.T


class BilinearScore:
    """Right: the score x W y of each pair of rows."""

    def forward(self, x, y, W):
        self.x, self.y, self.W = x, y, W
        return ((x @ W) * y).sum(axis=1)

    def backward(self, dout):
        d = dout[:, None]
        return d * (self.y @ self.W.T), d * (self.x @ self.W), self.x.T @ (d * self.y)


class BilinearScoreOwnOperand(BilinearScore):
    """y gets a product with W that belongs to x: right for symmetric W."""

    def backward(self, dout):
        d = dout[:, None]
        return d * (self.y @ self.W.T), d * (self.x @ self.W.T), self.x.T @ (d * self.y)


class BilinearScoreWeightSwapped(BilinearScore):
    """The outer product for W has its operands swapped."""

    def backward(self, dout):
        d = dout[:, None]
        return d * (self.y @ self.W.T), d * (self.x @ self.W), self.y.T @ (d * self.x)


def interpolation_forward(z, x, y):
    """Right: the last step of a gated unit, z * x + (1 - z) * y."""
    return z * x + (1 - z) * y, (z, x, y)


def interpolation_backward(dout, cache):
    z, x, y = cache
    return dout * (x - y), dout * z, dout * (1 - z)


def interpolation_swapped_backward(dout, cache):
    """The gate and its complement change places."""
    z, x, y = cache
    return dout * (x - y), dout * (1 - z), dout * z


class SelfSimilarity:
    """Right: x x^T, the similarity of all rows with all rows."""

    def forward(self, x):
        self.x = x
        return x @ x.T

    def backward(self, dout):
        return (dout + dout.T) @ self.x


class SelfSimilarityTwice(SelfSimilarity):
    """Twice one of the two products: right for a symmetric dout."""

    def backward(self, dout):
        return 2 * dout @ self.x


class WeightedValues:
    """Right: the weights of an attention times its values, weights (n, t, t)."""

    def forward(self, weights, values):
        self.weights, self.values = weights, values
        return weights @ values

    def backward(self, dout):
        return dout @ self.values.swapaxes(1, 2), self.weights.swapaxes(1, 2) @ dout


class WeightedValuesUntransposed(WeightedValues):
    """The weights are square, and nobody noticed that they are not transposed."""

    def backward(self, dout):
        return dout @ self.values.swapaxes(1, 2), self.weights @ dout


class QuadraticForm:
    """Right: x A x^T for each row of x."""

    def forward(self, x, A):
        self.x, self.A = x, A
        return np.einsum("ni,ij,nj->n", x, A, x)

    def backward(self, dout):
        dx = dout[:, None] * (self.x @ (self.A + self.A.T))
        return dx, np.einsum("n,ni,nj->ij", dout, self.x, self.x)


class QuadraticFormSymmetric(QuadraticForm):
    """2 A x, which is right for a symmetric A."""

    def backward(self, dout):
        dx = 2 * dout[:, None] * (self.x @ self.A.T)
        return dx, np.einsum("n,ni,nj->ij", dout, self.x, self.x)


class LowRank:
    """Right: x A B, with a narrow waist."""

    def forward(self, x, A, B):
        self.x, self.A, self.B = x, A, B
        return x @ A @ B

    def backward(self, dout):
        da = dout @ self.B.T
        return da @ self.A.T, self.x.T @ da, (self.x @ self.A).T @ dout


class LowRankInputForWaist(LowRank):
    """The gradient of B is a product with x instead of x A."""

    def backward(self, dout):
        da = dout @ self.B.T
        return da @ self.A.T, self.x.T @ da, self.x.T @ dout


def triple_product(x, y, z):
    """Right: x y z with its pullback."""
    x, y, z = np.array(x), np.array(y), np.array(z)

    def pullback(dout):
        return dout * y * z, dout * x * z, dout * x * y

    return x * y * z, pullback


def triple_product_own_factor(x, y, z):
    """The third operand is given a product in which it stands itself."""
    x, y, z = np.array(x), np.array(y), np.array(z)

    def pullback(dout):
        return dout * y * z, dout * x * z, dout * x * z

    return x * y * z, pullback


class Ratio:
    """Right: x / (1 + y**2)."""

    def forward(self, x, y):
        self.x, self.y, self.q = x, y, 1 + y**2
        return x / self.q

    def backward(self, dout):
        return dout / self.q, -2 * dout * self.x * self.y / self.q**2


class RatioNumerator(Ratio):
    """The denominator stands where the numerator belongs."""

    def backward(self, dout):
        return dout / self.q, -2 * dout * self.y * self.y / self.q**2


class Modulation:
    """Right: x * (1 + y), with a factor for each element."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * (1 + y)

    def backward(self, dout):
        return dout * (1 + self.y), dout * self.x


class ModulationWithoutOne(Modulation):
    """The factor is taken without its 1."""

    def backward(self, dout):
        return dout * self.y, dout * self.x


class TiedAutoencoder:
    """Right: x W W^T; W is used twice."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        self.h = x @ self.W
        return self.h @ self.W.T

    def backward(self, dout):
        dh = dout @ self.W
        self.dW = self.x.T @ dh + dout.T @ self.h
        return dh @ self.W.T


class TiedAutoencoderTwiceFirst(TiedAutoencoder):
    """x stands for dout in the second product."""

    def backward(self, dout):
        dh = dout @ self.W
        self.dW = self.x.T @ dh + self.x.T @ dh
        return dh @ self.W.T


class MeanLogit:
    """Right: the mean over the samples is in forward, so that every gradient is divided by n."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return (x @ self.W).sum(axis=0) / max(len(x), 1)

    def backward(self, dout):
        n = max(len(self.x), 1)
        self.dW = np.outer(self.x.sum(axis=0), dout) / n
        return np.ones((len(self.x), 1)) * (dout @ self.W.T) / n


class MeanBias:
    """Right: a bias that is scaled by 1 / n in forward, and x is not."""

    def __init__(self, b):
        self.b = b

    def forward(self, x):
        return x + self.b / max(len(x), 1)

    def backward(self, dout):
        self.db = dout.sum(axis=0) / max(len(dout), 1)
        return dout.copy()


_SEQUENCE = (sequence_dense_forward, sequence_dense_backward)
_ROW = {"signature": "(n,i),(i)->(n,i)"}
_COLUMN = {"signature": "(n,i),(n,1)->(n,i)"}
_TABLE = {"signature": "(n,h,t,s),(t,s)->(n,h,t,s)"}
_WIDE = {"signature": "(n,t,i),(t,1)->(n,t,i)"}
_GAIN = {"signature": "(n,i),(1)->(n,i)"}
_SQUARE = {"signature": "(n,t,t),(n,t,i)->(n,t,i)"}
_LOGITS = {"inputs": (np.array([[0.3], [-1.2], [2.1]]), np.array([1, 0, 1]))}

WRONG = (
    Wrong(DenseDictBiasAveraged, DenseDict, "GC101", "T06", "n >= 2"),
    Wrong(DenseDictWeightAveraged, DenseDict, "GC101", "T06", "n >= 2"),
    Wrong(DenseDictAllAveraged, DenseDict, "GC111", "T06", "n >= 2", level="warning"),
    Wrong(DenseDictInputAveraged, DenseDict, "GC101", "T06", "n >= 2"),
    Wrong(DenseDictWithoutLast, DenseDict, "GC101", "T06", "any"),
    Wrong(DenseDictSqueezed, DenseDict, "GC103", "T06", "o = 1"),
    Wrong(DenseDictAxisByShape, DenseDict, "GC101", "T06", "n = o"),
    Wrong((sequence_dense_forward, sequence_dense_bias_per_time_backward), _SEQUENCE, "GC103", "T06", "any"),
    Wrong((sequence_dense_forward, sequence_dense_one_sample_backward), _SEQUENCE, "GC101", "T06", "n >= 2"),
    Wrong((sequence_dense_forward, sequence_dense_batched_weight_backward), _SEQUENCE, "GC103", "T06", "any"),
    Wrong((sequence_dense_forward, sequence_dense_mean_over_time_backward), _SEQUENCE, "GC101", "T06", "t >= 2"),
    Wrong(ChannelBiasPerSample, ChannelBias, "GC103", "T06", "any"),
    Wrong(ChannelBiasFirstImage, ChannelBias, "GC101", "T06", "n >= 2"),
    Wrong(ChannelBiasMean, ChannelBias, "GC111", "T06", "n >= 2", level="warning"),
    Wrong(ChannelBiasAxesByShape, ChannelBias, "GC103", "T06", "n = c, h = c or w = c"),
    Wrong(WordVectorsFirstSentence, WordVectors, "GC101", "T06", "n >= 2"),
    Wrong(ParametricReluLastSample, ParametricRelu, "GC101", "T06", "n >= 2, x < 0"),
    Wrong(NormalisedGammaAveraged, Normalised, "GC101", "T06", "n >= 2"),
    Wrong(AddRowUnsummed, AddRow, "GC103", "T07", "any", options=_ROW),
    Wrong(AddRowKeepdims, AddRow, "GC103", "T07", "any", options=_ROW),
    Wrong(AddRowResized, AddRow, "GC101", "T07", "n >= 2", options=_ROW),
    Wrong(AddRowMean, AddRow, "GC101", "T07", "n >= 2", options=_ROW),
    Wrong(WeightSamplesFlat, WeightSamples, "GC103", "T07", "any", options=_COLUMN),
    Wrong(WeightSamplesUnsummed, WeightSamples, "GC103", "T07", "i >= 2", options=_COLUMN),
    Wrong(WeightSamplesTotal, WeightSamples, "GC101", "T07", "n >= 2", options=_COLUMN),
    Wrong(broadcast_product_leading_only, broadcast_product, "GC103", "T07", "i >= 2", options=_WIDE),
    Wrong(broadcast_product_squeezed, broadcast_product, "GC103", "T07", "any", options=_WIDE),
    Wrong(GainOverBatch, Gain, "GC103", "T07", "i >= 2", options=_GAIN),
    Wrong(GainBareNumber, Gain, "GC103", "T07", "any", options=_GAIN),
    Wrong(GainOfSums, Gain, "GC101", "T07", "two elements", options=_GAIN),
    Wrong(
        (outer_sum_forward, outer_sum_swapped_backward),
        (outer_sum_forward, outer_sum_backward),
        "GC103",
        "T07",
        "n != m",
        options={"signature": "(n),(m)->(n,m)"},
    ),
    Wrong(RowBiasFlat, RowBias, "GC103", "T07", "any", options={"signature": "(n,i),(i,o),(1,o)->(n,o)"}),
    Wrong(LogisticColumnAgainstRow, LogisticColumn, "GC103", "T07", "n >= 2", options=_LOGITS),
    Wrong(PositionBiasPerHead, PositionBias, "GC103", "T07", "any", options=_TABLE),
    Wrong(PositionBiasOneHead, PositionBias, "GC101", "T07", "h >= 2", options=_TABLE),
    Wrong(RepeatRowFirst, RepeatRow, "GC101", "T07", "any"),
    Wrong(BlendKeepsColumn, Blend, "GC103", "T07", "any", options={"signature": "(n,i),(n,i),(n)->(n,i)"}),
    Wrong(SoftmaxAlongLast, SoftmaxAlong, "GC101", "T08", "axis is not the last"),
    Wrong(SoftmaxAlongOrLast, SoftmaxAlong, "GC101", "T08", "axis = 0"),
    Wrong(SoftmaxAlongWithoutKeepdims, SoftmaxAlong, "GC602", "T08", "axis != 0, sizes differ"),
    Wrong(LogSumExpAlongIfAxis, LogSumExpAlong, "GC101", "T08", "axis = 0"),
    Wrong(SumAlongByComparison, SumAlong, "GC602", "T08", "axis < 0", options={"settings": {"axis": -1}}),
    Wrong(SumAlongKeptExpands, SumAlongKept, "GC103", "T08", "any"),
    Wrong(CumulativeSumFlipsFirst, CumulativeSum, "GC101", "T08", "axis != 0"),
    Wrong(JoinCutAtBatch, Join, "GC103", "T08", "axis != 0"),
    Wrong(MaxAlongLastPlace, MaxAlong, "GC101", "T08", "axis is not the last"),
    Wrong(MeanOverFirstCount, MeanOver, "GC101", "T08", "two axes", options={"settings": {"axes": (0, 2)}}),
    Wrong(
        MeanOverNegativeUncounted,
        MeanOver,
        "GC101",
        "T08",
        "a negative axis",
        options={"settings": {"axes": (0, -1)}},
    ),
    Wrong(
        PermuteAgain,
        Permute,
        "GC103",
        "T08",
        "a cycle of three axes",
        missed="of the orders of axes only swaps are tried for a matrix, and a swap is its own inverse",
    ),
    Wrong(RollAlongFlat, RollAlong, "GC101", "T08", "any"),
    Wrong(VarianceAlongByBatch, VarianceAlong, "GC101", "T08", "axis != 0, sizes differ"),
    Wrong(ProjectionTransposedWeight, Projection, "GC103", "T09", "i != o"),
    Wrong(ProjectionForwardsAgain, Projection, "GC602", "T09", "i != o"),
    Wrong(ProjectionWhicheverFits, Projection, "GC101", "T09", "i = o"),
    Wrong(
        BilinearScoreOwnOperand,
        BilinearScore,
        "GC101",
        "T09",
        "i >= 2",
        options={"signature": "(n,i),(n,i),(i,i)->(n)"},
    ),
    Wrong(
        BilinearScoreWeightSwapped,
        BilinearScore,
        "GC103",
        "T09",
        "i != j",
        options={"signature": "(n,i),(n,j),(i,j)->(n)"},
    ),
    Wrong(
        (interpolation_forward, interpolation_swapped_backward),
        (interpolation_forward, interpolation_backward),
        "GC101",
        "T09",
        "any",
    ),
    Wrong(SelfSimilarityTwice, SelfSimilarity, "GC101", "T09", "n >= 2"),
    Wrong(WeightedValuesUntransposed, WeightedValues, "GC101", "T09", "t >= 2", options=_SQUARE),
    Wrong(QuadraticFormSymmetric, QuadraticForm, "GC101", "T09", "i >= 2", options={"signature": "(n,i),(i,i)->(n)"}),
    Wrong(LowRankInputForWaist, LowRank, "GC103", "T09", "i != r", options={"signature": "(n,i),(i,r),(r,o)->(n,o)"}),
    Wrong(triple_product_own_factor, triple_product, "GC101", "T09", "any"),
    Wrong(RatioNumerator, Ratio, "GC101", "T09", "any"),
    Wrong(ModulationWithoutOne, Modulation, "GC101", "T09", "any"),
    Wrong(TiedAutoencoderTwiceFirst, TiedAutoencoder, "GC101", "T09", "any"),
)

ODD = (
    Odd(MeanLogit, "gradients divided by n, because forward divides too"),
    Odd(MeanBias, "only the parameter's gradient is divided by n, and rightly so"),
    Odd(WordVectors, "the only input is integers, so that backward has nothing to return"),
    Odd(SelfSimilarity, "one input stands on both sides, and the output is square"),
    Odd(SumAlong, "a negative axis", options={"settings": {"axis": -2}, "signature": "(n,t,i)->(n,i)"}),
)
