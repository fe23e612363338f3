"""Normalisation and softmax, wrong and right: gradients with more than one path."""

import numpy as np


class LayerNorm:
    """Right: over the features of each sample. Over two features the true gradient is close to 0, for 1 it is 0."""

    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma = gamma
        self.beta = beta
        self.eps = eps

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.eps)
        self.xhat = centred / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        g = dout * self.gamma
        g = g - g.mean(axis=-1, keepdims=True) - self.xhat * (g * self.xhat).mean(axis=-1, keepdims=True)
        return g / self.std


class LayerNormWithoutMeanPath(LayerNorm):
    """x also acts through the mean: that term is missing."""

    def backward(self, dout):
        super().backward(dout)
        g = dout * self.gamma
        return (g - self.xhat * (g * self.xhat).mean(axis=-1, keepdims=True)) / self.std


class LayerNormWithoutVariancePath(LayerNorm):
    """x also acts through the variance: that term is missing."""

    def backward(self, dout):
        super().backward(dout)
        g = dout * self.gamma
        return (g - g.mean(axis=-1, keepdims=True)) / self.std


class LayerNormSpoilsCache(LayerNorm):
    """The cached xhat is weighted in place, so that the next backward starts from something else."""

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        g = dout * self.gamma
        mean = g.mean(axis=-1, keepdims=True)
        self.xhat *= (g * self.xhat).mean(axis=-1, keepdims=True)
        return (g - mean - self.xhat) / self.std


class Standardise:
    """Right, and truly tiny for two features: eps is all that keeps the gradient from being 0."""

    def __init__(self, eps=1e-10):
        self.eps = eps

    def forward(self, x):
        centred = x - x.mean(axis=-1, keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self.eps)
        self.xhat = centred / self.std
        return self.xhat.copy()

    def backward(self, dout):
        g = dout - dout.mean(axis=-1, keepdims=True)
        return (g - self.xhat * (g * self.xhat).mean(axis=-1, keepdims=True)) / self.std


class StandardiseReturnsZero(Standardise):
    """Zero: what a checker with an absolute tolerance takes for the truth."""

    def backward(self, dout):
        return np.zeros_like(dout)


class BatchNorm:
    """Right, though odd: every forward in training also moves the running averages."""

    def __init__(self, gamma, beta, momentum=0.9, eps=1e-5):
        self.gamma = gamma
        self.beta = beta
        self.momentum = momentum
        self.eps = eps
        self.running_mean = np.zeros_like(gamma)
        self.running_var = np.ones_like(gamma)

    def forward(self, x, train=True):
        if not train:
            self.std = np.sqrt(self.running_var + self.eps)
            self.xhat = (x - self.running_mean) / self.std
        else:
            mean, var = x.mean(axis=0), x.var(axis=0)
            self.std = np.sqrt(var + self.eps)
            self.xhat = (x - mean) / self.std
            self.running_mean = self.momentum * self.running_mean + (1 - self.momentum) * mean
            self.running_var = self.momentum * self.running_var + (1 - self.momentum) * var
        self.train = train
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = (dout * self.xhat).sum(axis=0)
        self.dbeta = dout.sum(axis=0)
        g = dout * self.gamma
        if self.train:
            g = g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)
        return g / self.std


class BatchNormSumForMean(BatchNorm):
    """The two corrections are sums over the batch instead of means: 1/n is missing."""

    def backward(self, dout):
        super().backward(dout)
        g = dout * self.gamma
        return (g - g.sum(axis=0) - self.xhat * (g * self.xhat).sum(axis=0)) / self.std


class BatchNormCentresInPlace(BatchNorm):
    """Forward centres the caller's x in place."""

    def forward(self, x, train=True):
        out = super().forward(x, train)
        x -= x.mean(axis=0)
        return out


class Softmax:
    """Right: over the classes of each sample."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p

    def backward(self, dout):
        g = self.p * dout
        return g - self.p * g.sum(axis=-1, keepdims=True)


class SoftmaxDiagonal(Softmax):
    """Only the diagonal of the Jacobian is used, as if the classes did not compete."""

    def backward(self, dout):
        return dout * self.p * (1 - self.p)


class SoftmaxOverBatch(Softmax):
    """Forward normalises over the whole batch, backward assumes rows."""

    def forward(self, x):
        e = np.exp(x - x.max())
        self.p = e / e.sum()
        return self.p


class SoftmaxOneHot(Softmax):
    """Only the largest entry of each row of dout is used, as if it were one-hot."""

    def backward(self, dout):
        hot = np.abs(dout) == np.abs(dout).max(axis=-1, keepdims=True)
        return super().backward(np.where(hot, dout, 0.0))


FAULTY = [
    (LayerNormWithoutMeanPath, "GC101", "T15"),
    (LayerNormWithoutVariancePath, "GC101", "T15"),
    (LayerNormSpoilsCache, "GC301", "T20"),
    (StandardiseReturnsZero, "GC101", "T15"),
    (BatchNormSumForMean, "GC101", "T15"),
    (BatchNormCentresInPlace, "GC203", "T18"),
    (SoftmaxDiagonal, "GC101", "T16"),
    (SoftmaxOverBatch, "GC101", "T25"),
    (SoftmaxOneHot, "GC101", "T30"),
]

RIGHT = [LayerNorm, Standardise, BatchNorm, Softmax]
