"""Scales, directions, cotangents, and the function seen from its point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.derivative import Block, Function
from gradcheck.derivative.probe import Centre, cotangent, direction, scales, step_to


def centre_at(x, dtype=np.float64, out=np.float64, m=None):
    x = np.asarray(x, dtype=np.float64)
    m = x.size if m is None else m
    function = Function(
        lambda x: (np.resize(x, m), lambda w: np.ones(x.size)),
        x,
        (Block("x", 0, x.size, np.dtype(dtype)),),
        (np.dtype(out),),
    )
    return Centre(function, np.random.default_rng(0))


@given(st.lists(st.floats(-1e200, 1e200), min_size=1, max_size=30))
def test_every_element_has_a_scale_that_moves_it(values):
    x = np.array(values)
    s = scales(x)
    assert np.all(s > 0)
    assert np.all(np.isfinite(s))
    large = np.abs(x) > 1e-290
    assert np.all((x + 2.0**-20 * s)[large] != x[large])


def test_an_outlier_does_not_set_the_scale_of_the_others():
    x = np.random.default_rng(0).standard_normal(50)
    x[7] = 1e8
    s = scales(x)
    assert np.all(np.delete(s, 7) < 10)
    assert s[7] > 1e7


def test_an_offset_is_no_spread():
    x = 1e6 + np.random.default_rng(0).standard_normal(50)
    assert np.all(scales(x) < 10)


def test_directions_are_signed_hybrids_of_which_three_in_four_follow_the_gradient():
    centre = centre_at(np.linspace(-1, 1, 20_000))
    g = np.random.default_rng(1).standard_normal(20_000)
    u = direction(centre, centre.function.blocks[0], g).v / centre.scale
    assert np.all((np.abs(u) >= 1) & (np.abs(u) < 2))
    assert 0.73 < np.mean(np.sign(u) == np.sign(g)) < 0.77
    assert 0.45 < np.mean(direction(centre, centre.function.blocks[0], np.zeros(20_000)).v > 0) < 0.55


@pytest.mark.parametrize("out", [np.float16, np.float32, np.float64])
def test_cotangents_are_signed_never_ones_and_exact_in_the_outputs_format(out):
    centre = centre_at(np.ones(3), out=out, m=4000)
    w = cotangent(centre)
    assert np.array_equal(w.astype(out).astype(np.float64), w)
    assert 0.45 < np.mean(w > 0) < 0.55
    assert np.unique(np.abs(w)).size > 100


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_steps_are_symmetric_and_representable(dtype):
    rng = np.random.default_rng(0)
    x = rng.standard_normal(200).astype(dtype).astype(np.float64)
    centre = centre_at(x, dtype, dtype)
    d = direction(centre, centre.function.blocks[0], x)
    up, down = (step_to(centre, d, centre.precision.step, k) for k in (1.0, -1.0))
    assert np.array_equal(up.astype(dtype).astype(np.float64), up)
    assert np.all(up != x)
    # but where a binade ends, both sides are the same multiple of the last place
    assert np.mean(up - x == x - down) > 0.9


def test_off_the_point_trouble_is_no_news_at_the_point_it_is():
    def vjp(x):
        if x[0] != 1.0:
            raise FloatingPointError("off its domain")
        return x, lambda w: w

    function = Function(vjp, np.ones(1), (Block("x", 0, 1, np.dtype(np.float64)),))
    centre = Centre(function, np.random.default_rng(0))
    assert centre.forward_at(np.array([2.0])) is None
    assert centre.forward_at(np.array([np.nan])) is None
    function = Function(vjp, np.zeros(1), function.blocks)
    with pytest.raises(FloatingPointError, match="off its domain"):
        Centre(function, np.random.default_rng(0))


def test_backward_runs_forward_again_when_the_cache_is_of_another_point():
    calls = []

    def vjp(x):
        calls.append(x[0])
        return x * x, lambda w: 2 * w * calls[-1]  # the cache of the last run, as layers keep it

    centre = Centre(Function(vjp, np.array([3.0]), (Block("x", 0, 1, np.dtype(np.float64)),)), np.random.default_rng(0))
    w = np.ones(1)
    assert centre.scalar(w).g == 6.0
    assert len(calls) == 1
    centre.forward_at(np.array([5.0]))
    assert centre.scalar(w).g == 6.0
    assert calls == [3.0, 5.0, 3.0]
