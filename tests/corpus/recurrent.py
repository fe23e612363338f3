"""Recurrent layers: steps and whole sequences, gradients carried back through time (T17)."""

import numpy as np

from tests.corpus.entry import Odd, Wrong


class RNN:
    """Right: samples (n, t, i), all states are the output."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x, h0):
        n, steps, _ = x.shape
        self.x, self.h = x, np.zeros((n, steps + 1, self.Wh.shape[0]))
        self.h[:, 0] = h0
        for t in range(steps):
            self.h[:, t + 1] = np.tanh(x[:, t] @ self.Wx + self.h[:, t] @ self.Wh + self.b)
        return self.h[:, 1:].copy()

    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.b.shape)
        dx, carried = np.zeros(self.x.shape), np.zeros(self.h[:, 0].shape)
        for t in reversed(range(dout.shape[1])):
            dx[:, t], carried = self.step(t, dout[:, t] + carried)
        return dx, carried

    def step(self, t, dh):
        da = dh * (1 - self.h[:, t + 1] ** 2)
        self.dWx += self.x[:, t].T @ da
        self.dWh += self.h[:, t].T @ da
        self.db += da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T


class RNNCarriesNothing(RNN):
    """Every step is for itself: what comes back from the next one is dropped."""

    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.b.shape)
        dx, carried = np.zeros(self.x.shape), np.zeros(self.h[:, 0].shape)
        for t in reversed(range(dout.shape[1])):
            dx[:, t], carried = self.step(t, dout[:, t])
        return dx, carried


class RNNCarriesOneStep(RNN):
    """What is carried reaches the step before, and ends there."""

    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.b.shape)
        dx, carried = np.zeros(self.x.shape), np.zeros(self.h[:, 0].shape)
        for t in reversed(range(dout.shape[1])):
            dx[:, t], _ = self.step(t, dout[:, t] + carried)
            carried = dout[:, t] * (1 - self.h[:, t + 1] ** 2) @ self.Wh.T
        return dx, carried


class RNNInitialStateWithoutGradient(RNN):
    """Nobody returns the gradient of h0."""

    def backward(self, dout):
        dx, _ = super().backward(dout)
        return dx, None


class RNNInitialStateZero(RNN):
    """The gradient of h0 is said to be 0."""

    def backward(self, dout):
        dx, dh0 = super().backward(dout)
        return dx, np.zeros_like(dh0)


class RNNInitialStateLate(RNN):
    """The gradient of h0 is that of the first state: it has not been carried through the first step."""

    def backward(self, dout):
        dx, _ = super().backward(dout)
        carried = np.zeros(self.h[:, 0].shape)
        for t in reversed(range(dout.shape[1])):
            dh = dout[:, t] + carried
            carried = self.step_back(t, dh) if t else dh
        return dx, carried

    def step_back(self, t, dh):
        return dh * (1 - self.h[:, t + 1] ** 2) @ self.Wh.T


class RNNBiasOfLastStep(RNN):
    """``=`` for ``+=``: the bias gradient is that of the step that comes last in the loop."""

    def step(self, t, dh):
        da = dh * (1 - self.h[:, t + 1] ** 2)
        self.dWx += self.x[:, t].T @ da
        self.dWh += self.h[:, t].T @ da
        self.db = da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T


class RNNWithNewState(RNN):
    """The recurrent weight meets the new state, not the one before."""

    def step(self, t, dh):
        da = dh * (1 - self.h[:, t + 1] ** 2)
        self.dWx += self.x[:, t].T @ da
        self.dWh += self.h[:, t + 1].T @ da
        self.db += da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T


class RNNUntransposed(RNN):
    """The carried gradient goes through Wh, not through its transpose: the shape is right, as Wh is square."""

    def step(self, t, dh):
        dx, _ = super().step(t, dh)
        return dx, dh * (1 - self.h[:, t + 1] ** 2) @ self.Wh


class RNNSlopeOfStateBefore(RNN):
    """The slope of tanh is taken at the state before."""

    def step(self, t, dh):
        da = dh * (1 - self.h[:, t] ** 2)
        self.dWx += self.x[:, t].T @ da
        self.dWh += self.h[:, t].T @ da
        self.db += da.sum(axis=0)
        return da @ self.Wx.T, da @ self.Wh.T


class RNNForgetsTail(RNN):
    """The loop begins one step too early: the last step gets nothing."""

    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.b.shape)
        dx, carried = np.zeros(self.x.shape), np.zeros(self.h[:, 0].shape)
        for t in range(dout.shape[1] - 2, -1, -1):
            dx[:, t], carried = self.step(t, dout[:, t] + carried)
        return dx, carried


class RNNDampsCarried(RNN):
    """What is carried is damped a little at each step, against exploding gradients: wrong by some 1e-5."""

    def step(self, t, dh):
        dx, carried = super().step(t, dh)
        return dx, carried * (1 - 1e-5)


class RNNOfSomeSamples(RNN):
    """The size of the state is looked up in the first sample, and an empty batch has none."""

    def backward(self, dout):
        size = len(dout[0][0])
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(size)
        dx, carried = np.zeros(self.x.shape), np.zeros((len(dout), size))
        for t in reversed(range(dout.shape[1])):
            dx[:, t], carried = self.step(t, dout[:, t] + carried)
        return dx, carried


class LastState:
    """Right: as long a sequence as you like, of which only the last state is the output."""

    def __init__(self, Wx, Wh):
        self.Wx, self.Wh = Wx, Wh

    def forward(self, x):
        self.x, self.h = x, [np.zeros((x.shape[0], self.Wh.shape[0]))]
        for t in range(x.shape[1]):
            self.h.append(np.tanh(x[:, t] @ self.Wx + self.h[-1] @ self.Wh))
        return self.h[-1].copy()

    def backward(self, dout):
        self.dWx, self.dWh, dx, dh = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.x.shape), dout
        for t in reversed(range(self.x.shape[1])):
            da = dh * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[:, t].T @ da
            self.dWh += self.h[t].T @ da
            dx[:, t], dh = da @ self.Wx.T, da @ self.Wh.T
        return dx


class LastStateAtEveryStep(LastState):
    """dout is added at every step, as if all states had been the output."""

    def backward(self, dout):
        self.dWx, self.dWh, dx, dh = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.x.shape), dout
        for t in reversed(range(self.x.shape[1])):
            da = dh * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[:, t].T @ da
            self.dWh += self.h[t].T @ da
            dx[:, t], dh = da @ self.Wx.T, da @ self.Wh.T + dout
        return dx


class LastStateTruncated(LastState):
    """Backpropagation through time ends after two steps."""

    def backward(self, dout):
        self.dWx, self.dWh, dx, dh = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.x.shape), dout
        for t in list(reversed(range(self.x.shape[1])))[:2]:
            da = dh * (1 - self.h[t + 1] ** 2)
            self.dWx += self.x[:, t].T @ da
            self.dWh += self.h[t].T @ da
            dx[:, t], dh = da @ self.Wx.T, da @ self.Wh.T
        return dx


def rnn_step_forward(x, h, Wx, Wh, b):
    """Right, with `rnn_step_backward`."""
    out = np.tanh(x.dot(Wx) + h.dot(Wh) + b)
    return out, (x, h, Wx, Wh, out)


def rnn_step_backward(dout, cache):
    """Right."""
    x, h, Wx, Wh, out = cache
    da = dout * (1 - out * out)
    return da.dot(Wx.T), da.dot(Wh.T), x.T.dot(da), h.T.dot(da), da.sum(axis=0)


def rnn_step_backward_at_old_state(dout, cache):
    """The slope is taken at the state that came in."""
    x, h, Wx, Wh, out = cache
    da = dout * (1 - h * h)
    return da.dot(Wx.T), da.dot(Wh.T), x.T.dot(da), h.T.dot(da), da.sum(axis=0)


def rnn_step_backward_state_from_input(dout, cache):
    """The gradient of the state goes back through an elementwise product with the slope alone: Wh is left out."""
    x, h, Wx, Wh, out = cache
    da = dout * (1 - out * out)
    return da.dot(Wx.T), da.copy(), x.T.dot(da), h.T.dot(da), da.sum(axis=0)


def elman(x, h0, Wx, Wh):
    """Right: a closure over all states."""
    h = [h0]
    for t in range(x.shape[1]):
        h.append(np.tanh(x[:, t] @ Wx + h[-1] @ Wh))

    def pullback(dy):
        dx, dh, dWx, dWh = np.zeros(x.shape), np.zeros(h0.shape), np.zeros(Wx.shape), np.zeros(Wh.shape)
        for t in reversed(range(x.shape[1])):
            da = (dy[:, t] + dh) * (1 - h[t + 1] ** 2)
            dx[:, t], dh = da @ Wx.T, da @ Wh.T
            dWx, dWh = dWx + x[:, t].T @ da, dWh + h[t].T @ da
        return dx, dh, dWx, dWh

    return np.stack([np.zeros(h0.shape), *h[1:]], axis=1)[:, 1:], pullback


def elman_last_state_always(x, h0, Wx, Wh):
    """The loop variable of forward is used in the pullback: dWh sees the last state at all steps."""
    h = [h0]
    for t in range(x.shape[1]):
        last = h[-1]
        h.append(np.tanh(x[:, t] @ Wx + last @ Wh))

    def pullback(dy):
        dx, dh, dWx, dWh = np.zeros(x.shape), np.zeros(h0.shape), np.zeros(Wx.shape), np.zeros(Wh.shape)
        for t in reversed(range(x.shape[1])):
            da = (dy[:, t] + dh) * (1 - h[t + 1] ** 2)
            dx[:, t], dh = da @ Wx.T, da @ Wh.T
            dWx, dWh = dWx + x[:, t].T @ da, dWh + last.T @ da
        return dx, dh, dWx, dWh

    return np.stack([np.zeros(h0.shape), *h[1:]], axis=1)[:, 1:], pullback


class LSTM:
    """Right: gates i, f, o and the candidate g side by side; all hidden states are the output."""

    def __init__(self, Wx, Wh, b):
        self.params = {"Wx": Wx, "Wh": Wh, "b": b}
        self.grads = {}

    def forward(self, x, h0, c0):
        self.x, self.cache, h, c = x, [], h0, c0
        out = np.zeros((x.shape[0], x.shape[1], h0.shape[1]))
        for t in range(x.shape[1]):
            a = x[:, t] @ self.params["Wx"] + h @ self.params["Wh"] + self.params["b"]
            i, f, o = (0.5 + 0.5 * np.tanh(gate / 2) for gate in np.split(a, 4, axis=1)[:3])
            g = np.tanh(np.split(a, 4, axis=1)[3])
            before, c = (h, c), f * c + i * g
            tc = np.tanh(c)
            h = out[:, t] = o * tc
            self.cache.append((*before, i, f, o, g, tc))
        return out

    def backward(self, dout):
        self.grads = {name: np.zeros(value.shape) for name, value in self.params.items()}
        n, _, size = dout.shape
        dx, dh, dc = np.zeros(self.x.shape), np.zeros((n, size)), np.zeros((n, size))
        for t in reversed(range(dout.shape[1])):
            dc, da = self.step(self.cache[t], dout[:, t] + dh, dc)
            self.learn(t, da)
            dx[:, t], dh = da @ self.params["Wx"].T, da @ self.params["Wh"].T
        return dx, dh, dc

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        dc = dc + dh * o * (1 - tc**2)
        gates = dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - g**2)
        return dc * f, np.hstack(gates)

    def learn(self, t, da):
        self.grads["Wx"] += self.x[:, t].T @ da
        self.grads["Wh"] += self.cache[t][0].T @ da
        self.grads["b"] += da.sum(axis=0)


class LSTMCellDropped(LSTM):
    """The cell's gradient is not carried from step to step."""

    def step(self, cache, dh, dc):
        dc, da = super().step(cache, dh, 0.0)
        return dc, da


class LSTMCarriedBeforeSlope(LSTM):
    """What the next step brings to the cell is added before the slope of tanh, which it has not gone through."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        dc = (dc + dh * o) * (1 - tc**2)
        gates = dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * o * (1 - o), dc * i * (1 - g**2)
        return dc * f, np.hstack(gates)


class LSTMCellDoubled(LSTM):
    """The carried gradient of the cell is added to itself."""

    def step(self, cache, dh, dc):
        return super().step(cache, dh, dc + dc)


class LSTMGatesSwapped(LSTM):
    """Input and forget gate have changed places in the gradient."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        dc = dc + dh * o * (1 - tc**2)
        gates = dc * c * f * (1 - f), dc * g * i * (1 - i), dh * tc * o * (1 - o), dc * i * (1 - g**2)
        return dc * f, np.hstack(gates)


class LSTMForgetWithoutSlope(LSTM):
    """The forget gate's sigmoid is left undifferentiated."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        dc = dc + dh * o * (1 - tc**2)
        gates = dc * g * i * (1 - i), dc * c * f, dh * tc * o * (1 - o), dc * i * (1 - g**2)
        return dc * f, np.hstack(gates)


class LSTMSlopeOfWrongGate(LSTM):
    """The output gate's slope is that of the input gate: copied and not edited."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        dc = dc + dh * o * (1 - tc**2)
        gates = dc * g * i * (1 - i), dc * c * f * (1 - f), dh * tc * i * (1 - i), dc * i * (1 - g**2)
        return dc * f, np.hstack(gates)


class LSTMForgetSeesNewCell(LSTM):
    """The forget gate is multiplied with the new cell instead of the one before."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        return super().step((h, f * c + i * g, i, f, o, g, tc), dh, dc)


class LSTMCarriesThroughInputGate(LSTM):
    """The cell's gradient goes back through the input gate instead of the forget gate."""

    def step(self, cache, dh, dc):
        h, c, i, f, o, g, tc = cache
        _, da = super().step(cache, dh, dc)
        return (dc + dh * o * (1 - tc**2)) * i, da


class LSTMBiasesOfForgetGate(LSTM):
    """The bias gradients of all gates are that of the forget gate."""

    def learn(self, t, da):
        self.grads["Wx"] += self.x[:, t].T @ da
        self.grads["Wh"] += self.cache[t][0].T @ da
        self.grads["b"] += np.tile(np.split(da, 4, axis=1)[1].sum(axis=0), 4)


class LSTMBiasOfLastStep(LSTM):
    """The bias gradient is that of the last step."""

    def learn(self, t, da):
        self.grads["Wx"] += self.x[:, t].T @ da
        self.grads["Wh"] += self.cache[t][0].T @ da
        if t == len(self.cache) - 1:
            self.grads["b"] += da.sum(axis=0)


class LSTMInitialCellWithoutGradient(LSTM):
    """c0 gets no gradient."""

    def backward(self, dout):
        dx, dh, _ = super().backward(dout)
        return dx, dh, None


class LSTMInitialCellByHidden(LSTM):
    """h0's gradient is returned for c0 too."""

    def backward(self, dout):
        dx, dh, _ = super().backward(dout)
        return dx, dh, dh.copy()


class GRU:
    """Right: reset gate r, update gate z, candidate n; the reset gate acts on the product with the hidden weights."""

    def __init__(self, Wx, Wh, b):
        self.Wx, self.Wh, self.b = Wx, Wh, b

    def forward(self, x, h0):
        self.x, self.cache, h = x, [], h0
        out = np.zeros((x.shape[0], x.shape[1], h0.shape[1]))
        for t in range(x.shape[1]):
            ar, az, an = np.split(x[:, t] @ self.Wx + self.b, 3, axis=1)
            ur, uz, un = np.split(h @ self.Wh, 3, axis=1)
            r, z = 0.5 + 0.5 * np.tanh((ar + ur) / 2), 0.5 + 0.5 * np.tanh((az + uz) / 2)
            n = np.tanh(an + r * un)
            self.cache.append((h, r, z, n, un))
            h = out[:, t] = (1 - z) * n + z * h
        return out

    def backward(self, dout):
        self.dWx, self.dWh, self.db = np.zeros(self.Wx.shape), np.zeros(self.Wh.shape), np.zeros(self.b.shape)
        dx, dh = np.zeros(self.x.shape), np.zeros((dout.shape[0], dout.shape[2]))
        for t in reversed(range(dout.shape[1])):
            through, da, du = self.step(*self.cache[t], dout[:, t] + dh)
            self.dWx += self.x[:, t].T @ da
            self.dWh += self.cache[t][0].T @ du
            self.db += da.sum(axis=0)
            dx[:, t], dh = da @ self.Wx.T, through + du @ self.Wh.T
        return dx, dh

    def step(self, h, r, z, n, un, dh):
        dn, dz = dh * (1 - z) * (1 - n**2), dh * (h - n) * z * (1 - z)
        dr = dn * un * r * (1 - r)
        return dh * z, np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])


class GRUWithoutPassThrough(GRU):
    """The state also passes the update gate on its way to the next one: that path is missing."""

    def step(self, h, r, z, n, un, dh):
        _, da, du = super().step(h, r, z, n, un, dh)
        return 0.0, da, du


class GRUWithoutResetPath(GRU):
    """The reset gate gets no gradient."""

    def step(self, h, r, z, n, un, dh):
        dn, dz = dh * (1 - z) * (1 - n**2), dh * (h - n) * z * (1 - z)
        dr = np.zeros(dn.shape)
        return dh * z, np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])


class GRUUpdateSign(GRU):
    """State and candidate are the wrong way round in the update gate's gradient."""

    def step(self, h, r, z, n, un, dh):
        dn, dz = dh * (1 - z) * (1 - n**2), dh * (n - h) * z * (1 - z)
        dr = dn * un * r * (1 - r)
        return dh * z, np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])


class GRUHiddenWithoutReset(GRU):
    """The candidate's gradient goes into the hidden weights without the reset gate."""

    def step(self, h, r, z, n, un, dh):
        through, da, _ = super().step(h, r, z, n, un, dh)
        return through, da, da


class GRUGatesSwapped(GRU):
    """Reset and update gate have changed places."""

    def step(self, h, r, z, n, un, dh):
        dn, dz = dh * (1 - z) * (1 - n**2), dh * (h - n) * z * (1 - z)
        dr = dn * un * r * (1 - r)
        return dh * z, np.hstack([dz, dr, dn]), np.hstack([dz, dr, dn * r])


class GRUCandidateByUpdate(GRU):
    """The candidate is weighted with z instead of 1 - z."""

    def step(self, h, r, z, n, un, dh):
        dn, dz = dh * z * (1 - n**2), dh * (h - n) * z * (1 - z)
        dr = dn * un * r * (1 - r)
        return dh * z, np.hstack([dr, dz, dn]), np.hstack([dr, dz, dn * r])


class LeakyIntegrator:
    """Right: each state is the input plus a share of the state before, with one learnt share for each feature."""

    def __init__(self, gamma):
        self.gamma = gamma

    def forward(self, x):
        self.share, self.h = np.tanh(self.gamma), np.zeros((x.shape[0], x.shape[1] + 1, x.shape[2]))
        for t in range(x.shape[1]):
            self.h[:, t + 1] = x[:, t] + self.share * self.h[:, t]
        return self.h[:, 1:].copy()

    def backward(self, dout):
        dx, carried = np.zeros(dout.shape), 0.0
        for t in reversed(range(dout.shape[1])):
            dx[:, t] = dout[:, t] + carried
            carried = self.share * dx[:, t]
        self.dgamma = (dx * self.h[:, :-1]).sum(axis=(0, 1)) * (1 - self.share**2)
        return dx


class LeakyIntegratorForwards(LeakyIntegrator):
    """The gradient runs in the same direction as the states."""

    def backward(self, dout):
        dx, carried = np.zeros(dout.shape), 0.0
        for t in range(dout.shape[1]):
            dx[:, t] = dout[:, t] + carried
            carried = self.share * dx[:, t]
        self.dgamma = (dx * self.h[:, :-1]).sum(axis=(0, 1)) * (1 - self.share**2)
        return dx


class LeakyIntegratorShareDirect(LeakyIntegrator):
    """The share's gradient uses dout, which lacks what comes from later steps."""

    def backward(self, dout):
        dx = super().backward(dout)
        self.dgamma = (dout * self.h[:, :-1]).sum(axis=(0, 1)) * (1 - self.share**2)
        return dx


class BothWays:
    """Right: a decaying sum over the steps before, and one over the steps behind."""

    def forward(self, x):
        self.decay = 0.6
        return self.run(x) + 2 * self.run(x[:, ::-1])[:, ::-1]

    def backward(self, dout):
        return self.run(dout[:, ::-1])[:, ::-1] + 2 * self.run(dout)

    def run(self, x):
        h, out = 0.0, np.zeros(x.shape)
        for t in range(x.shape[1]):
            h = out[:, t] = x[:, t] + self.decay * h
        return out


class BothWaysNotTurned(BothWays):
    """The two directions are not turned round on the way back."""

    def backward(self, dout):
        return self.run(dout) + 2 * self.run(dout[:, ::-1])[:, ::-1]


WRONG = (
    Wrong(RNNCarriesNothing, RNN, "GC101", "T17", "t >= 2"),
    Wrong(RNNCarriesOneStep, RNN, "GC101", "T17", "t >= 2 (h0), t >= 3 (x)"),
    Wrong(RNNInitialStateWithoutGradient, RNN, "GC102", "T17", "any"),
    Wrong(RNNInitialStateZero, RNN, "GC101", "T17", "any"),
    Wrong(RNNInitialStateLate, RNN, "GC101", "T17", "any"),
    Wrong(RNNBiasOfLastStep, RNN, "GC101", "T17", "t >= 2"),
    Wrong(RNNWithNewState, RNN, "GC101", "T17", "any"),
    Wrong(RNNUntransposed, RNN, "GC101", "T17", "h >= 2"),
    Wrong(RNNSlopeOfStateBefore, RNN, "GC101", "T17", "any"),
    Wrong(RNNForgetsTail, RNN, "GC101", "T17", "last step"),
    Wrong(RNNDampsCarried, RNN, "GC101", "T17", "1e-5"),
    Wrong(RNNOfSomeSamples, RNN, "GC503", "T30", "n = 0"),
    Wrong(LastStateAtEveryStep, LastState, "GC101", "T17", "t >= 2"),
    Wrong(LastStateTruncated, LastState, "GC101", "T17", "t >= 3"),
    Wrong(
        (rnn_step_forward, rnn_step_backward_at_old_state),
        (rnn_step_forward, rnn_step_backward),
        "GC101",
        "T17",
        "any",
    ),
    Wrong(
        (rnn_step_forward, rnn_step_backward_state_from_input),
        (rnn_step_forward, rnn_step_backward),
        "GC101",
        "T17",
        "any",
    ),
    Wrong(elman_last_state_always, elman, "GC101", "T17", "t >= 2"),
    Wrong(LSTMCellDropped, LSTM, "GC101", "T17", "t >= 2"),
    Wrong(LSTMCarriedBeforeSlope, LSTM, "GC101", "T17", "t >= 2"),
    Wrong(LSTMCellDoubled, LSTM, "GC101", "T17", "t >= 2"),
    Wrong(LSTMGatesSwapped, LSTM, "GC101", "T17", "any"),
    Wrong(LSTMForgetWithoutSlope, LSTM, "GC101", "T17", "any"),
    Wrong(LSTMSlopeOfWrongGate, LSTM, "GC101", "T17", "any"),
    Wrong(LSTMForgetSeesNewCell, LSTM, "GC101", "T17", "any"),
    Wrong(LSTMCarriesThroughInputGate, LSTM, "GC101", "T17", "any (c0)"),
    Wrong(LSTMBiasesOfForgetGate, LSTM, "GC101", "T17", "any"),
    Wrong(LSTMBiasOfLastStep, LSTM, "GC101", "T17", "t >= 2"),
    Wrong(LSTMInitialCellWithoutGradient, LSTM, "GC102", "T17", "any"),
    Wrong(LSTMInitialCellByHidden, LSTM, "GC101", "T17", "any"),
    Wrong(GRUWithoutPassThrough, GRU, "GC101", "T17", "any"),
    Wrong(GRUWithoutResetPath, GRU, "GC101", "T17", "any"),
    Wrong(GRUUpdateSign, GRU, "GC101", "T17", "any"),
    Wrong(GRUHiddenWithoutReset, GRU, "GC101", "T17", "any"),
    Wrong(GRUGatesSwapped, GRU, "GC101", "T17", "any"),
    Wrong(GRUCandidateByUpdate, GRU, "GC101", "T17", "any"),
    Wrong(LeakyIntegratorForwards, LeakyIntegrator, "GC101", "T17", "t >= 2"),
    Wrong(LeakyIntegratorShareDirect, LeakyIntegrator, "GC101", "T17", "t >= 3"),
    Wrong(BothWaysNotTurned, BothWays, "GC101", "T17", "t >= 2"),
)

ODD = ()
