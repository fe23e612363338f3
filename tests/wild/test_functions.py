"""Layers that are functions, found in a file and checked without configuration: right ones, and their wrong twins."""

import textwrap
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gradcheck
from gradcheck.api import check_targets
from gradcheck.cases.profile import PROFILES
from gradcheck.cases.search import Points
from gradcheck.subject.calls import parameters_of
from gradcheck.subject.discover import discover
from gradcheck.subject.world import quiet_world
from gradcheck.tally import Tally

RIGHT = Path(__file__).with_name("functions_right.py")

# Layer: what is written wrongly in it, and the rule that says so.
WRONG = {
    "affine": (
        "db = dout.sum(axis=0)\n    return dx, dw, db",
        "db = dout.mean(axis=0)\n    return dx, dw, db",
        "GC101",
    ),
    "relu": ("dout * (cache > 0)", "dout * cache", "GC101"),
    "tanh": ("dy * (1 - y**2)", "dy * (1 - y)", "GC101"),
    "square": ("2 * delta * x", "delta * x", "GC101"),
    "scale": ("return dout * gamma, np.sum(dout * x, axis=0)", "return dout * gamma, dout * x", "GC103"),
    "linear": ("dW = dZ @ A_prev.T / m", "dW = dZ @ A_prev.T / (m + 1)", "GC101"),
    "elu": ("dA * np.where(Z > 0, 1,", "dA * np.where(Z > 0, 2,", "GC101"),
    "norm": ("- dbeta - hat * dgamma", "- hat * dgamma", "GC101"),
    "max_pool_fast": ("+= dout[k, m, i, j]", "= dout[k, m, i, j]", "GC101"),
    "rnn_step": ("prev_h.T @ dz, dz", "next_h.T @ dz, dz", "GC101"),
    "gate": ("dprev = da @ Wh.T", "dprev = 0 * da", "GC101"),
    "sigmoid": ("return a * (1 - a)", "return a * (1 + a)", "GC101"),
    "softplus": ("    return sigmoid(z)", "    return sigmoid(-z)", "GC101"),
    "swish": ("s + x * s * (1 - s)", "s + x * (1 - s)", "GC101"),
    "leaky_relu": ("np.where(x > 0, 1, alpha)", "np.where(x > 0, 1, -alpha)", "GC101"),
    "arctan": ("1 / (1 + x**2)", "1 / (1 - x**2)", "GC101"),
    "identity": ("lambda x: 1 ", "lambda x: x ", "GC101"),
    "softsign": ("1 / (1 + np.abs(x)) ** 2", "1 / (1 + np.abs(x))", "GC101"),
    "hyperbolic": ("return 1 - x**2", "return 1 + x**2", "GC101"),
    "softmax": ("np.diagflat(s) - s @ s.T", "np.diagflat(s) + s @ s.T", "GC101"),
    "mse": ("2 * (y_pred - y_true)", "2 * (y_true - y_pred)", "GC101"),
    "cross_entropy": ("return -t / y", "return t / y", "GC101"),
    "squared_loss": ("    return y - t", "    return t - y", "GC101"),
    "rosenbrock": ("- 2 * (1 - x[:-1])", "+ 2 * (1 - x[:-1])", "GC101"),
    "softmax_loss": ("return loss, dx / n", "return loss, dx", "GC101"),
    "svm_loss_vectorized": ("2 * reg * W\n", "reg * W\n", "GC101"),
    "quartic": ("grad = x**3", "grad = 4 * x**3", "GC101"),
    "exponential": ("return dy * y", "return dy * x", "GC101"),
    "product": ("(dout * b, dout * a)", "(dout * a, dout * b)", "GC101"),
    "Dense": ("X.T @ dY, dY.sum(axis=0)", "X.T @ dY, 2 * dY.sum(axis=0)", "GC101"),
    "Affinity": ('"gamma": (dout * x).sum', '"gamma": (dout * x**2).sum', "GC101"),
    "Maxout": ("self.d_W = np.stack([X.T @ part", "self.d_W = np.stack([-X.T @ part", "GC101"),
}


@pytest.fixture(autouse=True)
def tiny(monkeypatch):
    """A profile of few cases: what is tested here is how layers are found and read."""
    monkeypatch.setitem(PROFILES, "tiny", replace(PROFILES["quick"], cases=2))


def checked(path):
    return {subject.name: subject for subject in check_targets([str(path)], profile="tiny").subjects}


def errors(layer):
    """Return the codes of what is found at two cases, without the costly search for what explains it."""
    with quiet_world():
        points = Points.of(layer.name, layer.obj)
        tally = Tally(points, PROFILES["tiny"], lambda _, level: level)
        for case in points.sweep(0, PROFILES["tiny"]):
            tally.look(case, 0)
        return {rule for rule, _ in tally.findings}


def test_right_ones_pass():
    found = checked(RIGHT)
    assert {name: (s.verdict, s.reason) for name, s in found.items()} == dict.fromkeys(WRONG, ("pass", None))
    assert {name for name, s in found.items() if s.findings} == {"linear"}
    assert [finding.rule for finding in found["linear"].findings] == ["GC111"]
    conventions = {name: subject.convention for name, subject in found.items()}
    assert conventions["sigmoid"] == "value and derivative, which is given the output"
    assert conventions["softplus"] == "value and derivative, which is given the argument"
    assert conventions["hyperbolic"] == "value and derivative, which is given the output"
    assert conventions["svm_loss_vectorized"] == "value with gradient, with respect to W"
    assert conventions["exponential"] == "closure"
    assert conventions["Dense"] == "closure with parameters"


def test_wrong_twins_fail_by_the_rule_that_says_why(tmp_path):
    text = RIGHT.read_text(encoding="utf-8")
    for old, new, _ in WRONG.values():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path = tmp_path / "wrong.py"
    path.write_text(text, encoding="utf-8")
    found = {layer.name: errors(layer) for layer in discover(str(path))}
    assert found == {name: {rule} for name, (_, _, rule) in WRONG.items()}


NO_LAYERS = """
import numpy as np

def clip(x, low, high): return np.clip(x, low, high)
def grad_clip(grads, limit): return [np.clip(g, -limit, limit) for g in grads]
def clip_grad(x, low, high): return np.clip(x, low, high)
def gradient_descent(f, df, x0): return x0 - df(x0)
def f(x): return x**2
def numerical_gradient(f, x): return (f(x + 1e-5) - f(x - 1e-5)) / 2e-5
def numerical_gradient_f(x): return numerical_gradient(f, x)
def derivative(f, x): return f(x)
def forward_euler(f, y, h): return y + h * f(y)
def backward_euler(f, y, h): return y - h * f(y)
def forward_difference(x, h): return (x + h) / h
def backward_difference(x, h): return (x - h) / h
def plot_loss(history, ax): return history, ax
def forward(x, parameters): return parameters["W"] @ x
def backward(dout, parameters): return dout
def forward_propagation(X, parameters): return parameters["W1"] @ X
def backward_propagation(parameters, cache, X, Y): return {}
def stack(arrays): return np.stack(arrays)
def dstack(arrays): return np.dstack(arrays)
def split(x, parts): return np.split(x, parts)
def dsplit(x, parts): return np.dsplit(x, parts)
def train_step(x, y):
    loss, grad = 1.0, x
    return loss, grad
def sgd(w, dw, config=None):
    return w - dw, config
def batches(x, y):
    dx = x[:4]
    return x, y, dx
def counter():
    n = 0
    def step():
        return n
    return n, step
def schedule(start):
    def at(step): return start / step
    return at
def norm(x): return np.linalg.norm(x)
def grad_norm(grads): return sum(map(norm, grads))
def magnitude(image): return np.abs(image)
def gradient_magnitude(image): return np.abs(np.gradient(image))
def load(path, grad=False):
    return open(path)
def _tanh_forward(x): return np.tanh(x), x
def _tanh_backward(dout, cache): return dout
"""


def test_what_is_no_layer_is_not_listed(tmp_path):
    path = tmp_path / "none.py"
    path.write_text(NO_LAYERS, encoding="utf-8")
    assert discover(str(path)) == []


def only(tmp_path, text):
    path = tmp_path / "one.py"
    path.write_text("import numpy as np\n" + textwrap.dedent(text), encoding="utf-8")
    (subject,) = check_targets([str(path)], profile="quick").subjects
    return subject


def test_a_network_with_a_dictionary_of_parameters_is_unchecked(tmp_path):
    network = """
        def two_layer_forward(X, parameters):
            return parameters["W1"] @ X, X

        def two_layer_backward(dA, cache):
            return {"dW1": dA @ cache.T}
        """
    subject = only(tmp_path, network)
    called = "two_layer_forward(X, parameters)"
    assert subject.verdict == "unchecked"
    assert subject.reason == f"{called} takes arrays in a dictionary, parameters, whose keys and shapes are not known"
    assert "gradcheck.check((lambda x, W, b:" in subject.fix


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def half_square(x):
    return 0.5 * x**2


X = np.array([[0.3, -1.2, 0.7], [1.5, 0.2, -0.4]])
V = np.array([0.3, -1.2, 0.7])


@pytest.mark.parametrize(
    ("layer", "verdict", "convention"),
    [
        ((half_square, lambda x: x), "pass", "argument"),
        ((half_square, lambda x: 2 * x), "fail", "argument"),
        ((sigmoid, lambda out: out * (1 - out)), "pass", "output"),
        ((sigmoid, lambda x: x * (1 - x)), "pass", "output"),
        ((sigmoid, lambda x: sigmoid(x) * (1 - sigmoid(x))), "pass", "argument"),
        ((sigmoid, lambda x: sigmoid(x) * (1 + sigmoid(x))), "fail", "argument"),
        ((lambda x: 3 * x, lambda x: 3 * x), "pass", "pair"),  # a linear function: x is the cotangent
        ((lambda a, t: np.sum((a - t) ** 2), lambda a, t: 2 * (a - t)), "pass", "with respect to a"),
        ((lambda a, t: np.sum((a - t) ** 2), lambda a, t: 2 * (t - a)), "fail", "with respect to a"),
    ],
)
def test_couples_given_by_hand(layer, verdict, convention):
    inputs = (X,) if len(parameters_of(layer[0])) == 1 else (X, 0.5 * X)
    (subject,) = gradcheck.check(layer, inputs=inputs).subjects
    assert (subject.verdict, convention in subject.convention) == (verdict, True), subject


def softmax(x):
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_derivative(x):
    s = softmax(x)
    return s * (1 - s)


def softmax_jacobian(x):
    s = softmax(x)
    return np.diagflat(s) - np.outer(s, s)


def test_the_diagonal_of_a_jacobian_is_called_so():
    (subject,) = gradcheck.check((softmax, softmax_derivative), profile="tiny").subjects
    assert subject.verdict == "fail"
    (finding,) = subject.findings
    assert any("the diagonal of the Jacobian" in line for line in finding.diagnosis)


def test_a_jacobian_is_of_one_vector():
    assert gradcheck.check((softmax, softmax_jacobian), inputs=(V,)).verdict == "pass"
    (subject,) = gradcheck.check((softmax, softmax_jacobian), inputs=(X,)).subjects
    assert subject.verdict == "unchecked"
    assert subject.reason == (
        "the derivative of softmax is a matrix, the Jacobian at one vector, but x has 2 dimensions"
    )


def quartic(x):
    return np.sum(x**4), 4 * x**3


def wrong_quartic(x):
    return np.sum(x**4), x**3


def outputs_and_cache(x):
    cache = x
    return 2 * x, cache


def test_a_value_with_its_gradient_needs_no_names_where_it_is_asked_for():
    assert gradcheck.check(quartic, inputs=(V,)).verdict == "pass"
    assert gradcheck.check(wrong_quartic, inputs=(V,)).verdict == "fail"
    with pytest.raises(gradcheck.UsageError, match="expected \\(output, pullback\\)"):
        gradcheck.check(outputs_and_cache, inputs=(V,))


def cost(X, y, w, b):
    return np.sum((X @ w + b - y) ** 2) / (2 * len(X))


def cost_gradient(X, y, w, b):
    error = X @ w + b - y
    dj_dw = X.T @ error / len(X)
    dj_db = error.sum() / len(X)
    return dj_db, dj_dw


def test_gradients_are_bound_by_the_names_that_they_are_returned_under():
    given = (X, np.array([0.5, -0.2]), V, 0.3)
    assert gradcheck.check((cost, cost_gradient), inputs=given).verdict == "pass"
    wrong = (cost, lambda X, y, w, b: {"w": cost_gradient(X, y, w, b)[1], "b": 2 * cost_gradient(X, y, w, b)[0]})
    assert gradcheck.check(wrong, inputs=given).verdict == "unchecked"  # one thing is returned: for what?
    named = {"w": 1.0, "b": 2.0}

    def scaled_gradient(X, y, w, b):
        db, dw = cost_gradient(X, y, w, b)
        dw, db = named["w"] * dw, named["b"] * db
        return dw, db

    assert gradcheck.check((cost, scaled_gradient), inputs=given).verdict == "fail"


def dense(W, scale=1.0):
    def forward(x):
        def backprop(dy):
            return dy @ W.T, scale * (x.T @ dy)

        return x @ W, backprop

    return forward


def test_a_closure_that_is_at_hand_is_checked_with_what_it_closed_over_and_left_as_it_is():
    W = np.arange(6.0).reshape(3, 2)
    assert gradcheck.check(dense(W), inputs=(X,)).verdict == "pass"
    assert gradcheck.check(dense(W, 2.0), inputs=(X,)).verdict == "fail"
    assert np.array_equal(W, np.arange(6.0).reshape(3, 2))


def test_a_function_whose_import_failed_is_unchecked(tmp_path):
    layer = """
        try:
            from no_such_extension import fast_rows
        except ImportError:
            pass

        def rows_forward(x):
            return x * 2.0, x

        def rows_backward(dout, cache):
            return fast_rows(dout)
        """
    subject = only(tmp_path, layer)
    assert subject.verdict == "unchecked"
    assert "needs" in subject.reason
    assert "fast_rows" in subject.reason


MEAN_OF_LOSSES = """
    def crossentropy(logits, answers):
        chosen = logits[np.arange(len(logits)), answers]
        return np.log(np.exp(logits).sum(axis=1)) - chosen

    def grad_crossentropy(logits, answers):
        right = np.zeros_like(logits)
        right[np.arange(len(logits)), answers] = 1
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        return (p - right) / {}
    """


def test_the_gradient_of_the_mean_of_losses_is_named_and_not_failed(tmp_path):
    subject = only(tmp_path, MEAN_OF_LOSSES.format("len(logits)"))
    assert (subject.verdict, [finding.rule for finding in subject.findings]) == ("pass", ["GC113"])
    subject = only(tmp_path, MEAN_OF_LOSSES.format("(len(logits) + 1)"))
    assert (subject.verdict, [finding.rule for finding in subject.findings]) == ("fail", ["GC101"])
