"""What a check costs beside the one ``forward`` and ``backward`` that it checks, at a case that is given."""

import numpy as np
import pytest

import gradcheck
import layers

RNG = np.random.default_rng(0)
# what -> the layer, its settings and the inputs
CASES = {
    "check of Affine 64x256x128": (
        layers.Affine,
        {"W": RNG.normal(size=(256, 128)), "b": RNG.normal(size=128)},
        (RNG.normal(size=(64, 256)),),
    ),
    "check of Sigmoid 256x256": (layers.Sigmoid, {}, (RNG.normal(size=(256, 256)),)),
}
# One element at a time would take two forwards per element: more than 65,000 of them for either. At three seeds 130 for
# Affine, whose bias is small enough to be compared element by element.
CALLS = 200
# On an idle machine 160 and 260: beside the calls, a check draws directions, takes copies and compares them.
AT_MOST = 5_000


# Over the cases of a sweep, all rules and the comparison element by element in the first of them included.
CALLS_A_CASE = 30


def test_a_case_costs_a_fixed_number_of_calls():
    reports = [gradcheck.check(getattr(layers, name)).subjects[0] for name in layers.__all__]
    assert {report.verdict for report in reports} == {"pass"}
    calls = sum(report.forwards + report.backwards for report in reports)
    assert calls / sum(report.cases for report in reports) <= CALLS_A_CASE


@pytest.mark.benchmark(max_time=0.5, min_rounds=3)
@pytest.mark.parametrize("way", ["forward + backward", "check"])
@pytest.mark.parametrize("what", CASES)
def test_time(clock, what, way):
    make, settings, inputs = CASES[what]
    layer = make(**settings)
    dout = np.random.default_rng(1).normal(size=layer.forward(*inputs).shape)

    def forward_and_backward():
        layer.forward(*inputs)
        layer.backward(dout)

    def check():
        assert gradcheck.check(make, settings=settings, inputs=inputs)

    clock(what, way, check if way == "check" else forward_and_backward)


@pytest.mark.parametrize("what", CASES)
def test_the_number_of_calls_does_not_grow_with_the_layer(what):
    make, settings, inputs = CASES[what]
    (subject,) = gradcheck.check(make, settings=settings, inputs=inputs)
    assert subject.verdict == "pass"
    assert subject.forwards + subject.backwards <= CALLS


@pytest.mark.parametrize("what", CASES)
def test_a_check_costs_little_beside_one_element_at_a_time(ratio, what):
    assert ratio(what, "check", "forward + backward") <= AT_MOST
