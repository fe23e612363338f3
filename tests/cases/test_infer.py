"""Shapes found by trying: the spellings of the wild, wrong guesses that are not accepted, and what is said instead."""

import numpy as np
import pytest

import gradcheck
from gradcheck.cases.search import Points
from tests.cases import spellings
from tests.cases.spellings import SIGNATURES


def points(layer, **options):
    return Points.of(layer.__name__, layer, **options)


def unchecked(layer, **options):
    (subject,) = gradcheck.check(layer, **options).subjects
    assert subject.verdict == "unchecked", subject
    return subject


@pytest.mark.parametrize("layer", SIGNATURES, ids=lambda layer: layer.__name__)
class TestSpellings:
    def test_signature_is_found(self, layer):
        assert points(layer).signature == SIGNATURES[layer]

    def test_a_right_layer_passes(self, layer):
        report = gradcheck.check(layer, seed=1)
        assert report.verdict == "pass", report.subjects


def twin(layer, **replaced):
    """Return a layer with some methods replaced."""
    return type(f"Wrong{layer.__name__}", (layer,), replaced)


def wrong_columns(self, dz):
    self.dW, self.db = dz @ self.x.T, dz
    return self.W.T @ dz


def wrong_letters(self, dout):
    return dout * (1 - self.t), dout * self.t, dout * (self.a - self.b)


def wrong_lstm(self, dh, dc):
    dx, dh_prev, _ = spellings.LSTM.backward(self, dh, dc)
    return dx, dh_prev, dc * self.gates[0]


def wrong_picked(self, dout):
    self.dW = np.zeros_like(self.W)
    self.dW[self.idx] = dout[:, None] * self.h
    return dout[:, None] * self.rows


def deaf_to_stride(self, dout):
    self.stride = 1
    return spellings.Pool.backward(self, dout)


def clumsy_padding(self, dout):
    dx, p, q = np.zeros(self.shape), self.pad, -self.pad
    for i, j, window in self.windows(self.shape):
        dx[window] += dout[:, :, i, j][..., None, None] / (self.kh * self.kw)
    return dx[:, :, p:q, p:q]  # nothing is left where there is no padding


def square_kernel(self, dout):
    return spellings.Pool.backward(self, dout) * self.kw / self.kh


def transposed(self, dout):
    return dout * np.linalg.inv(self.A)


WRONG = (
    (twin(spellings.Columns, backward=wrong_columns), "b"),
    (twin(spellings.Letters, backward=wrong_letters), "t"),
    (twin(spellings.LSTM, backward=wrong_lstm), "c_prev"),
    (twin(spellings.Picked, backward=wrong_picked), "W"),
    (twin(spellings.Pool, backward=deaf_to_stride), None),  # it raises
    (twin(spellings.Pool, backward=clumsy_padding), "x"),
    (twin(spellings.Pool, backward=square_kernel), "x"),
    (twin(spellings.LogDet, backward=transposed), "A"),
)


@pytest.mark.parametrize(("layer", "argument"), WRONG, ids=[layer.backward.__name__ for layer, _ in WRONG])
def test_no_shape_is_chosen_under_which_a_defect_hides(layer, argument):
    report = gradcheck.check(layer)
    assert report.verdict == "fail"
    assert argument in {finding.argument for finding in report.findings}


class TestChoices:
    def test_whole_numbers_with_a_default_are_varied_and_printed(self):
        plan = points(spellings.Pool).plan
        assert plan.choices == {"pool_h": (2, 3), "pool_w": (2, 3), "stride": (1, 2), "pad": (0, 1, 2)}
        assert "stride=1 pad=0" in str(plan.trial())

    def test_values_that_forward_refuses_are_left_out(self):
        class Once(spellings.Pool):
            def __init__(self, pool_h, pool_w, stride=1):
                if stride != 1:
                    raise ValueError("not yet")
                super().__init__(pool_h, pool_w)

        assert points(Once).plan.choices["stride"] == (1,)

    def test_no_image_is_smaller_than_the_widest_kernel(self):
        assert points(spellings.Pool).plan.limits == {"n": 1, "c": 1, "h": 3, "w": 3}

    def test_large_default_sizes_are_made_small(self):
        built = points(spellings.Embedding).at(points(spellings.Embedding).plan.trial())
        assert all(max(a.value.shape) < 10 for a in built.arguments)


class TestNotAccepted:
    """A right layer is never accused because of a wrong guess: then it is unchecked, with the line that mends it."""

    def test_a_table_that_is_only_sometimes_long_enough(self):
        class Positions:
            def __init__(self, rows, width):
                self.P = np.random.randn(rows, width)  # noqa: NPY002

            def forward(self, x):
                _, t, _ = x.shape
                self.t = t
                return x + self.P[:t]

            def backward(self, dout):
                self.dP = np.zeros_like(self.P)
                self.dP[: self.t] = dout.sum(0)
                return dout.copy()

        report = gradcheck.check(Positions)
        assert report.verdict in ("pass", "unchecked")
        assert not report.findings

    def test_a_loss_of_columns(self):
        class Binary:
            def forward(self, logits, y_true):
                y_true = np.asarray(y_true, dtype=float).reshape(-1, 1)
                return float(np.mean(np.log1p(np.exp(logits)) - y_true * logits))

            def backward(self, logits, y_true):
                y_true = np.asarray(y_true, dtype=float).reshape(-1, 1)
                self.dinputs = (1 / (1 + np.exp(-logits)) - y_true) / len(logits)

        (subject,) = gradcheck.check(Binary).subjects
        assert (subject.verdict, subject.signature[:5]) == ("pass", "(n,1)"), subject
        wrong = type(
            "Wrong", (Binary,), {"backward": lambda self, logits, y_true: setattr(self, "dinputs", 0 * logits)}
        )
        assert gradcheck.check(wrong).verdict == "fail"

    def test_a_penalty_in_backward_is_off(self):
        class Dense:
            def __init__(self, n_in, n_out, l1, weight_l2):
                self.W, self.l1, self.l2 = np.ones((n_in, n_out)), l1, weight_l2

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout + self.l1 * np.sign(self.W) + 2 * self.l2 * self.W
                return dout @ self.W.T

        assert gradcheck.check(Dense).verdict == "pass"

    def test_a_mask_beside_a_number(self):
        class Masked:
            def forward(self, x, mask):
                raise NotImplementedError

            def backward(self, dout):
                return dout

        assert "NotImplementedError" in unchecked(Masked).reason

    def test_a_list_of_arrays_is_no_array(self):
        class Concatenate:
            def forward(self, xs):
                self.ends = np.cumsum([x.shape[0] for x in xs])[:-1]
                return np.concatenate(xs)

            def backward(self, dout):
                return np.split(dout, self.ends)

        class Doubled(Concatenate):
            def backward(self, dout):
                return [2 * dx for dx in super().backward(dout)]

        for layer, verdict in ((Concatenate, "pass"), (Doubled, "fail")):
            (subject,) = gradcheck.check(layer).subjects
            assert (subject.verdict, subject.signature.partition("->")[0]) == (verdict, "(n,i),(n,i)"), subject

    def test_shapes_that_only_forward_takes(self):
        class Contexts:
            """Takes (n, k, v), one-hot; an array of two dimensions goes through forward, by luck."""

            def __init__(self, W):
                self.W = W

            def forward(self, contexts):
                if contexts.ndim == 2 and contexts.shape[1] == self.W.shape[0]:
                    raise ValueError("rows of words")
                self.c = contexts[:, 0]
                return self.c @ self.W

            def backward(self, dout):
                raise AssertionError("not at these shapes")

        subject = unchecked(Contexts)
        assert "other shapes may be meant" in subject.reason
        assert subject.fix == (
            'correct what is wrong in gradcheck.check(Contexts, signature="(n,i),(n,i)"), '
            "or give a point that works: inputs=(contexts,)"
        )

    def test_a_layer_that_must_be_built_first(self):
        class Dense:
            def __init__(self, units):
                self.units = units

            def build(self, width):
                self.W = np.ones((width, self.units))

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout
                return dout @ self.W.T

        layer = Dense(2)
        layer.build(3)
        assert gradcheck.check(layer)
        report = gradcheck.check(Dense)
        assert report.verdict == "pass" or "build" in report.subjects[0].fix

    def test_nothing_runs(self):
        class Picky:
            def __init__(self, recipe):
                if recipe != "".join(["sec", "ret"]):
                    raise ValueError("not that recipe")

            def forward(self, x):
                return x

            def backward(self, dout):
                return dout.copy()

        subject = unchecked(Picky)
        assert subject.reason.startswith("found no shapes that forward(x) takes (at (n,i): ValueError: not that recipe")
        assert subject.fix == (
            'correct what is wrong in gradcheck.check(Picky, signature="(n,i)", settings=dict(recipe="i")), '
            "or give a point that works: inputs=(x,)"
        )
        assert gradcheck.check(Picky, settings={"recipe": "secret"})


class TestSignatureGiven:
    def test_it_is_kept(self):
        report = gradcheck.check(spellings.Columns, signature="(i,n),(o,i),(o,1)->(o,n)")
        assert report.verdict == "pass"
        assert report.subjects[0].signature == "(i,n),(o,i),(o,1)->(o,n)"

    def test_tied_sizes(self):
        signature = "(n,i),(n,h),(n,h),(i,4*h),(h,4*h),(4*h)"
        assert gradcheck.check(spellings.LSTM, signature=signature).verdict == "pass"

    def test_one_that_does_not_run(self):
        with pytest.raises(gradcheck.UsageError, match="does not run with the signature"):
            gradcheck.check(spellings.Columns, signature="(n,i),(i,o),(o)")

    def test_one_of_the_wrong_length(self):
        with pytest.raises(gradcheck.UsageError, match=r"has 1 inputs, but the layer takes a, b, t"):
            gradcheck.check(spellings.Letters, signature="(n,i)")
