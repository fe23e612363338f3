"""Layers spelled as functions, in the ways in which the wild spells them; each is right."""

import numpy as np

# Pairs with a cache.


def affine_forward(x, w, b):
    out = x.reshape(len(x), -1) @ w + b
    return out, (x, w, b)


def affine_backward(dout, cache):
    x, w, _ = cache
    dx = (dout @ w.T).reshape(x.shape)
    dw = x.reshape(len(x), -1).T @ dout
    db = dout.sum(axis=0)
    return dx, dw, db


def relu_fwd(x):
    return np.maximum(x, 0), x


def relu_bwd(dout, cache):
    return dout * (cache > 0)


def forward_tanh(x):
    y = np.tanh(x)
    return y, y


def backward_tanh(dy, y):
    return dy * (1 - y**2)


def square_prop(x):
    return x**2, x


def square_backprop(delta, x):
    return 2 * delta * x


def scaleForward(x, gamma):
    return x * gamma, (x, gamma)


def scaleBackward(dout, cache):
    x, gamma = cache
    return dout * gamma, np.sum(dout * x, axis=0)


def linear_forward(A, W, b):
    """Samples are columns."""
    Z = W @ A + b
    return Z, (A, W, b)


def linear_backward(dZ, cache):
    A_prev, W, _ = cache
    m = A_prev.shape[1]
    dW = dZ @ A_prev.T / m
    db = np.sum(dZ, axis=1, keepdims=True) / m
    dA_prev = W.T @ dZ
    return dA_prev, dW, db


def elu(Z):
    return np.where(Z > 0, Z, np.exp(np.minimum(Z, 0)) - 1)


def elu_backward(dA, Z):
    return dA * np.where(Z > 0, 1, np.exp(np.minimum(Z, 0)))


def norm_forward(x, gamma, beta, bn_param):
    mode, eps = bn_param["mode"], bn_param.get("eps", 1e-5)
    if mode == "test":
        return x, None
    mu, var = x.mean(axis=0), x.var(axis=0)
    hat = (x - mu) / np.sqrt(var + eps)
    return gamma * hat + beta, (hat, gamma, np.sqrt(var + eps))


def norm_backward(dout, cache):
    hat, gamma, std = cache
    n = len(dout)
    dbeta = dout.sum(axis=0)
    dgamma = (dout * hat).sum(axis=0)
    dx = gamma / (n * std) * (n * dout - dbeta - hat * dgamma)
    return dx, dgamma, dbeta


def max_pool_forward_fast(x, pool_param):
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    n, c, H, W = x.shape
    rows, columns = 1 + (H - h) // s, 1 + (W - w) // s
    out = np.zeros((n, c, rows, columns))
    for i in range(rows):
        for j in range(columns):
            out[:, :, i, j] = x[:, :, i * s : i * s + h, j * s : j * s + w].max(axis=(2, 3))
    return out, (x, pool_param)


def max_pool_backward_fast(dout, cache):
    x, pool_param = cache
    h, w, s = pool_param["pool_height"], pool_param["pool_width"], pool_param["stride"]
    dx = np.zeros_like(x)
    n, c, rows, columns = dout.shape
    for k in range(n):
        for m in range(c):
            for i in range(rows):
                for j in range(columns):
                    window = x[k, m, i * s : i * s + h, j * s : j * s + w]
                    a, b = np.unravel_index(window.argmax(), window.shape)
                    dx[k, m, i * s + a, j * s + b] += dout[k, m, i, j]
    return dx


def rnn_step_forward(x, prev_h, Wx, Wh, b):
    next_h = np.tanh(x @ Wx + prev_h @ Wh + b)
    return next_h, (x, prev_h, Wx, Wh, next_h)


def rnn_step_backward(dnext_h, cache):
    x, prev_h, Wx, Wh, next_h = cache
    dz = dnext_h * (1 - next_h**2)
    return dz @ Wx.T, dz @ Wh.T, x.T @ dz, prev_h.T @ dz, dz.sum(axis=0)


def gate_forward(x, h0, Wx, Wh, b):
    """A cell with two gates of its own, over time."""
    h, steps, out = h0, [], []
    for t in range(x.shape[1]):
        a = x[:, t] @ Wx + h @ Wh + b
        new = np.tanh(a)
        steps.append((h, new))
        h = new
        out.append(h)
    return np.stack(out, axis=1), (x, Wx, Wh, steps)


def gate_backward(dh, cache):
    x, Wx, Wh, steps = cache
    dx, dWx, dWh, db = np.zeros_like(x), np.zeros_like(Wx), np.zeros_like(Wh), np.zeros(Wx.shape[1])
    dprev = np.zeros_like(dh[:, 0])
    for t in reversed(range(x.shape[1])):
        before, new = steps[t]
        da = (dh[:, t] + dprev) * (1 - new**2)
        dx[:, t] = da @ Wx.T
        dWx += x[:, t].T @ da
        dWh += before.T @ da
        db += da.sum(axis=0)
        dprev = da @ Wh.T
    return dx, dprev, dWx, dWh, db


# Values and derivatives.


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def sigmoid_derivative(a):
    return a * (1 - a)


def softplus(z):
    return np.logaddexp(0, z)


def softplus_prime(z):
    return sigmoid(z)


def swish(x):
    return x * sigmoid(x)


def dswish(x):
    s = sigmoid(x)
    return s + x * s * (1 - s)


def leaky_relu(x, alpha=0.1):
    return np.where(x > 0, x, alpha * x)


def grad_leaky_relu(x, alpha=0.1):
    return np.where(x > 0, 1, alpha)


def arctan(x):
    return np.arctan(x)


def arctan_backward(x):
    return 1 / (1 + x**2)


identity = lambda x: x  # noqa: E731 - as the wild writes it
d_identity = lambda x: 1  # noqa: E731


def softsign(x, deriv=False):
    if deriv:
        return 1 / (1 + np.abs(x)) ** 2
    return x / (1 + np.abs(x))


def hyperbolic(x, derivative=False):
    """The derivative is given the output, as in many a network of eleven lines."""
    if derivative:
        return 1 - x**2
    return np.tanh(x)


def softmax(x):
    e = np.exp(x - np.max(x, axis=-1, keepdims=True))
    return e / np.sum(e, axis=-1, keepdims=True)


def softmax_jacobian(x):
    s = softmax(x).reshape(-1, 1)
    return np.diagflat(s) - s @ s.T


# Losses.


def mse(y_true, y_pred):
    return np.mean((y_pred - y_true) ** 2)


def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_true.size


def cross_entropy(y, t):
    return -np.sum(t * np.log(y))


def cross_entropy_derivative(y, t):
    return -t / y


def squared_loss(y, t):
    return 0.5 * np.sum((y - t) ** 2, axis=1)


def squared_loss_gradient(y, t):
    return y - t


def rosenbrock(x):
    return np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rosenbrock_grad(x):
    g = np.zeros_like(x)
    g[1:] += 200 * (x[1:] - x[:-1] ** 2)
    g[:-1] += -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    return g


# Value and gradient at once.


def softmax_loss(x, y):
    p = softmax(x)
    n = len(x)
    loss = -np.sum(np.log(p[np.arange(n), y])) / n
    dx = p.copy()
    dx[np.arange(n), y] -= 1
    return loss, dx / n


def svm_loss_vectorized(W, X, y, reg):
    scores = X @ W
    n = len(X)
    right = scores[np.arange(n), y][:, None]
    margins = np.maximum(0, scores - right + 1)
    margins[np.arange(n), y] = 0
    loss = margins.sum() / n + reg * np.sum(W * W)
    counts = (margins > 0).astype(float)
    counts[np.arange(n), y] -= counts.sum(axis=1)
    dW = X.T @ counts / n + 2 * reg * W
    return loss, dW


def quartic(x):
    value = np.sum(x**4) / 4
    grad = x**3
    return value, grad


# Closures.


def exponential(x):
    y = np.exp(x)

    def backprop(dy):
        return dy * y

    return y, backprop


def product(a, b):
    return a * b, lambda dout: (dout * b, dout * a)


def Dense(nI, nO):
    W = np.random.randn(nI, nO)  # noqa: NPY002
    b = np.zeros(nO)

    def forward(X):
        def backprop(dY):
            return dY @ W.T, X.T @ dY, dY.sum(axis=0)

        return X @ W + b, backprop

    return forward


def Affinity(gamma, beta):
    def forward(x):
        def backward(dout):
            return dout * gamma, {"gamma": (dout * x).sum(axis=0), "beta": dout.sum(axis=0)}

        return x * gamma + beta, backward

    return forward


class Maxout:
    def __init__(self, nO, nI):
        self.W = np.random.randn(2, nI, nO)  # noqa: NPY002
        self.d_W = np.zeros((2, nI, nO))

    def begin_update(self, X):
        both = np.stack([X @ self.W[0], X @ self.W[1]])
        first = both[0] > both[1]

        def finish_update(dY):
            parts = np.stack([dY * first, dY * ~first])
            self.d_W = np.stack([X.T @ part for part in parts])
            return parts[0] @ self.W[0].T + parts[1] @ self.W[1].T

        return np.where(first, both[0], both[1]), finish_update
