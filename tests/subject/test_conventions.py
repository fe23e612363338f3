"""Each way of spelling a layer: the right one passes, the same with one wrong number in a parameter's gradient fails.

A spelling that is not understood would pass with half of its gradients unchecked, so the failing twin is the test.
"""

from collections import namedtuple
from types import SimpleNamespace

import numpy as np
import pytest

import gradcheck

rng = np.random.default_rng(0)
X, W, B = rng.standard_normal((4, 3)), rng.standard_normal((3, 2)), rng.standard_normal(2)
C = rng.standard_normal((4, 3))


def verdict(subject, *inputs, **settings):
    return gradcheck.check(subject, inputs=inputs or (X,), settings=settings or None).verdict


class Linear:
    """y = x W: each spelling says where W is kept and where its gradient goes; k is 1, or not."""

    k = 1.0

    def forward(self, x):
        self.x = x
        return x @ self.weight()

    def backward(self, dout):
        dx = dout @ self.weight().T
        self.leave(self.k * (self.x.T @ dout))
        return dx


def kept_under(keep, weight, leave):
    """Return a base class whose constructor makes W itself, and keeps it in some way."""

    def init(self):
        keep(self, np.random.standard_normal((3, 2)))  # noqa: NPY002 - as layers in the wild do

    return type("Layer", (Linear,), {"__init__": init, "weight": weight, "leave": leave})


def setter(*path):
    def leave(self, gradient):
        owner = self
        for name in path[:-1]:
            owner = getattr(owner, name) if isinstance(name, str) else owner[name]
        if isinstance(owner, list | dict):
            owner[path[-1]] = gradient
        else:
            setattr(owner, path[-1], gradient)

    return leave


class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)


class Inner:
    def __init__(self, w):
        self.W, self.dW = w, None

    def __call__(self, x):  # a sublayer that can be called is a sublayer still
        return x @ self.W


class Slotted:
    __slots__ = ("W", "dW")


def slotted(w):
    holder = Slotted()
    holder.W, holder.dW = w, None
    return holder


class Array(np.ndarray):
    grad = None


def keep(**made):
    return lambda self, w: self.__dict__.update({name: make(w) for name, make in made.items()})


def in_place(self, gradient):
    self.grads[0] += gradient


KEPT = {
    "dW": (keep(W=lambda w: w), lambda self: self.W, setter("dW")),
    "W_grad": (keep(W=lambda w: w), lambda self: self.W, setter("W_grad")),
    "weights_gradient": (keep(weights=lambda w: w), lambda self: self.weights, setter("weights_gradient")),
    "lists": (keep(params=lambda w: [w], grads=lambda w: [None]), lambda self: self.params[0], setter("grads", 0)),
    "accumulated": (keep(params=lambda w: [w], grads=lambda w: [0 * w]), lambda self: self.params[0], in_place),
    "tuples": (
        keep(params=lambda w: (w,)),
        lambda self: self.params[0],
        lambda self, gradient: setattr(self, "grads", (gradient,)),
    ),
    "dicts": (keep(params=lambda w: {"W1": w}, grads=dict), lambda self: self.params["W1"], setter("grads", "W1")),
    "dicts dW1": (keep(params=lambda w: {"W1": w}, grads=dict), lambda s: s.params["W1"], setter("grads", "dW1")),
    "one dict": (keep(store=lambda w: {"W": w, "dW": 0 * w}), lambda self: self.store["W"], setter("store", "dW")),
    "Parameter": (keep(W=Parameter), lambda self: self.W.data, setter("W", "grad")),
    "list of Parameter": (
        keep(parameters=lambda w: [Parameter(w)]),
        lambda self: self.parameters[0].data,
        setter("parameters", 0, "grad"),
    ),
    "callable sublayer": (keep(inner=Inner), lambda self: self.inner.W, setter("inner", "dW")),
    "namespace": (keep(p=lambda w: SimpleNamespace(W=w)), lambda self: self.p.W, setter("p", "dW")),
    "slots": (keep(p=slotted), lambda self: self.p.W, setter("p", "dW")),
    "array with grad": (
        keep(W=lambda w: w.view(Array)),
        lambda self: np.asarray(self.W),
        lambda self, gradient: setattr(self.W, "grad", gradient),
    ),
    "view beside it": (
        lambda self, w: self.__dict__.update(W=w, WT=w.T),
        lambda self: self.W,
        setter("dW"),
    ),
    "view of a flat vector": (
        lambda self, w: self.__dict__.update(theta=w.ravel(), W=w.ravel().reshape(w.shape)),
        lambda self: self.W,
        setter("dW"),
    ),
}


@pytest.mark.parametrize("spelling", KEPT)
@pytest.mark.parametrize("built", [False, True], ids=["class", "object"])
def test_parameters_that_the_layer_made_are_found(spelling, built):
    right = kept_under(*KEPT[spelling])
    wrong = type("Wrong", (right,), {"k": 1.001})
    assert verdict(right() if built else right) == "pass"
    assert verdict(wrong() if built else wrong) == "fail"


def test_what_the_constructor_makes_of_an_array_is_the_parameter():
    class Transposed:
        k = 1.0

        def __init__(self, W):
            self.W = 0.5 * W.T  # so dW is the gradient of this, not of what came in

        def forward(self, x):
            self.x = x
            return x @ self.W.T

        def backward(self, dout):
            self.dW = self.k * (dout.T @ self.x)
            return dout @ self.W

    assert verdict(Transposed, W=W) == "pass"
    assert verdict(type("Wrong", (Transposed,), {"k": 2.0}), W=W) == "fail"


def linear(x, W, b):
    return x @ W + b


def gradients(dout, x, W, b, k=1.0):
    return dout @ W.T, k * (x.T @ dout), dout.sum(0)


Fields = namedtuple("Fields", "db dx dW")

# Each: a forward, and a backward that scales dW by k.
PAIRS = {
    "vjp(dout, x, W, b)": lambda k: (linear, lambda dout, x, W, b: gradients(dout, x, W, b, k)),
    "vjp(x, W, b, dout)": lambda k: (linear, lambda x, W, b, dout: gradients(dout, x, W, b, k)),
    "vjp(dout, *xs)": lambda k: (linear, lambda dout, *xs: gradients(dout, *xs, k)),
    "vjp(*everything)": lambda k: (linear, lambda *everything: gradients(*everything, k)),
    "vjp(*, dout)": lambda k: (linear, lambda x, W, b, *, dout: gradients(dout, x, W, b, k)),
    "other names": lambda k: (linear, lambda g, a, w, c: gradients(g, a, w, c, k)),
    "other names, dout last": lambda k: (linear, lambda a, w, c, dout: gradients(dout, a, w, c, k)),
    "autograd's": lambda k: (linear, lambda g, ans, x, W, b: gradients(g, x, W, b, k)),
    "(y, cache)": lambda k: (
        lambda x, W, b: (linear(x, W, b), (x, W, b)),
        lambda dout, cache: gradients(dout, *cache, k),
    ),
    "cache by another name": lambda k: (
        lambda x, W, b: (linear(x, W, b), {"all": (x, W, b)}),
        lambda dout, kept: gradients(dout, *kept["all"], k),
    ),
    "several caches": lambda k: (
        lambda x, W, b: (linear(x, W, b), x, W),
        lambda dout, saved_x, saved_W: gradients(dout, saved_x, saved_W, None, k),
    ),
    "by name": lambda k: (linear, lambda dout, x, W, b: Fields(dout.sum(0), dout @ W.T, k * (x.T @ dout))),
    "dict": lambda k: (
        linear,
        lambda dout, x, W, b: dict(zip(("dx", "dW", "db"), gradients(dout, x, W, b, k), strict=True)),
    ),
    "closure": lambda k: lambda x, W, b: (linear(x, W, b), lambda dout: gradients(dout, x, W, b, k)),
    "closure, list": lambda k: lambda x, W, b: (linear(x, W, b), lambda dout: [*gradients(dout, x, W, b, k)]),
}


@pytest.mark.parametrize("spelling", PAIRS)
def test_pairs_are_bound_by_name_then_by_position(spelling):
    assert verdict(PAIRS[spelling](1.0), X, W, B) == "pass"
    assert verdict(PAIRS[spelling](1.001), X, W, B) == "fail"


def test_none_under_a_gradients_name_is_no_gradient():
    class PRelu:
        def __init__(self, alpha):
            self.alpha = alpha

        def forward(self, x):
            self.x = x
            return np.where(x > 0, x, self.alpha * x)

        def backward(self, dout):
            da = (dout * np.where(self.x > 0, 0, self.x)).sum()
            return {"dx": dout * np.where(self.x > 0, 1, self.alpha), "dalpha": self.given(da)}

        def given(self, da):
            return da

    assert verdict(PRelu, alpha=np.asarray(0.25)) == "pass"
    assert verdict(type("Wrong", (PRelu,), {"given": lambda *_: None}), alpha=np.asarray(0.25)) == "fail"


def cell(x, c):
    return x * c, x + c


# Each: a layer with two outputs, (x c, x + c), whose gradient of c lacks the second output where k is 0.
TWO_OUTPUTS = {
    "vjp(dh, dc, x, c)": lambda k: (cell, lambda dh, dc, x, c: (dh * c + dc, dh * x + k * dc)),
    "(h, c, cache)": lambda k: (
        lambda x, c: (*cell(x, c), (x, c)),
        lambda dh, dc, cache: (dh * cache[1] + dc, dh * cache[0] + k * dc),
    ),
    "closure": lambda k: lambda x, c: (cell(x, c), lambda dh, dc: (dh * c + dc, dh * x + k * dc)),
    "closure, packed": lambda k: lambda x, c: (cell(x, c), lambda ds: (ds[0] * c + ds[1], ds[0] * x + k * ds[1])),
    "closure, three": lambda k: lambda x, c: (*cell(x, c), lambda dh, dc: (dh * c + dc, dh * x + k * dc)),
}


@pytest.mark.parametrize("spelling", TWO_OUTPUTS)
def test_each_output_has_its_cotangent(spelling):
    assert verdict(TWO_OUTPUTS[spelling](1.0), X, C) == "pass"
    assert verdict(TWO_OUTPUTS[spelling](0.0), X, C) == "fail"


class SquaredError:
    k = 2.0

    def forward(self, y_pred, y_true):
        self.e = y_pred - y_true
        return np.mean(self.e**2)

    def backward(self):
        return self.k * self.e / self.e.size


class TargetFirst(SquaredError):
    def forward(self, y_true, y_pred):
        return super().forward(y_pred, y_true)

    def backward(self, dout=1.0):
        return dout * super().backward()


class TargetCalledY(SquaredError):
    def forward(self, pred, y):
        return super().forward(pred, y)


class OfItsInputs(SquaredError):
    def backward(self, y_pred, y_true):
        return self.k * (y_pred - y_true) / y_pred.size


@pytest.mark.parametrize("loss", [SquaredError, TargetFirst, TargetCalledY, OfItsInputs])
def test_a_loss_owes_no_gradient_of_its_targets(loss):
    assert verdict(loss, X, C) == "pass"
    assert verdict(type("Wrong", (loss,), {"k": 1.0}), X, C) == "fail"


def test_a_target_that_is_given_a_gradient_is_given_the_right_one():
    class Both(SquaredError):
        def backward(self):
            return super().backward(), -super().backward()

    class Wrong(SquaredError):
        def backward(self):
            return super().backward(), super().backward()

    assert verdict(Both, X, C) == "pass"
    assert verdict(Wrong, X, C) == "fail"


class Embedding:
    def __init__(self, W):
        self.W = W

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def table(self, dout):
        dW = np.zeros_like(self.W)
        np.add.at(dW, self.ids, dout)
        return dW

    def backward(self, dout):
        self.dW = self.table(dout)


class Returned(Embedding):
    def backward(self, dout):
        return self.table(dout)


class NoneToo(Embedding):
    def backward(self, dout):
        return None, self.table(dout)


@pytest.mark.parametrize("layer", [Embedding, Returned, NoneToo])
@pytest.mark.parametrize("ids", [np.array([0, 2, 2]), [[0, 1], [1, 1]]], ids=["array", "list"])
def test_indices_have_no_gradient_and_their_repeats_add_up(layer, ids):
    class Overwrites(layer):
        def table(self, dout):
            dW = np.zeros_like(self.W)
            dW[self.ids] = dout
            return dW

    assert verdict(layer, ids, W=W) == "pass"
    assert verdict(Overwrites, ids, W=W) == "fail"


class AddAll:
    """A layer that adds up a list of arrays."""

    k = 1.0

    def forward(self, xs):
        self.count = len(xs)
        return sum(xs)

    def backward(self, dout):
        return [dout.copy() for _ in range(self.count - 1)] + [self.k * dout]


def test_a_list_of_arrays_is_several_arguments():
    (subject,) = gradcheck.check(AddAll, inputs=([X, C],)).subjects
    assert (subject.verdict, set(subject.resolution)) == ("pass", {"xs[0]", "xs[1]"})
    report = gradcheck.check(type("Wrong", (AddAll,), {"k": 2.0}), inputs=([X, C],))
    assert {(f.rule, f.argument) for f in report.findings} == {("GC101", "xs[1]")}
