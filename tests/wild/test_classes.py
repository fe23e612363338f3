"""Layer classes in the spellings of the wild: found from a path, checked, judged rightly, without configuration."""

import pathlib

import pytest

from gradcheck.api import check_targets
from gradcheck.subject.discover import discover
from tests.wild.twins import with_defects

HERE = pathlib.Path(__file__).parent
RIGHT = HERE / "classes_right.py"

# What the defect of each wrong twin breaks, for which argument, and how the layer is read.
RULES = {
    "LinearFprop": ("GC101", "x", "layer object"),
    "TanhPass": ("GC101", "z", "layer object"),
    "SoftplusProp": ("GC101", "x", "layer object"),
    "ScaleCalled": ("GC101", "gamma", "layer object"),
    "SigmoidGradient": ("GC101", "x", "value and derivative, which is given the argument"),
    "TanhDerivative": ("GC101", "z", "value and derivative, which is given the argument"),
    "TanhOfOutput": ("GC101", "x", "value and derivative, which is given the output"),
    "SigmoidPrime": ("GC101", "z", "value and derivative, which is given the argument"),
    "SwishStateless": ("GC101", "x", "value and derivative, which is given the argument"),
    "SquareLoss": ("GC101", "y_pred", "value and derivative, which is given the argument"),
    "MeanSquare": ("GC101", "y_pred", "value and derivative, which is given the argument"),
    "SquareCost": ("GC101", "a", "value and derivative, which is given the argument"),
    "SquareThrough": ("GC101", "y_pred", "value and derivative, which is given the argument"),
    "DenseLeft": ("GC103", "biases", "layer object"),
    "ReluLeft": ("GC201", "dout", "layer object"),
    "SoftmaxLeft": ("GC101", "inputs", "layer object"),
    "SquareAgain": ("GC101", "y_pred", "value and derivative, which is given the argument"),
    "AbsoluteAgain": ("GC101", "y_pred", "value and derivative, which is given the argument"),
    "SquareKept": ("GC101", "y_pred", "layer object"),
    "SquareHandedOn": ("GC101", "x0", "value and derivative, which is given the argument"),
    "DenseTable": ("GC101", "W", "layer object"),
    "DenseStep": ("GC101", "x", "layer object"),
    "DenseOptimized": ("GC101", "W", "layer object"),
    "TwoLayerModel": ("GC101", "W1", "model and the gradients of its parameters"),
}


# The defect of each wrong twin.
DEFECTS = {
    "LinearFprop": ("return dy @ self.W.T", "return 2 * dy @ self.W.T"),
    "TanhPass": ("return grad * (1 - self.a**2)", "return grad * (1 - self.a)"),
    "SoftplusProp": ("return err / (1 + np.exp(-self.x))", "return err / (1 + np.exp(self.x))"),
    "ScaleCalled": ("self.dgamma = (dout * self.x).sum(axis=0)", "self.dgamma = dout.sum(axis=0)"),
    "SigmoidGradient": ("return p * (1 - p)", "return p * (1 + p)"),
    "TanhDerivative": ("return 1 - np.tanh(z) ** 2", "return 1 - np.tanh(z)"),
    "TanhOfOutput": ("return 1 - a**2", "return 1 + a**2"),
    "SigmoidPrime": ("return s * (1 - s)", "return -s * (1 - s)"),
    "SwishStateless": ("return s + x * s * (1 - s)", "return s + s * (1 - s)"),
    "SquareLoss": ("return -(y - y_pred)", "return y - y_pred"),
    "MeanSquare": ("return 2 * (y_pred - y_true) / y_pred.size", "return 2 * (y_pred + y_true) / y_pred.size"),
    "SquareCost": ("return a - t", "return (a - t) * a"),
    "SquareThrough": ("return (y_pred - y) * act_fn.grad(z)", "return 2 * (y_pred - y) * act_fn.grad(z)"),
    "DenseLeft": (
        "self.dbiases = np.sum(dvalues, axis=0, keepdims=True)",
        "self.dbiases = np.sum(dvalues, axis=1, keepdims=True)",
    ),
    "ReluLeft": ("self.dinputs = dvalues.copy()", "self.dinputs = dvalues"),
    "SoftmaxLeft": (
        "self.dinputs[k] = np.dot(np.diagflat(y) - np.dot(y, y.T), g)",
        "self.dinputs[k] = np.dot(np.diagflat(y), g)",
    ),
    "SquareAgain": (
        "self.dinputs = -2 * (y_true - dvalues) / len(dvalues[0]) / len(dvalues)",
        "self.dinputs = -2 * y_true / len(dvalues[0]) / len(dvalues)",
    ),
    "AbsoluteAgain": ("return np.sign(y_pred - y_true)", "return np.sign(y_true - y_pred)"),
    "SquareKept": (
        "self.dinputs = 2 * (self.y_pred - self.y_true) / self.y_pred.size",
        "self.dinputs = (self.y_pred - self.y_true) / self.y_pred.size",
    ),
    "SquareHandedOn": ("return x - y", "return y - x"),
    "DenseTable": ('gradients["W"] = x.T @ upstream', 'gradients["W"] = 2 * x.T @ upstream'),
    "DenseStep": ("return dx", "return dout @ self.W.T"),
    "DenseOptimized": (
        "self.W = optimizer.update(self.W, self.x.T @ accum_grad)",
        "self.W = optimizer.update(self.W, 2 * self.x.T @ accum_grad)",
    ),
    "TwoLayerModel": ('dh = (d @ self.params["W2"].T) * (1 - h**2)', 'dh = (d @ self.params["W2"].T) * (1 - h)'),
}


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    path = tmp_path_factory.mktemp("wild") / "classes_wrong.py"
    path.write_text(with_defects(RIGHT.read_text(encoding="utf-8"), DEFECTS), encoding="utf-8")
    return path


@pytest.mark.parametrize("name", RULES)
def test_a_right_layer_passes(name):
    (subject,) = check_targets([f"{RIGHT}::{name}"], profile="quick").subjects
    assert subject.verdict == "pass", (subject.reason, subject.findings)
    assert {finding.rule for finding in subject.findings} <= {"GC113"}
    assert subject.convention == RULES[name][2]
    assert max(subject.resolution.values()) < 1e-5


@pytest.mark.parametrize("name", RULES)
def test_its_wrong_twin_fails_with_the_rule(wrong, name):
    (subject,) = check_targets([f"{wrong}::{name}"], profile="quick").subjects
    rule, argument, convention = RULES[name]
    assert subject.verdict == "fail"
    assert (rule, argument) in {(f.rule, f.argument) for f in subject.findings if f.level == "error"}, subject.findings
    assert subject.convention == convention


def test_all_of_them_are_found():
    names = {found.name for found in discover(str(RIGHT))}
    assert names == {*RULES, "HandsOn"}


def test_each_has_a_twin():
    assert DEFECTS.keys() == RULES.keys()
