"""Functions with a context, on NumPy arrays."""

import numpy as np
import pytest

import gradcheck
from gradcheck.subject.conventions import convention_of, ctx, objects

X = np.random.default_rng(0).standard_normal((4, 3))


def check(subject, *inputs, **options):
    return gradcheck.check(subject, inputs=inputs or (X,), profile="quick", **options)


class Square:
    k = 2.0

    @classmethod
    def forward(cls, ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @classmethod
    def backward(cls, ctx, dout):
        (x,) = ctx.saved_tensors
        return cls.k * x * dout


class SavesOtherwise:
    @staticmethod
    def forward(context, x):
        context.twice = 2.0 * x
        context.set_materialize_grads(False)
        return x * x

    @staticmethod
    def backward(context, dout):
        assert context.needs_input_grad == (True,)
        return (context.twice * dout,)


class NoSelf:
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    def backward(ctx, dout):
        return 2.0 * ctx.saved_values[0] * dout


class Scale:
    """An object of its own, beside the context."""

    def __init__(self, by):
        self.by = by

    def forward(self, ctx, x):
        return self.by * x

    def backward(self, ctx, dout):
        return self.by * dout


class Largest:
    """Two outputs, of which one has no derivative."""

    @staticmethod
    def forward(ctx, x):
        k = x.argmax(-1)[:, None]
        ctx.mark_non_differentiable(k)
        ctx.save_for_backward(k, x.shape)
        return np.take_along_axis(x, k, -1), k

    @staticmethod
    def backward(ctx, dy, dk):
        k, shape = ctx.saved_arrays
        dx = np.zeros(shape)
        np.put_along_axis(dx, k, dy, -1)
        return dx


class Leaky:
    """An option that is a number, one that is none, and whole numbers: None for each."""

    @staticmethod
    def forward(ctx, x, alpha=0.1, how="leaky", rows=None):
        ctx.slope = np.where(x > 0, 1.0, alpha)
        return ctx.slope * (x if rows is None else x[rows])

    @staticmethod
    def backward(ctx, dout):
        return ctx.slope * dout, None, None, None


@pytest.mark.parametrize(
    ("subject", "inputs", "settings"),
    [
        *((Square, (X,), None), (Square(), (X,), None), (SavesOtherwise, (X,), None), (NoSelf, (X,), None)),
        *((Scale, (X,), {"by": 3.0}), (Scale(3.0), (X,), None), (Largest, (X,), None)),
        *((Leaky, (X,), None), (Leaky, (X, 0.2, "leaky"), None), (Leaky, (X, 0.2, "leaky", np.arange(4)), None)),
        (Leaky, (X,), {"alpha": 0.3}),
    ],
)
def test_right_ones_pass(subject, inputs, settings):
    report = check(subject, *inputs, settings=settings)
    assert (report.verdict, report.findings) == ("pass", ())
    assert report.subjects[0].convention == "functions with ctx"


def test_wrong_ones_fail():
    wrong = type("Wrong", (Square,), {"k": 1.99})
    assert [finding.rule for finding in check(wrong).findings] == ["GC101"]


def test_a_gradient_that_is_owed_may_not_be_none():
    class Product:
        @staticmethod
        def forward(ctx, x, y, mask):
            ctx.save_for_backward(y, mask)
            return x * y * mask

        @staticmethod
        def backward(ctx, dout):
            y, mask = ctx.saved_tensors
            return dout * y * mask, None, None

    levels = {finding.argument: finding.level for finding in check(Product, X, X + 1.0, 1.0 * (X > 0)).findings}
    assert levels == {"y": "error", "mask": "warning"}


def test_one_context_is_not_that_of_another_run():
    class Shared(Square):
        @classmethod
        def forward(cls, ctx, x):
            cls.last = x
            return x * x

        @classmethod
        def backward(cls, ctx, dout):
            return 2.0 * cls.last * dout

    assert [finding.rule for finding in check(Shared).findings] == ["GC306"]


def test_an_object_is_left_as_it_was():
    class Counts(Scale):
        def forward(self, ctx, x):
            self.by = self.by + 1.0
            return super().forward(ctx, x)

    layer = Counts(1.0)
    assert check(layer).verdict in ("pass", "fail")
    assert layer.by == 1.0


def test_shapes_are_found():
    report = gradcheck.check(Square, profile="quick")
    assert (report.verdict, report.subjects[0].signature) == ("pass", "(n,i)->(n,i)")


def test_layer_objects_are_no_such_functions():
    class Layer:
        def forward(self, x):
            return x

        def backward(self, dout):
            return dout

    class OnlyForward(Layer):
        def forward(self, ctx, x):
            return x

    assert convention_of(Square, {}) is ctx
    assert convention_of(Layer, {}) is convention_of(OnlyForward, {}) is objects


def test_settings_that_forward_does_not_take():
    with pytest.raises(gradcheck.UsageError, match="settings do not fit"):
        check(Square, settings={"beta": 1.0})
