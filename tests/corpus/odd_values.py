"""Right layers whose values look odd: kinks, ties, coarse formats, extreme scales, true zeros, named conventions."""

import math

import numpy as np

from tests.corpus.entry import Odd

# Kinks and ties: any value between the one-sided slopes is right.


class ReluSlopeZero:
    """Right: at exactly 0 the slope is 0."""

    def forward(self, x):
        self.x = x
        return np.maximum(x, 0)

    def backward(self, dout):
        return dout * (self.x > 0)


class ReluSlopeHalf(ReluSlopeZero):
    """Right: at exactly 0 the slope is the mean of both sides."""

    def backward(self, dout):
        return dout * np.heaviside(self.x, 0.5)


class ReluSlopeOne(ReluSlopeZero):
    """Right: at exactly 0 the slope is 1, and the mask is applied with where."""

    def backward(self, dout):
        return np.where(self.x >= 0, dout, 0.0)


class AbsSlopeOne:
    """Right: at exactly 0 the slope is 1, which is the one from the right."""

    def forward(self, x):
        self.positive = x >= 0
        return np.where(self.positive, x, -x)

    def backward(self, dout):
        return np.where(self.positive, dout, -dout)


class LeakyReluWithoutLeak:
    """Right: the leak is 0, so that half of all gradients are exactly 0."""

    def __init__(self, negative_slope=0.0):
        self.negative_slope = negative_slope

    def forward(self, x):
        self.negative = x < 0
        return np.where(self.negative, self.negative_slope * x, x)

    def backward(self, dout):
        return np.where(self.negative, self.negative_slope * dout, dout)


class MaximumFirstWins:
    """Right: at a tie the first operand gets everything."""

    def forward(self, x, y):
        self.first = x >= y
        return np.maximum(x, y)

    def backward(self, dout):
        return dout * self.first, dout * ~self.first


class MinimumShared:
    """Right: at a tie both operands get a half."""

    def forward(self, x, y):
        self.share = np.where(x == y, 0.5, x < y)
        return np.minimum(x, y)

    def backward(self, dout):
        return dout * self.share, dout * (1 - self.share)


class ClipClosed:
    """Right: on the bounds themselves the gradient passes."""

    def __init__(self, lo=-0.8, hi=1.3):
        self.lo, self.hi = lo, hi

    def forward(self, x):
        self.inside = (x >= self.lo) & (x <= self.hi)
        return np.clip(x, self.lo, self.hi)

    def backward(self, dout):
        return dout * self.inside


class Relu6Open:
    """Right: on the bounds themselves the gradient stops."""

    def forward(self, x):
        self.inside = (x > 0) & (x < 6)
        return np.minimum(np.maximum(x, 0), 6)

    def backward(self, dout):
        dx = np.zeros_like(dout)
        dx[self.inside] = dout[self.inside]
        return dx


class BinaryHinge:
    """Right: labels 0 and 1 stand for -1 and 1; beyond the margin the gradient is exactly 0."""

    def forward(self, x, t):
        self.sign = 2.0 * t - 1.0
        self.margin = 1.0 - self.sign * x
        return np.maximum(self.margin, 0).sum()

    def backward(self, dout=1.0):
        return -dout * self.sign * (self.margin > 0)


class HuberOfDifference:
    """Right: from a parabola to a straight line at delta, with one slope from both sides."""

    def __init__(self, delta=1.0):
        self.delta = delta

    def forward(self, y_pred, y_true):
        self.r = y_pred - y_true
        a = np.abs(self.r)
        return np.where(a <= self.delta, 0.5 * a**2, self.delta * (a - 0.5 * self.delta)).sum()

    def backward(self, dout=1.0):
        return dout * np.clip(self.r, -self.delta, self.delta)


class PinballLoss:
    """Right: the loss of the 0.9 quantile; at 0 the slope is that of the right."""

    def forward(self, y_pred, y_true):
        self.over = y_pred >= y_true
        r = y_true - y_pred
        return np.where(self.over, -0.1 * r, 0.9 * r).sum()

    def backward(self, dout=1.0):
        return dout * np.where(self.over, 0.1, -0.9)


class SoftThreshold:
    """Right: shrinks towards 0; on the thresholds the slope is 0."""

    def __init__(self, lam=0.3):
        self.lam = lam

    def forward(self, x):
        self.live = np.abs(x) > self.lam
        return np.sign(x) * np.maximum(np.abs(x) - self.lam, 0)

    def backward(self, dout):
        return dout * self.live


class MedianOfRow:
    """Right: the middle element, or the mean of the middle two; of equal ones argsort takes its pick."""

    def forward(self, x):
        n = x.shape[1]
        self.middle = np.argsort(x, axis=1, kind="stable")[:, (n - 1) // 2 : n // 2 + 1]
        self.shape = x.shape
        return np.median(x, axis=1)

    def backward(self, dout):
        dx = np.zeros(self.shape)
        np.put_along_axis(dx, self.middle, (dout / self.middle.shape[1])[:, None], axis=1)
        return dx


class SortRow:
    """Right: each gradient goes back to where its element came from."""

    def forward(self, x):
        self.order = np.argsort(x, axis=1)
        return np.take_along_axis(x, self.order, axis=1)

    def backward(self, dout):
        return np.take_along_axis(dout, np.argsort(self.order, axis=1), axis=1)


class SpanOfRow:
    """Right: the largest less the smallest; of equal ones the first; in a row of one they cancel."""

    def forward(self, x):
        self.hi, self.lo, self.shape = x.argmax(axis=1), x.argmin(axis=1), x.shape
        return np.ptp(x, axis=1)

    def backward(self, dout):
        dx = np.zeros(self.shape)
        rows = np.arange(len(dx))
        dx[rows, self.hi] += dout
        dx[rows, self.lo] -= dout
        return dx


class ChebyshevNorm:
    """Right: the largest |x| of a row, shared by all that tie; the sign of 0 is 0."""

    def forward(self, x):
        a = np.abs(x)
        out = a.max(axis=1)
        hits = a == out[:, None]
        self.slope = np.sign(x) * hits / hits.sum(axis=1, keepdims=True)
        return out

    def backward(self, dout):
        return dout[:, None] * self.slope


class TopTwoSum:
    """Right: the sum of the two largest of a row; all others get exactly 0."""

    def forward(self, x):
        self.top = np.argpartition(-x, 1, axis=1)[:, :2]
        self.shape = x.shape
        return np.take_along_axis(x, self.top, axis=1).sum(axis=1)

    def backward(self, dout):
        dx = np.zeros(self.shape)
        np.put_along_axis(dx, self.top, dout[:, None], axis=1)
        return dx


class MaxPoolFirst:
    """Right: 2 by 2 windows, the first maximum of each takes all."""

    def forward(self, x):
        n, c, h, w = x.shape
        windows = x.reshape(n, c, h // 2, 2, w // 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, h // 2, w // 2, 4)
        self.first = windows.argmax(axis=-1)[..., None]
        return windows.max(axis=-1)

    def backward(self, dout):
        n, c, h, w = dout.shape
        g = np.zeros((n, c, h, w, 4))
        np.put_along_axis(g, self.first, dout[..., None], axis=-1)
        return g.reshape(n, c, h, w, 2, 2).transpose(0, 1, 2, 4, 3, 5).reshape(n, c, 2 * h, 2 * w)


class MaxPoolShared:
    """Right: 2 by 2 windows, all maxima of a window share equally."""

    def forward(self, x):
        n, c, h, w = x.shape
        windows = x.reshape(n, c, h // 2, 2, w // 2, 2)
        out = windows.max(axis=(3, 5), keepdims=True)
        hits = windows == out
        self.share = hits / hits.sum(axis=(3, 5), keepdims=True)
        return out[:, :, :, 0, :, 0]

    def backward(self, dout):
        n, c, h, w = dout.shape
        return (self.share * dout[:, :, :, None, :, None]).reshape(n, c, 2 * h, 2 * w)


class MaxoutPairs:
    """Right: the larger of the two halves of the features; at a tie the first half."""

    def forward(self, x):
        a, b = np.split(x, 2, axis=1)
        self.first = a >= b
        return np.maximum(a, b)

    def backward(self, dout):
        return np.concatenate([dout * self.first, dout * ~self.first], axis=1)


class PiecewiseTable:
    """Right: interpolates in a table; on a knot the slope is that of the right."""

    def forward(self, x):
        knots, values = np.array([-2.0, -1.0, 0.0, 0.5, 2.0]), np.array([1.0, -0.5, 0.25, 2.0, -1.0])
        slopes = np.concatenate([[0.0], np.diff(values) / np.diff(knots), [0.0]])
        self.slope = slopes[np.searchsorted(knots, x, side="right")]
        return np.interp(x, knots, values)

    def backward(self, dout):
        return dout * self.slope


class FractionalPart:
    """Right: slope 1 everywhere but at the jumps, where there is none."""

    def forward(self, x):
        return x - np.floor(x)

    def backward(self, dout):
        return dout.copy()


class RoundedHasNoSlope:
    """Right: a staircase is flat wherever it has a slope at all, so that zeros are the truth."""

    def forward(self, x):
        return np.round(x)

    def backward(self, dout):
        return np.zeros_like(dout)


class AbsoluteSine:
    """Right: a kink at every multiple of pi."""

    def forward(self, x):
        self.x = x
        return np.abs(np.sin(x))

    def backward(self, dout):
        return dout * np.cos(self.x) * np.sign(np.sin(self.x))


class RowNormZeroAtZero:
    """Right: the length of a row; at the origin the subgradient 0."""

    def forward(self, x):
        norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
        self.unit = x / np.where(norm > 0, norm, 1.0)
        return norm[:, 0]

    def backward(self, dout):
        return dout[:, None] * self.unit


class HypotGuarded:
    """Right: sqrt(x^2 + y^2), with zeros where both are 0."""

    def forward(self, x, y):
        r = np.hypot(x, y)
        safe = np.where(r == 0, 1.0, r)
        self.cos, self.sin = x / safe, y / safe
        return r

    def backward(self, dout):
        return dout * self.cos, dout * self.sin


class RootDoubleWhere:
    """Right: the root is taken of a stand-in where x is not positive, forward and backward."""

    def forward(self, x):
        self.live = x > 0
        self.root = np.sqrt(np.where(self.live, x, 1.0))
        return np.where(self.live, self.root, 0.0)

    def backward(self, dout):
        return np.where(self.live, 0.5 * dout / self.root, 0.0)


# Coarse formats, forward and backward alike.


class TanhFloat32:
    """Right: whatever comes in is cast to float32, both ways."""

    def forward(self, x):
        self.y = np.tanh(np.asarray(x, dtype=np.float32))
        return self.y

    def backward(self, dout):
        return np.asarray(dout, dtype=np.float32) * (np.float32(1) - self.y**2)


class LayerNormFloat32:
    """Right: works in float32 throughout, parameters too."""

    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma = np.asarray(gamma, dtype=np.float32)
        self.beta = np.asarray(beta, dtype=np.float32)
        self.eps = np.float32(eps)

    def forward(self, x):
        x = np.asarray(x, dtype=np.float32)
        self.std = np.sqrt(x.var(axis=-1, keepdims=True) + self.eps)
        self.xhat = (x - x.mean(axis=-1, keepdims=True)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        dout = np.asarray(dout, dtype=np.float32)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        return (g - g.mean(-1, keepdims=True) - self.xhat * (g * self.xhat).mean(-1, keepdims=True)) / self.std


class ScaleIntoFloat32Buffers:
    """Right: results are written into float32 buffers, made anew each time, both ways."""

    def forward(self, x):
        out = np.empty(x.shape, dtype=np.float32)
        np.multiply(x, 1.7, out=out, casting="same_kind")
        return out

    def backward(self, dout):
        dx = np.empty(dout.shape, dtype=np.float32)
        np.multiply(dout, 1.7, out=dx, casting="same_kind")
        return dx


class SigmoidFloat16:
    """Right: half precision from end to end."""

    def forward(self, x):
        self.y = (1 / (1 + np.exp(-np.clip(x, -30, 30)))).astype(np.float16)
        return self.y

    def backward(self, dout):
        return dout.astype(np.float16) * self.y * (np.float16(1) - self.y)


class AffineFloat16Inside:
    """Right: the products are taken in half precision and handed out as float32, both ways."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x.astype(np.float16)
        return (self.x @ self.W.astype(np.float16)).astype(np.float32)

    def backward(self, dout):
        g = dout.astype(np.float16)
        self.dW = (self.x.T @ g).astype(np.float32)
        return (g @ self.W.T.astype(np.float16)).astype(np.float32)


class CubeAlwaysFloat64:
    """Right: float64 out, and float64 back, even for float32 in."""

    def forward(self, x):
        self.x = x.astype(np.float64)
        return self.x**3

    def backward(self, dout):
        return np.asarray(3 * self.x**2 * dout, dtype=np.float64)


class RoundsOutputToFloat32:
    """Right: computes in float64 and hands out float32, both ways."""

    def forward(self, x):
        self.x = x
        return np.sin(x).astype(np.float32)

    def backward(self, dout):
        return (np.cos(self.x) * dout).astype(np.float32)


# Conventions that have a name.


class AffineBatchMean:
    """Right by convention: the parameters' gradients are those of the mean over the batch, dx is exact."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        n = max(len(self.x), 1)
        self.dW = self.x.T @ dout / n
        self.db = dout.sum(axis=0) / n
        return dout @ self.W.T


class ScaleShiftBatchMean:
    """Right by convention: mean instead of sum for gamma and beta, dx is exact."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta

    def forward(self, x):
        self.x = x
        return self.gamma * np.tanh(x) + self.beta

    def backward(self, dout):
        n = max(len(dout), 1)
        t = np.tanh(self.x)
        self.dgamma = (dout * t).sum(axis=0) / n
        self.dbeta = dout.sum(axis=0) / n
        return dout * self.gamma * (1 - t**2)


class SoftmaxFused:
    """Right by convention: the loss hands over p - t, so that there is nothing left to do."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        return e / e.sum(axis=1, keepdims=True)

    def backward(self, dout):
        return dout


class SigmoidFused:
    """Right by convention: the cross-entropy hands over y - t."""

    def forward(self, x):
        return 0.5 * (1 + np.tanh(0.5 * x))

    def backward(self, dout):
        return dout.copy()


class SquaredErrorPerSample:
    """Right by convention: one loss for each sample, but the gradient of their mean."""

    def forward(self, y_pred, y_true):
        self.diff = y_pred - y_true
        return (self.diff**2).sum(axis=1)

    def backward(self, dout):
        return 2 * self.diff * dout[:, None] / max(len(self.diff), 1)


class CrossEntropyPerSample:
    """Right by convention: one loss for each sample, but the gradient of their mean."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t
        return -(t * logp).sum(axis=1)

    def backward(self, dout):
        return (self.p * self.t.sum(axis=1, keepdims=True) - self.t) * dout[:, None] / max(len(self.t), 1)


# Gradients that are truly zero.


class LayerNormOneFeature:
    """Right: one feature less its own mean is 0, whatever it was."""

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=1, keepdims=True) + 1e-5)
        self.xhat = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.xhat + 0.0

    def backward(self, dout):
        g = dout - dout.mean(axis=1, keepdims=True)
        return (g - self.xhat * (g * self.xhat).mean(axis=1, keepdims=True)) / self.std


class SoftmaxOneClass:
    """Right: one class has probability 1."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=1, keepdims=True))


class VarianceOverBatch:
    """Right: of one sample the variance is 0, and so is its gradient."""

    def forward(self, x):
        self.centred = x - x.mean(axis=0)
        return (self.centred**2).mean(axis=0)

    def backward(self, dout):
        return 2 * self.centred * dout / max(len(self.centred), 1)


class UnitVectorOneFeature:
    """Right: a number over its absolute value is its sign."""

    def forward(self, x):
        self.norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
        self.unit = x / self.norm
        return self.unit + 0.0

    def backward(self, dout):
        return (dout - self.unit * (dout * self.unit).sum(axis=1, keepdims=True)) / self.norm


class ResidualsAddUp:
    """Right: the elements of a row less their mean add up to 0, but for rounding."""

    def forward(self, x):
        self.width = x.shape[1]
        return (x - x.mean(axis=1, keepdims=True)).sum(axis=1)

    def backward(self, dout):
        return np.zeros((len(dout), self.width))


# Extreme scales.


class TinyLoss:
    """Right: a mean squared error in other units, a hundred millionth of it."""

    def forward(self, y_pred, y_true):
        self.diff = y_pred - y_true
        return 1e-8 * (self.diff**2).sum()

    def backward(self, dout=1.0):
        return 2e-8 * dout * self.diff


class MicroUnits:
    """Right: the input is turned into millionths before it is squared."""

    def forward(self, x):
        self.micro = x * 1e6
        return self.micro**2

    def backward(self, dout):
        return 2 * self.micro * dout * 1e6


class TinyWeights:
    """Right: the weights are of the order of 1e-30, and everything that follows from them."""

    def __init__(self, n_in, n_out, seed=0):
        self.W = 1e-30 * np.random.default_rng(seed).standard_normal((n_in, n_out))

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class ManyScales:
    """Right: the features lie up to twenty-four orders of magnitude apart."""

    def forward(self, x):
        self.scale = 10.0 ** np.linspace(-12, 12, x.shape[1])
        self.x = x
        return np.sin(x) * self.scale

    def backward(self, dout):
        return dout * np.cos(self.x) * self.scale


class ThereAndBack:
    """Right: a large offset is added and taken away again; half of the digits stay behind."""

    def forward(self, x):
        self.x = x
        return np.sin(x + 1e8 - 1e8)

    def backward(self, dout):
        return dout * np.cos(self.x + 1e8 - 1e8)


class FastSine:
    """Right: turns around every few thousandths, far faster than usual steps."""

    def forward(self, x):
        self.x = x
        return np.sin(1000 * x)

    def backward(self, dout):
        return 1000 * dout * np.cos(1000 * self.x)


class NaiveVariance:
    """Right: E[x^2] - E[x]^2 of numbers near 1000 cancels in forward; the gradient does not."""

    def forward(self, x):
        self.x = x + 1000.0
        return (self.x**2).mean(axis=1) - self.x.mean(axis=1) ** 2

    def backward(self, dout):
        return 2 * (self.x - self.x.mean(axis=1, keepdims=True)) * dout[:, None] / self.x.shape[1]


class WideDot:
    """Right: a sum over two thousand features, one unit."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return np.multiply.outer(dout, self.W)


class FlatBump:
    """Right: exp(-1/x^2) is flat to all orders at 0, and underflows near it."""

    def forward(self, x):
        self.live = np.abs(x) > 0.04
        self.x = np.where(self.live, x, 1.0)
        self.y = np.where(self.live, np.exp(-1 / self.x**2), 0.0)
        return self.y.copy()

    def backward(self, dout):
        return np.where(self.live, 2 * self.y / self.x**3, 0.0) * dout


# Stable and delicate formulations.


class LogSumExpRows:
    """Right: the maximum is taken out, and counts for nothing in the gradient."""

    def forward(self, x):
        m = x.max(axis=1, keepdims=True)
        self.e = np.exp(x - m)
        return (m + np.log(self.e.sum(axis=1, keepdims=True)))[:, 0]

    def backward(self, dout):
        return dout[:, None] * self.e / self.e.sum(axis=1, keepdims=True)


class LogSoftmaxRows:
    """Right: stays finite where a softmax would be 0."""

    def forward(self, x):
        z = x - x.max(axis=-1, keepdims=True)
        self.logp = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        return self.logp.copy()

    def backward(self, dout):
        return dout - np.exp(self.logp) * dout.sum(axis=-1, keepdims=True)


class LogitsCrossEntropy:
    """Right: max(x, 0) - x t + log(1 + exp(-|x|)), where no kink is left at 0."""

    def forward(self, x, t):
        self.x, self.t = x, t
        return (np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))).sum()

    def backward(self, dout=1.0):
        e = np.exp(-np.abs(self.x))
        return dout * (np.where(self.x >= 0, 1, e) / (1 + e) - self.t)


class SoftplusLogaddexp:
    """Right: log(1 + exp(x)) by logaddexp; the slope by tanh never overflows."""

    def forward(self, x):
        self.x = x
        return np.logaddexp(0, x)

    def backward(self, dout):
        return dout * 0.5 * (1 + np.tanh(0.5 * self.x))


class SincWithSeries:
    """Right: sin(x)/x, and its series near 0, where the quotients cancel."""

    def forward(self, x):
        self.x, self.near = x, np.abs(x) < 0.1
        safe, s = np.where(self.near, 1.0, x), np.where(self.near, x**2, 0.0)
        return np.where(self.near, 1 - s / 6 + s**2 / 120 - s**3 / 5040 + s**4 / 362880, np.sin(safe) / safe)

    def backward(self, dout):
        x, safe = np.where(self.near, self.x, 0.0), np.where(self.near, 1.0, self.x)
        far = (np.cos(safe) - np.sin(safe) / safe) / safe
        return dout * np.where(self.near, -x / 3 + x**3 / 30 - x**5 / 840 + x**7 / 45360, far)


class ExpmRatio:
    """Right: (exp(x) - 1) / x by expm1, and its series near 0."""

    def forward(self, x):
        self.x, self.near = np.minimum(x, 300), np.abs(x) < 1e-3
        safe = np.where(self.near, 1.0, self.x)
        series = 1 + x * (1 / 2 + x * (1 / 6 + x * (1 / 24 + x / 120)))
        return np.where(self.near, series, np.expm1(safe) / safe)

    def backward(self, dout):
        x, safe = self.x, np.where(self.near, 1.0, self.x)
        far = (np.exp(safe) * safe - np.expm1(safe)) / safe**2 * (x < 300)
        return dout * np.where(self.near, 1 / 2 + x * (1 / 3 + x * (1 / 8 + x / 30)), far)


class SelfPower:
    """Right: x to the power of x, for positive x."""

    def forward(self, x):
        self.x = x
        return x**x

    def backward(self, dout):
        return dout * self.x**self.x * (np.log(self.x) + 1)


class LogOnePlusSquare:
    """Right: log1p of something tiny or huge."""

    def forward(self, x):
        self.x = x
        return np.log1p(x**2)

    def backward(self, dout):
        return dout * 2 * self.x / (1 + self.x**2)


class ErfBySeries:
    """Right: erf by a series of terms of one sign; beyond 6 it is 1 to the last digit."""

    def forward(self, x):
        self.x, self.live = np.clip(x, -6, 6), np.abs(x) < 6
        term = total = self.x
        for k in range(1, 140):
            term = term * 2 * self.x**2 / (2 * k + 1)
            total = total + term
        return 2 / np.sqrt(np.pi) * np.exp(-(self.x**2)) * total

    def backward(self, dout):
        return dout * 2 / np.sqrt(np.pi) * np.exp(-(self.x**2)) * self.live


class GeluMathErf:
    """Right: erf of the standard library, one Python float at a time."""

    def forward(self, x):
        erf = np.vectorize(math.erf, otypes=[float])
        self.x, self.phi = x, 0.5 * (1 + erf(x / math.sqrt(2)))
        return x * self.phi

    def backward(self, dout):
        density = np.exp(-0.5 * self.x**2) / math.sqrt(2 * math.pi)
        return dout * (self.phi + self.x * density)


class UnitRowsTinyEps:
    """Right: rows of length one, with 1e-12 under the root."""

    def forward(self, x):
        self.norm = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-12)
        self.u = x / self.norm
        return self.u.copy()

    def backward(self, dout):
        return (dout - self.u * (dout * self.u).sum(axis=1, keepdims=True)) / self.norm


class UnitRowsFloored:
    """Right: the length is not let below 1e-12; below it, it does not depend on x."""

    def forward(self, x):
        norm = np.sqrt((x**2).sum(axis=1, keepdims=True))
        self.live, self.norm = norm > 1e-12, np.maximum(norm, 1e-12)
        self.u = x / self.norm
        return self.u.copy()

    def backward(self, dout):
        radial = self.u * (dout * self.u).sum(axis=1, keepdims=True)
        return (dout - np.where(self.live, radial, 0.0)) / self.norm


class CharbonnierLoss:
    """Right: sqrt(d^2 + 1e-12) is |d| but for a bend a millionth wide."""

    def forward(self, y_pred, y_true):
        self.d = y_pred - y_true
        self.r = np.sqrt(self.d**2 + 1e-12)
        return self.r.sum()

    def backward(self, dout=1.0):
        return dout * self.d / self.r


class ProductOfRow:
    """Right: products of all others, from the left and from the right, so that zeros do no harm."""

    def forward(self, x):
        ones = np.ones((len(x), 1))
        left = np.cumprod(np.concatenate([ones, x[:, :-1]], axis=1), axis=1)
        right = np.cumprod(np.concatenate([ones, x[:, :0:-1]], axis=1), axis=1)[:, ::-1]
        self.others = (left * right)[:, : x.shape[1]]
        return x.prod(axis=1)

    def backward(self, dout):
        return dout[:, None] * self.others


class CumprodWithZero:
    """Right: what is shrunk to exactly 0 ends the product; backward goes through the products without a division."""

    def forward(self, x):
        self.slope = np.abs(x) > 0.5
        self.z = np.where(self.slope, x - 0.5 * np.sign(x), 0.0)
        return np.cumprod(self.z, axis=1)

    def backward(self, dout):
        dz = np.zeros_like(self.z)
        for j in range(dz.shape[1]):
            others = self.z.copy()
            others[:, j] = 1.0
            dz[:, j] = (dout * np.cumprod(others, axis=1))[:, j:].sum(axis=1)
        return dz * self.slope


class CircularFilter:
    """Right: a circular convolution by Fourier transform; complex in between, real at both ends."""

    def __init__(self, kernel):
        self.kernel = kernel

    def forward(self, x):
        self.fx, self.fk = np.fft.fft(x, axis=-1), np.fft.fft(self.kernel)
        return np.fft.ifft(self.fx * self.fk, axis=-1).real

    def backward(self, dout):
        fd = np.fft.fft(dout, axis=-1)
        self.dkernel = np.fft.ifft((np.conj(self.fx) * fd).sum(axis=0)).real
        return np.fft.ifft(fd * np.conj(self.fk), axis=-1).real


class PowerSpectrum:
    """Right: |rfft(x)|^2, whose gradient is a transform of complex numbers with a real part."""

    def forward(self, x):
        self.n = x.shape[-1]
        self.f = np.fft.fft(x, axis=-1)
        return self.f.real**2 + self.f.imag**2

    def backward(self, dout):
        return 2 * self.n * np.fft.ifft(dout * self.f, axis=-1).real


class BilinearEinsum:
    """Right: a bilinear form for each output, all products by einsum."""

    def __init__(self, W):
        self.W = W

    def forward(self, x, y):
        self.x, self.y = x, y
        return np.einsum("ni,oij,nj->no", x, self.W, y)

    def backward(self, dout):
        self.dW = np.einsum("no,ni,nj->oij", dout, self.x, self.y)
        dx = np.einsum("no,oij,nj->ni", dout, self.W, self.y)
        return dx, np.einsum("no,oij,ni->nj", dout, self.W, self.x)


class EmptyButFilled:
    """Right: memory that is not initialised, and then all of it is."""

    def forward(self, x):
        self.x = x
        out = np.empty((*x.shape, 2))
        out[..., 0], out[..., 1] = np.sin(x), np.cos(x)
        return out

    def backward(self, dout):
        dx = np.empty(self.x.shape)
        dx[...] = dout[..., 0] * np.cos(self.x)
        dx -= dout[..., 1] * np.sin(self.x)
        return dx


class StridedMeanPool:
    """Right: overlapping windows of three as strides of a copy; backward adds up three shifted copies."""

    def forward(self, x):
        x = np.ascontiguousarray(x)
        n, t = x.shape
        s0, s1 = x.strides
        self.t = t
        return np.lib.stride_tricks.as_strided(x, (n, t - 2, 3), (s0, s1, s1), writeable=False).mean(axis=2)

    def backward(self, dout):
        dx = np.zeros((len(dout), self.t))
        for k in range(3):
            dx[:, k : self.t - 2 + k] += dout / 3
        return dx


class GatherRepeated:
    """Right: rows of a table, the same ones many times over; rows that nobody asks for get 0."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class ExponentIsInput:
    """Right: x to the power of p, both inputs; for a positive x."""

    def forward(self, x, p):
        self.x, self.p, self.y = x, p, x**p
        return self.y.copy()

    def backward(self, dout):
        return dout * self.p * self.x ** (self.p - 1), dout * self.y * np.log(self.x)


class CausalAttention:
    """Right: the future is masked with -1e9, and its gradients are exactly 0."""

    def forward(self, q, k, v):
        s = np.einsum("bid,bjd->bij", q, k) / np.sqrt(q.shape[-1])
        s = np.where(np.tri(q.shape[1], k.shape[1]) > 0, s, -1e9)
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        p = e / e.sum(axis=-1, keepdims=True)
        self.kept = q, k, v, p
        return p @ v

    def backward(self, dout):
        q, k, v, p = self.kept
        dp = dout @ v.transpose(0, 2, 1)
        ds = p * (dp - (dp * p).sum(axis=-1, keepdims=True)) / np.sqrt(q.shape[-1])
        return ds @ k, ds.transpose(0, 2, 1) @ q, p.transpose(0, 2, 1) @ dout


class LogDeterminant:
    """Right: log |det A|, whose gradient is the inverse, transposed."""

    def forward(self, A):
        self.A = A
        return np.linalg.slogdet(A)[1]

    def backward(self, dout=1.0):
        return dout * np.linalg.inv(self.A).T


class SolveSystem:
    """Right: A x = b; backward solves with the transpose."""

    def forward(self, A, b):
        self.A, self.x = A, np.linalg.solve(A, b)
        return self.x.copy()

    def backward(self, dout):
        db = np.linalg.solve(self.A.T, dout)
        return -np.outer(db, self.x), db


class NoisyButHarmless:
    """Right: log1p is taken of everything, and thrown away where it is NaN; both passes warn."""

    def forward(self, x):
        self.x = x
        return np.where(x >= 0, (1 + x) * np.log1p(x), x)

    def backward(self, dout):
        return dout * np.where(self.x >= 0, np.log1p(self.x) + 1, 1.0)


class OneSampleOnly:
    """Right: a column of features in, W @ x out; there is no batch at all."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return self.W @ x + self.b

    def backward(self, dout):
        self.dW, self.db = np.outer(dout, self.x), dout.copy()
        return self.W.T @ dout


class CosineSimilarity:
    """Right: does not depend on the lengths of either."""

    def forward(self, x, y):
        self.nx, self.ny = (np.sqrt((a**2).sum(axis=1, keepdims=True)) for a in (x, y))
        self.u, self.v = x / self.nx, y / self.ny
        self.c = (self.u * self.v).sum(axis=1, keepdims=True)
        return self.c[:, 0].copy()

    def backward(self, dout):
        d = dout[:, None]
        return d * (self.v - self.c * self.u) / self.nx, d * (self.u - self.c * self.v) / self.ny


class AngleOfPair:
    """Right: arctan2, with a jump behind the origin."""

    def forward(self, y, x):
        self.x, self.y = x, y
        return np.arctan2(y, x)

    def backward(self, dout):
        r = self.x**2 + self.y**2
        r = np.where(r == 0, 1.0, r)
        return dout * self.x / r, -dout * self.y / r


# The same at points where ties are exact.

ZEROS = np.array([[0.0, -1.5, 0.0, 2.0], [0.5, 0.0, 0.5, 0.0]])
TIED = np.array([[[[1.0, 1.0, 0.0, 2.0], [1.0, 1.0, 2.0, -1.0]]]])


class ReluAtZeros(ReluSlopeHalf):
    """Right: half of the slope at each 0."""


class AbsAtZeros(AbsSlopeOne):
    """Right: the slope from the right at each 0."""


class ClipAtBounds(ClipClosed):
    """Right: passes on each bound."""


class HingeAtMargin(BinaryHinge):
    """Right: slope 0 on the margin."""


class MaximumAtTies(MaximumFirstWins):
    """Right: the first operand of each tie gets everything."""


class MinimumAtTies(MinimumShared):
    """Right: each operand of a tie gets a half."""


class MaxPoolFirstAtTies(MaxPoolFirst):
    """Right: the first maximum of each window takes all."""


class MaxPoolSharedAtTies(MaxPoolShared):
    """Right: all maxima of each window share."""


class MedianAtTies(MedianOfRow):
    """Right: two of several equal elements share."""


class SortAtTies(SortRow):
    """Right: equal elements keep one order, forward and backward."""


class RowNormAtOrigin(RowNormZeroAtZero):
    """Right: 0 is a subgradient of a length at the origin."""


class ProductOfZeros(ProductOfRow):
    """Right: smooth there, and no division."""


ODD = (
    Odd(ReluSlopeZero, "slope 0 at the kink"),
    Odd(ReluSlopeHalf, "slope 1/2 at the kink"),
    Odd(ReluSlopeOne, "slope 1 at the kink"),
    Odd(AbsSlopeOne, "one-sided slope at the kink"),
    Odd(LeakyReluWithoutLeak, "a leak of exactly 0"),
    Odd(MaximumFirstWins, "ties go to one operand"),
    Odd(MinimumShared, "ties are shared equally"),
    Odd(ClipClosed, "on the bounds the gradient passes"),
    Odd(Relu6Open, "on the bounds the gradient stops"),
    Odd(BinaryHinge, "kink at the margin, exact zeros beyond; a scalar that backward may be called for without dout"),
    Odd(HuberOfDifference, "two formulas that meet with one slope"),
    Odd(PinballLoss, "two slopes of unlike size meet at 0"),
    Odd(SoftThreshold, "two kinks, flat between them"),
    Odd(MedianOfRow, "which elements are the middle ones changes from point to point"),
    Odd(SortRow, "a permutation that depends on the values"),
    Odd(SpanOfRow, "of equal elements the first; in a row of one the two gradients cancel"),
    Odd(ChebyshevNorm, "a kink of |x| under a tie of the maximum"),
    Odd(TopTwoSum, "exact zeros for all but two elements of a row"),
    Odd(MaxPoolFirst, "the first of several maxima takes all"),
    Odd(MaxPoolShared, "all maxima share equally"),
    Odd(MaxoutPairs, "ties between halves of one array"),
    Odd(PiecewiseTable, "kinks at knots, flat beyond them"),
    Odd(FractionalPart, "jumps, and slope 1 between them"),
    Odd(RoundedHasNoSlope, "a staircase: zero is the derivative wherever there is one"),
    Odd(AbsoluteSine, "kinks in regular distances, many of them at large x"),
    Odd(RowNormZeroAtZero, "subgradient 0 at the origin"),
    Odd(HypotGuarded, "guarded quotients at the origin"),
    Odd(RootDoubleWhere, "an infinite slope on one side of 0, a flat half line on the other"),
    Odd(TanhFloat32, "float32 both ways"),
    Odd(LayerNormFloat32, "float32 both ways, and float32 copies of the parameters", warnings=("GC106",)),
    Odd(ScaleIntoFloat32Buffers, "float32 buffers both ways"),
    Odd(SigmoidFloat16, "float16 both ways"),
    Odd(AffineFloat16Inside, "float16 inside, float32 outside, both ways"),
    Odd(CubeAlwaysFloat64, "float64 out, whatever comes in"),
    Odd(RoundsOutputToFloat32, "float64 inside, float32 outside, both ways"),
    Odd(AffineBatchMean, "the named convention: parameter gradients of the batch mean", warnings=("GC111",)),
    Odd(ScaleShiftBatchMean, "the named convention: parameter gradients of the batch mean", warnings=("GC111",)),
    Odd(
        SoftmaxFused,
        "the named convention: dout is p - t already, and is handed on",
        warnings=(
            "GC112",
            "GC205",
        ),
    ),
    Odd(SigmoidFused, "the named convention: dout is y - t already", warnings=("GC112",)),
    Odd(
        SquaredErrorPerSample,
        "the named convention: a loss for each sample, the gradient of their mean",
        warnings=("GC113",),
    ),
    Odd(
        CrossEntropyPerSample,
        "the named convention: a loss for each sample, the gradient of their mean",
        warnings=("GC113",),
    ),
    Odd(LayerNormOneFeature, "the true gradient is 0", options={"inputs": (np.array([[0.3], [-1.2], [2.0]]),)}),
    Odd(SoftmaxOneClass, "the true gradient is 0", options={"inputs": (np.array([[0.3], [-1.2], [2.0]]),)}),
    Odd(
        VarianceOverBatch,
        "one sample: the output is 0, and so is the gradient",
        options={"inputs": (np.array([[0.3, -1.2, 2.0]]),)},
    ),
    Odd(
        UnitVectorOneFeature,
        "the true gradient is 0; what backward gives is rounding",
        options={"inputs": (np.array([[0.3], [-1.2], [2.0]]),)},
    ),
    Odd(ResidualsAddUp, "the output is rounding, the gradient is 0"),
    Odd(TinyLoss, "all gradients are of the order of 1e-8"),
    Odd(MicroUnits, "the second derivative is 2e12"),
    Odd(TinyWeights, "outputs and gradients of the order of 1e-30 beside gradients of the order of 1"),
    Odd(ManyScales, "elements of one gradient up to 24 orders of magnitude apart"),
    Odd(ThereAndBack, "forward keeps half of its digits"),
    Odd(FastSine, "turns around within thousandths"),
    Odd(NaiveVariance, "forward cancels, backward does not"),
    Odd(WideDot, "sums over two thousand features", options={"signature": "(n,2000),(2000)->(n)"}),
    Odd(FlatBump, "flat to all orders, and underflowing, near 0"),
    Odd(LogSumExpRows, "the maximum is subtracted as if it were a constant, which it may be"),
    Odd(LogSoftmaxRows, "-1000 beside 0"),
    Odd(LogitsCrossEntropy, "three terms with kinks whose sum has none"),
    Odd(SoftplusLogaddexp, "a slope by another function than forward's"),
    Odd(SincWithSeries, "two formulas, by distance from 0"),
    Odd(ExpmRatio, "two formulas, by distance from 0, and a floor under overflow"),
    Odd(SelfPower, "for positive x only, with an infinite slope at 0"),
    Odd(LogOnePlusSquare, "delicate near 0, flat far out"),
    Odd(ErfBySeries, "a loop of 139 terms, and a clip where all digits are there"),
    Odd(GeluMathErf, "np.vectorize over the standard library, which takes no complex number"),
    Odd(UnitRowsTinyEps, "an eps of 1e-12 under the root"),
    Odd(UnitRowsFloored, "a floor of 1e-12 under the length"),
    Odd(CharbonnierLoss, "a bend that is a millionth wide"),
    Odd(ProductOfRow, "no division by elements that may be 0"),
    Odd(CumprodWithZero, "exact zeros inside a product"),
    Odd(CircularFilter, "complex in between", options={"signature": "(n,i),(i)->(n,i)"}),
    Odd(PowerSpectrum, "complex in between; the imaginary part of some elements is exactly 0"),
    Odd(BilinearEinsum, "all by einsum, three arguments", options={"signature": "(n,i),(n,j),(o,i,j)->(n,o)"}),
    Odd(EmptyButFilled, "np.empty, completely filled"),
    Odd(StridedMeanPool, "overlapping windows as strides", options={"signature": "(n,t)"}),
    Odd(GatherRepeated, "rows with gradient 0, rows with the sum of many"),
    Odd(ExponentIsInput, "for positive x only"),
    Odd(CausalAttention, "exact zeros for the future"),
    Odd(LogDeterminant, "as delicate as the matrix is", options={"signature": "(i,i)->()"}),
    Odd(SolveSystem, "as delicate as the matrix is", options={"signature": "(i,i),(i)->(i)"}),
    Odd(NoisyButHarmless, "both passes emit RuntimeWarnings for what where throws away"),
    Odd(OneSampleOnly, "no batch dimension", options={"signature": "(i),(o,i),(o)->(o)"}),
    Odd(CosineSimilarity, "with one feature the true gradient is 0"),
    Odd(AngleOfPair, "a jump on the negative half line, guarded at the origin"),
    Odd(ReluAtZeros, "several elements are exactly 0", options={"inputs": (ZEROS,)}),
    Odd(AbsAtZeros, "several elements are exactly 0", options={"inputs": (ZEROS,)}),
    Odd(
        ClipAtBounds,
        "several elements lie exactly on a bound",
        options={"inputs": (np.array([[-0.8, 1.3, 0.2], [1.3, -2.0, -0.8]]),)},
    ),
    Odd(
        HingeAtMargin,
        "several samples lie exactly on the margin",
        options={"inputs": (np.array([1.0, -1.0, 0.5, 2.0]), np.array([1, 0, 1, 0]))},
    ),
    Odd(MaximumAtTies, "several elements are equal", options={"inputs": (ZEROS, np.abs(ZEROS))}),
    Odd(MinimumAtTies, "several elements are equal", options={"inputs": (ZEROS, np.abs(ZEROS))}),
    Odd(MaxPoolFirstAtTies, "windows of equal elements", options={"inputs": (TIED,)}),
    Odd(MaxPoolSharedAtTies, "windows of equal elements", options={"inputs": (TIED,)}),
    Odd(
        MedianAtTies,
        "equal elements in the middle; a limit of gradients nearby, though no subgradient, for a median is not convex",
        options={"inputs": (ZEROS,)},
    ),
    Odd(SortAtTies, "equal elements; a limit of gradients nearby", options={"inputs": (ZEROS,)}),
    Odd(RowNormAtOrigin, "one row is 0", options={"inputs": (np.array([[0.0, 0.0], [3.0, -4.0]]),)}),
    Odd(
        ProductOfZeros,
        "no zero in one row, one in another, two in the last",
        options={"inputs": (np.array([[2.0, 3.0], [0.0, 3.0], [0.0, 0.0]]),)},
    ),
)
