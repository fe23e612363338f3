"""The story of one layer: verdicts, the smallest case, its replay, seeds."""

import numpy as np
import pytest

import gradcheck
from gradcheck.records import Case
from tests.corpus import norms


class Right:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        return dout * self.y, dout * self.x


class Swapped(Right):
    def backward(self, dout):
        return dout * self.x, dout * self.y


class FirstSample:
    """Wrong only for more than one sample."""

    def __init__(self, W):
        self.W = W

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x[:1].T @ dout[:1]
        return dout @ self.W.T


class WideOnly:
    """Wrong only from three columns on, and only in what they add."""

    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout):
        dx = 2 * self.x * dout
        dx[:, 2:] *= 0.5
        return dx


class Constant:
    """Rounds: the derivative is zero wherever there is one, and nothing is learned."""

    def forward(self, x):
        return np.round(x)

    def backward(self, dout):
        return np.zeros_like(dout)


class Noisy:
    def __init__(self):
        self.rng = np.random.default_rng()

    def forward(self, x):
        self.mask = self.rng.random(x.shape) < 0.5
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class NoisyAnew(Noisy):
    """Draws from another generator at each call, which nothing can set back."""

    def forward(self, x):
        self.rng = np.random.default_rng()
        return super().forward(x)


class GloballyNoisy(Noisy):
    """Draws from the global generator, which is seeded for it."""

    def __init__(self):
        self.rng = np.random


class Integers:
    def forward(self, idx):
        return np.eye(9)[idx]

    def backward(self, dout):
        return None


class Refuses:
    def forward(self, x):
        raise ValueError("never")

    def backward(self, dout):
        return dout


def examined(layer, **options):
    (subject,) = gradcheck.check(layer, **options).subjects
    return subject


class TestVerdicts:
    def test_pass_tells_what_was_compared(self):
        subject = examined(Right)
        assert subject.verdict == "pass"
        assert subject.cases == 24
        assert subject.forwards > subject.cases
        assert set(subject.resolution) == {"x", "y"}
        assert max(subject.resolution.values()) < 1e-6
        assert subject.reason is None

    def test_fail(self):
        subject = examined(Swapped)
        assert subject.verdict == "fail"
        assert {(f.rule, f.argument) for f in subject.findings} == {("GC101", "x"), ("GC101", "y")}

    def test_nothing_learned_is_inconclusive(self):
        subject = examined(Constant)
        assert subject.verdict == "inconclusive"
        assert subject.reason.startswith("x: ")

    def test_random_forward_is_unchecked(self):
        subject = examined(NoisyAnew)
        assert subject.verdict == "unchecked"
        assert "forward is random" in subject.reason
        assert "seed or generator" in subject.fix

    def test_a_generator_that_nobody_seeded_is_set_back(self):
        assert examined(Noisy).verdict == "pass"

    def test_the_global_generator_is_seeded(self):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        assert examined(GloballyNoisy).verdict == "pass"
        assert np.array_equal(np.random.get_state()[1], before)  # noqa: NPY002

    def test_no_real_argument_is_unchecked(self):
        subject = examined(Integers, inputs=(np.array([1, 2]),))
        assert subject.verdict == "unchecked"
        assert "no argument is real" in subject.reason

    def test_forward_that_takes_nothing_is_unchecked(self):
        subject = examined(Refuses)
        assert subject.verdict == "unchecked"
        assert "ValueError: never" in subject.reason
        assert "inputs=(x,)" in subject.fix


@pytest.mark.parametrize(("layer", "total"), [(Swapped, 2), (FirstSample, 4), (WideOnly, 4)])
def test_the_smallest_case_is_small(layer, total):
    for seed in range(3):
        case = Case.parse(examined(layer, seed=seed).findings[0].case)
        assert sum(dict(case.sizes).values()) == total


@pytest.mark.parametrize("layer", [Swapped, FirstSample, WideOnly])
def test_a_replayed_case_gives_the_same_finding(layer):
    first = examined(layer, seed=5).findings[0]
    again = examined(layer, case=first.case).findings[0]
    found = [(f.rule, f.argument, f.case, f.analytic, f.index) for f in (first, again)]
    assert found[0] == found[1]
    assert again.numeric == pytest.approx(first.numeric, rel=1e-6)  # other arguments are left out of the shrinking


class TestSeeds:
    def test_the_same_seed_gives_the_same_report(self):
        assert gradcheck.check(FirstSample, seed=3).to_dict() == gradcheck.check(FirstSample, seed=3).to_dict()

    def test_verdicts_do_not_depend_on_the_seed(self):
        assert [examined(layer, seed=seed).verdict for seed in range(4) for layer in (Right, FirstSample)] == [
            "pass",
            "fail",
        ] * 4

    def test_another_seed_looks_elsewhere(self):
        assert examined(Right, seed=1).resolution != examined(Right, seed=2).resolution


def test_a_case_of_other_dimensions():
    with pytest.raises(gradcheck.UsageError, match="but the layer's dimensions are n, i"):
        gradcheck.check(Right, case="k=2")


class TestSelection:
    """Which rules count is decided in gradcheck.rules.levels; here is what the story of a layer makes of it."""

    @staticmethod
    def outcome(**options):
        def square(x):
            def pullback(dout):
                dout *= x  # dout is overwritten, and half of the gradient is missing
                return dout.copy()

            return x**2, pullback

        report = gradcheck.check(square, inputs=(np.array([0.5, -2.0, 3.0]),), **options)
        return report.verdict, {(finding.rule, finding.level) for finding in report.findings}

    @pytest.mark.parametrize(
        ("options", "verdict", "findings"),
        [
            ({}, "fail", {("GC101", "error"), ("GC201", "error")}),
            ({"ignore": "GC201"}, "fail", {("GC101", "error")}),
            ({"select": "GC2"}, "fail", {("GC201", "error")}),
            ({"warning": "GC2"}, "fail", {("GC101", "error"), ("GC201", "warning")}),
            ({"warning": "ALL"}, "pass", {("GC101", "warning"), ("GC201", "warning")}),
            ({"ignore": "GC101,GC201"}, "pass", set()),
            ({"select": "GC401"}, "pass", set()),
            ({"ignore": "ALL"}, "unchecked", set()),
        ],
    )
    def test_findings_and_verdict(self, options, verdict, findings):
        assert self.outcome(**options) == (verdict, findings)


def test_what_saturation_has_lost_on_both_sides_is_not_held_against_backward():
    # 1e-238: what backward keeps of log(1 + exp(-550)), forward has rounded away.
    assert gradcheck.check(norms.RelativeEntropy, case="n=3 i=2 large=1000 seed=404001217").verdict != "fail"
    assert gradcheck.check(norms.RelativeEntropyConfused, seed=404).verdict == "fail"
