"""The twin of `engine_right`: each node has one defect."""

import numpy as np


class Variable:
    __array_priority__ = 200

    def __init__(self, data):
        if not isinstance(data, np.ndarray):
            raise TypeError(f"{type(data)} is not supported")
        self.data = data
        self.grad = None
        self.creator = None

    def backward(self):
        if self.grad is None:
            self.grad = Variable(np.ones_like(self.data))
        nodes = [self.creator]
        while nodes:
            node = nodes.pop()
            grads = node.backward(*[y.grad for y in node.outputs])
            for x, g in zip(node.inputs, grads if isinstance(grads, tuple) else (grads,)):
                x.grad = g if x.grad is None else x.grad + g
                if x.creator is not None:
                    nodes.append(x.creator)

    def __add__(self, other):
        return Add()(self, other)

    def __mul__(self, other):
        return Mul()(self, other)

    def __neg__(self):
        return Neg()(self)


def as_array(x):
    return x if isinstance(x, np.ndarray) else np.array(x)


class Node:
    def __call__(self, *inputs):
        ys = self.forward(*[x.data for x in inputs])
        self.inputs = inputs
        self.outputs = [Variable(as_array(y)) for y in (ys if isinstance(ys, tuple) else (ys,))]
        for y in self.outputs:
            y.creator = self
        return self.outputs[0] if len(self.outputs) == 1 else self.outputs

    def forward(self, *xs):
        raise NotImplementedError

    def backward(self, *gys):
        raise NotImplementedError


class Add(Node):
    def forward(self, a, b):
        return a + b

    def backward(self, gy):
        return gy, -gy


class Mul(Node):
    def forward(self, a, b):
        return a * b

    def backward(self, gy):
        a, b = self.inputs
        return gy * a, gy * b


class Neg(Node):
    def forward(self, x):
        return -x

    def backward(self, gy):
        return gy


class Square(Node):
    def forward(self, x):
        return x**2

    def backward(self, gy):
        x = self.inputs[0]
        return x * gy


class Scale(Node):
    def __init__(self, factor):
        self.factor = factor

    def forward(self, x):
        return self.factor * x

    def backward(self, gy):
        gy = gy * gy * Variable(np.array(self.factor))
        return gy
