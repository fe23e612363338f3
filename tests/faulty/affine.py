"""Matrix products, wrong and right, in the spellings in which people write them."""

import numpy as np


class Affine:
    """Right: parameters given, gradients as ``dW`` and ``db``."""

    def __init__(self, W, b):
        self.W = W
        self.b = b
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class AffineUnsummedBias(Affine):
    """The bias was added to every sample, but its gradient is not summed over them."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout
        return dx


class AffineBiasOverFeatures(Affine):
    """The bias gradient is summed over the features; only for n = o does it even have the right shape."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout.sum(axis=1)
        return dx


class AffineBiasOfFirstSample(Affine):
    """The bias gradient is that of the first sample."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout[0].copy()
        return dx


class AffineNoWeightGradient(Affine):
    """The weight gradient stays None."""

    def backward(self, dout):
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class AffineWeightFromDx(Affine):
    """The new dx stands where the old x belongs."""

    def backward(self, dout):
        dx = dout @ self.W.T
        self.dW = dx.T @ dout
        self.db = dout.sum(axis=0)
        return dx


class AffineGuessesOrientation(Affine):
    """Takes W or its transpose, whichever fits; where W is square, both do."""

    def backward(self, dout):
        super().backward(dout)
        fits = dout.shape[1] == self.W.shape[0]
        return dout @ (self.W if fits else self.W.T)


class AffineUpdatesFirst(Affine):
    """A gradient step is taken inside backward, and before W is used for dx."""

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        self.W -= 0.1 * self.dW
        return dout @ self.W.T


class AffineOfThree:
    """Right, though odd: W and B are given to the constructor and to forward, as in the notebook."""

    def __init__(self, W, B):
        self.W = W
        self.B = B
        self.dW = None
        self.dB = None

    def forward(self, X, W, B):
        self.X = X
        self.W = W
        self.B = B
        return np.dot(X, W) + B

    def backward(self, dout):
        self.dB = np.sum(dout, axis=0)
        self.dW = np.dot(self.X.T, dout)
        return np.dot(dout, self.W.T)


class AffineOfThreeWeightFromDx(AffineOfThree):
    """The weight gradient is a product with the new dX, and not even transposed (the notebook's third bug)."""

    def backward(self, dout):
        self.dB = np.sum(dout, axis=0)
        dX = np.dot(dout, self.W.T)
        self.dW = np.dot(dX, dout)
        return dX


class Linear:
    """Right: sizes given, drawn with a seed, ``params`` and ``grads`` are dicts with the same keys."""

    def __init__(self, in_features, out_features, seed=0):
        rng = np.random.default_rng(seed)
        self.params = {"W": rng.normal(size=(in_features, out_features)), "b": rng.normal(size=out_features)}
        self.grads = {}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dout):
        self.grads = {"W": self.x.T @ dout, "b": dout.sum(axis=0)}
        return dout @ self.params["W"].T


class LinearWithoutBiasKey(Linear):
    """The dict of gradients lacks the bias."""

    def backward(self, dout):
        self.grads = {"W": self.x.T @ dout}
        return dout @ self.params["W"].T


class Dense:
    """Right: ``params`` and ``grads`` are lists in the same order."""

    def __init__(self, n_in, n_out, seed=0):
        rng = np.random.default_rng(seed)
        self.params = [rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)]
        self.grads = [np.zeros((n_in, n_out)), np.zeros(n_out)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return x @ W + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0] = self.x.T @ dout
        self.grads[1] = dout.sum(axis=0)
        return dout @ W.T


class DenseGradientsSwapped(Dense):
    """The list of gradients is in another order than the list of parameters."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.grads = [self.grads[1], self.grads[0]]
        return dx


class DenseAccumulating:
    """Right, though odd: gradients are added to what is there, until somebody zeroes them."""

    def __init__(self, in_features, out_features, seed=0):
        rng = np.random.default_rng(seed)
        self.W = rng.normal(size=(in_features, out_features))
        self.b = np.zeros(out_features)
        self.dW = np.zeros_like(self.W)
        self.db = np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


class DenseFloat32:
    """Right, though odd: whatever comes in, all is computed in float32."""

    def __init__(self, in_features, out_features, seed=0):
        rng = np.random.default_rng(seed)
        self.W = rng.normal(size=(in_features, out_features)).astype(np.float32)
        self.b = np.zeros(out_features, dtype=np.float32)
        self.dW = None
        self.db = None

    def forward(self, x):
        self.x = x.astype(np.float32)
        return self.x @ self.W.astype(np.float32) + self.b.astype(np.float32)

    def backward(self, dout):
        dout = dout.astype(np.float32)
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.astype(np.float32).T


class MatMul:
    """Right: two inputs, both gradients returned."""

    def forward(self, x, W):
        self.x = x
        self.W = W
        return x @ W

    def backward(self, dout):
        return dout @ self.W.T, self.x.T @ dout


class MatMulSwapped(MatMul):
    """The gradients come back in the wrong order."""

    def backward(self, dout):
        dx, dW = super().backward(dout)
        return dW, dx


class UnitColumns:
    """Right: a linear map whose columns are scaled to length one before use."""

    def __init__(self, W):
        self.W = W
        self.dW = None

    def forward(self, x):
        self.x = x
        self.length = np.sqrt((self.W**2).sum(axis=0))
        self.V = self.W / self.length
        return x @ self.V

    def backward(self, dout):
        dV = self.x.T @ dout
        self.dW = (dV - self.V * (self.V * dV).sum(axis=0)) / self.length
        return dout @ self.V.T


class UnitColumnsInPlace(UnitColumns):
    """Forward scales the caller's W in place."""

    def forward(self, x):
        self.x = x
        self.length = np.sqrt((self.W**2).sum(axis=0))
        self.W /= self.length
        self.V = self.W.copy()
        return x @ self.V


class UnitColumnsFixedLength(UnitColumns):
    """The length is treated as if it did not depend on W."""

    def backward(self, dout):
        self.dW = self.x.T @ dout / self.length
        return dout @ self.V.T


FAULTY = [
    (AffineUnsummedBias, "GC103", "T06"),
    (AffineBiasOverFeatures, "GC103", "T08"),
    (AffineBiasOfFirstSample, "GC101", "T06"),
    (AffineNoWeightGradient, "GC102", "T21"),
    (AffineWeightFromDx, "GC101", "T09"),
    (AffineGuessesOrientation, "GC101", "T11"),
    (AffineUpdatesFirst, "GC202", "T26"),
    (AffineOfThreeWeightFromDx, "GC101", "T09"),
    (LinearWithoutBiasKey, "GC102", "T21"),
    (DenseGradientsSwapped, "GC103", "T21"),
    (MatMulSwapped, "GC103", "T21"),
    (UnitColumnsInPlace, "GC203", "T18"),
    (UnitColumnsFixedLength, "GC101", "T15"),
]

RIGHT = [Affine, AffineOfThree, Linear, Dense, DenseAccumulating, DenseFloat32, MatMul, UnitColumns]
