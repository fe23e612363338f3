"""Verdicts: right functions are never accused, wrong ones are found and located."""

import numpy as np
import pytest

from gradcheck.derivative import Block, Comparison, Function, compare

SEEDS = range(2)


@pytest.fixture(autouse=True)
def quietly():
    """The nasty functions overflow and divide by zero on purpose."""
    with np.errstate(all="ignore"):
        yield


def one(f, x, rng=0, **options):
    """Compare a function of one block ``x``; ``f(x)`` gives ``(y, pullback)``."""
    x = np.asarray(x, dtype=np.float64)
    function = Function(f, x, (Block("x", 0, x.size, x.dtype),))
    return compare(function, np.random.default_rng(rng), **options)["x"]


def counted(function):
    calls = []

    def vjp(x):
        calls.append(1)
        return function.vjp(x)

    return Function(vjp, function.x, function.blocks, function.dtypes), calls


# --- right functions -------------------------------------------------------------------------------------------------


def test_a_right_function_is_never_accused(right, pack):
    for seed in SEEDS:
        rng = np.random.default_rng([seed, 1])
        function = pack(right.vjp, right.draw(rng))
        for name, found in compare(function, np.random.default_rng([seed, 2])).items():
            assert found.verdict not in right.never, (seed, name, found)


def test_nor_is_any_of_its_elements(right, pack):
    arrays = right.draw(np.random.default_rng(7))
    for name, found in compare(pack(right.vjp, arrays), np.random.default_rng(8), complete_up_to=12).items():
        assert found.verdict != "fail", (name, found)


@pytest.mark.parametrize("n", [10, 1000, 100_000])
def test_a_pass_takes_three_forwards_whatever_the_size(n, pack):
    x = np.random.default_rng(0).standard_normal(n)
    function, calls = counted(pack(lambda x: (np.tanh(x), lambda w: {"x": w * (1 - np.tanh(x) ** 2)}), {"x": x}))
    found = compare(function, np.random.default_rng(1))["x"]
    assert (found.verdict, len(calls)) == ("pass", 3)
    assert found.resolution < 1e-8


def test_kinks_cost_eight_forwards(catalogue, pack):
    right = catalogue["relu at 0"]
    function, calls = counted(pack(right.vjp, right.draw(np.random.default_rng(0))))
    assert compare(function, np.random.default_rng(1))["x"].verdict == "pass"
    assert len(calls) <= 8


def test_the_same_seed_gives_the_same_comparison(catalogue, pack):
    for name in ("affine through single", "relu at 0", "step, straight through"):
        arrays = catalogue[name].draw(np.random.default_rng(0))
        first, second = (
            compare(pack(catalogue[name].vjp, arrays), np.random.default_rng(3), complete_up_to=9) for _ in range(2)
        )
        assert first == second


# --- wrong functions -------------------------------------------------------------------------------------------------


def last_zero(g):
    g = np.array(g)
    g.flat[np.argmax(np.abs(g))] = 0
    return g


def largest_times(factor):
    def wrong(g):
        g = np.array(g)
        g.flat[np.argmax(np.abs(g))] *= g.dtype.type(factor)
        return g

    return wrong


def swapped(g):
    g = np.array(g)
    flat = g.ravel()
    i, j = np.argmax(flat), np.argmin(flat)
    flat[i], flat[j] = flat[j], flat[i]
    return flat.reshape(g.shape)


EVERY = {
    "twice": lambda g: g * 2,
    "negated": lambda g: -g,
    "zero": lambda g: g * 0,
    "reversed": lambda g: np.ravel(g)[::-1].reshape(g.shape),
    "one zero": last_zero,
    "one by 1e-2": largest_times(1.01),
    "two swapped": swapped,
}
EXACT = {
    "all by 1e-6": lambda g: g * (1 + 1e-6),
    "one by 1e-3": largest_times(1.001),
    "one by 1e-5": largest_times(1 + 1e-5),
}
DOUBLE = [
    "affine",
    "relu affine",
    "relu",
    "relu at 0",
    "max pool",
    "softmax",
    "cross entropy",
    "layer norm 32 64",
    "conv",
]
DOUBLE += ["attention", "gelu", "mean loss", "affine integers"]
SINGLE = ["affine single", "layer norm single", "gelu single", "cross entropy single", "affine through single"]


def mutated(right, pack, mutate, seed):
    arrays = right.draw(np.random.default_rng([seed, 3]))
    first = next(iter(arrays))
    function = pack(right.vjp, arrays, lambda g: {**g, first: mutate(g[first])})
    found = compare(function, np.random.default_rng([seed, 4]))
    assert all(c.verdict != "fail" for name, c in found.items() if name != first), found
    return found[first]


@pytest.mark.parametrize("mutation", [*EVERY, *EXACT])
@pytest.mark.parametrize("name", DOUBLE)
def test_wrong_gradients_are_found_in_float64(name, mutation, catalogue, pack):
    found = mutated(catalogue[name], pack, (EVERY | EXACT)[mutation], 0)
    assert found.verdict == "fail", found
    assert abs(found.analytic - found.numeric) > found.error_bar


@pytest.mark.parametrize("mutation", EVERY)
@pytest.mark.parametrize("name", SINGLE)
def test_wrong_gradients_are_found_in_float32(name, mutation, catalogue, pack):
    assert mutated(catalogue[name], pack, EVERY[mutation], 0).verdict == "fail"


@pytest.mark.parametrize("mutation", ["twice", "negated"])
@pytest.mark.parametrize("name", ["affine half", "gelu half", "affine through half", "sigmoid through half"])
def test_wrong_gradients_are_found_in_float16(name, mutation, catalogue, pack):
    assert mutated(catalogue[name], pack, EVERY[mutation], 0).verdict == "fail"


def test_a_backward_in_float32_is_mostly_found(catalogue, pack):
    found = [
        mutated(catalogue["affine"], pack, lambda g: g.astype(np.float32).astype(np.float64), seed).verdict
        for seed in range(20)
    ]
    assert found.count("fail") >= 10


def test_small_errors_in_one_element_do_not_hide_when_all_are_compared(catalogue, pack):
    right = catalogue["exp 10x"]  # its largest derivative drowns all others in any direction

    arrays = right.draw(np.random.default_rng(0))
    factor = np.where(arrays["x"] == arrays["x"].min(), 1.5, 1.0)

    def wrong(g):
        return {"x": factor * g["x"]}

    assert compare(pack(right.vjp, arrays, wrong), np.random.default_rng(1))["x"].verdict == "pass"
    found = compare(pack(right.vjp, arrays, wrong), np.random.default_rng(1), complete_up_to=30)["x"]
    assert found.verdict == "fail"
    assert found.numeric / found.analytic == pytest.approx(1 / 1.5, rel=1e-3)


# --- what is said of a failure ---------------------------------------------------------------------------------------


def test_the_worst_element_is_named_with_both_values():
    x = np.random.default_rng(0).standard_normal(40)
    factor = np.ones(40)
    factor[[11, 23]] = 1.1, 3.0
    found = one(lambda x: (x**2, lambda w: factor * 2 * w * x), x)
    assert (found.verdict, found.wrong) == ("fail", 2)
    assert found.index in (11, 23)
    assert found.analytic / found.numeric == pytest.approx(factor[found.index], abs=1e-6)
    assert found.error_bar < 1e-6 * abs(found.numeric)


def test_among_many_the_wrong_element_is_found_by_bisection():
    x = np.random.default_rng(0).standard_normal(50_000)
    factor = np.ones(x.size)
    factor[31_415] = 2.0
    function = Function(lambda x: (x * x, lambda w: factor * 2 * w * x), x, (Block("x", 0, x.size, x.dtype),))
    function, calls = counted(function)
    found = compare(function, np.random.default_rng(0))["x"]
    assert (found.verdict, found.index, found.wrong) == ("fail", 31_415, None)
    assert len(calls) < 600


def test_only_the_block_that_is_wrong_is_accused(catalogue, pack):
    arrays = catalogue["attention"].draw(np.random.default_rng(0))
    for wrong in arrays:
        function = pack(catalogue["attention"].vjp, arrays, lambda g, wrong=wrong: {**g, wrong: 2 * g[wrong]})
        found = compare(function, np.random.default_rng(1))
        assert {name: c.verdict == "fail" for name, c in found.items()} == {name: name == wrong for name in arrays}


# --- where nothing moves ---------------------------------------------------------------------------------------------


def test_a_zero_gradient_of_a_moving_function_fails():
    found = one(lambda x: (np.sin(x), lambda w: 0 * w), [0.3, 0.4])
    assert (found.verdict, found.analytic) == ("fail", 0.0)
    assert abs(found.numeric) > 0.9


def test_a_gradient_of_a_function_that_never_moves_fails():
    found = one(lambda x: (0 * x, lambda w: w), [0.3, 0.4])
    assert (found.verdict, found.numeric) == ("fail", 0.0)


def test_a_missing_mask_fails_even_where_the_output_is_dead():
    found = one(lambda x: (np.maximum(x, 0), lambda w: w), [-3.0])
    assert (found.verdict, found.numeric) == ("fail", 0.0)


@pytest.mark.parametrize("x", [0.2, -0.024, 3.3, 100.2, 1e-9])
def test_a_function_that_only_jumps_is_not_accused(x):
    assert one(lambda x: (np.round(x), lambda w: w), [x]).verdict == "inconclusive"


def test_a_zero_gradient_that_is_right_teaches_nothing():
    found = one(lambda x: (0 * x + 3, lambda w: 0 * w), [0.3, 0.4])
    assert found == Comparison("x", "vacuous", reason="the gradient is zero, or lost in the rounding of the output")


def test_a_layer_norm_whose_backward_returns_zero_fails_at_32_by_64(catalogue, pack):
    """Which torch's fast mode passes: its directions are all positive, and such a sum does not change."""
    right = catalogue["layer norm 32 64"]
    arrays = right.draw(np.random.default_rng(0))
    function = pack(right.vjp, arrays, lambda g: {**g, "x": 0 * g["x"]})
    assert compare(function, np.random.default_rng(1))["x"].verdict == "fail"


# --- edges -----------------------------------------------------------------------------------------------------------


def test_without_elements_there_is_nothing_to_compare():
    def never(_):
        raise AssertionError("nothing to call it for")

    empty = Block("x", 0, 0, np.dtype(np.float64))
    assert compare(Function(never, np.zeros(0), (empty,)), np.random.default_rng(0))["x"].verdict == "vacuous"
    assert compare(Function(never, np.zeros(0), ()), np.random.default_rng(0)) == {}
    assert one(lambda x: (x[:0], lambda w: 0 * x), [1.0, 2.0]).verdict == "vacuous"


def test_an_empty_block_beside_a_full_one():
    blocks = (Block("a", 0, 0, np.dtype(np.float64)), Block("b", 0, 2, np.dtype(np.float64)))
    found = compare(
        Function(lambda x: (x**2, lambda w: 2 * w * x), np.array([1.0, 2.0]), blocks), np.random.default_rng(0)
    )
    assert {name: c.verdict for name, c in found.items()} == {"a": "vacuous", "b": "pass"}


def test_what_is_not_finite_is_not_compared():
    assert one(lambda x: (x / 0, lambda w: w), [1.0]).reason == "the output is not finite"
    blocks = (Block("a", 0, 1, np.dtype(np.float64)), Block("b", 1, 3, np.dtype(np.float64)))
    function = Function(lambda x: (x**2, lambda w: np.array([np.nan, *(2 * w * x)[1:]])), np.arange(1.0, 4.0), blocks)
    found = compare(function, np.random.default_rng(0), complete_up_to=5)
    assert (found["a"].verdict, found["a"].reason) == ("inconclusive", "the analytic gradient is not finite")
    assert found["b"].verdict == "pass"


def test_a_function_defined_at_its_point_only_is_inconclusive():
    def vjp(x):
        if x[0] != 2.0:
            raise ValueError("only at 2")
        return x, lambda w: w

    found = one(vjp, [2.0])
    assert (found.verdict, found.reason) == ("inconclusive", "the outputs are not finite around the point")


def test_what_the_function_raises_at_its_point_comes_through():
    def vjp(_):
        raise ZeroDivisionError("at the point")

    with pytest.raises(ZeroDivisionError, match="at the point"):
        one(vjp, [2.0])


def test_a_random_function_is_not_accused():
    noise = np.random.default_rng(0)

    def dropout(x):
        mask = noise.random(x.shape) < 0.5
        return x * mask, lambda w: w * mask

    for seed in range(20):
        assert one(dropout, np.ones(10), seed).verdict != "fail"
