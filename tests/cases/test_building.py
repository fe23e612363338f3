"""Layers that complain, that must be built in a way of their own, or whose arguments have names that say nothing."""

import numpy as np
import pytest

import gradcheck
from gradcheck.cases.search import Points
from tests.cases import building
from tests.cases.building import FOUND


def verdict_of(layer):
    (subject,) = gradcheck.check(layer, profile="quick").subjects
    return subject.verdict, {finding.argument for finding in subject.findings}


@pytest.mark.parametrize("layer", FOUND, ids=lambda layer: layer.__name__)
def test_it_is_found_and_passes(layer):
    (subject,) = gradcheck.check(layer, profile="quick").subjects
    assert (subject.verdict, subject.signature) == ("pass", FOUND[layer]), subject


def twin(layer, backward):
    return type(f"Wrong{layer.__name__}", (layer,), {"backward": backward})


def scaled(name, layer):
    """Return a twin that leaves a gradient which is twice too large."""

    def backward(self, d):
        returned = layer.backward(self, d)
        setattr(self, name, 2 * getattr(self, name))
        return returned

    return twin(layer, backward)


def raising(self, d):
    raise NameError("dz")


WRONG = (
    (scaled("dW", building.SmallDefaults), "W"),
    (scaled("dgamma", building.SpokenRefusal), "gamma"),
    (scaled("dW", building.FlatImage), "W"),
    (scaled("dW", building.Bilinear), "W"),
    (scaled("dWq", building.Head), "Wq"),
    (scaled("dW", building.Built), "W"),
    (scaled("dg", building.WeightNorm), "g"),
    (twin(building.NoName, lambda self, g: g @ self.K), "signal"),  # right in shape where it is square
    (twin(building.Unflatten, lambda self, d: d.reshape(self.shape)), "x"),
    (twin(building.Hinge, lambda self: -1.0 * self.inside / self.y.size), "scores"),  # right where all labels are 1
    (twin(building.Picked, lambda self: self.p), "logits"),
    (twin(building.SmallDefaults, raising), None),
)


@pytest.mark.parametrize(("layer", "argument"), WRONG, ids=[layer.__name__ for layer, _ in WRONG])
def test_a_wrong_one_does_not_get_away(layer, argument):
    verdict, arguments = verdict_of(layer)
    assert verdict == "fail"
    assert argument in arguments


class TestNotBlamed:
    def test_a_wrapper_for_what_it_wraps(self):
        class Wrapper(building.Wrapper):
            """Stands in a module whose only plain layer is wrong."""

        Wrapper.__module__ = __name__
        globals()["OnlyOne"] = building.Clumsy
        try:
            assert verdict_of(Wrapper)[0] == "pass"
        finally:
            del globals()["OnlyOne"]

    def test_a_layer_that_no_size_pleases(self):
        class Never:
            def __init__(self, n=7):
                self.n = n

            def forward(self, x):
                raise ValueError(f"expected {self.n} features, got {x.shape[-1]}")

            def backward(self, d):
                return d

        assert verdict_of(Never)[0] == "unchecked"

    def test_sizes_that_grow_with_each_mending(self):
        class Greedy:
            def forward(self, x):
                raise ValueError(f"expected {x.size * 2} elements, got {x.size}")

            def backward(self, d):
                return d

        assert verdict_of(Greedy)[0] == "unchecked"


def test_outer_products_in_backward_say_nothing():
    """Were they believed, the layer would be checked at single samples, where it is right."""

    class OneSample(building.NoName):
        def backward(self, g):
            self.dK = np.outer(self.s, g)
            return g @ self.K.T

    assert verdict_of(OneSample)[0] == "fail"


def test_a_default_that_fits_the_first_trial_by_luck_is_no_size_of_it():
    """``dim=4`` is the size of the features in the first trial, not in the second."""
    plan = Points.of("SpokenRefusal", building.SpokenRefusal).plan
    assert {plan.realise(case)[0]["dim"] for case in (plan.trial(), plan.trial(1))} == {4, 5}


def test_the_products_are_those_of_every_case():
    points = Points.of("FlatImage", building.FlatImage)
    for case in points.plan.sweep(0, 12):
        (image, W) = points.at(case).arguments
        assert W.value.shape[0] == np.prod(image.value.shape[1:])
