"""Normalisations and softmax: paths through mean, variance and length (T15), Jacobians that are no diagonals (T16)."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# -------------------------------------------------------------------------------------------------- normalisation


class BatchNormStaged:
    """Right: one step after another, as in a computational graph."""

    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        self.xmu = x - x.mean(axis=0)
        self.var = (self.xmu**2).mean(axis=0)
        self.xhat = self.xmu / np.sqrt(self.var + self.eps)
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        n = max(dout.shape[0], 1)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        dxhat = dout * self.gamma
        dvar = (dxhat * self.xmu).sum(axis=0) * -0.5 * (self.var + self.eps) ** -1.5
        dxmu = dxhat / np.sqrt(self.var + self.eps) + 2 * self.xmu * dvar / n
        return dxmu - dxmu.sum(axis=0) / n


class BatchNormSampleVariance(BatchNormStaged):
    """Forward divides by n, backward by n - 1."""

    def backward(self, dout):
        n = max(dout.shape[0], 1)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        dxhat = dout * self.gamma
        dvar = (dxhat * self.xmu).sum(axis=0) * -0.5 * (self.var + self.eps) ** -1.5
        dxmu = dxhat / np.sqrt(self.var + self.eps) + 2 * self.xmu * dvar / max(n - 1, 1)
        return dxmu - dxmu.sum(axis=0) / n


class BatchNormVarianceWithoutEps(BatchNormStaged):
    """eps is forgotten in one of two places: wrong by some 1e-5."""

    def backward(self, dout):
        n = max(dout.shape[0], 1)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        dxhat = dout * self.gamma
        dvar = (dxhat * self.xmu).sum(axis=0) * -0.5 / (np.maximum(self.var, 1e-12) * np.sqrt(self.var + self.eps))
        dxmu = dxhat / np.sqrt(self.var + self.eps) + 2 * self.xmu * dvar / n
        return dxmu - dxmu.sum(axis=0) / n


class BatchNormGammaTwice(BatchNormStaged):
    """The gradient of gamma is taken with what has been multiplied by gamma already."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dgamma = (dout * self.gamma * self.xhat).sum(axis=0)
        return dx


class BatchNormTwoHalves(BatchNormStaged):
    """The square's factor 2 is dropped in the path through the variance."""

    def backward(self, dout):
        n = max(dout.shape[0], 1)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        dxhat = dout * self.gamma
        dvar = (dxhat * self.xmu).sum(axis=0) * -0.5 * (self.var + self.eps) ** -1.5
        dxmu = dxhat / np.sqrt(self.var + self.eps) + self.xmu * dvar / n
        return dxmu - dxmu.sum(axis=0) / n


class BatchNormWithZeroTerm(BatchNormStaged):
    """Right, though odd: carries the variance's own path through the mean along, a sum that is 0 by definition."""

    def backward(self, dout):
        n = max(dout.shape[0], 1)
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        dxhat, istd = dout * self.gamma, 1 / np.sqrt(self.var + self.eps)
        dvar = (dxhat * self.xmu).sum(axis=0) * -0.5 * istd**3
        dmu = -(dxhat * istd).sum(axis=0) + dvar * (-2 * self.xmu).sum(axis=0) / n
        return dxhat * istd + 2 * self.xmu * dvar / n + dmu / n


class BatchNormImages:
    """Right: over the batch and all pixels, for each channel."""

    def __init__(self, gamma, beta, eps=1e-3):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        n, c, h, w = x.shape
        mean = x.mean(axis=(0, 2, 3), keepdims=True)
        self.std = np.sqrt(x.var(axis=(0, 2, 3), keepdims=True) + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma.reshape(1, c, 1, 1) * self.xhat + self.beta.reshape(1, c, 1, 1)

    def backward(self, dout):
        n, c, h, w = dout.shape
        m = max(n * h * w, 1)
        self.dbeta = dout.sum(axis=(0, 2, 3))
        self.dgamma = (dout * self.xhat).sum(axis=(0, 2, 3))
        g = dout * self.gamma.reshape(1, c, 1, 1)
        along = (g * self.xhat).sum(axis=(0, 2, 3), keepdims=True) / m
        return (g - g.sum(axis=(0, 2, 3), keepdims=True) / m - self.xhat * along) / self.std


class BatchNormImagesByBatch(BatchNormImages):
    """The sums run over the pixels too, and are divided by the batch size alone."""

    def backward(self, dout):
        n, c, h, w = dout.shape
        m = max(n, 1)
        self.dbeta = dout.sum(axis=(0, 2, 3))
        self.dgamma = (dout * self.xhat).sum(axis=(0, 2, 3))
        g = dout * self.gamma.reshape(1, c, 1, 1)
        along = (g * self.xhat).sum(axis=(0, 2, 3), keepdims=True) / m
        return (g - g.sum(axis=(0, 2, 3), keepdims=True) / m - self.xhat * along) / self.std


class BatchNormImagesPerImage(BatchNormImages):
    """The two corrections are those of each image, as for an instance norm."""

    def backward(self, dout):
        super().backward(dout)
        g = dout * self.gamma.reshape(1, -1, 1, 1)
        along = (g * self.xhat).mean(axis=(2, 3), keepdims=True)
        return (g - g.mean(axis=(2, 3), keepdims=True) - self.xhat * along) / self.std


def layernorm_forward(x, gamma, beta):
    """Right, with `layernorm_backward`: eps outside of the root."""
    mean, std = x.mean(axis=-1, keepdims=True), x.std(axis=-1, keepdims=True)
    xc, eps = x - mean, 1e-2
    return gamma * xc / (std + eps) + beta, (xc, std, eps, gamma)


def layernorm_backward(dout, cache):
    """Right: std itself has the derivative xc / (d * std), which is taken as 0 where std is."""
    xc, std, eps, gamma = cache
    g, d = dout * gamma, dout.shape[-1]
    dstd = -(g * xc).sum(axis=-1, keepdims=True) / (std + eps) ** 2
    dxc = g / (std + eps) + dstd * xc / (d * np.where(std > 0, std, 1.0))
    dx = dxc - dxc.mean(axis=-1, keepdims=True)
    return dx, (dout * xc / (std + eps)).sum(axis=0), dout.sum(axis=0)


def layernorm_backward_eps_inside(dout, cache):
    """Backward is that of an eps inside of the root, where std + eps stands for all of it."""
    xc, std, eps, gamma = cache
    g, d = dout * gamma, dout.shape[-1]
    dstd = -(g * xc).sum(axis=-1, keepdims=True) / (std + eps) ** 2
    dxc = g / (std + eps) + dstd * xc / (d * (std + eps))
    dx = dxc - dxc.mean(axis=-1, keepdims=True)
    return dx, (dout * xc / (std + eps)).sum(axis=0), dout.sum(axis=0)


class TokenNorm:
    """Right: layer norm over the last axis of anything, with the expanded formula."""

    def __init__(self, gamma, beta, eps=1e-5):
        self.gamma, self.beta, self.eps = gamma, beta, eps

    def forward(self, x):
        xc = x - x.mean(axis=-1, keepdims=True)
        self.istd = 1 / np.sqrt((xc**2).mean(axis=-1, keepdims=True) + self.eps)
        self.xhat = xc * self.istd
        return self.xhat * self.gamma + self.beta

    def backward(self, dout):
        lead = tuple(range(dout.ndim - 1))
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=lead), dout.sum(axis=lead)
        g, d = dout * self.gamma, dout.shape[-1]
        inner = d * g - g.sum(axis=-1, keepdims=True) - self.xhat * (g * self.xhat).sum(axis=-1, keepdims=True)
        return self.istd / d * inner


class TokenNormBySteps(TokenNorm):
    """d is the size of axis 1, which is the number of steps if there are three axes."""

    def backward(self, dout):
        super().backward(dout)
        g, d = dout * self.gamma, dout.shape[1]
        inner = d * g - g.sum(axis=-1, keepdims=True) - self.xhat * (g * self.xhat).sum(axis=-1, keepdims=True)
        return self.istd / d * inner


class TokenNormGammaLate(TokenNorm):
    """gamma is multiplied on at the end, outside of the means, where it does not belong."""

    def backward(self, dout):
        super().backward(dout)
        d = dout.shape[-1]
        along = (dout * self.xhat).sum(axis=-1, keepdims=True)
        inner = d * dout - dout.sum(axis=-1, keepdims=True) - self.xhat * along
        return self.gamma * self.istd / d * inner


class TokenNormSquaredScale(TokenNorm):
    """The last term lacks the xhat: dout is projected on the mean twice."""

    def backward(self, dout):
        super().backward(dout)
        g, d = dout * self.gamma, dout.shape[-1]
        inner = d * g - g.sum(axis=-1, keepdims=True) - (g * self.xhat).sum(axis=-1, keepdims=True)
        return self.istd / d * inner


class GroupNorm:
    """Right: over the pixels and the channels of a group."""

    def __init__(self, num_groups=2, eps=1e-5):
        self.num_groups, self.eps = num_groups, eps

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        groups = x.reshape(n, self.num_groups, c // self.num_groups, h, w)
        centred = groups - groups.mean(axis=(2, 3, 4), keepdims=True)
        self.std = np.sqrt((centred**2).mean(axis=(2, 3, 4), keepdims=True) + self.eps)
        self.xhat = centred / self.std
        return self.xhat.reshape(x.shape).copy()

    def backward(self, dout):
        g = dout.reshape(self.xhat.shape)
        along = (g * self.xhat).mean(axis=(2, 3, 4), keepdims=True)
        g = g - g.mean(axis=(2, 3, 4), keepdims=True) - self.xhat * along
        return (g / self.std).reshape(self.shape)


class GroupNormPerChannel(GroupNorm):
    """The corrections are those of single channels."""

    def backward(self, dout):
        g = dout.reshape(self.xhat.shape)
        along = (g * self.xhat).mean(axis=(3, 4), keepdims=True)
        g = g - g.mean(axis=(3, 4), keepdims=True) - self.xhat * along
        return (g / self.std).reshape(self.shape)


class GroupNormFirstGroup(GroupNorm):
    """All groups are given the standard deviation of the first."""

    def backward(self, dout):
        g = dout.reshape(self.xhat.shape)
        along = (g * self.xhat).mean(axis=(2, 3, 4), keepdims=True)
        g = g - g.mean(axis=(2, 3, 4), keepdims=True) - self.xhat * along
        return (g / self.std[:, :1]).reshape(self.shape)


class RMSNorm:
    """Right: no mean is taken off."""

    def __init__(self, gamma, eps=1e-7):
        self.gamma, self.eps = gamma, eps

    def forward(self, x):
        self.x = x
        self.ms = (x**2).mean(axis=-1, keepdims=True)
        self.rms = np.sqrt(self.ms + self.eps)
        return self.gamma * x / self.rms

    def backward(self, dout):
        self.dgamma = (dout * self.x / self.rms).sum(axis=0)
        g = dout * self.gamma
        return g / self.rms - self.x * (g * self.x).mean(axis=-1, keepdims=True) / self.rms**3


class RMSNormConstantLength(RMSNorm):
    """The length is treated as if it did not depend on x."""

    def backward(self, dout):
        super().backward(dout)
        return dout * self.gamma / self.rms


class RMSNormEpsForgotten(RMSNorm):
    """The cube of the length lacks its eps: wrong by some 1e-7."""

    def backward(self, dout):
        super().backward(dout)
        g = dout * self.gamma
        along = (g * self.x).mean(axis=-1, keepdims=True)
        return g / self.rms - self.x * along / (np.maximum(self.ms, 1e-30) * self.rms)


class RMSNormTakesOffMean(RMSNorm):
    """Backward takes a mean off, like that of a layer norm."""

    def backward(self, dout):
        dx = super().backward(dout)
        return dx - dx.mean(axis=-1, keepdims=True)


class UnitRows:
    """Right: rows scaled to length one."""

    def forward(self, x):
        self.length = np.sqrt((x * x).sum(axis=1, keepdims=True) + 1e-12)
        self.u = x / self.length
        return self.u.copy()

    def backward(self, dout):
        return (dout - self.u * (dout * self.u).sum(axis=1, keepdims=True)) / self.length


class UnitRowsOverColumns(UnitRows):
    """The projection sums over the batch."""

    def backward(self, dout):
        return (dout - self.u * (dout * self.u).sum(axis=0, keepdims=True)) / self.length


class UnitRowsNotScaled(UnitRows):
    """The projection is right, the division by the length is left out."""

    def backward(self, dout):
        return dout - self.u * (dout * self.u).sum(axis=1, keepdims=True)


class UnitRowsElementwise(UnitRows):
    """The projection is done element by element: the sum is left out."""

    def backward(self, dout):
        return dout * (1 - self.u**2) / self.length


class WeightNorm:
    """Right: the columns of W are g times a unit vector."""

    def __init__(self, v, g):
        self.v, self.g = v, g

    def forward(self, x):
        self.x = x
        self.length = np.sqrt((self.v**2).sum(axis=0))
        self.u = self.v / self.length
        return x @ (self.g * self.u)

    def backward(self, dout):
        dW = self.x.T @ dout
        self.dg = (dW * self.u).sum(axis=0)
        self.dv = self.g / self.length * (dW - self.u * self.dg)
        return dout @ (self.g * self.u).T


class WeightNormWithoutProjection(WeightNorm):
    """The length is treated as if it did not depend on v."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dv = self.g / self.length * (self.x.T @ dout)
        return dx


class WeightNormGainByV(WeightNorm):
    """The gain's gradient is taken along v, not along the unit vector."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dg = (self.x.T @ dout * self.v).sum(axis=0)
        return dx


class Center:
    """Right: the mean of each row is taken off."""

    def forward(self, x):
        return x - x.mean(axis=1, keepdims=True)

    def backward(self, dout):
        return dout - dout.mean(axis=1, keepdims=True)


class CenterByIdentity(Center):
    """The mean is treated as a constant."""

    def backward(self, dout):
        return 1.0 * dout


class MinMaxScale:
    """Right: each row is brought to 0 ... 1."""

    def forward(self, x):
        self.low, self.high = x.argmin(axis=1), x.argmax(axis=1)
        self.span = (x.max(axis=1) - x.min(axis=1) + 1e-3)[:, None]
        self.y = (x - x.min(axis=1, keepdims=True)) / self.span
        return self.y.copy()

    def backward(self, dout):
        dx, k = dout / self.span, np.arange(len(dout))
        dspan = -(dx * self.y).sum(axis=1)
        dlow = -dx.sum(axis=1)
        dx[k, self.high] += dspan
        dx[k, self.low] += dlow - dspan
        return dx


class MinMaxScaleWithoutMax(MinMaxScale):
    """The span's path to the largest element is missing: wrong in one element of each row."""

    def backward(self, dout):
        dx, k = dout / self.span, np.arange(len(dout))
        dspan = -(dx * self.y).sum(axis=1)
        dlow = -dx.sum(axis=1)
        dx[k, self.low] += dlow - dspan
        return dx


class ShareOfSum:
    """Right: positive numbers, as shares of their sum."""

    def forward(self, x):
        self.e = np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)
        self.slope = np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))
        self.total = self.e.sum(axis=1, keepdims=True) + 0.5
        return self.e / self.total

    def backward(self, dout):
        de = dout / self.total - (dout * self.e).sum(axis=1, keepdims=True) / self.total**2
        return de * self.slope


class ShareOfConstantSum(ShareOfSum):
    """The sum is treated as a constant."""

    def backward(self, dout):
        return dout / self.total * self.slope


class CosineSimilarity:
    """Right: of the rows of two arrays."""

    def forward(self, x, y):
        self.nx = np.sqrt((x**2).sum(axis=1, keepdims=True) + 1e-8)
        self.ny = np.sqrt((y**2).sum(axis=1, keepdims=True) + 1e-8)
        self.u, self.v = x / self.nx, y / self.ny
        self.cos = (self.u * self.v).sum(axis=1)
        return self.cos.copy()

    def backward(self, dout):
        d, cos = dout[:, None], self.cos[:, None]
        return d * (self.v - cos * self.u) / self.nx, d * (self.u - cos * self.v) / self.ny


class CosineSimilarityFixedLengths(CosineSimilarity):
    """Both lengths are treated as constants."""

    def backward(self, dout):
        d = dout[:, None]
        return d * self.v / self.nx, d * self.u / self.ny


class CosineSimilarityOneSided(CosineSimilarity):
    """In the second gradient, the two unit vectors have not changed places."""

    def backward(self, dout):
        d, cos = dout[:, None], self.cos[:, None]
        return d * (self.v - cos * self.u) / self.nx, d * (self.u - cos * self.u) / self.ny


class MeanNormed:
    """Right: divided by the mean of all elements of the batch, plus one."""

    def forward(self, x):
        self.scale = 1 + (x**2).sum() / max(x.size, 1)
        self.x = x
        return x / self.scale

    def backward(self, dout):
        along = (dout * self.x).sum() / max(dout.size, 1)
        return dout / self.scale - 2 * self.x * along / self.scale**2


class MeanNormedCrashesEmpty(MeanNormed):
    """``1 / n`` is a division by zero in Python for an empty batch."""

    def backward(self, dout):
        along = (dout * self.x).sum() * (1 / self.x.size)
        return dout / self.scale - 2 * self.x * along / self.scale**2


# -------------------------------------------------------------------------------------------------------- softmax


class LogSoftmax:
    """Right."""

    def forward(self, x):
        z = x - x.max(axis=1, keepdims=True)
        self.y = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        return self.y.copy()

    def backward(self, dout):
        return dout - np.exp(self.y) * dout.sum(axis=1, keepdims=True)


class LogSoftmaxDiagonal(LogSoftmax):
    """Only the diagonal of the Jacobian: the sum over dout is left out."""

    def backward(self, dout):
        return dout - np.exp(self.y) * dout


class LogSoftmaxOverBatch(LogSoftmax):
    """dout is summed over the batch."""

    def backward(self, dout):
        return dout - np.exp(self.y) * dout.sum(axis=0, keepdims=True)


class LogSoftmaxOfOneHot(LogSoftmax):
    """dout is taken to sum to one in each row, as that of a picked class does."""

    def backward(self, dout):
        return dout - np.exp(self.y) * np.sign(dout.sum(axis=1, keepdims=True))


class LogSoftmaxPicked(LogSoftmax):
    """Only the first entry of dout that is not 0 is looked at, as if a single class had been picked."""

    def backward(self, dout):
        first = np.cumsum(dout != 0, axis=1) == 1
        d = np.where(first, dout, 0.0)
        return d - np.exp(self.y) * d.sum(axis=1, keepdims=True)


class ColumnSoftmax:
    """Right: samples are columns."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=0))
        self.p = e / e.sum(axis=0)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=0))


class ColumnSoftmaxByRows(ColumnSoftmax):
    """Backward takes the samples for rows."""

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=1, keepdims=True))


class SoftmaxJacobian:
    """Right: one Jacobian for each sample."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.p = e / e.sum(axis=1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        jacobian = self.p[:, :, None] * (np.eye(dout.shape[1]) - self.p[:, None, :])
        return np.einsum("nij,nj->ni", jacobian, dout)


class SoftmaxJacobianRowSums(SoftmaxJacobian):
    """The Jacobian's rows are summed first: that is 0 but for rounding."""

    def backward(self, dout):
        jacobian = self.p[:, :, None] * (np.eye(dout.shape[1]) - self.p[:, None, :])
        return dout * jacobian.sum(axis=2)


class SoftmaxJacobianOuterPlus(SoftmaxJacobian):
    """The outer product has the wrong sign."""

    def backward(self, dout):
        jacobian = self.p[:, :, None] * (np.eye(dout.shape[1]) + self.p[:, None, :])
        return np.einsum("nij,nj->ni", jacobian, dout)


class SoftmaxJacobianOfMean(SoftmaxJacobian):
    """One Jacobian serves the whole batch: that of the mean of all samples."""

    def backward(self, dout):
        p = self.p.mean(axis=0)
        return dout @ (np.diag(p) - np.outer(p, p))


class SoftmaxJacobianLastClass(SoftmaxJacobian):
    """The last class is taken for the rest to one, and its own gradient is left out: wrong in one column."""

    def backward(self, dout):
        dx = super().backward(dout)
        dx[:, -1] = -dout[:, -1] * self.p[:, -1] * (1 - self.p[:, -1])
        return dx


class SmoothedCrossEntropy:
    """Right: softmax and cross-entropy with smoothed labels."""

    def __init__(self, eps=0.1):
        self.eps = eps

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t
        self.soft = (1 - self.eps) * t + self.eps / t.shape[1]
        return -(self.soft * logp).sum()

    def backward(self, dout=1.0):
        return dout * (self.p * self.soft.sum(axis=1, keepdims=True) - self.soft)


class SmoothedCrossEntropyHardLabels(SmoothedCrossEntropy):
    """Backward has never heard of the smoothing."""

    def backward(self, dout=1.0):
        return dout * (self.p - self.t)


class SmoothedCrossEntropyWholeEps(SmoothedCrossEntropy):
    """eps is spread over the other classes in backward, over all of them in forward."""

    def backward(self, dout=1.0):
        others = max(self.t.shape[1] - 1, 1)
        return dout * (self.p - (1 - self.eps) * self.t - (1 - self.t) * self.eps / others)


class WeightedCrossEntropy:
    """Right: targets may be any weights; their rows need not sum to one."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t
        return -(t * logp).sum(axis=1)

    def backward(self, dout):
        return dout[:, None] * (self.p * self.t.sum(axis=1, keepdims=True) - self.t)


class WeightedCrossEntropyOneHot(WeightedCrossEntropy):
    """p - t is right only where the weights of each row sum to one."""

    def backward(self, dout):
        return dout[:, None] * (self.p - self.t)


class NegativeLogOfProbabilities:
    """Right: takes probabilities, and has no softmax of its own."""

    def forward(self, p, t):
        self.p, self.t = p, t
        return -(t * np.log(p + 1e-12)).sum()

    def backward(self, dout=1.0):
        return -dout * self.t / (self.p + 1e-12)


class NegativeLogOfProbabilitiesFused(NegativeLogOfProbabilities):
    """p - t is the gradient with respect to what went into a softmax that is not there."""

    def backward(self, dout=1.0):
        return dout * (self.p - self.t)


class FocalLoss:
    """Right: the logarithm of the true class's probability, weighted with (1 - p) ** 2."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t
        self.logq = (t * logp).sum(axis=1, keepdims=True)
        self.q = np.exp(self.logq)
        return -((1 - self.q) ** 2 * self.logq).sum()

    def backward(self, dout=1.0):
        dq_q = 2 * (1 - self.q) * self.q * self.logq - (1 - self.q) ** 2
        return dout * dq_q * (self.t - self.p)


class FocalLossConstantWeight(FocalLoss):
    """The weight is treated as if it did not depend on x."""

    def backward(self, dout=1.0):
        return dout * -((1 - self.q) ** 2) * (self.t - self.p)


class LogSumExp:
    """Right: its gradient is the softmax."""

    def forward(self, x):
        m = x.max(axis=1, keepdims=True)
        e = np.exp(x - m)
        self.p = e / e.sum(axis=1, keepdims=True)
        return m[:, 0] + np.log(e.sum(axis=1))

    def backward(self, dout):
        return dout[:, None] * self.p


class LogSumExpOfMax(LogSumExp):
    """The maximum that was taken off is given its gradient on top: wrong in one element of each row."""

    def backward(self, dout):
        dx = dout[:, None] * self.p
        dx[np.arange(len(dx)), self.p.argmax(axis=1)] += dout
        return dx


class SharpSoftmax:
    """Right: a softmax with a temperature."""

    def __init__(self, temperature=0.7):
        self.temperature = temperature

    def forward(self, x):
        e = np.exp((x - x.max(axis=-1, keepdims=True)) / self.temperature)
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p.copy()

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=-1, keepdims=True)) / self.temperature


class SharpSoftmaxInnerOnly(SharpSoftmax):
    """The temperature divides the inner sum only, not both terms."""

    def backward(self, dout):
        return self.p * (dout - (dout * self.p).sum(axis=-1, keepdims=True) / self.temperature)


class Sparsemax:
    """Right: the projection onto the simplex."""

    def forward(self, x):
        d = x.shape[1]
        z = np.sort(x, axis=1)[:, ::-1]
        above = (np.cumsum(z, axis=1) - 1) / np.arange(1, d + 1)
        size = (z > above).sum(axis=1)
        y = np.maximum(x - np.take_along_axis(above, size[:, None] - 1, axis=1), 0)
        self.support = y > 0
        return y

    def backward(self, dout):
        g = np.where(self.support, dout, 0.0)
        mean = g.sum(axis=1, keepdims=True) / self.support.sum(axis=1, keepdims=True)
        return np.where(self.support, dout - mean, 0.0)


class SparsemaxMeanOfAll(Sparsemax):
    """The mean is taken over all classes, not over those that are left."""

    def backward(self, dout):
        g = np.where(self.support, dout, 0.0)
        return np.where(self.support, dout - g.mean(axis=1, keepdims=True), 0.0)


class RelativeEntropy:
    """Right: of softmax(x) with respect to softmax(y)."""

    def forward(self, x, y):
        self.lp, self.lq = self.log_softmax(x), self.log_softmax(y)
        self.kl = (np.exp(self.lp) * (self.lp - self.lq)).sum(axis=1)
        return self.kl.copy()

    def backward(self, dout):
        p, q, d = np.exp(self.lp), np.exp(self.lq), dout[:, None]
        return d * p * (self.lp - self.lq - self.kl[:, None]), d * (q - p)

    def log_softmax(self, z):
        z = z - z.max(axis=1, keepdims=True)
        return z - np.log(np.exp(z).sum(axis=1, keepdims=True))


class RelativeEntropyConfused(RelativeEntropy):
    """p and q have changed places in the gradient of x."""

    def backward(self, dout):
        p, q, d = np.exp(self.lp), np.exp(self.lq), dout[:, None]
        return d * q * (self.lp - self.lq - self.kl[:, None]), d * (q - p)


class RelativeEntropyWithoutMean(RelativeEntropy):
    """The softmax's Jacobian stops at its diagonal term: the mean is not taken off."""

    def backward(self, dout):
        p, q, d = np.exp(self.lp), np.exp(self.lq), dout[:, None]
        return d * p * (self.lp - self.lq), d * (q - p)


class SelfWeighted:
    """Right: a mean of x, weighted with the softmax of x."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.x, self.p = x, e / e.sum(axis=1, keepdims=True)
        self.y = (self.p * x).sum(axis=1, keepdims=True)
        return self.y.copy()

    def backward(self, dout):
        return dout * self.p * (1 + self.x - self.y)


class SelfWeightedByConstant(SelfWeighted):
    """The weights are treated as constants."""

    def backward(self, dout):
        return dout * self.p


_WEIGHT_NORM = {"signature": "(n,i),(i,o),(o)->(n,o)"}
_TOKENS = {"signature": "(n,t,i),(i),(i)->(n,t,i)"}
_WEIGHTS = {
    "inputs": (
        np.array([[0.4, -1.1, 0.7], [1.9, 0.2, -0.5]]),
        np.array([[0.5, 1.5, 0.2], [0.1, 0.3, 0.3]]),
    )
}

WRONG = (
    Wrong(BatchNormSampleVariance, BatchNormStaged, "GC101", "T15", "n >= 3"),
    Wrong(BatchNormVarianceWithoutEps, BatchNormStaged, "GC101", "T15", "n >= 2; 1e-5"),
    Wrong(BatchNormGammaTwice, BatchNormStaged, "GC101", "T15", "gamma != 1"),
    Wrong(BatchNormTwoHalves, BatchNormStaged, "GC101", "T15", "n >= 2"),
    Wrong(BatchNormImagesByBatch, BatchNormImages, "GC101", "T15", "two pixels or more"),
    Wrong(BatchNormImagesPerImage, BatchNormImages, "GC101", "T15", "n >= 2"),
    Wrong(
        (layernorm_forward, layernorm_backward_eps_inside),
        (layernorm_forward, layernorm_backward),
        "GC101",
        "T15",
        "i >= 2; some 1e-2",
    ),
    Wrong(TokenNormBySteps, TokenNorm, "GC101", "T10", "x of three axes, t != i", options=_TOKENS),
    Wrong(TokenNormGammaLate, TokenNorm, "GC101", "T15", "gamma not constant"),
    Wrong(TokenNormSquaredScale, TokenNorm, "GC101", "T15", "i >= 2"),
    Wrong(GroupNormPerChannel, GroupNorm, "GC101", "T15", "two channels in a group"),
    Wrong(GroupNormFirstGroup, GroupNorm, "GC101", "T15", "second group"),
    Wrong(RMSNormConstantLength, RMSNorm, "GC101", "T15", "any"),
    Wrong(RMSNormEpsForgotten, RMSNorm, "GC101", "T15", "1e-7"),
    Wrong(RMSNormTakesOffMean, RMSNorm, "GC101", "T15", "any"),
    Wrong(UnitRowsOverColumns, UnitRows, "GC101", "T15", "i >= 2"),
    Wrong(UnitRowsNotScaled, UnitRows, "GC101", "T15", "i >= 2"),
    Wrong(UnitRowsElementwise, UnitRows, "GC101", "T15", "i >= 2"),
    Wrong(WeightNormWithoutProjection, WeightNorm, "GC101", "T15", "i >= 1", options=_WEIGHT_NORM),
    Wrong(WeightNormGainByV, WeightNorm, "GC101", "T15", "length != 1", options=_WEIGHT_NORM),
    Wrong(CenterByIdentity, Center, "GC101", "T15", "any"),
    Wrong(MinMaxScaleWithoutMax, MinMaxScale, "GC101", "T15", "one element of each row"),
    Wrong(ShareOfConstantSum, ShareOfSum, "GC101", "T15", "any"),
    Wrong(CosineSimilarityFixedLengths, CosineSimilarity, "GC101", "T15", "i >= 1"),
    Wrong(CosineSimilarityOneSided, CosineSimilarity, "GC101", "T15", "second gradient, i >= 2"),
    Wrong(MeanNormedCrashesEmpty, MeanNormed, "GC503", "T15", "n = 0"),
    Wrong(LogSoftmaxDiagonal, LogSoftmax, "GC101", "T16", "i >= 2"),
    Wrong(LogSoftmaxOverBatch, LogSoftmax, "GC101", "T16", "n != i"),
    Wrong(LogSoftmaxOfOneHot, LogSoftmax, "GC401", "T16", "dout of other sums than 1"),
    Wrong(LogSoftmaxPicked, LogSoftmax, "GC101", "T30", "two entries of dout in a row"),
    Wrong(ColumnSoftmaxByRows, ColumnSoftmax, "GC101", "T16", "n != i"),
    Wrong(SoftmaxJacobianRowSums, SoftmaxJacobian, "GC101", "T16", "i >= 2"),
    Wrong(SoftmaxJacobianOuterPlus, SoftmaxJacobian, "GC101", "T16", "any"),
    Wrong(SoftmaxJacobianOfMean, SoftmaxJacobian, "GC101", "T16", "n >= 2, i >= 2"),
    Wrong(SoftmaxJacobianLastClass, SoftmaxJacobian, "GC101", "T16", "last column, i >= 2"),
    Wrong(SmoothedCrossEntropyHardLabels, SmoothedCrossEntropy, "GC101", "T16", "i >= 2"),
    Wrong(SmoothedCrossEntropyWholeEps, SmoothedCrossEntropy, "GC101", "T16", "i >= 2"),
    Wrong(
        WeightedCrossEntropyOneHot, WeightedCrossEntropy, "GC101", "T16", "rows of t not summing to 1", options=_WEIGHTS
    ),
    Wrong(NegativeLogOfProbabilitiesFused, NegativeLogOfProbabilities, "GC101", "T16", "any"),
    Wrong(FocalLossConstantWeight, FocalLoss, "GC101", "T16", "i >= 2"),
    Wrong(LogSumExpOfMax, LogSumExp, "GC101", "T16", "one element of each row"),
    Wrong(SharpSoftmaxInnerOnly, SharpSoftmax, "GC101", "T16", "i >= 2"),
    Wrong(SparsemaxMeanOfAll, Sparsemax, "GC101", "T16", "a class of probability 0"),
    Wrong(RelativeEntropyConfused, RelativeEntropy, "GC101", "T16", "i >= 2"),
    Wrong(RelativeEntropyWithoutMean, RelativeEntropy, "GC101", "T16", "i >= 2"),
    Wrong(SelfWeightedByConstant, SelfWeighted, "GC101", "T16", "i >= 2"),
)

ODD = (Odd(BatchNormWithZeroTerm, "adds a path that is 0 by definition: rounding is all that it brings"),)
