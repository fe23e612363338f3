"""Layer classes in the spellings of the wild: found from a path, checked, judged rightly, without configuration."""

import pathlib

import pytest

from gradcheck.api import check_targets
from gradcheck.subject.discover import discover

HERE = pathlib.Path(__file__).parent
RIGHT, WRONG = HERE / "classes_right.py", HERE / "classes_wrong.py"

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


@pytest.mark.parametrize("name", RULES)
def test_a_right_layer_passes(name):
    (subject,) = check_targets([f"{RIGHT}::{name}"], profile="quick").subjects
    assert subject.verdict == "pass", (subject.reason, subject.findings)
    assert {finding.rule for finding in subject.findings} <= {"GC113"}
    assert subject.convention == RULES[name][2]
    assert max(subject.resolution.values()) < 1e-5


@pytest.mark.parametrize("name", RULES)
def test_its_wrong_twin_fails_with_the_rule(name):
    (subject,) = check_targets([f"{WRONG}::{name}"], profile="quick").subjects
    rule, argument, convention = RULES[name]
    assert subject.verdict == "fail"
    assert (rule, argument) in {(f.rule, f.argument) for f in subject.findings if f.level == "error"}, subject.findings
    assert subject.convention == convention


def test_all_of_them_are_found():
    names = {found.name for found in discover(str(RIGHT))}
    assert names == {*RULES, "HandsOn"}
