"""What a backward hands back: number and order, dtypes, singular points, slips of the pen, and the wrong forward."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# T21: number, order, nesting, None.


class Scores:
    """Right: dot products of queries and keys."""

    def forward(self, q, k):
        self.q, self.k = q, k
        return q @ k.T

    def backward(self, dout):
        return dout @ self.k, dout.T @ self.q


class ScoresSwapped(Scores):
    """The gradient of the keys is returned first."""

    def backward(self, dout):
        return dout.T @ self.q, dout @ self.k


class RowScale:
    """Right: each sample is weighted by a number of its own."""

    def forward(self, x, s):
        self.x, self.s = x, s
        return x * s[:, None]

    def backward(self, dout):
        return dout * self.s[:, None], (dout * self.x).sum(axis=1)


class RowScaleSwapped(RowScale):
    """The order is that of the formulas on paper, the weight first, not that of the arguments."""

    def backward(self, dout):
        return (dout * self.x).sum(axis=1), dout * self.s[:, None]


def step_forward(x, h, Wx, Wh, b):
    """Right: one step of a plain recurrent cell."""
    h_next = np.tanh(x @ Wx + h @ Wh + b)
    return h_next, (x, h, Wx, Wh, h_next)


def step_backward(dout, cache):
    """Right."""
    x, h, Wx, Wh, h_next = cache
    da = dout * (1 - h_next**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, h.T @ da, da.sum(axis=0)


def step_backward_states_swapped(dout, cache):
    """The gradient of the state comes before that of the input."""
    dx, dh, dWx, dWh, db = step_backward(dout, cache)
    return dh, dx, dWx, dWh, db


def step_backward_in_groups(dout, cache):
    """The gradients are grouped in two tuples: two values for five arguments."""
    dx, dh, dWx, dWh, db = step_backward(dout, cache)
    return (dx, dh), (dWx, dWh, db)


def film_forward(x, gamma, beta):
    """Right: squashed features, scaled and shifted."""
    t = np.tanh(x)
    return gamma * t + beta, (t, gamma)


def film_backward(dout, cache):
    """Right."""
    t, gamma = cache
    return dout * gamma * (1 - t**2), (dout * t).sum(axis=0), dout.sum(axis=0)


def film_backward_shift_first(dout, cache):
    """The gradients of beta and gamma, which look alike, are swapped."""
    t, gamma = cache
    return dout * gamma * (1 - t**2), dout.sum(axis=0), (dout * t).sum(axis=0)


def film_backward_none_for_scale(dout, cache):
    """The place of the gradient of gamma is kept, but holds None."""
    t, gamma = cache
    return dout * gamma * (1 - t**2), None, dout.sum(axis=0)


def film_backward_without_shift(dout, cache):
    """Two gradients for three arguments: the shift was added to forward later."""
    t, gamma = cache
    return dout * gamma * (1 - t**2), (dout * t).sum(axis=0)


class Gate:
    """Right: one input opens the other."""

    def forward(self, x, y):
        self.x = x
        self.s = 1 / (1 + np.exp(-y))
        return x * self.s

    def backward(self, dout):
        return dout * self.s, dout * self.x * self.s * (1 - self.s)


class GateSwapped(Gate):
    """Both gradients are right, each in the other's place, and of the same shape."""

    def backward(self, dout):
        return dout * self.x * self.s * (1 - self.s), dout * self.s


class GateOneTuple(Gate):
    """A pair of parentheses and a comma too many: one tuple for two arguments."""

    def backward(self, dout):
        return ((dout * self.s, dout * self.x * self.s * (1 - self.s)),)


class GateThree(Gate):
    """A third gradient is left from the time when there was a third input."""

    def backward(self, dout):
        return dout * self.s, dout * self.x * self.s * (1 - self.s), dout.copy()


class Softsign:
    """Right."""

    def forward(self, x):
        self.d = 1 + np.abs(x)
        return x / self.d

    def backward(self, dout):
        dx = dout / self.d**2
        return dx


class SoftsignNoReturn(Softsign):
    """The gradient is computed, the return is missing."""

    def backward(self, dout):
        dx = dout / self.d**2  # noqa: F841


def dense_forward(x, W, b):
    """Right: gradients in a dict."""
    return x @ W + b, {"x": x, "W": W}


def dense_backward(dout, cache):
    """Right."""
    return {"dx": dout @ cache["W"].T, "dW": cache["x"].T @ dout, "db": dout.sum(axis=0)}


def dense_backward_names_swapped(dout, cache):
    """The gradients of W and b are stored under each other's names."""
    return {"dx": dout @ cache["W"].T, "db": cache["x"].T @ dout, "dW": dout.sum(axis=0)}


def project(X, W):
    """Right: a closure."""
    Y = X @ W

    def backprop(dY):
        return dY @ W.T, X.T @ dY

    return Y, backprop


def project_no_return(X, W):
    """The pullback ends without a return."""
    Y = X @ W

    def backprop(dY):
        dX, dW = dY @ W.T, X.T @ dY  # noqa: F841

    return Y, backprop


# T22: dtypes.


class EluVectorized:
    """Right: slopes by np.vectorize, with the type of the result said."""

    def __init__(self, alpha=0.3):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def backward(self, dout):
        slope = np.vectorize(lambda v: 1 if v > 0 else self.alpha * np.exp(v), otypes=[float])
        return dout * slope(self.x)


class EluVectorizedGuessing(EluVectorized):
    """np.vectorize takes the type from the first element: where that is the int 1, all others are cut to 0."""

    def backward(self, dout):
        if not dout.size:
            return np.zeros(dout.shape)
        slope = np.vectorize(lambda v: 1 if v > 0 else self.alpha * np.exp(v))
        return dout * slope(self.x)


class NeighbourMean:
    """Right: the mean of each two neighbours in a row."""

    def forward(self, x):
        self.shape = x.shape
        return (x[:, :-1] + x[:, 1:]) / 2

    def backward(self, dout):
        dx = np.zeros(self.shape)
        for r, c in np.ndindex(*dout.shape):
            dx[r, c] += dout[r, c] / 2
            dx[r, c + 1] += dout[r, c] / 2
        return dx


class NeighbourMeanIntegers(NeighbourMean):
    """The buffer is one of ints: each contribution is cut to a whole number."""

    def backward(self, dout):
        dx = np.zeros(self.shape, dtype=int)
        for r, c in np.ndindex(*dout.shape):
            dx[r, c] += dout[r, c] / 2
            dx[r, c + 1] += dout[r, c] / 2
        return dx.astype(float)


class PickOne:
    """Right: one element of each row, as a loss picks the score of the right class."""

    def forward(self, x, ids):
        self.shape, self.ids = x.shape, ids
        return x[np.arange(len(x)), ids]

    def backward(self, dout):
        dx = np.zeros(self.shape, dtype=dout.dtype)
        dx[np.arange(len(dx)), self.ids] = dout
        return dx


class PickOneAsIndices(PickOne):
    """The buffer has the dtype of the indices: what is put there is cut to a whole number."""

    def backward(self, dout):
        dx = np.zeros(self.shape, dtype=self.ids.dtype)
        dx[np.arange(len(dx)), self.ids] = dout
        return dx.astype(float)


class PickOneUninitialised(PickOne):
    """The elements that were not picked hold whatever was in memory."""

    def backward(self, dout):
        dx = np.empty(self.shape, dtype=dout.dtype)
        dx[np.arange(len(dx)), self.ids] = dout
        return dx


class TemperedSoftmax:
    """Right: softmax of halved scores."""

    def forward(self, x):
        e = np.exp((x - x.max(axis=-1, keepdims=True)) / 2)
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        g = self.p * dout
        return (g - self.p * g.sum(axis=-1, keepdims=True)) / 2


class TemperedSoftmaxSingle(TemperedSoftmax):
    """Everything is computed in float32 and cast back: the right dtype with half of the digits."""

    def backward(self, dout):
        p = self.p.astype(np.float32)
        g = p * dout.astype(np.float32)
        return ((g - p * g.sum(axis=-1, keepdims=True)) / 2).astype(dout.dtype)


class ChannelBias:
    """Right: a bias for each channel of an image."""

    def __init__(self, b):
        self.b = b

    def forward(self, x):
        n, c, h, w = x.shape
        return x + self.b.reshape(1, c, 1, 1)

    def backward(self, dout):
        self.db = dout.sum(axis=(0, 2, 3)).reshape(self.b.shape)
        return dout.copy()


class ChannelBiasHalf(ChannelBias):
    """The bias gradient is summed in float16, as a memory of mixed precision."""

    def backward(self, dout):
        self.db = dout.sum(axis=(0, 2, 3), dtype=np.float16).astype(self.b.dtype).reshape(self.b.shape)
        return dout.copy()


class Mixer:
    """Right: a dense layer without bias, its weights scaled by 1 / sqrt(inputs)."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        self.scale = 1 / np.sqrt(len(self.W))
        return x @ self.W * self.scale

    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        for x, g in zip(self.x, dout, strict=True):
            self.dW += np.outer(x, g)
        self.dW = self.dW * self.scale
        return dout @ self.W.T * self.scale


class MixerSingleBuffer(Mixer):
    """The sum over the batch is kept in float32 and scaled in float64: wrong in the eighth digit."""

    def backward(self, dout):
        dW = np.zeros(self.W.shape, dtype=np.float32)
        for x, g in zip(self.x, dout, strict=True):
            dW += np.outer(x, g)
        self.dW = dW.astype(float) * self.scale
        return dout @ self.W.T * self.scale


class MixerSingleProduct(Mixer):
    """The product for dx is taken in float32, and cast back."""

    def backward(self, dout):
        super().backward(dout)
        W = (self.W * self.scale).astype("f")
        return (dout.astype("f") @ W.T).astype(float)


class BatchCentred:
    """Right: batch normalisation with its gradient in short."""

    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        self.istd = 1 / np.sqrt(x.var(axis=0) + self.eps)
        self.xhat = (x - x.mean(axis=0)) * self.istd
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dbeta = dout.sum(axis=0)
        self.dgamma = (dout * self.xhat).sum(axis=0)
        n = len(dout)
        return self.gamma * self.istd / n * (n * dout - self.dbeta - self.xhat * self.dgamma)


class BatchCentredSingleCache(BatchCentred):
    """The cached xhat is cut to float32 to save memory."""

    def forward(self, x):
        out = super().forward(x)
        self.xhat = self.xhat.astype(np.float32)
        return out


class BatchCentredHalfLength(BatchCentred):
    """The cached 1 / std is cut to float16: dx is wrong by some 1e-4."""

    def forward(self, x):
        out = super().forward(x)
        self.istd = self.istd.astype(np.float16)
        return out


class Lookup:
    """Right: rows of a table, which may be asked for more than once."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class LookupUninitialised(Lookup):
    """Contributions are added to whatever was in memory."""

    def backward(self, dout):
        self.dW = np.empty_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class LookupSingle(Lookup):
    """The gradient of a float64 table is float32."""

    def backward(self, dout):
        self.dW = np.zeros(self.W.shape, dtype=np.float32)
        np.add.at(self.dW, self.ids, dout)


class Crop:
    """Right: the first and last column are cut off."""

    def forward(self, x):
        self.shape = x.shape
        return x[:, 1:-1] * 1.5

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[:, 1:-1] = 1.5 * dout
        return dx


class CropUninitialised(Crop):
    """The border is never written."""

    def backward(self, dout):
        dx = np.empty(self.shape)
        dx[:, 1:-1] = 1.5 * dout
        return dx


class CropSingle(Crop):
    """The buffer is float32, whatever came in."""

    def backward(self, dout):
        dx = np.zeros(self.shape, dtype="f")
        dx[:, 1:-1] = 1.5 * dout
        return dx


# T23: singular points, overflow.


class ClippedArcsin:
    """Right: flat beyond -1 and 1."""

    def forward(self, x):
        self.x = x
        return np.arcsin(np.clip(x, -1, 1))

    def backward(self, dout):
        inside = np.abs(self.x) < 1
        return np.where(inside, dout / np.sqrt(1 - np.where(inside, self.x, 0) ** 2), 0)


class ClippedArcsinByMask(ClippedArcsin):
    """The root of a negative number is multiplied by 0 and stays NaN."""

    def backward(self, dout):
        inside = np.abs(self.x) < 1
        with np.errstate(all="ignore"):
            return dout * inside / np.sqrt(1 - self.x**2)


class RowStd:
    """Right: over one feature it is 0 everywhere, and flat."""

    def forward(self, x):
        self.c = x - x.mean(axis=-1, keepdims=True)
        self.s = np.sqrt((self.c**2).mean(axis=-1))
        return self.s.copy()

    def backward(self, dout):
        s = np.where(self.s > 0, self.s, 1)
        return (dout / s)[..., None] * self.c / self.c.shape[-1]


class RowStdDivides(RowStd):
    """0 / 0 for a single feature, where the function is constant."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            return dout[..., None] * self.c / (self.s[..., None] * self.c.shape[-1])


class PositivePart:
    """Right: the cube of the length of the positive part of a row."""

    def forward(self, x):
        self.r = np.maximum(x, 0)
        self.s = (self.r**2).sum(axis=-1)
        return self.s**1.5

    def backward(self, dout):
        return (dout * 3 * np.sqrt(self.s))[..., None] * self.r


class PositivePartByQuotient(PositivePart):
    """The power is lowered by division: 0 / 0 for rows without a positive element."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            return (dout * 3 * self.s**1.5 / self.s)[..., None] * self.r


class RowProduct:
    """Right: products of all others, from both sides."""

    def forward(self, x):
        self.x = x
        return x.prod(axis=1)

    def backward(self, dout):
        ones = np.ones((len(self.x), 1))
        left = np.cumprod(np.hstack([ones, self.x]), axis=1)[:, :-1]
        right = np.cumprod(np.hstack([ones, self.x[:, ::-1]]), axis=1)[:, :-1][:, ::-1]
        return dout[:, None] * left * right


class RowProductByQuotient(RowProduct):
    """The product of the others is taken as y / x: 0 / 0 where x is 0, though the function is smooth there."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            return (dout * self.x.prod(axis=1))[:, None] / self.x


class Sinc:
    """Right: sin(x) / x, by its series near 0."""

    def forward(self, x):
        self.x = x
        self.near = np.abs(x) < 1e-2
        safe = np.where(self.near, 1, x)
        return np.where(self.near, 1 - x**2 / 6 + x**4 / 120 - x**6 / 5040, np.sin(safe) / safe)

    def backward(self, dout):
        x, safe = self.x, np.where(self.near, 1, self.x)
        far = (safe * np.cos(safe) - np.sin(safe)) / safe**2
        return dout * np.where(self.near, -x / 3 + x**3 / 30 - x**5 / 840, far)


class SincDivides(Sinc):
    """Forward takes care of 0, backward does not."""

    def backward(self, dout):
        x = self.x
        with np.errstate(all="ignore"):
            return dout * (x * np.cos(x) - np.sin(x)) / x**2


class CubedDistance:
    """Right: |x - y|**3, smooth where the two meet."""

    def forward(self, x, y):
        self.diff = x - y
        self.d = np.sqrt((self.diff**2).sum(axis=-1, keepdims=True))
        return self.d[..., 0] ** 3

    def backward(self, dout):
        g = 3 * dout[..., None] * self.d * self.diff
        return g, -g


class CubedDistanceByUnit(CubedDistance):
    """The chain rule goes through diff / d, which is 0 / 0 where the two points are one."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            g = 3 * dout[..., None] * self.d**2 * (self.diff / self.d)
        return g, -g


class LogCosh:
    """Right: without overflow."""

    def forward(self, x):
        self.x = x
        return np.abs(x) + np.log1p(np.exp(-2 * np.abs(x))) - np.log(2)

    def backward(self, dout):
        return dout * np.tanh(self.x)


class LogCoshByQuotient(LogCosh):
    """sinh / cosh is inf / inf from |x| = 711 on."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            return dout * np.sinh(self.x) / np.cosh(self.x)


class TanhBySech:
    """Right: the slope is 1 / cosh**2, which is 0 for large x."""

    def forward(self, x):
        self.x = x
        return np.tanh(x)

    def backward(self, dout):
        return dout / np.cosh(np.clip(self.x, -350, 350)) ** 2


class TanhBySechExp(TanhBySech):
    """The slope is written as 4 exp(2x) / (exp(2x) + 1)**2: inf / inf at x = 800."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            e = np.exp(2 * self.x)
            return dout * 4 * e / (e + 1) ** 2


class LogAddOne:
    """Right: softplus by logaddexp."""

    def forward(self, x):
        self.x = x
        return np.logaddexp(0, x)

    def backward(self, dout):
        return dout * np.exp(-np.logaddexp(0, -self.x))


class LogAddOneOverflows(LogAddOne):
    """exp(x) / (1 + exp(x)) is inf / inf at x = 1000."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            return dout * np.exp(self.x) / (1 + np.exp(self.x))


class RowLogSumExp:
    """Right: shifted by the largest."""

    def forward(self, x):
        self.x = x
        m = x.max(axis=-1, keepdims=True)
        self.lse = m + np.log(np.exp(x - m).sum(axis=-1, keepdims=True))
        return self.lse[..., 0]

    def backward(self, dout):
        return dout[..., None] * np.exp(self.x - self.lse)


class RowLogSumExpUnshifted(RowLogSumExp):
    """Forward is shifted, backward is not."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            e = np.exp(self.x)
            return dout[..., None] * e / e.sum(axis=-1, keepdims=True)


class Mish:
    """Right: x * tanh(softplus(x))."""

    def forward(self, x):
        self.x = x
        self.t = np.tanh(np.logaddexp(0, x))
        return x * self.t

    def backward(self, dout):
        s = np.exp(-np.logaddexp(0, -self.x))
        return dout * (self.t + self.x * (1 - self.t**2) * s)


class MishByPaper(Mish):
    """The closed form of the paper, with exp(3x): inf / inf from x = 237 on."""

    def backward(self, dout):
        with np.errstate(all="ignore"):
            e = np.exp(self.x)
            omega = 4 * (self.x + 1) + 4 * e**2 + e**3 + e * (4 * self.x + 6)
            return dout * e * omega / (2 * e + e**2 + 2) ** 2


class Celu:
    """Right: the exponential never sees a positive number."""

    def forward(self, x, alpha=0.8):
        self.x, self.alpha = x, alpha
        return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)

    def backward(self, dout):
        return dout * np.exp(np.minimum(self.x, 0) / self.alpha)


class CeluByMask(Celu):
    """The branch that is not taken overflows, and 0 * inf is NaN."""

    def backward(self, dout):
        up = self.x > 0
        with np.errstate(all="ignore"):
            return dout * (up + (1 - up) * np.exp(self.x / self.alpha))


class ThresholdSoftplus:
    """Right: linear where beta * x > 20, as good as exact."""

    def __init__(self, beta=3.0, threshold=20.0):
        self.beta, self.threshold = beta, threshold

    def forward(self, x):
        self.z = self.beta * x
        soft = np.log1p(np.exp(np.minimum(self.z, self.threshold))) / self.beta
        return np.where(self.z > self.threshold, x, soft)

    def backward(self, dout):
        slope = 1 / (1 + np.exp(-np.maximum(self.z, -700)))
        return np.where(self.z > self.threshold, dout, dout * slope)


class ThresholdSoftplusTwoConditions(ThresholdSoftplus):
    """Forward becomes linear at 20, backward at the 5 of an earlier version: wrong by up to 7e-3."""

    def backward(self, dout):
        slope = 1 / (1 + np.exp(-np.maximum(self.z, -700)))
        return np.where(self.z > 5.0, dout, dout * slope)


# T24: slips of the pen.


class HardSigmoid:
    """Right."""

    def forward(self, x):
        self.y = np.clip(0.2 * x + 0.5, 0, 1)
        return self.y.copy()

    def backward(self, dout):
        flat = (self.y == 0) | (self.y == 1)
        return np.where(flat, 0, 0.2 * dout)


class HardSigmoidAnd(HardSigmoid):
    """``&`` for ``|``: nothing is 0 and 1 at once, so that the flat parts let everything through."""

    def backward(self, dout):
        flat = (self.y == 0) & (self.y == 1)
        return np.where(flat, 0, 0.2 * dout)


class Rational:
    """Right: 1 / (1 + x**2)."""

    def forward(self, x):
        self.x = x
        self.d = 1 + x**2
        return 1 / self.d

    def backward(self, dout):
        dx = -2 * self.x * dout / self.d**2
        return dx


class RationalMinusLost(Rational):
    """``=-`` stands where ``= -`` was copied in front of a minus: the sign is lost."""

    def backward(self, dout):
        dx =- -2 * self.x * dout / self.d**2  # fmt: skip
        return dx


class RationalPrecedence(Rational):
    """The parentheses of the denominator are missing: a / 1 + x**2 ..."""

    def backward(self, dout):
        return -2 * self.x * dout / 1 + self.x**2


class RationalXor(Rational):
    """``^`` for ``**``."""

    def backward(self, dout):
        return -2 * self.x * dout / self.d ^ 2


class Swish:
    """Right."""

    def forward(self, x):
        self.x = x
        self.s = 1 / (1 + np.exp(-x))
        return x * self.s

    def backward(self, dout):
        return dout * (self.s + self.x * self.s * (1 - self.s))


class SwishCallsArray(Swish):
    """A ``*`` is missing before the parenthesis."""

    def backward(self, dout):
        return dout * (self.s + self.x * self.s(1 - self.s))


class SwishPrecedence(Swish):
    """The outer parentheses are missing: dout does not reach the second term."""

    def backward(self, dout):
        return dout * self.s + self.x * self.s * (1 - self.s)


class HardShrink:
    """Right: what lies within -0.5 and 0.5 becomes 0."""

    def forward(self, x):
        self.small = np.abs(x) < 0.5
        return np.where(self.small, 0, x)

    def backward(self, dout):
        dx = dout.copy()
        dx[self.small] = 0
        return dx


class HardShrinkCompares(HardShrink):
    """``==`` for ``=``: a comparison whose result is thrown away."""

    def backward(self, dout):
        dx = dout.copy()
        dx[self.small] == 0
        return dx


class HardShrinkZeros(HardShrink):
    """np.zeros takes a shape, and gets an array."""

    def backward(self, dout):
        dx = np.zeros(dout)
        dx[~self.small] = dout[~self.small]
        return dx


class FlattenHalf:
    """Right: images to rows, halved."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        return x.reshape(n, c * h * w) / 2

    def backward(self, dout):
        dx = dout / 2
        return dx.reshape(self.shape)


class FlattenHalfThrownAway(FlattenHalf):
    """reshape does not work in place: its result is thrown away."""

    def backward(self, dout):
        dx = dout / 2
        dx.reshape(self.shape)
        return dx


class LayerScale:
    """Right: a gain and an offset for each feature of a squashed input."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        self.t = np.arctan(x)
        self.slope = 1 / (1 + x**2)
        return self.gamma * self.t + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.t).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        return dout * self.gamma * self.slope


class LayerScaleCopied(LayerScale):
    """The line for dgamma was copied for dbeta, and only its name changed."""

    def backward(self, dout):
        super().backward(dout)
        self.dbeta = (dout * self.t).sum(axis=0)
        return dout * self.gamma * self.slope


class LayerScaleWrongName(LayerScale):
    """A typo: the offset is used for the gain."""

    def backward(self, dout):
        super().backward(dout)
        return dout * self.beta * self.slope


def hypot_forward(x, y):
    """Right: sqrt(x**2 + y**2 + 1)."""
    r = np.sqrt(x**2 + y**2 + 1)
    return r, (x, y, r)


def hypot_backward(dout, cache):
    """Right."""
    x, y, r = cache
    return dout * x / r, dout * y / r


def hypot_backward_copied(dout, cache):
    """The second line is a copy of the first, with x left in it."""
    x, y, r = cache
    return dout * x / r, dout * x / r


def hypot_backward_precedence(dout, cache):
    """``/ 2 * r`` for ``/ (2 * r)``."""
    x, y, r = cache
    return dout * 2 * x / 2 * r, dout * 2 * y / (2 * r)


class ReluSix:
    """Right."""

    def forward(self, x):
        self.x = x
        return np.clip(x, 0, 6)

    def backward(self, dout):
        return np.where((self.x > 0) & (self.x < 6), dout, 0)


class ReluSixChained(ReluSix):
    """A chained comparison asks for the truth of an array: it works for a single number only."""

    def backward(self, dout):
        return np.where(0 < self.x < 6, dout, 0)


# T25: forward wrong, backward right.


class UnitVariance:
    """Right: each row has mean 0 and variance 1."""

    def __init__(self, eps=1e-3):
        self.eps = eps

    def forward(self, x):
        self.s = np.sqrt(x.var(axis=1, keepdims=True) + self.eps)
        self.y = (x - x.mean(axis=1, keepdims=True)) / self.s
        return self.y.copy()

    def backward(self, dout):
        g = dout - dout.mean(axis=1, keepdims=True)
        return (g - self.y * (dout * self.y).mean(axis=1, keepdims=True)) / self.s


class UnitVarianceUnbiased(UnitVariance):
    """Forward divides by the unbiased deviation (n - 1), backward knows the other."""

    def forward(self, x):
        ddof = 1 if x.shape[1] > 1 else 0
        self.s = np.sqrt(x.var(axis=1, keepdims=True, ddof=ddof) + self.eps)
        self.y = (x - x.mean(axis=1, keepdims=True)) / self.s
        return self.y.copy()


class UnitVarianceEpsOutside(UnitVariance):
    """Forward adds eps to the deviation, backward has it under the root: wrong by about 1e-3."""

    def forward(self, x):
        self.s = x.std(axis=1, keepdims=True) + self.eps
        self.y = (x - x.mean(axis=1, keepdims=True)) / self.s
        return self.y.copy()


class RmsNorm:
    """Right."""

    def __init__(self, gain, eps=1e-5):
        self.gain, self.eps = gain, eps

    def forward(self, x):
        self.r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps)
        self.x = x
        return self.gain * x * self.r

    def backward(self, dout):
        self.dgain = (dout * self.x * self.r).sum(axis=0)
        g = dout * self.gain
        return self.r * (g - self.x * self.r**2 * (g * self.x).mean(axis=-1, keepdims=True))


class RmsNormOfSum(RmsNorm):
    """Forward divides by the root of the sum of squares, not of their mean."""

    def forward(self, x):
        self.r = 1 / np.sqrt((x**2).sum(axis=-1, keepdims=True) + self.eps)
        self.x = x
        return self.gain * x * self.r


class RmsNormOverBatch(RmsNorm):
    """Forward normalises over the whole batch, backward row by row."""

    def forward(self, x):
        self.r = 1 / np.sqrt((x**2).mean(keepdims=True) + self.eps)
        self.x = x
        return self.gain * x * self.r


class GeluTanh:
    """Right: the approximation by tanh."""

    def forward(self, x):
        self.x = x
        self.t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)

    def backward(self, dout):
        x, c = self.x, np.sqrt(2 / np.pi)
        slope = c * (1 + 3 * 0.044715 * x**2)
        return dout * 0.5 * (1 + self.t + x * (1 - self.t**2) * slope)


class GeluTanhConstant(GeluTanh):
    """A digit of the constant in forward is lost: 0.04715 for 0.044715."""

    def forward(self, x):
        self.x = x
        self.t = np.tanh(np.sqrt(2 / np.pi) * (x + 0.04715 * x**3))
        return 0.5 * x * (1 + self.t)


class GeluTanhRounded(GeluTanh):
    """Forward has sqrt(2 / pi) to four digits, backward to all of them: some 1e-5."""

    def forward(self, x):
        self.x = x
        self.t = np.tanh(0.7979 * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)


class Elu:
    """Right."""

    def __init__(self, alpha=0.7):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1, self.alpha * np.exp(np.minimum(self.x, 0)))


class EluWithoutAlpha(Elu):
    """Forward forgets alpha."""

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


class ShiftRight:
    """Right: each row is rolled by one."""

    def forward(self, x):
        return np.roll(x, 1, axis=1)

    def backward(self, dout):
        return np.roll(dout, -1, axis=1)


class ShiftRightFlat(ShiftRight):
    """Forward rolls the flattened array: the last element of a row moves to the next row."""

    def forward(self, x):
        return np.roll(x, 1)


class BlockMean:
    """Right: the mean of blocks of 2 x 2 pixels."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        self.even = x[:, :, : h // 2 * 2, : w // 2 * 2].shape
        return x[:, :, : h // 2 * 2, : w // 2 * 2].reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5)) / 4

    def backward(self, dout):
        n, c, h, w = self.even
        dx = np.zeros(self.shape)
        dx[:, :, :h, :w] = np.repeat(np.repeat(dout, 2, axis=2), 2, axis=3) / 4
        return dx


class BlockMeanOfTwo(BlockMean):
    """Forward divides by the side of the block instead of its area."""

    def forward(self, x):
        return super().forward(x) * 2


class SelfScores:
    """Right: softmax of x @ x.T is left out, the scores are scaled by 1 / sqrt(features)."""

    def forward(self, q, k):
        self.q, self.k = q, k
        return q @ k.T / np.sqrt(max(q.shape[1], 1))

    def backward(self, dout):
        g = dout / np.sqrt(max(self.q.shape[1], 1))
        return g @ self.k, g.T @ self.q


class SelfScoresUnscaled(SelfScores):
    """Forward forgets the scale."""

    def forward(self, q, k):
        self.q, self.k = q, k
        return q @ k.T


def penalty_forward(w, lam=0.3):
    """Right: the sum of absolute values."""
    return lam * np.abs(w).sum(), (w, lam)


def penalty_forward_euclidean(w, lam=0.3):
    """The Euclidean length is computed where the sum of absolute values is meant."""
    return lam * np.sqrt((w**2).sum()), (w, lam)


def penalty_backward(dout, cache):
    """Right, for the sum of absolute values."""
    w, lam = cache
    return dout * lam * np.sign(w)


# Right, but odd.


class RowLength:
    """Right: the length of each row; at a row of zeros the gradient is taken as 0, one of the subgradients."""

    def forward(self, x):
        self.x = x
        self.d = np.sqrt((x**2).sum(axis=-1, keepdims=True))
        return self.d[..., 0].copy()

    def backward(self, dout):
        return dout[..., None] * self.x / np.where(self.d > 0, self.d, 1)


class RootOfPositive:
    """Right: sqrt(max(x, 0)); from 0 down the slope is taken as 0, though the root is steep beside it."""

    def forward(self, x):
        self.y = np.sqrt(np.maximum(x, 0))
        return self.y.copy()

    def backward(self, dout):
        return np.where(self.y > 0, 0.5 * dout / np.where(self.y > 0, self.y, 1), 0)


class SingleThroughout:
    """Right: a layer that works in float32, forward too."""

    def forward(self, x):
        self.x = np.asarray(x, dtype=np.float32)
        return np.sin(self.x)

    def backward(self, dout):
        return np.asarray(dout, dtype=np.float32) * np.cos(self.x)


SCORES = {"signature": "(n,d),(m,d)->(n,m)"}
IMAGES = {"signature": "(n,c,h,w)->(n,d)"}
CELL = {"signature": "(n,i),(n,o),(i,o),(o,o),(o)->(n,o)"}
STEP = step_forward, step_backward
DENSE = dense_forward, dense_backward
FILM = film_forward, film_backward
HYPOT = hypot_forward, hypot_backward

WRONG = (
    Wrong(ScoresSwapped, Scores, "GC103", "T21", "n != m", options=SCORES),
    Wrong(RowScaleSwapped, RowScale, "GC103", "T21", "i > 1", options={"signature": "(n,i),(n)->(n,i)"}),
    Wrong((step_forward, step_backward_states_swapped), STEP, "GC103", "T21", "i != o", options=CELL),
    Wrong((step_forward, step_backward_in_groups), STEP, "GC105", "T21", "every shape"),
    Wrong((film_forward, film_backward_shift_first), FILM, "GC101", "T21", "every shape"),
    Wrong((film_forward, film_backward_none_for_scale), FILM, "GC102", "T21", "every shape"),
    Wrong((film_forward, film_backward_without_shift), FILM, "GC105", "T21", "every shape"),
    Wrong(GateSwapped, Gate, "GC101", "T21", "every shape"),
    Wrong(GateOneTuple, Gate, "GC105", "T21", "every shape"),
    Wrong(GateThree, Gate, "GC105", "T21", "every shape"),
    Wrong(SoftsignNoReturn, Softsign, "GC102", "T21", "every shape"),
    Wrong((dense_forward, dense_backward_names_swapped), DENSE, "GC103", "T21", "every shape"),
    Wrong(project_no_return, project, "GC102", "T21", "every shape"),
    Wrong(EluVectorizedGuessing, EluVectorized, "GC101", "T22", "first x > 0, another x < 0"),
    Wrong(NeighbourMeanIntegers, NeighbourMean, "GC101", "T22", "i >= 2"),
    Wrong(PickOneAsIndices, PickOne, "GC101", "T22", "every shape"),
    Wrong(PickOneUninitialised, PickOne, "GC104", "T22", "memory that is not fresh"),
    Wrong(TemperedSoftmaxSingle, TemperedSoftmax, "GC107", "T22", "i >= 2"),
    Wrong(ChannelBiasHalf, ChannelBias, "GC107", "T22", "every shape"),
    Wrong(MixerSingleBuffer, Mixer, "GC107", "T22", "1e-8 relative"),
    Wrong(MixerSingleProduct, Mixer, "GC107", "T22", "1e-8 relative"),
    Wrong(BatchCentredSingleCache, BatchCentred, "GC101", "T22", "1e-8 relative"),
    Wrong(BatchCentredHalfLength, BatchCentred, "GC101", "T22", "1e-4 relative"),
    Wrong(LookupUninitialised, Lookup, "GC104", "T22", "memory that is not fresh"),
    Wrong(LookupSingle, Lookup, "GC106", "T22", "every shape", "warning"),
    Wrong(CropUninitialised, Crop, "GC104", "T22", "memory that is not fresh"),
    Wrong(CropSingle, Crop, "GC106", "T22", "every shape", "warning"),
    Wrong(ClippedArcsinByMask, ClippedArcsin, "GC104", "T23", "|x| > 1"),
    Wrong(RowStdDivides, RowStd, "GC104", "T23", "i = 1"),
    Wrong(PositivePartByQuotient, PositivePart, "GC104", "T23", "a row without a positive element"),
    Wrong(RowProductByQuotient, RowProduct, "GC104", "T23", "x = 0"),
    Wrong(SincDivides, Sinc, "GC104", "T23", "x = 0"),
    Wrong(CubedDistanceByUnit, CubedDistance, "GC104", "T23", "x = y"),
    Wrong(LogCoshByQuotient, LogCosh, "GC504", "T23", "|x| = 1000"),
    Wrong(TanhBySechExp, TanhBySech, "GC504", "T23", "x = 800"),
    Wrong(LogAddOneOverflows, LogAddOne, "GC504", "T23", "x = 1000"),
    Wrong(RowLogSumExpUnshifted, RowLogSumExp, "GC504", "T23", "|x| = 1000"),
    Wrong(MishByPaper, Mish, "GC504", "T23", "x = 1000"),
    Wrong(CeluByMask, Celu, "GC504", "T23", "x = 1000"),
    Wrong(ThresholdSoftplusTwoConditions, ThresholdSoftplus, "GC101", "T23", "5/3 < x < 20/3"),
    Wrong(HardSigmoidAnd, HardSigmoid, "GC101", "T24", "|x| > 2.5"),
    Wrong(RationalMinusLost, Rational, "GC101", "T24", "every shape"),
    Wrong(RationalPrecedence, Rational, "GC101", "T24", "every shape"),
    Wrong(RationalXor, Rational, "GC602", "T24", "every shape"),
    Wrong(SwishCallsArray, Swish, "GC602", "T24", "every shape"),
    Wrong(SwishPrecedence, Swish, "GC101", "T24", "every shape"),
    Wrong(
        HardShrinkCompares,
        HardShrink,
        "GC101",
        "T24",
        "|x| < 0.5",
        missed="forward is flat between two jumps, which looks like the grains of a coarse number format",
    ),
    Wrong(HardShrinkZeros, HardShrink, "GC602", "T24", "every shape"),
    Wrong(FlattenHalfThrownAway, FlattenHalf, "GC103", "T24", "every shape", options=IMAGES),
    Wrong(ReluSixChained, ReluSix, "GC602", "T24", "size > 1"),
    Wrong(LayerScaleCopied, LayerScale, "GC101", "T24", "every shape"),
    Wrong(LayerScaleWrongName, LayerScale, "GC101", "T24", "every shape"),
    Wrong((hypot_forward, hypot_backward_copied), HYPOT, "GC101", "T24", "every shape"),
    Wrong((hypot_forward, hypot_backward_precedence), HYPOT, "GC101", "T24", "every shape"),
    Wrong(RmsNormOfSum, RmsNorm, "GC101", "T25", "i >= 2"),
    Wrong(RmsNormOverBatch, RmsNorm, "GC101", "T25", "n >= 2"),
    Wrong(GeluTanhConstant, GeluTanh, "GC101", "T25", "1e-3 relative"),
    Wrong(GeluTanhRounded, GeluTanh, "GC101", "T25", "1e-5 relative"),
    Wrong(EluWithoutAlpha, Elu, "GC101", "T25", "x < 0"),
    Wrong(UnitVarianceUnbiased, UnitVariance, "GC101", "T25", "i >= 2"),
    Wrong(UnitVarianceEpsOutside, UnitVariance, "GC101", "T25", "1e-3 relative"),
    Wrong(ShiftRightFlat, ShiftRight, "GC101", "T25", "n >= 2"),
    Wrong(BlockMeanOfTwo, BlockMean, "GC101", "T25", "every shape"),
    Wrong(SelfScoresUnscaled, SelfScores, "GC101", "T25", "d >= 2", options=SCORES),
    Wrong(
        (penalty_forward_euclidean, penalty_backward), (penalty_forward, penalty_backward), "GC101", "T25", "size > 1"
    ),
)

ODD = (
    Odd(RowLength, "a kink at rows of zeros, where the gradient is 0 by choice"),
    Odd(RootOfPositive, "infinitely steep on one side of 0, flat on the other"),
    Odd(SingleThroughout, "float32 in and out: nothing better can be asked of its gradient"),
)
