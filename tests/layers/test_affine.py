"""Affine against sums written out as loops, for any number of leading axes."""

import itertools

import numpy as np
import pytest

from layers import Affine


def loop_affine(x, W, b, dout):
    """Return out, dx, dW and db, one multiplication at a time."""
    out, dx, dW, db = np.zeros(dout.shape), np.zeros(x.shape), np.zeros(W.shape), np.zeros(b.shape)
    for sample in itertools.product(*map(range, x.shape[:-1])):
        for o in range(W.shape[1]):
            out[(*sample, o)] += b[o]
            db[o] += dout[(*sample, o)]
            for i in range(W.shape[0]):
                out[(*sample, o)] += x[(*sample, i)] * W[i, o]
                dx[(*sample, i)] += dout[(*sample, o)] * W[i, o]
                dW[i, o] += x[(*sample, i)] * dout[(*sample, o)]
    return out, dx, dW, db


@pytest.mark.parametrize("samples", [(), (1,), (3,), (2, 3), (2, 1, 3), (0,), (2, 0)])
@pytest.mark.parametrize(("i", "o"), [(4, 2), (2, 4), (3, 3), (1, 1), (1, 3), (3, 1), (0, 2), (2, 0)])
def test_matches_a_plain_loop(samples, i, o):
    rng = np.random.default_rng(6)
    x, W, b, dout = (rng.normal(size=shape) for shape in [(*samples, i), (i, o), (o,), (*samples, o)])
    affine = Affine(W, b)
    out = affine.forward(x)
    dx = affine.backward(dout)
    for got, by_hand in zip((out, dx, affine.dW, affine.db), loop_affine(x, W, b, dout), strict=True):
        assert got.shape == by_hand.shape
        np.testing.assert_allclose(got, by_hand, rtol=1e-13, atol=1e-13)


def test_gradients_are_those_of_the_latest_backward():
    rng = np.random.default_rng(7)
    affine = Affine(rng.normal(size=(3, 2)), rng.normal(size=2))
    assert affine.dW is None
    assert affine.db is None
    affine.forward(rng.normal(size=(4, 3)))
    dout = rng.normal(size=(4, 2))
    affine.backward(dout)
    dW, db = affine.dW, affine.db
    affine.backward(2 * dout)
    np.testing.assert_array_equal(affine.dW, 2 * dW)
    np.testing.assert_array_equal(affine.db, 2 * db)


def test_parameters_are_kept_not_copied():
    W, b = np.ones((3, 2)), np.zeros(2)
    affine = Affine(W, b)
    W -= 0.5  # what an optimiser does
    np.testing.assert_array_equal(affine.forward(np.ones((1, 3))), [[1.5, 1.5]])


@pytest.mark.parametrize("size", [1e-150, 1e150])
def test_extreme_values_stay_finite(size):
    affine = Affine(np.array([[size, -size]]), np.array([0.0, size]))
    with np.errstate(over="raise", invalid="raise"):
        np.testing.assert_array_equal(affine.forward(np.array([[2.0]])), [[2 * size, -size]])
        np.testing.assert_allclose(affine.backward(np.array([[3.0, 1.0]])), [[2 * size]], rtol=1e-15)
    np.testing.assert_array_equal(affine.dW, [[6.0, 2.0]])
