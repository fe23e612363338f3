"""Activations, wrong and right: element by element, no parameters."""

import numpy as np


class Relu:
    """Right: the slope at exactly 0 is the author's choice."""

    def forward(self, x):
        self.mask = x <= 0
        return np.where(self.mask, 0.0, x)

    def backward(self, dout):
        return np.where(self.mask, 0.0, dout)


class ReluWritesDout(Relu):
    """The values are right, but the caller's dout is overwritten: the most copied defect of all."""

    def backward(self, dout):
        dout[self.mask] = 0
        dx = dout
        return dx


class ReluChainedAssignment(Relu):
    """The chained assignment binds dx to the int 0, and overwrites dout on top (the notebook's first bug)."""

    def backward(self, dout):
        dx = dout[self.mask] = 0
        return dx


class ReluWritesInput(Relu):
    """Forward zeroes the negative elements of the caller's x."""

    def forward(self, x):
        self.mask = x <= 0
        x[self.mask] = 0
        return x.copy()


class Sigmoid:
    """Right."""

    def forward(self, x):
        self.out = 1 / (1 + np.exp(-x))
        return self.out

    def backward(self, dout):
        return dout * self.out * (1.0 - self.out)


class SigmoidMissingStar(Sigmoid):
    """A ``*`` is missing, so that an array is called (the notebook's second bug)."""

    def backward(self, dout):
        return dout * self.out(1.0 - self.out)


class SigmoidAtDout(Sigmoid):
    """The slope is taken at dout instead of x."""

    def backward(self, dout):
        s = 1 / (1 + np.exp(-dout))
        return s * (1 - s)


class Tanh:
    """Right."""

    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


class TanhWrongSign(Tanh):
    """The two terms of the slope are the wrong way round."""

    def backward(self, dout):
        return dout * (self.y**2 - 1)


class TanhByTan(Tanh):
    """Forward computes tan, backward is that of tanh."""

    def forward(self, x):
        self.y = np.tan(x)
        return self.y


class ScaledTanh:
    """Right: a * tanh(b * x), with the usual constants."""

    def __init__(self, a=1.7159, b=2 / 3):
        self.a = a
        self.b = b

    def forward(self, x):
        self.t = np.tanh(self.b * x)
        return self.a * self.t

    def backward(self, dout):
        return dout * self.a * self.b * (1 - self.t**2)


class ScaledTanhWithoutScale(ScaledTanh):
    """The factor a is dropped."""

    def backward(self, dout):
        return dout * self.b * (1 - self.t**2)


class LeakyRelu:
    """Right."""

    def __init__(self, alpha=0.01):
        self.alpha = alpha

    def forward(self, x):
        self.slope = np.ones(x.shape)
        self.slope[x < 0] = self.alpha
        return x * self.slope

    def backward(self, dout):
        return dout * self.slope


class LeakyReluIntegerSlope(LeakyRelu):
    """The slopes are kept in an integer array, where 0.01 becomes 0."""

    def forward(self, x):
        self.slope = np.ones(x.shape, dtype=int)
        self.slope[x < 0] = self.alpha
        return np.where(x < 0, self.alpha * x, x)


class LeakyReluThrownAway(LeakyRelu):
    """The scaled gradient is computed and then not used."""

    def backward(self, dout):
        dx = dout.copy()
        np.where(self.slope < 1, self.alpha * dx, dx)
        return dx


class Abs:
    """Right: at the kink, sign gives 0, which lies between the slopes -1 and 1."""

    def forward(self, x):
        self.sign = np.sign(x)
        return np.abs(x)

    def backward(self, dout):
        return dout * self.sign


class Softplus:
    """Right: log(1 + exp(x))."""

    def forward(self, x):
        self.e = np.exp(-np.abs(x))
        self.positive = x > 0
        return np.maximum(x, 0) + np.log1p(self.e)

    def backward(self, dout):
        return dout * np.where(self.positive, 1, self.e) / (1 + self.e)


class SoftplusAtOutput:
    """The slope is the sigmoid of x, but is taken at the output."""

    def forward(self, x):
        self.y = np.log1p(np.exp(x))
        return self.y

    def backward(self, dout):
        return dout / (1 + np.exp(-self.y))


class SoftplusSpoilsCache:
    """The cache is divided in place: the first backward is right, the next one is not."""

    def forward(self, x):
        self.e = np.exp(x)
        return np.log1p(self.e)

    def backward(self, dout):
        self.e /= 1 + self.e
        return dout * self.e


class Square:
    """Right."""

    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout):
        return 2 * self.x * dout


class SquareWithoutTwo(Square):
    """The factor 2 is dropped."""

    def backward(self, dout):
        return self.x * dout


class SquareIgnoresDout(Square):
    """Right for a dout of ones only: the chain rule is left out."""

    def backward(self, dout):
        return 2 * self.x


class SquareOfSize(Square):
    """The size of dout is used, not its sign."""

    def backward(self, dout):
        return 2 * self.x * np.abs(dout)


class SquareClipped(Square):
    """Gradient clipping lives in the layer: right for a small dout, and not linear in it."""

    def backward(self, dout):
        return np.clip(2 * self.x * dout, -1, 1)


class SquareWritesInput(Square):
    """Backward uses the caller's x, cached by reference, as its work space."""

    def backward(self, dout):
        self.x *= dout
        return 2 * self.x


class Power:
    """Right: max(x, 0) ** 1.5, whose slope at 0 and below is 0."""

    def forward(self, x):
        self.base = np.maximum(x, 0)
        self.y = self.base**1.5
        return self.y

    def backward(self, dout):
        return dout * 1.5 * np.sqrt(self.base)


class PowerByQuotient(Power):
    """The slope is written 1.5 * y / x, which is 0 / 0 wherever the function is flat."""

    def backward(self, dout):
        return dout * 1.5 * self.y / self.base


class Residual:
    """Right: x + tanh(x)."""

    def forward(self, x):
        self.t = np.tanh(x)
        return x + self.t

    def backward(self, dout):
        return dout + dout * (1 - self.t**2)


class ResidualWithoutShortcut(Residual):
    """The gradient of the shortcut is missing."""

    def backward(self, dout):
        return dout * (1 - self.t**2)


class Dropout:
    """Right, though odd: what forward returns depends on a generator that goes on from call to call."""

    def __init__(self, p=0.4, seed=0):
        self.p = p
        self.rng = np.random.default_rng(seed)

    def forward(self, x, train=True):
        kept = self.rng.random(x.shape) >= self.p
        self.factor = kept / (1 - self.p) if train else np.ones(x.shape)
        return x * self.factor

    def backward(self, dout):
        return dout * self.factor


class DropoutWithoutScale(Dropout):
    """What was kept was scaled up by 1 / (1 - p), its gradient is not."""

    def backward(self, dout):
        return dout * (self.factor > 0)


FAULTY = [
    (ReluWritesDout, "GC201", "T18"),
    (ReluChainedAssignment, "GC103", "T24"),
    (ReluWritesInput, "GC203", "T18"),
    (SigmoidMissingStar, "GC602", "T24"),
    (SigmoidAtDout, "GC101", "T02"),
    (TanhWrongSign, "GC101", "T03"),
    (TanhByTan, "GC101", "T25"),
    (ScaledTanhWithoutScale, "GC101", "T04"),
    (LeakyReluIntegerSlope, "GC101", "T22"),
    (LeakyReluThrownAway, "GC101", "T24"),
    (SoftplusAtOutput, "GC101", "T02"),
    (SoftplusSpoilsCache, "GC301", "T20"),
    (SquareWithoutTwo, "GC101", "T04"),
    (SquareIgnoresDout, "GC401", "T01"),
    (SquareOfSize, "GC401", "T01"),
    (SquareClipped, "GC401", "T26"),
    (SquareWritesInput, "GC202", "T18"),
    (PowerByQuotient, "GC104", "T23"),
    (DropoutWithoutScale, "GC101", "T04"),
    (ResidualWithoutShortcut, "GC101", "T29"),
]

RIGHT = [Relu, Sigmoid, Tanh, ScaledTanh, LeakyRelu, Abs, Softplus, Square, Power, Residual, Dropout]
