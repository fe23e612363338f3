"""PyTorch's own spellings: what is passed through, what is refused, and what is put back."""

import numpy as np
import pytest

import gradcheck
import gradcheck.api

torch = pytest.importorskip("torch")
X = np.random.default_rng(0).standard_normal((4, 3))


def check(subject, *inputs, **options):
    return gradcheck.check(subject, inputs=inputs or (X,), profile="quick", **options)


def errors(report):
    return [finding.rule for finding in report.findings if finding.level == "error"]


class Square(torch.autograd.Function):
    k = 2.0

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @classmethod
    def backward(cls, ctx, dout):
        (x,) = ctx.saved_tensors
        return cls.k * x * dout


class InPlace(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        x.clamp_(min=0)
        ctx.mark_dirty(x)
        ctx.save_for_backward(x)
        return x

    @staticmethod
    def backward(ctx, dout):
        return dout * (ctx.saved_tensors[0] > 0)


class SetUpApart(torch.autograd.Function):
    """Forward without a context, and options, for which backward gives None."""

    @staticmethod
    def forward(x, n, mode="pow"):
        return x**n if mode == "pow" else 2.0 * x

    @staticmethod
    def setup_context(ctx, inputs, output):
        x, ctx.n, ctx.mode = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx, dout):
        (x,) = ctx.saved_tensors
        return ctx.n * x ** (ctx.n - 1) * dout if ctx.mode == "pow" else 2.0 * dout, None, None


class Largest(torch.autograd.Function):
    """Two outputs, of which one has no gradient."""

    @staticmethod
    def forward(ctx, x):
        y, k = x.max(-1)
        ctx.mark_non_differentiable(k)
        ctx.save_for_backward(k)
        ctx.shape = x.shape
        return y, k

    @staticmethod
    def backward(ctx, dy, dk):
        dx = torch.zeros(ctx.shape, dtype=dy.dtype)
        return dx.scatter_(-1, ctx.saved_tensors[0][:, None], dy[:, None])


class Single(torch.autograd.Function):
    """Its constants are float32, so that it takes nothing else."""

    @staticmethod
    def forward(ctx, x):
        return x @ torch.eye(3)

    @staticmethod
    def backward(ctx, dout):
        return dout @ torch.eye(3)


class Dropout(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.mask = torch.rand(x.shape) < 0.5
        return x * ctx.mask

    @staticmethod
    def backward(ctx, dout):
        return dout * ctx.mask


class CrossEntropy(torch.autograd.Function):
    """One number, of classes that have no gradient."""

    @staticmethod
    def forward(ctx, logits, target):
        p = torch.softmax(logits, -1)
        ctx.save_for_backward(p, target)
        return -torch.log(p[torch.arange(len(p)), target]).mean()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout):
        p, target = ctx.saved_tensors
        return dout * (p - torch.nn.functional.one_hot(target, p.shape[1])) / len(p), None


class ShiftFlat(torch.autograd.Function):
    """Right, but its backward wants dout in one piece."""

    @staticmethod
    def forward(ctx, x):
        return x + 1.0

    @staticmethod
    def backward(ctx, dout):
        return dout.view(-1).view(dout.shape)


@pytest.mark.parametrize(
    ("function", "inputs"),
    [
        *((Square, (X,)), (Square, (X.astype(np.float32),)), (Square, (torch.from_numpy(X),)), (InPlace, (X,))),
        *((SetUpApart, (X, 3)), (SetUpApart, (X, 3, "double")), (Largest, (X,)), (Single, (X,)), (Dropout, (X,))),
        (CrossEntropy, (X, np.array([0, 2, 1, 2]))),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_right_functions_pass(function, inputs):
    report = check(function, *inputs)
    assert report.verdict == "pass"
    assert report.findings == ()


def test_a_wrong_one_fails_and_the_line_is_named():
    report = check(type("Wrong", (Square,), {"k": 1.99}))
    assert errors(report) == ["GC101"]
    assert report.findings[0].location.text == "return cls.k * x * dout"
    assert report.subjects[0].convention == "torch"


def test_none_is_no_gradient():
    class Forgets(Square):
        @staticmethod
        def backward(ctx, dout):
            return None

    assert errors(check(Forgets)) == ["GC102"]


def test_none_for_what_may_be_an_option_is_a_warning():
    class Scaled(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, scale_by, y):
            ctx.save_for_backward(scale_by)
            return x * scale_by + y

        @staticmethod
        def backward(ctx, dout):
            return dout * ctx.saved_tensors[0], None, None

    levels = {finding.argument: finding.level for finding in check(Scaled, X, X + 1.0, X).findings}
    assert levels == {"scale_by": "warning", "y": "error"}


def test_layouts_are_handed_on():
    assert errors(check(ShiftFlat)) == ["GC501"]


@pytest.mark.parametrize(("function", "signature"), [(Square, "(n,i)->(n,i)"), (CrossEntropy, "(n,i),(n)->()")])
def test_shapes_are_found(function, signature):
    report = gradcheck.check(function, profile="quick")
    assert (report.verdict, report.subjects[0].signature) == ("pass", signature)


class Scale(torch.nn.Module):
    def __init__(self, features):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.randn(features))
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1
        return Square.apply(x) * self.weight + self.calls


def test_a_module_is_left_as_it_was():
    module = Scale(3)
    weight, dtype = module.weight.detach().clone(), module.weight.dtype
    assert check(module).verdict == "pass"
    assert torch.equal(module.weight, weight)
    assert (module.weight.dtype, float(module.calls), module.weight.grad) == (dtype, 0.0, None)


def test_parameters_are_arguments():
    report = gradcheck.check(Scale, settings={"features": 3}, inputs=(X,), profile="quick")
    assert report.subjects[0].resolution.keys() == {"x", "weight"}


def test_functions_of_tensors():
    right = lambda x, y: Square.apply(x) + y.sum()  # noqa: E731
    tensors = torch.from_numpy(X), torch.ones(2)
    assert check(right, *tensors).verdict == "pass"
    wrong = type("Wrong", (Square,), {"k": 1.99})
    assert errors(check(lambda x: 2.0 * wrong.apply(x), tensors[0])) == ["GC101"]


def test_what_has_no_backward_of_its_own_is_unchecked():
    for subject in (torch.nn.Linear(3, 2), torch.nn.ReLU):
        report = check(subject)
        assert report.verdict == "unchecked"
        assert "torch differentiates all of it" in report.subjects[0].reason


def test_a_backward_that_torch_never_calls_is_no_pass():
    class Layer(torch.nn.Module):
        def forward(self, x):
            self.x = x
            return x * x

        def backward(self, dout):
            return dout

    report = check(Layer)
    assert (report.verdict, report.subjects[0].reason) == (
        "unchecked",
        "Layer is a torch.nn.Module with a backward, which torch never calls",
    )


def test_what_is_cut_off_is_unchecked():
    report = check(lambda x: Square.apply(x).detach(), torch.ones(2))
    assert "torch knows no way back from" in report.subjects[0].reason


def test_torch_is_left_as_it_was():
    before = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    check(Dropout)
    after = torch.get_rng_state(), torch.get_num_threads(), torch.get_default_dtype()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


FILE = """\
import torch
from torch import nn

class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, dout):
        return 2 * ctx.saved_tensors[0]**2 * dout

class Uses(nn.Module):
    def forward(self, x):
        return Cube.apply(x)

class Net(nn.Module):
    def forward(self, x):
        return x
"""


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layers.py").write_text(FILE)
    report = gradcheck.api.check_targets(["layers.py"], profile="quick")
    assert [(s.name, s.verdict) for s in report.subjects] == [("Cube", "fail"), ("Uses", "fail")]
    assert report.findings[0].formula == "3 * dout * x**2"
    (named,) = gradcheck.api.check_targets(["layers.py::Net"], profile="quick").subjects
    assert (named.verdict, named.reason) == (
        "unchecked",
        "Net has no backward that is written by hand: torch differentiates all of it",
    )
