"""Known conventions are named; what only looks like one is not."""

import numpy as np
import pytest

import gradcheck


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        n, m = self.shares(dout)
        self.dW, self.db = self.x.T @ dout / n, dout.sum(axis=0) / m
        return dout @ self.W.T * self.of_x(dout)

    def of_x(self, dout):
        return 1.0


def affine(shares, of_x=lambda self, dout: 1.0):
    return type("Affine", (Affine,), {"shares": shares, "of_x": of_x})


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y.copy()

    def backward(self, dout):
        return 1.0 * dout


class Tanh(Sigmoid):
    def forward(self, x):
        return np.tanh(x)


class Half(Sigmoid):
    def backward(self, dout):
        return 0.5 * dout


class Errors:
    def forward(self, x, t):
        self.off = x - t
        return (self.off**2).sum(axis=1)

    def backward(self, dout):
        return 2 * self.off * dout[:, None] / self.count()

    def count(self):
        return len(self.off)


def rules(layer):
    report = gradcheck.check(layer)
    return report.verdict, {finding.rule for finding in report.findings}


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        (affine(lambda self, dout: (len(dout), len(dout))), "GC111"),
        (Sigmoid, "GC112"),
        (Errors, "GC113"),
    ],
)
def test_conventions_are_named(layer, rule):
    assert rules(layer) == ("pass", {rule})


@pytest.mark.parametrize(
    "layer",
    [
        affine(lambda self, dout: (len(dout), 1)),  # one of two
        affine(lambda self, dout: (dout.shape[1], dout.shape[1])),  # by the outputs, not by the samples
        affine(lambda self, dout: (len(dout), len(dout)), lambda self, dout: 0.5),  # and x is wrong
        Tanh,
        Half,
        type("Errors", (Errors,), {"count": lambda self: self.off.size}),
    ],
)
def test_what_only_looks_like_one_is_wrong(layer):
    verdict, found = rules(layer)
    assert verdict == "fail"
    assert "GC101" in found
