"""Reading errors: NumPy's, Python's, a layer's own words, and conditions that say nothing."""

import numpy as np
import pytest

from gradcheck.cases.complaint import complaint_of


def complaint(call):
    with pytest.raises(Exception) as raised:  # noqa: PT011 - of any kind
        call()
    return complaint_of(raised.value)


def unpack(shape):
    n, c, h, w = shape
    return n, c, h, w


def check_width(x, width):
    assert x.shape[1] == width


def check_rank(x):
    if len(x.shape) != 4:
        raise ValueError("not an image")


def check_divisible(x, groups):
    if x.shape[1] % groups:
        raise ValueError


SIZES = (
    (lambda: np.ones((2, 3)) @ np.ones((4, 5)), {3, 4}),
    (lambda: np.dot(np.ones((2, 3)), np.ones((4, 5))), {3, 4}),
    (lambda: np.ones((2, 3)) + np.ones(4), {3, 4}),
    (lambda: np.einsum("oc,bchw->bohw", np.ones((6, 3)), np.ones((2, 4, 5, 7))), {3, 4}),
    (lambda: np.concatenate([np.ones((2, 3)), np.ones((4, 5))], 1), {2, 4}),
    (lambda: np.ones((2, 3))[np.ones((2, 4), bool)], {3, 4}),
    (lambda: check_width(np.ones((2, 3)), 4), {3, 4}),
)
RANKS = (
    (lambda: unpack((2, 3)), (2, 4)),
    (lambda: np.ones((2, 3))[:, :, 0], (2, 3)),
    (lambda: np.ones((2, 3)).sum(2), (2, 3)),
    (lambda: check_rank(np.ones((2, 3))), (2, 4)),
)


@pytest.mark.parametrize(("call", "sizes"), SIZES)
def test_sizes(call, sizes):
    assert [set(pair) for pair in complaint(call).sizes] == [sizes]


@pytest.mark.parametrize(("call", "ranks"), RANKS)
def test_ranks(call, ranks):
    assert complaint(call).ranks == (ranks,)


def test_multiples():
    assert complaint(lambda: check_divisible(np.ones((2, 3)), 2)).divisors == ((3, 2),)


def test_reshaping():
    assert complaint(lambda: np.ones((2, 3)).reshape(2, 4, 5)).regrouped == ((6, (2, 4, 5)),)


@pytest.mark.parametrize("text", ["expected 4 features, got 3", "got (2, 3), expected (2, 4)", "3 != 4"])
def test_words(text):
    assert {*complaint_of(ValueError(text)).sizes[0]} == {3, 4}


@pytest.mark.parametrize("text", ["no", "layer 3 of 4 is broken", "y must be positive"])
def test_nothing_is_read_into_other_words(text):
    assert not complaint_of(ValueError(text))


def test_a_condition_that_calls_is_not_run_again():
    calls = []

    def size(x):
        calls.append(x)
        return 3

    def forward():
        assert size(1) == 4

    assert not complaint(forward)
    assert calls == [1]
