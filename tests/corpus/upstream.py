"""The upstream gradient, the point of the slope, signs, constants and normalisation: T01 to T05."""

import math

import numpy as np

from tests.corpus.entry import Odd, Wrong

# --- T01: the upstream gradient dropped or wrong -------------------------------------------------------------------


class Softsign:
    """Right: x / (1 + |x|)."""

    def forward(self, x):
        self.x = x
        self.denominator = 1 + np.abs(x)
        return x / self.denominator

    def backward(self, dout):
        return dout / self.denominator**2


class SoftsignIgnoresDout(Softsign):
    """The local slope alone is returned: the chain rule is left out."""

    def backward(self, dout):
        return 1 / self.denominator**2


class SoftsignSizeOfDout(Softsign):
    """The sign of dout is lost."""

    def backward(self, dout):
        return np.abs(dout) / self.denominator**2


class SoftsignOfDoutMask(Softsign):
    """dout is turned into a mask: only whether it is positive counts."""

    def backward(self, dout):
        return (dout > 0) / self.denominator**2


class SoftsignConstantForStability(Softsign):
    """A small constant is added to the gradient, "for numerical stability"."""

    def backward(self, dout):
        return dout / self.denominator**2 + 1e-8


class SoftsignMeanOfDout(Softsign):
    """Every element gets the mean of dout instead of its own."""

    def backward(self, dout):
        return np.mean(dout) / self.denominator**2


class Rectifier:
    """Right: max(x, 0), spelled as a product."""

    def forward(self, x):
        self.active = (x > 0).astype(x.dtype)
        return x * self.active

    def backward(self, dout):
        return dout * self.active


class RectifierGuided(Rectifier):
    """Guided backpropagation, a way to draw pictures, is left in: negative gradients are dropped."""

    def backward(self, dout):
        return np.maximum(dout, 0) * self.active


class RectifierOfGradient(Rectifier):
    """The gradient is rectified by its own sign instead of that of x, as deconvolution networks do."""

    def backward(self, dout):
        return dout * (dout > 0)


class RectifierDropsSmall(Rectifier):
    """Elements of dout below a threshold are taken for zero, to keep the gradient sparse."""

    def backward(self, dout):
        return np.where(np.abs(dout) < 0.01, 0.0, dout) * self.active


class RectifierDropsTiny(Rectifier):
    """As above, with a threshold that hardly any dout falls below."""

    def backward(self, dout):
        return np.where(np.abs(dout) < 1e-5, 0.0, dout) * self.active


def fully_connected_forward(x, W, b):
    """Right: x W + b with a cache."""
    return x @ W + b, (x, W)


def fully_connected_backward(dout, cache):
    x, W = cache
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def fully_connected_clipped_backward(dout, cache):
    """dout is clipped at 5 before use."""
    x, W = cache
    dout = np.clip(dout, -5, 5)
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


def fully_connected_float32_backward(dout, cache):
    """dout is cast to float32, where half of its digits are lost; what comes out is float64 again."""
    x, W = cache
    dout = dout.astype(np.float32)
    return dout @ W.T, x.T @ dout, dout.sum(axis=0).astype(x.dtype)


def fully_connected_decay_backward(dout, cache):
    """Weight decay is added to the gradient of W, though forward knows nothing of it."""
    x, W = cache
    return dout @ W.T, x.T @ dout + 1e-2 * W, dout.sum(axis=0)


def fully_connected_one_row_backward(dout, cache):
    """The first row of dout is used for all samples."""
    x, W = cache
    dout = np.broadcast_to(dout[:1], dout.shape)
    return dout @ W.T, x.T @ dout, dout.sum(axis=0)


class TimeMean:
    """Right: the mean over the middle axis of a sequence."""

    def forward(self, x):
        n, t, i = x.shape
        self.shape = x.shape
        return x.sum(axis=1) / max(t, 1)

    def backward(self, dout):
        n, t, i = self.shape
        dx = np.zeros(self.shape, dtype=dout.dtype)
        dx += dout[:, None, :] / max(t, 1)
        return dx


class TimeMeanFirstSample(TimeMean):
    """The dout of the first sample is given to all samples."""

    def backward(self, dout):
        n, t, i = self.shape
        return np.ones(self.shape) * dout[:1, None, :] / max(t, 1)


class TimeMeanIntegerBuffer(TimeMean):
    """dout is first put into an integer buffer, and truncated there."""

    def backward(self, dout):
        n, t, i = self.shape
        spread = np.zeros(self.shape, dtype=int)
        spread[:] = dout[:, None, :]
        return spread / max(t, 1)


class TimeMeanHalf(TimeMean):
    """The gradient is shared out in float16 and only then cast back."""

    def backward(self, dout):
        n, t, i = self.shape
        share = (dout / max(t, 1)).astype(np.float16)
        return np.repeat(share[:, None, :], t, axis=1).astype(dout.dtype)


class Sine:
    """Right: sin(omega * x), as in sinusoidal networks."""

    def __init__(self, omega=3.0):
        self.omega = omega

    def forward(self, x):
        self.angle = self.omega * x
        return np.sin(self.angle)

    def backward(self, dout):
        return dout * self.omega * np.cos(self.angle)


class SineSquaresDout(Sine):
    """dout is multiplied in twice."""

    def backward(self, dout):
        slope = dout * self.omega * np.cos(self.angle)
        return dout * slope


class SineUnitGradient(Sine):
    """The gradient is scaled to length one."""

    def backward(self, dout):
        dx = dout * self.omega * np.cos(self.angle)
        return dx / (np.linalg.norm(dx) + 1e-12)


class SineThroughDirection(Sine):
    """dout is taken apart into direction and length, and put together again: not a number where it is zero."""

    def backward(self, dout):
        length = np.linalg.norm(dout)
        return dout / length * self.omega * np.cos(self.angle) * length


class SineClipsNorm(Sine):
    """The gradient is scaled down where its norm is above 100."""

    def backward(self, dout):
        dx = dout * self.omega * np.cos(self.angle)
        return dx * min(1.0, 100.0 / (np.linalg.norm(dx) + 1e-12))


class SineSignOnly(Sine):
    """Only the sign of the upstream gradient is used."""

    def backward(self, dout):
        return np.sign(dout) * self.omega * np.cos(self.angle)


class SineRounds(Sine):
    """The gradient is rounded to two decimals, as for a print-out."""

    def backward(self, dout):
        return np.round(dout * self.omega * np.cos(self.angle), 2)


class SineRoundsFinely(Sine):
    """The gradient is rounded to eight decimals."""

    def backward(self, dout):
        return np.round(dout * self.omega * np.cos(self.angle), 8)


class SineNoise(Sine):
    """Gradient noise, meant for training, is added inside backward."""

    def backward(self, dout):
        noise = 1e-3 * np.random.default_rng(0).standard_normal(dout.shape)
        return dout * self.omega * np.cos(self.angle) + noise


class Elu:
    """Right: x for x > 0, else alpha * (exp(x) - 1)."""

    def __init__(self, alpha=0.7):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        self.exp = np.exp(np.minimum(x, 0))
        return np.where(x > 0, x, self.alpha * (self.exp - 1))

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1.0, self.alpha * self.exp)


class EluClippedAtHundred(Elu):
    """The gradient is clipped at 100, far beyond what usually comes."""

    def backward(self, dout):
        return np.clip(super().backward(dout), -100, 100)


class EluClippedFromAbove(Elu):
    """Only large positive elements are clipped, at 1."""

    def backward(self, dout):
        return np.minimum(super().backward(dout), 1.0)


class EluActivityPenalty(Elu):
    """The gradient of a penalty on the activity is added, which is no part of the output."""

    def backward(self, dout):
        return super().backward(dout + 0.05 * np.sign(self.x))


class MeanSquared:
    """Right: a loss that may be scaled by what is upstream."""

    def forward(self, y, t):
        self.diff = y - t
        return np.sum(self.diff**2) / max(self.diff.size, 1)

    def backward(self, dout=1.0):
        return dout * 2 * self.diff / max(self.diff.size, 1)


class MeanSquaredIgnoresDout(MeanSquared):
    """The argument dout is there, and not used."""

    def backward(self, dout=1.0):
        return 2 * self.diff / max(self.diff.size, 1)


def doubling_closure(x):
    """Right: 2 x + x**3 / 3 as a closure."""
    x = np.array(x)

    def pullback(dy):
        return dy * (2 + x**2)

    return 2 * x + x**3 / 3, pullback


def doubling_adds_dout_closure(x):
    """dout is added to the slope instead of multiplied with it."""
    x = np.array(x)

    def pullback(dy):
        return dy + (2 + x**2)

    return 2 * x + x**3 / 3, pullback


# --- T02: the local derivative at the wrong point ------------------------------------------------------------------


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1.0, e) / (1 + e)


class TanhLayer:
    """Right."""

    def forward(self, x):
        self.a = np.tanh(x)
        return self.a.copy()

    def backward(self, dout):
        return dout * (1 - self.a**2)


class TanhLayerAtOutput(TanhLayer):
    """tanh is applied once more to what is activated already."""

    def backward(self, dout):
        return dout * (1 - np.tanh(self.a) ** 2)


class TanhLayerAtDout(TanhLayer):
    """The slope is taken at dout."""

    def backward(self, dout):
        return dout * (1 - np.tanh(dout) ** 2)


class Swish:
    """Right: x * sigmoid(x)."""

    def forward(self, x):
        self.x = x
        self.s = sigmoid(x)
        self.y = x * self.s
        return self.y.copy()

    def backward(self, dout):
        return dout * (self.s + self.x * self.s * (1 - self.s))


class SwishSigmoidOfOutput(Swish):
    """The sigmoid is taken of the output, not of the input."""

    def backward(self, dout):
        s = sigmoid(self.y)
        return dout * (self.y + s * (1 - self.y))


class SwishSigmoidTwice(Swish):
    """The sigmoid is applied to the cached sigmoid."""

    def backward(self, dout):
        s = sigmoid(self.s)
        return dout * (s + self.x * s * (1 - s))


class ExpLinear:
    """Right: an exponential linear unit whose slope is computed from the output."""

    def __init__(self, alpha=1.5):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        self.y = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        return self.y.copy()

    def backward(self, dout):
        return dout * np.where(self.y > 0, 1, self.y + self.alpha)


class ExpLinearFromInput(ExpLinear):
    """y + alpha is the slope in terms of the output; it is fed the input."""

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1, self.x + self.alpha)


class LogOnePlusSquare:
    """Right: log(1 + x**2)."""

    def forward(self, x):
        self.x = x
        self.y = np.log1p(x**2)
        return self.y.copy()

    def backward(self, dout):
        return dout * 2 * self.x / (1 + self.x**2)


class LogOnePlusSquareAtOutput(LogOnePlusSquare):
    """The denominator is taken at the output."""

    def backward(self, dout):
        return dout * 2 * self.x / (1 + self.y**2)


class DenseTanh:
    """Right: tanh(x W + b) in one layer; gradients as dW and db."""

    def __init__(self, W, b):
        self.W = W
        self.b = b

    def forward(self, x):
        self.x = x
        self.z = x @ self.W + self.b
        return np.tanh(self.z)

    def backward(self, dout):
        dz = dout * (1 - np.tanh(self.z) ** 2)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


class DenseTanhWithoutBias(DenseTanh):
    """The slope is taken at x W, without the bias."""

    def backward(self, dout):
        dz = dout * (1 - np.tanh(self.x @ self.W) ** 2)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


class DenseTanhPreactivation(DenseTanh):
    """1 - z**2 is the slope for an activated z; this one is not activated."""

    def backward(self, dout):
        dz = dout * (1 - self.z**2)
        self.dW = self.x.T @ dz
        self.db = dz.sum(axis=0)
        return dz @ self.W.T


def rnn_step_forward(x, h_prev, Wx, Wh, b):
    """Right: one step of a plain recurrent network."""
    h = np.tanh(x @ Wx + h_prev @ Wh + b)
    return h, (x, h_prev, Wx, Wh, h.copy())


def rnn_step_backward(dh, cache):
    x, h_prev, Wx, Wh, h = cache
    dz = dh * (1 - h**2)
    return dz @ Wx.T, dz @ Wh.T, x.T @ dz, h_prev.T @ dz, dz.sum(axis=0)


def rnn_step_at_previous_backward(dh, cache):
    """The slope is taken at the state before the step, which has the same shape."""
    x, h_prev, Wx, Wh, h = cache
    dz = dh * (1 - np.tanh(h_prev) ** 2)
    return dz @ Wx.T, dz @ Wh.T, x.T @ dz, h_prev.T @ dz, dz.sum(axis=0)


class Gate:
    """Right: x * sigmoid(y), two inputs."""

    def forward(self, x, y):
        self.x, self.s = x, sigmoid(y)
        return x * self.s

    def backward(self, dout):
        return dout * self.s, dout * self.x * self.s * (1 - self.s)


class GateAtValue(Gate):
    """The slope of the gate is taken at the gated value."""

    def backward(self, dout):
        s = sigmoid(self.x)
        return dout * self.s, dout * self.x * s * (1 - s)


class CosineWave:
    """Right: cos(k * x)."""

    def __init__(self, k):
        self.k = k

    def forward(self, x):
        self.x = x
        return np.cos(self.k * x)

    def backward(self, dout):
        return -dout * self.k * np.sin(self.k * self.x)


class CosineWaveUnscaled(CosineWave):
    """The slope is taken at x instead of k * x."""

    def backward(self, dout):
        return -dout * self.k * np.sin(self.x)


class CosineWaveAtDout(CosineWave):
    """The slope is taken at dout."""

    def backward(self, dout):
        return -dout * self.k * np.sin(self.k * dout)


class LogSoftmax:
    """Right: x - log(sum(exp(x))) over the last axis."""

    def forward(self, x):
        shifted = x - x.max(axis=-1, keepdims=True)
        self.shifted = shifted
        self.logp = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
        return self.logp.copy()

    def backward(self, dout):
        return dout - np.exp(self.logp) * dout.sum(axis=-1, keepdims=True)


class LogSoftmaxUnnormalised(LogSoftmax):
    """exp is taken of the shifted input, which is no probability, instead of the output."""

    def backward(self, dout):
        return dout - np.exp(self.shifted) * dout.sum(axis=-1, keepdims=True)


class HeatedSoftmax:
    """Right: the softmax of x / temperature."""

    def __init__(self, temperature):
        self.temperature = temperature

    def forward(self, x):
        self.x = x
        self.p = self.softmax(x / self.temperature)
        return self.p.copy()

    def softmax(self, z):
        e = np.exp(z - z.max(axis=-1, keepdims=True))
        return e / e.sum(axis=-1, keepdims=True)

    def backward(self, dout):
        g = dout - (dout * self.p).sum(axis=-1, keepdims=True)
        return self.p * g / self.temperature


class HeatedSoftmaxAtCold(HeatedSoftmax):
    """The probabilities are computed again for backward, without the temperature."""

    def backward(self, dout):
        p = self.softmax(self.x)
        g = dout - (dout * p).sum(axis=-1, keepdims=True)
        return p * g / self.temperature


# --- T03: signs ----------------------------------------------------------------------------------------------------


class Subtract:
    """Right: x - y."""

    def forward(self, x, y):
        return x - y

    def backward(self, dout):
        return dout.copy(), -dout


class SubtractBothPlus(Subtract):
    """The second operand gets the sign of the first."""

    def backward(self, dout):
        return dout.copy(), dout.copy()


class Reciprocal:
    """Right: 1 / (c + x**2)."""

    def __init__(self, c=1.0):
        self.c = c

    def forward(self, x):
        self.x = x
        self.y = 1 / (self.c + x**2)
        return self.y.copy()

    def backward(self, dout):
        return -2 * dout * self.x * self.y**2


class ReciprocalPositive(Reciprocal):
    """The minus of the quotient rule is missing."""

    def backward(self, dout):
        return 2 * dout * self.x * self.y**2


class LeakyUnit:
    """Right: slope alpha on the negative side."""

    def __init__(self, alpha):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(self.x > 0, x, self.alpha * x)

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1.0, self.alpha)


class LeakyUnitNegativeSlope(LeakyUnit):
    """The slope on the negative side has a minus sign."""

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1.0, -self.alpha)


class SoftsignWithoutAbs(Softsign):
    """x stands for |x| in the slope: right for positive x only."""

    def backward(self, dout):
        return dout / (1 + self.x) ** 2


class AbsoluteError:
    """Right: the mean of |y - t|."""

    def forward(self, y, t):
        self.y, self.t = y, t
        return np.abs(y - t).sum() / max(y.size, 1)

    def backward(self, dout=1.0):
        return dout * np.sign(self.y - self.t) / max(self.y.size, 1)


class AbsoluteErrorReversed(AbsoluteError):
    """Target minus prediction."""

    def backward(self, dout=1.0):
        return dout * np.sign(self.t - self.y) / max(self.y.size, 1)


class Rotary:
    """Right: the two halves of the features are rotated by an angle that grows with the feature."""

    def forward(self, x):
        half = x.shape[-1] // 2
        angle = 0.5 + np.arange(half)
        self.cos, self.sin = np.cos(angle), np.sin(angle)
        a, b = x[..., :half], x[..., half : 2 * half]
        return np.concatenate([a * self.cos - b * self.sin, a * self.sin + b * self.cos], axis=-1)

    def backward(self, dout):
        half = dout.shape[-1] // 2
        a, b = dout[..., :half], dout[..., half:]
        return np.concatenate([a * self.cos + b * self.sin, b * self.cos - a * self.sin], axis=-1)


class RotaryForwards(Rotary):
    """The gradient is turned on in the same direction instead of back."""

    def backward(self, dout):
        half = dout.shape[-1] // 2
        a, b = dout[..., :half], dout[..., half:]
        return np.concatenate([a * self.cos - b * self.sin, b * self.cos + a * self.sin], axis=-1)


def difference_forward(x):
    """Right: differences of neighbours along the last axis, the first element kept."""
    out = x.copy()
    out[..., 1:] -= x[..., :-1]
    return out, x.shape


def difference_backward(dout, cache):
    dx = dout.copy()
    dx[..., :-1] -= dout[..., 1:]
    return dx


def difference_added_backward(dout, cache):
    """What was subtracted in forward is added in backward."""
    dx = dout.copy()
    dx[..., :-1] += dout[..., 1:]
    return dx


class SquaredDistance:
    """Right: the squared distance of each row of x from its row of y."""

    def forward(self, x, y):
        self.diff = x - y
        return (self.diff**2).sum(axis=-1)

    def backward(self, dout):
        g = 2 * dout[..., None] * self.diff
        return g, -g


class SquaredDistanceSameSign(SquaredDistance):
    """Both points are pulled the same way."""

    def backward(self, dout):
        g = 2 * dout[..., None] * self.diff
        return g, g.copy()


class LogSigmoid:
    """Right: log(sigmoid(x)), stable."""

    def forward(self, x):
        self.x = x
        return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))

    def backward(self, dout):
        return dout * sigmoid(-self.x)


class LogSigmoidMirrored(LogSigmoid):
    """sigmoid(x) for sigmoid(-x): the sign inside."""

    def backward(self, dout):
        return dout * sigmoid(self.x)


class LogSigmoidFarOut(LogSigmoid):
    """Far on the negative side, where the slope is simply 1, it is given as -1."""

    def backward(self, dout):
        return np.where(self.x < -20, -dout, dout * sigmoid(-self.x))


class SoftTriangle:
    """Right: 1 / cosh(x), in exponentials that cannot overflow."""

    def forward(self, x):
        e = np.exp(-np.abs(x))
        self.y, self.t = 2 * e / (1 + e**2), np.tanh(x)
        return self.y.copy()

    def backward(self, dout):
        return -dout * self.y * self.t


class SoftTriangleBeyondThree(SoftTriangle):
    """The tail beyond 3 has its sign the wrong way round."""

    def backward(self, dout):
        slope = np.where(self.t > np.tanh(3), self.t, -self.t)
        return dout * self.y * slope


# --- T04: constants ------------------------------------------------------------------------------------------------


class GeluTanh:
    """Right: the tanh form of the Gaussian error linear unit."""

    c = math.sqrt(2 / math.pi)

    def forward(self, x):
        self.x = x
        self.t = np.tanh(self.c * (x + 0.044715 * x**3))
        return 0.5 * x * (1 + self.t)

    def slope(self, c, a):
        inner = c * (1 + 3 * a * self.x**2)
        return 0.5 * (1 + self.t) + 0.5 * self.x * (1 - self.t**2) * inner

    def backward(self, dout):
        return dout * self.slope(self.c, 0.044715)


class GeluTanhShortCubic(GeluTanh):
    """0.0447 for 0.044715, in backward only."""

    def backward(self, dout):
        return dout * self.slope(self.c, 0.0447)


class GeluTanhShortRoot(GeluTanh):
    """sqrt(2 / pi) is written 0.79788, in backward only."""

    def backward(self, dout):
        return dout * self.slope(0.79788, 0.044715)


class GeluTanhSingleRoot(GeluTanh):
    """sqrt(2 / pi) is written with seven digits, in backward only."""

    def backward(self, dout):
        return dout * self.slope(0.7978846, 0.044715)


def gelu_forward(x):
    """Right: x times the Gaussian distribution function."""
    cdf = np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.ravel()], dtype=float).reshape(x.shape)
    return x * cdf, (x, cdf)


def gelu_backward(dout, cache):
    x, cdf = cache
    return dout * (cdf + x * np.exp(-0.5 * x**2) / math.sqrt(2 * math.pi))


def gelu_four_digits_backward(dout, cache):
    """1 / sqrt(2 pi) has four digits."""
    x, cdf = cache
    return dout * (cdf + x * np.exp(-0.5 * x**2) * 0.3989)


def gelu_eight_digits_backward(dout, cache):
    """1 / sqrt(2 pi) has seven digits."""
    x, cdf = cache
    return dout * (cdf + x * np.exp(-0.5 * x**2) * 0.3989423)


class Selu:
    """Right: the self-normalising unit with its two constants."""

    alpha = 1.6732632423543772
    scale = 1.0507009873554805

    def forward(self, x):
        self.x = x
        return self.scale * np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))

    def backward(self, dout):
        return dout * self.scale * np.where(self.x > 0, 1.0, self.alpha * np.exp(np.minimum(self.x, 0)))


class SeluRoundedScale(Selu):
    """The scale is 1.0507 in backward."""

    def backward(self, dout):
        return dout * 1.0507 * np.where(self.x > 0, 1.0, self.alpha * np.exp(np.minimum(self.x, 0)))


class SeluScaleOnOneSide(Selu):
    """The scale is applied to the positive side only."""

    def backward(self, dout):
        return dout * np.where(self.x > 0, self.scale, self.alpha * np.exp(np.minimum(self.x, 0)))


class QuickGelu:
    """Right: x * sigmoid(1.702 x)."""

    def forward(self, x):
        self.x = x
        self.s = sigmoid(1.702 * x)
        return x * self.s

    def backward(self, dout):
        return dout * (self.s + 1.702 * self.x * self.s * (1 - self.s))


class QuickGeluRounded(QuickGelu):
    """1.7 for 1.702 in backward."""

    def backward(self, dout):
        return dout * (self.s + 1.7 * self.x * self.s * (1 - self.s))


class PowerOfTwo:
    """Right: 2 ** -(x ** 2)."""

    def forward(self, x):
        self.x = x
        self.y = np.exp2(-(x**2))
        return self.y.copy()

    def backward(self, dout):
        return dout * self.y * -2 * self.x * math.log(2)


class PowerOfTwoSixDigits(PowerOfTwo):
    """ln 2 is written 0.693147: wrong by less than a part in a million."""

    def backward(self, dout):
        return dout * self.y * -2 * self.x * 0.693147


class PowerOfTwoWithoutLog(PowerOfTwo):
    """The derivative of exp is used: ln 2 is missing."""

    def backward(self, dout):
        return dout * self.y * -2 * self.x


class GregoryIntegral:
    """Right: an integral over time, with weights 5/12 and 13/12 at both ends."""

    def forward(self, x):
        n, t, i = x.shape
        self.shape = x.shape
        return np.einsum("t,nti->ni", self.weights(t), x)

    def weights(self, t, end=5 / 12):
        w = np.ones(t)
        w[1:2], w[-2:-1] = 13 / 12, 13 / 12
        w[:1], w[-1:] = 5 / 12, end
        return w

    def backward(self, dout):
        n, t, i = self.shape
        return np.einsum("t,ni->nti", self.weights(t), dout)


class GregoryIntegralThreeDigits(GregoryIntegral):
    """The weight of the last step alone is rounded, to 0.417."""

    def backward(self, dout):
        n, t, i = self.shape
        return np.einsum("t,ni->nti", self.weights(t, end=0.417), dout)


class GregoryIntegralFiveDigits(GregoryIntegral):
    """The weight of the last step alone is rounded, to 0.41667."""

    def backward(self, dout):
        n, t, i = self.shape
        return np.einsum("t,ni->nti", self.weights(t, end=0.41667), dout)


class GregoryIntegralSevenDigits(GregoryIntegral):
    """The weight of the last step alone is rounded, to 0.4166667."""

    def backward(self, dout):
        n, t, i = self.shape
        return np.einsum("t,ni->nti", self.weights(t, end=0.4166667), dout)


def masked_dropout_forward(x, p=0.3, seed=0):
    """Right: inverted dropout, with a mask that the seed decides."""
    mask = np.random.default_rng(seed).random(x.shape) >= p
    return x * mask / (1 - p), (mask, p)


def masked_dropout_backward(dout, cache):
    mask, p = cache
    return dout * mask / (1 - p)


def masked_dropout_by_p_backward(dout, cache):
    """Divided by what is dropped instead of what is kept."""
    mask, p = cache
    return dout * mask / p


class HeatedSoftmaxWithoutFactor(HeatedSoftmax):
    """The inner derivative 1 / temperature is missing."""

    def backward(self, dout):
        g = dout - (dout * self.p).sum(axis=-1, keepdims=True)
        return self.p * g


class LeakyUnitHardCoded(LeakyUnit):
    """The usual 0.01 stands where alpha belongs."""

    def backward(self, dout):
        return dout * np.where(self.x > 0, 1.0, 0.01)


class RmsNorm:
    """Right: x / rms(x) * gamma."""

    def __init__(self, gamma, eps=1e-6):
        self.gamma = gamma
        self.eps = eps

    def forward(self, x):
        self.x = x
        return x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps) * self.gamma

    def backward(self, dout):
        return self.gradients(dout, self.eps)

    def gradients(self, dout, eps):
        r = np.sqrt((self.x**2).mean(axis=-1, keepdims=True) + eps)
        self.dgamma = (dout * self.x / r).sum(axis=0)
        g = dout * self.gamma
        return g / r - self.x * (g * self.x).mean(axis=-1, keepdims=True) / r**3


class RmsNormOtherEps(RmsNorm):
    """Backward has an eps of its own, ten times as large."""

    def backward(self, dout):
        return self.gradients(dout, 1e-5)


class ScaledScores:
    """Right: the scores of an attention, q k^T / sqrt(d)."""

    def forward(self, q, k):
        self.q, self.k = q, k
        return q @ k.swapaxes(-1, -2) / math.sqrt(max(q.shape[-1], 1))

    def backward(self, dout):
        scale = 1 / math.sqrt(max(self.q.shape[-1], 1))
        return dout @ self.k * scale, dout.swapaxes(-1, -2) @ self.q * scale


class ScaledScoresKeyUnscaled(ScaledScores):
    """Only the query's gradient gets the factor."""

    def backward(self, dout):
        scale = 1 / math.sqrt(max(self.q.shape[-1], 1))
        return dout @ self.k * scale, dout.swapaxes(-1, -2) @ self.q


class SoftplusUnit:
    """Right: log(1 + exp(x))."""

    def forward(self, x):
        self.x = x
        return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))

    def backward(self, dout):
        return dout * sigmoid(self.x)


class SoftplusUnitExpandedBeyondThree(SoftplusUnit):
    """Beyond 3 only the first term of an expansion is used, a few parts in a thousand off."""

    def backward(self, dout):
        return dout * np.where(self.x > 3, 1 - np.exp(-np.abs(self.x)), sigmoid(self.x))


class SoftplusUnitSaturated(SoftplusUnit):
    """Beyond 20 the layer is taken for saturated, where it is linear."""

    def backward(self, dout):
        return dout * np.where(self.x > 20, 0.0, sigmoid(self.x))


class CentreBatch:
    """Right: subtracts the mean of the batch, if there is more than one sample."""

    def forward(self, x):
        return x - x.mean(axis=0) if len(x) > 1 else x.copy()

    def backward(self, dout):
        return dout - dout.mean(axis=0) if len(dout) > 1 else dout.copy()


class CentreBatchAlways(CentreBatch):
    """The exception for a single sample is not made in backward."""

    def backward(self, dout):
        return dout - dout.mean(axis=0) if len(dout) else dout.copy()


class CubeError:
    """Right: the sum of |y - t| ** 3."""

    def forward(self, y, t):
        self.diff = y - t
        return (np.abs(self.diff) ** 3).sum()

    def backward(self, dout=1.0):
        return dout * 3 * self.diff * np.abs(self.diff)


class CubeErrorTwo(CubeError):
    """The factor of the square, 2, was left standing."""

    def backward(self, dout=1.0):
        return dout * 2 * self.diff * np.abs(self.diff)


# --- T05: value and gradient normalised differently ----------------------------------------------------------------


class MeanSquaredByBatch(MeanSquared):
    """The value is a mean over all elements, the gradient is divided by the number of samples only."""

    def backward(self, dout=1.0):
        return dout * 2 * self.diff / max(len(self.diff), 1)


class MeanSquaredNotDivided(MeanSquared):
    """The value is a mean, the gradient that of a sum."""

    def backward(self, dout=1.0):
        return dout * 2 * self.diff


class SumSquared:
    """Right: half the sum of squares."""

    def forward(self, y, t):
        self.y, self.t = y, t
        return 0.5 * np.sum((y - t) ** 2)

    def backward(self):
        return self.y - self.t


class SumSquaredMeanGradient(SumSquared):
    """The value is a sum, the gradient is averaged over the batch."""

    def backward(self):
        return (self.y - self.t) / len(self.y)


class SumSquaredTwice(SumSquared):
    """The half of the value is forgotten in the gradient."""

    def backward(self):
        return 2 * (self.y - self.t)


class CrossEntropy:
    """Right: softmax and cross-entropy of labels, averaged over the samples."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t
        return -logp[np.arange(len(t)), t].sum() / max(len(t), 1)

    def backward(self, dout=1.0):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / max(len(self.t), 1)


class CrossEntropyNotDivided(CrossEntropy):
    """The value is averaged over the samples, the gradient is not."""

    def backward(self, dout=1.0):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx


class CrossEntropyByElements(CrossEntropy):
    """The gradient is divided by the number of elements, the value by that of the samples."""

    def backward(self, dout=1.0):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / max(dx.size, 1)


class CrossEntropyByOthers(CrossEntropy):
    """The gradient is divided by n - 1, as a variance would be."""

    def backward(self, dout=1.0):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / max(len(self.t) - 1, 1)


def logistic_loss_forward(x, t):
    """Right: binary cross-entropy of logits, averaged over all elements."""
    value = np.maximum(x, 0) - x * t + np.log1p(np.exp(-np.abs(x)))
    return value.sum() / max(x.size, 1), (x, t)


def logistic_loss_backward(dout, cache):
    x, t = cache
    return dout * (sigmoid(x) - t) / max(x.size, 1)


def logistic_loss_sum_backward(dout, cache):
    """The gradient is that of a sum."""
    x, t = cache
    return dout * (sigmoid(x) - t)


class WeightedSquares:
    """Right: a weighted mean of squares, divided by the sum of the weights; the weights fall with time."""

    def forward(self, x):
        n, t, i = x.shape
        self.x = x
        self.w = (0.5 ** np.arange(t))[None, :, None]
        self.total = max(n * i, 1) * self.w.sum()
        return (self.w * x**2).sum() / self.total

    def backward(self, dout):
        return dout * 2 * self.w * self.x / self.total


class WeightedSquaresByCount(WeightedSquares):
    """The value is divided by the sum of the weights, the gradient by their number."""

    def backward(self, dout):
        return dout * 2 * self.w * self.x / max(self.x.size, 1)


class Huber:
    """Right: the mean of Huber's function with a threshold of delta."""

    def __init__(self, delta):
        self.delta = delta

    def forward(self, y, t):
        self.r = y - t
        size = np.abs(self.r)
        value = np.where(size <= self.delta, 0.5 * size**2, self.delta * (size - 0.5 * self.delta))
        return value.sum() / max(size.size, 1)

    def backward(self, dout=1.0):
        return dout * np.clip(self.r, -self.delta, self.delta) / max(self.r.size, 1)


class HuberHalfDivided(Huber):
    """Only the quadratic part of the gradient is averaged."""

    def backward(self, dout=1.0):
        n = max(self.r.size, 1)
        return dout * np.where(np.abs(self.r) <= self.delta, self.r / n, self.delta * np.sign(self.r))


class GlobalAveragePool:
    """Right: the mean over height and width."""

    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        return x.sum(axis=(2, 3)) / max(h * w, 1)

    def backward(self, dout):
        n, c, h, w = self.shape
        return np.ones(self.shape, dtype=dout.dtype) * dout[:, :, None, None] / max(h * w, 1)


class GlobalAveragePoolSquare(GlobalAveragePool):
    """Divided by the square of the height: right for square images."""

    def backward(self, dout):
        n, c, h, w = self.shape
        return np.ones(self.shape) * dout[:, :, None, None] / max(h * h, 1)


class RidgePenalty:
    """Right: half of lam times the sum of squares."""

    def __init__(self, lam):
        self.lam = lam

    def forward(self, x):
        self.x = x
        return 0.5 * self.lam * np.sum(x**2)

    def backward(self, dout):
        return dout * self.lam * self.x


class RidgePenaltyTwo(RidgePenalty):
    """The penalty is written with a half, its gradient without."""

    def backward(self, dout):
        return dout * 2 * self.lam * self.x


class FeatureVariance:
    """Right: the variance of each feature over the batch, divided by n."""

    def forward(self, x):
        self.centred = x - x.sum(axis=0) / max(len(x), 1)
        return (self.centred**2).sum(axis=0) / max(len(x), 1)

    def backward(self, dout):
        return 2 * dout * self.centred / max(len(self.centred), 1)


class FeatureVarianceUnbiased(FeatureVariance):
    """The gradient is divided by n - 1, the value by n."""

    def backward(self, dout):
        return 2 * dout * self.centred / max(len(self.centred) - 1, 1)


class LossPerSample:
    """Right: half the squared distance, one number per sample."""

    def forward(self, y, t):
        self.diff = y - t
        return 0.5 * (self.diff**2).sum(axis=1)

    def backward(self):
        return self.diff.copy()


class LossPerSampleMeanGradient(LossPerSample):
    """A convention: the losses are kept apart, and the gradient is that of their mean."""

    def backward(self):
        return self.diff / max(len(self.diff), 1)


class CrossEntropyPerSample:
    """Right: the cross-entropy of each sample, from logits and labels."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        self.logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.t = t
        return -self.logp[np.arange(len(t)), t]

    def backward(self, dout):
        dx = np.exp(self.logp)
        dx[np.arange(len(dx)), self.t] -= 1
        return dout[:, None] * dx


class CrossEntropyPerSampleMeanGradient(CrossEntropyPerSample):
    """A convention: the losses are kept apart, and the gradient is that of their mean."""

    def backward(self, dout):
        return super().backward(dout) / max(len(self.t), 1)


class SoftmaxUnit:
    """Right: over the classes of each sample."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=1, keepdims=True))


class SoftmaxUnitFused(SoftmaxUnit):
    """A convention: the cross-entropy that follows has the gradient of both, and softmax hands it on."""

    def backward(self, dout):
        return dout.copy()


class SigmoidUnit:
    """Right."""

    def forward(self, x):
        self.s = sigmoid(x)
        return self.s.copy()

    def backward(self, dout):
        return dout * self.s * (1 - self.s)


class SigmoidUnitFused(SigmoidUnit):
    """A convention: the binary cross-entropy that follows has the gradient of both."""

    def backward(self, dout):
        return dout * np.ones_like(self.s)


class SignAndSize:
    """Right: the size and the sign of dout are treated apart, and multiplied again."""

    def forward(self, x):
        self.slope = 1 + np.tanh(x) ** 2
        return 2 * x - np.tanh(x)

    def backward(self, dout):
        return np.sign(dout) * (np.abs(dout) * self.slope)


class SoftmaxLater:
    """Right: only the logits are handed on; the softmax is in the loss."""

    def forward(self, x):
        return x.copy()

    def backward(self, dout):
        return dout.copy()


class SquaredPerSample:
    """Right: one number per sample, each the mean over its features."""

    def forward(self, y, t):
        self.diff = y - t
        return (self.diff**2).sum(axis=1) / max(self.diff.shape[1], 1)

    def backward(self, dout):
        return dout[:, None] * 2 * self.diff / max(self.diff.shape[1], 1)


_CONNECTED = (fully_connected_forward, fully_connected_backward)
_RNN = (rnn_step_forward, rnn_step_backward)
_GELU = (gelu_forward, gelu_backward)

WRONG = (
    Wrong(SoftsignIgnoresDout, Softsign, "GC401", "T01", "dout != 1"),
    Wrong(SoftsignSizeOfDout, Softsign, "GC401", "T01", "dout < 0"),
    Wrong(SoftsignOfDoutMask, Softsign, "GC401", "T01", "any"),
    Wrong(SoftsignConstantForStability, Softsign, "GC402", "T01", "dout = 0"),
    Wrong(SoftsignMeanOfDout, Softsign, "GC101", "T01", "two elements"),
    Wrong(RectifierGuided, Rectifier, "GC401", "T01", "dout < 0 where x > 0"),
    Wrong(RectifierOfGradient, Rectifier, "GC401", "T01", "dout < 0 where x > 0"),
    Wrong(RectifierDropsSmall, Rectifier, "GC401", "T01", "|dout| < 0.01"),
    Wrong(RectifierDropsTiny, Rectifier, "GC401", "T01", "|dout| < 1e-5"),
    Wrong((fully_connected_forward, fully_connected_clipped_backward), _CONNECTED, "GC401", "T01", "|dout| > 5"),
    Wrong((fully_connected_forward, fully_connected_float32_backward), _CONNECTED, "GC107", "T01", "any"),
    Wrong((fully_connected_forward, fully_connected_decay_backward), _CONNECTED, "GC402", "T01", "dout = 0"),
    Wrong((fully_connected_forward, fully_connected_one_row_backward), _CONNECTED, "GC101", "T01", "n >= 2"),
    Wrong(TimeMeanFirstSample, TimeMean, "GC101", "T01", "n >= 2"),
    Wrong(TimeMeanIntegerBuffer, TimeMean, "GC401", "T01", "dout not whole"),
    Wrong(TimeMeanHalf, TimeMean, "GC107", "T01", "any"),
    Wrong(SineSquaresDout, Sine, "GC401", "T01", "dout != 1"),
    Wrong(SineUnitGradient, Sine, "GC401", "T01", "any"),
    Wrong(SineThroughDirection, Sine, "GC402", "T01", "dout = 0"),
    Wrong(SineClipsNorm, Sine, "GC401", "T01", "|dx| > 100"),
    Wrong(SineSignOnly, Sine, "GC401", "T01", "|dout| != 1"),
    Wrong(SineRounds, Sine, "GC401", "T01", "any"),
    Wrong(SineRoundsFinely, Sine, "GC101", "T01", "any"),
    Wrong(SineNoise, Sine, "GC402", "T01", "dout = 0"),
    Wrong(EluClippedAtHundred, Elu, "GC401", "T01", "|dout| > 100"),
    Wrong(EluClippedFromAbove, Elu, "GC401", "T01", "dout > 1"),
    Wrong(EluActivityPenalty, Elu, "GC402", "T01", "dout = 0"),
    Wrong(MeanSquaredIgnoresDout, MeanSquared, "GC401", "T01", "dout != 1"),
    Wrong(doubling_adds_dout_closure, doubling_closure, "GC402", "T01", "dout = 0"),
    Wrong(TanhLayerAtOutput, TanhLayer, "GC101", "T02", "any"),
    Wrong(TanhLayerAtDout, TanhLayer, "GC401", "T02", "any"),
    Wrong(SwishSigmoidOfOutput, Swish, "GC101", "T02", "any"),
    Wrong(SwishSigmoidTwice, Swish, "GC101", "T02", "any"),
    Wrong(ExpLinearFromInput, ExpLinear, "GC101", "T02", "x < 0"),
    Wrong(LogOnePlusSquareAtOutput, LogOnePlusSquare, "GC101", "T02", "any"),
    Wrong(DenseTanhWithoutBias, DenseTanh, "GC101", "T02", "b != 0"),
    Wrong(DenseTanhPreactivation, DenseTanh, "GC101", "T02", "any"),
    Wrong((rnn_step_forward, rnn_step_at_previous_backward), _RNN, "GC101", "T02", "any"),
    Wrong(GateAtValue, Gate, "GC101", "T02", "any"),
    Wrong(CosineWaveUnscaled, CosineWave, "GC101", "T02", "k != 1"),
    Wrong(CosineWaveAtDout, CosineWave, "GC401", "T02", "any"),
    Wrong(LogSoftmaxUnnormalised, LogSoftmax, "GC101", "T02", "i >= 2"),
    Wrong(HeatedSoftmaxAtCold, HeatedSoftmax, "GC101", "T02", "temperature != 1, i >= 2"),
    Wrong(SubtractBothPlus, Subtract, "GC101", "T03", "any"),
    Wrong(ReciprocalPositive, Reciprocal, "GC101", "T03", "any"),
    Wrong(LeakyUnitNegativeSlope, LeakyUnit, "GC101", "T03", "x < 0"),
    Wrong(SoftsignWithoutAbs, Softsign, "GC101", "T03", "x < 0"),
    Wrong(AbsoluteErrorReversed, AbsoluteError, "GC101", "T03", "any"),
    Wrong(RotaryForwards, Rotary, "GC101", "T03", "any", options={"signature": "(n,2*i)->(n,2*i)"}),
    Wrong(
        (difference_forward, difference_added_backward),
        (difference_forward, difference_backward),
        "GC101",
        "T03",
        "i >= 2",
    ),
    Wrong(SquaredDistanceSameSign, SquaredDistance, "GC101", "T03", "any"),
    Wrong(LogSigmoidMirrored, LogSigmoid, "GC101", "T03", "any"),
    Wrong(LogSigmoidFarOut, LogSigmoid, "GC101", "T03", "x < -20"),
    Wrong(SoftTriangleBeyondThree, SoftTriangle, "GC101", "T03", "x > 3"),
    Wrong(GeluTanhShortCubic, GeluTanh, "GC101", "T04", "any"),
    Wrong(GeluTanhShortRoot, GeluTanh, "GC101", "T04", "any"),
    Wrong(GeluTanhSingleRoot, GeluTanh, "GC101", "T04", "any"),
    Wrong((gelu_forward, gelu_four_digits_backward), _GELU, "GC101", "T04", "any"),
    Wrong((gelu_forward, gelu_eight_digits_backward), _GELU, "GC101", "T04", "any"),
    Wrong(SeluRoundedScale, Selu, "GC101", "T04", "any"),
    Wrong(SeluScaleOnOneSide, Selu, "GC101", "T04", "x < 0"),
    Wrong(QuickGeluRounded, QuickGelu, "GC101", "T04", "any"),
    Wrong(PowerOfTwoSixDigits, PowerOfTwo, "GC101", "T04", "any"),
    Wrong(PowerOfTwoWithoutLog, PowerOfTwo, "GC101", "T04", "any"),
    Wrong(GregoryIntegralThreeDigits, GregoryIntegral, "GC101", "T04", "any"),
    Wrong(GregoryIntegralFiveDigits, GregoryIntegral, "GC101", "T04", "any"),
    Wrong(GregoryIntegralSevenDigits, GregoryIntegral, "GC101", "T04", "any"),
    Wrong(
        (masked_dropout_forward, masked_dropout_by_p_backward),
        (masked_dropout_forward, masked_dropout_backward),
        "GC101",
        "T04",
        "p != 0.5",
    ),
    Wrong(HeatedSoftmaxWithoutFactor, HeatedSoftmax, "GC101", "T04", "temperature != 1, i >= 2"),
    Wrong(LeakyUnitHardCoded, LeakyUnit, "GC101", "T04", "alpha != 0.01, x < 0"),
    Wrong(RmsNormOtherEps, RmsNorm, "GC101", "T04", "any"),
    Wrong(ScaledScoresKeyUnscaled, ScaledScores, "GC101", "T04", "i >= 2"),
    Wrong(SoftplusUnitExpandedBeyondThree, SoftplusUnit, "GC101", "T04", "x > 3"),
    Wrong(SoftplusUnitSaturated, SoftplusUnit, "GC101", "T04", "x > 20"),
    Wrong(CentreBatchAlways, CentreBatch, "GC101", "T04", "n = 1"),
    Wrong(CubeErrorTwo, CubeError, "GC101", "T04", "any"),
    Wrong(MeanSquaredByBatch, MeanSquared, "GC101", "T05", "i >= 2"),
    Wrong(MeanSquaredNotDivided, MeanSquared, "GC101", "T05", "two elements"),
    Wrong(SumSquaredMeanGradient, SumSquared, "GC101", "T05", "n >= 2"),
    Wrong(SumSquaredTwice, SumSquared, "GC101", "T05", "any"),
    Wrong(CrossEntropyNotDivided, CrossEntropy, "GC101", "T05", "n >= 2"),
    Wrong(CrossEntropyByElements, CrossEntropy, "GC101", "T05", "i >= 2"),
    Wrong(CrossEntropyByOthers, CrossEntropy, "GC101", "T05", "n >= 2"),
    Wrong(
        (logistic_loss_forward, logistic_loss_sum_backward),
        (logistic_loss_forward, logistic_loss_backward),
        "GC101",
        "T05",
        "two elements",
    ),
    Wrong(WeightedSquaresByCount, WeightedSquares, "GC101", "T05", "t >= 2"),
    Wrong(HuberHalfDivided, Huber, "GC101", "T05", "|y - t| > delta, two elements"),
    Wrong(GlobalAveragePoolSquare, GlobalAveragePool, "GC101", "T05", "h != w"),
    Wrong(RidgePenaltyTwo, RidgePenalty, "GC101", "T05", "any"),
    Wrong(FeatureVarianceUnbiased, FeatureVariance, "GC101", "T05", "n >= 2"),
    Wrong(LossPerSampleMeanGradient, LossPerSample, "GC113", "T05", "n >= 2", level="warning"),
    Wrong(CrossEntropyPerSampleMeanGradient, CrossEntropyPerSample, "GC113", "T05", "n >= 2", level="warning"),
    Wrong(SoftmaxUnitFused, SoftmaxUnit, "GC112", "T05", "i >= 2", level="warning"),
    Wrong(SigmoidUnitFused, SigmoidUnit, "GC112", "T05", "any", level="warning"),
)

ODD = (
    Odd(GregoryIntegral, "linear, with weights that differ at the ends; short sequences have overlapping ends"),
    Odd(CentreBatch, "another function for a single sample"),
    Odd(SignAndSize, "np.abs and np.sign of dout, and linear all the same"),
    Odd(SoftmaxLater, "named after softmax, and rightly hands dout on: forward is the identity"),
    Odd(SquaredPerSample, "a loss for each sample, divided by the features, rightly so"),
)
