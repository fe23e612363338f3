"""Each rule: a layer that breaks it, and the near miss that does not."""

import numpy as np
import pytest

import gradcheck

rng = np.random.default_rng(1)
X, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))


def levels(subject, *inputs, **settings):
    """Return the verdict, and each broken rule with its level."""
    report = gradcheck.check(subject, inputs=inputs or (X,), settings=settings or None)
    return report.verdict, {(finding.rule, finding.level) for finding in report.findings}


def pair(backward):
    return np.square, backward


class Dense:
    def __init__(self, W):
        self.W, self.dW = W, np.zeros_like(W)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Cached:
    """y = exp(x), with its own output as the cache."""

    def forward(self, x):
        self.out = np.exp(x)
        return self.out.copy()

    def backward(self, dout):
        return dout * self.out


def dense(**methods):
    return type("Dense", (Dense,), methods)


def cached(**methods):
    return type("Cached", (Cached,), methods)


def updates(self, dout):
    dx = dout @ self.W.T
    self.dW = self.x.T @ dout
    self.W -= 0.1 * self.dW
    return dx


def spoils_cache(self, dout):
    self.out *= dout
    return self.out


def drops_cache(self, dout):
    out, self.out = self.out, None
    return dout * out


def accumulates(self, dout):
    self.dW += self.x.T @ dout
    return dout @ self.W.T


def forward_in_place(self, x):
    x[x < 0] = 0.0
    self.out = np.exp(x)
    return self.out.copy()


def forward_on_copy(self, x):
    self.out = np.exp(np.array(x))
    return self.out.copy()


def doubles(dout, x):
    dout *= 2.0
    return dout * x


def spoils_input(dout, x):
    g = 2.0 * dout * x
    x *= 0.0
    return g


def needs_rows(dout, x):
    raise ValueError("not these rows")


BROKEN = [
    ("GC101", pair(lambda dout, x: dout * x)),
    ("GC101", pair(lambda dout, x: 2.0 * dout * x * (1 + 1e-6 * (x == x.max())))),
    ("GC102", pair(lambda dout, x: None)),
    ("GC102", (lambda x, w: x * w, lambda dout, x, w: (dout * w, None))),
    ("GC103", pair(lambda dout, x: (2.0 * dout * x).sum(0))),
    ("GC103", pair(lambda dout, x: (2.0 * dout * x)[..., None])),
    ("GC103", pair(lambda dout, x: 0)),
    ("GC104", pair(lambda dout, x: np.where(x == x.max(), np.nan, 2.0 * dout * x))),
    ("GC105", (lambda x, w: x * w, lambda dout, x, w: dout * w)),
    ("GC201", pair(doubles)),
    ("GC202", pair(spoils_input)),
    ("GC203", cached(forward=forward_in_place)),
    ("GC301", cached(backward=spoils_cache)),
    ("GC401", pair(lambda dout, x: 2.0 * x)),
    ("GC401", pair(lambda dout, x: 2.0 * dout**2 * x)),
    ("GC401", pair(lambda dout, x: np.clip(2.0 * dout * x, -5.0, 5.0))),
    ("GC602", pair(needs_rows)),
]
BROKEN_DENSE = [("GC202", dense(backward=updates))]

NEAR_MISSES = {
    "GC101": pair(lambda dout, x: 2.0 * (dout * x) * (1 + 1e-15)),
    "GC102": (lambda x, w: x * w.sum(), lambda dout, x, w: (dout * w.sum(), np.full(w.shape, (dout * x).sum()))),
    "GC103": pair(lambda dout, x: (2.0 * dout * x).tolist()),
    "GC104": pair(lambda dout, x: 2.0 * dout * x + np.where(x > 1e9, np.nan, 0.0)),
    "GC105": pair(lambda dout, x: [2.0 * dout * x]),
    "GC201": pair(lambda dout, x: doubles(dout.copy(), x)),
    "GC202": pair(lambda dout, x: spoils_input(dout, x.copy())),
    "GC203": cached(forward=forward_on_copy),
    "GC301": cached(backward=drops_cache),
    "GC401": pair(lambda dout, x: (dout / 3.0 * x + dout * x / 6.0) * 4.0),  # linear, but for its rounding
    "GC602": pair(lambda dout, x: needs_rows(dout, x) if len(x) != 4 else 2.0 * dout * x),
}


@pytest.mark.parametrize(("rule", "subject"), BROKEN, ids=[f"{rule}-{k}" for k, (rule, _) in enumerate(BROKEN)])
def test_a_broken_rule_is_named(rule, subject):
    inputs = (X, X + 1.0) if isinstance(subject, tuple) and subject[0] is not np.square else (X,)
    verdict, found = levels(subject, *inputs)
    assert verdict == "fail"
    assert (rule, "error") in found


@pytest.mark.parametrize(("rule", "layer"), BROKEN_DENSE)
def test_a_broken_rule_of_a_parameter_is_named(rule, layer):
    assert (rule, "error") in levels(layer, X, W=W)[1]


@pytest.mark.parametrize("rule", NEAR_MISSES)
def test_the_near_miss_passes_without_a_word(rule):
    subject = NEAR_MISSES[rule]
    inputs = (X, X + 1.0) if rule == "GC102" else (X,)
    assert levels(subject, *inputs) == ("pass", set())


def test_adding_up_gradients_is_a_design():
    assert levels(dense(backward=accumulates), X, W=W) == ("pass", set())


def test_a_coarser_dtype_is_a_warning_only():
    assert levels(pair(lambda dout, x: np.float32(2.0 * dout * x))) == ("pass", {("GC106", "warning")})
    assert levels(pair(lambda dout, x: 2.0 * dout * x)) == ("pass", set())


def test_values_beyond_what_is_owed_are_a_warning_only():
    extra = levels(pair(lambda dout, x: (2.0 * dout * x, np.zeros(7))))
    assert extra == ("pass", {("GC105", "warning")})


def test_either_side_of_a_kink_is_right_and_beyond_is_not():
    kink = np.array([0.0, -1.0, 1.0, 2.0])

    def relu(slope):
        return lambda x: np.maximum(x, 0.0), lambda dout, x: dout * np.where(x == 0.0, slope, x > 0.0)

    assert [levels(relu(slope), kink)[0] for slope in (0.0, 0.5, 1.0)] == ["pass"] * 3
    assert levels((relu(0)[0], lambda dout, x: dout * (x < 0.0)), kink)[0] == "fail"


@pytest.mark.parametrize("size", [1e-3, 1e-5, 1e-7])
@pytest.mark.parametrize("all_of_it", [False, True], ids=["one element", "all elements"])
def test_small_relative_errors_are_seen(size, all_of_it):
    def backward(dout, x):
        g = np.cos(x) * dout
        return g * (1.0 + size * (all_of_it | (np.abs(g) == np.abs(g).max(initial=0.0))))

    assert levels((np.sin, backward)) == ("fail", {("GC101", "error")})
