"""What is drawn for an argument: repeatable, in its domain, and never at a kink."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.cases.values import Choice, Fixed, Size, Sizes, Spec, dims_of, realise, stream

seeds = st.integers(0, 2**32)
SIZES = {"n": 5, "i": 4}


def draw(seed, *dims, **options):
    return Spec(dims or ("n", "i"), **options).draw(stream(seed, "x"), SIZES)


@given(seeds)
def test_streams_repeat_and_do_not_share(seed):
    assert np.array_equal(draw(seed), draw(seed))
    assert not np.array_equal(draw(seed), Spec(("n", "i")).draw(stream(seed, "y"), SIZES))
    assert not np.array_equal(draw(seed), draw(seed + 1))


@given(seeds)
def test_reals_are_off_the_kinks(seed):
    x = draw(seed)
    assert x.shape == (5, 4)
    assert x.dtype == np.float64
    assert np.unique(x).size == x.size
    assert not np.any(np.isin(x, (-1.0, 0.0, 1.0)))


def test_reals_reach_beyond_three():
    assert max(np.abs(draw(seed)).max() for seed in range(20)) > 3.5


@given(seeds)
def test_positive(seed):
    assert np.all(draw(seed, domain="positive") > 0)


@given(seeds)
def test_probabilities(seed):
    rows, single = draw(seed, domain="probability"), draw(seed, "n", 1, domain="probability")
    assert np.allclose(rows.sum(-1), 1)
    assert np.all((single > 0) & (single < 1))


@given(seeds)
def test_one_hot_rows(seed):
    x = draw(seed, domain="onehot")
    assert np.all(np.sort(x, axis=-1) == [0, 0, 0, 1])


@given(seeds, st.integers(1, 9))
def test_indices_stay_below_the_limit_and_reach_it(seed, limit):
    ids = draw(seed, domain="index", limit=limit)
    assert ids.dtype.kind == "i"
    assert ids.min() >= 0
    assert ids.max() == limit - 1


def test_indices_below_a_named_or_tied_dimension():
    assert draw(0, "n", domain="index", limit="i").max() == 3
    assert draw(0, "n", domain="index", limit="2*i").max() == 7


@pytest.mark.parametrize("domain", ["real", "positive", "probability", "index"])
def test_empty_arrays(domain):
    assert Spec(("n", "i"), domain, limit=3).draw(stream(0), {"n": 0, "i": 4}).shape == (0, 4)


@pytest.mark.parametrize(
    ("recipe", "value", "dims"),
    [
        (Size("4*i"), 16, ("4*i",)),
        (Size(3), 3, (3,)),
        (Sizes(("i", 2)), (4, 2), ("i", 2)),
        (Choice("n", (5, 6)), 5, ()),
        (Fixed("relu"), "relu", ()),
    ],
)
def test_settings(recipe, value, dims):
    assert realise(recipe, stream(0), SIZES) == value
    assert dims_of(recipe) == dims


def test_a_dict_is_each_runs_own():
    options = Fixed({"mode": "train"})
    realise(options, stream(0), {})["mode"] = "test"
    assert realise(options, stream(0), {}) == {"mode": "train"}


def test_the_limit_of_indices_is_a_dimension_too():
    assert dims_of(Spec(("n",), "index", limit="v")) == ("n", "v")
