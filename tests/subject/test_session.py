"""What a layer carries from call to call: generators are set back, states are known by their names."""

import random

import numpy as np
import pytest

from gradcheck.subject import limit
from gradcheck.subject.limit import HungError, clock, time_limit
from gradcheck.subject.session import Unseeded, arrays_in, carried, generators

MODULE = np.random.default_rng(1)


class Layer:
    shared = np.random.RandomState(2)

    def __init__(self):
        self.own = np.random.default_rng(3)
        self.parts = [{"rng": random.Random(4)}]

    def draw(self):
        return [
            self.own.random(),
            self.shared.random_sample(),
            self.parts[0]["rng"].random(),
            MODULE.random(),
            np.random.rand(),  # noqa: NPY002
            random.random(),
        ]


def test_all_generators_in_reach_are_set_back():
    layer = Layer()
    back = generators(layer)
    first = layer.draw()
    assert layer.draw() != first
    back()
    assert layer.draw() == first


def test_generators_in_a_closure_are_found():
    rng = np.random.default_rng(5)

    def forward(x):
        return x * rng.random()

    back = generators(forward)
    first = forward(1.0)
    back()
    assert forward(1.0) == first


def test_unseeded_generators_start_where_the_first_one_did():
    class Entropy:
        def __init__(self):
            self.rng = np.random.default_rng()

    unseeded = Unseeded()
    layers = [Entropy(), Entropy()]
    for layer in layers:
        unseeded.seed(layer)
    assert layers[0].rng.random() == layers[1].rng.random()


@pytest.mark.parametrize("name", ["h", "prev_h", "hidden_state", "running_mean", "h0", "_state"])
def test_what_is_called_a_state_is_set_back(name):
    layer = Layer()
    setattr(layer, name, np.zeros(2))
    back = carried(layer)
    getattr(layer, name)[:] = 1.0
    back()
    assert not getattr(layer, name).any()


@pytest.mark.parametrize("name", ["mask", "cols", "shape", "batch", "calls", "other"])
def test_what_is_not_called_a_state_is_left(name):
    layer = Layer()
    setattr(layer, name, 0)
    back = carried(layer)
    setattr(layer, name, 1)
    back()
    assert getattr(layer, name) == 1


def test_a_state_that_came_later_is_taken_away():
    layer = Layer()
    back = carried(layer)
    layer.h = np.ones(2)
    back()
    assert not hasattr(layer, "h")


def test_arrays_in_a_cache():
    x, y, z = np.ones(1), np.ones(2), np.ones(3)
    assert [name for name, _ in arrays_in((x, {"y": y, "n": 3}, [z]))] == ["cache[0]", "cache[1]['y']", "cache[2][0]"]


def test_an_endless_loop_is_interrupted(monkeypatch):
    monkeypatch.setattr(limit, "SECONDS", 0.1)

    def endless():
        with clock(), time_limit():
            while True:
                pass

    with pytest.raises(HungError, match=r"interrupted after 0\.1 s"):
        endless()


def test_limits_do_not_nest():
    with clock(), clock(), time_limit(), time_limit():
        pass
