"""One layer in ten spellings: the same verdict, and the same rules broken.

Each spelling is a function that is given the layer's two halves, written with the operators that all array libraries
share, and makes of them what `gradcheck.check` is given. Those of frameworks that are not installed are skipped.
"""

import numpy as np
import pytest

import gradcheck

rng = np.random.default_rng(0)
X, W, B = rng.standard_normal((4, 3)), rng.standard_normal((3, 3)), rng.standard_normal(3)


def affine(x, w, b):
    return x @ w + b


def affine_with(dw):
    return lambda dout, x, w, b: (dout @ w.T, dw(x, dout), dout.sum(0))


def relu(x):
    return x * (x > 0)


def masked_in_place(dout, x):
    dout[x < 0] = 0
    return (1.0 * dout,)


LAYERS = {
    "affine": (affine, affine_with(lambda x, dout: x.T @ dout), (X, W, B), set()),
    "affine, dW transposed": (affine, affine_with(lambda x, dout: dout.T @ x), (X, W, B), {"GC101"}),
    "affine, a factor": (affine, affine_with(lambda x, dout: 0.5 * x.T @ dout), (X, W, B), {"GC101"}),
    "relu": (relu, lambda dout, x: (dout * (x > 0),), (X,), set()),
    "relu, a factor is missing": (relu, lambda dout, x: (1.0 * dout,), (X,), {"GC101"}),
    "relu, dout overwritten": (relu, masked_in_place, (X,), {"GC201"}),
}


def layer_object(forward, backward, inputs):
    class Layer:
        def __init__(self, **parameters):
            self.W, self.b = parameters.get("W"), parameters.get("b")

        def forward(self, x):
            self.saved = (x,) if self.W is None else (x, self.W, self.b)
            return forward(*self.saved)

        def backward(self, dout):
            dx, *learnt = backward(dout, *self.saved)
            if learnt:
                self.dW, self.db = learnt
            return dx

    names = ("x", "W", "b")[: len(inputs)]
    return Layer, {"inputs": inputs[:1], "settings": dict(zip(names[1:], inputs[1:], strict=True))}


def pair(forward, backward, inputs):
    return (forward, backward), {"inputs": inputs}


def closure(forward, backward, inputs):
    return lambda *xs: (forward(*xs), lambda dout: backward(dout, *xs)), {"inputs": inputs}


def with_ctx(forward, backward, inputs):
    class Layer:
        @staticmethod
        def forward(ctx, *xs):
            ctx.save_for_backward(*xs)
            return forward(*xs)

        @staticmethod
        def backward(ctx, dout):
            return backward(dout, *ctx.saved_tensors)

    return Layer, {"inputs": inputs}


def tensor_engine(forward, backward, inputs):
    class Tensor:
        def __init__(self, data):
            self.data, self.grad, self.parents = data, None, ()

        def backward(self):
            for tensor, grad in zip(self.parents, backward(self.grad, *(t.data for t in self.parents)), strict=True):
                tensor.grad = grad

    def call(*tensors):
        out = Tensor(forward(*(tensor.data for tensor in tensors)))
        out.parents = tensors
        return out

    return gradcheck.through(call, Tensor), {"inputs": inputs}


def torch_function(forward, backward, inputs):
    torch = pytest.importorskip("torch")

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, *xs):
            ctx.save_for_backward(*xs)
            return forward(*xs)

        @staticmethod
        def backward(ctx, dout):
            return backward(dout, *ctx.saved_tensors)

    return Layer, {"inputs": inputs}


def torch_module(forward, backward, inputs):
    torch = pytest.importorskip("torch")
    function, _ = torch_function(forward, backward, inputs)

    class Layer(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name, value in zip("Wb", inputs[1:], strict=False):
                setattr(self, name, torch.nn.Parameter(torch.tensor(value)))

        def forward(self, x):
            return function.apply(x, *self.parameters())

    return Layer, {"inputs": inputs[:1]}


def jax_function(forward, backward, inputs):
    jax = pytest.importorskip("jax")
    if backward is masked_in_place:
        pytest.skip("JAX's arrays cannot be written into")
    function = jax.custom_vjp(forward)
    function.defvjp(lambda *xs: (forward(*xs), xs), lambda xs, dout: backward(dout, *xs))
    return function, {"inputs": inputs}


def autograd_primitive(forward, backward, inputs):
    extend = pytest.importorskip("autograd.extend")
    function = extend.primitive(forward)
    extend.defvjp(function, *(lambda ans, *xs, k=k: lambda dout: backward(dout, *xs)[k] for k in range(len(inputs))))
    return function, {"inputs": inputs}


SPELLINGS = [
    *(layer_object, pair, closure, with_ctx, tensor_engine),
    *(torch_function, torch_module, jax_function, autograd_primitive),
]


@pytest.mark.parametrize("layer", LAYERS)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_same_layer(spelling, layer):
    forward, backward, inputs, broken = LAYERS[layer]
    subject, given = spelling(forward, backward, inputs)
    report = gradcheck.check(subject, **given, profile="quick")
    assert report.verdict == ("fail" if broken else "pass")
    assert {finding.rule for finding in report.findings if finding.level == "error"} == broken
