"""Primitives of HIPS autograd."""

import numpy as np
import pytest

import gradcheck
import gradcheck.api

extend = pytest.importorskip("autograd.extend")
X = np.random.default_rng(0).standard_normal((4, 3))


def made(function, *makers, **options):
    primitive = extend.primitive(function)
    extend.defvjp(primitive, *makers, **options)
    return primitive


def half_squares(pred, target):
    return 0.5 * ((pred - target) ** 2).sum()


def difference(ans, pred, target):
    return lambda dout: dout * (pred - target)


@pytest.mark.parametrize(
    "primitive",
    [
        made(half_squares, difference, None),
        made(half_squares, difference, argnums=(0,)),
        made(half_squares, difference, lambda ans, pred, target: lambda dout: dout * (target - pred)),
    ],
)
def test_right_primitives_pass(primitive):
    report = gradcheck.check(primitive, inputs=(X, X + 1.0), profile="quick")
    assert (report.verdict, report.findings, report.subjects[0].name) == ("pass", (), "half_squares")


def test_an_argument_without_a_backward_is_told():
    product = made(lambda x, y: x * y, lambda ans, x, y: lambda dout: dout * y, None)
    report = gradcheck.check(product, inputs=(X, X + 1.0), profile="quick")
    assert [(finding.rule, finding.argument) for finding in report.findings] == [("GC102", "y")]


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layers.py").write_text(
        "from autograd.extend import defvjp, primitive\n\n@primitive\ndef scale(x):\n    return 3.0 * x\n\n"
        "defvjp(scale, lambda ans, x: lambda dout: 2.0 * dout)\n"
    )
    (layer,) = gradcheck.api.check_targets(["layers.py"], profile="quick").subjects
    assert (layer.name, layer.verdict, layer.findings[0].location.line) == ("scale", "fail", 5)
