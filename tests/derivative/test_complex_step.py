"""What the complex step adds to a verdict, and what it may not do: judge alone."""

import dataclasses

import numpy as np
import pytest

from gradcheck.derivative import Block, Function, compare
from gradcheck.derivative.complex_step import ComplexStep
from gradcheck.derivative.probe import Centre


@pytest.fixture(autouse=True)
def quietly():
    with np.errstate(all="ignore"):
        yield


def one(right, pack, wrong=None, seed=0, **options):
    arrays = right.draw(np.random.default_rng([seed, 3]))
    first = next(iter(arrays))
    mutate = None if wrong is None else lambda g: {**g, first: wrong(g[first])}
    return compare(pack(right.vjp, arrays, mutate, **options), np.random.default_rng([seed, 4]))[first]


EXACT = [
    "affine",
    "relu affine",
    "relu at 0",
    "max pool",
    "softmax",
    "layer norm",
    "conv",
    "attention",
    "gelu",
    "exp 10x",
]


@pytest.mark.parametrize("name", EXACT)
def test_it_brings_the_resolution_near_rounding(name, catalogue, pack):
    found = one(catalogue[name], pack)
    assert found.verdict == "pass"
    assert found.resolution < 1e-12
    assert one(catalogue[name], pack, complex_step=False).resolution > 1e-11


def tanh_of_floats(x):
    x = np.asarray(x, dtype=np.float64)
    return np.tanh(x), lambda w: {"x": w * (1 - np.tanh(x) ** 2)}


ARRAYS = {"x": np.random.default_rng(0).standard_normal(30)}


def test_what_does_not_take_it_is_judged_by_differences(pack):
    found = compare(pack(tanh_of_floats, ARRAYS), np.random.default_rng(1))["x"]
    assert found.verdict == "pass"
    assert 1e-11 < found.resolution < 1e-7


def test_it_costs_one_forward_more(catalogue, pack):
    right = catalogue["layer norm 32 64"]
    function = pack(right.vjp, right.draw(np.random.default_rng(0)))
    calls = []

    def extension(z):
        calls.append(1)
        return function.extension(z)

    compare(dataclasses.replace(function, extension=extension), np.random.default_rng(1))
    assert len(calls) == 1


def element_times(factor):
    def wrong(g):
        g = np.array(g)
        g.flat[g.size // 2] *= factor
        return g

    return wrong


@pytest.mark.parametrize("name", ["affine", "gelu", "softmax", "attention", "layer norm 32 64"])
def test_it_finds_the_element_that_differences_along_a_direction_do_not_see(name, catalogue, pack):
    found = one(catalogue[name], pack, element_times(1 + 3e-8))
    assert found.verdict == "fail"
    assert found.numeric / found.analytic - 1 == pytest.approx(-3e-8, rel=0.3)  # said by a difference of that element


def test_an_error_that_no_difference_confirms_only_limits_the_resolution(catalogue, pack):
    found = one(catalogue["gelu"], pack, lambda g: g * (1 + 3e-11))
    assert found.verdict == "pass"
    assert 1e-11 < found.resolution < 3e-10


@pytest.mark.parametrize("name", ["affine single", "gelu single", "layer norm single", "attention single"])
def test_it_sees_a_thousandth_in_float32(name, catalogue, pack):
    found = [one(catalogue[name], pack, lambda g: g * np.float32(1.001), seed).verdict for seed in range(8)]
    assert "pass" not in found
    assert found.count("fail") >= 6


def of_complex(real, extension, wrong=1.0):
    """A function whose extension is another one's."""
    x = np.array([0.3, -0.7, 1.1])
    function = Function(
        lambda x: (real(x), lambda w: wrong * w * np.cos(x)), x, (Block("x", 0, 3, x.dtype),), extension=extension
    )
    return compare(function, np.random.default_rng(0))["x"]


def test_an_extension_of_another_function_is_not_believed():
    assert of_complex(np.sin, np.sin).resolution < 1e-13
    # the same real part, another slope
    found = of_complex(np.sin, lambda z: np.sin(z) + 0.5 * (z - np.array([0.3, -0.7, 1.1])))
    assert found.verdict == "pass"
    assert found.resolution > 1e-11
    # another real part
    assert of_complex(np.sin, lambda z: np.sin(z) + 1e-9).resolution > 1e-11


def test_nor_is_one_that_raises_or_gives_something_else():
    def raises(z):
        raise RuntimeError("not complex")

    for extension in (raises, lambda z: z[:2], lambda z: z / 0.0, lambda z: None, np.abs):
        found = of_complex(np.sin, extension)
        assert (found.verdict, found.resolution > 1e-11) == ("pass", True)


def test_an_extension_that_agrees_with_a_wrong_gradient_saves_it_from_nothing():
    found = of_complex(np.sin, lambda z: np.sin(z) + 1e-6 * (np.sin(z) - np.sin([0.3, -0.7, 1.1])), wrong=1 + 1e-6)
    assert found.verdict == "fail"


def test_the_reason_of_a_refusal_is_kept(pack):
    centre = Centre(pack(tanh_of_floats, ARRAYS), np.random.default_rng(0))
    step = ComplexStep(centre)
    scalar = centre.scalar(np.ones(centre.y.size))
    assert step.along(slice(0, 30), centre.scale, scalar, centre.precision) is None
    assert "complex" in step.refused
