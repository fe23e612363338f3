"""A catalogue of functions whose gradients are right, from easy to nasty, and the way to make a `Function` of them.

A ``Right`` draws its arrays and maps them to ``(y, pullback)``; the pullback gives a gradient per array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from gradcheck.derivative import Block, Function


@dataclass(frozen=True)
class Right:
    name: str
    draw: Callable  # rng -> dict of arrays
    vjp: Callable  # **arrays -> (y, pullback), pullback(w) -> dict of gradients
    never: tuple = ("fail",)  # verdicts that no block may get


def pack(vjp, arrays, wrong=None, *, complex_step=True):
    """Lay arrays end to end and make a `Function`; ``wrong`` maps the right gradients to others."""
    blocks, start = [], 0
    for name, a in arrays.items():
        blocks.append(Block(name, start, start + a.size, a.dtype, a.shape))
        start += a.size
    x = np.concatenate([np.ravel(a).astype(np.float64) for a in arrays.values()])

    def unflat(x):
        return {
            b.name: x[b.where].astype(b.dtype).reshape(a.shape) for b, a in zip(blocks, arrays.values(), strict=True)
        }

    runs = [0]

    def flat(x):
        y, pullback = vjp(**unflat(x))
        runs[0] += 1
        this_run = runs[0]

        def flat_pullback(w):
            assert this_run == runs[0], "the cache of this run is gone: a layer keeps one"
            g = pullback(w.reshape(np.shape(y)).astype(y.dtype))
            g = g if wrong is None else wrong(g)
            return np.concatenate([np.ravel(g[b.name]).astype(np.float64) for b in blocks])

        return np.ravel(y).astype(np.float64), flat_pullback

    def extension(z):
        return np.ravel(vjp(**{b.name: z[b.where].reshape(b.shape) for b in blocks})[0])

    with np.errstate(all="ignore"):
        dtype = np.asarray(vjp(**arrays)[0]).dtype
    return Function(flat, x, tuple(blocks), (dtype,), extension if complex_step else None)


def elementwise(f, df):
    return lambda x: (f(x), lambda w: {"x": w * df(x)})


def sigmoid(x):
    e = np.exp(-np.abs(x))
    return np.where(x > 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype)


def dsigmoid(x):
    return sigmoid(x) * (1 - sigmoid(x))


def dtanh(x):
    return 1 - np.tanh(x) ** 2


def affine(x, W, b):
    return x @ W + b, lambda w: {"x": w @ W.T, "W": x.T @ w, "b": w.sum(0)}


def relu_affine(x, W, b):
    z = x @ W + b

    def pullback(w):
        dz = w * (z > 0)
        return {"x": dz @ W.T, "W": x.T @ dz, "b": dz.sum(0)}

    return np.maximum(z, 0), pullback


def layer_norm(x, g, b, eps=1e-5):
    xc = x - x.mean(1, keepdims=True)
    inv = 1 / np.sqrt((xc * xc).mean(1, keepdims=True) + x.dtype.type(eps))
    h = xc * inv

    def pullback(w):
        dh = w * g
        dx = inv * (dh - dh.mean(1, keepdims=True) - h * (dh * h).mean(1, keepdims=True))
        return {"x": dx, "g": (w * h).sum(0), "b": w.sum(0)}

    return h * g + b, pullback


def layer_norm_tight(x, g, b):
    return layer_norm(x, g, b, eps=1e-12)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    p = e / e.sum(-1, keepdims=True)
    return p, lambda w: {"x": p * (w - (w * p).sum(-1, keepdims=True))}


def cross_entropy(x):
    t = np.arange(len(x)) % x.shape[1]
    z = x - x.max(1, keepdims=True)
    p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
    y = np.log(np.exp(z).sum(1)) - z[np.arange(len(x)), t]
    return y, lambda w: {"x": w[:, None] * (p - np.eye(x.shape[1], dtype=x.dtype)[t])}


def mean_loss(x):
    """One scalar of many inputs."""
    return np.asarray((x * x).mean()), lambda w: {"x": w * 2 * x / x.dtype.type(x.size)}


def max_pool(x):
    v = x.reshape(len(x), -1, 2)
    a = v.argmax(-1)

    def pullback(w):
        g = np.zeros_like(v)
        np.put_along_axis(g, a[..., None], w[..., None], -1)
        return {"x": g.reshape(x.shape)}

    return v.max(-1), pullback


def conv1d(x, k):
    windows = np.lib.stride_tricks.sliding_window_view(x, k.size, axis=1)

    def pullback(w):
        dx = np.zeros_like(x)
        for i in range(k.size):
            dx[:, i : i + w.shape[1]] += w * k[i]
        return {"x": dx, "k": np.einsum("ni,nik->k", w, windows)}

    return windows @ k, pullback


def attention(q, k, v):
    s = q.dtype.type(q.shape[-1] ** -0.5)
    p, back = softmax(q @ k.T * s)

    def pullback(w):
        dz = back(w @ v.T)["x"] * s
        return {"q": dz @ k, "k": dz.T @ q, "v": p.T @ w}

    return p @ v, pullback


def product(x, y):
    return x * y, lambda w: {"x": w * y, "y": w * x}


def gelu(x):
    c, a = x.dtype.type((2 / np.pi) ** 0.5), x.dtype.type(0.044715)
    t = np.tanh(c * (x + a * x**3))
    y = x * (1 + t) / 2
    return y, lambda w: {"x": w * ((1 + t) / 2 + x * (1 - t * t) / 2 * c * (1 + 3 * a * x * x))}


def through(dtype, vjp):
    """The same function computed in a coarser format inside, float64 outside."""

    def inside(**arrays):
        y, pullback = vjp(**{name: a.astype(dtype) for name, a in arrays.items()})
        return y.astype(np.float64), lambda w: {n: g.astype(np.float64) for n, g in pullback(w.astype(dtype)).items()}

    return inside


def residual_half(x):
    """A float64 skip connection around a branch in float16."""
    y, back = elementwise(np.tanh, dtanh)(x.astype(np.float16))
    return x + y, lambda w: {"x": w + back(w.astype(np.float16))["x"]}


def zeros_like_round(x):
    return np.round(x), lambda w: {"x": w}


def skewed_sum(x):
    return (x + 1e8) - 1e8, lambda w: {"x": w}


def normal(*shape, scale=1.0, offset=0.0, dtype=np.float64):
    return lambda rng: (offset + scale * rng.standard_normal(shape)).astype(dtype)


def arrays(**draws):
    return lambda rng: {name: draw(rng) for name, draw in draws.items()}


def full(value, *shape):
    return lambda _: np.full(shape, float(value))


def choice(values, *shape):
    return lambda rng: rng.choice(np.asarray(values, dtype=float), size=shape)


def outlier(*shape, value=1e8):
    def draw(rng):
        x = rng.standard_normal(shape)
        x.flat[0] = value
        return x

    return draw


def near(kink, distance, *shape):
    """A third of the elements at a distance from a kink, on either side."""

    def draw(rng):
        x = kink + rng.uniform(0.2, 1.5, shape) * rng.choice((-1.0, 1.0), shape)
        at = rng.random(shape) < 1 / 3
        return np.where(at, kink + distance * rng.choice((-1.0, 1.0), shape), x)

    return draw


relu = elementwise(lambda x: np.maximum(x, 0), lambda x: (x > 0).astype(x.dtype))
absolute = elementwise(np.abs, np.sign)
hinge = elementwise(lambda x: np.maximum(0, 1 - x), lambda x: -(x < 1).astype(x.dtype))
leaky = elementwise(lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01))
hard_shrink = elementwise(lambda x: x * (np.abs(x) > 0.5), lambda x: (np.abs(x) > 0.5).astype(x.dtype))
clip = elementwise(lambda x: np.clip(x, -1, 1), lambda x: (np.abs(x) <= 1).astype(x.dtype))
logistic = elementwise(sigmoid, dsigmoid)
tanh = elementwise(np.tanh, dtanh)
root = elementwise(np.sqrt, lambda x: 0.5 / np.sqrt(x))
log = elementwise(np.log, lambda x: 1 / x)
steep = elementwise(lambda x: np.exp(10 * x), lambda x: 10 * np.exp(10 * x))
wave = elementwise(lambda x: np.sin(1000 * x), lambda x: 1000 * np.cos(1000 * x))
fast_wave = elementwise(lambda x: np.sin(1e8 * x), lambda x: 1e8 * np.cos(1e8 * x))
cube = elementwise(lambda x: 1e8 + x**3, lambda x: 3 * x * x)
step = elementwise(np.sign, np.zeros_like)
step_through = elementwise(np.sign, np.ones_like)
round_through = elementwise(np.round, np.ones_like)
quantised = elementwise(lambda x: np.round(x * 16) / 16, np.ones_like)
floor_fast = elementwise(lambda x: np.floor(1e4 * x) / 1e4, np.ones_like)
constant = elementwise(lambda x: 0 * x + 3, np.zeros_like)

_a = {"x": normal(6, 5), "W": normal(5, 4), "b": normal(4)}
_ln = {"x": normal(4, 8), "g": normal(8, offset=1.0, scale=0.1), "b": normal(8)}


def _single(**draws):
    return {name: (lambda rng, draw=draw: draw(rng).astype(np.float32)) for name, draw in draws.items()}


def _half(**draws):
    return {name: (lambda rng, draw=draw: draw(rng).astype(np.float16)) for name, draw in draws.items()}


CATALOGUE = [
    Right("affine", arrays(**_a), affine, ("fail", "inconclusive", "vacuous")),
    Right("affine 1e-6", arrays(**(_a | {"x": normal(6, 5, scale=1e-6)})), affine, ("fail", "inconclusive")),
    Right("affine 1e6", arrays(**(_a | {"x": normal(6, 5, scale=1e6)})), affine, ("fail", "inconclusive")),
    Right("affine 1e-100", arrays(**(_a | {"x": normal(6, 5, scale=1e-100)})), affine),
    Right("affine 1e100", arrays(**(_a | {"x": normal(6, 5, scale=1e100)})), affine),
    Right("affine offset", arrays(**(_a | {"x": normal(6, 5, offset=1e6)})), affine),
    Right("affine outlier", arrays(**(_a | {"x": outlier(6, 5)})), affine),
    Right("affine integers", arrays(**(_a | {"x": choice(range(-3, 4), 6, 5)})), affine, ("fail", "inconclusive")),
    Right("affine zeros", arrays(**(_a | {"x": full(0, 6, 5)})), affine),
    Right("affine single", arrays(**_single(**_a)), affine, ("fail", "inconclusive", "vacuous")),
    Right("affine half", arrays(**_half(**_a)), affine),
    Right("affine through single", arrays(**_a), through(np.float32, affine)),
    Right("affine through half", arrays(**_a), through(np.float16, affine)),
    Right("relu affine", arrays(**_a), relu_affine),
    Right(
        "relu affine zeros", arrays(x=choice(range(-3, 4), 6, 5), W=choice((-1, 0, 1), 5, 4), b=full(0, 4)), relu_affine
    ),
    Right("product 100 2", arrays(x=full(100, 1), y=full(2, 1)), product, ("fail", "inconclusive", "vacuous")),
    Right("product scalars", arrays(x=normal(), y=normal()), product, ("fail", "inconclusive")),
    Right("product single", arrays(**_single(x=normal(1), y=normal(1))), product),
    Right("product half", arrays(**_half(x=normal(7), y=normal(7))), product),
    Right("relu", arrays(x=normal(5, 6)), relu, ("fail", "inconclusive", "vacuous")),
    Right("relu one", arrays(x=normal(1)), relu, ("fail", "inconclusive")),
    Right("relu at 0", arrays(x=near(0, 0, 30)), relu),
    Right("relu all at 0", arrays(x=full(0, 30)), relu, ("fail", "pass")),
    Right("relu 1e-12", arrays(x=near(0, 1e-12, 30)), relu),
    Right("relu 1e-8", arrays(x=near(0, 1e-8, 30)), relu),
    Right("relu 1e-4", arrays(x=near(0, 1e-4, 30)), relu),
    Right("relu half at 0", arrays(**_half(x=near(0, 0, 30))), relu),
    Right("leaky at 0", arrays(x=near(0, 0, 30)), leaky),
    Right("abs at 0", arrays(x=near(0, 0, 30)), absolute),
    Right("abs 1e-12", arrays(x=near(0, 1e-12, 30)), absolute),
    Right("hinge at 1", arrays(x=near(1, 0, 30)), hinge),
    Right("hinge 1e-12", arrays(x=near(1, 1e-12, 30)), hinge),
    Right("hinge single", arrays(**_single(x=near(1, 0, 30))), hinge),
    Right("clip at 1", arrays(x=near(1, 0, 30)), clip),
    Right("hard shrink", arrays(x=normal(30)), hard_shrink),
    Right("hard shrink at the jump", arrays(x=near(0.5, 0, 30)), hard_shrink),
    Right("max pool", arrays(x=normal(4, 8)), max_pool, ("fail", "inconclusive")),
    Right("max pool ties", arrays(x=choice((0, 1, 2), 4, 8)), max_pool),
    Right("max pool all tied", arrays(x=full(1, 4, 8)), max_pool),
    Right("sigmoid", arrays(x=normal(30)), logistic, ("fail", "inconclusive", "vacuous")),
    Right("sigmoid saturated", arrays(x=normal(30, scale=40)), logistic),
    Right("sigmoid saturated one", arrays(x=normal(1, scale=30)), logistic),
    Right("sigmoid far", arrays(x=normal(30, scale=1e3)), logistic),
    Right("sigmoid single", arrays(**_single(x=normal(30, scale=5))), logistic),
    Right("sigmoid half", arrays(**_half(x=normal(30, scale=3))), logistic),
    Right("sigmoid through half", arrays(x=normal(30)), through(np.float16, logistic)),
    Right("sigmoid through half one", arrays(x=normal(1)), through(np.float16, logistic)),
    Right("sigmoid through single one", arrays(x=normal(1)), through(np.float32, logistic)),
    Right("tanh saturated", arrays(x=normal(30, scale=20)), tanh),
    Right("tanh single saturated", arrays(**_single(x=normal(30, scale=20))), tanh),
    Right("gelu", arrays(x=normal(30, scale=2)), gelu, ("fail", "inconclusive")),
    Right("gelu single", arrays(**_single(x=normal(30, scale=2))), gelu),
    Right("gelu tail one", arrays(x=normal(1, offset=-7)), gelu),
    Right("gelu tail single one", arrays(**_single(x=normal(1, offset=-4.5))), gelu),
    Right("gelu tail single", arrays(**_single(x=normal(6, offset=-4.5))), gelu),
    Right("gelu half", arrays(**_half(x=normal(30, scale=2))), gelu),
    Right("gelu through half", arrays(x=normal(30, scale=2)), through(np.float16, gelu)),
    Right("softmax", arrays(x=normal(4, 7)), softmax, ("fail", "inconclusive", "vacuous")),
    Right("softmax one class", arrays(x=normal(4, 1)), softmax),
    Right("softmax logits 100", arrays(x=normal(4, 7, scale=100)), softmax),
    Right("cross entropy", arrays(x=normal(4, 7)), cross_entropy, ("fail", "inconclusive", "vacuous")),
    Right("cross entropy logits 100", arrays(x=normal(4, 7, scale=100)), cross_entropy),
    Right("cross entropy single", arrays(**_single(x=normal(4, 7))), cross_entropy),
    Right("layer norm", arrays(**_ln), layer_norm, ("fail", "inconclusive", "vacuous")),
    Right(
        "layer norm 32 64",
        arrays(x=normal(32, 64), g=normal(64, offset=1.0), b=normal(64)),
        layer_norm,
        ("fail", "inconclusive", "vacuous"),
    ),
    Right("layer norm 1e-6", arrays(**(_ln | {"x": normal(4, 8, scale=1e-6)})), layer_norm),
    Right("layer norm 1e6", arrays(**(_ln | {"x": normal(4, 8, scale=1e6)})), layer_norm),
    Right("layer norm constant", arrays(**(_ln | {"x": full(2.5, 4, 8)})), layer_norm),
    Right("layer norm two", arrays(x=normal(3, 2), g=normal(2), b=normal(2)), layer_norm),
    Right("layer norm two tight", arrays(x=normal(3, 2), g=normal(2), b=normal(2)), layer_norm_tight),
    Right("layer norm two 1e6", arrays(x=normal(3, 2, scale=1e6), g=normal(2), b=normal(2)), layer_norm_tight),
    Right("layer norm one", arrays(x=normal(3, 1), g=normal(1), b=normal(1)), layer_norm),
    Right("layer norm single", arrays(**_single(**_ln)), layer_norm),
    Right("layer norm two single", arrays(**_single(x=normal(3, 2), g=normal(2), b=normal(2))), layer_norm),
    Right("layer norm half", arrays(**_half(**_ln)), layer_norm),
    Right("layer norm through single", arrays(**_ln), through(np.float32, layer_norm)),
    Right(
        "layer norm two through single",
        arrays(x=normal(3, 2), g=normal(2), b=normal(2)),
        through(np.float32, layer_norm),
    ),
    Right("layer norm through half", arrays(**_ln), through(np.float16, layer_norm)),
    Right("conv", arrays(x=normal(3, 12), k=normal(3)), conv1d, ("fail", "inconclusive", "vacuous")),
    Right(
        "attention",
        arrays(q=normal(5, 4), k=normal(6, 4), v=normal(6, 3)),
        attention,
        ("fail", "inconclusive", "vacuous"),
    ),
    Right(
        "attention saturated", arrays(q=normal(5, 4, scale=100), k=normal(6, 4, scale=10), v=normal(6, 3)), attention
    ),
    Right("attention single", arrays(**_single(q=normal(5, 4), k=normal(6, 4), v=normal(6, 3))), attention),
    Right("mean loss", arrays(x=normal(1000)), mean_loss, ("fail", "inconclusive", "vacuous")),
    Right("mean loss single", arrays(**_single(x=normal(100))), mean_loss),
    Right("mean loss half", arrays(**_half(x=normal(100))), mean_loss),
    Right("mean loss through half", arrays(x=normal(100)), through(np.float16, mean_loss)),
    Right("residual half", arrays(x=normal(30)), residual_half),
    Right("residual half one", arrays(x=normal(1)), residual_half),
    Right("sqrt", arrays(x=lambda rng: rng.uniform(1e-6, 4, 30)), root, ("fail", "inconclusive")),
    Right("sqrt near 0", arrays(x=lambda rng: rng.choice((1e-6, 1e-8, 1.0), 30)), root),
    Right("sqrt one near 0", arrays(x=full(1e-6, 1)), root, ("fail", "inconclusive", "vacuous")),
    Right("log near 0", arrays(x=lambda rng: rng.choice((1e-6, 1e-9, 1.0), 30)), log),
    Right("exp 10x", arrays(x=normal(30)), steep, ("fail", "inconclusive")),
    Right("sin 1000x", arrays(x=normal(30)), wave, ("fail", "inconclusive")),
    Right("sin 1e8x", arrays(x=normal(30)), fast_wave),
    Right("sin 1e8x one", arrays(x=normal(1)), fast_wave),
    Right("1e8 + x^3", arrays(x=normal(30)), cube),
    Right("1e8 + x^3 one", arrays(x=normal(1)), cube),
    Right("(x + 1e8) - 1e8", arrays(x=normal(30)), skewed_sum),
    Right("(x + 1e8) - 1e8 one", arrays(x=normal(1)), skewed_sum),
    Right("step", arrays(x=normal(30)), step, ("fail", "pass")),
    Right("step, straight through", arrays(x=normal(30)), step_through, ("fail", "pass")),
    Right("step, straight through, one", arrays(x=normal(1)), step_through, ("fail", "pass")),
    Right("round, straight through", arrays(x=normal(30, scale=2)), round_through, ("fail", "pass")),
    Right("round, straight through, one", arrays(x=normal(1)), round_through, ("fail", "pass")),
    Right("sixteenths, straight through", arrays(x=normal(30)), quantised),
    Right("floor of 1e4 x, straight through", arrays(x=normal(30)), floor_fast),
    Right("constant", arrays(x=normal(30)), constant, ("fail", "pass", "inconclusive")),
]


@pytest.fixture(params=CATALOGUE, ids=[right.name for right in CATALOGUE])
def right(request):
    return request.param


@pytest.fixture(name="pack")
def pack_fixture():
    return pack


@pytest.fixture(name="catalogue")
def catalogue_fixture():
    return {right.name: right for right in CATALOGUE}
