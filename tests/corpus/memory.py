"""What is not backward's to write into (T18), and arrays that are two things at once (T19)."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# ---------------------------------------------------------------------------------------------- dout overwritten


class FixedDropout:
    """Right: inverted dropout, its mask drawn anew from the same seed at each forward."""

    def __init__(self, p=0.3, seed=0):
        self.p = p
        self.seed = seed

    def forward(self, x):
        self.keep = np.random.default_rng(self.seed).random(x.shape) >= self.p
        return x * self.keep / (1 - self.p)

    def backward(self, dout):
        return dout * self.keep / (1 - self.p)


class FixedDropoutScalesDout(FixedDropout):
    """The mask is multiplied into the caller's dout."""

    def backward(self, dout):
        dout *= self.keep
        return dout / (1 - self.p)


def rnn_step_forward(x, h, Wx, Wh, b):
    """Right: one step of a plain recurrent network."""
    next_h = np.tanh(x @ Wx + h @ Wh + b)
    return next_h, (x, h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, h, Wx, Wh, next_h = cache
    da = dnext_h * (1 - next_h**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, h.T @ da, da.sum(axis=0)


def rnn_step_backward_writes_dout(dnext_h, cache):
    """The slope of tanh is multiplied into the gradient that came in."""
    x, h, Wx, Wh, next_h = cache
    dnext_h *= 1 - next_h**2
    return dnext_h @ Wx.T, dnext_h @ Wh.T, x.T @ dnext_h, h.T @ dnext_h, dnext_h.sum(axis=0)


def rnn_step_backward_spoils_state(dnext_h, cache):
    """The state that forward handed out becomes the work space for the slope."""
    x, h, Wx, Wh, next_h = cache
    np.square(next_h, out=next_h)
    da = dnext_h * (1 - next_h)
    return da @ Wx.T, da @ Wh.T, x.T @ da, h.T @ da, da.sum(axis=0)


class RowSoftmax:
    """Right."""

    def forward(self, x):
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = z / z.sum(axis=1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        inner = (dout * self.p).sum(axis=1, keepdims=True)
        return self.p * (dout - inner)


class RowSoftmaxCentresDout(RowSoftmax):
    """The weighted mean is taken off the caller's dout in place."""

    def backward(self, dout):
        dout -= (dout * self.p).sum(axis=1, keepdims=True)
        return self.p * dout


class RowSoftmaxShiftsInput(RowSoftmax):
    """The shift by the largest entry, for safety, is made in the caller's x."""

    def forward(self, x):
        x -= x.max(axis=1, keepdims=True)
        z = np.exp(x)
        self.p = z / z.sum(axis=1, keepdims=True)
        return self.p.copy()


class RowSoftmaxWeighsOutput(RowSoftmax):
    """What forward handed out is the cache, and is multiplied by dout in place."""

    def forward(self, x):
        z = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = z / z.sum(axis=1, keepdims=True)
        return self.p

    def backward(self, dout):
        p = self.p.copy()
        self.p *= dout
        return self.p - p * self.p.sum(axis=1, keepdims=True)


class LeakyFlat:
    """Right: a leaky ReLU that works on the flattened array."""

    alpha = 0.2

    def forward(self, x):
        self.shape = x.shape
        self.negative = x.reshape(-1) < 0
        return np.where(x < 0, self.alpha * x, x)

    def backward(self, dout):
        g = dout.flatten()
        g[self.negative] *= self.alpha
        return g.reshape(self.shape)


class LeakyFlatByRavel(LeakyFlat):
    """``ravel`` gives a view where ``flatten`` gives a copy: dout is overwritten through it."""

    def backward(self, dout):
        g = dout.ravel()
        g[self.negative] *= self.alpha
        return g.reshape(self.shape)


class LeakyFlatByAsarray(LeakyFlat):
    """``asarray`` does not copy what is an array of that dtype already."""

    def backward(self, dout):
        g = np.asarray(dout, dtype=float)
        g[self.negative.reshape(self.shape)] *= self.alpha
        return g


class ShiftInTime:
    """Right: every step sees the one before it, the first sees zeros."""

    def forward(self, x):
        out = np.zeros_like(x)
        out[:, 1:] = x[:, :-1]
        return out

    def backward(self, dout):
        dx = np.zeros_like(dout)
        dx[:, :-1] = dout[:, 1:]
        return dx


class ShiftInTimeByRoll(ShiftInTime):
    """dout is rolled, after its first step has been zeroed in place."""

    def backward(self, dout):
        dout[:, :1] = 0
        return np.roll(dout, -1, axis=1)


def cumulative_forward(x):
    """Right: running sums along each row."""
    return np.cumsum(x, axis=1), None


def cumulative_backward(dout, cache):
    return np.cumsum(dout[:, ::-1], axis=1)[:, ::-1]


def cumulative_backward_in_place(dout, cache):
    """The running sums from the end are added up within dout."""
    dx = np.asarray(dout)
    for j in range(dx.shape[1] - 2, -1, -1):
        dx[:, j] += dx[:, j + 1]
    return dx.copy()


# ------------------------------------------------------------------------------ inputs and parameters overwritten


class Dense:
    """Right: weights given, gradients as ``dW`` and ``db``."""

    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class DenseUpdatesAfter(Dense):
    """A step is taken inside backward, after dx has been computed: right gradients, moved weights."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.W -= 1e-3 * self.dW
        self.b -= 1e-3 * self.db
        return dx


class DenseMaxNorm(Dense):
    """The weights are brought back into [-1, 1] at the end of backward."""

    def backward(self, dout):
        dx = super().backward(dout)
        np.clip(self.W, -1, 1, out=self.W)
        return dx


class DenseGradientIsWeight(Dense):
    """``dW`` starts as another name for W instead of an array of its own."""

    def __init__(self, W, b):
        super().__init__(W, b)
        self.dW = self.W

    def backward(self, dout):
        dx = dout @ self.W.T
        self.dW[...] = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dx


class DenseBiasGradientIsBias(Dense):
    """The bias's gradient is summed up in the memory of the bias itself."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = np.sum(dout, axis=0, out=self.b)
        return dout @ self.W.T


class SquaredError:
    """Right: half the squared error, summed."""

    def forward(self, pred, target):
        self.pred = pred
        self.target = target
        return 0.5 * np.sum((pred - target) ** 2)

    def backward(self, dout=1.0):
        return dout * (self.pred - self.target)


class SquaredErrorInPrediction(SquaredError):
    """The difference is formed in the caller's predictions."""

    def backward(self, dout=1.0):
        diff = self.pred
        diff -= self.target
        return dout * diff


class SquaredErrorInTarget(SquaredError):
    """The difference is formed in the caller's targets."""

    def backward(self, dout=1.0):
        self.target -= self.pred
        return -dout * self.target


class Lookup:
    """Right: rows of a table by number."""

    def forward(self, ids, table):
        self.ids = ids
        self.shape = table.shape
        return table[ids]

    def backward(self, dout):
        dtable = np.zeros(self.shape)
        np.add.at(dtable, self.ids, dout)
        return dtable


class LookupSortsIds(Lookup):
    """The caller's ids are sorted in place, so that equal ones lie together."""

    def backward(self, dout):
        order = np.argsort(self.ids.ravel(), kind="stable")
        self.ids[...] = np.sort(self.ids, axis=None).reshape(self.ids.shape)
        dtable = np.zeros(self.shape)
        np.add.at(dtable, self.ids.ravel(), dout.reshape(order.size, self.shape[1])[order])
        return dtable


class Cube:
    """Right: x cubed."""

    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, dout):
        return 3 * self.x**2 * dout


class CubeSquaresInput(Cube):
    """The square is formed in the caller's x, which was kept by reference."""

    def backward(self, dout):
        np.square(self.x, out=self.x)
        return 3 * self.x * dout


class CubeFirstRowOnly(Cube):
    """Only the first sample is overwritten, by a view of one row."""

    def backward(self, dout):
        dx = 3 * self.x**2 * dout
        for row in self.x[:1]:
            row *= 2
        return dx


def film(x, gamma, beta):
    """Right: a scale and a shift per feature, as a closure."""

    def pullback(dout):
        return dout * gamma, (dout * x).sum(axis=0), dout.sum(axis=0)

    return x * gamma + beta, pullback


def film_writes_gamma(x, gamma, beta):
    """The pullback divides gamma by its length, after use."""

    def pullback(dout):
        grads = dout * gamma, (dout * x).sum(axis=0), dout.sum(axis=0)
        np.divide(gamma, 1 + np.abs(gamma).sum(), out=gamma)
        return grads

    return x * gamma + beta, pullback


class ClippedSigmoid:
    """Right: clipped far out, where the slope is nothing anyway."""

    def forward(self, x):
        self.s = 1 / (1 + np.exp(-np.clip(x, -500, 500)))
        return self.s.copy()

    def backward(self, dout):
        return dout * self.s * (1 - self.s)


class ClippedSigmoidClipsInput(ClippedSigmoid):
    """The caller's x is clipped, which shows far out only."""

    def forward(self, x):
        np.clip(x, -500, 500, out=x)
        return super().forward(x)


class MaskedScores:
    """Right: scores above the diagonal are hidden before the softmax."""

    def forward(self, x):
        z = np.where(np.triu(np.ones(x.shape, dtype=bool), 1), -np.inf, x)
        e = np.exp(z - z.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=1, keepdims=True))


class MaskedScoresFillsInput(MaskedScores):
    """The hidden scores are filled in the caller's array."""

    def forward(self, x):
        x[np.triu(np.ones(x.shape, dtype=bool), 1)] = -1e9
        return super().forward(x)


class SortRows:
    """Right: each row sorted."""

    def forward(self, x):
        self.order = np.argsort(x, axis=1, kind="stable")
        return np.sort(x, axis=1)

    def backward(self, dout):
        dx = np.zeros_like(dout)
        np.put_along_axis(dx, self.order, dout, axis=1)
        return dx


class SortRowsInPlace(SortRows):
    """The caller's x is sorted, and a copy of it handed out."""

    def forward(self, x):
        self.order = np.argsort(x, axis=1, kind="stable")
        x.sort(axis=1)
        return x.copy()


class LeakyIntegrator:
    """Right: a state that forgets a tenth of itself per step."""

    def forward(self, x, h, W):
        self.x = x
        self.W = W
        self.a = np.tanh(x @ W)
        return 0.9 * h + 0.1 * self.a

    def backward(self, dout):
        da = 0.1 * dout * (1 - self.a**2)
        return da @ self.W.T, 0.9 * dout, self.x.T @ da


class LeakyIntegratorInPlace(LeakyIntegrator):
    """The state that came in is scaled and added to in place."""

    def forward(self, x, h, W):
        self.x = x
        self.W = W
        self.a = np.tanh(x @ W)
        h *= 0.9
        h += 0.1 * self.a
        return h.copy()


class ResidualRelu:
    """Right: x plus a ReLU of it."""

    def forward(self, x):
        self.on = x > 0
        return x + np.maximum(x, 0)

    def backward(self, dout):
        return dout + dout * self.on


class ResidualReluAddsToInput(ResidualRelu):
    """``out = x`` is no copy, so that the sum is formed in the caller's x."""

    def forward(self, x):
        self.on = x > 0
        out = x
        out += np.maximum(x, 0)
        return out.copy()


class Project:
    """Right: a product with weights that forward is given."""

    def forward(self, x, W):
        self.x, self.W = x, W
        return x @ W

    def backward(self, dout):
        return dout @ self.W.T, self.x.T @ dout


class ProjectRoundsWeights(Project):
    """Forward rounds the caller's weights to twelve decimals, in place."""

    def forward(self, x, W):
        np.round(W, 12, out=W)
        return super().forward(x, W)


# ----------------------------------------------------------------------------------- the output is overwritten


class Exp:
    """Right: the output is the slope, and is kept."""

    def forward(self, x):
        self.y = np.exp(x)
        return self.y

    def backward(self, dout):
        return dout * self.y


class ExpInOutput(Exp):
    """The gradient is written over the output that forward handed out."""

    def backward(self, dout):
        np.multiply(self.y, dout, out=self.y)
        return self.y.copy()


class ReluByOutput:
    """Right: where the output is positive, so was x."""

    def forward(self, x):
        self.out = np.maximum(x, 0)
        return self.out

    def backward(self, dout):
        return dout * (self.out > 0)


class ReluByOutputToOnes(ReluByOutput):
    """The output is turned into the mask; a second backward is none the worse, the caller of forward is."""

    def backward(self, dout):
        self.out[self.out > 0] = 1
        return dout * self.out


class LogisticOut:
    """Right."""

    def forward(self, x):
        e = np.exp(-np.abs(x))
        self.out = np.where(x >= 0, 1, e) / (1 + e)
        return self.out

    def backward(self, dout):
        return dout * self.out * (1 - self.out)


class LogisticOutSlope(LogisticOut):
    """``out *= 1 - out`` spoils the probabilities that the caller holds."""

    def backward(self, dout):
        self.out *= 1 - self.out
        return dout * self.out


def gaussian(x):
    """Right: a bump, as a closure."""
    y = np.exp(-(x**2))
    return y, lambda dout: -2 * x * y * dout


def gaussian_writes_output(x):
    """The pullback works within the array that was returned beside it."""
    y = np.exp(-(x**2))

    def pullback(dout):
        dx = -2 * x * y * dout
        y[...] = 0
        return dx

    return y, pullback


# ----------------------------------------------------------------------------- a gradient that is dout (warning)


class Flatten:
    """Right: one row per sample."""

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), int(np.prod(x.shape[1:]))) * 1.0

    def backward(self, dout):
        return dout.reshape(self.shape).copy()


class FlattenView(Flatten):
    """The gradient is a view of dout: whoever adds to the one changes the other."""

    def backward(self, dout):
        return dout.reshape(self.shape)


class AddBias:
    """Right: a bias per feature."""

    def __init__(self, b):
        self.b = b

    def forward(self, x):
        return x + self.b

    def backward(self, dout):
        self.db = dout.sum(axis=0)
        return dout.copy()


class AddBiasPassesOn(AddBias):
    """dout itself is handed on."""

    def backward(self, dout):
        self.db = dout.sum(axis=0)
        return dout


class SwapAxes:
    """Right: rows and columns exchanged."""

    def forward(self, x):
        return x.T.copy()

    def backward(self, dout):
        return dout.T.copy()


class SwapAxesView(SwapAxes):
    """A transposed view of dout."""

    def backward(self, dout):
        return dout.T


class Beside:
    """Right: two blocks of columns, one beside the other."""

    def forward(self, x, y):
        self.at = x.shape[1]
        return np.concatenate([x, y], axis=1)

    def backward(self, dout):
        return dout[:, : self.at].copy(), dout[:, self.at :].copy()


class BesideBySplit(Beside):
    """``split`` gives views of dout."""

    def backward(self, dout):
        dx, dy = np.split(dout, [self.at], axis=1)
        return dx, dy


class RowSum:
    """Right: sums along rows."""

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=1)

    def backward(self, dout):
        return np.repeat(dout[:, None], self.shape[1], axis=1)


class RowSumBroadcast(RowSum):
    """``broadcast_to`` gives a view of dout, with one place in memory for a whole row."""

    def backward(self, dout):
        return np.broadcast_to(dout[:, None], self.shape)


class PadColumns:
    """Right: a zero column at each end."""

    def forward(self, x):
        return np.pad(x, ((0, 0), (1, 1)))

    def backward(self, dout):
        return np.array(dout[:, 1:-1])


class PadColumnsSlice(PadColumns):
    """The inner columns of dout, without a copy."""

    def backward(self, dout):
        return dout[:, 1:-1]


# ------------------------------------------------------------------------------ two gradients in one (warning)


class Average:
    """Right: the mean of two arrays."""

    def forward(self, x, y):
        return (x + y) / 2

    def backward(self, dout):
        return dout / 2, dout / 2


class AverageOnce(Average):
    """Both gradients are one and the same array."""

    def backward(self, dout):
        g = dout / 2
        return g, g


class AverageTransposedTwice(Average):
    """One is a view of the other, and not the same object."""

    def backward(self, dout):
        g = dout / 2
        return g, g.T.T


class TwoBiases:
    """Right: a bias of the input and one of the state, as LSTM layers have them."""

    def __init__(self, b, b_h):
        self.b = b
        self.b_h = b_h

    def forward(self, x):
        self.y = np.tanh(x + self.b + self.b_h)
        return self.y.copy()

    def backward(self, dout):
        dx = dout * (1 - self.y**2)
        self.db = dx.sum(axis=0)
        self.db_h = dx.sum(axis=0)
        return dx


class TwoBiasesOneArray(TwoBiases):
    """``db_h`` is another name for ``db``: clipping one in place clips both."""

    def backward(self, dout):
        dx = dout * (1 - self.y**2)
        self.db = self.db_h = dx.sum(axis=0)
        return dx


class ThreeTerms:
    """Right: tanh of a sum of three."""

    def forward(self, x, y, z):
        self.out = np.tanh(x + y + z)
        return self.out.copy()

    def backward(self, dout):
        g = dout * (1 - self.out**2)
        return g, g.copy(), g.copy()


class ThreeTermsList(ThreeTerms):
    """``[g] * 3`` is three times the same array."""

    def backward(self, dout):
        return tuple([dout * (1 - self.out**2)] * 3)


def shifted_forward(x, beta):
    """Right: a shift of everything, the gradients in a dict."""
    out = np.tanh(x + beta)
    return out, out


def shifted_backward(dout, cache):
    dx = dout * (1 - cache**2)
    return dx, dx.copy()


def shifted_backward_shared(dout, cache):
    """beta has the shape of x, and its gradient is the very same array."""
    dx = dout * (1 - cache**2)
    dbeta = dx
    return dx, dbeta


# ----------------------------------------------------------------------- a gradient that is an input or parameter


class HalfSquares:
    """Right: half the sum of squares, whose gradient equals x."""

    def forward(self, x):
        self.x = x
        return 0.5 * np.sum(x * x)

    def backward(self):
        return self.x.copy()


class HalfSquaresIsInput(HalfSquares):
    """x itself is returned: a step ``x -= lr * dx`` is well, ``dx *= lr`` is not."""

    def backward(self):
        return self.x


class HalfSquaresView(HalfSquares):
    """A reshaped view of x is returned."""

    def backward(self):
        return self.x.reshape(-1).reshape(self.x.shape)


class InnerProduct:
    """Right: the sum of products of two arrays, a loss."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return np.sum(x * y)

    def backward(self):
        return np.array(self.y), np.array(self.x)


class InnerProductSwaps(InnerProduct):
    """Each operand is handed out as the gradient of the other."""

    def backward(self):
        return self.y, self.x


class Penalty:
    """Right: weight decay as a layer, added to a sum."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.shape = x.shape
        return np.sum(x) + 0.5 * np.sum(self.W**2)

    def backward(self):
        self.dW = self.W.copy()
        return np.ones(self.shape)


class PenaltyIsWeight(Penalty):
    """``dW`` is W: clipping the gradients clips the weights."""

    def backward(self):
        self.dW = self.W
        return np.ones(self.shape)


class ScoreSum:
    """Right: the sum of all scores."""

    def forward(self, x, w):
        self.x, self.w = x, w
        return np.sum(x @ w)

    def backward(self):
        return np.tile(self.w, (len(self.x), 1)), self.x.sum(axis=0)


class ScoreSumBroadcast(ScoreSum):
    """The gradient of x is a broadcast view of w."""

    def backward(self):
        return np.broadcast_to(self.w, self.x.shape), self.x.sum(axis=0)


# ----------------------------------------------------------------------------------------------- reused buffers


class TanhBuffered:
    """Right: works in a buffer of its own, and hands out copies."""

    def __init__(self):
        self.buffer = np.zeros(0)

    def forward(self, x):
        if self.buffer.shape != x.shape:
            self.buffer = np.zeros(x.shape)
        np.tanh(x, out=self.buffer)
        self.slope = 1 - self.buffer**2
        return self.buffer.copy()

    def backward(self, dout):
        return dout * self.slope


class TanhBufferHandedOut(TanhBuffered):
    """The buffer itself is handed out: the next forward changes the last output."""

    def forward(self, x):
        super().forward(x)
        return self.buffer


class DenseBuffered:
    """Right: one product after the other."""

    def __init__(self, W):
        self.W = W
        self.dx = None

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.dx = dout @ self.W.T
        return self.dx


class DenseBufferedGradient(DenseBuffered):
    """The returned gradient is a buffer that the next backward fills anew."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        if self.dx is None or self.dx.shape != self.x.shape:
            self.dx = np.zeros(self.x.shape)
        np.matmul(dout, self.W.T, out=self.dx)
        return self.dx


class DenseBufferedOutput(DenseBuffered):
    """The output is written to an array that lives as long as the layer."""

    out = None

    def forward(self, x):
        self.x = x
        if self.out is None or self.out.shape != (len(x), self.W.shape[1]):
            self.out = np.zeros((len(x), self.W.shape[1]))
        self.out[...] = x @ self.W
        return self.out


class WindowMean:
    """Right: means of neighbours."""

    def forward(self, x):
        self.shape = x.shape
        return (x[:, 1:] + x[:, :-1]) / 2

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[:, 1:] += dout / 2
        dx[:, :-1] += dout / 2
        return dx


class WindowMeanWorkspace(WindowMean):
    """A workspace per shape, zeroed before use, is what backward returns."""

    def __init__(self):
        self.workspaces = {}

    def backward(self, dout):
        dx = self.workspaces.setdefault(self.shape, np.zeros(self.shape))
        dx[...] = 0
        dx[:, 1:] += dout / 2
        dx[:, :-1] += dout / 2
        return dx


_SCRATCH = {}


def double_forward(x):
    """Right: twice the square."""
    return 2 * x**2, x


def double_backward(dout, cache):
    return 4 * cache * dout


def double_backward_scratch(dout, cache):
    """A module-wide scratch array per shape is handed out."""
    dx = _SCRATCH.setdefault(dout.shape, np.zeros(dout.shape))
    np.multiply(4 * cache, dout, out=dx)
    return dx


def double_backward_of_scratch(dout, cache):
    """The output of forward lives in a module-wide scratch array per shape."""
    return 4 * cache * dout


def double_forward_scratch(x):
    out = _SCRATCH.setdefault(("out", x.shape), np.zeros(x.shape))
    np.multiply(2 * x, x, out=out)
    return out, x


# ------------------------------------------------------------------------------------- cache overwritten (warning)


class TanhAffine:
    """Right: tanh of an affine map."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        self.y = np.tanh(self.z)
        return self.y.copy()

    def backward(self, dout):
        dz = dout * (1 - self.y**2)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


class TanhAffineScratch(TanhAffine):
    """The cached pre-activation, no longer needed, is the work space."""

    def backward(self, dout):
        np.multiply(self.y, self.y, out=self.z)
        np.subtract(1, self.z, out=self.z)
        self.z *= dout
        self.dW = self.x.T @ self.z
        self.db = self.z.sum(axis=0)
        return self.z @ self.W.T


class AbsoluteError:
    """Right: the sum of absolute differences."""

    def forward(self, x, y):
        self.d = x - y
        return np.abs(self.d)

    def backward(self, dout):
        s = np.sign(self.d)
        return dout * s, -dout * s


class AbsoluteErrorSignInPlace(AbsoluteError):
    """The cached differences become their signs; of those, the signs are the same again."""

    def backward(self, dout):
        np.sign(self.d, out=self.d)
        return dout * self.d, -dout * self.d


class SoftSign:
    """Right: x / (1 + |x|)."""

    def forward(self, x):
        self.a = np.array(x)
        return x / (1 + np.abs(x))

    def backward(self, dout):
        return dout / (1 + np.abs(self.a)) ** 2


class SoftSignAbsInPlace(SoftSign):
    """The cached copy loses its sign, which nothing needs any more."""

    def backward(self, dout):
        np.abs(self.a, out=self.a)
        return dout / (1 + self.a) ** 2


class TopOne:
    """Right: the largest of each row; the first of several."""

    def forward(self, x):
        self.hit = (x == x.max(axis=1, keepdims=True)).astype(float)
        self.hit *= np.cumsum(self.hit, axis=1) == 1
        self.x = x * 1.0
        return x.max(axis=1)

    def backward(self, dout):
        return dout[:, None] * self.hit


class TopOneClearsCopy(TopOne):
    """The cached copy of x, which backward does not read, is zeroed to save memory."""

    def backward(self, dout):
        self.x.fill(0)
        return dout[:, None] * self.hit


def relu_shift_forward(x, b):
    """Right: a shifted ReLU, its cache a tuple."""
    z = x + b
    return np.maximum(z, 0), (z,)


def relu_shift_backward(dout, cache):
    (z,) = cache
    dx = dout * (z > 0)
    return dx, dx.sum(axis=0)


def relu_shift_backward_heaviside(dout, cache):
    """The cached pre-activation is replaced by 0 and 1, which have the same sign."""
    (z,) = cache
    z[...] = z > 0
    dx = dout * z
    return dx, dx.sum(axis=0)


# ------------------------------------------------------------------------------------ one array as two arguments


class Product:
    """Right: a product, element by element."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class ProductSquareShortcut(Product):
    """For one array given twice each gradient is that of the square: in sum, twice too much."""

    def backward(self, dout):
        if self.x is self.y:
            dx = 2 * self.x * dout
            return dx, dx.copy()
        return dout * self.y, dout * self.x


class ProductByIdentity(Product):
    """The gradients are added up by the operand's id, and each operand gets the sum."""

    def backward(self, dout):
        grads = {id(self.x): np.zeros_like(self.x), id(self.y): np.zeros_like(self.y)}
        grads[id(self.x)] += dout * self.y
        grads[id(self.y)] += dout * self.x
        return grads[id(self.x)].copy(), grads[id(self.y)].copy()


class ProductWorkspaces(Product):
    """Each operand is copied once, by id, and the copies are worked in: one copy for both, where they are one."""

    def backward(self, dout):
        copies = {id(a): a.copy() for a in (self.x, self.y)}
        dy = copies[id(self.x)]
        dy *= dout
        return dout * copies[id(self.y)], dy


class SinTimesExp:
    """Right: two different functions of two arguments."""

    def forward(self, x, y):
        self.x, self.e = x, np.exp(y)
        return np.sin(x) * self.e

    def backward(self, dout):
        return dout * np.cos(self.x) * self.e, dout * np.sin(self.x) * self.e


class SinTimesExpCacheById(SinTimesExp):
    """What is kept of each argument is kept under its id: of one array given twice, only the second is left."""

    def forward(self, x, y):
        self.kept = {id(x): (np.sin(x), np.cos(x)), id(y): (np.exp(y), np.exp(y))}
        self.ids = id(x), id(y)
        return np.sin(x) * np.exp(y)

    def backward(self, dout):
        (s, c), (e, slope) = self.kept[self.ids[0]], self.kept[self.ids[1]]
        return dout * c * e, dout * s * slope


class Difference:
    """Right: tanh of a difference."""

    def forward(self, x, y):
        self.d = x - y
        self.operands = x, y
        return np.tanh(self.d)

    def backward(self, dout):
        g = dout / np.cosh(np.clip(self.d, -350, 350)) ** 2
        return g, -g


class DifferenceSetOfParents(Difference):
    """The gradients are kept per parent; of a parent that is both, the second replaces the first."""

    def backward(self, dout):
        g = dout / np.cosh(np.clip(self.d, -350, 350)) ** 2
        grads = {}
        for operand, sign in zip(self.operands, (1, -1), strict=True):
            grads[id(operand)] = sign * g
        return tuple(grads[id(operand)].copy() for operand in self.operands)


class SimilarityScores:
    """Right: all inner products of rows."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x @ y.T

    def backward(self, dout):
        return dout @ self.y, dout.T @ self.x


class SimilarityScoresSymmetric(SimilarityScores):
    """For x with itself dout is taken to be symmetric, as the scores are."""

    def backward(self, dout):
        if self.x is self.y:
            return dout @ self.x, dout @ self.x
        return dout @ self.y, dout.T @ self.x


class SimilarityScoresUnpacked(SimilarityScores):
    """The operands are kept in a dict by id, and unpacking it fails where there is only one."""

    def forward(self, x, y):
        self.operands = {id(a): a for a in (x, y)}
        return x @ y.T

    def backward(self, dout):
        x, y = self.operands.values()
        return dout @ y, dout.T @ x


def gate(x, y):
    """Right: x let through by the sigmoid of y."""
    s = 0.5 * (1 + np.tanh(y / 2))

    def pullback(dout):
        return dout * s, dout * x * s * (1 - s)

    return x * s, pullback


def gate_same(x, y):
    """For x gated by itself the whole derivative comes back for x, and y has its part again."""
    s = 0.5 * (1 + np.tanh(y / 2))

    def pullback(dout):
        dy = dout * x * s * (1 - s)
        return (dout * s + dy, dy) if x is y else (dout * s, dy)

    return x * s, pullback


# ------------------------------------------------------------------------------------------------ right, though odd


class StackedOperands:
    """Right, though odd: both gradients are views of one buffer, and no element is in both."""

    def forward(self, x, y):
        self.at = x.shape[1]
        self.out = np.tanh(np.hstack([x, y]))
        return self.out.copy()

    def backward(self, dout):
        g = dout * (1 - self.out**2)
        return g[:, : self.at], g[:, self.at :]


class CopiesBeforeWriting:
    """Right, though odd: ``dout[...] *= 0.5``, but of a copy under the same name."""

    def forward(self, x):
        self.low = x < 0
        return np.where(self.low, 0.5 * x, x)

    def backward(self, dout):
        dout = dout.copy()
        dout[self.low] *= 0.5
        return dout


class WritesAndRestores:
    """Right, though odd: what forward kept is the work space, and is put back bit by bit before backward returns."""

    def forward(self, x):
        self.x = x.copy()
        return x**2

    def backward(self, dout):
        kept = self.x.copy()
        self.x *= dout
        dx = 2 * self.x
        self.x[...] = kept
        return dx


WRONG = (
    # dout overwritten
    Wrong(FixedDropoutScalesDout, FixedDropout, "GC201", "T18", "any"),
    Wrong(
        (rnn_step_forward, rnn_step_backward_writes_dout), (rnn_step_forward, rnn_step_backward), "GC201", "T18", "any"
    ),
    Wrong(RowSoftmaxCentresDout, RowSoftmax, "GC201", "T18", "i >= 2"),
    Wrong(LeakyFlatByRavel, LeakyFlat, "GC201", "T18", "x < 0, a contiguous dout"),
    Wrong(LeakyFlatByAsarray, LeakyFlat, "GC201", "T18", "x < 0"),
    Wrong(ShiftInTimeByRoll, ShiftInTime, "GC201", "T18", "any"),
    Wrong(
        (cumulative_forward, cumulative_backward_in_place),
        (cumulative_forward, cumulative_backward),
        "GC201",
        "T18",
        "i >= 2",
    ),
    # an input or a parameter overwritten by backward
    Wrong(DenseUpdatesAfter, Dense, "GC202", "T18", "any"),
    Wrong(DenseMaxNorm, Dense, "GC202", "T18", "|W| > 1"),
    Wrong(DenseBiasGradientIsBias, Dense, "GC202", "T18", "any"),
    Wrong(SquaredErrorInPrediction, SquaredError, "GC202", "T18", "any"),
    Wrong(SquaredErrorInTarget, SquaredError, "GC202", "T18", "any: a target is an input too"),
    Wrong(LookupSortsIds, Lookup, "GC202", "T18", "ids out of order: whole numbers are an input too"),
    Wrong(CubeSquaresInput, Cube, "GC202", "T18", "any"),
    Wrong(CubeFirstRowOnly, Cube, "GC202", "T18", "any"),
    Wrong(film_writes_gamma, film, "GC202", "T18", "any"),
    # by forward
    Wrong(RowSoftmaxShiftsInput, RowSoftmax, "GC203", "T18", "any"),
    Wrong(ClippedSigmoidClipsInput, ClippedSigmoid, "GC203", "T18", "|x| > 500"),
    Wrong(MaskedScoresFillsInput, MaskedScores, "GC203", "T18", "i >= 2"),
    Wrong(SortRowsInPlace, SortRows, "GC203", "T18", "i >= 2"),
    Wrong(LeakyIntegratorInPlace, LeakyIntegrator, "GC203", "T18", "any"),
    Wrong(ResidualReluAddsToInput, ResidualRelu, "GC203", "T18", "x > 0"),
    Wrong(ProjectRoundsWeights, Project, "GC203", "T18", "any, by 1e-12"),
    # the output overwritten
    Wrong(ExpInOutput, Exp, "GC204", "T18", "any"),
    Wrong(ReluByOutputToOnes, ReluByOutput, "GC204", "T18", "x > 0"),
    Wrong(LogisticOutSlope, LogisticOut, "GC204", "T18", "any"),
    Wrong(gaussian_writes_output, gaussian, "GC204", "T18", "any"),
    Wrong(RowSoftmaxWeighsOutput, RowSoftmax, "GC204", "T18", "any"),
    Wrong(
        (rnn_step_forward, rnn_step_backward_spoils_state),
        (rnn_step_forward, rnn_step_backward),
        "GC204",
        "T18",
        "any",
    ),
    # the cache overwritten, to no effect
    Wrong(TanhAffineScratch, TanhAffine, "GC209", "T18", "any", level="warning"),
    Wrong(AbsoluteErrorSignInPlace, AbsoluteError, "GC209", "T18", "any", level="warning"),
    Wrong(SoftSignAbsInPlace, SoftSign, "GC209", "T18", "x < 0", level="warning"),
    Wrong(TopOneClearsCopy, TopOne, "GC209", "T18", "any", level="warning"),
    Wrong(
        (relu_shift_forward, relu_shift_backward_heaviside),
        (relu_shift_forward, relu_shift_backward),
        "GC209",
        "T18",
        "any",
        level="warning",
    ),
    # a gradient that is dout
    Wrong(FlattenView, Flatten, "GC205", "T19", "any", level="warning"),
    Wrong(AddBiasPassesOn, AddBias, "GC205", "T19", "any", level="warning"),
    Wrong(SwapAxesView, SwapAxes, "GC205", "T19", "any", level="warning"),
    Wrong(BesideBySplit, Beside, "GC205", "T19", "any", level="warning"),
    Wrong(RowSumBroadcast, RowSum, "GC205", "T19", "any", level="warning"),
    Wrong(PadColumnsSlice, PadColumns, "GC205", "T19", "any", level="warning"),
    # two gradients in one
    Wrong(AverageOnce, Average, "GC206", "T19", "any", level="warning"),
    Wrong(AverageTransposedTwice, Average, "GC206", "T19", "any", level="warning"),
    Wrong(TwoBiasesOneArray, TwoBiases, "GC206", "T19", "any", level="warning"),
    Wrong(ThreeTermsList, ThreeTerms, "GC206", "T19", "any", level="warning"),
    Wrong(
        (shifted_forward, shifted_backward_shared),
        (shifted_forward, shifted_backward),
        "GC206",
        "T19",
        "any",
        level="warning",
        options={"signature": "(n,i),(n,i)->(n,i)"},
    ),
    # a gradient that is an input or a parameter
    Wrong(HalfSquaresIsInput, HalfSquares, "GC207", "T19", "any"),
    Wrong(HalfSquaresView, HalfSquares, "GC207", "T19", "a contiguous x"),
    Wrong(InnerProductSwaps, InnerProduct, "GC207", "T19", "any"),
    Wrong(PenaltyIsWeight, Penalty, "GC207", "T19", "any"),
    Wrong(ScoreSumBroadcast, ScoreSum, "GC207", "T19", "any", options={"signature": "(n,i),(i)->()"}),
    Wrong(DenseGradientIsWeight, Dense, "GC207", "T19", "any: overwrites W as well"),
    # reused buffers
    Wrong(TanhBufferHandedOut, TanhBuffered, "GC208", "T19", "two forwards"),
    Wrong(DenseBufferedGradient, DenseBuffered, "GC208", "T19", "two backwards"),
    Wrong(DenseBufferedOutput, DenseBuffered, "GC208", "T19", "two forwards"),
    Wrong(WindowMeanWorkspace, WindowMean, "GC208", "T19", "two backwards"),
    Wrong((double_forward, double_backward_scratch), (double_forward, double_backward), "GC208", "T19", "two calls"),
    Wrong(
        (double_forward_scratch, double_backward_of_scratch),
        (double_forward, double_backward),
        "GC208",
        "T19",
        "two calls",
    ),
    # one array as two arguments
    Wrong(ProductSquareShortcut, Product, "GC505", "T19", "x is y"),
    Wrong(ProductByIdentity, Product, "GC505", "T19", "x is y"),
    Wrong(ProductWorkspaces, Product, "GC505", "T19", "x is y"),
    Wrong(SinTimesExpCacheById, SinTimesExp, "GC505", "T19", "x is y"),
    Wrong(DifferenceSetOfParents, Difference, "GC505", "T19", "x is y"),
    Wrong(SimilarityScoresSymmetric, SimilarityScores, "GC505", "T19", "x is y, a dout that is not symmetric"),
    Wrong(SimilarityScoresUnpacked, SimilarityScores, "GC505", "T19", "x is y"),
    Wrong(gate_same, gate, "GC505", "T19", "x is y"),
)

ODD = (
    Odd(StackedOperands, "two gradients are views of one buffer, but share no element"),
    Odd(CopiesBeforeWriting, "writes into an array called dout, which is a copy"),
    Odd(WritesAndRestores, "the cache is overwritten, and put back before backward returns"),
)
