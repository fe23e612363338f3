"""`jax.custom_vjp`: what is passed through, what is refused, and what is put back."""

from functools import partial

import numpy as np
import pytest

import gradcheck
import gradcheck.api
import gradcheck.subject.discover

jax = pytest.importorskip("jax")
X = np.random.default_rng(0).standard_normal((4, 3))


def check(subject, *inputs):
    return gradcheck.check(subject, inputs=inputs or (X,), profile="quick")


@jax.custom_vjp
def squares(pred, target):
    return ((pred - target) ** 2).mean()


squares.defvjp(
    lambda pred, target: (squares(pred, target), pred - target),
    lambda difference, dout: (2 * dout * difference / difference.size, None),
)


@partial(jax.custom_vjp, nondiff_argnums=(1,))
def leaky(x, alpha):
    return jax.numpy.where(x > 0, x, alpha * x)


leaky.defvjp(lambda x, alpha: (leaky(x, alpha), x), lambda alpha, x, dout: (jax.numpy.where(x > 0, 1, alpha) * dout,))


@jax.custom_vjp
def cube(x):
    return x**3


def cube_bwd(x, dout):
    return (2 * x**2 * dout,)


cube.defvjp(lambda x: (x**3, x), cube_bwd)


@pytest.mark.parametrize(
    ("function", "inputs"), [(squares, (X, X + 1.0)), (leaky, (X, 0.1)), (leaky, (X, np.array(0.1)))]
)
def test_right_functions_pass(function, inputs):
    report = check(function, *inputs)
    assert report.verdict == "pass"
    assert report.findings == ()


def test_a_wrong_one_fails_and_its_backward_is_named():
    report = check(cube)
    assert [finding.rule for finding in report.findings] == ["GC101"]
    assert report.findings[0].location.text == "return (2 * x**2 * dout,)"
    assert report.subjects[0].name == "cube"


def test_functions_that_call_one():
    assert check(lambda x: cube(x).sum(0), jax.numpy.asarray(X)).verdict == "fail"
    assert check(jax.jit(cube)).verdict == "fail"


def test_none_is_no_gradient():
    @jax.custom_vjp
    def forgets(x):
        return 2.0 * x

    forgets.defvjp(lambda x: (2.0 * x, None), lambda _, dout: (None,))
    assert [finding.rule for finding in check(forgets).findings] == ["GC102"]


def test_one_without_a_backward_is_unchecked():
    @jax.custom_vjp
    def bare(x):
        return x

    report = check(bare)
    assert (report.verdict, report.subjects[0].reason) == ("unchecked", "bare is a jax.custom_vjp without a backward")


def test_double_precision_is_off_again():
    check(leaky, X, 0.1)
    assert jax.numpy.ones(1).dtype == np.float32


def test_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layers.py").write_text(
        "import jax\n\n@jax.custom_vjp\ndef scale(x):\n    return 3.0 * x\n\n"
        "def scale_fwd(x):\n    return 3.0 * x, None\n\ndef scale_bwd(res, dout):\n    return (2.0 * dout,)\n\n"
        "scale.defvjp(scale_fwd, scale_bwd)\n"
    )
    found = gradcheck.subject.discover.discover("layers.py")
    assert [(layer.name, layer.location.line, layer.reason) for layer in found] == [("scale", 4, None)]
    (named,) = gradcheck.subject.discover.discover("layers.py::scale")
    assert named.obj is not None
