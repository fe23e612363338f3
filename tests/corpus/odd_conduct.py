"""Right layers whose conduct looks odd: accumulation, aliasing, generators, state, refusals, containers."""

import abc
import random
import threading
from collections import namedtuple
from dataclasses import dataclass, field
from enum import Enum
from functools import reduce

import numpy as np

from tests.corpus.entry import Odd

# Gradients that accumulate on the layer: all of them.


class LinearAccumulates:
    """Right: all parameter gradients are added up until zero_grad."""

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.zero_grad()

    def zero_grad(self):
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW += self.x.T @ dout
        self.db += dout.sum(axis=0)
        return dout @ self.W.T


class NormAccumulates:
    """Right: gamma and beta accumulate, not in place: a new sum each time."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.dgamma = self.dbeta = 0.0

    def forward(self, x):
        self.std = np.sqrt(x.var(axis=1, keepdims=True) + 1e-3)
        self.xhat = (x - x.mean(axis=1, keepdims=True)) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma = self.dgamma + (dout * self.xhat).sum(axis=0)
        self.dbeta = self.dbeta + dout.sum(axis=0)
        g = dout * self.gamma
        return (g - g.mean(1, keepdims=True) - self.xhat * (g * self.xhat).mean(1, keepdims=True)) / self.std


class _Parameter:
    """A value and its gradient."""

    def __init__(self, data):
        self.data = data
        self.grad = np.zeros_like(data)


class LinearOfParameters:
    """Right: parameters are objects with data and grad, and accumulate."""

    def __init__(self, n_in, n_out, seed=0):
        rng = np.random.default_rng(seed)
        self.weight = _Parameter(rng.standard_normal((n_in, n_out)))
        self.bias = _Parameter(rng.standard_normal(n_out))

    def parameters(self):
        return [self.weight, self.bias]

    def forward(self, x):
        self.x = x
        return x @ self.weight.data + self.bias.data

    def backward(self, dout):
        self.weight.grad += self.x.T @ dout
        self.bias.grad += dout.sum(axis=0)
        return dout @ self.weight.data.T


class AffineGradsInPlace:
    """Right: the lists params and grads share their arrays with the optimiser, so that grads are filled in place."""

    def __init__(self, W, b):
        self.params = [W, b]
        self.grads = [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        W, b = self.params
        self.x = x
        return np.dot(x, W) + b

    def backward(self, dout):
        W, _ = self.params
        self.grads[0][...] = np.dot(self.x.T, dout)
        self.grads[1][...] = np.sum(dout, axis=0)
        return np.dot(dout, W.T)


class EmbeddingGradsInPlace:
    """Right: the gradient of the table is emptied and filled in place; there is none for the ids."""

    def __init__(self, W):
        self.params = [W]
        self.grads = [np.zeros_like(W)]

    def forward(self, idx):
        (W,) = self.params
        self.idx = idx
        return W[idx]

    def backward(self, dout):
        (dW,) = self.grads
        dW[...] = 0
        np.add.at(dW, self.idx, dout)
        return None


class GradsDictAccumulates:
    """Right: dicts with the same keys, and each gradient is added to its entry."""

    def __init__(self, n_in, n_out, seed=1):
        rng = np.random.default_rng(seed)
        self.params = {"W": rng.standard_normal((n_in, n_out)), "b": np.zeros(n_out)}
        self.grads = {key: np.zeros_like(value) for key, value in self.params.items()}

    def forward(self, x):
        self.x, self.y = x, np.tanh(x @ self.params["W"] + self.params["b"])
        return self.y.copy()

    def backward(self, dout):
        g = dout * (1 - self.y**2)
        self.grads["W"] += self.x.T @ g
        self.grads["b"] += g.sum(axis=0)
        return g @ self.params["W"].T


class AppliedAtEachStep:
    """Right: one weight for all steps of a sequence; its gradient is added up inside backward, from zero."""

    def __init__(self, W):
        self.W = W

    def forward(self, xs):
        self.xs = xs
        return np.stack([xs[:, t] @ self.W for t in range(xs.shape[1])], axis=1)

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        dxs = np.zeros(self.xs.shape)
        for t in range(dout.shape[1]):
            self.dW += self.xs[:, t].T @ dout[:, t]
            dxs[:, t] = dout[:, t] @ self.W.T
        return dxs


# Layouts, read-only results, and results that share memory.


class FortranResults:
    """Right: everything comes back in Fortran order."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = np.asfortranarray(x)
        return np.asfortranarray(x @ self.W)

    def backward(self, dout):
        self.dW = (dout.T @ self.x).T
        return np.asfortranarray(dout @ self.W.T)


class SumReadOnly:
    """Right: the gradient of a sum is dout, broadcast: a read-only view of it."""

    def forward(self, x):
        self.shape = x.shape
        return x.sum(axis=1)

    def backward(self, dout):
        return np.broadcast_to(dout[:, None], self.shape)


class MeanReadOnly:
    """Right: a new array, broadcast and hence read-only, with strides of 0."""

    def forward(self, x):
        self.shape = x.shape
        return x.mean(axis=1)

    def backward(self, dout):
        return np.broadcast_to((dout / self.shape[1])[:, None], self.shape)


class FrozenResult:
    """Right: what it returns, both ways, is locked against writing."""

    def forward(self, x):
        self.y = np.exp(-(x**2))
        self.y.flags.writeable = False
        self.x = x
        return self.y

    def backward(self, dout):
        dx = -2 * self.x * self.y * dout
        dx.flags.writeable = False
        return dx


class IdentityHandsOn:
    """Right: x comes out, dout comes back."""

    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


class FlattenView:
    """Right: reshapes, and reshapes back: views, where they can be."""

    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), int(np.prod(x.shape[1:])))

    def backward(self, dout):
        return dout.reshape(self.shape)


class SwapAxesView:
    """Right: a transposed view each way."""

    def forward(self, x):
        return x.T

    def backward(self, dout):
        return dout.T


class ReverseView:
    """Right: features in reverse order, by negative strides."""

    def forward(self, x):
        return x[:, ::-1]

    def backward(self, dout):
        return dout[:, ::-1]


class PadCropView:
    """Right: zeros around it; backward cuts them off, as a view."""

    def forward(self, x):
        return np.pad(x, ((0, 0), (1, 2)))

    def backward(self, dout):
        return dout[:, 1 : dout.shape[1] - 2]


class AddSharesTwice:
    """Right: dout itself for both."""

    def forward(self, x, y):
        return x + y

    def backward(self, dout):
        return dout, dout


class AverageSharesOne:
    """Right: one new array for both."""

    def forward(self, x, y):
        return 0.5 * (x + y)

    def backward(self, dout):
        g = 0.5 * dout
        return g, g


class BiasHandsOn:
    """Right: dout for x, a sum for the bias."""

    def __init__(self, b):
        self.b = b

    def forward(self, x):
        return x + self.b

    def backward(self, dout):
        self.db = dout.sum(axis=0)
        return dout


class ConcatSlices:
    """Right: two views of dout, side by side: they share memory with it, not with each other."""

    def forward(self, x, y):
        self.width = x.shape[1]
        return np.concatenate([x, y], axis=1)

    def backward(self, dout):
        return dout[:, : self.width], dout[:, self.width :]


class SubtractBroadcast:
    """Right: the bias is summed back to its shape with keepdims."""

    def forward(self, x, beta):
        self.shape = beta.shape
        return x - beta

    def backward(self, dout):
        return dout * 1.0, -dout.sum(axis=0).reshape(self.shape)


class ScratchInBackward:
    """Right: a buffer is kept from call to call for what comes in between; results are new arrays."""

    def __init__(self):
        self.scratch = np.empty(0)

    def forward(self, x):
        self.x = x
        return x**4

    def backward(self, dout):
        if self.scratch.shape != self.x.shape:
            self.scratch = np.empty(self.x.shape)
        np.power(self.x, 3, out=self.scratch)
        np.multiply(self.scratch, 4.0, out=self.scratch)
        return self.scratch * dout


class WorkspaceFromForward:
    """Right: forward makes a workspace, backward fills it anew at each call, and hands out something else."""

    def forward(self, x):
        self.y = np.tanh(x)
        self.work = np.zeros_like(self.y)
        return self.y.copy()

    def backward(self, dout):
        np.multiply(self.y, self.y, out=self.work)
        np.subtract(1.0, self.work, out=self.work)
        return dout * self.work


class KeepsByReference:
    """Right: keeps x and W themselves, not copies."""

    def forward(self, x, W):
        self.cache = (x, W)
        return x @ W

    def backward(self, dout):
        x, W = self.cache
        return dout @ W.T, x.T @ dout


class SnapshotOfWeights:
    """Right: takes its own copy of W, documented as such; forward and backward both use that."""

    def __init__(self, W):
        self.W = np.array(W, copy=True)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class WeightAndItsView:
    """Right: a transposed view of W is kept beside it, and follows it when W is updated in place."""

    def __init__(self, W):
        self.W = W
        self.Wt = W.T

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.Wt


# Generators.


class DropoutOwnSeeded:
    """Right: inverted dropout with a generator of its own, seeded once."""

    def __init__(self, p=0.3, seed=0):
        self.p, self.rng = p, np.random.default_rng(seed)

    def forward(self, x):
        self.keep = (self.rng.random(x.shape) >= self.p) / (1 - self.p)
        return x * self.keep

    def backward(self, dout):
        return dout * self.keep


class DropoutOwnUnseeded:
    """Right: the generator comes from the operating system, so that each layer drops something else."""

    def __init__(self, p=0.3):
        self.p, self.rng = p, np.random.default_rng()

    def forward(self, x):
        self.keep = self.rng.random(x.shape) >= self.p
        return x * self.keep

    def backward(self, dout):
        return dout * self.keep


class DropoutGlobal:
    """Right: draws from NumPy's global generator."""

    def __init__(self, p=0.3):
        self.p = p

    def forward(self, x):
        self.mask = np.random.rand(*x.shape) > self.p
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class NoiseRandomState:
    """Right: multiplies with noise of an old-style generator."""

    def __init__(self, sigma=0.1, seed=3):
        self.sigma, self.random = sigma, np.random.RandomState(seed)

    def forward(self, x):
        self.factor = 1.0 + self.sigma * self.random.randn(*x.shape)
        return x * self.factor

    def backward(self, dout):
        return dout * self.factor


class SkipPathPython:
    """Right: stochastic depth, a coin of Python's own generator for each call."""

    def __init__(self, seed=5):
        self.coin = random.Random(seed)

    def forward(self, x):
        self.alive, self.y = self.coin.random() < 0.8, np.tanh(x)
        return x + self.y if self.alive else x + 0.0

    def backward(self, dout):
        return dout * (2 - self.y**2) if self.alive else dout.copy()


class DropPathPerSample:
    """Right: whole samples lose their branch."""

    def __init__(self, p=0.3, seed=11):
        self.p, self.rng = p, np.random.default_rng(seed)

    def forward(self, x):
        self.x, self.keep = x, self.rng.random((len(x), 1)) >= self.p
        return x + self.keep * x**2

    def backward(self, dout):
        return dout * (1 + 2 * self.keep * self.x)


class NoiseAnewEachTime:
    """Right for the noise that it drew, but nobody can have it draw the same again."""

    def forward(self, x):
        self.noise = np.random.default_rng().standard_normal(x.shape)
        return x * self.noise

    def backward(self, dout):
        return dout * self.noise


class OneMaskPerSequence:
    """Right: variational dropout: the mask is kept on purpose from step to step, until reset."""

    def __init__(self, p=0.3, seed=2):
        self.p, self.seed = p, seed
        self.reset()

    def reset(self):
        self.mask = None

    def forward(self, x):
        if self.mask is None or self.mask.shape != x.shape:
            self.mask = np.random.default_rng(self.seed).random(x.shape) >= self.p
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class SampledSoftmaxNegatives:
    """Right: some columns of W, drawn with the layer, are used; the others get zeros."""

    def __init__(self, W, seed=0):
        self.W = W
        self.chosen = np.random.default_rng(seed).integers(0, W.shape[1], 3)

    def forward(self, x):
        self.x = x
        return x @ self.W[:, self.chosen]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW.T, self.chosen, dout.T @ self.x)
        return dout @ self.W[:, self.chosen].T


class DropoutInEval:
    """Right: in evaluation x itself comes out, and dout itself comes back."""

    def __init__(self, p=0.3, training=False):
        self.p, self.training = p, training

    def forward(self, x):
        if not self.training:
            return x
        self.mask = np.random.default_rng(0).random(x.shape) >= self.p
        return x * self.mask / (1 - self.p)

    def backward(self, dout):
        return dout if not self.training else dout * self.mask / (1 - self.p)


# State.


class StatefulRecurrence:
    """Right: h is carried from one call to the next on purpose; gradients stop at the call's beginning."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b, self.h = Wx, Wh, b, None

    def forward(self, x):
        fits = self.h is not None and len(self.h) == len(x)
        self.x, self.before = x, self.h if fits else np.zeros((len(x), len(self.Wh)))
        self.h = np.tanh(x @ self.Wx + self.before @ self.Wh + self.b)
        return self.h.copy()

    def backward(self, dout):
        g = dout * (1 - self.h**2)
        self.dWx, self.dWh, self.db = self.x.T @ g, self.before.T @ g, g.sum(axis=0)
        return g @ self.Wx.T


class LeakyIntegrator:
    """Right: a state that forgets a tenth at each call."""

    def __init__(self):
        self.state = None

    def forward(self, x):
        if self.state is None or self.state.shape != x.shape:
            self.state = np.zeros_like(x)
        self.state = 0.9 * self.state + np.tanh(x)
        self.x = x
        return self.state.copy()

    def backward(self, dout):
        return dout * (1 - np.tanh(self.x) ** 2)


class BatchNormCounts:
    """Right: running statistics and a counter move at each forward, and change nothing in training."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.running_mean, self.num_batches_tracked = np.zeros_like(gamma), 0

    def forward(self, x):
        mean, self.std = x.mean(axis=0), np.sqrt(x.var(axis=0) + 1e-3)
        self.num_batches_tracked += 1
        self.running_mean = self.running_mean + (mean - self.running_mean) / self.num_batches_tracked
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        return self.gamma / self.std * (dout - dout.mean(axis=0) - self.xhat * (dout * self.xhat).mean(axis=0))


class BatchNormEvaluates:
    """Right: with fixed running statistics it is a mere scale and shift."""

    def __init__(self, gamma, beta):
        self.gamma, self.beta = gamma, beta
        self.running_mean = np.linspace(-1, 1, gamma.size).reshape(gamma.shape)
        self.running_var = np.linspace(0.5, 2, gamma.size).reshape(gamma.shape)

    def forward(self, x):
        self.inv = 1 / np.sqrt(self.running_var + 1e-5)
        self.xhat = (x - self.running_mean) * self.inv
        return self.gamma * self.xhat + self.beta

    def backward(self, dout):
        self.dgamma, self.dbeta = (dout * self.xhat).sum(axis=0), dout.sum(axis=0)
        return dout * self.gamma * self.inv


class CountsItsCalls:
    """Right: flags, counters and an optimiser's velocity beside the parameters."""

    def __init__(self, W):
        self.W, self.vW = W, np.zeros_like(W)
        self.trainable, self.calls, self.lr = True, 0, 0.01

    def forward(self, x):
        self.calls += 1
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.calls -= 1
        self.dW = self.x.T @ dout
        return dout @ self.W.T

    def step(self):
        self.vW = 0.9 * self.vW - self.lr * self.dW
        self.W += self.vW


class DropsItsCache:
    """Right: the cache is let go in backward, so that a second one raises."""

    def forward(self, x, W):
        self.cache = x, W
        return x @ W

    def backward(self, dout):
        x, W = self.cache
        self.cache = None
        return dout @ W.T, x.T @ dout


class DeletesItsCache:
    """Right: attributes are deleted after use."""

    def forward(self, x):
        self.y = 1 / (1 + x**2)
        self.x = x
        return self.y.copy()

    def backward(self, dout):
        dx = -2 * self.x * self.y**2 * dout
        del self.x, self.y
        return dx


class RefusesSecondBackward:
    """Right: says in words that forward must come first."""

    def __init__(self):
        self.x = None

    def forward(self, x):
        self.x = x
        return np.cos(x)

    def backward(self, dout):
        if self.x is None:
            raise RuntimeError("backward was called twice: call forward first")
        x, self.x = self.x, None
        return -dout * np.sin(x)


class StackOfCaches:
    """Right: the layer stands at several places of a network: forwards push, backwards pop."""

    def __init__(self, W):
        self.W, self.stack = W, []
        self.dW = np.zeros_like(W)

    def forward(self, x):
        self.stack.append(x)
        return x @ self.W

    def backward(self, dout):
        x = self.stack.pop()
        self.dW += x.T @ dout
        return dout @ self.W.T


class RecomputesInBackward:
    """Right: checkpointing: backward runs the inner forward once more."""

    def _inner(self, x):
        self.a = np.tanh(x)
        self.b = self.a**2 + x
        return np.sin(self.b)

    def forward(self, x):
        self.x = x
        out = self._inner(x)
        del self.a, self.b
        return out

    def backward(self, dout):
        self._inner(self.x)
        g = dout * np.cos(self.b)
        return g * (2 * self.a * (1 - self.a**2) + 1)


# Refusals.


class WantsContiguous:
    """Right: an array that is not C-contiguous is refused by forward."""

    def forward(self, x):
        if not x.flags.c_contiguous:
            raise ValueError("x must be C-contiguous")
        self.x = x
        return x * np.abs(x)

    def backward(self, dout):
        return 2 * np.abs(self.x) * dout


class RefusesEmptyBatch:
    """Right: forward refuses an empty batch."""

    def forward(self, x):
        if x.shape[0] == 0:
            raise ValueError("empty batch")
        self.x = x
        return np.tanh(x).mean(axis=0)

    def backward(self, dout):
        return dout / len(self.x) * (1 - np.tanh(self.x) ** 2)


class RefusesSingleSample:
    """Right: batch statistics of one sample mean nothing, so that forward refuses it."""

    def forward(self, x):
        if len(x) < 2:
            raise ValueError("expected more than one sample in training")
        self.std = x.std(axis=0, ddof=1)
        self.z = (x - x.mean(axis=0)) / self.std
        return self.z.copy()

    def backward(self, dout):
        n = len(self.z)
        return (dout - dout.mean(axis=0) - self.z * (dout * self.z).sum(axis=0) / (n - 1)) / self.std


class BuildsAtFirstForward:
    """Right: the weights are made when the number of features is known; from then on it is fixed."""

    def __init__(self, units):
        self.units, self.W = units, None

    def forward(self, x):
        if self.W is None:
            self.W = np.random.default_rng(0).standard_normal((x.shape[1], self.units)) / 3
        if x.shape[1] != len(self.W):
            raise ValueError(f"built for {len(self.W)} features, got {x.shape[1]}")
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


# Containers and spellings.


class SlotsLayer:
    """Right: attributes in slots, no dict."""

    __slots__ = ("W", "dW", "x")

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


@dataclass
class DataclassLayer:
    """Right: a dataclass, whose == compares fields, and which has no hash."""

    W: np.ndarray
    power: float = 2.0
    history: list = field(default_factory=list)
    dW: np.ndarray | None = None

    def forward(self, x):
        self.x = x
        return x @ self.W * self.power

    def backward(self, dout):
        self.dW = self.x.T @ dout * self.power
        return dout @ self.W.T * self.power


class GradientAsProperty:
    """Right: dW is computed when it is asked for."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self._dout = dout.copy()
        return dout @ self.W.T

    @property
    def dW(self):
        return self.x.T @ self._dout


_Gradients = namedtuple("_Gradients", "dx dW db")


class NamedGradients:
    """Right: backward returns a named tuple."""

    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, dout):
        return _Gradients(dx=dout @ self.W.T, dW=self.x.T @ dout, db=dout.sum(axis=0))


class GradientsInDict:
    """Right: backward returns a dict by the arguments' names, in another order."""

    def forward(self, x, W, b):
        self.x, self.W = x, W
        return x @ W + b

    def backward(self, dout):
        return {"db": dout.sum(axis=0), "dW": self.x.T @ dout, "dx": dout @ self.W.T}


class GradientsInList:
    """Right: a list where others return a tuple."""

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return [dout * self.y, dout * self.x]


class GradientsInLists:
    """Right: the one gradient as nested lists of Python floats."""

    def forward(self, x):
        self.x = x
        return x**3

    def backward(self, dout):
        return (3 * self.x**2 * dout).tolist() if self.x.size else np.zeros(self.x.shape)


class _Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


class SequentialNested:
    """Right: layers in a list, each with its own parameters and gradients."""

    def __init__(self, n_in, n_out):
        self.layers = [LinearOfParameters(n_in, 4, 1), _Tanh(), LinearOfParameters(4, n_out, 2)]

    def forward(self, x):
        return reduce(lambda value, layer: layer.forward(value), self.layers, x)

    def backward(self, dout):
        return reduce(lambda g, layer: layer.backward(g), reversed(self.layers), dout)


class TwoLayerDicts:
    """Right: a small network with all parameters in one dict and all gradients in another."""

    def __init__(self, n_in, n_out):
        rng = np.random.default_rng(4)
        self.params = {"W1": rng.standard_normal((n_in, 5)), "W2": rng.standard_normal((5, n_out))}
        self.grads = {}

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.params["W1"])
        return self.h @ self.params["W2"]

    def backward(self, dout):
        dh = dout @ self.params["W2"].T * (1 - self.h**2)
        self.grads = {"W2": self.h.T @ dout, "W1": self.x.T @ dh}
        return dh @ self.params["W1"].T


class TiedAutoencoder:
    """Right: one weight there and, transposed, back: two paths to one gradient."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.W)
        return self.h @ self.W.T

    def backward(self, dout):
        da = dout @ self.W * (1 - self.h**2)
        self.dW = self.x.T @ da + dout.T @ self.h
        return da @ self.W.T


class TiedEmbedding:
    """Right: one table at the entrance and at the exit."""

    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids, self.e = ids, self.W[ids]
        return self.e @ self.W.T

    def backward(self, dout):
        rows = dout.reshape(self.ids.size, len(self.W))
        self.dW = rows.T @ self.e.reshape(self.ids.size, self.W.shape[1])
        np.add.at(self.dW, self.ids, dout @ self.W)


class ParameterUnderTwoNames:
    """Right: the same array as weight and in a list of all parameters."""

    def __init__(self, W):
        self.weight = W
        self.params, self.grads = [self.weight], [None]

    def forward(self, x):
        self.x = x
        return x @ self.weight

    def backward(self, dout):
        self.grads[0] = self.x.T @ dout
        return dout @ self.weight.T


class BooleanMask:
    """Right: the mask is an input without a gradient, and None stands in its place."""

    def forward(self, x, mask):
        self.x, self.mask = x, mask
        return np.where(mask, np.sin(x), 0.0)

    def backward(self, dout):
        return np.where(self.mask, dout * np.cos(self.x), 0.0), None


class LabelsOrOneHot:
    """Right: targets are labels, or rows of zeros and ones; backward needs no dout."""

    def forward(self, x, t):
        z = x - x.max(axis=1, keepdims=True)
        logp = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
        self.p, self.t = np.exp(logp), t.argmax(axis=1) if t.ndim == 2 else t
        return -logp[np.arange(len(self.t)), self.t].sum() / max(len(self.t), 1)

    def backward(self, dout=1):
        dx = self.p.copy()
        dx[np.arange(len(self.t)), self.t] -= 1
        return dout * dx / max(len(self.t), 1)


class OptionalArguments:
    """Right: a second operand that may be left out, and a factor with a default."""

    def forward(self, x, residual=None, scale=1.5):
        self.x, self.scale, self.both = x, scale, residual is not None
        return scale * x**2 + (residual if self.both else 0.0)

    def backward(self, dout):
        dx = 2 * self.scale * self.x * dout
        return (dx, dout.copy()) if self.both else dx


class ScalarFactor:
    """Right: a is a Python float, and its gradient is one too."""

    def forward(self, x, a):
        self.x, self.a = x, a
        return a * np.sin(x)

    def backward(self, dout):
        return dout * self.a * np.cos(self.x), float((dout * np.sin(self.x)).sum())


class LearnedTemperature:
    """Right: one number divides all logits; its gradient is a number."""

    def __init__(self, temperature=1.7):
        self.theta = np.array(float(temperature))

    def forward(self, x):
        self.x = x
        return x / self.theta

    def backward(self, dout):
        self.dtheta = -np.sum(dout * self.x) / self.theta**2
        return dout / self.theta


class ScalarOut:
    """Right: one number comes out, and a Python float at that."""

    def forward(self, x):
        self.x = x
        return float(np.sum(x**3))

    def backward(self, dout):
        return dout * 3 * self.x**2


class MeanAndVariance:
    """Right: two outputs, two cotangents."""

    def forward(self, x):
        self.c = x - x.mean(axis=1, keepdims=True)
        return x.mean(axis=1), (self.c**2).mean(axis=1)

    def backward(self, dmean, dvar):
        return (dmean[:, None] + 2 * self.c * dvar[:, None]) / self.c.shape[1]


class SplitInThree:
    """Right: three outputs, whose cotangents come as a tuple."""

    def forward(self, x):
        self.x = x
        return x * 2, np.sin(x), x**2

    def backward(self, douts):
        a, b, c = douts
        return 2 * a + np.cos(self.x) * b + 2 * self.x * c


class LstmCellStep:
    """Right: h and c come out, dh and dc come in, dx, dh and dc come back."""

    def forward(self, x, h_prev, c_prev):
        g, f = np.tanh(x + h_prev), 0.5 + 0.5 * np.tanh(0.5 * (x - h_prev))
        c = f * c_prev + (1 - f) * g
        self.kept = g, f, c_prev, np.tanh(c)
        return f * np.tanh(c), c

    def backward(self, dh, dc):
        g, f, c_prev, t = self.kept
        dc = dc + dh * f * (1 - t**2)
        df = (dh * t + dc * (c_prev - g)) * f * (1 - f)
        dg = dc * (1 - f) * (1 - g**2)
        return dg + df, dg - df, dc * f


class VariadicSum:
    """Right: any number of operands, at least one."""

    def forward(self, *xs):
        self.xs = xs
        return sum(x**2 for x in xs)

    def backward(self, dout):
        return tuple(2 * x * dout for x in self.xs)


class KeywordOnly:
    """Right: an argument that must be named, forward and backward."""

    def forward(self, x, *, y):
        self.x, self.y = x, y
        return x * np.tanh(y)

    def backward(self, dout, *, need_y=True):
        dx = dout * np.tanh(self.y)
        return (dx, dout * self.x * (1 - np.tanh(self.y) ** 2)) if need_y else (dx, None)


class CallableLayer:
    """Right: forward is another name of __call__."""

    def __call__(self, x):
        self.x = x
        return x * np.exp(-np.abs(x))

    forward = __call__

    def backward(self, dout):
        return dout * np.exp(-np.abs(self.x)) * (1 - np.abs(self.x))


class HoldsALock:
    """Right: a lock that cannot be copied, and a reference to itself."""

    def __init__(self, W):
        self.W, self.lock, self.me = W, threading.Lock(), self

    def forward(self, x):
        with self.lock:
            self.x = x
        return x @ self.W

    def backward(self, dout):
        with self.lock:
            self.dW = self.x.T @ dout
        return dout @ self.me.W.T


class DelegatesAttributes:
    """Right: attributes are looked up in a dict."""

    def __init__(self, W):
        self.__dict__["store"] = {"W": W}

    def __getattr__(self, name):
        if name.startswith("__") or name not in self.__dict__.get("store", {}):
            raise AttributeError(name)
        return self.store[name]

    def forward(self, x):
        self.store["x"] = x
        return x @ self.W

    def backward(self, dout):
        self.store["dW"] = self.x.T @ dout
        return dout @ self.W.T


class LooksEmpty:
    """Right: has length 0, is false, and equals everything."""

    def __len__(self):
        return 0

    def __eq__(self, other):
        return True

    __hash__ = None

    def forward(self, x):
        self.x = x
        return np.arctan(x)

    def backward(self, dout):
        return dout / (1 + self.x**2)


class _Base(abc.ABC):
    """A base class that keeps the cache and leaves the slope to others."""

    def forward(self, x):
        self.x = x
        return self.value(x)

    def backward(self, dout):
        return dout * self.slope(self.x)

    @abc.abstractmethod
    def value(self, x): ...

    @abc.abstractmethod
    def slope(self, x): ...


class GaussianOfBase(_Base):
    """Right: forward and backward are inherited from an abstract base."""

    def value(self, x):
        return np.exp(-0.5 * x**2)

    def slope(self, x):
        return -x * np.exp(-0.5 * x**2)


class _Kind(Enum):
    SIN = "sin"
    COS = "cos"


class ChosenByEnum:
    """Right: what it computes is an option with a default."""

    def __init__(self, kind=_Kind.COS):
        self.kind = kind

    def forward(self, x):
        self.x = x
        return np.cos(x) if self.kind is _Kind.COS else np.sin(x)

    def backward(self, dout):
        return -dout * np.sin(self.x) if self.kind is _Kind.COS else dout * np.cos(self.x)


class PassesContiguousOn:
    """Right: whatever dout looks like in memory, a C-contiguous copy is worked on."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = np.ascontiguousarray(x, dtype=np.float64)
        return self.x @ self.W

    def backward(self, dout):
        g = np.ascontiguousarray(dout)
        self.dW = np.dot(self.x.T, g)
        return np.dot(g, np.ascontiguousarray(self.W.T))


class CachePerSample:
    """Right: a Python loop with a list of caches, one for each sample."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.rows = [np.tanh(row @ self.W) for row in x]
        self.x = x
        return np.array(self.rows).reshape(len(x), self.W.shape[1])

    def backward(self, dout):
        g = [d * (1 - row**2) for d, row in zip(dout, self.rows, strict=True)]
        self.dW = sum((np.outer(a, b) for a, b in zip(self.x, g, strict=True)), np.zeros_like(self.W))
        return np.array([self.W @ row for row in g]).reshape(self.x.shape)


# Functions.


def scaled_softsign_forward(x, gamma):
    """Right: gives the output and a tuple of what backward needs."""
    s = x / (1 + np.abs(x))
    return gamma * s, (x, gamma, s)


def scaled_softsign_backward(dout, cache):
    """Right: takes the tuple apart."""
    x, gamma, s = cache
    return dout * gamma / (1 + np.abs(x)) ** 2, (dout * s).sum(axis=0)


@dataclass(frozen=True)
class _Saved:
    x: np.ndarray
    W: np.ndarray


def frozen_linear_forward(x, W):
    """Right: the cache is a frozen dataclass."""
    return x @ W, _Saved(x, W)


def frozen_linear_backward(dout, cache):
    """Right: reads the dataclass."""
    return dout @ cache.W.T, cache.x.T @ dout


def dict_cache_forward(x, y):
    """Right: the cache is a dict that backward does not change."""
    return np.sin(x * y), {"x": x, "y": y}


def dict_cache_backward(dout, cache):
    """Right: gradients in a list."""
    g = dout * np.cos(cache["x"] * cache["y"])
    return [g * cache["y"], g * cache["x"]]


def polynomial(x):
    """Right: a pair of functions that takes the input again."""
    return x**3 - 2 * x


def polynomial_vjp(dout, x):
    """Right."""
    return dout * (3 * x**2 - 2)


def swish_closure(x):
    """Right: the pullback keeps what it needs in its closure."""
    s = 0.5 * (1 + np.tanh(0.5 * x))

    def pullback(dy):
        return dy * s * (1 + x * (1 - s))

    return x * s, pullback


def affine_closure(x, W, b):
    """Right: three gradients by a lambda."""
    return x @ W + b, lambda dy: (dy @ W.T, x.T @ dy, dy.sum(axis=0))


def chained_closures(x):
    """Right: two closures, one after the other, and one function that runs them backwards."""
    y, first = swish_closure(x)
    z, second = swish_closure(2 * y)

    def finish(dz):
        return first(2 * second(dz))

    return z, finish


def identity_closure(x):
    """Right: gives back what it gets."""
    return x, lambda dy: dy


ODD = (
    Odd(LinearAccumulates, "all parameter gradients accumulate in place"),
    Odd(NormAccumulates, "all parameter gradients accumulate, starting from the number 0.0"),
    Odd(LinearOfParameters, "parameters are objects whose grad accumulates"),
    Odd(AffineGradsInPlace, "grads[0][...] = dW: the arrays of gradients are the same ones all along"),
    Odd(
        EmbeddingGradsInPlace,
        "a gradient emptied and refilled in place; backward returns None, for there is nothing to return",
    ),
    Odd(GradsDictAccumulates, "all entries of a dict accumulate"),
    Odd(AppliedAtEachStep, "+= over the steps of a sequence, from zero in each backward"),
    Odd(FortranResults, "Fortran order both ways"),
    Odd(SumReadOnly, "a read-only view of dout", warnings=("GC205",)),
    Odd(MeanReadOnly, "a read-only array with strides of 0"),
    Odd(FrozenResult, "output and gradient are locked against writing"),
    Odd(IdentityHandsOn, "dout itself", warnings=("GC205",)),
    Odd(FlattenView, "dout in another shape", warnings=("GC205",)),
    Odd(SwapAxesView, "dout transposed", warnings=("GC205",)),
    Odd(ReverseView, "dout with a negative stride", warnings=("GC205",)),
    Odd(PadCropView, "a slice of dout", warnings=("GC205",)),
    Odd(
        AddSharesTwice,
        "dout itself, twice",
        warnings=(
            "GC205",
            "GC206",
        ),
    ),
    Odd(AverageSharesOne, "one new array for two gradients", warnings=("GC206",)),
    Odd(BiasHandsOn, "dout itself for x", warnings=("GC205",)),
    Odd(ConcatSlices, "two slices of dout that do not overlap", warnings=("GC205",)),
    Odd(SubtractBroadcast, "a broadcast undone by sum and reshape"),
    Odd(ScratchInBackward, "a buffer reused by backward alone, which nobody else gets to see"),
    Odd(
        WorkspaceFromForward, "backward writes into what forward made for it, with no consequence", warnings=("GC209",)
    ),
    Odd(KeepsByReference, "the caller's own arrays are kept"),
    Odd(SnapshotOfWeights, "later changes of the caller's W are ignored, forward and backward alike"),
    Odd(WeightAndItsView, "a view made once, which follows changes of W in place"),
    Odd(DropoutOwnSeeded, "a generator that goes on from call to call"),
    Odd(DropoutOwnUnseeded, "no two layers draw the same, but a copy of a layer does"),
    Odd(DropoutGlobal, "the global generator", warnings=("GC308",)),
    Odd(NoiseRandomState, "an old-style generator that goes on from call to call"),
    Odd(SkipPathPython, "Python's own generator decides on the path"),
    Odd(DropPathPerSample, "a generator that goes on from call to call"),
    Odd(NoiseAnewEachTime, "no two forwards are the same function, even of a copied layer", warnings=("GC001",)),
    Odd(OneMaskPerSequence, "the mask is stale on purpose"),
    Odd(SampledSoftmaxNegatives, "columns drawn once, some of them twice, others never"),
    Odd(DropoutInEval, "x itself, dout itself", warnings=("GC205",)),
    Odd(StatefulRecurrence, "h is carried on purpose; at the first call the gradient of Wh is 0", warnings=("GC302",)),
    Odd(LeakyIntegrator, "a state is carried on purpose", warnings=("GC302",)),
    Odd(BatchNormCounts, "running statistics and a counter"),
    Odd(BatchNormEvaluates, "statistics that are no parameters"),
    Odd(CountsItsCalls, "counters, flags and a velocity"),
    Odd(DropsItsCache, "once per forward: a second backward raises TypeError"),
    Odd(DeletesItsCache, "once per forward: a second backward raises AttributeError"),
    Odd(RefusesSecondBackward, "once per forward: a second backward raises by decision"),
    Odd(StackOfCaches, "as many backwards as forwards, the last one first"),
    Odd(RecomputesInBackward, "attributes that exist in backward only"),
    Odd(WantsContiguous, "refuses inputs that are not C-contiguous"),
    Odd(RefusesEmptyBatch, "refuses an empty batch"),
    Odd(RefusesSingleSample, "refuses a batch of one"),
    Odd(BuildsAtFirstForward, "no parameters until the first forward, and one number of features from then on"),
    Odd(SlotsLayer, "attributes in slots"),
    Odd(DataclassLayer, "its == gives arrays or raises, and it has no hash"),
    Odd(GradientAsProperty, "dW is a property that computes"),
    Odd(NamedGradients, "a named tuple"),
    Odd(GradientsInDict, "a dict in another order"),
    Odd(GradientsInList, "a list for a tuple"),
    Odd(GradientsInLists, "nested lists of floats for an array"),
    Odd(SequentialNested, "layers in a list, parameters two levels down"),
    Odd(TwoLayerDicts, "a new dict of gradients at each backward"),
    Odd(TiedAutoencoder, "two paths to one weight"),
    Odd(TiedEmbedding, "a table that is read by row and by column"),
    Odd(ParameterUnderTwoNames, "one array under two names, one gradient"),
    Odd(
        BooleanMask,
        "a boolean input",
        options={
            "inputs": (
                np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]]),
                np.array([[True, False, True], [False, True, True]]),
            )
        },
    ),
    Odd(LabelsOrOneHot, "integer or one-hot targets, and a dout that may be left out"),
    Odd(OptionalArguments, "inputs that may be left out"),
    Odd(
        ScalarFactor,
        "a Python float in, and its gradient a Python float",
        options={"inputs": (np.array([[0.3, -1.2, 2.0], [0.7, 0.1, -0.4]]), 0.7)},
    ),
    Odd(LearnedTemperature, "a 0-d parameter"),
    Odd(ScalarOut, "a Python float out"),
    Odd(MeanAndVariance, "two outputs"),
    Odd(SplitInThree, "three outputs, one argument for three cotangents"),
    Odd(LstmCellStep, "two outputs, three inputs"),
    Odd(
        VariadicSum,
        "forward(*xs)",
        options={"inputs": (np.array([0.3, -1.2]), np.array([2.0, 0.5]), np.array([-0.7, 1.1]))},
    ),
    Odd(KeywordOnly, "arguments by name only"),
    Odd(CallableLayer, "forward is __call__"),
    Odd(HoldsALock, "cannot be deep-copied, refers to itself"),
    Odd(DelegatesAttributes, "attributes that are looked up"),
    Odd(LooksEmpty, "bool(layer) is False, and layer == anything"),
    Odd(GaussianOfBase, "forward and backward are inherited"),
    Odd(ChosenByEnum, "an option that is an Enum"),
    Odd(PassesContiguousOn, "copies of whatever is not contiguous"),
    Odd(CachePerSample, "a Python loop over samples"),
    Odd((scaled_softsign_forward, scaled_softsign_backward), "a pair with a tuple as cache"),
    Odd((frozen_linear_forward, frozen_linear_backward), "a pair with a frozen dataclass as cache"),
    Odd((dict_cache_forward, dict_cache_backward), "a pair with a dict as cache, gradients in a list"),
    Odd((polynomial, polynomial_vjp), "a pair that takes the input again"),
    Odd(swish_closure, "a closure"),
    Odd(affine_closure, "a closure that is a lambda, three gradients"),
    Odd(chained_closures, "closures inside closures"),
    Odd(identity_closure, "a closure that hands on dout", warnings=("GC205",)),
)
