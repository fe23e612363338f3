"""Plans: the cases they give, and what a case draws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import size_of
from gradcheck.cases.values import Choice, Fixed, Size, Spec
from gradcheck.errors import UsageError
from gradcheck.records import Case

CELL = Plan(
    {"Wx": Spec(("i", "4*h")), "Wh": Spec(("h", "4*h")), "size": Size("h"), "stride": Choice("stride", (1, 2))},
    {"x": Spec(("n", "i")), "h": Spec(("n", "h"))},
)
some_dims = st.lists(st.sampled_from(["n", "i", "h", "w", "o", "4*h", "2*i", "i+h"]), min_size=1, max_size=6)


@given(some_dims, st.sampled_from([0, 1]))
def test_all_sizes_of_a_trial_differ_and_exceed_one(dims, turn):
    plan = Plan({}, {"x": Spec(tuple(dims))})
    sizes = dict(plan.trial(turn).sizes)
    found = [size_of(dim, sizes) for dim in {*dims, *sizes}]
    assert len(set(found)) == len(found)
    assert min(found) > 1


def test_the_second_trial_turns_the_order_round():
    plan = Plan({}, {"x": Spec(("n", "i", "o"))})
    assert plan.trial().sizes == (("n", 3), ("i", 4), ("o", 5))
    assert plan.trial(1).sizes == (("n", 8), ("i", 5), ("o", 2))


def test_names_dims_and_signature():
    assert CELL.names == ("n", "i", "h", "stride")
    assert str(CELL.signature) == "(n,i),(n,h),(i,4*h),(h,4*h)"


def test_an_array_of_constructor_and_forward_is_shown_once():
    plan = Plan({"W": Spec(("i", "o"))}, {"x": Spec(("n", "i")), "W": Spec(("i", "o"))})
    assert str(plan.signature) == "(n,i),(i,o)"


def test_constants_are_the_targets():
    assert Plan({}, {"x": Spec(("n",)), "t": Spec(("n",), constant=True)}).constants == {"t"}


class TestRealise:
    def test_same_case_same_arrays(self):
        case = CELL.trial()
        (settings, inputs), (others, again) = CELL.realise(case), CELL.realise(case)
        assert np.array_equal(settings["Wx"], others["Wx"])
        assert np.array_equal(inputs["x"], again["x"])
        assert settings["size"] == dict(case.sizes)["h"]
        assert settings["stride"] == 1

    def test_a_printed_case_gives_the_same(self):
        case = next(case for case in CELL.sweep(3, 24) if dict(case.sizes)["stride"] == 2)
        _, inputs = CELL.realise(case)
        _, again = CELL.realise(Case.parse(str(case)))
        assert np.array_equal(inputs["h"], again["h"])

    def test_other_dimensions(self):
        with pytest.raises(UsageError, match="gives sizes for n, k, but the layer's dimensions are n, i, h, stride"):
            CELL.realise(Case.parse("n=1 k=2"))


class TestSweep:
    @given(st.integers(0, 1000))
    def test_unequal_smallest_equal_and_random_ones(self, seed):
        sizes = [dict(case.sizes) for case in CELL.sweep(seed, 24)]
        assert sizes[0] == {"n": 3, "i": 4, "h": 7, "stride": 1}
        assert [{s[n] for n in ("n", "i", "h")} for s in sizes[1:4]] == [{1}, {2}, {3}]
        assert {s["stride"] for s in sizes} == {1, 2}
        assert any(len({s["n"], s["i"], s["h"]}) == 3 for s in sizes[4:])

    def test_repeatable_and_different_for_each_seed(self):
        assert list(CELL.sweep(1, 24)) == list(CELL.sweep(1, 24))
        assert list(CELL.sweep(1, 24)) != list(CELL.sweep(2, 24))

    def test_limits_are_kept(self):
        plan = Plan({}, {"x": Spec(("n", "h"))}, limits={"n": 1, "h": 3})
        assert all(dict(case.sizes)["h"] >= 3 for case in plan.sweep(0, 50))


class TestSmaller:
    @given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 6), st.sampled_from([1, 2]))
    def test_smaller_in_sum_smallest_first_none_larger(self, n, i, h, stride):
        case = CELL.case({"n": n, "i": i, "h": h, "stride": stride}, 5)
        totals = [sum(dict(c.sizes).values()) for c in CELL.smaller(case, 32)]
        assert totals == sorted(totals)
        assert all(total < n + i + h + stride for total in totals)
        assert all(dict(c.sizes)[k] <= v for c in CELL.smaller(case, 32) for k, v in case.sizes)

    def test_only_values_that_were_chosen_among(self):
        plan = Plan({"pad": Choice("pad", (0, 2))}, {"x": Spec(("n",))})
        case = plan.case({"n": 3, "pad": 2}, 0)
        assert {dict(c.sizes)["pad"] for c in plan.smaller(case, 32)} == {0, 2}


def test_what_is_fixed_is_taken_as_it_is():
    x = np.ones(3)
    plan = Plan({"k": Fixed(2)}, {"x": Fixed(x)})
    settings, inputs = plan.realise(Case())
    assert settings == {"k": 2}
    assert inputs["x"] is x
    assert plan.names == ()
    assert isinstance(plan.settings["k"], Fixed)
