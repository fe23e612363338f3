"""Layers along the last axis of a matrix, wrong and right: convolution, pooling, gathering, recurrence."""

import numpy as np


class Correlate:
    """Right: a sliding product with three weights, zeros beyond the ends."""

    def __init__(self, seed=0):
        self.W = np.random.default_rng(seed).normal(size=3)
        self.dW = None

    def forward(self, x):
        self.padded = np.pad(x, ((0, 0), (1, 1)))
        return self.slide(self.padded, self.W)

    def backward(self, dout):
        t = dout.shape[1]
        self.dW = np.array([(dout * self.padded[:, k : k + t]).sum() for k in range(3)])
        return self.slide(np.pad(dout, ((0, 0), (1, 1))), self.W[::-1])

    def slide(self, padded, W):
        t = padded.shape[1] - 2
        return sum(W[k] * padded[:, k : k + t] for k in range(3))


class CorrelateUnflipped(Correlate):
    """On the way back the weights must be read from the other end, and are not."""

    def backward(self, dout):
        super().backward(dout)
        return self.slide(np.pad(dout, ((0, 0), (1, 1))), self.W)


class NeighbourMax:
    """Right: the larger of each element and its right neighbour, the last one's being the first. Windows overlap."""

    def forward(self, x):
        left = np.arange(x.shape[1])
        right = np.roll(left, -1)
        self.winner = np.where(x[:, left] >= x[:, right], left, right)
        return np.take_along_axis(x, self.winner, axis=1)

    def backward(self, dout):
        dx = np.zeros_like(dout)
        np.add.at(dx, (np.arange(len(dout))[:, None], self.winner), dout)
        return dx


class NeighbourMaxOverwrites(NeighbourMax):
    """An element that wins in two windows gets the gradient of one: ``=`` for ``+=``."""

    def backward(self, dout):
        dx = np.zeros_like(dout)
        np.put_along_axis(dx, self.winner, dout, axis=1)
        return dx


class PickColumns:
    """Right: the first column twice, then the last."""

    columns = (0, 0, -1)

    def forward(self, x):
        self.shape = x.shape
        return x[:, self.columns]

    def backward(self, dout):
        dx = np.zeros(self.shape)
        np.add.at(dx, (slice(None), list(self.columns)), dout)
        return dx


class PickColumnsOverwrites(PickColumns):
    """``+=`` with repeated indices adds only once."""

    def backward(self, dout):
        dx = np.zeros(self.shape)
        dx[:, list(self.columns)] += dout
        return dx


class Recurrence:
    """Right: h[t] = tanh(x[t] + 0.8 h[t-1]), all states returned."""

    def forward(self, x):
        self.h = np.zeros_like(x)
        h = np.zeros(x.shape[0])
        for t in range(x.shape[1]):
            h = np.tanh(x[:, t] + 0.8 * h)
            self.h[:, t] = h
        return self.h.copy()

    def backward(self, dout):
        dx = np.zeros_like(dout)
        carried = np.zeros(dout.shape[0])
        for t in reversed(range(dout.shape[1])):
            dx[:, t] = (dout[:, t] + carried) * (1 - self.h[:, t] ** 2)
            carried = 0.8 * dx[:, t]
        return dx


class RecurrenceCarriesTooLate(Recurrence):
    """What is carried back from the next step is added after the slope of tanh instead of before."""

    def backward(self, dout):
        dx = np.zeros_like(dout)
        carried = np.zeros(dout.shape[0])
        for t in reversed(range(dout.shape[1])):
            dx[:, t] = dout[:, t] * (1 - self.h[:, t] ** 2) + carried
            carried = 0.8 * dx[:, t]
        return dx


class OncePerForward:
    """Right, though odd: backward lets go of what forward kept, so that it can run once per forward."""

    def forward(self, x):
        self.kept = [np.tanh(x)]
        return self.kept[0] ** 2

    def backward(self, dout):
        t = self.kept.pop()
        return 2 * dout * t * (1 - t**2)


class OncePerForwardWithoutOuter(OncePerForward):
    """The chain rule stops half-way: the outer square is left out."""

    def backward(self, dout):
        t = self.kept.pop()
        return dout * (1 - t**2)


FAULTY = [
    (CorrelateUnflipped, "GC101", "T12"),
    (NeighbourMaxOverwrites, "GC101", "T13"),
    (PickColumnsOverwrites, "GC101", "T14"),
    (RecurrenceCarriesTooLate, "GC101", "T17"),
    (OncePerForwardWithoutOuter, "GC101", "T24"),
]

RIGHT = [Correlate, NeighbourMax, PickColumns, Recurrence, OncePerForward]
