"""Relu and Sigmoid against plain Python, one number at a time; the sigmoid in fifty decimal digits."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest

from layers import Relu, Sigmoid

POINTS = [0.0, -0.0, 1e-300, -1e-300, 1e-8, -1e-8, 0.3, -0.3, 1.0, -1.0, 7.5, -7.5, 20.0, -20.0, 36.9, 40.0, -40.0]
FAR = [300.0, -300.0, 708.0, -708.0, 1e3, -1e3, 1e4, -1e4]


def decimal_sigmoid(x):
    """Return the logistic function and its slope, rounded once, from fifty digits."""
    with localcontext() as context:
        context.prec = 50
        e = (-Decimal(float(x))).exp()
        return float(1 / (1 + e)), float(e / (1 + e) ** 2)


@pytest.mark.parametrize("x", POINTS + FAR)
def test_sigmoid_is_right_to_the_last_digits_without_overflow(x):
    sigmoid = Sigmoid()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        (value,) = sigmoid.forward(np.array([x]))
        (slope,) = sigmoid.backward(np.array([1.0]))
    expected_value, expected_slope = decimal_sigmoid(x)
    assert value == pytest.approx(expected_value, rel=4e-16, abs=1e-320)
    assert slope == pytest.approx(expected_slope, rel=1e-15, abs=1e-320)


@pytest.mark.parametrize("x", [-1e4, -88.0, -3.0, 0.0, 0.5, 17.0, 88.0, 1e4])
def test_sigmoid_in_float32(x):
    sigmoid = Sigmoid()
    with np.errstate(over="raise", divide="raise", invalid="raise"):
        (value,) = sigmoid.forward(np.array([x], dtype=np.float32))
        (slope,) = sigmoid.backward(np.array([1.0], dtype=np.float32))
    expected_value, expected_slope = decimal_sigmoid(x)
    assert value == pytest.approx(expected_value, rel=3e-7, abs=1e-44)
    assert slope == pytest.approx(expected_slope, rel=5e-7, abs=1e-44)


def test_sigmoid_matches_a_plain_loop():
    x, dout = np.random.default_rng(4).normal(size=(2, 3, 4, 5))
    sigmoid = Sigmoid()
    by_hand = [1 / (1 + math.exp(-v)) for v in x.flat]
    np.testing.assert_allclose(sigmoid.forward(x).ravel(), by_hand, rtol=4e-16)
    by_hand = [d / (2 * math.cosh(v / 2)) ** 2 for v, d in zip(x.flat, dout.flat, strict=True)]
    np.testing.assert_allclose(sigmoid.backward(dout).ravel(), by_hand, rtol=2e-15)


@pytest.mark.parametrize("x", POINTS + FAR)
def test_relu_is_the_larger_of_x_and_zero(x):
    relu = Relu()
    assert relu.forward(np.array([x])) == [x if x > 0 else 0.0]
    # At the kink (0.0 and -0.0) the layer chooses the slope 0.
    assert relu.backward(np.array([-3.5])) == [-3.5 if x > 0 else 0.0]


def test_relu_matches_a_plain_loop():
    x, dout = np.random.default_rng(5).normal(size=(2, 3, 4, 5))
    relu = Relu()
    assert relu.forward(x).ravel().tolist() == [max(v, 0.0) for v in x.flat]
    by_hand = [d if v > 0 else 0.0 for v, d in zip(x.flat, dout.flat, strict=True)]
    assert relu.backward(dout).ravel().tolist() == by_hand


@pytest.mark.parametrize("layer", [Relu, Sigmoid])
def test_a_nan_comes_through(layer):
    out = layer().forward(np.array([np.nan, 1.0]))
    assert np.isnan(out).tolist() == [True, False]
