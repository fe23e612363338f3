"""The reference layers once more, one element at a time: what vectorising is measured against.

Written the way one writes them before knowing better: loops over indices of arrays. Same spelling as in `layers`.
"""

import math

import numpy as np


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            out[place] = x[place] * y[place]
        return out

    def backward(self, dout):
        dx, dy = np.zeros_like(dout), np.zeros_like(dout)
        for place in np.ndindex(dout.shape):
            dx[place] = dout[place] * self.y[place]
            dy[place] = dout[place] * self.x[place]
        return dx, dy


class Add:
    def forward(self, x, y):
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            out[place] = x[place] + y[place]
        return out

    def backward(self, dout):
        dx, dy = np.zeros_like(dout), np.zeros_like(dout)
        for place in np.ndindex(dout.shape):
            dx[place] = dout[place]
            dy[place] = dout[place]
        return dx, dy


class Relu:
    def forward(self, x):
        self.x = x
        out = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            if x[place] > 0:
                out[place] = x[place]
        return out

    def backward(self, dout):
        dx = np.zeros_like(dout)
        for place in np.ndindex(dout.shape):
            if self.x[place] > 0:
                dx[place] = dout[place]
        return dx


class Sigmoid:
    def forward(self, x):
        self.out = np.zeros_like(x)
        for place in np.ndindex(x.shape):
            self.out[place] = 1 / (1 + math.exp(-x[place]))
        return self.out

    def backward(self, dout):
        dx = np.zeros_like(dout)
        for place in np.ndindex(dout.shape):
            dx[place] = dout[place] * self.out[place] * (1 - self.out[place])
        return dx


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        out = np.zeros((len(x), len(self.b)), dtype=x.dtype)
        for n, o in np.ndindex(out.shape):
            total = self.b[o]
            for i in range(x.shape[1]):
                total += x[n, i] * self.W[i, o]
            out[n, o] = total
        return out

    def backward(self, dout):
        dx, self.dW, self.db = np.zeros_like(self.x), np.zeros_like(self.W), np.zeros_like(self.b)
        for n, o in np.ndindex(dout.shape):
            self.db[o] += dout[n, o]
            for i in range(self.x.shape[1]):
                dx[n, i] += dout[n, o] * self.W[i, o]
                self.dW[i, o] += self.x[n, i] * dout[n, o]
        return dx
