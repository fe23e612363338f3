"""A second opinion on `tests.faulty`: its labels, by a naive checker that shares no line with gradcheck.

Two fixed points with sizes given by hand, element-by-element central differences at one step, one tolerance: good
enough for these layers at these points, and for nothing else. Were a label wrong, gradcheck and its tests could agree
on something false.
"""

import inspect
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.faulty import FAULTY, KINDS, RIGHT

# n, i, o: all different, so that a wrong shape shows; all equal, so that whatever fits by its shape must be right.
SIZES = [(3, 4, 2), (3, 3, 3)]


def name_of(value):
    return getattr(value, "__name__", value)


@pytest.mark.parametrize(("layer", "rule", "kind"), FAULTY, ids=name_of)
def test_wrong_layers_are_wrong_as_labelled(layer, rule, kind):
    assert kind in KINDS
    assert rule in set().union(*(naive_findings(layer, *sizes) for sizes in SIZES))


@pytest.mark.parametrize("layer", RIGHT, ids=name_of)
def test_right_layers_are_right(layer):
    assert [naive_findings(layer, *sizes) for sizes in SIZES] == [set(), set()]


def test_registries_are_complete_and_cover_every_rule():
    values_and_structure = {"GC101", "GC102", "GC103", "GC104", "GC105"}
    behaviour = {"GC201", "GC202", "GC203", "GC301", "GC401", "GC602"}
    assert {rule for _, rule, _ in FAULTY} == values_and_structure | behaviour
    listed = [layer for layer, _, _ in FAULTY] + RIGHT
    assert len(set(listed)) == len(listed)
    for module in {inspect.getmodule(layer) for layer in listed}:
        assert {value for value in vars(module).values() if inspect.isclass(value)} <= set(listed)
    assert all(layer.__doc__ for layer in listed)


@dataclass(frozen=True)
class Point:
    """A layer's class with what its constructor, forward and backward are given; fresh copies at every use."""

    make: type
    settings: dict[str, Any]
    inputs: dict[str, np.ndarray]
    dout: np.ndarray | None = None

    def build(self):
        return self.make(**{name: np.copy(v) if np.ndim(v) else v for name, v in self.settings.items()})

    def draw_inputs(self):
        return {name: x.copy() for name, x in self.inputs.items()}

    def forward(self):
        layer = self.build()
        return layer, layer.forward(*self.draw_inputs().values())


def naive_findings(make, n, i, o):
    """Return the codes of the rules that the layer breaks at one point."""
    rng = np.random.default_rng(0)
    biases = o if "W" in required(make) else i
    shapes = {"W": (i, o), "b": (biases,), "B": (biases,), "gamma": (i,), "beta": (i,)}
    sizes = {"in_features": i, "n_in": i, "out_features": o, "n_out": o}
    settings = {name: sizes.get(name) or draw(rng, shapes[name]) for name in required(make)}
    inputs = {name: draw(rng, shapes.get(name, (n, i))) for name in required(make.forward)[1:]}
    _, out = Point(make, settings, inputs).forward()
    point = Point(make, settings, inputs, draw(rng, out.shape))
    with np.errstate(all="ignore"):
        try:
            return overwritten(point) | unsteady(point) | wrong_values(point)
        except (TypeError, ValueError):
            return {"GC602"}


def required(function):
    return [name for name, p in inspect.signature(function).parameters.items() if p.default is p.empty]


def draw(rng, shape):
    """Draw numbers of both signs away from 0, where quotients and kinks would need a better derivative."""
    return rng.uniform(0.3, 1.8, size=shape) * rng.choice([-1.0, 1.0], size=shape)


def overwritten(point):
    layer, inputs, dout = point.build(), point.draw_inputs(), point.dout.copy()
    own = {} if inputs.keys() & parameters(layer).keys() else parameters(layer)
    found = set()

    def changes(arrays, call):
        before = [array.copy() for array in arrays]
        call()
        return not all(map(np.array_equal, arrays, before))

    if changes([*inputs.values(), *own.values()], lambda: layer.forward(*inputs.values())):
        found.add("GC203")
    if changes([*inputs.values(), *own.values()], lambda: layer.backward(dout)):
        found.add("GC202")
    return found if np.array_equal(dout, point.dout) else found | {"GC201"}


def unsteady(point):
    """Another backward, and a backward of another dout."""
    layer, _ = point.forward()
    first = layer.backward(point.dout.copy())
    if not isinstance(first, np.ndarray):
        return set()
    first, found = first.copy(), set()
    try:
        if not np.allclose(layer.backward(point.dout.copy()), first, equal_nan=True):
            found.add("GC301")
    except IndexError:  # one backward per forward
        pass
    layer, _ = point.forward()
    if not np.allclose(layer.backward(-3 * point.dout), -3 * first, rtol=1e-4, equal_nan=True):
        found.add("GC401")
    return found


def wrong_values(point):
    """What is missing, of the wrong shape, not finite, or not the derivative."""
    layer, _ = point.forward()
    returned = layer.backward(point.dout.copy())
    gradients = dict(zip(point.inputs, returned if isinstance(returned, tuple) else (returned,), strict=False))
    extra = isinstance(returned, tuple) and len(returned) > len(point.inputs)
    if extra or any(name not in gradients and not hasattr(layer, f"d{name}") for name in point.inputs):
        return {"GC105"}
    found = set()
    for name in point.inputs.keys() | parameters(layer).keys():
        analytic = gradients[name] if name in gradients else kept_gradient(layer, name)
        numeric, tolerance = central_difference(point, name)
        if analytic is None:
            found.add("GC102")
        elif np.shape(analytic) != numeric.shape:
            found.add("GC103")
        elif not np.isfinite(analytic).all():
            found.add("GC104")
        elif not np.allclose(analytic, numeric, rtol=tolerance, atol=tolerance):
            found.add("GC101")
    return found


def parameters(layer):
    """Return the layer's own arrays by name, or by position in its list."""
    if hasattr(layer, "params"):
        return dict(layer.params.items() if isinstance(layer.params, dict) else enumerate(layer.params))
    named = {name: getattr(layer, name, None) for name in ("W", "b", "B", "gamma", "beta")}
    return {name: value for name, value in named.items() if isinstance(value, np.ndarray)}


def kept_gradient(layer, name):
    if not hasattr(layer, "grads"):
        return getattr(layer, f"d{name}")
    return layer.grads.get(name) if isinstance(layer.grads, dict) else layer.grads[name]


def central_difference(point, name):
    """Return the derivative of ``(out * dout).sum()`` with respect to one array, and how far it is to be trusted."""
    layer, out = point.forward()
    h, tolerance = (1e-2, 1e-3) if out.dtype == np.float32 else (1e-5, 1e-7)
    numeric = np.zeros((parameters(layer) | point.inputs)[name].shape)
    for index in np.ndindex(numeric.shape):
        ends = []
        for step in (h, -h):
            layer, inputs = point.build(), point.draw_inputs()
            (inputs if name in inputs else parameters(layer))[name][index] += step
            ends.append((layer.forward(*inputs.values()) * point.dout).sum())
        numeric[index] = (ends[0] - ends[1]) / (2 * h)
    return numeric, tolerance
