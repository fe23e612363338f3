"""The twins of `classes_right`, each with one defect."""

import numpy as np


class LinearFprop:
    def __init__(self, in_dim, out_dim):
        self.W = np.random.randn(in_dim, out_dim)
        self.b = np.zeros(out_dim)

    def fprop(self, x):
        self.x = x
        return x @ self.W + self.b

    def bprop(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return 2 * dy @ self.W.T


class TanhPass:
    def forward_pass(self, z):
        self.a = np.tanh(z)
        return self.a

    def backward_pass(self, grad):
        return grad * (1 - self.a)


class SoftplusProp:
    def forward_propagation(self, x):
        self.x = x
        return np.log1p(np.exp(x))

    def backward_propagation(self, err):
        return err / (1 + np.exp(self.x))


class ScaleCalled:
    def __init__(self, gamma):
        self.gamma = gamma

    def __call__(self, x):
        self.x = x
        return self.gamma * x

    def backward(self, dout):
        self.dgamma = dout.sum(axis=0)
        return dout * self.gamma


class SigmoidGradient:
    def __call__(self, x):
        return 1 / (1 + np.exp(-x))

    def gradient(self, x):
        p = self(x)
        return p * (1 + p)


class TanhDerivative:
    def activate(self, z):
        return np.tanh(z)

    def derivative(self, z):
        return 1 - np.tanh(z)


class TanhOfOutput:
    def fn(self, x):
        return np.tanh(x)

    def grad(self, a):
        return 1 + a**2


class SigmoidPrime:
    @staticmethod
    def f(z):
        return 1 / (1 + np.exp(-z))

    @staticmethod
    def prime(z):
        s = SigmoidPrime.f(z)
        return -s * (1 - s)


class SwishStateless:
    def forward(self, x):
        return x / (1 + np.exp(-x))

    def backward(self, x):
        s = 1 / (1 + np.exp(-x))
        return s + s * (1 - s)


class SquareLoss:
    def loss(self, y, y_pred):
        return 0.5 * np.power(y - y_pred, 2)

    def gradient(self, y, y_pred):
        return y - y_pred


class MeanSquare:
    def loss(self, y_pred, y_true):
        return np.mean((y_pred - y_true) ** 2)

    def gradient(self, y_pred, y_true):
        return 2 * (y_pred + y_true) / y_pred.size


class SquareCost:
    @staticmethod
    def fn(a, t):
        return 0.5 * np.sum((a - t) ** 2)

    @staticmethod
    def delta(a, t):
        return (a - t) * a


class SquareThrough:
    def loss(self, y, y_pred):
        return 0.5 * np.sum((y_pred - y) ** 2)

    def grad(self, y, y_pred, z, act_fn):
        return 2 * (y_pred - y) * act_fn.grad(z)


class DenseLeft:
    def __init__(self, n_inputs, n_neurons):
        self.weights = 0.1 * np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.dot(inputs, self.weights) + self.biases

    def backward(self, dvalues):
        self.dweights = np.dot(self.inputs.T, dvalues)
        self.dbiases = np.sum(dvalues, axis=1, keepdims=True)
        self.dinputs = np.dot(dvalues, self.weights.T)


class ReluLeft:
    def forward(self, inputs):
        self.inputs = inputs
        self.output = np.maximum(0, inputs)

    def backward(self, dvalues):
        self.dinputs = dvalues
        self.dinputs[self.inputs <= 0] = 0


class SoftmaxLeft:
    def forward(self, inputs):
        e = np.exp(inputs - np.max(inputs, axis=1, keepdims=True))
        self.output = e / np.sum(e, axis=1, keepdims=True)

    def backward(self, dvalues):
        self.dinputs = np.empty_like(dvalues)
        for k, (y, g) in enumerate(zip(self.output, dvalues, strict=True)):
            y = y.reshape(-1, 1)
            self.dinputs[k] = np.dot(np.diagflat(y), g)


class SquareAgain:
    def forward(self, y_pred, y_true):
        return np.mean((y_true - y_pred) ** 2, axis=-1)

    def backward(self, dvalues, y_true):
        self.dinputs = -2 * y_true / len(dvalues[0]) / len(dvalues)


class AbsoluteAgain:
    def forward(self, y_pred, y_true):
        return np.sum(np.abs(y_true - y_pred))

    def backward(self, y_pred, y_true):
        return np.sign(y_true - y_pred)


class SquareKept:
    def forward(self, y_pred, y_true):
        self.y_pred, self.y_true = y_pred, y_true
        return np.mean((y_pred - y_true) ** 2)

    def backward(self):
        self.dinputs = (self.y_pred - self.y_true) / self.y_pred.size


class HandsOn:
    def forward(self, *args, **kwargs):
        return self.value(*args, **kwargs)

    def backward(self, *args, **kwargs):
        return self.slope(*args, **kwargs)


class SquareHandedOn(HandsOn):
    def value(self, x, y):
        return 0.5 * np.sum((x - y) ** 2)

    def slope(self, x, y):
        return y - x


class DenseTable:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.randn(n_in, n_out)}

    def forward(self, x):
        return x @ self.params["W"], {}

    def backward(self, x, cache, upstream, gradients):
        gradients["W"] = 2 * x.T @ upstream
        return upstream @ self.params["W"].T


class DenseStep:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)
        self.b = np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout, lr):
        self.W -= lr * self.x.T @ dout
        self.b = self.b - lr * dout.sum(axis=0)
        return dout @ self.W.T


class DenseOptimized:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)

    def forward_pass(self, x):
        self.x = x
        return x @ self.W

    def backward_pass(self, accum_grad, optimizer):
        W = self.W
        self.W = optimizer.update(self.W, 2 * self.x.T @ accum_grad)
        return accum_grad @ W.T


class TwoLayerModel:
    def __init__(self, input_size, hidden_size, output_size):
        self.params = {
            "W1": np.random.randn(input_size, hidden_size),
            "b1": np.zeros(hidden_size),
            "W2": np.random.randn(hidden_size, output_size),
        }

    def loss(self, x, t):
        h = np.tanh(x @ self.params["W1"] + self.params["b1"])
        return 0.5 * np.sum((h @ self.params["W2"] - t) ** 2) / len(x)

    def gradient(self, x, t):
        h = np.tanh(x @ self.params["W1"] + self.params["b1"])
        d = (h @ self.params["W2"] - t) / len(x)
        dh = (d @ self.params["W2"].T) * (1 - h)
        return {"W1": x.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ d}
