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


def exact_scales(x, floor=2.0**-20):
    """The definition, with the medians of all elements."""
    distance = np.abs(x - np.median(x))
    moved = distance[distance > 0]
    spread = 1.4826 * np.median(distance) or (np.median(moved) if moved.size else abs(np.median(x))) or 1.0
    return np.maximum(np.maximum(spread, distance), floor * np.abs(x))


def one_hot(n):
    return np.eye(1, n, n // 3).ravel()


SHAPED = {
    "normal": lambda rng, n: rng.standard_normal(n),
    "offset": lambda rng, n: 1e9 + rng.standard_normal(n),
    "constant": lambda rng, n: np.full(n, -3.0),
    "zeros": lambda rng, n: np.zeros(n),
    "one hot": lambda rng, n: one_hot(n),
    "integers": lambda rng, n: rng.integers(-2, 3, n).astype(float),
}


@pytest.mark.parametrize("floor", [2.0**-20, 2.0**-4.0])
@pytest.mark.parametrize("n", [1, 2, 7, 4096])
@pytest.mark.parametrize("shape", SHAPED)
def test_the_scales_of_a_small_block_are_those_of_all_its_elements(shape, n, floor):
    x = SHAPED[shape](np.random.default_rng(0), n)
    assert np.array_equal(scales(x, floor), exact_scales(x, floor))


@pytest.mark.parametrize("n", [4097, 6000, 300_000])
@pytest.mark.parametrize("shape", SHAPED)
def test_those_of_a_large_block_are_nearly_so(shape, n):
    x = SHAPED[shape](np.random.default_rng(0), n)
    np.testing.assert_allclose(scales(x), exact_scales(x), rtol=0.1)
    assert np.array_equal(scales(x), scales(x.copy()))


@pytest.mark.parametrize("columns", [15, 63, 99, 255])
def test_the_sample_of_a_large_block_leaves_no_column_out(columns):
    # every column lies elsewhere, and an even stride would see one of them alone
    x = np.tile(np.linspace(-1, 1, columns) ** 3, 4096)
    np.testing.assert_allclose(scales(x), exact_scales(x), atol=0.05)


def test_directions_are_signed_hybrids_of_which_three_in_four_follow_the_gradient():
    centre = centre_at(np.linspace(-1, 1, 20_000))
    g = np.random.default_rng(1).standard_normal(20_000)
    u = direction(centre, centre.function.blocks[0], g).v / centre.scale
    assert np.all((np.abs(u) >= 1) & (np.abs(u) < 2))
    assert 0.73 < np.mean(np.sign(u) == np.sign(g)) < 0.77
    assert 0.45 < np.mean(direction(centre, centre.function.blocks[0], np.zeros(20_000)).v > 0) < 0.55
    assert 0.45 < np.mean(np.abs(u) < 1.5) < 0.55
    follows = np.sign(u) == np.sign(g)
    assert abs(np.corrcoef(follows, np.abs(u))[0, 1]) < 0.03, "how far an element moves does not say whither"


def test_a_zero_that_stands_among_others_has_a_sign_of_its_own():
    g = np.ones(20_000)
    g[::2] = 0.0
    g[::4] = -0.0
    centre = centre_at(np.linspace(-1, 1, g.size))
    v = direction(centre, centre.function.blocks[0], g).v
    assert 0.73 < np.mean(v[1::2] > 0) < 0.77
    assert 0.47 < np.mean(v[::4] > 0) < 0.53
    assert 0.47 < np.mean(v[2::4] > 0) < 0.53


@pytest.mark.parametrize("out", [np.float16, np.float32, np.float64])
def test_cotangents_are_signed_never_ones_and_exact_in_the_outputs_format(out):
    centre = centre_at(np.ones(3), out=out, m=4000)
    w = cotangent(centre)
    assert np.array_equal(w.astype(out).astype(np.float64), w)
    assert 0.45 < np.mean(w > 0) < 0.55
    assert np.unique(np.abs(w)).size > 100
    assert np.all((np.abs(w) >= 1) & (np.abs(w) < 2))


def test_among_few_elements_an_error_that_all_share_is_felt_as_much_as_the_norm_says():
    for seed in range(200):
        g = np.random.default_rng(seed).standard_normal(1 + seed % 12)
        centre = centre_at(np.random.default_rng(seed + 1).standard_normal(g.size))
        share = g * direction(centre, centre.function.blocks[0], g).v
        assert abs(share.sum()) >= 0.999 * np.linalg.norm(share)


def test_one_random_word_makes_one_number_the_same_everywhere(monkeypatch):
    monkeypatch.setattr("gradcheck.derivative.probe._FEW", 0)
    words = [int(word) for word in np.random.PCG64(0).random_raw(8)]
    size = [1 + word % 2**52 / 2**52 for word in words]
    centre = centre_at(np.arange(1.0, 5.0))
    assert cotangent(centre).tolist() == [s if word < 2**63 else -s for s, word in zip(size[:4], words, strict=False)]
    g = np.array([1.0, -1.0, 0.0, 2.0])
    v = direction(centre, centre.function.blocks[0], g).v / centre.scale
    against = [word >= 3 * 2**62 for word in words[4:]]
    down = [against[0], not against[1], words[6] >> 61 & 1, against[3]]
    assert v.tolist() == pytest.approx([-s if d else s for s, d in zip(size[4:], down, strict=True)], rel=1e-15)


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


def test_only_the_argument_that_is_stepped_along_moves_and_in_its_own_format():
    x = np.array([1.0, 2.0, 3.0, 4.0])
    blocks = (Block("a", 0, 2, np.dtype(np.float64)), Block("b", 2, 4, np.dtype(np.float32)))
    centre = Centre(Function(lambda x: (x, lambda w: w), x, blocks), np.random.default_rng(0))
    for block, other in ((blocks[0], blocks[1]), (blocks[1], blocks[0])):
        moved = step_to(centre, direction(centre, block, x), 0.1)
        assert np.array_equal(moved[other.where], x[other.where])
        assert np.all(moved[block.where] != x[block.where])
        assert np.array_equal(moved[block.where].astype(block.dtype).astype(float), moved[block.where])


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
