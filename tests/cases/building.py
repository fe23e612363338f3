"""Right layers that are hard to build or to call, with the signature that is to be found; imported by the tests."""

import numpy as np


def softmax(s):
    e = np.exp(s - s.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


class SmallDefaults:
    def __init__(self, n_in=3, n_out=2):
        self.W, self.b = np.random.randn(n_in, n_out), np.zeros(n_out)  # noqa: NPY002

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, d):
        self.dW, self.db = self.x.T @ d, d.sum(0)
        return d @ self.W.T


class TupleDefault:
    def __init__(self, sizes=(5, 4)):
        self.W = np.random.randn(*sizes)  # noqa: NPY002

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.dW = self.x.T @ d
        return d @ self.W.T


class SpokenRefusal:
    """Says what it expected, and got, in words of its own."""

    def __init__(self, dim=4):
        self.dim, self.gamma = dim, np.ones(dim)

    def forward(self, x):
        if x.shape[-1] != self.dim:
            raise ValueError(f"expected last dimension {self.dim}, got {x.shape[-1]}")
        self.x = x
        return self.gamma * x**2

    def backward(self, d):
        self.dgamma = (d * self.x**2).reshape(-1, self.dim).sum(0)
        return 2 * d * self.gamma * self.x


class SilentAssert:
    def __init__(self, width=5):
        self.width, self.beta = width, np.zeros(width)

    def forward(self, x):
        assert x.ndim == 3
        assert x.shape[2] == self.width
        return np.tanh(x) + self.beta + 0 * self.keep(x)

    def keep(self, x):
        self.x = x
        return x

    def backward(self, d):
        self.dbeta = d.sum((0, 1))
        return d / np.cosh(self.x) ** 2


class FlatImage:
    def __init__(self, channels, h, w, units):
        self.W = np.random.randn(channels * h * w, units)  # noqa: NPY002

    def forward(self, image):
        n, _, _, _ = self.shape = image.shape
        self.flat = image.reshape(n, -1)
        return self.flat @ self.W

    def backward(self, d):
        self.dW = self.flat.T @ d
        return (d @ self.W.T).reshape(self.shape)


class Unflatten:
    def __init__(self, c, h, w):
        self.chw = c, h, w

    def forward(self, x):
        self.shape = x.shape
        return 2.0 * x.reshape(len(x), *self.chw)

    def backward(self, d):
        return 2.0 * d.reshape(self.shape)


class Bilinear:
    def __init__(self, in1, in2, out):
        self.W = np.random.randn(out, in1, in2)  # noqa: NPY002

    def forward(self, x1, x2):
        self.x1, self.x2 = x1, x2
        return np.einsum("ni,oij,nj->no", x1, self.W, x2)

    def backward(self, d):
        self.dW = np.einsum("no,ni,nj->oij", d, self.x1, self.x2)
        return np.einsum("no,oij,nj->ni", d, self.W, self.x2), np.einsum("no,oij,ni->nj", d, self.W, self.x1)


class NoName:
    """Its sizes have names that say nothing: that it need not be square must be found out."""

    def __init__(self, foo, bar):
        self.K = np.random.randn(foo, bar)  # noqa: NPY002

    def forward(self, signal):
        self.s = signal
        return signal @ self.K

    def backward(self, g):
        self.dK = self.s.T @ g
        return g @ self.K.T


class Head:
    """One causal head of attention, with small sizes by default."""

    def __init__(self, n_embd=4, head_size=3):
        self.Wq, self.Wv = np.random.randn(n_embd, head_size), np.random.randn(n_embd, head_size)  # noqa: NPY002

    def forward(self, x):
        _, t, _ = x.shape
        self.x, self.q, self.v = x, x @ self.Wq, x @ self.Wv
        self.a = softmax(np.where(np.tri(t), self.q @ self.q.transpose(0, 2, 1), -1e9))
        return self.a @ self.v

    def backward(self, d):
        da, dv = d @ self.v.transpose(0, 2, 1), self.a.transpose(0, 2, 1) @ d
        ds = self.a * (da - (da * self.a).sum(-1, keepdims=True))
        dq = (ds + ds.transpose(0, 2, 1)) @ self.q
        self.dWq, self.dWv = (np.einsum("nti,nto->io", self.x, g) for g in (dq, dv))
        return dq @ self.Wq.T + dv @ self.Wv.T


class Masked:
    def forward(self, q, k, v, mask):
        self.q, self.k, self.v = q, k, v
        self.a = softmax(np.where(mask == 0, -1e9, q @ k.transpose(0, 2, 1)))
        return self.a @ v

    def backward(self, d):
        da = d @ self.v.transpose(0, 2, 1)
        ds = self.a * (da - (da * self.a).sum(-1, keepdims=True))
        return ds @ self.k, ds.transpose(0, 2, 1) @ self.q, self.a.transpose(0, 2, 1) @ d


class Word:
    def __init__(self, kind):
        if kind not in {"square", "cube"}:
            raise KeyError(kind)
        self.power = 2 if kind == "square" else 3

    def forward(self, x):
        self.x = x
        return x**self.power

    def backward(self, d):
        return d * self.power * self.x ** (self.power - 1)


class Pair:
    def __init__(self, size):
        self.rows, self.columns = size

    def forward(self, x):
        _, _, _, _ = x.shape
        return x.repeat(self.rows, 2).repeat(self.columns, 3)

    def backward(self, d):
        n, c, h, w = d.shape
        return d.reshape(n, c, h // self.rows, self.rows, w // self.columns, self.columns).sum((3, 5))


class Wrapper:
    """Adds what an inner layer gives to its input."""

    def __init__(self, layer):
        self.layer = layer

    def forward(self, x):
        return x + self.layer.forward(x)

    def backward(self, d):
        return d + self.layer.backward(d)


class Chain:
    def __init__(self, layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, d):
        for layer in reversed(self.layers):
            d = layer.backward(d)
        return d


class Clumsy:
    """Wrong, and needs nothing to be built: no wrapper may be blamed for it."""

    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, d):
        d[~self.mask] = 0
        return -d


class Functions:
    def __init__(self, activation, activation_prime):
        self.activation, self.activation_prime = activation, activation_prime

    def forward(self, x):
        self.x = x
        return self.activation(x)

    def backward(self, d):
        return d * self.activation_prime(self.x)


class Passed:
    """Only its call below says what it takes."""

    def __init__(self, width, how, spread):
        if how != "".join(("wi", "de")):
            raise ValueError(how)
        self.W = np.random.randn(width, spread[0] * spread[1])  # noqa: NPY002

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.dW = self.x.T @ d
        return d @ self.W.T


def network():
    return [Passed(4, "wide", spread=(2, 3))]


class Built:
    def __init__(self, units):
        self.units = units

    def build(self, input_shape):
        self.W = np.random.randn(input_shape[-1], self.units)  # noqa: NPY002

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, d):
        self.dW = self.x.T @ d
        return d @ self.W.T


class ToldItsShape:
    def __init__(self, n_units):
        self.n_units = n_units

    def set_input_shape(self, shape):
        self.input_shape = shape

    def initialize(self, optimizer):
        self.W = np.random.randn(self.input_shape[0], self.n_units)  # noqa: NPY002

    def forward(self, X):
        self.X = X
        return X @ self.W

    def backward(self, d):
        self.dW = self.X.T @ d
        return d @ self.W.T


class WeightNorm:
    """``V`` is an array here, no vocabulary, and ``g`` has one number for each of its columns."""

    def __init__(self, V, g):
        self.V, self.g = V, g

    def forward(self, x):
        self.x, self.n = x, np.linalg.norm(self.V, axis=0, keepdims=True)
        return x @ (self.g * self.V / self.n)

    def backward(self, d):
        dW, u = self.x.T @ d, self.V / self.n
        along = (dW * u).sum(0)
        self.dg, self.dV = along, self.g / self.n * (dW - u * along)
        return d @ (self.g * u).T


class Picked:
    """The loss of one sample, whose class is one whole number."""

    def forward(self, logits, label):
        assert logits.ndim == 1
        self.p, self.label = softmax(logits), label
        return -np.log(self.p[label])

    def backward(self):
        d = self.p.copy()
        d[self.label] -= 1
        return d


class Hinge:
    def forward(self, scores, y):
        assert set(np.unique(y)) <= {-1, 1}, "labels must be -1 or 1"
        self.y, self.inside = y, 1 - y * scores > 0
        return np.maximum(0, 1 - y * scores).mean()

    def backward(self):
        return -self.y * self.inside / self.y.size


class Outer:
    def forward(self, u, v):
        self.u, self.v = u, v
        return np.outer(u, v)

    def backward(self, d):
        return d @ self.v, d.T @ self.u


FOUND = {
    SmallDefaults: "(n,i)->(n,o)",
    TupleDefault: "(n,i)->(n,4)",
    SpokenRefusal: "(n,i)->(n,i)",
    SilentAssert: "(n,t,i)->(n,t,i)",
    FlatImage: "(n,c,h,w)->(n,p)",
    Unflatten: "(n,c,h,w)->(n,c,h,w)",
    Bilinear: "(n,i),(n,p)->(n,o)",
    NoName: "(n,i)->(n,o)",
    Head: "(n,t,i)->(n,t,o)",
    Masked: "(n,t,i),(n,s,i),(n,s,o),(n,t,s)->(n,t,o)",
    Word: "(n,i)->(n,i)",
    Pair: "(n,c,h,w)->(n,c,d2,d3)",
    Wrapper: "(n,i)->(n,i)",
    Chain: "(n,i)->(n,i)",
    Functions: "(n,i)->(n,i)",
    Passed: "(n,i)->(n,6)",
    Built: "(n,i)->(n,o)",
    ToldItsShape: "(n,i)->(n,o)",
    WeightNorm: "(n,i),(i,o),(o)->(n,o)",
    Picked: "(i),()->()",
    Hinge: "(n,i),(n,i)->()",
    Outer: "(i),(o)->(i,o)",
}
