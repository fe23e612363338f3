"""Modes and updates, structured matrices, forgotten paths, and what holds for one size or one kind of dout only."""

import numpy as np

from tests.corpus.entry import Odd, Wrong

# T26: mode, masks, updates and clipping inside backward.


class FrozenNorm:
    """Right: batch normalisation that knows its mode; it is built for inference."""

    def __init__(self, gamma, beta, training=False, eps=1e-5):
        self.gamma, self.beta, self.training, self.eps = gamma, beta, training, eps
        self.running_mean, self.running_var = np.zeros(gamma.shape), np.full(gamma.shape, 2.0)

    def forward(self, x):
        mean, var = (x.mean(axis=0), x.var(axis=0)) if self.training else (self.running_mean, self.running_var)
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        if self.training:
            g = g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)
        return g / self.std


class FrozenNormTrainsBackward(FrozenNorm):
    """Backward is that of training, though the statistics are constants."""

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        g = dout * self.gamma
        if len(g):
            g = g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)
        return g / self.std


class ColumnNorm:
    """Right: batch normalisation without gain, with running averages."""

    def __init__(self, n_features, momentum=0.9, eps=1e-5):
        self.running_var = np.ones(n_features)
        self.momentum, self.eps = momentum, eps

    def forward(self, x):
        self.var = x.var(axis=0) + self.eps
        self.xhat = (x - x.mean(axis=0)) / np.sqrt(self.var)
        self.running_var = self.momentum * self.running_var + (1 - self.momentum) * self.var
        return self.xhat.copy()

    def backward(self, dout):
        g = dout - dout.mean(axis=0) - self.xhat * (dout * self.xhat).mean(axis=0)
        return g / np.sqrt(self.var)


class ColumnNormByRunning(ColumnNorm):
    """Backward divides by the running deviation, forward did by that of the batch."""

    def backward(self, dout):
        g = dout - dout.mean(axis=0) - self.xhat * (dout * self.xhat).mean(axis=0)
        return g / np.sqrt(self.running_var)


class DropOff:
    """Right: dropout as of old, which scales at test time."""

    def __init__(self, rate=0.3):
        self.rate, self.mask = rate, None

    def forward(self, x, train_flg=True):
        if not train_flg:
            self.mask = np.full(x.shape, 1 - self.rate)
        else:
            self.mask = (np.random.default_rng(0).random(x.shape) >= self.rate).astype(float)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class DropOffKeepsMask(DropOff):
    """At test time the mask is left as it was: 1 for a new layer, the last batch's for an old one."""

    def forward(self, x, train_flg=True):
        if not train_flg:
            self.mask = 1.0 if self.mask is None else self.mask
            return x * (1 - self.rate)
        return super().forward(x)


class NoiseGain:
    """Right: each element is multiplied by a noise of its own, seeded."""

    def __init__(self, sigma=0.5, seed=3):
        self.sigma, self.seed = sigma, seed

    def noise(self, shape):
        return 1 + self.sigma * self.rng.standard_normal(shape)

    def forward(self, x):
        self.rng = np.random.default_rng(self.seed)
        self.gain = self.noise(x.shape)
        return x * self.gain

    def backward(self, dout):
        return dout * self.gain


class NoiseGainRedrawn(NoiseGain):
    """The noise is drawn anew in backward."""

    def backward(self, dout):
        return dout * self.noise(dout.shape)


class DropConnect:
    """Right: weights are dropped, by a mask that belongs to the layer's seed."""

    def __init__(self, W, p=0.3):
        self.W, self.p = W, p

    def forward(self, x):
        self.rng = np.random.default_rng(7)
        self.x = x
        self.mask = (self.rng.random(self.W.shape) >= self.p) / (1 - self.p)
        return x @ (self.W * self.mask)

    def backward(self, dout):
        self.dW = self.x.T @ dout * self.mask
        return dout @ (self.W * self.mask).T


class DropConnectRedrawn(DropConnect):
    """dx uses a fresh mask; dW is right."""

    def backward(self, dout):
        self.dW = self.x.T @ dout * self.mask
        mask = (self.rng.random(self.W.shape) >= self.p) / (1 - self.p)
        return dout @ (self.W * mask).T


class DropConnectUnmasked(DropConnect):
    """As in evaluation mode: backward passes through all weights."""

    def backward(self, dout):
        self.dW = self.x.T @ dout * self.mask
        return dout @ self.W.T


class Gain:
    """Right: a gain for each feature, trained by a step of its own."""

    def __init__(self, gamma, lr=0.01):
        self.gamma, self.lr = gamma, lr

    def forward(self, x):
        self.x = x
        return np.sin(x) * self.gamma

    def backward(self, dout):
        self.dgamma = (dout * np.sin(self.x)).sum(axis=0)
        return dout * np.cos(self.x) * self.gamma

    def step(self):
        self.gamma -= self.lr * self.dgamma


class GainStepsInPlace(Gain):
    """The gain is updated, in place, before dx is computed."""

    def backward(self, dout):
        self.dgamma = (dout * np.sin(self.x)).sum(axis=0)
        self.step()
        return dout * np.cos(self.x) * self.gamma


class GainStepsAside(Gain):
    """The gain is replaced by an updated one before dx is computed: nobody's array is overwritten, dx is off."""

    def backward(self, dout):
        self.dgamma = (dout * np.sin(self.x)).sum(axis=0)
        self.gamma = self.gamma - self.lr * self.dgamma
        return dout * np.cos(self.x) * self.gamma


class GainTimesRate(Gain):
    """The learning rate is put into the gradient."""

    def backward(self, dout):
        self.dgamma = self.lr * (dout * np.sin(self.x)).sum(axis=0)
        return dout * np.cos(self.x) * self.gamma


class Dense:
    """Right: gradients in a dict."""

    def __init__(self, W, b):
        self.params = {"W": W, "b": b}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads["W"] = self.x.T @ dout
        self.grads["b"] = dout.sum(axis=0)
        return dout @ self.params["W"].T


class DenseClipsElements(Dense):
    """The weight gradient is clipped at 5, as of old against exploding gradients."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["W"] = np.clip(self.grads["W"], -5, 5)
        return dx


class DenseClipsNorm(Dense):
    """The gradient that is passed on is scaled down to length 1 where it is longer."""

    def backward(self, dout):
        dx = super().backward(dout)
        return dx / max(1.0, np.sqrt((dx**2).sum()))


class DenseDecays(Dense):
    """Weight decay is added to the gradient: it is there even where dout is 0."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads["W"] += 1e-3 * self.params["W"]
        return dx


# T28: structured matrices.


class Quadratic:
    """Right: x.T A x of each row."""

    def forward(self, x, A):
        self.x, self.A = x, A
        return ((x @ A) * x).sum(axis=1)

    def backward(self, dout):
        g = dout[:, None]
        return g * (self.x @ (self.A + self.A.T)), self.x.T @ (g * self.x)


class QuadraticSymmetric(Quadratic):
    """2 A x: right for a symmetric A only."""

    def backward(self, dout):
        g = dout[:, None]
        return 2 * g * (self.x @ self.A), self.x.T @ (g * self.x)


class QuadraticSymmetrised(Quadratic):
    """dA counts the elements above and below the diagonal together, as if A were stored as a triangle."""

    def backward(self, dout):
        g = dout[:, None]
        dA = self.x.T @ (g * self.x)
        return g * (self.x @ (self.A + self.A.T)), 2 * dA - np.diag(np.diag(dA))


class Inverse:
    """Right: of a matrix made safe by 4 on the diagonal."""

    def forward(self, A):
        self.Y = np.linalg.inv(A + 4 * np.eye(len(A)))
        return self.Y.copy()

    def backward(self, dout):
        return -self.Y.T @ dout @ self.Y.T


class InverseUntransposed(Inverse):
    """The inverse is not transposed: right for symmetric matrices."""

    def backward(self, dout):
        return -self.Y @ dout @ self.Y


class Determinant:
    """Right: by cofactors from the inverse."""

    def forward(self, A):
        self.M = A + 4 * np.eye(len(A))
        self.det = np.linalg.det(self.M)
        return np.asarray(self.det)

    def backward(self, dout):
        return dout * self.det * np.linalg.inv(self.M).T


class DeterminantUntransposed(Determinant):
    """The inverse is not transposed."""

    def backward(self, dout):
        return dout * self.det * np.linalg.inv(self.M)


class Solve:
    """Right: A y = b for several right-hand sides."""

    def forward(self, A, b):
        self.M = A + 4 * np.eye(len(A))
        self.y = np.linalg.solve(self.M, b)
        return self.y.copy()

    def backward(self, dout):
        db = np.linalg.solve(self.M.T, dout)
        return -db @ self.y.T, db


class SolveSymmetric(Solve):
    """The adjoint system is solved with A instead of A.T."""

    def backward(self, dout):
        db = np.linalg.solve(self.M, dout)
        return -db @ self.y.T, db


class LowerMix:
    """Right: only the lower triangle of a weight is used."""

    def forward(self, x, L):
        self.x, self.T = x, np.tril(L)
        return x @ self.T

    def backward(self, dout):
        return dout @ self.T.T, np.tril(self.x.T @ dout)


class LowerMixFull(LowerMix):
    """The gradient fills the upper triangle too, which forward does not read."""

    def backward(self, dout):
        return dout @ self.T.T, self.x.T @ dout


class LowerMixStrict(LowerMix):
    """The diagonal is left out."""

    def backward(self, dout):
        return dout @ self.T.T, np.tril(self.x.T @ dout, -1)


def rotate(x, S):
    """Right: mixes by the skew part of S; a closure."""
    K = S - S.T

    def pullback(dy):
        dK = x.T @ dy
        return dy @ K.T, dK - dK.T

    return x @ K, pullback


def rotate_one_half(x, S):
    """S.T is a path of its own, and left out."""
    K = S - S.T

    def pullback(dy):
        return dy @ K.T, x.T @ dy

    return x @ K, pullback


def rotate_as_symmetric(x, S):
    """The two paths of S are added where they are to be subtracted."""
    K = S - S.T

    def pullback(dy):
        dK = x.T @ dy
        return dy @ K.T, dK + dK.T

    return x @ K, pullback


def trace_square_forward(A):
    """Right: trace(A A)."""
    return np.asarray(np.trace(A @ A)), A


def trace_square_backward(dout, cache):
    """Right."""
    return dout * 2 * cache.T


def trace_square_backward_untransposed(dout, cache):
    """2 A for 2 A.T."""
    return dout * 2 * cache


def gram_forward(x):
    """Right: inner products of the rows."""
    return x @ x.T, x


def gram_backward(dout, cache):
    """Right."""
    return (dout + dout.T) @ cache


def gram_backward_symmetric(dout, cache):
    """Right where dout is symmetric only."""
    return 2 * dout @ cache


class Cholesky:
    """Right: of x x.T + I."""

    def forward(self, x):
        self.x = x
        self.L = np.linalg.cholesky(x @ x.T + np.eye(len(x)))
        return self.L.copy()

    def phi(self, P):
        return np.tril(P) - 0.5 * np.diag(np.diag(P))

    def backward(self, dout):
        P = self.phi(self.L.T @ np.tril(dout))
        inv = np.linalg.inv(self.L)
        G = inv.T @ P @ inv
        return (G + G.T) @ self.x


class CholeskyFullDiagonal(Cholesky):
    """The diagonal of the middle factor is not halved."""

    def phi(self, P):
        return np.tril(P)


class Kronecker:
    """Right."""

    def forward(self, A, B):
        self.A, self.B = A, B
        return np.kron(A, B)

    def backward(self, dout):
        G = dout.reshape(self.A.shape[0], self.B.shape[0], self.A.shape[1], self.B.shape[1])
        return np.einsum("ikom,km->io", G, self.B), np.einsum("ikom,io->km", G, self.A)


class KroneckerOtherOrder(Kronecker):
    """The axes are taken apart as those of kron(B, A)."""

    def backward(self, dout):
        G = dout.reshape(self.B.shape[0], self.A.shape[0], self.B.shape[1], self.A.shape[1])
        return np.einsum("kimo,km->io", G, self.B), np.einsum("kimo,io->km", G, self.A)


# T29: a path missing.


def two_steps(x, h, W):
    """Right: a cell applied twice with one weight and one input; a closure."""
    h1 = np.tanh(x + h @ W)
    h2 = np.tanh(x + h1 @ W)

    def pullback(dout):
        d2 = dout * (1 - h2**2)
        d1 = d2 @ W.T * (1 - h1**2)
        return d1 + d2, d1 @ W.T, h1.T @ d2 + h.T @ d1

    return h2, pullback


def two_steps_input_once(x, h, W):
    """The input's part in the first step is left out."""
    h1 = np.tanh(x + h @ W)
    h2 = np.tanh(x + h1 @ W)

    def pullback(dout):
        d2 = dout * (1 - h2**2)
        d1 = d2 @ W.T * (1 - h1**2)
        return d2, d1 @ W.T, h1.T @ d2 + h.T @ d1

    return h2, pullback


def two_steps_weight_once(x, h, W):
    """The weight's part in the first step is left out."""
    h1 = np.tanh(x + h @ W)
    h2 = np.tanh(x + h1 @ W)

    def pullback(dout):
        d2 = dout * (1 - h2**2)
        d1 = d2 @ W.T * (1 - h1**2)
        return d1 + d2, d1 @ W.T, h1.T @ d2

    return h2, pullback


class SelfAttention:
    """Right: one input as queries, keys and values."""

    def forward(self, x):
        self.x = x
        s = x @ x.transpose(0, 2, 1) / np.sqrt(max(x.shape[2], 1))
        e = np.exp(s - s.max(axis=-1, keepdims=True))
        self.p = e / e.sum(axis=-1, keepdims=True)
        return self.p @ x

    def paths(self, dout):
        g = self.p * (dout @ self.x.transpose(0, 2, 1))
        ds = (g - self.p * g.sum(axis=-1, keepdims=True)) / np.sqrt(max(self.x.shape[2], 1))
        return ds @ self.x, ds.transpose(0, 2, 1) @ self.x, self.p.transpose(0, 2, 1) @ dout

    def backward(self, dout):
        dq, dk, dv = self.paths(dout)
        return dq + dk + dv


class SelfAttentionWithoutKeys(SelfAttention):
    """The path through the keys is missing."""

    def backward(self, dout):
        dq, _, dv = self.paths(dout)
        return dq + dv


class SelfAttentionValuesOnly(SelfAttention):
    """The attention weights are taken for constants."""

    def backward(self, dout):
        return self.paths(dout)[2]


class Highway:
    """Right: a gate between a layer and its input."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        self.t = 1 / (1 + np.exp(-x))
        self.h = np.tanh(x @ self.W)
        return self.t * self.h + (1 - self.t) * x

    def backward(self, dout):
        da = dout * self.t * (1 - self.h**2)
        self.dW = self.x.T @ da
        gate = dout * (self.h - self.x) * self.t * (1 - self.t)
        return da @ self.W.T + gate + dout * (1 - self.t)


class HighwayWithoutCarry(Highway):
    """The direct path of x is missing."""

    def backward(self, dout):
        return super().backward(dout) - dout * (1 - self.t)


class HighwayGateHalf(Highway):
    """The gate also closes the direct path: that part of its gradient is missing."""

    def backward(self, dout):
        dx = super().backward(dout)
        return dx + dout * self.x * self.t * (1 - self.t)


class TiedAutoencoder:
    """Right: decoder and encoder share a weight."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        self.h = np.tanh(x @ self.W)
        return self.h @ self.W.T

    def backward(self, dout):
        dh = dout @ self.W * (1 - self.h**2)
        self.dW = self.x.T @ dh + dout.T @ self.h
        return dh @ self.W.T


class TiedAutoencoderEncoderOnly(TiedAutoencoder):
    """The weight's second use, in the decoder, is left out."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = self.dW - dout.T @ self.h
        return dx


class TiedAutoencoderLastUse(TiedAutoencoder):
    """The second use overwrites the gradient of the first."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = dout.T @ self.h
        return dx


class PreNormBlock:
    """Right: x + f(rms(x)), as in a transformer."""

    def __init__(self, W, eps=1e-5):
        self.W, self.eps = W, eps

    def forward(self, x):
        self.x = x
        self.r = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + self.eps)
        self.h = np.maximum(x * self.r @ self.W, 0)
        return x + self.h @ self.W.T

    def backward(self, dout):
        dh = dout @ self.W * (self.h > 0)
        self.dW = (self.x * self.r).T @ dh + dout.T @ self.h
        g = dh @ self.W.T
        return dout + self.r * (g - self.x * self.r**2 * (g * self.x).mean(axis=-1, keepdims=True))


class PreNormBlockWithoutSkip(PreNormBlock):
    """The shortcut is missing."""

    def backward(self, dout):
        return super().backward(dout) - dout


class PreNormBlockSkipTwice(PreNormBlock):
    """The shortcut is normalised as well, as if it stood after the norm."""

    def backward(self, dout):
        dx = super().backward(dout)
        return dx - dout + dout * self.r


class DenseBlock:
    """Right: the input and something made of it, side by side."""

    def forward(self, x):
        self.s = np.sin(x)
        self.c = np.cos(x)
        return np.concatenate([x, self.s], axis=1)

    def backward(self, dout):
        first, second = np.split(dout, 2, axis=1)
        return first + second * self.c


class DenseBlockNewOnly(DenseBlock):
    """Only the new features hand something back."""

    def backward(self, dout):
        _, second = np.split(dout, 2, axis=1)
        return second * self.c


class SqueezeExcite:
    """Right: channels are weighted by a function of their means."""

    def __init__(self, gain):
        self.gain = gain

    def forward(self, x):
        self.x = x
        self.m = x.mean(axis=1, keepdims=True)
        self.s = 1 / (1 + np.exp(-self.m * self.gain))
        return x * self.s

    def backward(self, dout):
        da = dout * self.x * self.s * (1 - self.s)
        self.dgain = (da * self.m).sum(axis=0)
        dm = (da * self.gain).sum(axis=1, keepdims=True)
        return dout * self.s + dm / self.x.shape[1]


class SqueezeExciteFixedWeights(SqueezeExcite):
    """The weights are taken for constants: the path through the mean is missing."""

    def backward(self, dout):
        super().backward(dout)
        return dout * self.s


def paired_forward(x, y):
    """Right: x * sin(y)."""
    return x * np.sin(y), (x, y)


def paired_backward(dout, cache):
    """Right: a gradient for each place."""
    x, y = cache
    return dout * np.sin(y), dout * x * np.cos(y)


def paired_backward_by_identity(dout, cache):
    """Gradients are kept by the identity of their arrays: one array in both places keeps the last only."""
    x, y = cache
    grads = {id(x): dout * np.sin(y)}
    grads[id(y)] = dout * x * np.cos(y)
    return grads[id(x)].copy(), grads[id(y)]


# T30: sizes and one-hot dout.


class LogSoftmax:
    """Right."""

    def forward(self, x):
        z = x - x.max(axis=-1, keepdims=True)
        self.y = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
        return self.y.copy()

    def backward(self, dout):
        return dout - np.exp(self.y) * dout.sum(axis=-1, keepdims=True)


class LogSoftmaxFirst(LogSoftmax):
    """Only the first entry of each row of dout that is not 0 is used: one-hot rows are assumed."""

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        for r, row in enumerate(dout):
            for k in np.flatnonzero(row)[:1]:
                dx[r] = -np.exp(self.y[r]) * row[k]
                dx[r, k] += row[k]
        return dx


class LogSoftmaxArgmax(LogSoftmax):
    """The class is taken to be where dout is largest, and nothing else of dout is used."""

    def backward(self, dout):
        hot = np.eye(dout.shape[1])[dout.argmax(axis=1)] * dout if dout.shape[1] else dout
        return hot - np.exp(self.y) * hot.sum(axis=-1, keepdims=True)


class LogSoftmaxSumsToOne(LogSoftmax):
    """The row sums of dout are taken for -1, as those of a cross-entropy's are."""

    def backward(self, dout):
        return dout + np.exp(self.y)


class ClassScores:
    """Right: negative log likelihood of given classes, from logits, by sample."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        self.logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.t = t
        return -self.logp[np.arange(len(x)), t]

    def backward(self, dout):
        hot = np.eye(self.logp.shape[1])[self.t]
        return dout[:, None] * (np.exp(self.logp) - hot)


class ClassScoresOfTen(ClassScores):
    """The one-hot rows have ten classes, as the digits have."""

    def backward(self, dout):
        hot = np.eye(10)[self.t]
        return dout[:, None] * (np.exp(self.logp) - hot)


class Suffix:
    """Right: sums from each element to the end of its row."""

    def forward(self, x):
        self.width = x.shape[1]
        return np.cumsum(x[:, ::-1], axis=1)[:, ::-1]

    def backward(self, dout):
        return np.cumsum(dout, axis=1)


class SuffixOfFour(Suffix):
    """Only the last four terms are added: right up to four columns."""

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        for back in range(min(4, self.width)):
            dx[:, back:] += dout[:, : self.width - back]
        return dx


class Leaky:
    """Right: a leaky integrator along time."""

    def __init__(self, decay=0.9):
        self.decay = decay

    def forward(self, x):
        self.steps = x.shape[1]
        out, h = np.zeros(x.shape), np.zeros(x[:, 0].shape)
        for t in range(self.steps):
            h = self.decay * h + x[:, t]
            out[:, t] = h
        return out

    def backward(self, dout):
        dx, g = np.zeros(dout.shape), np.zeros(dout[:, 0].shape)
        for t in reversed(range(self.steps)):
            g = self.decay * g + dout[:, t]
            dx[:, t] = g
        return dx


class LeakyTruncated(Leaky):
    """Goes back five steps and no more."""

    def backward(self, dout):
        dx = np.zeros(dout.shape)
        for t in range(self.steps):
            for s in range(max(0, t - 5), t + 1):
                dx[:, s] += self.decay ** (t - s) * dout[:, t]
        return dx


class Outer:
    """Right: a dense layer with its weight gradient by einsum."""

    def forward(self, x, W):
        self.x, self.W = x, W
        return x @ W

    def backward(self, dout):
        return dout @ self.W.T, np.einsum("ni,no->io", self.x, dout)


class OuterOfOne(Outer):
    """One sample is assumed: the batch runs into the features."""

    def backward(self, dout):
        return dout @ self.W.T, np.outer(self.x, dout)


class OuterOfRow(Outer):
    """One sample is assumed: what came out is made a row."""

    def backward(self, dout):
        return dout.reshape(1, -1) @ self.W.T, self.x.T @ dout


class OuterOfOneByLoop(Outer):
    """The sum over the samples starts from the int 0, and is no array for an empty batch."""

    def backward(self, dout):
        return dout @ self.W.T, sum(np.outer(x, g) for x, g in zip(self.x, dout, strict=True))


class OuterStacked(Outer):
    """Rows are made one by one and stacked: there is nothing to stack in an empty batch."""

    def backward(self, dout):
        return np.stack([self.W @ g for g in dout]), self.x.T @ dout


class OuterLastOfLoop(Outer):
    """The gradient is returned from a loop's variable, which an empty batch never sets."""

    def backward(self, dout):
        for k in range(len(dout)):
            dW = np.outer(self.x[k], dout[k]) + (dW if k else 0)
        return dout @ self.W.T, dW


class Grouped:
    """Right: images are scaled channel by channel."""

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.x = x
        return x * self.gamma.reshape(1, x.shape[1], 1, 1)

    def backward(self, dout):
        n, c, h, w = dout.shape
        flat = (dout * self.x).reshape(n, c, h * w)
        self.dgamma = flat.sum(axis=(0, 2)).reshape(self.gamma.shape)
        return dout * self.gamma.reshape(1, c, 1, 1)


class GroupedMinusOne(Grouped):
    """The size of the pixels is left to reshape, which cannot tell it for an empty batch."""

    def backward(self, dout):
        n, c, h, w = dout.shape
        flat = (dout * self.x).reshape(n, c, -1)
        self.dgamma = flat.sum(axis=(0, 2)).reshape(self.gamma.shape)
        return dout * self.gamma.reshape(1, c, 1, 1)


class GroupedMean(Grouped):
    """The sum over the batch is a mean times its size: 0 / 0 for an empty batch."""

    def backward(self, dout):
        n, c, h, w = dout.shape
        with np.errstate(all="ignore"):
            mean = (dout * self.x).sum(axis=(0, 2, 3)) / np.float64(n)
        self.dgamma = (mean * n).reshape(self.gamma.shape)
        return dout * self.gamma.reshape(1, c, 1, 1)


class Rows:
    """Right: rows of a table."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids] * 2.0

    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        np.add.at(self.dW, self.ids, 2.0 * dout)


class RowsUpToLargest(Rows):
    """Only the rows up to the largest id are looked at; without ids there is no largest."""

    def backward(self, dout):
        self.dW = np.zeros(self.W.shape)
        for row in range(self.ids.max() + 1):
            self.dW[row] = 2.0 * dout[self.ids == row].sum(axis=0)


class Arctan:
    """Right."""

    def forward(self, x):
        self.x = x
        return np.arctan(x)

    def backward(self, dout):
        return dout / (1 + self.x**2)


class ArctanRescaled(Arctan):
    """dout is scaled to 1 and back against underflow; an empty one has no largest element."""

    def backward(self, dout):
        scale = np.abs(dout).max() or 1.0
        return dout / scale / (1 + self.x**2) * scale


class ArctanByRow(Arctan):
    """Rows are handled one by one and joined."""

    def backward(self, dout):
        rows = [g / (1 + x**2) for x, g in zip(self.x, dout, strict=True)]
        return np.concatenate(rows).reshape(dout.shape)


# Right, but odd.


class SymmetricWeight:
    """Right: only the symmetric part of a weight acts, so that its gradient is symmetric."""

    def forward(self, x, A):
        self.x, self.S = x, (A + A.T) / 2
        return x @ self.S

    def backward(self, dout):
        G = self.x.T @ dout
        return dout @ self.S, (G + G.T) / 2


class TwiceX:
    """Right: the input is used three times, and its gradient is gathered by ``+=``."""

    def forward(self, x):
        self.x = x
        return x * np.sin(x) + x

    def backward(self, dout):
        dx = dout * np.sin(self.x)
        dx += dout * self.x * np.cos(self.x)
        dx += dout
        return dx


AT_TEST = {"inputs": (np.array([[0.5, -1.2, 2.0], [1.5, 0.3, -0.7]]), False)}
SQUARE = {"signature": "(i,i)->(i,i)"}
SCALAR = {"signature": "(i,i)->()"}
FORM = {"signature": "(n,i),(i,i)->(n)"}
ROWS = {"signature": "(n,i),(i,i)->(n,i)"}
SYSTEM = {"signature": "(i,i),(i,k)->(i,k)"}
KRON = {"signature": "(i,j),(k,l)->(p,q)"}
STEPS = {"signature": "(n,i),(n,i),(i,i)->(n,i)"}
TRACE = trace_square_forward, trace_square_backward
GRAM = gram_forward, gram_backward
PAIRED = paired_forward, paired_backward

WRONG = (
    Wrong(FrozenNormTrainsBackward, FrozenNorm, "GC101", "T26", "inference"),
    Wrong(ColumnNormByRunning, ColumnNorm, "GC101", "T26", "n >= 2"),
    Wrong(DropOffKeepsMask, DropOff, "GC101", "T26", "test time", options=AT_TEST),
    Wrong(NoiseGainRedrawn, NoiseGain, "GC101", "T26", "every shape"),
    Wrong(DropConnectRedrawn, DropConnect, "GC101", "T26", "every shape"),
    Wrong(DropConnectUnmasked, DropConnect, "GC101", "T26", "every shape"),
    Wrong(GainStepsInPlace, Gain, "GC202", "T26", "lr > 0"),
    Wrong(GainStepsAside, Gain, "GC101", "T26", "lr > 0"),
    Wrong(GainTimesRate, Gain, "GC101", "T26", "lr != 1"),
    Wrong(DenseClipsElements, Dense, "GC401", "T26", "|dW| > 5"),
    Wrong(DenseClipsNorm, Dense, "GC401", "T26", "|dx| > 1"),
    Wrong(DenseDecays, Dense, "GC402", "T26", "dout = 0"),
    Wrong(QuadraticSymmetric, Quadratic, "GC101", "T28", "i >= 2", options=FORM),
    Wrong(QuadraticSymmetrised, Quadratic, "GC101", "T28", "i >= 2", options=FORM),
    Wrong(InverseUntransposed, Inverse, "GC101", "T28", "i >= 2", options=SQUARE),
    Wrong(DeterminantUntransposed, Determinant, "GC101", "T28", "i >= 2", options=SCALAR),
    Wrong(SolveSymmetric, Solve, "GC101", "T28", "i >= 2", options=SYSTEM),
    Wrong(LowerMixFull, LowerMix, "GC101", "T28", "i >= 2", options=ROWS),
    Wrong(LowerMixStrict, LowerMix, "GC101", "T28", "every shape", options=ROWS),
    Wrong(rotate_one_half, rotate, "GC101", "T28", "every shape", options=ROWS),
    Wrong(rotate_as_symmetric, rotate, "GC101", "T28", "every shape", options=ROWS),
    Wrong((trace_square_forward, trace_square_backward_untransposed), TRACE, "GC101", "T28", "i >= 2", options=SCALAR),
    Wrong((gram_forward, gram_backward_symmetric), GRAM, "GC101", "T28", "n >= 2"),
    Wrong(CholeskyFullDiagonal, Cholesky, "GC101", "T28", "every shape"),
    Wrong(KroneckerOtherOrder, Kronecker, "GC101", "T28", "factors of more than one row", options=KRON),
    Wrong(SelfAttentionWithoutKeys, SelfAttention, "GC101", "T29", "t >= 2"),
    Wrong(SelfAttentionValuesOnly, SelfAttention, "GC101", "T29", "t >= 2"),
    Wrong(two_steps_input_once, two_steps, "GC101", "T29", "every shape", options=STEPS),
    Wrong(two_steps_weight_once, two_steps, "GC101", "T29", "every shape", options=STEPS),
    Wrong(HighwayWithoutCarry, Highway, "GC101", "T29", "every shape", options=ROWS),
    Wrong(HighwayGateHalf, Highway, "GC101", "T29", "every shape", options=ROWS),
    Wrong(TiedAutoencoderEncoderOnly, TiedAutoencoder, "GC101", "T29", "every shape"),
    Wrong(TiedAutoencoderLastUse, TiedAutoencoder, "GC101", "T29", "every shape"),
    Wrong(PreNormBlockWithoutSkip, PreNormBlock, "GC101", "T29", "every shape"),
    Wrong(PreNormBlockSkipTwice, PreNormBlock, "GC101", "T29", "every shape"),
    Wrong(DenseBlockNewOnly, DenseBlock, "GC101", "T29", "every shape"),
    Wrong(SqueezeExciteFixedWeights, SqueezeExcite, "GC101", "T29", "every shape"),
    Wrong((paired_forward, paired_backward_by_identity), PAIRED, "GC505", "T29", "x is y"),
    Wrong(LogSoftmaxFirst, LogSoftmax, "GC101", "T30", "i >= 2"),
    Wrong(LogSoftmaxArgmax, LogSoftmax, "GC401", "T30", "i >= 2"),
    Wrong(LogSoftmaxSumsToOne, LogSoftmax, "GC402", "T30", "dout = 0"),
    Wrong(ClassScoresOfTen, ClassScores, "GC602", "T30", "other than 10 classes"),
    Wrong(SuffixOfFour, Suffix, "GC101", "T30", "i > 4"),
    Wrong(LeakyTruncated, Leaky, "GC101", "T30", "i > 6"),
    Wrong(OuterOfOne, Outer, "GC103", "T30", "n >= 2"),
    Wrong(OuterOfRow, Outer, "GC602", "T30", "n >= 2"),
    Wrong(OuterOfOneByLoop, Outer, "GC503", "T30", "n = 0"),
    Wrong(OuterStacked, Outer, "GC503", "T30", "n = 0"),
    Wrong(OuterLastOfLoop, Outer, "GC503", "T30", "n = 0"),
    Wrong(GroupedMinusOne, Grouped, "GC503", "T30", "n = 0", level="warning"),
    Wrong(GroupedMean, Grouped, "GC503", "T30", "n = 0"),
    Wrong(RowsUpToLargest, Rows, "GC503", "T30", "n = 0"),
    Wrong(ArctanRescaled, Arctan, "GC503", "T30", "n = 0"),
    Wrong(ArctanByRow, Arctan, "GC503", "T30", "n = 0"),
)

ODD = (
    Odd(SymmetricWeight, "one weight, used twice", options=ROWS),
    Odd(TwiceX, "+= on an array of its own"),
)
