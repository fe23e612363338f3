"""How forward and backward are bound: by name first, by position last."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.errors import UsageError
from gradcheck.subject.calls import (
    BackwardCall,
    as_returned,
    call_backward,
    called,
    outputs_of,
    parameters_of,
    plan_backward,
)
from gradcheck.subject.describe import describe
from gradcheck.subject.inputs import arguments_of, values_at
from gradcheck.subject.names import gradient_names

X, Y = np.arange(3.0), np.arange(2.0)


def plan(function, outputs=1, known=(), **options):
    return plan_backward(parameters_of(function), outputs, set(known), **options)


class TestParametersOf:
    def test_a_bound_method_has_no_self(self):
        class Layer:
            def forward(self, x, *rest, train=True, **more):
                return x

        found = parameters_of(Layer().forward)
        assert [(p.name, p.required, p.keyword_only, p.variadic) for p in found] == [
            ("x", True, False, False),
            ("rest", False, False, True),
            ("train", False, True, False),
        ]

    def test_what_has_no_signature_has_none(self):
        assert parameters_of(3) == ()


class TestOutputsOf:
    @pytest.mark.parametrize(
        ("result", "asked", "outputs", "cache"),
        [
            (2.5, None, 1, None),
            (X, ["dout"], 1, None),
            ((X, Y), None, 2, None),
            ([X, Y], ["dh", "dc"], 2, None),
            ((X, {"x": X}), ["dout"], 1, dict),
            ((X, Y), ["dout", "cache"], 1, np.ndarray),
            ((X, Y, "cache"), ["dh", "dc", "cache"], 2, str),
            ((X, Y, "cache"), ["dout", "cache"], 1, tuple),
            ((X, None), ["dout"], 1, type(None)),
        ],
    )
    def test_backward_decides_what_is_a_cache(self, result, asked, outputs, cache):
        found, kept = outputs_of(result, asked)
        assert len(found) == outputs
        assert kept is None if cache is None else isinstance(kept, cache)

    @pytest.mark.parametrize("result", [None, "text", {"y": X}, (), (None, X), np.array(["a"]), object()])
    def test_no_number_is_a_usage_error(self, result):
        with pytest.raises(UsageError, match="expected an array"):
            outputs_of(result)

    def test_a_number_gets_a_number_as_its_cotangent(self):
        array, number = as_returned((np.ones(3), np.asarray(2.0)), (X, 1.5))
        assert isinstance(array, np.ndarray)
        assert not isinstance(number, np.ndarray)


class TestPlanBackward:
    @pytest.mark.parametrize(
        ("function", "outputs", "known", "expected"),
        [
            (lambda dout: 0, 1, "x", BackwardCall(("dout",))),
            (lambda dout=1: 0, 1, "x", BackwardCall(("dout",))),
            (lambda x: 0, 1, "x", BackwardCall(("x",))),  # the cotangent bears the input's name
            (lambda: 0, 1, "x", BackwardCall()),
            (lambda x, dout: 0, 1, "x", BackwardCall(("dout",), ("x",))),
            (lambda dh, dc: 0, 2, "x", BackwardCall(("dh", "dc"))),
            (lambda douts: 0, 2, "x", BackwardCall(("douts",), packed=True)),
            (lambda *douts: 0, 2, "x", BackwardCall(variadic=True)),
        ],
    )
    def test_what_is_known_by_name_is_no_cotangent(self, function, outputs, known, expected):
        assert plan(function, outputs, known) == expected

    def test_the_gradient_of_a_loss_may_take_its_inputs_alone(self):
        names = ("pred", "target")
        assert plan(lambda pred, target: 0, known=names, scalar=True) == BackwardCall(known=names)
        assert plan(lambda pred, target: 0, known=names).cotangents == ("pred",)

    def test_the_rest_goes_into_star_args(self):
        assert plan(lambda dout, *xs: 0, known="xw", rest="xw").rest == ("x", "w")
        assert plan(lambda dout, x, *others: 0, known="xw", rest="xw").rest == ("w",)
        assert plan(lambda dout, x, w: 0, known="xw", rest="xw").rest == ()

    @pytest.mark.parametrize(("function", "outputs"), [(lambda dout, what: 0, 1), (lambda a, b: 0, 3)])
    def test_what_cannot_be_filled_in_is_a_usage_error(self, function, outputs):
        with pytest.raises(UsageError, match=f"forward has {outputs} output"):
            plan(function, outputs)

    @given(st.permutations(["dout", "x", "w", "cache"]))
    def test_any_order_of_parameters_is_bound_by_name(self, order):
        scope: dict = {}
        exec(f"def backward({', '.join(order)}): return dout, x, w, cache", scope)
        known = {"x": 1, "w": 2, "cache": 3}
        call = plan(scope["backward"], known=known)
        assert call_backward(scope["backward"], call, ("the cotangent",), known) == ("the cotangent", 1, 2, 3)


class TestCallBackward:
    def test_star_args_take_the_inputs(self):
        def backward(dout, *xs):
            return dout, xs

        call = plan(backward, known="xw", rest="xw")
        assert call_backward(backward, call, (0,), {"x": 1, "w": 2}) == (0, (1, 2))

    def test_a_packed_call_that_raises_says_how_many_outputs_there_are(self):
        def backward(dout):
            return dout * 2 + np.ones(3)

        with pytest.raises(UsageError, match="forward has 2 outputs, but backward takes one cotangent"):
            call_backward(backward, plan(backward, 2), (X, Y), {})

    def test_sys_exit_is_an_error_like_any_other(self):
        with pytest.raises(RuntimeError, match=r"sys\.exit\(0\)"):
            called(lambda: exit(0))


class TestValuesAt:
    def test_options_are_no_arguments(self):
        inputs = {"x": X, "p": 0.5, "k": 2, "train": True, "mode": "same", "mask": None, "shape": (2, 3)}
        found = {a.name: a.differentiable for a in arguments_of(inputs, frozenset())}
        assert found == {"x": True, "p": True, "k": False, "train": False}

    def test_values_come_back_in_the_form_in_which_they_were_given(self):
        inputs = {"x": X, "p": 0.5, "q": np.float32(1), "k": 2, "shape": [2, 3]}
        primals = {"x": X + 1, "p": np.asarray(0.25), "q": np.asarray(2.0), "k": np.asarray(9)}
        values = values_at(inputs, primals)
        assert values["x"] is primals["x"]
        assert (type(values["p"]), values["p"], values["k"]) == (float, 0.25, 2)
        assert values["shape"] == [2, 3]
        assert values["shape"] is not inputs["shape"]  # the layer may write into it


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "None"),
        (0, "int 0"),
        (X, "an array of shape (3,)"),
        (np.arange(2), f"an array of shape (2,) of dtype {np.arange(2).dtype}"),
        ([1, 2], "a list of 2"),
        (int, "the class int"),
        (object(), "an object"),
    ],
)
def test_describe_says_what_a_value_is(value, text):
    assert describe(value) == text


@pytest.mark.parametrize(
    ("name", "spelling"),
    [("W", "dw"), ("W", "weights_gradient"), ("b", "dbias"), ("_gamma", "dgamma"), ("W1", "grad_w1"), ("x", "dinputs")],
)
def test_gradients_are_known_by_many_names(name, spelling):
    assert spelling in gradient_names(name)
    assert spelling not in gradient_names("other")
