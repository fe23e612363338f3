"""Why a layer fails: what is said must be verified, and what cannot be verified is not said."""

import numpy as np
import pytest

import gradcheck
from gradcheck.diagnosis.watch import first_write


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.weights(dout)
        self.db = self.bias(dout)
        return dout @ self.W.T

    def weights(self, dout):
        return self.x.T @ dout

    def bias(self, dout):
        return dout.sum(axis=0)


def affine(**methods):
    return type("Affine", (Affine,), methods)


def finding(layer, rule, argument, seed=0):
    found = [f for f in gradcheck.check(layer, seed=seed).findings if (f.rule, f.argument) == (rule, argument)]
    assert found, f"no {rule} for {argument}"
    return found[0]


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        (lambda self, dout: -self.x.T @ dout, "it has the opposite sign of the right one"),
        (lambda self, dout: 2 * self.x.T @ dout, "it is 2 times the right one, at every case tried"),
        (lambda self, dout: self.x.T @ dout / 3, "it is 1/3 times the right one, at every case tried"),
        (lambda self, dout: self.x.T @ dout / len(dout), "it is 1/n (the size of a dimension) times the right one"),
        (lambda self, dout: self.x.T @ dout * len(dout), "it is n (the size of a dimension) times the right one"),
        (lambda self, dout: 0 * self.W, "it is zero, but the output does depend on this argument"),
    ],
)
def test_patterns_are_named_and_the_formula_is_found(weights, said):
    found = finding(affine(weights=weights), "GC101", "W")
    assert any(line.startswith(said) for line in found.diagnosis), found.diagnosis
    assert found.formula == "x.T @ dout"


def test_no_pattern_is_named_where_none_holds():
    found = finding(affine(weights=lambda self, dout: self.x.T @ dout + 0.1 * self.W), "GC402", "W")
    assert found.diagnosis == ()
    assert found.formula == "x.T @ dout"


def test_swapped_gradients_are_named():
    class Mul:
        def forward(self, x, y):
            self.x, self.y = x, y
            return x * y

        def backward(self, dout):
            return dout * self.x, dout * self.y

    assert "are the two swapped?" in finding(Mul, "GC101", "x").diagnosis[0]


FORMULAS = {
    "tanh": (np.tanh, "dout * (1 - out**2)"),
    "exp": (np.exp, "dout * np.exp(x)"),
    "square": (np.square, "2 * dout * x"),
    "relu": (lambda x: np.maximum(x, 0), "dout * (x > 0)"),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), "dout * out * (1 - out)"),
    "sin": (np.sin, "dout * np.cos(x)"),
    "identity": (lambda x: x + 1, "dout"),
    "row sums": (lambda x: x.sum(axis=1), None),
    "an odd one": (lambda x: np.cos(x**2) + x * np.arctan(x), None),
}


@pytest.mark.parametrize("name", FORMULAS)
def test_formulas_of_elementwise_layers(name):
    function, formula = FORMULAS[name]

    class Layer:
        def forward(self, x):
            return function(x)

        def backward(self, dout):
            return None

    assert finding(Layer, "GC102", "x").formula == formula


@pytest.mark.parametrize("seed", range(3))
def test_a_formula_is_one_of_the_right_ones(seed):
    found = finding(affine(bias=lambda self, dout: dout.mean(axis=0)), "GC101", "b", seed)
    assert found.formula == "dout.sum(axis=0)"


@pytest.mark.parametrize(
    ("rule", "argument", "methods", "text"),
    [
        ("GC101", "W", {"weights": lambda self, dout: -self.x.T @ dout}, "self.dW = self.weights(dout)"),
        ("GC101", "b", {"bias": lambda self, dout: dout.sum(axis=0) * 2}, "self.db = self.bias(dout)"),
    ],
)
def test_the_line_that_makes_a_wrong_gradient(rule, argument, methods, text):
    place = finding(affine(**methods), rule, argument).location
    assert place.text == text
    assert place.file.endswith("test_diagnosis.py")


def test_the_line_that_writes_is_found_by_watching():
    class Relu:
        def forward(self, x):
            self.mask = x <= 0
            return np.where(self.mask, 0, x)

        def backward(self, dout):
            alias = dout
            self.clear(alias)
            return dout

        def clear(self, array):
            array[self.mask] = 0

    assert finding(Relu, "GC201", "dout").location.text == "array[self.mask] = 0"


def test_watching_leaves_other_tracers_alone():
    import sys

    x = np.zeros(2)

    def write():
        y = x
        y += 1

    def tracer(frame, event, arg):
        return None

    before = sys.gettrace()
    sys.settrace(tracer)
    try:
        place = first_write(write, [x])
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(before)
    assert place.text == "y += 1"
    assert first_write(lambda: None, [x]) is None


def test_a_call_for_a_product():
    class Sigmoid:
        def forward(self, x):
            self.out = 1 / (1 + np.exp(-x))
            return self.out

        def backward(self, dout):
            return dout * self.out(1 - self.out)

    found = finding(Sigmoid, "GC602", None)
    assert found.diagnosis == ("looks like a missing `*` after `self.out`",)
    assert found.formula == "dout * out * (1 - out)"
    assert found.location.text == "return dout * self.out(1 - self.out)"


class Loss:
    """The mean cross entropy of probabilities, with a stabiliser in forward that backward leaves out."""

    factor = 1.0

    def forward(self, x, t):
        e = np.exp(x - x.max(axis=-1, keepdims=True))
        self.y, self.t = e / e.sum(axis=-1, keepdims=True), t
        return -np.sum(t * np.log(self.y + 1e-7)) / len(x)

    def backward(self, dout=1):
        return self.factor * dout * (self.y - self.t) / len(self.t)


@pytest.mark.parametrize("seed", range(5))
def test_a_stabiliser_is_a_warning(seed):
    report = gradcheck.check(Loss, seed=seed)
    assert report.verdict == "pass"
    assert [f.level for f in report.findings if f.rule == "GC101"] == ["warning"]
    assert 1e-8 < report.subjects[0].resolution["x"] < 1e-2


def test_no_stabiliser_excuses_a_wrong_gradient():
    wrong = type("Loss", (Loss,), {"factor": 1.01})
    assert {f.level for f in gradcheck.check(wrong).findings if f.rule == "GC101"} == {"error"}
