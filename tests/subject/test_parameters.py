"""Where layers keep their parameters, and where they leave the gradients of these."""

import threading
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.subject.names import is_gradient_slot
from gradcheck.subject.parameters import arrays_of, gradient_of, homes_of, left_behind
from gradcheck.subject.protocol import Missing
from gradcheck.subject.views import overlap

W, B, DW, DB = np.ones((2, 3)), np.zeros(3), np.full((2, 3), 7.0), np.full(3, 8.0)


class Parameter:
    def __init__(self, data, grad=None):
        self.data, self.grad = data, grad


class Callable:
    def __init__(self, **held):
        self.__dict__.update(held)

    def __call__(self, x):
        return x


class Slots:
    __slots__ = ("W", "dW", "unset")

    def __init__(self, W, dW):
        self.W, self.dW = W, dW


class MoreSlots(Slots):
    __slots__ = "b"  # noqa: PLC0205 - a lone string is one name

    def __init__(self, W, dW, b):
        super().__init__(W, dW)
        self.b = b


class Array(np.ndarray):
    grad = None


def array_with_grad():
    array = np.ones((2, 3)).view(Array)
    array.grad = DW
    return array


def layer(**held):
    return SimpleNamespace(**held)


# Each: a layer, and what `arrays_of` finds and `gradient_of` pairs with it.
SPELLINGS = {
    "attributes": (layer(W=W, dW=DW), {"W": DW}),
    "grad_W": (layer(W=W, grad_W=DW, b=B, b_grad=DB), {"W": DW, "b": DB}),
    "synonyms": (layer(weights=W, dW=DW, bias=B, db=DB), {"weights": DW, "bias": DB}),
    "lists": (layer(params=[W, B], grads=[DW, DB]), {"params[0]": DW, "params[1]": DB}),
    "tuples": (layer(params=(W, B), grads=(DW, DB)), {"params[0]": DW, "params[1]": DB}),
    "list beside attributes": (layer(W=W, b=B, params=[W, B], grads=[DW, DB]), {"W": DW, "b": DB}),
    "dicts": (layer(params={"W1": W}, grads={"W1": DW}), {"W1": DW}),
    "dicts, dW1": (layer(params=OrderedDict(W1=W), grads={"dW1": DW}), {"W1": DW}),
    "dict, dW1 beside it": (layer(params={"W1": W}, dW1=DW), {"W1": DW}),
    "one dict": (layer(store={"W": W, "dW": DW}), {"store.W": DW}),
    "Parameter": (layer(W=Parameter(W, DW)), {"W.data": DW}),
    "list of Parameter": (layer(parameters=[Parameter(W, DW)]), {"parameters[0].data": DW}),
    "array that knows its gradient": (layer(W=array_with_grad()), {"W": DW}),
    "nested": (layer(inner=layer(W=W, dW=DW)), {"inner.W": DW}),
    "nested and callable": (layer(inner=Callable(W=W, dW=DW)), {"inner.W": DW}),
    "list of layers": (layer(layers=[Callable(W=W, dW=DW)]), {"layers[0].W": DW}),
    "slots": (Slots(W, DW), {"W": DW}),
    "slots of a parent": (MoreSlots(W, DW, B), {"W": DW}),
}


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_gradients_are_paired_by_name_or_place(spelling):
    subject, expected = SPELLINGS[spelling]
    kept = {k.name: k for k in arrays_of(subject)}
    assert expected.keys() <= kept.keys()
    for name, gradient in expected.items():
        assert gradient_of(subject, kept[name]) is gradient


class TestNoGradient:
    def test_is_said_with_the_slot_that_is_empty(self):
        subject = layer(W=W, dW=None)
        found = gradient_of(subject, arrays_of(subject)[0])
        assert found == Missing("self.dW is still None after backward")

    def test_is_owed_only_by_what_is_named_like_a_parameter(self):
        subject = layer(W=W, lookup=B.copy())
        assert [gradient_of(subject, kept).owed for kept in arrays_of(subject)] == [True, False]

    def test_another_parameters_gradient_is_not_taken(self):
        subject = layer(W=W, V=W.copy(), dV=DW)
        assert isinstance(gradient_of(subject, arrays_of(subject)[0]), Missing)

    def test_left_behind_also_finds_what_the_layer_does_not_keep(self):
        assert left_behind(layer(dx=DW), "x", None) is DW
        assert isinstance(left_behind(layer(dh=DW), "x", None), Missing)


class TestPut:
    @given(st.integers(1, 4), st.integers(1, 4))
    def test_puts_and_gets(self, rows, columns):
        value = np.arange(float(rows * columns)).reshape(rows, columns)
        places = (
            layer(W=np.zeros((rows, columns))),
            layer(W=np.zeros((rows, columns), "f")),
            layer(params=[np.zeros((rows, columns))]),
            layer(params=(np.zeros((rows, columns)),)),
            layer(params={"W": np.broadcast_to(np.zeros(columns), (rows, columns))}),  # read-only
        )
        for place in places:
            arrays_of(place)[0].put(value)
            np.testing.assert_array_equal(arrays_of(place)[0].value, value)

    def test_every_place_sees_the_new_values(self):
        w = np.zeros((2, 3), "f")
        subject = layer(W=w, params=[w])
        (kept,) = arrays_of(subject)
        kept.put(DW)
        np.testing.assert_array_equal(subject.W, DW)
        np.testing.assert_array_equal(subject.params[0], DW)

    def test_a_view_sees_them_too(self):
        w = np.zeros((2, 3))
        subject = layer(W=w, WT=w.T)
        arrays_of(subject)[0].put(DW)
        np.testing.assert_array_equal(subject.WT, DW.T)


def test_what_is_no_parameter_is_not_walked():
    loop = layer(W=W, lock=threading.Lock(), rng=np.random.default_rng(0), ids=np.arange(3), f=np.sin, empty=B[:0])
    loop.self = loop  # a circle
    assert [kept.name for kept in arrays_of(loop)] == ["W"]


@pytest.mark.parametrize(("name", "yes"), [("dW", True), ("grads[0]", True), ("db", True), ("depth", False)])
def test_gradient_slots_are_known_by_name(name, yes):
    assert is_gradient_slot(name) is yes


def test_overlap_tells_views_from_neighbours():
    flat = np.zeros(8)
    assert overlap(flat, flat[:6].reshape(2, 3))
    assert not overlap(flat[:6], flat[6:])
    assert not overlap(flat, flat.copy())


def test_a_parameter_is_at_home_under_its_name_or_where_its_array_is():
    subject = layer(W=W * 2, weight=B)
    homes = homes_of(subject, {"W": W, "b": B, "elsewhere": DW})
    assert {name: kept.name for name, kept in homes.items()} == {"W": "W", "b": "weight"}
