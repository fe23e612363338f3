"""Products, quotients and sums, wrong and right: two inputs, or one input and a parameter per feature."""

import numpy as np


class Mul:
    """Right."""

    def forward(self, x, y):
        self.x = x
        self.y = y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class MulSwapped(Mul):
    """Each operand gets its own value as its slope instead of the other's."""

    def backward(self, dout):
        return dout * self.x, dout * self.y


class MulForgetsSecond(Mul):
    """One gradient for two inputs."""

    def backward(self, dout):
        return dout * self.y


class MulWritesInput(Mul):
    """The second gradient is computed in the caller's x, which forward kept by reference."""

    def backward(self, dout):
        dx = dout * self.y
        self.x *= dout
        return dx, self.x.copy()


class Div:
    """Right."""

    def forward(self, x, y):
        self.y = y
        self.out = x / y
        return self.out

    def backward(self, dout):
        dx = dout / self.y
        return dx, -dx * self.out


class DivWithoutMinus(Div):
    """The quotient rule without its minus sign."""

    def backward(self, dout):
        dx = dout / self.y
        return dx, dx * self.out


class Add:
    """Right, though odd: dout itself is handed on, twice."""

    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout


class AddNoneForSecond(Add):
    """There is no gradient for the second input, although it is a float array."""

    def backward(self, dout):
        return dout, None


class Scale:
    """Right: one factor per feature."""

    def __init__(self, gamma):
        self.gamma = gamma
        self.dgamma = None

    def forward(self, x):
        self.x = x
        return x * self.gamma

    def backward(self, dout):
        self.dgamma = np.sum(dout * self.x, axis=0)
        return dout * self.gamma


class ScaleUnsummed(Scale):
    """Broadcasting is not undone: the gradient has the shape of x instead of that of gamma."""

    def backward(self, dout):
        self.dgamma = dout * self.x
        return dout * self.gamma


class ScaleAveraged(Scale):
    """The samples are averaged for gamma, where they must be added up, and the same is done to x."""

    def backward(self, dout):
        self.dgamma = np.mean(dout * self.x, axis=0)
        return dout * self.gamma / len(dout)


class BiasAccumulating:
    """Right, though odd: the gradient of the bias is added to what is there, as for gradient accumulation."""

    def __init__(self, b):
        self.b = b
        self.db = np.zeros_like(b)

    def forward(self, x):
        return x + self.b

    def backward(self, dout):
        self.db += dout.sum(axis=0)
        return dout.copy()


class BiasWritesParameter(BiasAccumulating):
    """The gradient is added to the bias itself."""

    def backward(self, dout):
        self.db = dout.sum(axis=0)
        self.b += self.db
        return dout.copy()


FAULTY = [
    (MulSwapped, "GC101", "T09"),
    (MulForgetsSecond, "GC105", "T21"),
    (MulWritesInput, "GC202", "T18"),
    (DivWithoutMinus, "GC101", "T03"),
    (AddNoneForSecond, "GC102", "T21"),
    (ScaleUnsummed, "GC103", "T07"),
    (ScaleAveraged, "GC101", "T06"),
    (BiasWritesParameter, "GC202", "T24"),
]

RIGHT = [Mul, Div, Add, Scale, BiasAccumulating]
