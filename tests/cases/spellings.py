"""Right layers in the spellings of the wild, with the signature that is to be found for each; imported by the tests."""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Elementwise:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


class Rows:
    """Samples are rows; the constructor makes the weights from sizes."""

    def __init__(self, in_features, out_features):
        self.W = np.random.randn(in_features, out_features)  # noqa: NPY002
        self.b = np.zeros((1, out_features))

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0, keepdims=True)
        return dout @ self.W.T


class Columns:
    """Samples are columns; the constructor takes the weights."""

    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, a_prev):
        self.x = a_prev
        return self.W @ a_prev + self.b

    def backward(self, dz):
        self.dW, self.db = dz @ self.x.T, dz.sum(1, keepdims=True)
        return self.W.T @ dz


class GivenToForward:
    def forward(self, x, w, b):
        return x @ w + b, (x, w)

    def backward(self, dout, cache):
        x, w = cache
        return dout @ w.T, x.T @ dout, dout.sum(0)


class Letters:
    """``b`` beside ``a`` is no bias, and ``t`` beside both no target."""

    def forward(self, a, b, t):
        self.a, self.b, self.t = a, b, t
        return a + t * (b - a)

    def backward(self, dout):
        return dout * (1 - self.t), dout * self.t, dout * (self.b - self.a)


class LSTM:
    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x, h_prev, c_prev):
        self.x, self.h, self.c = x, h_prev, c_prev
        f, g, i, o = np.split(x @ self.Wx + h_prev @ self.Wh + self.b, 4, axis=1)
        self.gates = f, g, i, o = sigmoid(f), np.tanh(g), sigmoid(i), sigmoid(o)
        c = f * c_prev + g * i
        self.tanh_c = np.tanh(c)
        return o * self.tanh_c, c

    def backward(self, dh, dc):
        f, g, i, o = self.gates
        ds = dc + dh * o * (1 - self.tanh_c**2)
        parts = ds * self.c * f * (1 - f), ds * i * (1 - g**2), ds * g * i * (1 - i), dh * self.tanh_c * o * (1 - o)
        da = np.hstack(parts)
        self.dWx, self.dWh, self.db = self.x.T @ da, self.h.T @ da, da.sum(0)
        return da @ self.Wx.T, da @ self.Wh.T, ds * f


class Attention:
    def forward(self, q, k, v):
        self.q, self.k, self.v = q, k, v
        s = q @ k.swapaxes(-1, -2)
        if s.ndim != 3:
            raise ValueError("one matrix for each sample")
        e = np.exp(s - s.max(-1, keepdims=True))
        self.a = e / e.sum(-1, keepdims=True)
        return self.a @ v

    def backward(self, dout):
        da = dout @ self.v.swapaxes(-1, -2)
        ds = self.a * (da - (da * self.a).sum(-1, keepdims=True))
        return ds @ self.k, ds.swapaxes(-1, -2) @ self.q, self.a.swapaxes(-1, -2) @ dout


class Heads:
    """Features that must be divisible by the number of heads."""

    def __init__(self, embed_dim, num_heads):
        if embed_dim % num_heads:
            raise ValueError("embed_dim must be divisible by num_heads")
        self.heads = num_heads

    def forward(self, x):
        n, t, d = x.shape
        parts = x.reshape(n, t, self.heads, d // self.heads)
        self.parts, self.shape = parts, x.shape
        return (parts**2).sum(-1)

    def backward(self, dout):
        return (2 * self.parts * dout[..., None]).reshape(self.shape)


class Pool:
    """Mean pooling with a stride and padding of its own, both of which have defaults."""

    def __init__(self, pool_h, pool_w, stride=1, pad=0):
        self.kh, self.kw, self.stride, self.pad = pool_h, pool_w, stride, pad

    def windows(self, shape):
        for i in range((shape[2] - self.kh) // self.stride + 1):
            for j in range((shape[3] - self.kw) // self.stride + 1):
                h, w = i * self.stride, j * self.stride
                yield i, j, (slice(None), slice(None), slice(h, h + self.kh), slice(w, w + self.kw))

    def forward(self, x):
        n, c, h, w = x.shape
        p = self.pad
        padded = np.pad(x, ((0, 0), (0, 0), (p, p), (p, p)))
        self.shape = padded.shape
        out = np.zeros((n, c, (h + 2 * p - self.kh) // self.stride + 1, (w + 2 * p - self.kw) // self.stride + 1))
        for i, j, window in self.windows(self.shape):
            out[:, :, i, j] = padded[window].mean((2, 3))
        return out

    def backward(self, dout):
        dx, p = np.zeros(self.shape), self.pad
        for i, j, window in self.windows(self.shape):
            dx[window] += dout[:, :, i, j][..., None, None] / (self.kh * self.kw)
        return dx[:, :, p : self.shape[2] - p, p : self.shape[3] - p]


class ChannelsLast:
    def __init__(self, in_channels, filters, kernel_size):
        self.k = kernel_size
        self.W = np.random.randn(kernel_size, kernel_size, in_channels, filters)  # noqa: NPY002

    def forward(self, x):
        self.x = x
        m, h, w, _ = x.shape
        k = self.k
        out = np.zeros((m, h - k + 1, w - k + 1, self.W.shape[-1]))
        for i in range(h - k + 1):
            for j in range(w - k + 1):
                out[:, i, j] = np.tensordot(x[:, i : i + k, j : j + k], self.W, 3)
        return out

    def backward(self, dout):
        k = self.k
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.W)
        for i in range(dout.shape[1]):
            for j in range(dout.shape[2]):
                dx[:, i : i + k, j : j + k] += np.tensordot(dout[:, i, j], self.W, (1, 3))
                self.dW += np.tensordot(self.x[:, i : i + k, j : j + k], dout[:, i, j], (0, 0))
        return dx


class Embedding:
    def __init__(self, vocab_size=10_000, embed_dim=500):
        self.W = np.random.randn(vocab_size, embed_dim)  # noqa: NPY002

    def forward(self, idx):
        self.idx = idx
        return self.W[idx]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.idx, dout)


class Picked:
    """Rows of a table, picked by a second input."""

    def __init__(self, W):
        self.W = W

    def forward(self, h, idx):
        self.h, self.idx, self.rows = h, idx, self.W[idx]
        return (self.rows * h).sum(1)

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.idx, dout[:, None] * self.h)
        return dout[:, None] * self.rows


class CrossEntropy:
    def forward(self, logits, labels):
        e = np.exp(logits - logits.max(1, keepdims=True))
        self.p, self.labels = e / e.sum(1, keepdims=True), labels
        return -np.log(self.p[np.arange(len(labels)), labels]).mean()

    def backward(self):
        d = self.p.copy()
        d[np.arange(len(self.labels)), self.labels] -= 1
        return d / len(self.labels)


class TargetsFirst:
    def forward(self, y_true, y_pred):
        self.t, self.p = y_true, np.clip(y_pred, 1e-12, 1 - 1e-12)
        return -np.mean(self.t * np.log(self.p) + (1 - self.t) * np.log(1 - self.p))

    def backward(self):
        return ((1 - self.t) / (1 - self.p) - self.t / self.p) / self.t.size


class Halves:
    def forward(self, x):
        a, b = np.split(x, 2, axis=-1)
        self.a, self.s = a, sigmoid(b)
        return a * self.s

    def backward(self, dout):
        return np.concatenate((dout * self.s, dout * self.a * self.s * (1 - self.s)), axis=-1)


class LogDet:
    def forward(self, A):
        self.A = A
        return np.linalg.slogdet(A)[1]

    def backward(self, dout):
        return dout * np.linalg.inv(self.A).T


class TrainingOff:
    """Normalises only in training, which is off unless it is asked for."""

    def forward(self, x, training=False):
        if not training:
            return x
        self.inv = 1 / np.sqrt(x.var(0) + 1e-3)
        self.xn = (x - x.mean(0)) * self.inv
        return self.xn

    def backward(self, dout):
        return self.inv * (dout - dout.mean(0) - self.xn * (dout * self.xn).mean(0))


SIGNATURES = {
    Elementwise: "(n,i)->(n,i)",
    Rows: "(n,i)->(n,o)",
    Columns: "(i,n),(o,i),(o,1)->(o,n)",
    GivenToForward: "(n,i),(i,o),(o)->(n,o)",
    Letters: "(n,i),(n,i),(n,i)->(n,i)",
    LSTM: "(n,i),(n,o),(n,o),(i,4*o),(o,4*o),(4*o)->(n,o),(n,o)",
    Attention: "(n,t,i),(n,s,i),(n,s,o)->(n,t,o)",
    Heads: "(n,t,2*i)->(n,t,d2)",
    Pool: "(n,c,h,w)->(n,c,d2,d3)",
    ChannelsLast: "(n,h,w,c)->(n,d1,d2,o)",
    Embedding: "(n,t)->(n,t,o)",
    Picked: "(n,i),(n),(o,i)->(n)",
    CrossEntropy: "(n,i),(n)->()",
    TargetsFirst: "(n,i),(n,i)->()",
    Halves: "(n,2*i)->(n,i)",
    LogDet: "(i,i)->()",
    TrainingOff: "(n,i)->(n,i)",
}
