"""Every reference layer, forward and backward, vectorised beside a plain loop.

Timings are printed, never judged; what is judged, and generously, is the ratio of two timings of one run.
"""

from types import SimpleNamespace

import numpy as np
import pytest

import layers
from benchmarks import loops

# name -> how many inputs, and the sizes: (n, i) for layers that work element by element, (n, i, o) for Affine
LAYERS = {
    "Mul": (2, [(16, 64), (128, 256)]),
    "Add": (2, [(16, 64), (128, 256)]),
    "Relu": (1, [(16, 64), (128, 256)]),
    "Sigmoid": (1, [(16, 64), (128, 256)]),
    "Affine": (1, [(8, 16, 8), (32, 64, 48)]),
}
RUNS = [
    pytest.param(name, sizes, id=f"{name}-{'x'.join(map(str, sizes))}")
    for name, (_, all_sizes) in LAYERS.items()
    for sizes in all_sizes
]
WAYS = {"loop": loops, "vectorised": layers}
# On an idle machine: 100 and more at the larger sizes.
AT_LEAST = 10


def what(name, sizes, step):
    return f"{name} {'x'.join(map(str, sizes))} {step}"


def prepare(module, name, sizes):
    """Return the layer after one forward, and what its forward and backward are called with."""
    rng = np.random.default_rng(0)
    n, i, o = (*sizes, sizes[-1])[:3]
    parameters = (rng.normal(size=(i, o)), rng.normal(size=o)) if name == "Affine" else ()
    inputs = tuple(rng.normal(size=(n, i)) for _ in range(LAYERS[name][0]))
    layer = getattr(module, name)(*parameters)
    out = layer.forward(*inputs)
    return SimpleNamespace(layer=layer, inputs=inputs, out=out, dout=rng.normal(size=out.shape))


def test_every_layer_is_timed():
    assert set(LAYERS) == set(layers.__all__)


@pytest.mark.parametrize(("name", "sizes"), RUNS)
def test_both_ways_give_the_same(name, sizes):
    loop, fast = (prepare(module, name, sizes) for module in (loops, layers))
    np.testing.assert_allclose(fast.out, loop.out, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fast.layer.backward(loop.dout), loop.layer.backward(loop.dout), rtol=1e-9, atol=1e-12)
    for gradient in ("dW", "db") if name == "Affine" else ():
        np.testing.assert_allclose(getattr(fast.layer, gradient), getattr(loop.layer, gradient), rtol=1e-9, atol=1e-12)


@pytest.mark.benchmark(max_time=0.2, min_rounds=5)
@pytest.mark.parametrize("step", ["forward", "backward"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "sizes"), RUNS)
def test_time(clock, name, sizes, way, step):
    it = prepare(WAYS[way], name, sizes)
    calls = {"forward": lambda: it.layer.forward(*it.inputs), "backward": lambda: it.layer.backward(it.dout)}
    clock(what(name, sizes, step), way, calls[step], slow=way == "loop")


@pytest.mark.parametrize("step", ["forward", "backward"])
@pytest.mark.parametrize("name", LAYERS)
def test_vectorising_pays(ratio, name, step):
    largest = LAYERS[name][1][-1]
    assert ratio(what(name, largest, step), "loop", "vectorised") >= AT_LEAST
