"""What the measurements of cost and power say, at sizes that take no time."""

import numpy as np
import pytest

from benchmarks.numerics import cost, plant, power, sized, timed


@pytest.fixture(scope="module")
def rows():
    """What our own checkers find in a layer of ten elements, in two draws."""
    jobs = power.jobs_of(2, peers=False, largest=10, layers=["tanh"])
    return power.measure(job for job in jobs if job.dtype == "float64" or job.kind == "all of an argument")


def test_calls_do_not_grow_with_the_layer():
    found = cost.measure_calls(1000)
    assert {row.layer for row in found} == {"tanh", "affine"}
    assert [row.elements for row in found if row.layer == "tanh"] == [10, 100, 1000]
    assert {(row.forwards, row.at_complex, row.backwards, row.verdict) for row in found} == {(4, 1, 1, "pass")}


def test_times_are_ratios_of_one_run():
    tiny, small, large = (timed_affine(side) for side in (2, 3, 4))
    found = timed.measure(tiny, small, large, peers=False, rounds=1)
    assert [(row.problem, row.checker) for row in found] == [
        (p.name, name) for p in (small, large) for name in timed.ours()
    ]
    assert all(row.ratio > 0 and row.verdict == "pass" and not row.extrapolated for row in found)
    calls = {row.checker: (row.forwards, row.backwards) for row in found if row.problem == large.name}
    assert calls["compare, differences only"] == (3, 1)
    assert calls["compare"] == (4, 1)
    assert large.name in cost.times_table(found)


def timed_affine(side):
    return sized.affine(2, side, np.float64)


def test_what_looks_at_every_element_is_extrapolated_along_a_line():
    tiny, small, large = (timed_affine(side) for side in (2, 4, 10))

    def one(problem):
        n, m = sum(a.size for a in problem.arrays.values()), problem.arrays["x"].size
        return timed.Time(problem.name, "all", 1.0, 1.0, 2 * n + 3, m + 1, "pass")

    found = timed.extrapolated((one(tiny), tiny), (one(small), small), large)
    assert (found.forwards, found.backwards, found.extrapolated) == (2 * 130 + 3, 20 + 1, True)
    assert found.backwards < found.ratio < found.forwards  # a mean of both, weighted by the time that each takes


@pytest.mark.parametrize("kind", plant.KINDS)
@pytest.mark.parametrize("layer", sized.SIZED)
def test_an_error_is_planted_where_it_is_said_to_be(layer, kind):
    problem = sized.SIZED[layer](30, np.float64, 1)
    argument, wrong = plant.planted(problem, kind, 0.5, np.random.default_rng(2))
    w = np.random.default_rng(3).standard_normal(np.shape(problem.forward(**problem.arrays)))
    right, spoilt = (p.backward(w, **p.arrays) for p in (problem, wrong))
    assert all(np.array_equal(right[name], spoilt[name]) for name in right if name != argument)
    changed = right[argument] != spoilt[argument]
    np.testing.assert_allclose(spoilt[argument][changed], 1.5 * right[argument][changed])
    rows = {"one row": right[argument][0].size, "all of an argument": right[argument].size}
    assert changed.sum() == rows.get(kind, 1)


@pytest.mark.parametrize("layer", sized.SIZED)
@pytest.mark.parametrize("n", [10, 100, 1000])
def test_layers_have_about_the_size_that_was_asked_for(layer, n):
    problem = sized.SIZED[layer](n, np.float32, 0)
    assert 0.7 * n <= sum(a.size for a in problem.arrays.values()) <= 1.6 * n
    assert problem.forward(**problem.arrays).dtype == np.float32
    assert {g.dtype for g in problem.backward(problem.forward(**problem.arrays), **problem.arrays).values()} == {
        np.dtype(np.float32)
    }


def test_the_backward_of_the_convolution_is_right():
    assert timed.core(complex_step=False)(sized.convolution(2, 2, 4, np.float64))() == "pass"


def test_power_is_measured_and_its_bounds_are_verified(rows):
    assert all(row.rejected in (None, 0) for row in rows)
    assert all(row.held == row.job.seeds for row in rows if row.job.bound is not None), power.bounds(rows)
    assert all(row.smallest <= row.job.bound for row in rows if row.job.bound is not None)
    text = power.report(rows, "by a test")
    assert "| tanh | 10 | one element | 1e-" in text
    assert "Held in all draws of 7 of 7 settings." in text


def test_a_bound_that_is_not_held_is_said(rows):
    broken = [power.Power(row.job, 1.0, row.rejected, 1) if row.job.bound is not None else row for row in rows]
    assert "0 of 7 settings; not of" in power.bounds(broken)
    assert "1 of 2" in power.bounds(broken)


def test_a_checker_that_rejects_what_is_right_finds_nothing(rows):
    spoilt = [power.Power(row.job, 1e-8, row.job.seeds if row.rejected == 0 else None, None) for row in rows]
    assert "| tanh | 10 | one row | rejects |" in power.report(spoilt, "by a test")


def test_what_was_saved_is_what_is_loaded(rows):
    assert power.loaded(power.saved(rows, "by a test")) == (rows, "by a test")
