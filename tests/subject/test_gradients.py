"""How what backward returned is read."""

from collections import namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.subject.gradients import read_gradients
from gradcheck.subject.protocol import Argument


def argument(name, shape=(2, 3), kind="input", dtype=float, constant=False):
    return Argument(name, kind, np.zeros(shape, dtype), constant)


X, H, IDS = argument("x"), argument("h", (2, 4)), argument("ids", (2,), dtype=int)
W, B = argument("W", (3, 4), "parameter"), argument("b", (4,), "parameter")
G = {a.name: np.full(a.value.shape, 1.0 + k) for k, a in enumerate((X, H, IDS, W, B))}


def read(returned, inputs=(X,), parameters=()):
    found = read_gradients(returned, list(inputs), list(parameters))
    return {name: id(value) for name, value in found.values.items()}, found


def ids(*names):
    return {name: id(G[name]) for name in names}


@given(st.permutations([X, H, IDS, W, B]), st.integers(0, 5), st.booleans(), st.booleans())
def test_what_was_put_together_is_read_back(arguments, cut, nones, as_list):
    inputs = list(arguments[:cut])
    parameters = [a for a in arguments[cut:] if a is not IDS]
    given_for = [a for a in (*inputs, *parameters) if nones or a is not IDS]
    returned = [None if a is IDS else G[a.name] for a in given_for]
    found, gradients = read(returned if as_list else tuple(returned), inputs, parameters)
    assert found == ids(*(a.name for a in given_for if a is not IDS))
    assert not gradients.problems
    assert not gradients.remarks


@given(st.permutations(["x", "h", "W", "b"]), st.sampled_from(["{}", "d{}", "{}_grad", "grad_{}", "D{}"]))
def test_names_are_read_in_any_order_and_spelling(order, spelling):
    table = {spelling.format(name): G[name] for name in order}
    assert read(table, (X, H), (W, B))[0] == ids("x", "h", "W", "b")


def test_a_table_may_follow_positions():
    assert read((G["x"], {"dW": G["W"], "db": G["b"]}), (X,), (W, B))[0] == ids("x", "W", "b")


def test_a_named_tuple_is_read_by_name_where_its_names_are_gradients():
    named, other = namedtuple("G", "dh dx"), namedtuple("G", "first second")
    assert read(named(G["h"], G["x"]), (X, H))[0] == ids("x", "h")
    assert read(other(G["x"], G["h"]), (X, H))[0] == ids("x", "h")


class TestIntegersAndConstants:
    @pytest.mark.parametrize("returned", [(G["x"], None), (G["x"],), G["x"], (G["x"], np.zeros(2))])
    def test_may_be_left_out_or_none_or_zeros(self, returned):
        assert read(returned, (X, IDS))[0] == ids("x")

    @pytest.mark.parametrize("returned", [G["W"], (None, G["W"]), {"W": G["W"]}])
    def test_a_lone_value_that_cannot_be_theirs_is_the_parameters(self, returned):
        assert read(returned, (IDS,), (W,))[0] == ids("W")

    def test_zeros_for_the_indices_are_not_the_tables_gradient(self):
        assert read(np.zeros(2), (IDS,), (W,))[0] == {}

    def test_a_target_may_be_left_out(self):
        target = argument("y_true", constant=True)
        assert read(G["x"], (target, X))[0] == ids("x")


class TestLists:
    def test_a_list_of_numbers_is_one_gradient(self):
        for shape in ((2, 3), (1,), (4,)):
            (value,) = read_gradients(np.ones(shape).tolist(), [argument("x", shape)], []).values.values()
            assert np.shape(value) == shape

    def test_a_list_of_gradients_is_several(self):
        assert read([G["x"], G["h"]], (X, H))[0] == ids("x", "h")

    def test_a_list_that_does_not_fit_is_not_read_as_one(self):
        assert read_gradients([1.0, 2.0], [X], []).remarks


class TestWrongNumbers:
    def test_too_few_is_a_problem(self):
        assert read((G["x"],), (X, H))[1].problems == ("backward returned 1 gradient, expected 2 (x, h)",)

    def test_too_many_is_a_remark(self):
        found = read((G["x"], G["h"]))[1]
        assert found.remarks == ("backward returned 2 values, expected 1 (x)",)
        assert not found.problems

    def test_nothing_says_nothing(self):
        assert read(None)[0] == {}

    def test_a_wrong_shape_is_handed_on_for_the_rules_to_judge(self):
        found = read_gradients((np.ones(7), np.ones(5)), [X, H], [])
        assert {name: np.shape(g) for name, g in found.values.items()} == {"x": (7,), "h": (5,)}
