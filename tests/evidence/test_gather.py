"""The evidence of one case: what is run, what it costs, and what is written down."""

import numpy as np
import pytest

from gradcheck.evidence.gather import gather
from gradcheck.evidence.record import GROUPS
from gradcheck.subject.conventions import convention_of
from gradcheck.subject.world import quiet_world

rng = np.random.default_rng(3)
X, W = rng.standard_normal((4, 3)), rng.standard_normal((3, 2))


class Linear:
    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


def linear(**methods):
    return type("Linear", (Linear,), methods)


def evidence_of(layer, *inputs, settings=None, **options):
    convention = convention_of(layer, settings or {})
    names = [p.name for p in convention.interface(layer, settings or {})[1]]
    with quiet_world():
        subject = convention.bind(layer, settings or {}, dict(zip(names, inputs, strict=True)), name="layer")
        return gather(subject, 0, **options)


def test_a_right_layer_leaves_nothing_to_say():
    evidence = evidence_of(Linear, X, settings={"W": W})
    assert evidence.overwrites == evidence.shared == evidence.trials == evidence.generators == ()
    assert evidence.deterministic
    assert evidence.empty.wrong == {}
    assert set(evidence.comparisons) == {"x", "W"}


def test_the_number_of_calls_is_fixed():
    small = evidence_of(Linear, X, settings={"W": W}, groups=GROUPS - {"kinks"})
    large = evidence_of(Linear, np.tile(X, (50, 1)), settings={"W": W}, groups=GROUPS - {"kinks"})
    assert (small.forwards, small.backwards) == (large.forwards, large.backwards)
    assert small.forwards + small.backwards <= 27


def test_only_the_runs_asked_for_are_made():
    evidence = evidence_of(Linear, X, settings={"W": W}, groups=frozenset())
    assert (evidence.forwards, evidence.backwards) == (1, 2)
    assert evidence.linearity == ()
    assert evidence.comparisons == {}
    assert evidence.empty is None


def test_adding_up_is_told_from_overwriting():
    def adds(self, dout):
        self.dW = getattr(self, "dW", 0.0) + self.x.T @ dout
        return dout @ self.W.T

    assert evidence_of(linear(backward=adds), X, settings={"W": W}).adding_up == {"W"}
    assert evidence_of(linear(backward=adds), X, settings={"W": W}).trials == ()
    assert evidence_of(Linear, X, settings={"W": W}).adding_up == frozenset()


def test_what_backward_raises_is_kept():
    def raises(self, dout):
        raise KeyError("b")

    evidence = evidence_of(linear(backward=raises), X, settings={"W": W})
    assert isinstance(evidence.raised, KeyError)
    assert evidence.gradients is None


@pytest.mark.parametrize(
    ("draw", "expected"),
    [
        (np.random.rand, ("draws from np.random",)),
        (lambda: np.random.seed(0), ("calls np.random.seed",)),  # noqa: NPY002
        (lambda: np.random.default_rng(0).random(), ()),
    ],
)
def test_the_global_generators_are_watched(draw, expected):
    def forward(self, x):
        draw()
        return Linear.forward(self, x)

    assert evidence_of(linear(forward=forward), X, settings={"W": W}).generators == expected


def test_memory_that_nobody_wrote_to_is_no_zero():
    def uninitialised(self, dout):
        self.dW = np.empty_like(self.W)
        self.dW += self.x.T @ dout
        return dout @ self.W.T

    evidence = evidence_of(linear(backward=uninitialised), X, settings={"W": W})
    assert np.isnan(evidence.arrays["W"]).all()
    assert not np.isnan(np.empty(0)).any()
