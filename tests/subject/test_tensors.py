"""Tensor engines through `gradcheck.through`: ways to start one, and to read it."""

import numpy as np
import pytest

import gradcheck

X = np.random.default_rng(0).standard_normal((4, 3))


def check(function, tensor, *inputs):
    return gradcheck.check(gradcheck.through(function, tensor), inputs=inputs or (X,), profile="quick")


class Node:
    """An engine whose nodes add up what comes back: ``send`` gives the parents' gradients."""

    def __init__(self, data, parents=(), send=None):
        self.data, self.grad, self.parents, self.send = data, None, parents, send

    def run(self):
        if self.parents:
            for parent, grad in zip(self.parents, self.send(self.grad), strict=True):
                parent.grad = grad if parent.grad is None else parent.grad + grad
                parent.run()

    def square(self, k=2.0):
        return type(self)(self.data**2, (self,), lambda g: (k * self.data * g,))

    def sum(self):
        return type(self)(self.data.sum(), (self,), lambda g: (g * np.ones_like(self.data),))

    def __add__(self, other):
        return type(self)(self.data + other.data, (self, other), lambda g: (g, g))


class TakesDout(Node):
    def backward(self, grad=None, retain_graph=False):
        self.grad = np.ones_like(self.data) if grad is None else grad
        self.run()


class TakesNone(Node):
    def backward(self, retain_grad=False):
        if self.grad is None:
            self.grad = np.ones_like(self.data)
        self.run()


class StartsFromOnes(Node):
    def backward(self):
        self.grad = np.ones_like(self.data)
        self.run()


class OfTensors(Node):
    """Its gradients are tensors, and so must dout be."""

    def backward(self, grad):
        assert isinstance(grad, OfTensors)
        self.grad = grad.data
        self.run()
        self.wrap()

    def wrap(self):
        for parent in self.parents:
            parent.wrap()
            if not isinstance(parent.grad, OfTensors):
                parent.grad = OfTensors(parent.grad)


ENGINES = [TakesDout, TakesNone, OfTensors]


@pytest.mark.parametrize("engine", ENGINES)
def test_engines(engine):
    assert check(lambda x: x.square() + x, engine).verdict == "pass"
    report = check(lambda x: x.square(k=1.99) + x, engine)
    assert [finding.rule for finding in report.findings] == ["GC101"]


def test_an_engine_that_starts_from_ones():
    assert check(lambda x: x.square().sum(), StartsFromOnes).verdict == "pass"
    assert check(lambda x: x.square(k=1.99).sum(), StartsFromOnes).verdict == "fail"
    report = check(lambda x: x.square(), StartsFromOnes)
    assert report.verdict == "unchecked"
    assert report.subjects[0].fix == "let the function return one number: lambda x: (f(x) * weights).sum()"


def test_whole_numbers_and_options_go_in_as_they_are():
    def picked(x, rows, k):
        def send(g):
            dx = np.zeros_like(x.data)
            np.add.at(dx, rows, k * g)
            return (dx,)

        return TakesDout(k * x.data[rows], (x,), send)

    assert check(picked, TakesDout, X, np.array([0, 2, 0]), 3).verdict == "pass"


def test_dropout_repeats():
    def dropout(x):
        mask = np.random.random(x.data.shape) < 0.5  # noqa: NPY002 - as engines in the wild do
        return TakesDout(x.data * mask, (x,), lambda g: (g * mask,))

    assert check(dropout, TakesDout).verdict == "pass"


def test_an_argument_that_the_engine_forgets():
    report = check(lambda x, y: TakesDout(x.data * y.data, (x,), lambda g: (g * y.data,)), TakesDout, X, X + 1.0)
    assert [(finding.rule, finding.argument) for finding in report.findings] == [("GC102", "y")]


def test_shapes_are_found():
    report = gradcheck.check(gradcheck.through(lambda x: x.square(), TakesDout), profile="quick")
    assert (report.verdict, report.subjects[0].signature) == ("pass", "(n,i)->(n,i)")


def test_what_backward_raises_is_its_own():
    def send(g):
        raise TypeError("a bug of the engine's")

    report = check(lambda x: TakesDout(x.data, (x,), send), TakesDout)
    assert [finding.rule for finding in report.findings] == ["GC602"]
    assert "a bug of the engine's" in report.findings[0].message


def test_what_is_no_tensor():
    report = check(lambda x: {"y": x}, TakesDout)
    assert report.verdict == "unchecked"
    assert report.subjects[0].reason.startswith("the function returned, or left as grad, a dict")
