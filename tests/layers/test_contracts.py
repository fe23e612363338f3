"""What every reference layer keeps, as `layers` promises: purity, fresh memory, dtype, layout, small sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import layers
from layers import Add, Affine, Mul, Relu, Sigmoid


@dataclass(frozen=True)
class Spec:
    """How to make a layer of its parameters, and the shapes of inputs, parameters and output."""

    make: Callable[..., Any]
    inputs: tuple[tuple[int, ...], ...]
    parameters: tuple[tuple[int, ...], ...]
    output: tuple[int, ...]


SPECS = {
    "Mul": Spec(Mul, ((3, 4), (3, 4)), (), (3, 4)),
    "Mul-broadcast": Spec(Mul, ((3, 1), (4,)), (), (3, 4)),
    "Add": Spec(Add, ((3, 4), (3, 4)), (), (3, 4)),
    "Add-broadcast": Spec(Add, ((3, 1), (4,)), (), (3, 4)),
    "Relu": Spec(Relu, ((3, 4),), (), (3, 4)),
    "Sigmoid": Spec(Sigmoid, ((3, 4),), (), (3, 4)),
    "Affine": Spec(Affine, ((3, 4),), ((4, 2), (2,)), (3, 2)),
    "Affine-3d": Spec(Affine, ((2, 3, 4),), ((4, 2), (2,)), (2, 3, 2)),
    "Affine-1d": Spec(Affine, ((4,),), ((4, 2), (2,)), (2,)),
}


@pytest.fixture(params=SPECS)
def spec(request):
    return SPECS[request.param]


def draw(shapes, dtype=np.float64, seed=8):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=shape).astype(dtype) for shape in shapes)


def run(spec, inputs, parameters, dout):
    """Return the output and all gradients, inputs first."""
    layer = spec.make(*parameters)
    out = layer.forward(*inputs)
    dx = layer.backward(dout)
    gradients = dx if isinstance(dx, tuple) else (dx,)
    return out, (*gradients, *(getattr(layer, name) for name in ("dW", "db") if hasattr(layer, name)))


def test_every_layer_is_held_to_this():
    assert {spec.make.__name__ for spec in SPECS.values()} == set(layers.__all__)


def test_nothing_that_is_handed_over_is_written_to(spec):
    inputs, parameters, (dout,) = draw(spec.inputs), draw(spec.parameters, seed=9), draw([spec.output], seed=10)
    given = (*inputs, *parameters, dout)
    before = [array.copy() for array in given]
    for array in given:
        array.flags.writeable = False  # writing raises where it happens
    run(spec, inputs, parameters, dout)
    for array, copy in zip(given, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_what_comes_back_is_memory_of_its_own(spec):
    inputs, parameters, (dout,) = draw(spec.inputs), draw(spec.parameters, seed=9), draw([spec.output], seed=10)
    out, gradients = run(spec, inputs, parameters, dout)
    everything = [*inputs, *parameters, dout, out, *gradients]
    for k, one in enumerate(everything):
        for other in everything[k + 1 :]:
            assert not np.shares_memory(one, other)


def test_writing_into_the_output_and_gradients_leaves_backward_as_it_was(spec):
    inputs, parameters, (dout,) = draw(spec.inputs), draw(spec.parameters, seed=9), draw([spec.output], seed=10)
    layer = spec.make(*parameters)
    out = layer.forward(*inputs)
    first = layer.backward(dout)
    first = first if isinstance(first, tuple) else (first,)
    expected = [array.copy() for array in first]
    for array in (out, *first):
        array[...] = np.nan
    second = layer.backward(dout)
    second = second if isinstance(second, tuple) else (second,)
    for array, copy in zip(second, expected, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_the_dtype_is_preserved(spec, dtype):
    inputs, parameters, (dout,) = draw(spec.inputs, dtype), draw(spec.parameters, dtype), draw([spec.output], dtype)
    out, gradients = run(spec, inputs, parameters, dout)
    assert [array.dtype for array in (out, *gradients)] == [np.dtype(dtype)] * (1 + len(gradients))


def test_float32_agrees_with_float64(spec):
    inputs, parameters, (dout,) = (draw(s, np.float32) for s in (spec.inputs, spec.parameters, [spec.output]))
    narrow = run(spec, inputs, parameters, dout)
    wide = run(spec, *([a.astype(np.float64) for a in arrays] for arrays in (inputs, parameters)), dout.astype(float))
    for a, b in zip((narrow[0], *narrow[1]), (wide[0], *wide[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=3e-6, atol=3e-6)


def strided(array):
    """Return the same values, spread out: every second element of twice as many along every axis."""
    spread = np.full(tuple(2 * n for n in array.shape), np.nan, dtype=array.dtype)
    view = spread[(slice(None, None, 2),) * array.ndim]
    view[...] = array
    return view


def backwards(array):
    """Return the same values, with negative strides."""
    everything = (slice(None, None, -1),) * array.ndim
    return np.ascontiguousarray(array[everything])[everything]


@pytest.mark.parametrize("layout", [strided, backwards, np.asfortranarray])
def test_the_layout_does_not_matter(spec, layout):
    inputs, parameters, (dout,) = draw(spec.inputs), draw(spec.parameters, seed=9), draw([spec.output], seed=10)
    expected = run(spec, inputs, parameters, dout)
    got = run(spec, [layout(a) for a in inputs], [layout(a) for a in parameters], layout(dout))
    for a, b in zip((got[0], *got[1]), (expected[0], *expected[1]), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14, atol=1e-14)


def test_a_dout_of_one_number_repeated_does_not_matter(spec):
    inputs, parameters = draw(spec.inputs), draw(spec.parameters, seed=9)
    dout = np.broadcast_to(np.float64(-1.5), spec.output)  # all strides 0, and read-only, as from a sum
    expected = run(spec, inputs, parameters, np.full(spec.output, -1.5))
    for a, b in zip(run(spec, inputs, parameters, dout)[1], expected[1], strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-14)


@pytest.mark.parametrize("n", [0, 1])
def test_every_size_zero_or_one(spec, n):
    inputs, parameters, output = (
        tuple(tuple(n for _ in shape) for shape in shapes) for shapes in (spec.inputs, spec.parameters, [spec.output])
    )
    out, gradients = run(spec, draw(inputs), draw(parameters), *draw(output))
    assert out.shape == output[0]
    assert [g.shape for g in gradients] == [*inputs, *parameters]


def test_backward_may_be_called_again(spec):
    inputs, parameters, (dout,) = draw(spec.inputs), draw(spec.parameters, seed=9), draw([spec.output], seed=10)
    layer = spec.make(*parameters)
    layer.forward(*inputs)
    np.testing.assert_equal(layer.backward(dout), layer.backward(dout))
