"""The library's door: every kind of subject, points given in every form, and what is said where nothing fits."""

import functools
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes

import gradcheck
from gradcheck import GradientError, UsageError, assert_gradients, check
from gradcheck.rules.levels import Selection

rng = np.random.default_rng(2)
X, W, B = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)


class Affine:
    k = 1.0

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.k * (self.x.T @ dout), dout.sum(0)
        return dout @ self.W.T


class Wrong(Affine):
    k = 0.999


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class Dropout(Relu):
    def forward(self, x):
        self.mask = np.random.random(x.shape) > 0.5  # noqa: NPY002
        return x * self.mask


def affine(W, b):
    return Affine(W, b)


def wrong(W, b):
    return Wrong(W, b)


def square(x):
    return x**2, lambda dout: 2.0 * dout * x


PAIR = (np.square, lambda dout, x: 2.0 * dout * x)


class TestSubjects:
    @pytest.mark.parametrize(
        ("subject", "options"),
        [
            (Affine, {"settings": {"W": W, "b": B}}),
            (Affine, {"settings": (W, B)}),
            (affine, {"settings": {"W": W, "b": B}}),
            (functools.partial(Affine, W), {"settings": {"b": B}}),
            (Affine(W, B), {}),
            (square, {}),
            (PAIR, {}),
            (Relu, {"settings": ()}),
        ],
        ids=["class", "positional settings", "factory", "partial", "object", "closure", "pair", "no settings"],
    )
    def test_each_kind_passes(self, subject, options):
        report = assert_gradients(subject, inputs=(X,), **options)
        assert (report.verdict, bool(report), len(report.subjects)) == ("pass", True, 1)

    @pytest.mark.parametrize(
        ("subject", "options"),
        [
            (Wrong, {"settings": (W, B)}),
            (wrong, {"settings": (W, B)}),
            (Wrong(W, B), {}),
            (lambda x: (x**2, lambda dout: dout * x), {}),
            ((np.square, lambda dout, x: dout * x), {}),
        ],
        ids=["class", "factory", "object", "closure", "pair"],
    )
    def test_each_kind_fails(self, subject, options):
        with pytest.raises(GradientError, match="GC101") as caught:
            assert_gradients(subject, inputs=(X,), **options)
        assert caught.value.report.verdict == "fail"

    def test_the_users_own_object_and_arrays_are_left_alone(self):
        layer, x, w = Affine(W.copy(), B.copy()), X.copy(), W.copy()
        check(layer, inputs=(x,))
        check(Affine, inputs=(x,), settings=(w, B))
        assert layer.dW is None
        for now, before in ((layer.W, W), (x, X), (w, W)):
            np.testing.assert_array_equal(now, before)

    def test_the_global_generators_are_left_alone(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        check(Dropout, inputs=(X,))
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


class TestPoints:
    @pytest.mark.parametrize(
        "inputs",
        [
            (2.5, 3.5),
            (100.0, 2),
            (np.asarray(2.5), np.float64(3.5)),
            ([1.0, 2.0], [3.0, 4.0]),
            [X, X + 1.0],
            {"y": X, "x": X + 1.0},
            (X.astype(np.float32), X),
            (np.asfortranarray(X), X[::-1]),
            (np.broadcast_to(X[0], X.shape), X),
            (X, np.arange(3)),
        ],
        ids=["floats", "float-int", "0-d", "lists", "list", "by-name", "float32", "strides", "broadcast", "integers"],
    )
    def test_numbers_in_every_form(self, inputs):
        class Right(Mul):
            def backward(self, dout):
                dx, dy = super().backward(dout)
                return dx, dy if np.shape(self.y) == np.shape(dy) else None

        class Swapped(Right):
            def backward(self, dout):
                return tuple(-g if g is not None else g for g in super().backward(dout))

        assert check(Right, inputs=inputs).verdict == "pass"
        assert check(Swapped, inputs=inputs).verdict == "fail"

    def test_one_array_need_not_be_in_a_tuple(self):
        assert check(Relu, inputs=X).verdict == "pass"

    def test_options_are_handed_on(self):
        def scaled(x, k, mode=None):
            return x * k if mode == "times" else x + k

        def vjp(dout, x, k, mode):
            return dout * k if mode == "times" else dout

        assert check((scaled, vjp), inputs=(X, 3), settings={"mode": "times"}).verdict == "pass"
        assert check((scaled, vjp), inputs=(X, 3, "plus")).verdict == "pass"

    def test_the_given_point_is_the_one_that_is_checked(self):
        far = (lambda x: x**2, lambda dout, x: dout * np.where(x > 7.0, 0.0, 2.0 * x))
        assert check(far, inputs=(np.array([1.0, 2.0]),)).verdict == "pass"
        assert check(far, inputs=(np.array([1.0, 8.0]),)).verdict == "fail"

    def test_cases_are_checked_one_and_all(self):
        square_only = Wrong(W, B)
        good, bad = ({"W": W, "b": B}, (X,)), ({"W": W[:, :1], "b": B[:1]}, (X,))

        class WrongForOne(Affine):
            def backward(self, dout):
                dx = super().backward(dout)
                self.db = dout.sum(0) if dout.shape[1] > 1 else dout.mean(0)
                return dx

        assert check(WrongForOne, cases=[good]).verdict == "pass"
        report = check(WrongForOne, cases=(case for case in [good, bad]))
        assert report.verdict == "fail"
        assert report.findings[0].case.startswith("given=1")
        assert check(square_only, cases=[(None, (X,)), (None, (X[:1],))]).verdict == "fail"

    def test_a_factory_may_get_its_settings_case_by_case(self):
        assert check(affine, cases=[({"W": W, "b": B}, (X,)), ((W[:, :1], B[:1]), (X,))]).verdict == "pass"

    def test_settings_hold_for_all_cases(self):
        assert check(Affine, settings={"W": W}, cases=[({"b": B}, (X,)), ({"b": -B}, (X,))]).verdict == "pass"

    def test_a_printed_case_replays(self):
        report = check(Wrong, inputs=(X,), settings=(W, B))
        again = check(Wrong, inputs=(X,), settings=(W, B), case=report.findings[0].case)
        assert (again.subjects[0].cases, again.findings) == (1, report.findings)

    @settings(max_examples=15, deadline=None)
    @given(array_shapes(min_dims=0, max_dims=4, max_side=3), st.integers(0, 2**32))
    def test_any_shape_and_seed(self, shape, seed):
        x = np.random.default_rng(seed).standard_normal(shape)
        assert check((np.sin, lambda dout, x: dout * np.cos(x)), inputs=(x,), seed=seed).verdict == "pass"
        assert check((np.sin, lambda dout, x: dout * 1.001 * np.cos(x)), inputs=(x,), seed=seed).verdict == "fail"


class TestReport:
    def test_is_json(self):
        report = check(Wrong, inputs=(X,), settings=(W, B))
        told = json.loads(json.dumps(report.to_dict()))
        assert told["verdict"] == "fail"
        assert told["subjects"][0]["findings"][0]["argument"] == "W"

    def test_the_same_seed_gives_the_same_report(self):
        assert check(Wrong, inputs=(X,), settings=(W, B), seed=5) == check(Wrong, inputs=(X,), settings=(W, B), seed=5)


class Half:
    def forward(self, x):
        return x


class Broken(Relu):
    def __init__(self):
        raise RuntimeError("no such device")


class NoOutput(Relu):
    def forward(self, x):
        self.mask = x > 0


class Quits(Relu):
    def backward(self, dout):
        raise SystemExit(0)


class TestUsageErrors:
    """What was given, what was expected, how to mend it; never a traceback of ours, never a pass."""

    @pytest.mark.parametrize("subject", [3, None, "Affine", np, Half, Half(), (np.sin,), (np.sin, 3), [*PAIR], object])
    def test_no_layer(self, subject):
        with pytest.raises(UsageError, match=r"is no layer.*expected a class or object with forward and backward"):
            check(subject, inputs=(X,))

    def test_half_a_layer_is_told_what_it_lacks(self):
        with pytest.raises(UsageError, match=r"the class Half is no layer \(it has no backward\)"):
            check(Half, inputs=(X,))

    @pytest.mark.parametrize(
        ("inputs", "message"),
        [
            ((), r"forward\(x\) was given 0 inputs, without x"),
            ((X, X), r"forward\(x\) was given 2 inputs, expected 1"),
            ([[1.0, 2.0], [3.0, 4.0]], r"forward\(x\) was given 2 inputs, expected 1"),
            ({"z": X}, "forward has no argument 'z'.*its arguments are x"),
            ("text", "inputs is a str, expected a tuple of arrays"),
            ({1.0}, "inputs is a set, expected a tuple of arrays"),
            (("text",), r"Relu does not take what was given \(x = a str\): TypeError"),
            (([[1.0, 2.0], [3.0]],), "the input x is a ragged list"),
            (([X, X],), r"Relu does not take what was given \(x = a list of 2\)"),
            ((np.array([1.0, None]),), r"x = an array of shape \(2,\) of dtype object"),
        ],
    )
    def test_inputs(self, inputs, message):
        with pytest.raises(UsageError, match=message) as caught:
            check(Relu, inputs=inputs)
        assert caught.value.fix

    @pytest.mark.parametrize(
        ("given_settings", "message"),
        [
            (None, "missing 2 required positional arguments"),
            ({"W": W}, "missing 1 required positional argument: 'b'"),
            ({"W": W, "b": B, "c": 1}, "unexpected keyword argument 'c'"),
            ((W, B, 3), "takes 3 positional arguments but 4 were given"),
            ("W", "settings is a str, expected a dict of keyword arguments or a tuple of positional ones"),
            (W, r"settings is an array of shape \(3, 2\), expected a dict"),
            ({"W": W.T, "b": B}, r"W = an array of shape \(2, 3\).*x = an array of shape \(4, 3\)\): ValueError"),
        ],
    )
    def test_settings(self, given_settings, message):
        with pytest.raises(UsageError, match=message) as caught:
            check(Affine, inputs=(X,), settings=given_settings)
        assert caught.value.fix

    @pytest.mark.parametrize("subject", [Affine(W, B), PAIR])
    def test_settings_of_what_has_no_constructor(self, subject):
        with pytest.raises(UsageError, match=r"built already|has options, no constructor"):
            check(subject, inputs=(X,), settings=(W,))

    @pytest.mark.parametrize(
        ("cases", "message"),
        [
            ([], "cases is empty"),
            (3, "cases is int 3"),
            ("ab", "cases is a str"),
            ([X], r"cases\[0\] is an array of shape"),
            ([(None, (X,)), (None,)], r"cases\[1\] is a tuple of 1, expected a \(settings, inputs\) pair"),
            ([(None, None)], "inputs is None, expected a tuple of arrays"),
            ([(None, (X,)), (None, ("text",))], r"cases\[1\]: Relu does not take what was given"),
        ],
    )
    def test_cases(self, cases, message):
        with pytest.raises(UsageError, match=message):
            check(Relu, cases=cases)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"inputs": (X,), "cases": [(None, (X,))]}, "both inputs and cases were given"),
            ({"inputs": (X,), "signature": "(n,i)"}, "both inputs and signature were given"),
            ({"signature": "n,i"}, "cannot read the signature 'n,i'"),
            ({"signature": 3}, "signature is a int, expected text"),
            ({"inputs": (X,), "seed": -1}, "seed is -1, expected a whole number"),
            ({"inputs": (X,), "seed": 0.5}, "seed is 0.5, expected a whole number"),
            ({"inputs": (X,), "case": "given=7"}, "none of the 1 given points"),
        ],
    )
    def test_options(self, options, message):
        with pytest.raises(UsageError, match=message):
            check(Relu, **options)

    @pytest.mark.parametrize(
        ("subject", "message"),
        [
            (Broken, "Broken does not take what was given.*RuntimeError: no such device"),
            (NoOutput, "forward returned None, expected an array"),
            (np.sin, r"sin returned an array of shape \(4, 3\), expected \(output, pullback\)"),
            ((lambda x: x, lambda dout, x, what: dout), "backward asks for dout, what"),
        ],
    )
    def test_layers_that_do_not_run(self, subject, message):
        with pytest.raises(UsageError, match=message):
            check(subject, inputs=(X,))


class TestRules:
    """The engine is stood in for: what it makes of a selection is told in tests/test_examine.py."""

    @pytest.fixture
    def asked(self, monkeypatch):
        requests = []

        def examine(found, request, **_):
            requests.append(request.selection)
            return gradcheck.SubjectReport(found.name, found.target, "pass")

        monkeypatch.setattr("gradcheck.api.examine", examine)
        return requests

    def test_are_chosen_by_codes(self, asked):
        check(Relu, select="GC1, GC2", ignore=["GC201"], error=("GC106",), warning="ALL", extend_select=iter(["GC3"]))
        assert asked == [Selection(("GC1", "GC2"), ("GC3",), ("GC201",), ("GC106",), ("ALL",))]

    def test_no_file_is_read_but_the_one_that_is_named(self, asked, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        (tmp_path / "pyproject.toml").write_text('[tool.gradcheck]\nignore = ["GC1"]', encoding="utf-8")
        check(Relu)
        check(Relu, config="pyproject.toml", error="GC2")
        assert asked == [
            Selection(),
            Selection(error=("GC2",), under=Selection(ignore=("GC1",), root=str(tmp_path))),
        ]

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"ignore": "GC999"}, "ignore names 'GC999', which is no rule"),
            ({"extend_select": ["GC101", 201]}, r"extend_select is \['GC101', 201\], expected codes of rules"),
            ({"select": []}, "select is empty, which leaves no rule"),
            ({"error": True}, r'error is True, .* write error=\["GC205"\]'),
            ({"config": "missing.toml"}, "there is no file missing.toml"),
        ],
    )
    def test_that_are_not_there(self, options, message):
        with pytest.raises(UsageError, match=message):
            check(Relu, **options)


class TestUnchecked:
    @pytest.mark.parametrize(
        ("inputs", "reason"),
        [
            ((np.array([1, 2]),), "expected real numbers, for x = an array of shape .* of dtype int"),
            ((np.array([True, False]),), "expected real numbers, for x = an array of shape .* of dtype bool"),
            ((X + 1j,), "complex128, expected real numbers"),
            ((np.array([1.0, np.nan]),), r"forward gives nan at \[1\] of its output"),
            ((np.array([np.inf, 1.0]),), r"forward gives inf at \[0\] of its output"),
        ],
    )
    def test_says_why_and_how_to_mend_it(self, inputs, reason):
        report = check((lambda x: x * x, PAIR[1]), inputs=inputs)
        assert (report.verdict, bool(report)) == ("unchecked", False)
        assert report.subjects[0].fix
        with pytest.raises(GradientError, match=reason):
            assert_gradients((lambda x: x * x, PAIR[1]), inputs=inputs)

    def test_a_point_that_shows_nothing_is_not_left_out_in_silence(self):
        report = check(PAIR, cases=[(None, (X,)), (None, (X * np.nan,))])
        assert report.verdict == "unchecked"
        assert report.subjects[0].reason.startswith("cases[1]: forward gives nan")

    def test_nothing_to_compare_is_no_pass(self):
        assert check(PAIR, inputs=(np.zeros((0, 3)),)).verdict == "inconclusive"
        assert check(PAIR, inputs=(np.zeros(3),)).verdict == "inconclusive"

    def test_a_layer_that_quits_does_not_end_the_check(self):
        report = check(Quits, inputs=(X,))
        assert (report.verdict, report.findings[0].rule) == ("fail", "GC602")


def test_the_errors_are_what_python_expects():
    assert issubclass(UsageError, ValueError)
    assert issubclass(GradientError, AssertionError)
    assert gradcheck.check is check
