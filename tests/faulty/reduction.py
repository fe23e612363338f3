"""Reductions along an axis, wrong and right."""

import numpy as np


class ColumnMean:
    """Right: the mean over the samples."""

    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=0)

    def backward(self, dout):
        return np.ones(self.shape) * (dout / self.shape[0])


class ColumnMeanAsSum(ColumnMean):
    """The value is a mean, the gradient that of a sum: 1/n is missing."""

    def backward(self, dout):
        return np.ones(self.shape) * dout


class Mean:
    """Right: along one axis, or over everything for None."""

    def __init__(self, axis=0):
        self.axis = axis

    def forward(self, x):
        self.x = x
        return np.mean(x, axis=self.axis, keepdims=True)

    def backward(self, dout):
        n = self.x.size if self.axis is None else self.x.shape[self.axis]
        return np.ones_like(self.x) * dout / n


class MeanIfAxis(Mean):
    """``if self.axis`` takes axis 0 for None, and divides by the size of everything."""

    def backward(self, dout):
        n = self.x.shape[self.axis] if self.axis else self.x.size
        return np.ones_like(self.x) * dout / n


class RowMax:
    """Right: of several maxima the first gets the gradient."""

    def forward(self, x):
        self.shape = x.shape
        self.best = x.argmax(axis=1)
        return x.max(axis=1)

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[np.arange(self.shape[0]), self.best] = dout
        return dx


class RowMaxShared:
    """Right: several maxima share the gradient, which is a subgradient too."""

    def forward(self, x):
        y = x.max(axis=1, keepdims=True)
        self.best = x == y
        return y

    def backward(self, dout):
        return dout * self.best / self.best.sum(axis=1, keepdims=True)


class RowMaxOfFirstRow(RowMax):
    """Every row's gradient goes to the place where the first row has its maximum."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[:, self.best[0]] = dout
        return dx


class Cumsum:
    """Right: element j is in all sums from j on, so that its gradient is summed from the end."""

    def forward(self, x):
        return np.cumsum(x, axis=-1)

    def backward(self, dout):
        return np.cumsum(dout[..., ::-1], axis=-1)[..., ::-1]


class CumsumFromTheFront(Cumsum):
    """The gradient is summed from the front."""

    def backward(self, dout):
        return np.cumsum(dout, axis=-1)


FAULTY = [
    (ColumnMeanAsSum, "GC101", "T05"),
    (MeanIfAxis, "GC101", "T08"),
    (RowMaxOfFirstRow, "GC101", "T06"),
    (CumsumFromTheFront, "GC101", "T09"),
]

RIGHT = [ColumnMean, Mean, RowMax, RowMaxShared, Cumsum]
