"""Layers that the checker once got wrong: accused though they are right, or passed though they are not."""

import numpy as np

from tests.corpus.entry import Odd, Wrong


class RoundToTenths:
    """Right: stairs have no slope."""

    def __init__(self, step=0.1):
        self.step = step

    def forward(self, x):
        return np.round(x / self.step) * self.step

    def backward(self, dout):
        return np.zeros_like(dout)


class Floor:
    """Right: likewise; from afar, at large values, it looks like a slope of 1."""

    def forward(self, x):
        return np.floor(x)

    def backward(self, dout):
        return np.zeros_like(dout)


class TanhLayerFloat32:
    """Right: all that it is given becomes float32, the parameter when it is built."""

    def __init__(self, W):
        self.W = np.asarray(W, dtype=np.float32)

    def forward(self, x):
        self.x = np.asarray(x, dtype=np.float32)
        self.y = np.tanh(self.x @ self.W)
        return self.y.copy()

    def backward(self, dout):
        d = np.asarray(dout, np.float32) * (1 - self.y**2)
        self.dW = self.x.T @ d
        return d @ self.W.T


class TableFloat32:
    """Right: a table of float32 that the layer draws itself, with gradients in a list beside it."""

    def __init__(self, vocabulary=5, width=2):
        self.params = [(np.random.randn(vocabulary, width) / 10).astype("f")]
        self.grads = [np.zeros_like(self.params[0])]

    def forward(self, ids):
        self.ids = ids
        return self.params[0][ids]

    def backward(self, dout):
        self.grads[0][...] = 0
        np.add.at(self.grads[0], self.ids, dout)


def mean_dense_forward(x, W, b):
    return x @ W + b, (x, W)


def mean_dense_backward(dout, cache):
    """Right, by convention: the parameters' gradients are means over the samples; as functions."""
    x, W = cache
    return dout @ W.T, x.T @ dout / len(x), dout.mean(axis=0)


class HingeOfSign:
    """Right: y is only compared with 0, and has no gradient."""

    def forward(self, s, y):
        self.sign = np.where(y > 0, 1.0, -1.0)
        self.inside = self.sign * s < 1
        return np.maximum(0, 1 - self.sign * s)

    def backward(self, dout):
        return -self.sign * self.inside * dout


class KeepAboveHalf:
    """Right: likewise, a mask that is given as numbers."""

    def forward(self, x, keep):
        self.kept = keep > 0.5
        return x * self.kept

    def backward(self, dout):
        return dout * self.kept


class TanhTape:
    """Right: keeps the outputs of all forwards until it is told to forget them, and goes back through the first."""

    def __init__(self):
        self.ys = []

    def forward(self, x):
        self.ys.append(np.tanh(x))
        return self.ys[-1].copy()

    def backward(self, dout):
        return dout * (1 - self.ys[0] ** 2)

    def flush_gradients(self):
        self.ys = []


def drop_forward(x, dropout_param):
    p = dropout_param["p"]
    if "seed" in dropout_param:
        np.random.seed(dropout_param["seed"])
    factor = (np.random.rand(*x.shape) < p) / p
    return x * factor, factor


def drop_backward(dout, cache):
    """Right: seeds the global generator only where it is asked to."""
    return dout * cache


class MiddleOfSorted:
    """Right: the middle one in the order of each row; where three are equal, one of them."""

    def forward(self, x):
        self.shape = x.shape
        self.at = np.arange(len(x)), np.argsort(x, axis=1)[:, x.shape[1] // 2]
        return x[self.at]

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[self.at] = dout
        return dx


class LearntScale:
    """Right: the logarithm of a scale for each column, under a name that tells nothing."""

    def __init__(self, log_s):
        self.log_s = log_s

    def forward(self, x):
        self.x, self.s = x, np.exp(self.log_s)
        return x * self.s

    def backward(self, dout):
        self.dlog_s = (dout * self.x * self.s).sum(axis=0)
        return dout * self.s


class LearntScaleWithoutItself(LearntScale):
    """The scale's own derivative is missing; taken for a plain number, it was never compared."""

    def backward(self, dout):
        self.dlog_s = (dout * self.x).sum(axis=0)
        return dout * self.s


class Cosh:
    """Right."""

    def forward(self, x):
        self.x = x
        return np.cosh(x)

    def backward(self, dout):
        return dout * np.sinh(self.x)


class CoshTurnsFlipped(Cosh):
    """A dout that runs through its first axis backwards is taken for one that was meant the other way round."""

    def backward(self, dout):
        dout = dout[::-1] if dout.ndim > 1 and dout.strides[0] < 0 else dout
        return dout * np.sinh(self.x)


WRONG = (
    Wrong(LearntScaleWithoutItself, LearntScale, "GC101", "T02", "log_s != 0"),
    Wrong(CoshTurnsFlipped, Cosh, "GC501", "T27", "a flipped dout"),
)

ODD = (
    Odd(RoundToTenths, "stairs: zero wherever there is a slope"),
    Odd(Floor, "stairs: zero wherever there is a slope"),
    Odd(TanhLayerFloat32, "float32 both ways, and a parameter that is cast when the layer is built"),
    Odd(TableFloat32, "a table of float32 in a layer that takes whole numbers"),
    Odd((mean_dense_forward, mean_dense_backward), "batch means, as functions", warnings=("GC111",)),
    Odd(HingeOfSign, "an input that is only compared has no gradient"),
    Odd(KeepAboveHalf, "an input that is only compared has no gradient"),
    Odd(TanhTape, "keeps all forwards until it is told to forget"),
    Odd((drop_forward, drop_backward), "seeds only where it is asked to", warnings=("GC308",)),
    Odd(MiddleOfSorted, "a median has slopes at a triple tie, but no gradient"),
)
