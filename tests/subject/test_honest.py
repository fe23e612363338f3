"""What is no fault of a layer's: that it is not ready yet, that it keeps a state, that it shares a weight."""

import numpy as np

import gradcheck

rng = np.random.default_rng(0)
X = rng.standard_normal((4, 3))


class Model:
    loss = None

    def __init__(self):
        self.loss = None

    def compile(self, loss):
        self.loss = loss

    def forward(self, x):
        return (x**2).sum()

    def backward(self):
        return self.loss.backward()


class ForgetsToKeep:
    def __init__(self):
        self.x = None

    def forward(self, x):
        return x * x

    def backward(self, dout):
        return 2 * dout * self.x


def test_a_model_without_its_loss_is_unchecked():
    (subject,) = gradcheck.check(Model, inputs=(X,)).subjects
    assert subject.verdict == "unchecked"
    assert subject.reason == "Model is not ready: its loss is None until compile(...) is called"
    assert subject.fix == "give a layer that is ready: layer.compile(...), then gradcheck.check(layer)"


def test_what_forward_should_have_kept_is_a_finding():
    report = gradcheck.check(ForgetsToKeep, inputs=(X,))
    assert {finding.rule for finding in report.findings} == {"GC602"}


class Node:
    def __call__(self, x):
        self.input = x
        return self.forward(x)

    def forward(self, x):
        return x**2

    def backward(self, dout):
        return 2 * self.input * dout


def test_what_the_engine_gives_a_node_is_not_there():
    (subject,) = gradcheck.check(Node, inputs=(X,)).subjects
    assert subject.verdict == "unchecked"
    assert subject.reason == "backward needs input, which Node gets when the engine it belongs to calls it"


class Criterion:
    def forward(self, y):
        self.p = y
        return (y**2).sum()

    def backward(self):
        return 2 * self.p


class Network:
    def __init__(self):
        self.criterion = Criterion()

    def forward(self, x):
        return 3 * x

    def backward(self, dout):
        return 3 * self.criterion.backward()


def test_a_layer_inside_that_was_not_run_is_not_ready():
    (subject,) = gradcheck.check(Network, inputs=(X,)).subjects
    assert subject.verdict == "unchecked"
    assert subject.reason == "Network is not ready: the p of its Criterion is missing until forward(...) is called"


class Embed:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Tied:
    """Projects and projects back with one matrix: each layer leaves its part of the gradient."""

    def __init__(self):
        W = np.random.default_rng(1).standard_normal((3, 2))
        self.layers = [Embed(W), Embed(W.T)]

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dout):
        for layer in reversed(self.layers):
            dout = layer.backward(dout)
        return dout


class Untied(Tied):
    def __init__(self):
        super().__init__()
        self.layers[1].W = self.layers[1].W.copy()


def test_the_parts_of_a_shared_weight_are_not_judged():
    (subject,) = gradcheck.check(Tied, inputs=(X,)).subjects
    assert subject.verdict == "pass"
    (finding,) = subject.findings
    assert (finding.rule, finding.level) == ("GC102", "warning")
    assert "is shared by two layers, each of which has a part of its gradient" in finding.message
    assert subject.resolution.keys() == {"x"}


def test_two_weights_are_judged():
    (subject,) = gradcheck.check(Untied, inputs=(X,)).subjects
    assert subject.verdict == "pass"
    assert len(subject.resolution) == 3


class Steps:
    """A cell inside a layer that is stateful."""

    def __init__(self):
        self.h = 0.0

    def forward(self, x):
        self.h = np.tanh(x + 0.5 * np.mean(self.h))
        self.y = self.h
        return self.y

    def backward(self, dout):
        return dout * (1 - self.y**2)


class Stack:
    def __init__(self):
        self.cells = [Steps()]

    def forward(self, x):
        return self.cells[0].forward(x)

    def backward(self, dout):
        return self.cells[0].backward(dout)


def test_a_state_inside_a_layer_is_a_state():
    report = gradcheck.check(Stack, inputs=(X,))
    assert [(f.rule, f.level) for f in report.findings] == [("GC302", "warning")]


class StaleMask(Stack):
    def forward(self, x):
        if not hasattr(self, "positive"):
            self.positive = x > 0
        return x * self.positive

    def backward(self, dout):
        return dout * self.positive


def test_a_stale_mask_is_none():
    report = gradcheck.check(StaleMask, signature="(n,i)->(n,i)")
    assert ("GC302", "error") in {(f.rule, f.level) for f in report.findings}


class Shifted:
    """Softmax whose denominator has a constant, with the gradient of one that has none."""

    factor = 1.0

    def forward(self, x):
        return self.value(x)

    def value(self, x):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.y = e / (e.sum(axis=-1, keepdims=True) + 1e-10)
        return self.y

    def backward(self, dout):
        return self.factor * self.y * (dout - (dout * self.y).sum(axis=-1, keepdims=True))


def test_a_gradient_of_next_to_nothing_that_a_constant_explains_is_a_warning():
    right = gradcheck.check(Shifted, seed=1)
    assert {f.level for f in right.findings} <= {"warning"}
    assert right.verdict == "pass"
    wrong = gradcheck.check(type("Shifted", (Shifted,), {"factor": 1.001}))
    assert ("GC101", "error") in {(f.rule, f.level) for f in wrong.findings}
