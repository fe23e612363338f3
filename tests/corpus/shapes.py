"""Shapes: ranks, square-only, convolution, pooling and upsampling, repeated indices (T10 to T14); empty batches."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# ---------------------------------------------------------------------------------------------------------- ranks


class Dense:
    """Right: over the last axis, whatever stands before it."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        lead = tuple(range(dout.ndim - 1))
        self.dW = np.tensordot(self.x, dout, axes=(lead, lead))
        self.db = dout.sum(axis=lead)
        return dout @ self.W.T


class DenseBiasOverFirstAxis(Dense):
    """The bias gradient is summed over the first axis only, which does for matrices, not for (n, t, i)."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout.sum(axis=0)
        return dx


class DenseVectorTranspose(Dense):
    """``x.T @ dout`` is no outer product for a single sample without a batch axis."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = self.x.T @ dout
        return dx


class DenseSqueezes(Dense):
    """dx is squeezed, which drops the batch axis of a batch of one."""

    def backward(self, dout):
        return super().backward(dout).squeeze()


class DenseStacksSamples(Dense):
    """dW is stacked sample by sample, and there is nothing to stack in an empty batch."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = np.stack([np.outer(a, d) for a, d in zip(self.x, dout)]).sum(axis=0)
        return dx


class BatchedMatMul:
    """Right: matrices in the last two axes, one weight for all of them."""

    def __init__(self, W):
        self.params = {"W": W}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return np.matmul(x, self.params["W"])

    def backward(self, dout):
        lead = tuple(range(dout.ndim - 1))
        self.grads["W"] = np.tensordot(self.x, dout, axes=(lead, lead))
        return np.matmul(dout, np.swapaxes(self.params["W"], -1, -2))


class BatchedMatMulKeepsBatch(BatchedMatMul):
    """dW keeps the batch axis of x: nobody sums over it."""

    def backward(self, dout):
        self.grads["W"] = np.matmul(np.swapaxes(self.x, -1, -2), dout)
        return np.matmul(dout, np.swapaxes(self.params["W"], -1, -2))


class BatchedMatMulFirstOnly(BatchedMatMul):
    """dW is that of the first matrix of the batch."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["W"] = self.x[0].T @ dout[0] if dout.ndim > 2 else self.grads["W"]
        return dx


def product_forward(x, y):
    """Right, with `product_backward`: stacks of matrices."""
    return np.matmul(x, y), (x, y)


def product_backward(dout, cache):
    """Right."""
    x, y = cache
    return dout @ y.swapaxes(-1, -2), x.swapaxes(-1, -2) @ dout


def product_backward_by_t(dout, cache):
    """``.T`` turns round all axes of a stack, not only the last two."""
    x, y = cache
    return np.matmul(dout, y.T), np.matmul(x.T, dout)


class SoftmaxLast:
    """Right: over the last axis of anything."""

    def forward(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.y = e / e.sum(axis=-1, keepdims=True)
        return self.y.copy()

    def backward(self, dout):
        return self.y * (dout - (dout * self.y).sum(axis=-1, keepdims=True))


class SoftmaxLastSumsSecond(SoftmaxLast):
    """The inner sum runs over axis 1, which is the last one for matrices only."""

    def backward(self, dout):
        return self.y * (dout - (dout * self.y).sum(axis=1, keepdims=True))


class GlobalAverage:
    """Right: the mean over all axes behind the channels."""

    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=tuple(range(2, x.ndim)))

    def backward(self, dout):
        space = self.shape[2:]
        return np.ones(self.shape) * dout.reshape(dout.shape + (1,) * len(space)) / np.prod(space)


class GlobalAverageOfImages(GlobalAverage):
    """Images (n, c, h, w) are taken for granted, though forward also takes signals (n, c, l)."""

    def backward(self, dout):
        n, c, h, w = self.shape
        return np.ones(self.shape) * dout[:, :, None, None] / (h * w)


class GlobalAverageOfRows(GlobalAverage):
    """It is divided by the length of axis 2, which is all there is for signals, and one side of an image."""

    def backward(self, dout):
        space = self.shape[2:]
        return np.ones(self.shape) * dout.reshape(dout.shape + (1,) * len(space)) / self.shape[2]


class SwapLast:
    """Right: transposes the last two axes."""

    def forward(self, x):
        return np.swapaxes(x, -1, -2).copy()

    def backward(self, dout):
        return np.swapaxes(dout, -1, -2).copy()


class SwapLastByT(SwapLast):
    """``.T`` reverses all axes, which is the same for matrices only."""

    def backward(self, dout):
        return dout.T.copy()


class LossOfOneOrMany:
    """Right: softmax and cross-entropy, averaged over the batch; a vector is a batch of one."""

    def forward(self, x, t):
        x2, self.t = np.atleast_2d(x), np.atleast_2d(t)
        self.shape = np.shape(x)
        z = x2 - x2.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p = np.exp(logp)
        return -(self.t * logp).sum() / max(len(x2), 1)

    def backward(self, dout=1.0):
        d = self.p * self.t.sum(axis=1, keepdims=True) - self.t
        return (dout * d / max(len(d), 1)).reshape(self.shape)


class LossOfOneOrManyByLength(LossOfOneOrMany):
    """It is divided by the first size of x, which is the number of classes if x is a vector."""

    def backward(self, dout=1.0):
        d = self.p * self.t.sum(axis=1, keepdims=True) - self.t
        return (dout * d / max(self.shape[0], 1)).reshape(self.shape)


class Perceptron:
    """Right: one output, so that the weights are a vector and the output has one axis less."""

    def __init__(self, w):
        self.w = w

    def forward(self, x):
        self.x = x
        return x @ self.w

    def backward(self, dout):
        self.dw = self.x.T @ dout
        return dout[:, None] * self.w


class PerceptronByT(Perceptron):
    """``dout @ w.T`` as for a matrix: a vector has no transpose."""

    def backward(self, dout):
        self.dw = self.x.T @ dout
        return dout @ self.w.T


# --------------------------------------------------------------------------------------------------------- square


class Projection:
    """Right."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x.dot(self.W)

    def backward(self, dout):
        self.W_grad = self.x.T.dot(dout)
        return dout.dot(self.W.T)


class ProjectionOuterByShape(Projection):
    """dW is turned round if its shape is not that of W: if n does not tell, the product is the wrong one."""

    def backward(self, dout):
        dW = dout.T.dot(self.x)
        self.W_grad = dW if dW.shape == self.W.shape else dW.T
        return dout.dot(self.W.T)


class ColumnSum:
    """Right: the sum over the rows."""

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=0)

    def backward(self, dout):
        return np.zeros(self.shape) + dout


class ColumnSumBySize(ColumnSum):
    """The axis is told by the size of dout, which is wrong where there are as many rows as columns."""

    def backward(self, dout):
        return np.zeros(self.shape) + (dout[:, None] if dout.size == self.shape[0] else dout)


class Diagonal:
    """Right: the main diagonal of a matrix, square or not."""

    def forward(self, x):
        self.shape = x.shape
        return np.diagonal(x).copy()

    def backward(self, dout):
        dx = np.zeros(self.shape)
        k = np.arange(min(self.shape))
        dx[k, k] = dout
        return dx


class DiagonalOfSquare(Diagonal):
    """The gradient is square, whatever x was."""

    def backward(self, dout):
        return np.diag(dout)


class Spread:
    """Right: the mean of a matrix over its columns, taken off."""

    def forward(self, x):
        return x - x.mean(axis=1, keepdims=True)

    def backward(self, dout):
        return dout - dout.mean(axis=1, keepdims=True)


class SpreadByMatrix(Spread):
    """The projection has the size of the rows, and stands on their side: it fits square matrices only."""

    def backward(self, dout):
        m = dout.shape[1]
        return (np.eye(m) - 1 / m) @ dout


class Bilinear:
    """Right: x W y for each sample."""

    def forward(self, x, y, W):
        self.x, self.y, self.W = x, y, W
        return np.einsum("ni,ij,nj->n", x, W, y)

    def backward(self, dout):
        dx = dout[:, None] * (self.y @ self.W.T)
        dy = dout[:, None] * (self.x @ self.W)
        return dx, dy, np.einsum("n,ni,nj->ij", dout, self.x, self.y)


class BilinearTransposed(Bilinear):
    """The gradient of W is its transpose: it has the right shape for a square W only."""

    def backward(self, dout):
        dx, dy, dW = super().backward(dout)
        return dx, dy, dW.T.copy()


class BilinearUntransposed(Bilinear):
    """W stands untransposed in the gradient of x."""

    def backward(self, dout):
        _, dy, dW = super().backward(dout)
        return dout[:, None] * (self.y @ self.W), dy, dW


class Scores:
    """Right: the scores of an attention, scaled by the root of the number of features."""

    def forward(self, q, k):
        self.q, self.k = q, k
        return q @ k.T / np.sqrt(q.shape[1])

    def backward(self, dout):
        g = dout / np.sqrt(self.q.shape[1])
        return g @ self.k, g.T @ self.q


class ScoresScaledByRows(Scores):
    """The root is that of the number of queries."""

    def backward(self, dout):
        g = dout / np.sqrt(max(self.q.shape[0], 1))
        return g @ self.k, g.T @ self.q


class AvgPool2d:
    """Right: windows of any shape, which may overlap."""

    def __init__(self, pool_h, pool_w, stride=2):
        self.pool_h, self.pool_w, self.stride = pool_h, pool_w, stride

    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        out = np.zeros((n, c, (h - ph) // s + 1, (w - pw) // s + 1))
        for i in range(out.shape[2]):
            for j in range(out.shape[3]):
                out[:, :, i, j] = x[:, :, i * s : i * s + ph, j * s : j * s + pw].mean(axis=(2, 3))
        return out

    def backward(self, dout):
        dx = np.zeros(self.shape)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] += dout[:, :, i, j][:, :, None, None] / (ph * pw)
        return dx


class AvgPoolSquareImage(AvgPool2d):
    """Both loops run to the height of the output."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range(dout.shape[2]):
            for j in range(dout.shape[2]):
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] += dout[:, :, i, j][:, :, None, None] / (ph * pw)
        return dx


class AvgPoolSquareWindow(AvgPool2d):
    """It is divided by the square of the window's height."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] += dout[:, :, i, j][:, :, None, None] / (ph * ph)
        return dx


class AvgPoolOverwrites(AvgPool2d):
    """``=`` for ``+=``: where windows overlap, the last one wins."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] = dout[:, :, i, j][:, :, None, None] / (ph * pw)
        return dx


class AvgPoolWithoutLastRow(AvgPool2d):
    """The loop over rows ends one too early: the last row of windows gets nothing."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range((self.shape[2] - ph - 1) // s + 1):
            for j in range(dout.shape[3]):
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] += dout[:, :, i, j][:, :, None, None] / (ph * pw)
        return dx


class AvgPoolIntegerBuffer(AvgPool2d):
    """The gradient is collected in an array of whole numbers."""

    def backward(self, dout):
        dx = np.zeros(self.shape, dtype=int)
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        for i in range(dout.shape[2]):
            for j in range(dout.shape[3]):
                part = dout[:, :, i, j][:, :, None, None] / (ph * pw)
                dx[:, :, i * s : i * s + ph, j * s : j * s + pw] += part.astype(int)
        return dx


class MaxPool2d:
    """Right: of equal maxima the first one is chosen."""

    def __init__(self, pool_h, pool_w, stride=2):
        self.pool_h, self.pool_w, self.stride = pool_h, pool_w, stride

    def forward(self, x):
        n, c, h, w = x.shape
        self.shape = x.shape
        s, ph, pw = self.stride, self.pool_h, self.pool_w
        oh, ow = (h - ph) // s + 1, (w - pw) // s + 1
        out, self.best = np.zeros((n, c, oh, ow)), np.zeros((n, c, oh, ow), dtype=int)
        for i, j in np.ndindex(oh, ow):
            window = x[:, :, i * s : i * s + ph, j * s : j * s + pw].reshape(n, c, ph * pw)
            self.best[:, :, i, j] = window.argmax(axis=-1)
            out[:, :, i, j] = window.max(axis=-1)
        return out

    def backward(self, dout):
        dx = np.zeros(self.shape)
        a, b = np.ogrid[: self.shape[0], : self.shape[1]]
        for i, j in np.ndindex(dout.shape[2:]):
            row, column = np.divmod(self.best[:, :, i, j], self.pool_w)
            dx[a, b, i * self.stride + row, j * self.stride + column] += dout[:, :, i, j]
        return dx


class MaxPoolDivmodByHeight(MaxPool2d):
    """The place in the window is taken apart by its height instead of its width."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        a, b = np.ogrid[: self.shape[0], : self.shape[1]]
        for i, j in np.ndindex(dout.shape[2:]):
            row, column = np.divmod(self.best[:, :, i, j], self.pool_h)
            dx[a, b, i * self.stride + row, j * self.stride + column] += dout[:, :, i, j]
        return dx


class MaxPoolWithoutOffset(MaxPool2d):
    """The place in the window is taken for the place in the image."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        a, b = np.ogrid[: self.shape[0], : self.shape[1]]
        for i, j in np.ndindex(dout.shape[2:]):
            row, column = np.divmod(self.best[:, :, i, j], self.pool_w)
            dx[a, b, row, column] += dout[:, :, i, j]
        return dx


class MaxPoolStrideOne(MaxPool2d):
    """Windows are taken to start at every pixel."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        a, b = np.ogrid[: self.shape[0], : self.shape[1]]
        for i, j in np.ndindex(dout.shape[2:]):
            row, column = np.divmod(self.best[:, :, i, j], self.pool_w)
            dx[a, b, i + row, j + column] += dout[:, :, i, j]
        return dx


class MaxPoolOverwrites(MaxPool2d):
    """A pixel that wins in two windows gets the gradient of the last."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        a, b = np.ogrid[: self.shape[0], : self.shape[1]]
        for i, j in np.ndindex(dout.shape[2:]):
            row, column = np.divmod(self.best[:, :, i, j], self.pool_w)
            dx[a, b, i * self.stride + row, j * self.stride + column] = dout[:, :, i, j]
        return dx


# ---------------------------------------------------------------------------------------------------- convolution


class Conv2d:
    """Right: images (n, c, h, w), kernels (o, c, kh, kw)."""

    def __init__(self, W, b, stride=1, pad=0):
        self.W, self.b, self.stride, self.pad = W, b, stride, pad

    def forward(self, x):
        n, c, h, w = x.shape
        o, _, kh, kw = self.W.shape
        s, p = self.stride, self.pad
        self.shape, self.xp = x.shape, np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        out = np.zeros((n, o, (h + 2 * p - kh) // s + 1, (w + 2 * p - kw) // s + 1))
        for i, j in np.ndindex(kh, kw):
            out += np.einsum("nchw,oc->nohw", self.window(self.xp, i, j, out), self.W[:, :, i, j])
        return out + self.b[:, None, None]

    def backward(self, dout):
        dxp, self.dW = np.zeros(self.xp.shape), np.zeros(self.W.shape)
        for i, j in np.ndindex(self.W.shape[2:]):
            self.dW[:, :, i, j] = np.einsum("nohw,nchw->oc", dout, self.window(self.xp, i, j, dout))
            part = self.window(dxp, i, j, dout)
            part += np.einsum("nohw,oc->nchw", dout, self.W[:, :, i, j])
        self.db = dout.sum(axis=(0, 2, 3))
        return self.crop(dxp)

    def window(self, xp, i, j, out):
        s, (oh, ow) = self.stride, out.shape[2:]
        return xp[:, :, i : i + s * oh : s, j : j + s * ow : s]

    def crop(self, dxp):
        (h, w), p = self.shape[2:], self.pad
        return dxp[:, :, p : p + h, p : p + w]


class ConvSquareKernel(Conv2d):
    """The kernel's two sizes change places."""

    def backward(self, dout):
        dxp, self.dW = np.zeros(self.xp.shape), np.zeros(self.W.shape)
        for i, j in np.ndindex(self.W.shape[:1:-1]):
            self.dW[:, :, i, j] = np.einsum("nohw,nchw->oc", dout, self.window(self.xp, i, j, dout))
            part = self.window(dxp, i, j, dout)
            part += np.einsum("nohw,oc->nchw", dout, self.W[:, :, i, j])
        self.db = dout.sum(axis=(0, 2, 3))
        return self.crop(dxp)


class ConvReturnsPadded(Conv2d):
    """The padding is not cut off."""

    def crop(self, dxp):
        return dxp


class ConvCropsTheEnd(Conv2d):
    """All of the padding is cut off at the end."""

    def crop(self, dxp):
        h, w = self.shape[2:]
        return dxp[:, :, :h, :w]


class ConvCropsByMinusPad(Conv2d):
    """``p:-p`` is empty without padding."""

    def crop(self, dxp):
        p = self.pad
        return dxp[:, :, p:-p, p:-p]


class ConvOverlapAssigned(Conv2d):
    """``=`` for ``+=``: of the windows that share a pixel, the last one wins."""

    def backward(self, dout):
        super().backward(dout)
        dxp = np.zeros(self.xp.shape)
        for i, j in np.ndindex(self.W.shape[2:]):
            self.window(dxp, i, j, dout)[...] = np.einsum("nohw,oc->nchw", dout, self.W[:, :, i, j])
        return self.crop(dxp)


class ConvOverlapAveraged(Conv2d):
    """What overlapping windows contribute is averaged, as if an image were put together again."""

    def backward(self, dout):
        dx, count = super().backward(dout), np.zeros(self.xp.shape)
        for i, j in np.ndindex(self.W.shape[2:]):
            self.window(count, i, j, dout)[...] += 1
        return dx / np.maximum(self.crop(count), 1)


class ConvKernelStrideOne(Conv2d):
    """The stride is forgotten in the gradient of the kernel."""

    def backward(self, dout):
        dx = super().backward(dout)
        oh, ow = dout.shape[2:]
        for i, j in np.ndindex(self.W.shape[2:]):
            self.dW[:, :, i, j] = np.einsum("nohw,nchw->oc", dout, self.xp[:, :, i : i + oh, j : j + ow])
        return dx


class ConvBiasPerPixel(Conv2d):
    """The bias gradient is the mean over the pixels, where it must be their sum."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout.sum(axis=0).mean(axis=(1, 2))
        return dx


class ConvOneFilterSqueezed(Conv2d):
    """The kernel's gradient is squeezed: with one filter or one channel, an axis is lost."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = self.dW.squeeze()
        return dx


class ConvMissesCorner(Conv2d):
    """The last pixel of the last row of the kernel is left out in dx: the far corner of the image gets nothing."""

    def backward(self, dout):
        dx = super().backward(dout)
        kh, kw = self.W.shape[2:]
        i, j = self.stride * (dout.shape[2] - 1) + kh - 1, self.stride * (dout.shape[3] - 1) + kw - 1
        dxp = np.zeros(self.xp.shape)
        self.crop(dxp)[...] = dx
        dxp[:, :, i, j] = 0
        return self.crop(dxp)


class Filter2d:
    """Right: one image, one kernel of 3 x 2; dx is a full correlation with the kernel turned round."""

    def __init__(self, seed=0):
        self.W = np.random.default_rng(seed).normal(size=(3, 2))

    def forward(self, x):
        self.x = x
        return self.correlate(x, self.W)

    def backward(self, dout):
        self.dW = self.correlate(self.x, dout)
        return self.correlate(np.pad(dout, ((2, 2), (1, 1))), self.W[::-1, ::-1])

    def correlate(self, x, k):
        oh, ow = x.shape[0] - k.shape[0] + 1, x.shape[1] - k.shape[1] + 1
        out = np.zeros((oh, ow))  # refuses an image smaller than the kernel
        for i, j in np.ndindex(k.shape):
            out += k[i, j] * x[i : i + oh, j : j + ow]
        return out


class FilterFlipsRows(Filter2d):
    """The kernel is turned round in one direction only."""

    def backward(self, dout):
        self.dW = self.correlate(self.x, dout)
        return self.correlate(np.pad(dout, ((2, 2), (1, 1))), self.W[::-1])


class FilterFlipsBoth(Filter2d):
    """dW is turned round as well, as it would be for a true convolution."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = self.dW[::-1, ::-1].copy()
        return dx


class FilterPadsSame(Filter2d):
    """dout is padded as for an output of the same size: dx comes out too small."""

    def backward(self, dout):
        self.dW = self.correlate(self.x, dout)
        return self.correlate(np.pad(dout, ((1, 1), (1, 1))), self.W[::-1, ::-1])


class DilatedConv1d:
    """Right: three weights, some steps apart."""

    def __init__(self, dilation=2, seed=0):
        self.dilation = dilation
        self.W = np.random.default_rng(seed).normal(size=3)

    def forward(self, x):
        self.x, d = x, self.dilation
        out = np.zeros((x.shape[0], x.shape[1] - 2 * d))
        for k in range(3):
            out += self.W[k] * x[:, k * d : k * d + out.shape[1]]
        return out

    def backward(self, dout):
        d, m = self.dilation, dout.shape[1]
        self.dW = np.array([(dout * self.x[:, k * d : k * d + m]).sum() for k in range(3)])
        dx = np.zeros(self.x.shape)
        for k in range(3):
            dx[:, k * d : k * d + m] += self.W[k] * dout
        return dx


class DilatedConvUndilated(DilatedConv1d):
    """dx is that of neighbouring weights."""

    def backward(self, dout):
        super().backward(dout)
        dx = np.zeros(self.x.shape)
        for k in range(3):
            dx[:, k : k + dout.shape[1]] += self.W[k] * dout
        return dx


class StridedConv1d:
    """Right: every second window; the rightmost elements may be in none."""

    def __init__(self, stride=2, seed=0):
        self.stride = stride
        self.W = np.random.default_rng(seed).normal(size=3)

    def forward(self, x):
        self.x, s = x, self.stride
        out = np.zeros((x.shape[0], (x.shape[1] - 3) // s + 1))
        for k in range(3):
            out += self.W[k] * x[:, k : k + s * out.shape[1] : s]
        return out

    def backward(self, dout):
        s, m = self.stride, dout.shape[1]
        self.dW = np.array([(dout * self.x[:, k : k + s * m : s]).sum() for k in range(3)])
        dx = np.zeros(self.x.shape)
        for k in range(3):
            dx[:, k : k + s * m : s] += self.W[k] * dout
        return dx


class StridedConvWithoutTail(StridedConv1d):
    """dx is only as long as the windows reach."""

    def backward(self, dout):
        dx = super().backward(dout)
        return dx[:, : self.stride * (dout.shape[1] - 1) + 3]


class TransposedConv1d:
    """Right: each element is spread over three places, two steps apart."""

    def __init__(self, stride=2, seed=0):
        self.stride = stride
        self.W = np.random.default_rng(seed).normal(size=3)

    def forward(self, x):
        self.x, s, m = x, self.stride, x.shape[1]
        out = np.zeros((x.shape[0], s * (m - 1) + 3))
        for k in range(3):
            out[:, k : k + s * m : s] += self.W[k] * x
        return out

    def backward(self, dout):
        s, m = self.stride, self.x.shape[1]
        windows = [dout[:, k : k + s * m : s] for k in range(3)]
        self.dW = np.array([(self.x * window).sum() for window in windows])
        return sum(w * window for w, window in zip(self.W, windows))


class TransposedConvFlipped(TransposedConv1d):
    """The weights are read from the other end, as in the gradient of a convolution."""

    def backward(self, dout):
        super().backward(dout)
        s, m = self.stride, self.x.shape[1]
        return sum(self.W[2 - k] * dout[:, k : k + s * m : s] for k in range(3))


class SpaceToDepth:
    """Right: blocks of 2 x 2 pixels become four channels."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        return blocks.transpose(0, 1, 3, 5, 2, 4).reshape(n, 4 * c, h // 2, w // 2).copy()

    def backward(self, dout):
        n, c, h, w = self.shape
        blocks = dout.reshape(n, c, 2, 2, h // 2, w // 2)
        return blocks.transpose(0, 1, 4, 2, 5, 3).reshape(self.shape).copy()


class SpaceToDepthChannelsLast(SpaceToDepth):
    """The channels are taken apart as (2, 2, c), and were put together as (c, 2, 2)."""

    def backward(self, dout):
        n, c, h, w = self.shape
        blocks = dout.reshape(n, 2, 2, c, h // 2, w // 2)
        return blocks.transpose(0, 3, 4, 1, 5, 2).reshape(self.shape).copy()


class EdgePad:
    """Right: the border of an image is repeated once on every side."""

    def forward(self, x):
        return np.pad(x, 1, mode="edge")

    def backward(self, dout):
        rows = dout[1:-1].copy()
        rows[0] += dout[0]
        rows[-1] += dout[-1]
        dx = rows[:, 1:-1].copy()
        dx[:, 0] += rows[:, 0]
        dx[:, -1] += rows[:, -1]
        return dx


class EdgePadWithoutCorners(EdgePad):
    """Sides are folded back, the four corners are not."""

    def backward(self, dout):
        dx = dout[1:-1, 1:-1].copy()
        dx[0] += dout[0, 1:-1]
        dx[-1] += dout[-1, 1:-1]
        dx[:, 0] += dout[1:-1, 0]
        dx[:, -1] += dout[1:-1, -1]
        return dx


# -------------------------------------------------------------------------------------------- pooling, upsampling


class BlockMax:
    """Right: the maximum of blocks of 2 x 2; equal maxima share the gradient."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        blocks = x.reshape(n, c, h // 2, 2, w // 2, 2)
        out = blocks.max(axis=(3, 5), keepdims=True)
        self.best = blocks == out
        return out[:, :, :, 0, :, 0].copy()

    def backward(self, dout):
        share = self.best / self.best.sum(axis=(3, 5), keepdims=True)
        return (share * dout[:, :, :, None, :, None]).reshape(self.shape)


class BlockMaxTiesTwice(BlockMax):
    """Each of several equal maxima gets the whole gradient."""

    def backward(self, dout):
        return (self.best * dout[:, :, :, None, :, None]).reshape(self.shape)


class GlobalMax:
    """Right: the maximum of each channel; of equal ones the first is chosen."""

    def forward(self, x):
        n, c, h, w = self.shape = x.shape
        flat = x.reshape(n, c, h * w)
        self.best = flat.argmax(axis=2)
        return flat.max(axis=2)

    def backward(self, dout):
        n, c, h, w = self.shape
        dx = np.zeros((n, c, h * w))
        np.put_along_axis(dx, self.best[:, :, None], dout[:, :, None], axis=2)
        return dx.reshape(self.shape)


class GlobalMaxTiesTwice:
    """All places that hold the maximum get the whole gradient: an image of one colour gets it h * w times."""

    def forward(self, x):
        n, c, h, w = x.shape
        self.x, self.y = x, x.max(axis=(2, 3))
        return self.y.copy()

    def backward(self, dout):
        return np.where(self.x == self.y[:, :, None, None], dout[:, :, None, None], 0.0)


class GlobalMaxOfSomeBatch(GlobalMax):
    """``reshape(n, -1)`` cannot tell the -1 if the batch is empty."""

    def backward(self, dout):
        n, c, h, w = self.shape
        dx = np.zeros((n, c, h * w))
        np.put_along_axis(dx, self.best[:, :, None], dout.reshape(n, c, -1), axis=2)
        return dx.reshape(n, c, h, -1)


class Pairwise:
    """Right: the larger of two arrays; where they are equal, each gets half."""

    def forward(self, x, y):
        self.first = np.where(x == y, 0.5, x > y)
        return np.maximum(x, y)

    def backward(self, dout):
        return dout * self.first, dout * (1 - self.first)


class PairwiseTiesTwice(Pairwise):
    """Where the two are equal, both get the whole gradient."""

    def backward(self, dout):
        return dout * (self.first > 0), dout * (self.first < 1)


class SegmentMean:
    """Right: means of three neighbours; the last segment may be shorter."""

    def forward(self, x):
        starts = np.arange(0, x.shape[1], 3)
        self.counts = np.diff(np.append(starts, x.shape[1]))
        return np.add.reduceat(x, starts, axis=1) / self.counts

    def backward(self, dout):
        return np.repeat(dout / self.counts, self.counts, axis=1)


class SegmentMeanTailByThree(SegmentMean):
    """The last segment's gradient is divided by three, however short it is."""

    def backward(self, dout):
        return np.repeat(dout / 3, self.counts, axis=1)


class SegmentMeanWithoutTail(SegmentMean):
    """What is left over behind the last full segment gets no gradient."""

    def backward(self, dout):
        dx = np.repeat(dout / self.counts, self.counts, axis=1)
        dx[:, 3 * (dx.shape[1] // 3) :] = 0
        return dx


class UpsampleNearest:
    """Right: every pixel becomes a block of 2 x 2."""

    def forward(self, x):
        return x.repeat(2, axis=2).repeat(2, axis=3)

    def backward(self, dout):
        n, c, h, w = dout.shape
        return dout.reshape(n, c, h // 2, 2, w // 2, 2).sum(axis=(3, 5))


class UpsampleTakesOne(UpsampleNearest):
    """Of each block only the first element is taken."""

    def backward(self, dout):
        return dout[:, :, ::2, ::2].copy()


class UpsampleAverages(UpsampleNearest):
    """The mean of each block is taken for its sum."""

    def backward(self, dout):
        n, c, h, w = dout.shape
        return dout.reshape(n, c, h // 2, 2, w // 2, 2).mean(axis=(3, 5))


class UpsampleLinear:
    """Right: between two elements stands their mean; behind the last one, the last one again."""

    def forward(self, x):
        out = np.repeat(x, 2, axis=1)
        out[:, 1:-1:2] = (x[:, :-1] + x[:, 1:]) / 2
        return out

    def backward(self, dout):
        dx = dout[:, ::2].copy()
        dx[:, :-1] += dout[:, 1:-1:2] / 2
        dx[:, 1:] += dout[:, 1:-1:2] / 2
        dx[:, -1:] += dout[:, -1:]
        return dx


class UpsampleLinearEnd(UpsampleLinear):
    """The last element is missing one of its two shares: wrong in one column only."""

    def backward(self, dout):
        dx = dout[:, ::2].copy()
        dx[:, :-1] += dout[:, 1:-1:2] / 2
        dx[:, 1:] += dout[:, 1:-1:2] / 2
        return dx


# ----------------------------------------------------------------------------------------------- repeated indices


class Embedding:
    """Right: rows of a table, by number."""

    def __init__(self, W):
        self.params, self.grads = [W], [np.zeros_like(W)]

    def forward(self, ids):
        self.ids = ids
        return self.params[0][ids]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.ids, dout)


class EmbeddingAssigns(Embedding):
    """``=``: of equal ids the last one counts."""

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        dW[self.ids] = dout


class EmbeddingAddsOnce(Embedding):
    """``+=`` with repeated indices adds only once."""

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        dW[self.ids] += dout


class EmbeddingFirstOfEach(Embedding):
    """`np.unique` gives the first place of each id, and the others are forgotten."""

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        rows, first = np.unique(self.ids, return_index=True)
        dW[rows] = dout.reshape(-1, dW.shape[1])[first]


class GatherRows:
    """Right: x[idx]."""

    def forward(self, x, idx):
        self.shape, self.idx = x.shape, idx
        return x[idx]

    def backward(self, dout):
        dx = np.zeros(self.shape)
        np.add.at(dx, self.idx, dout)
        return dx


class GatherRowsAddsOnce(GatherRows):
    """``+=`` with repeated indices adds only once."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[self.idx] += dout
        return dx


class GatherRowsLoopAssigns(GatherRows):
    """The loop is there, its ``+=`` is a ``=``."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        for k, row in enumerate(self.idx):
            dx[row] = dout[k]
        return dx


class ItemBias:
    """Right: one number for each item."""

    def __init__(self, b):
        self.b = b

    def forward(self, ids):
        self.ids = ids
        return self.b[ids]

    def backward(self, dout):
        self.db = np.bincount(self.ids, weights=dout, minlength=len(self.b))


class ItemBiasTooShort(ItemBias):
    """Without ``minlength``, the gradient ends at the largest id of the batch."""

    def backward(self, dout):
        self.db = np.bincount(self.ids, weights=dout)


class BagOfWords:
    """Right: the sum of the rows of all words of a text."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids].sum(axis=1)

    def backward(self, dout):
        counts = (self.ids[:, :, None] == np.arange(len(self.W))).sum(axis=1)
        self.dW = counts.T.astype(float) @ dout


class BagOfWordsOnce(BagOfWords):
    """A word that occurs twice in a text counts once."""

    def backward(self, dout):
        counts = (self.ids[:, :, None] == np.arange(len(self.W))).any(axis=1)
        self.dW = counts.T.astype(float) @ dout


class ParentState:
    """Right: node k of a binary tree takes the state of its parent, k // 2."""

    def forward(self, x):
        self.parent, self.y = np.arange(len(x)) // 2, np.tanh(x)
        return self.y[self.parent]

    def backward(self, dout):
        dy = np.zeros(self.y.shape)
        np.add.at(dy, self.parent, dout)
        return dy * (1 - self.y**2)


class ParentStateAddsOnce(ParentState):
    """Of two children, one is heard."""

    def backward(self, dout):
        dy = np.zeros(self.y.shape)
        dy[self.parent] += dout
        return dy * (1 - self.y**2)


class ClampedSlope:
    """Right: the difference of the right and the left neighbour, or of the element itself at the ends."""

    def forward(self, x):
        j = np.arange(x.shape[1])
        self.right, self.left = np.minimum(j + 1, len(j) - 1), np.maximum(j - 1, 0)
        return (x[:, self.right] - 0.5 * x[:, self.left]) / 2

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        np.add.at(dx, (slice(None), self.right), dout / 2)
        np.add.at(dx, (slice(None), self.left), -dout / 4)
        return dx


class ClampedSlopeEnds(ClampedSlope):
    """The ends are asked for twice, and get one gradient: wrong in the first and the last column only."""

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        dx[:, self.right] += dout / 2
        dx[:, self.left] -= dout / 4
        return dx


class ScatterLast:
    """Right: two rows each are written to the same place, where the last one stays."""

    def forward(self, x):
        self.n = len(x)
        self.place = np.arange(self.n) // 2
        out = np.zeros(((self.n + 1) // 2, x.shape[1]))
        for k, row in enumerate(x):
            out[self.place[k]] = row
        return out

    def backward(self, dout):
        dx = np.zeros((self.n, dout.shape[1]))
        stays = np.append(self.place[1:] != self.place[:-1], [True])[: self.n]
        dx[stays] = dout
        return dx


class ScatterLastToAll(ScatterLast):
    """Rows that were overwritten get a gradient too."""

    def backward(self, dout):
        return dout[self.place]


_NT = {"signature": "(n,t,i),(i,o),(o)->(n,t,o)"}
_STACK = {"signature": "(n,t,i),(i,o)->(n,t,o)"}
_ONE = {"inputs": (np.array([0.3, -1.2, 2.1, 0.4]), np.array([0.0, 1.0, 0.0, 0.0]))}
_ITEMS = {"settings": {"b": np.array([0.2, -0.7, 1.1, 0.4, -0.9])}, "inputs": (np.array([1, 3, 1]),)}

WRONG = (
    Wrong(DenseBiasOverFirstAxis, Dense, "GC103", "T10", "x of three axes", options=_NT),
    Wrong(DenseVectorTranspose, Dense, "GC602", "T10", "x of one axis", options={"signature": "(i),(i,o),(o)->(o)"}),
    Wrong(DenseSqueezes, Dense, "GC103", "T10", "n = 1"),
    Wrong(DenseStacksSamples, Dense, "GC503", "T30", "n = 0"),
    Wrong(BatchedMatMulKeepsBatch, BatchedMatMul, "GC103", "T10", "x of three axes", options=_STACK),
    Wrong(BatchedMatMulFirstOnly, BatchedMatMul, "GC101", "T10", "x of three axes, n >= 2", options=_STACK),
    Wrong(
        (product_forward, product_backward_by_t),
        (product_forward, product_backward),
        "GC602",
        "T10",
        "three axes",
        options={"signature": "(n,t,i),(n,i,o)->(n,t,o)"},
    ),
    Wrong(
        SoftmaxLastSumsSecond,
        SoftmaxLast,
        "GC101",
        "T10",
        "x of three axes",
        options={"signature": "(n,t,i)->(n,t,i)"},
    ),
    Wrong(
        GlobalAverageOfImages, GlobalAverage, "GC602", "T10", "x of three axes", options={"signature": "(n,c,l)->(n,c)"}
    ),
    Wrong(
        GlobalAverageOfRows, GlobalAverage, "GC101", "T10", "x of four axes", options={"signature": "(n,c,h,w)->(n,c)"}
    ),
    Wrong(SwapLastByT, SwapLast, "GC103", "T10", "x of three axes", options={"signature": "(n,t,i)->(n,i,t)"}),
    Wrong(LossOfOneOrManyByLength, LossOfOneOrMany, "GC101", "T10", "x of one axis", options=_ONE),
    Wrong(PerceptronByT, Perceptron, "GC602", "T10", "n != i", options={"signature": "(n,i),(i)->(n)"}),
    Wrong(ProjectionOuterByShape, Projection, "GC101", "T11", "W square, at least 2 x 2"),
    Wrong(ColumnSumBySize, ColumnSum, "GC101", "T11", "n = i >= 2"),
    Wrong(DiagonalOfSquare, Diagonal, "GC103", "T11", "n != i"),
    Wrong(
        SpreadByMatrix,
        Spread,
        "GC602",
        "T11",
        "n != i (GC101 for n = i)",
        missed="shapes of three axes are found first, for which it is right",
    ),
    Wrong(
        BilinearTransposed, Bilinear, "GC103", "T11", "W not square", options={"signature": "(n,i),(n,j),(i,j)->(n)"}
    ),
    Wrong(
        BilinearUntransposed, Bilinear, "GC602", "T11", "W not square", options={"signature": "(n,i),(n,j),(i,j)->(n)"}
    ),
    Wrong(ScoresScaledByRows, Scores, "GC101", "T11", "n != i"),
    Wrong(AvgPoolSquareImage, AvgPool2d, "GC101", "T11", "w > h"),
    Wrong(AvgPoolSquareWindow, AvgPool2d, "GC101", "T11", "pool_h != pool_w"),
    Wrong(MaxPoolDivmodByHeight, MaxPool2d, "GC101", "T11", "pool_h != pool_w"),
    Wrong(ConvSquareKernel, Conv2d, "GC602", "T11", "kh != kw"),
    Wrong(ConvReturnsPadded, Conv2d, "GC103", "T12", "pad >= 1"),
    Wrong(ConvCropsTheEnd, Conv2d, "GC101", "T12", "pad >= 1"),
    Wrong(ConvCropsByMinusPad, Conv2d, "GC103", "T12", "pad = 0"),
    Wrong(ConvOverlapAssigned, Conv2d, "GC101", "T12", "stride < kernel"),
    Wrong(ConvOverlapAveraged, Conv2d, "GC101", "T12", "stride < kernel"),
    Wrong(ConvKernelStrideOne, Conv2d, "GC101", "T12", "stride >= 2"),
    Wrong(ConvBiasPerPixel, Conv2d, "GC101", "T12", "output of two pixels or more"),
    Wrong(ConvOneFilterSqueezed, Conv2d, "GC103", "T30", "one filter, or one channel"),
    Wrong(ConvMissesCorner, Conv2d, "GC101", "T12", "one pixel of the image"),
    Wrong(FilterFlipsRows, Filter2d, "GC101", "T12", "any"),
    Wrong(FilterFlipsBoth, Filter2d, "GC101", "T12", "any"),
    Wrong(FilterPadsSame, Filter2d, "GC103", "T12", "any"),
    Wrong(DilatedConvUndilated, DilatedConv1d, "GC101", "T12", "dilation >= 2"),
    Wrong(StridedConvWithoutTail, StridedConv1d, "GC103", "T12", "i - 3 odd, stride 2"),
    Wrong(TransposedConvFlipped, TransposedConv1d, "GC101", "T12", "any"),
    Wrong(SpaceToDepthChannelsLast, SpaceToDepth, "GC101", "T12", "c >= 2"),
    Wrong(EdgePadWithoutCorners, EdgePad, "GC101", "T12", "corners only"),
    Wrong(AvgPoolOverwrites, AvgPool2d, "GC101", "T13", "stride < window"),
    Wrong(AvgPoolWithoutLastRow, AvgPool2d, "GC101", "T13", "(h - pool_h) divisible by the stride, last row"),
    Wrong(AvgPoolIntegerBuffer, AvgPool2d, "GC101", "T13", "any"),
    Wrong(MaxPoolWithoutOffset, MaxPool2d, "GC101", "T13", "two windows"),
    Wrong(MaxPoolStrideOne, MaxPool2d, "GC101", "T13", "stride >= 2, two windows"),
    Wrong(MaxPoolOverwrites, MaxPool2d, "GC101", "T13", "stride < window"),
    Wrong(BlockMaxTiesTwice, BlockMax, "GC507", "T13", "ties"),
    Wrong(GlobalMaxTiesTwice, GlobalMax, "GC507", "T13", "ties"),
    Wrong(PairwiseTiesTwice, Pairwise, "GC507", "T13", "ties"),
    Wrong(GlobalMaxOfSomeBatch, GlobalMax, "GC503", "T13", "n = 0", level="warning"),
    Wrong(SegmentMeanTailByThree, SegmentMean, "GC101", "T13", "i not divisible by 3"),
    Wrong(SegmentMeanWithoutTail, SegmentMean, "GC101", "T13", "i not divisible by 3"),
    Wrong(UpsampleTakesOne, UpsampleNearest, "GC101", "T13", "any"),
    Wrong(UpsampleAverages, UpsampleNearest, "GC101", "T13", "any"),
    Wrong(UpsampleLinearEnd, UpsampleLinear, "GC101", "T13", "last column"),
    Wrong(EmbeddingAssigns, Embedding, "GC101", "T14", "an id twice"),
    Wrong(EmbeddingAddsOnce, Embedding, "GC101", "T14", "an id twice"),
    Wrong(EmbeddingFirstOfEach, Embedding, "GC101", "T14", "an id twice"),
    Wrong(GatherRowsAddsOnce, GatherRows, "GC101", "T14", "an id twice"),
    Wrong(GatherRowsLoopAssigns, GatherRows, "GC101", "T14", "an id twice"),
    Wrong(ItemBiasTooShort, ItemBias, "GC103", "T14", "the last id absent", options=_ITEMS),
    Wrong(BagOfWordsOnce, BagOfWords, "GC101", "T14", "an id twice in a row"),
    Wrong(ParentStateAddsOnce, ParentState, "GC101", "T14", "n >= 2"),
    Wrong(ClampedSlopeEnds, ClampedSlope, "GC101", "T14", "first and last column, i >= 2"),
    Wrong(ScatterLastToAll, ScatterLast, "GC101", "T14", "n >= 2"),
)

ODD = ()
