"""The stencil's error bar holds the truth: for smooth functions, at kinks, in rounding."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradcheck.derivative import Block, Function
from gradcheck.derivative.central import estimate, stencil
from gradcheck.derivative.probe import Centre, Direction, cotangent, direction

SMOOTH = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "square root": (lambda x: np.sqrt(1 + x * x), lambda x: x / np.sqrt(1 + x * x)),
}


def centre_of(f, df, x, seed=0):
    block = Block("x", 0, x.size, x.dtype)
    function = Function(
        lambda x: (f(x).astype(np.float64), lambda w: w * df(x)), x.astype(np.float64), (block,), (x.dtype,)
    )
    return Centre(function, np.random.default_rng(seed)), block


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    name=st.sampled_from(sorted(SMOOTH)),
    seed=st.integers(0, 2**16),
    n=st.integers(8, 60),
    scale=st.sampled_from((1e-6, 1e-3, 1.0, 3.0)),
    log2h=st.integers(-36, -4),
)
def test_the_bar_holds_the_exact_derivative_at_every_step(name, seed, n, scale, log2h):
    f, df = SMOOTH[name]
    x = scale * np.random.default_rng(seed).standard_normal(n)
    centre, block = centre_of(f, df, x, seed)
    scalar = centre.scalar(cotangent(centre))
    s = stencil(centre, direction(centre, block, scalar.g), 2.0**log2h)
    e = estimate(s, scalar, centre.precision)
    assert e.agrees, e


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_the_bar_holds_in_coarser_formats(dtype):
    for seed in range(50):
        x = np.random.default_rng(seed).standard_normal(30).astype(dtype)
        f, df = (lambda x, d=dtype: np.tanh(x.astype(d))), (lambda x: 1 - np.tanh(x) ** 2)
        centre, block = centre_of(f, df, x, seed)
        scalar = centre.scalar(cotangent(centre))
        e = estimate(
            stencil(centre, direction(centre, block, scalar.g), centre.precision.step), scalar, centre.precision
        )
        assert e.agrees, (seed, e)


@pytest.mark.parametrize("slope", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("at", np.linspace(-2.2, 2.2, 45))
def test_a_kink_anywhere_in_the_stencil_never_exceeds_the_bar(at, slope):
    h, v = 2.0**-20, 1.5
    kink = at * h * v
    true = slope if kink == 0 else float(kink < 0)  # at the kink itself, any slope between the one-sided ones is right
    x = np.zeros(1)
    centre, _ = centre_of(lambda x: np.maximum(x - kink, 0), lambda x: np.full_like(x, true), x)
    s = stencil(centre, Direction(slice(0, 1), np.array([v])), h)
    e = estimate(s, centre.scalar(np.array([1.7])), centre.precision)
    assert abs(e.residual) <= e.bar
    # and it is no wider than the kink is deep
    assert e.bar <= 4.0 * 1.7 * v


def test_the_bar_is_tight_where_nothing_widens_it():
    x = np.random.default_rng(0).standard_normal(50)
    centre, block = centre_of(np.sin, np.cos, x)
    scalar = centre.scalar(cotangent(centre))
    e = estimate(stencil(centre, direction(centre, block, scalar.g), 2.0**-20), scalar, centre.precision)
    assert e.resolution < 2e-8


def test_a_linear_function_is_exact_whatever_the_format_of_x():
    """The realised perturbation counts, so that rounding of x itself costs nothing."""
    x = np.random.default_rng(0).standard_normal(40).astype(np.float32)
    block = Block("x", 0, 40, x.dtype)
    function = Function(lambda x: (3.0 * x, lambda w: 3.0 * w), x.astype(np.float64), (block,))
    centre = Centre(function, np.random.default_rng(1))
    scalar = centre.scalar(cotangent(centre))
    e = estimate(stencil(centre, direction(centre, block, scalar.g), 2.0**-9), scalar, centre.precision)
    assert abs(e.residual) <= 1e-11 * e.size


def test_a_step_out_of_the_domain_is_no_stencil():
    centre, block = centre_of(np.sqrt, lambda x: 0.5 / np.sqrt(x), np.full(3, 1e-6))
    d = Direction(block.where, np.ones(3))
    assert stencil(centre, d, 2.0**-10) is None
    assert stencil(centre, d, 2.0**-30) is not None


def test_a_step_that_rounds_away_is_no_stencil():
    centre, block = centre_of(np.sin, np.cos, np.array([1.0, 1e8]))
    assert stencil(centre, Direction(block.where, np.ones(2)), 2.0**-40) is None
