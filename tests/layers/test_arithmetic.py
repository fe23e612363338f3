"""Mul and Add against plain Python: the apple example, element-by-element loops, and every way of broadcasting."""

import itertools

import numpy as np
import pytest

from layers import Add, Mul
from layers.broadcast import unbroadcast

# Shapes that broadcast against each other: equal, a missing axis, a stretched one, both operands stretched, a lone
# number, axes of size 1 that stay 1, and empty ones.
PAIRS = [
    ((3, 4), (3, 4)),
    ((3, 4), (4,)),
    ((4,), (3, 4)),
    ((3, 1), (3, 4)),
    ((3, 1), (1, 4)),
    ((2, 3, 4), (3, 1)),
    ((2, 3, 4), ()),
    ((), ()),
    ((1, 1), (1,)),
    ((1, 4), (4,)),
    ((0, 4), (4,)),
    ((1, 4), (0, 1)),
    ((1,), (0,)),
]


def loop_gradients(x, y, dout, slope_x, slope_y):
    """Return both gradients, each output's share added by hand to the elements that it was made of."""
    dx, dy = np.zeros(x.shape), np.zeros(y.shape)
    for place in itertools.product(*map(range, dout.shape)):
        i = tuple(0 if n == 1 else k for k, n in zip(place[len(place) - x.ndim :], x.shape, strict=True))
        j = tuple(0 if n == 1 else k for k, n in zip(place[len(place) - y.ndim :], y.shape, strict=True))
        dx[i] += dout[place] * slope_x(x[i], y[j])
        dy[j] += dout[place] * slope_y(x[i], y[j])
    return dx, dy


@pytest.mark.parametrize(("x_shape", "y_shape"), PAIRS)
@pytest.mark.parametrize(
    ("layer", "value", "slope_x", "slope_y"),
    [
        pytest.param(Mul, lambda x, y: x * y, lambda x, y: y, lambda x, y: x, id="Mul"),
        pytest.param(Add, lambda x, y: x + y, lambda x, y: 1.0, lambda x, y: 1.0, id="Add"),
    ],
)
def test_broadcasting_operands_match_a_plain_loop(layer, value, slope_x, slope_y, x_shape, y_shape):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=x_shape), rng.normal(size=y_shape)
    x, y = np.asarray(x), np.asarray(y)
    it = layer()
    out = it.forward(x, y)
    shape = np.broadcast_shapes(x_shape, y_shape)
    expected = [
        value(a, b) for a, b in zip(np.broadcast_to(x, shape).flat, np.broadcast_to(y, shape).flat, strict=True)
    ]
    assert np.shape(out) == shape
    np.testing.assert_array_equal(np.ravel(out), expected)

    dout = np.asarray(rng.normal(size=shape))
    for gradient, by_hand in zip(it.backward(dout), loop_gradients(x, y, dout, slope_x, slope_y), strict=True):
        assert np.shape(gradient) == by_hand.shape
        np.testing.assert_allclose(gradient, by_hand, rtol=1e-14, atol=1e-14)


def test_the_apple_example_in_plain_numbers():
    apples, tax = Mul(), Mul()
    total = tax.forward(apples.forward(100, 2), 1.1)
    dsum, dtax = tax.backward(1)
    dprice, dcount = apples.backward(dsum)
    assert (total, dsum, dtax, dprice, dcount) == (220.00000000000003, 1.1, 200, 2.2, 110.00000000000001)


def test_apples_and_oranges_in_plain_numbers():
    apples, oranges, fruit, tax = Mul(), Mul(), Add(), Mul()
    total = tax.forward(fruit.forward(apples.forward(100, 2), oranges.forward(150, 3)), 1.1)
    dfruit, dtax = tax.backward(1)
    dapples, doranges = fruit.backward(dfruit)
    assert (total, dtax, dapples, doranges) == (715.0000000000001, 650, 1.1, 1.1)
    assert apples.backward(dapples) == (2.2, 110.00000000000001)
    assert oranges.backward(doranges) == (3.3000000000000003, 165.0)


def test_unbroadcast_returns_what_was_not_broadcast():
    g = np.ones((2, 3))
    assert unbroadcast(g, (2, 3)) is g


@pytest.mark.parametrize("size", [1e-300, 1e154, 1e300])
def test_extreme_operands_stay_finite_where_the_product_is(size):
    mul, add = Mul(), Add()
    x, y = np.array([size, -size]), np.array([0.5, 2.0])
    np.testing.assert_array_equal(mul.forward(x, y), [size * 0.5, -size * 2])
    np.testing.assert_array_equal(mul.backward(np.ones(2)), [y, x])
    np.testing.assert_array_equal(add.forward(x, -x), [0.0, 0.0])
    np.testing.assert_array_equal(add.backward(x), [x, x])
