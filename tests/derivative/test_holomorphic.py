"""The tracer certifies no function wrongly, and nearly all that take a complex step.

The truth is a central difference of the real function, always.
"""

import copy
import itertools
import math
import pickle
import warnings

import numpy as np
import pytest
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from gradcheck.derivative import operations
from gradcheck.derivative.holomorphic import NotHolomorphicError, Traced, extend

H = 2.0**-100
RNG = np.random.default_rng(0)
X, V, W, K, IMAGE = (RNG.standard_normal(shape) for shape in ((4, 6), (4, 6), (6, 5), (3, 3), (7, 7)))
LABELS = np.arange(4)
CAUSAL = np.tri(4, dtype=bool)
POSITIVE = RNG.uniform(0.5, 2.0, (4, 6))


def slope(f, x=X, v=V):
    """The imaginary part of the extension, over the step."""
    return extend(f, x + 1j * H * v).imag / H


def by_differences(f, x=X, v=V, h=1e-5):
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        up, down, further_up, further_down = (np.asarray(f(x + k * h * v)) for k in (1, -1, 2, -2))
        return (8 * (up - down) - (further_up - further_down)) / (12 * h)


def assert_right(f, x=X, v=V, rtol=1e-6):
    expected = by_differences(f, x, v)
    got = slope(f, x, v)
    assert got.shape == expected.shape
    np.testing.assert_allclose(got, expected, rtol=rtol, atol=rtol * np.abs(expected).max(initial=0))


def refusal(f, x=X, v=V):
    with pytest.raises(NotHolomorphicError) as caught:
        extend(f, x + 1j * H * v)
    return str(caught.value)


# ---- The constructs that layers are written with -------------------------------------------------------------------


def softmax(x):
    e = np.exp(x - x.max(1, keepdims=True))
    return e / e.sum(1, keepdims=True)


def layernorm(variance):
    def f(x):
        mu = x.mean(1, keepdims=True)
        return (x - mu) / np.sqrt(variance(x, mu) + 1e-5)

    return f


def stable_sigmoid(make):
    def f(x):
        out = make(x)
        positive = x >= 0
        out[positive] = 1 / (1 + np.exp(-x[positive]))
        e = np.exp(x[~positive])
        out[~positive] = e / (1 + e)
        return out

    return f


def relu_in_place(x):
    y = x.copy()
    y[y < 0] = 0
    return y


def affine_into_a_buffer(x):
    out = np.zeros((x.shape[0], 5))
    for i in range(x.shape[0]):
        out[i] = x[i] @ W
    return out


def im2col_into_a_buffer(x):
    columns = np.zeros((8, 9))
    for k in range(8):
        i, j = divmod(k, 4)
        columns[k] = x[i : i + 3, j : j + 3].ravel()
    return columns @ K.ravel()


def windows(x):
    return sliding_window_view(x, (3, 3))


def pool_into(make):
    def f(x):
        out = make(x)
        for i in range(2):
            for j in range(3):
                out[i, j] = np.max(x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2])
        return out

    return f


def rnn_into_a_buffer(x):
    states = np.zeros((4, 6))
    for t in range(4):
        states[t] = np.tanh(x[t] + (states[t - 1] if t else 0))
    return states


def attention(mask=lambda s: s):
    return lambda x: softmax(mask(x @ x.T)) @ x


def gram(x):
    return x.T @ x + np.eye(6)


def xent(x):
    return -np.log(softmax(x)[LABELS, LABELS])


def insists_on_float64(x):
    if x.dtype != np.float64:
        raise TypeError("float64, please")
    return x * 2


TAKES_IT = {
    "affine @": lambda x: x @ W,
    "affine np.dot": lambda x: np.dot(x, W),
    "affine einsum": lambda x: np.einsum("ni,ij->nj", x, W),
    "relu maximum": lambda x: np.maximum(0, x),
    "relu mask product": lambda x: x * (x > 0),
    "relu where": lambda x: np.where(x > 0, x, 0),
    "relu in place": relu_in_place,
    "relu clip": lambda x: np.clip(x, 0, None),
    "leaky relu": lambda x: np.where(x > 0, x, 0.1 * x),
    "relu fmax": lambda x: np.fmax(x, 0),
    "elu": lambda x: np.where(x > 0, x, np.expm1(np.minimum(x, 0))),
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "sigmoid zeros_like": stable_sigmoid(np.zeros_like),
    "sigmoid piecewise": lambda x: np.piecewise(
        x, [x < 0, x >= 0], [lambda t: np.exp(t) / (1 + np.exp(t)), lambda t: 1 / (1 + np.exp(-t))]
    ),
    "tanh": np.tanh,
    "tanh by exp": lambda x: (np.exp(x) - np.exp(-x)) / (np.exp(x) + np.exp(-x)),
    "softplus log1p": lambda x: np.log1p(np.exp(x)),
    "cross entropy": xent,
    "cross entropy clipped": lambda x: -np.log(np.clip(softmax(x), 1e-12, 1.0)[LABELS, LABELS]),
    "layernorm mean of squares": layernorm(lambda x, mu: ((x - mu) ** 2).mean(1, keepdims=True)),
    "layernorm np.square": layernorm(lambda x, mu: np.square(x - mu).mean(1, keepdims=True)),
    "layernorm E[x^2]-mu^2": layernorm(lambda x, mu: (x**2).mean(1, keepdims=True) - mu**2),
    "batchnorm": lambda x: (x - x.mean(0)) / np.sqrt(((x - x.mean(0)) ** 2).mean(0) + 1e-5),
    "rmsnorm": lambda x: x / np.sqrt((x * x).mean(1, keepdims=True)),
    "conv windows einsum": lambda x: np.einsum("ijkl,kl->ij", windows(x), K),
    "conv windows tensordot": lambda x: np.tensordot(windows(x), K, 2),
    "conv pad": lambda x: np.pad(x, 1)[1:3] * 2.0,
    "maxpool reshape": lambda x: x.reshape(2, 2, 3, 2).max(axis=(1, 3)),
    "maxpool argmax": lambda x: np.take_along_axis(x, x.argmax(1)[:, None], 1),
    "maxpool into a typed buffer": pool_into(lambda x: np.zeros((2, 3), dtype=x.dtype)),
    "sort": lambda x: np.sort(x, 1) * np.arange(6),
    "median": lambda x: np.median(x, 1),
    "partition": lambda x: np.partition(x, 3, axis=1)[:, 3:],
    "gelu by tanh": lambda x: 0.5 * x * (1 + np.tanh(0.79788456 * (x + 0.044715 * x**3))),
    "attention": attention(),
    "attention masked by -inf": attention(lambda s: np.where(CAUSAL, s, -np.inf)),
    "attention masked by -1e9": attention(lambda s: np.where(CAUSAL, s, -1e9)),
    "attention plus -inf": attention(lambda s: s + np.where(CAUSAL, 0.0, -np.inf)),
    "lstm cell": lambda x: 1 / (1 + np.exp(-x[:, :2])) * np.tanh(x[:, 2:4]) + np.tanh(x[:, 4:]),
    "rnn list and stack": lambda x: np.stack([np.tanh(x[t]) for t in range(4)]),
    "hinge": lambda x: np.maximum(0, 1 - x),
    "inner": lambda x: np.inner(x, x),
    "prod": lambda x: np.prod(x, 1),
    "cumsum": lambda x: np.cumsum(x, 1),
    "power 2.5": lambda x: (x * x + 1) ** 2.5,
    "power 3": lambda x: np.power(x, 3),
    "det": lambda x: np.linalg.det(gram(x)),
    "inv": lambda x: np.linalg.inv(gram(x)),
    "solve": lambda x: np.linalg.solve(gram(x), np.ones(6)),
}
# NumPy makes something else of complex numbers; the real function has an extension all the same.
EXTENDED = {
    "layernorm std": layernorm(lambda x, mu: np.std(x, 1, keepdims=True) ** 2),
    "layernorm var": layernorm(lambda x, mu: x.var(1, keepdims=True)),
    "relu by abs": lambda x: (x + np.abs(x)) / 2,
    "sigmoid by abs": lambda x: np.where(x >= 0, 1, np.exp(-np.abs(x))) / (1 + np.exp(-np.abs(x))),
    "softplus by abs": lambda x: np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x))),
    "batchnorm var": lambda x: (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5),
    "l2 norm": lambda x: x / np.linalg.norm(x, axis=1, keepdims=True),
    "attention conj": lambda x: softmax(x @ x.conj().T) @ x,
    "a little abs": lambda x: x**2 + 1e-6 * np.abs(x),
    "huber": lambda x: np.where(np.abs(x) < 1, 0.5 * x * x, np.sign(x) * x - 0.5),
    "sign": lambda x: np.sign(x) * x,
    "vdot": lambda x: np.vdot(x, x),
    "real": lambda x: x.real * x,
    "abs": np.abs,
    "logaddexp": lambda x: np.logaddexp(0, x),
    "hypot": lambda x: np.hypot(x, 1.0),
}
SILENTLY_WRONG = {
    "correlate with respect to the kernel": lambda x: np.correlate(IMAGE.ravel(), x.ravel(), "valid"),
    "cholesky": lambda x: np.linalg.cholesky(gram(x)),
    "fft": lambda x: np.fft.ifft(np.fft.fft(x)),
}
VISIBLY_WRONG = {
    "affine buffer": affine_into_a_buffer,
    "sigmoid buffer": stable_sigmoid(lambda x: np.zeros(x.shape)),
    "im2col buffer": im2col_into_a_buffer,
    "rnn buffer": rnn_into_a_buffer,
    "eigvalsh": lambda x: np.linalg.eigvalsh(x.T @ x),
    "singular values": lambda x: np.linalg.svd(x, compute_uv=False),
    "slogdet": lambda x: np.linalg.slogdet(gram(x))[1],
    "qr": lambda x: np.abs(np.diag(np.linalg.qr(x.T[:, :4])[1])),
    "asarray float": lambda x: np.tanh(np.asarray(x, dtype=float)),
    "float()": lambda x: float(x[0, 0]) * x,
    "tanh of math": np.vectorize(math.tanh),
    "erf of math": lambda x: x * (1 + np.vectorize(math.erf)(x / 2**0.5)) / 2,
    "rfft": lambda x: np.fft.irfft(np.fft.rfft(x, axis=1) * 2.0, axis=1),
    "arctan2": lambda x: np.arctan2(x, 1 + x * x),
    "insists on float64": insists_on_float64,
}
# np.zeros(..., dtype=x.dtype) is a plain array: what is written there leaves the trace.
NOT_SEEN = {"maxpool into a typed buffer"}


@pytest.mark.parametrize("name", [*(name for name in TAKES_IT if name not in NOT_SEEN), *EXTENDED])
def test_what_takes_a_complex_step_is_certified(name):
    assert_right((TAKES_IT | EXTENDED)[name])


@pytest.mark.parametrize("name", [*SILENTLY_WRONG, *VISIBLY_WRONG, *NOT_SEEN])
def test_what_does_not_or_may_not_is_refused(name):
    refusal((SILENTLY_WRONG | VISIBLY_WRONG | TAKES_IT)[name])


def test_of_the_57_constructs_that_take_it_51_are_certified():
    # 49 in NumPy alone, all but one; 8 of SciPy, of which three are ufuncs (the others read the memory: refused).
    assert len(TAKES_IT) == 49
    special = pytest.importorskip("scipy.special")
    signal = pytest.importorskip("scipy.signal")
    of_scipy = (
        lambda x: special.logsumexp(x, axis=1) - x[LABELS, LABELS],
        lambda x: -special.log_softmax(x, axis=1)[LABELS, LABELS],
        lambda x: -np.log(special.softmax(x, axis=1)[LABELS, LABELS]),
        lambda x: -special.xlogy(0.3, softmax(x)),
        lambda x: signal.convolve2d(x, K, "valid"),
        lambda x: signal.correlate2d(x, K, "valid"),
        lambda x: x * (1 + special.erf(x / 2**0.5)) / 2,
        lambda x: x * special.ndtr(x),
    )
    certified = 0
    for f in (*TAKES_IT.values(), *of_scipy):
        try:
            extend(f, X + 1j * H * V)
        except NotHolomorphicError:
            continue
        assert_right(f)
        certified += 1
    assert certified >= 51


def test_of_scipy_nothing_is_certified_wrongly():
    special = pytest.importorskip("scipy.special")
    linalg = pytest.importorskip("scipy.linalg")
    ufuncs = [f for f in vars(special).values() if isinstance(f, np.ufunc) and f.nin <= 2 and f.nout == 1]
    certified = set()
    for f in [*ufuncs, linalg.norm, linalg.det, linalg.expm]:
        for x in (X[0], POSITIVE[0], 0.4 * POSITIVE[0], -POSITIVE[0], 10 * POSITIVE[0]):
            for g in (f, lambda x, f=f: f(0.3, x), lambda x, f=f: x * f(x)):
                try:
                    got = slope(g, x, V[0])
                except NotHolomorphicError:
                    continue
                certified.add(f.__name__)
                expected = by_differences(g, x, V[0])
                np.testing.assert_allclose(
                    got, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max() + 1e-9, err_msg=str(f)
                )
    assert {"erf", "erfc", "ndtr", "log_ndtr", "loggamma", "psi", "xlogy"} <= certified


# ---- The tables: every entry is held against a difference, and nothing else in NumPy is certified wrongly -----------

# name -> (derivative, points)
BOTH, SMALL, UNIT = np.linspace(-30, 30, 60), np.linspace(-1.4, 1.4, 30), np.linspace(-0.95, 0.95, 20)
ABOVE_0, ABOVE_1 = np.geomspace(1e-8, 600, 60), np.geomspace(1.1, 600, 30)
DERIVATIVES = {
    "exp": (np.exp, BOTH),
    "exp2": (lambda x: np.log(2) * np.exp2(x), BOTH),
    "expm1": (np.exp, BOTH),
    "log": (lambda x: 1 / x, np.concatenate([ABOVE_0, [1 - 1e-12, 1.0, 1 + 1e-12]])),
    "log2": (lambda x: 1 / x / np.log(2), ABOVE_0),
    "log10": (lambda x: 1 / x / np.log(10), ABOVE_0),
    "log1p": (lambda x: 1 / (1 + x), np.concatenate([ABOVE_0, UNIT, [1e-20, -1e-20]])),
    "sqrt": (lambda x: 0.5 / np.sqrt(x), ABOVE_0),
    "square": (lambda x: 2 * x, BOTH),
    "reciprocal": (lambda x: -1 / x**2, BOTH),
    "negative": (lambda x: -np.ones_like(x), BOTH),
    "positive": (np.ones_like, BOTH),
    "sin": (np.cos, BOTH),
    "cos": (lambda x: -np.sin(x), BOTH),
    "tan": (lambda x: 1 / np.cos(x) ** 2, SMALL),
    "sinh": (np.cosh, BOTH),
    "cosh": (np.sinh, BOTH),
    "tanh": (lambda x: 1 / np.cosh(x) ** 2, np.linspace(-300, 300, 60)),
    "arctan": (lambda x: 1 / (1 + x**2), BOTH),
    "arcsinh": (lambda x: 1 / np.sqrt(1 + x**2), BOTH),
    "arcsin": (lambda x: 1 / np.sqrt(1 - x**2), UNIT),
    "arccos": (lambda x: -1 / np.sqrt(1 - x**2), UNIT),
    "arctanh": (lambda x: 1 / (1 - x**2), UNIT),
    "arccosh": (lambda x: 1 / np.sqrt(x**2 - 1), ABOVE_1),
}
FUNCTIONS = {
    "add": lambda x: np.add(x, x),
    "subtract": lambda x: np.subtract(1, x),
    "multiply": lambda x: np.multiply(x, x),
    "divide": lambda x: np.divide(x, 3 + x),
    "power": lambda x: np.power(x, -3),
    "float_power": lambda x: np.float_power(x, 2),
    "matmul": lambda x: np.matmul(x, x.T),
    "maximum": lambda x: np.maximum(x, 0.1),
    "minimum": lambda x: np.minimum(x, 0.1),
    "fmax": lambda x: np.fmax(x, 0.1),
    "fmin": lambda x: np.fmin(x, 0.1),
    "append": lambda x: np.append(x, x * x, axis=1),
    "average": lambda x: np.average(x, axis=1, weights=x * x),
    "block": lambda x: np.block([[x, x * x], [2 * x, x]]),
    "broadcast_to": lambda x: np.broadcast_to(x, (2, 4, 6)),
    "clip": lambda x: np.clip(x, -0.5, 0.5),
    "column_stack": lambda x: np.column_stack([x, x * x]),
    "concat": lambda x: np.concat([x, W.T]),
    "concatenate": lambda x: np.concatenate([x, W.T]),
    "convolve": lambda x: np.convolve(x[0], x[1]),
    "copy": np.copy,
    "copyto": lambda x: (y := np.zeros_like(x), np.copyto(y, x, where=CAUSAL[:, :1]))[0],
    "cross": lambda x: np.cross(x[:, :3], x[:, 3:]),
    "cumprod": lambda x: np.cumprod(x, 1),
    "cumsum": lambda x: np.cumsum(x, 0),
    "cumulative_prod": lambda x: np.cumulative_prod(x, axis=1),
    "cumulative_sum": lambda x: np.cumulative_sum(x, axis=0),
    "delete": lambda x: np.delete(x, 1, axis=0),
    "diag": lambda x: np.diag(np.diag(x)),
    "diagflat": lambda x: np.diagflat(x[0]),
    "diagonal": np.diagonal,
    "diff": np.diff,
    "dot": lambda x: np.dot(W.T, x.T),
    "dstack": lambda x: np.dstack([x, x * x]),
    "einsum": lambda x: np.einsum("ij,ij->i", x, x, optimize=True),
    "expand_dims": lambda x: np.expand_dims(x, 1),
    "fill_diagonal": lambda x: (y := x.copy(), np.fill_diagonal(y, x[0, 5]))[0],
    "flip": np.flip,
    "fliplr": np.fliplr,
    "flipud": np.flipud,
    "gradient": lambda x: np.gradient(x, axis=1),
    "hsplit": lambda x: np.hsplit(x, 2)[1],
    "hstack": lambda x: np.hstack([x, x * x]),
    "inner": lambda x: np.inner(x, x),
    "insert": lambda x: np.insert(x, 1, x[0] ** 2, axis=0),
    "kron": lambda x: np.kron(x, x),
    "matrix_transpose": lambda x: np.matrix_transpose(x * x),
    "max": np.max,
    "amax": lambda x: np.amax(x, 1),
    "mean": lambda x: np.mean(x, axis=0, dtype=np.float64),
    "median": np.median,
    "min": lambda x: np.min(x, 0),
    "amin": np.amin,
    "moveaxis": lambda x: np.moveaxis(x, 0, 1),
    "nanmax": lambda x: np.nanmax(x, 1),
    "nanmean": lambda x: np.nanmean(np.where(x > 0, x, np.nan)),
    "nanmin": lambda x: np.nanmin(x, 1),
    "nansum": lambda x: np.nansum(np.where(x > 0, x, np.nan), 1),
    "outer": lambda x: np.outer(x, x),
    "pad": lambda x: np.pad(x, 2, mode="reflect"),
    "partition": lambda x: np.sort(np.partition(x, 2)[:, 3:]),
    "permute_dims": lambda x: np.permute_dims(x, (1, 0)),
    "prod": np.prod,
    "ptp": lambda x: np.ptp(x, 0),
    "put": lambda x: (y := x * x, np.put(y, [0, 1], x[3, :2]))[0],
    "put_along_axis": lambda x: (y := x * x, np.put_along_axis(y, x.argmax(1)[:, None], x[:, :1], 1))[0],
    "ravel": np.ravel,
    "repeat": lambda x: np.repeat(x, 2, axis=0),
    "reshape": lambda x: np.reshape(x, (3, -1)),
    "roll": lambda x: np.roll(x, 2, axis=1),
    "rollaxis": lambda x: np.rollaxis(x, 1),
    "rot90": np.rot90,
    "select": lambda x: np.select([x > 1, x > 0], [x, x**2], 0.1 * x),
    "sort": np.sort,
    "split": lambda x: np.split(x, 2)[1],
    "squeeze": lambda x: np.squeeze(x[:1]),
    "stack": lambda x: np.stack([x, x * x], axis=1),
    "sum": lambda x: np.sum(x, axis=1, keepdims=True),
    "swapaxes": lambda x: np.swapaxes(x, 0, 1),
    "take": lambda x: np.take(x, [0, 2, 2], axis=1),
    "take_along_axis": lambda x: np.take_along_axis(x, np.argsort(x, 1), 1),
    "tensordot": lambda x: np.tensordot(x, x, ([0], [0])),
    "tile": lambda x: np.tile(x, (2, 1)),
    "trace": np.trace,
    "transpose": np.transpose,
    "trapezoid": lambda x: np.trapezoid(x * x),
    "tril": np.tril,
    "triu": np.triu,
    "unstack": lambda x: np.unstack(x)[1],
    "vsplit": lambda x: np.vsplit(x, 2)[0],
    "vstack": lambda x: np.vstack([x, x]),
    "where": lambda x: np.where(x > 0, x, x * x),
    "sliding_window_view": windows,
    "atleast_1d": lambda x: np.atleast_1d(x[0, 0]),
    "atleast_2d": lambda x: np.atleast_2d(x[0], W[0])[0],
    "atleast_3d": np.atleast_3d,
    "broadcast_arrays": lambda x: np.multiply(*np.broadcast_arrays(x[:, None], V[0])),
    "empty_like": lambda x: (y := np.empty_like(x, dtype=np.float64), y.fill(x[0, 0]), y + x)[2],
    "full_like": lambda x: np.full_like(x, 3.0) * x + np.full_like(x, x[0, 0]),
    "meshgrid": lambda x: np.multiply(*np.meshgrid(x[0], V[0])),
    "ones_like": lambda x: np.ones_like(x) * x + np.ones_like(x, dtype=int),
    "zeros_like": lambda x: np.zeros_like(x, dtype=np.float64) + x,
}
LINALG = {
    "cross": lambda x: np.linalg.cross(x[:, :3], x[:, 3:]),
    "det": lambda x: np.linalg.det(np.stack([x[:, :4], x[:, 2:], -x[:, 1:5], x[::-1, :4]])),  # of both signs
    "diagonal": lambda x: np.linalg.diagonal(x * x),
    "inv": lambda x: np.linalg.inv(gram(x)),
    "matmul": lambda x: np.linalg.matmul(x, W),
    "matrix_power": lambda x: np.linalg.matrix_power(gram(x), -2),
    "matrix_transpose": lambda x: np.linalg.matrix_transpose(x * x),
    "multi_dot": lambda x: np.linalg.multi_dot([x, W, W.T, x.T]),
    "outer": lambda x: np.linalg.outer(x[0], x[1]),
    "solve": lambda x: np.linalg.solve(gram(x), x.T),
    "tensordot": lambda x: np.linalg.tensordot(x, W, axes=1),
    "trace": lambda x: np.linalg.trace(x[:, :4]),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_the_imaginary_part_of_an_elementary_function_is_right_to_its_last_digits(name):
    derivative, x = DERIVATIVES[name]
    v = np.linspace(-2, 3, x.size)
    np.testing.assert_allclose(slope(getattr(np, name), x, v), derivative(x) * v, rtol=2e-13, atol=0)
    real = extend(getattr(np, name), x + 1j * H * v).real
    np.testing.assert_allclose(real, getattr(np, name)(x), rtol=1e-14, atol=0)


@pytest.mark.parametrize("p", [1, 2, 3, 7, 99, 0.5, 2.5, -1, -2, -1.5, 130])
def test_powers_are_right_to_their_last_digits(p):
    x = np.geomspace(0.1, 10, 30)
    np.testing.assert_allclose(slope(lambda x: x**p, x, x), p * x**p, rtol=1e-13, atol=0)
    np.testing.assert_allclose(slope(lambda x: np.power(x, float(p)), x, x), p * x**p, rtol=1e-13, atol=0)
    if float(p).is_integer() and p < 100:
        np.testing.assert_allclose(slope(lambda x: np.power(x, p), -x, x), -p * (-x) ** (p - 1.0) * -x, rtol=1e-13)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_of_numpy(name):
    if not hasattr(np, name) and name != "sliding_window_view":
        pytest.skip("not in this NumPy")
    assert_right(FUNCTIONS[name])


@pytest.mark.parametrize("name", LINALG)
def test_functions_of_numpy_linalg(name):
    try:
        LINALG[name](X)
    except AttributeError:
        pytest.skip("not in this NumPy")
    assert_right(LINALG[name])


def test_every_holomorphic_entry_of_the_tables_is_tried_above():
    tried = {getattr(np, name) for name in (*DERIVATIVES, *FUNCTIONS) if hasattr(np, name)}
    tried |= {getattr(np.linalg, name) for name in LINALG if hasattr(np.linalg, name)} | {
        sliding_window_view,
        "fill",
        "flatten",
    }
    listed = {f for f, kind in operations.KIND_OF.items() if kind != "deciding"} | operations.SINGULAR
    assert listed <= tried


def dispatched():
    """All functions of NumPy that an array can take part in, but for those that write files."""
    modules = (np, np.linalg, np.fft, np.lib.stride_tricks)
    found = {f"{m.__name__}.{name}": getattr(m, name) for m in modules for name in dir(m) if name[0] != "_"}
    return {
        name: f
        for name, f in found.items()
        if (isinstance(f, np.ufunc) or hasattr(f, "_implementation")) and ".save" not in name
    }


with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # asking for a deprecated name warns
    ALL_OF_NUMPY = dispatched()
WAYS = {
    "f(x)": lambda f: f,
    "f(x, x)": lambda f: lambda x: f(x, x),
    "f(x, 2)": lambda f: lambda x: f(x, 2),
    "f(W, x)": lambda f: lambda x: f(W[:6, :4].T, x),
    "x * f(x)": lambda f: lambda x: x * f(x),
    "x * f(x, axis)": lambda f: lambda x: x * f(x, axis=1)[:, None],
    "x * f(asarray(x))": lambda f: lambda x: x * f(np.asarray(x)),
    "x * f([rows])": lambda f: lambda x: x * f(np.array(list(x))),
}


@pytest.mark.parametrize("name", ALL_OF_NUMPY)
def test_no_function_of_numpy_is_certified_wrongly(name):
    for way, x in itertools.product(WAYS, (POSITIVE, X)):
        f = WAYS[way](ALL_OF_NUMPY[name])
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            try:
                expected, y = by_differences(f, x), np.asarray(f(x.copy()))
            except Exception:  # noqa: BLE001 - called in a way that it does not take
                continue
            try:
                extended = extend(f, x + 1j * H * V)
            except NotHolomorphicError:
                continue
        if extended.shape == y.shape and np.allclose(extended.real, y, rtol=1e-9, atol=1e-12):
            atol = 1e-6 * np.abs(expected).max(initial=0) + 1e-9
            np.testing.assert_allclose(extended.imag / H, expected, rtol=1e-6, atol=atol, err_msg=way)


METHODS = sorted(name for name in dir(np.ndarray) if name[0] != "_" and name not in ("dump", "tofile"))


@pytest.mark.parametrize("name", METHODS)
def test_no_attribute_or_method_is_certified_wrongly(name):
    def f(x):
        attribute = getattr(x, name)
        return x * (attribute() if callable(attribute) else attribute)

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        for x in (X, X[:, :4]):
            try:
                expected = np.asarray(by_differences(f, x, V[:, : x.shape[1]]), dtype=float)
            except Exception:  # noqa: BLE001 - no number, or it needs arguments
                expected = None
            try:
                got = slope(f, x, V[:, : x.shape[1]])
            except NotHolomorphicError:
                continue
            if name in ("itemsize", "nbytes", "strides"):
                continue  # of complex numbers, twice as large: seen in the real part
            np.testing.assert_allclose(got, expected, rtol=1e-6, atol=1e-6)


# ---- Real-only operations are refused at once, and by name ----------------------------------------------------------

REAL_ONLY = {
    "np.imag": np.imag,
    "np.angle": np.angle,
    "np.arctan2": lambda x: np.arctan2(x, 1.0),
    "np.cov": np.cov,
    "np.corrcoef": np.corrcoef,
    "np.correlate": lambda x: np.correlate(x[0], x[1]),
    "np.linalg.eigh": lambda x: np.linalg.eigh(gram(x)),
    "np.linalg.svd": np.linalg.svd,
    "np.linalg.qr": np.linalg.qr,
    "np.linalg.pinv": np.linalg.pinv,
    "np.linalg.lstsq": lambda x: np.linalg.lstsq(x, W[:4], rcond=None),
    "np.fft.fft": np.fft.fft,
    "np.floor": np.floor,
    "np.round": np.round,
    ".round": lambda x: x.round(),
    ".imag": lambda x: x.imag,
    ".flat": lambda x: x.flat,
    ".tolist": lambda x: x.tolist(),
    ".tobytes": lambda x: x.tobytes(),
    ".view": lambda x: x.view(float),
    "Python number": lambda x: float(x[0, 0]),
    "a Python number": lambda x: math.exp(x[0, 0]),
    "number": lambda x: int(x[0, 0]),
    "Python": lambda x: complex(x[0, 0]),
}


@pytest.mark.parametrize("name", REAL_ONLY)
def test_a_real_only_operation_is_refused_at_once_and_named(name):
    after = []
    said = refusal(lambda x: (REAL_ONLY[name](x), after.append(x), x)[2])
    assert name in said
    assert not after


@pytest.mark.parametrize("name", REAL_ONLY)
def test_a_refusal_that_the_layer_swallowed_is_remembered(name):
    def f(x):
        try:
            return x * REAL_ONLY[name](x)
        except Exception:  # noqa: BLE001 - as layers do
            return x * 2

    assert name in refusal(f)


@pytest.mark.parametrize(
    "keep", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x)), np.copy, np.ravel, lambda x: x[0]]
)
def test_copies_stay_traced_and_share_what_was_met(keep):
    assert_right(lambda x: keep(x) ** 2)

    def swallows(x):
        kept = keep(x)
        try:
            kept.tolist()
        except NotHolomorphicError:
            return kept * x.ravel()[0]

    assert ".tolist" in refusal(swallows)


def test_a_layer_that_copies_its_cache_is_followed():
    class Layer:
        def forward(self, x):
            self.cache = {"x": x, "views": [x[0], (x.T,)]}
            return copy.deepcopy(self).cache["x"] * self.cache["views"][0]

    assert_right(lambda x: Layer().forward(x))


# ---- Comparisons decide as the real function does ------------------------------------------------------------------

TIES = np.array([0.0, 0.0, 1.0, 1.0, -1.0, 2.0])
DECISIONS = {
    "==": lambda x: x == 0,
    "!=": lambda x: x != np.array([0, 0, 1, 2, 3, 2.0]),
    ">": lambda x: x > 0,
    ">=": lambda x: x >= 1,
    "<": lambda x: np.less(0, x),
    "<=": lambda x: x <= np.array([0, 0, 1, 2, 3, 2.0]),
    "== itself reversed": lambda x: x[[0, 1, 2]] == x[[1, 0, 3]],
    "logical_not": np.logical_not,
    "logical_and": lambda x: np.logical_and(x, [True] * 6),
    "any": lambda x: x[:2].any(),
    "all": np.all,
    "nonzero": np.nonzero,
    "flatnonzero": np.flatnonzero,
    "count_nonzero": np.count_nonzero,
    "argmax": lambda x: x[2:4].argmax(),
    "argmin": lambda x: np.argmin(x[:2]),
    "argsort": lambda x: np.argsort(x, kind="stable"),
    "searchsorted": lambda x: np.searchsorted([-1.0, 0.0, 1.0, 2.0], x),
    "digitize": lambda x: np.digitize(x, [0.0, 1.0]),
    "isclose": lambda x: np.isclose(x, 0.0, rtol=0, atol=0),
    "allclose": lambda x: np.allclose(x[2], x[3], rtol=0, atol=0),
    "array_equal": lambda x: np.array_equal(x[:2], [0.0, 0.0]),
    "isfinite": lambda x: np.isfinite(np.where(x > 0, np.inf, x)),
    "isnan": np.isnan,
    "isinf": np.isinf,
    "signbit": np.signbit,
    "bool()": lambda x: [bool(one) for one in x],
    "in": lambda x: (0.0 in x, 3.0 in x),
    "max()": lambda x: [max(one, 0.0) > 0 for one in x],
    "out": lambda x: np.greater(x, 0, out=np.ones(6, dtype=bool)),
    "where": lambda x: np.where(x > 0, 1, 0),
    "iscomplexobj": np.iscomplexobj,
    "result_type": lambda x: np.result_type(x, np.float32) == np.float64,
    "shape": np.shape,
    "size": np.size,
}


@pytest.mark.parametrize("name", DECISIONS)
def test_decisions_are_made_on_the_real_parts(name):
    decided = []
    for v in (np.arange(1.0, 7.0), -np.arange(1.0, 7.0)):
        extend(lambda x: (decided.append(DECISIONS[name](x)), x)[1], TIES + 1j * H * v)
    expected = DECISIONS[name](TIES)
    for one in decided:
        assert not isinstance(one, Traced)
        assert np.array_equal(one, expected)
        assert np.asarray(one).dtype == np.asarray(expected).dtype


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.maximum(x, 0),
        lambda x: np.minimum(0, x),
        lambda x: np.clip(x, 0, 1),
        lambda x: np.maximum(x, x[::-1]),
        np.sort,
        lambda x: np.where(x, x, 3 * x),
        lambda x: x.max(keepdims=True),
    ],
)
def test_at_a_tie_the_slope_is_that_of_a_branch(f):
    v = np.array([1.0, 1.0, 1.0, 1.0, 1.0, 1.0])
    assert set(slope(f, TIES, v).tolist()) <= {0.0, 1.0, 3.0}


def test_where_takes_an_array_for_a_condition_as_the_real_function_does():
    assert extend(lambda x: np.where(x, x, 5.0), TIES + 1j * H).real.tolist() == np.where(TIES, TIES, 5.0).tolist()


# ---- Nothing leaks --------------------------------------------------------------------------------------------------


def first_of_unpacked(x):
    first, *_ = x[0]
    return first


SCALARS = {
    "index": lambda x: x[0, 0],
    "rows": lambda x: next(iter(next(iter(x)))),
    "reversed": lambda x: next(reversed(x[0])),
    "sum()": lambda x: sum(x[0]),
    ".sum": lambda x: x.sum(),
    "np.sum": np.sum,
    ".mean": lambda x: x.mean(),
    ".max": lambda x: x.max(),
    ".item": lambda x: x.sum().item(),
    ".item(i)": lambda x: x.item(3),
    ".item(i, j)": lambda x: x.item(1, 2),
    ".dot": lambda x: x[0].dot(x[1]),
    "@": lambda x: x[0] @ x[1],
    "add.reduce": lambda x: np.add.reduce(x, axis=None),
    "unpacked": first_of_unpacked,
    "np.float64 *": lambda x: np.float64(2) * x[0, 0],
    "np.float32 +=": lambda x: np.float32(0) + x[0, 0],
    "accumulated": lambda x: sum((v * v for row in x for v in row), start=0.0),
    "int ** scalar": lambda x: 2 ** x[0, 0],
    "minus": lambda x: -x[0, 0] / 3,
    "[()]": lambda x: x[0, 0][()],
}


@pytest.mark.parametrize("name", SCALARS)
def test_scalars_stay_traced(name):
    seen = []
    assert_right(lambda x: (seen.append(SCALARS[name](x)), seen[-1])[1])
    assert isinstance(seen[-1], Traced)
    assert seen[-1].shape == ()


VIEWS = {
    "reshape": lambda x: x.reshape(-1),
    "T": lambda x: x.T.ravel("K"),
    "slice": lambda x: x[::2, 1:],
    "newaxis": lambda x: x[..., None],
    "swapaxes": lambda x: x.swapaxes(0, 1),
    "squeeze": lambda x: x[None].squeeze(0),
    "diagonal": lambda x: x.diagonal(),
    "flatten": lambda x: x.flatten(),
    "fancy": lambda x: x[[0, 2]][:, [1, 1]],
    "mask": lambda x: x[x > 0],
    "ix": lambda x: x[np.ix_([0, 1], [2, 3])],
    "take": lambda x: x.take([0, 1], axis=1),
    "repeat": lambda x: x.repeat(2, 0),
    "asanyarray": np.asanyarray,
}


@pytest.mark.parametrize("name", VIEWS)
def test_views_keep_the_trace(name):
    assert_right(lambda x: VIEWS[name](x) ** 2)


def test_views_share_their_values():
    def f(x):
        y = x * x
        y.reshape(-1)[:3] = x[0, 3:] ** 3
        y.T[5] *= 2
        y[1:][::2] += x[0]
        return y

    assert_right(f)


def ignoring_warnings(f):
    def g(x):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return f(x)

    return g


AROUND = {
    "norm of asarray": lambda x: x / np.linalg.norm(np.asarray(x)),
    "std of a list of rows": lambda x: x / np.std(np.array(list(x))),
    "abs of an array of scalars": lambda x: x * np.abs(np.array([x[0, 0], x[0, 1]])).max(),
    "copy": lambda x: np.array(x) * 2,
    "copy that keeps the class": lambda x: np.array(x, subok=True) * 2,
    "conj of asarray": lambda x: x * np.asarray(x).conj(),
    "real of asarray": lambda x: x * np.asarray(x).real,
    "memory": lambda x: x * np.frombuffer(memoryview(np.asarray(x)), dtype=float).reshape(4, 12)[:, ::2],
    "nditer": lambda x: x * np.array([abs(complex(v)) for v in np.nditer(x)]).reshape(x.shape),
    "buffer, warnings ignored": ignoring_warnings(affine_into_a_buffer),
    "buffer back among the traced": ignoring_warnings(lambda x: x @ W + affine_into_a_buffer(x)),
    "cast, warnings ignored": ignoring_warnings(lambda x: x * np.asarray(x, dtype=float)),
    "typed buffer back among the traced": lambda x: pool_into(lambda x: np.zeros((2, 3), x.dtype))(x) * x[:2, :3],
    "plain complex": lambda x: x * np.exp(1j * V),
    "complex number": lambda x: x * 1j,
    "complex scalar": lambda x: x + np.complex128(1j),
    "short complex scalar": lambda x: x * np.complex64(1j),
    "written through a plain view": lambda x: (y := np.zeros_like(x), np.asarray(y).__setitem__(0, x[0]))[0],
    "objects": lambda x: x * np.array([2, 3, 4, 5, 6, 7], dtype=object),
    "matrix": lambda x: x * np.ma.masked_array(W[0], W[0] > 0)[:1],
    "result is a constant": lambda x: np.ones(3),
    "result is plain complex": lambda x: np.array([[complex(1)]]),
    "result is a list": lambda x: [x, x],
    "result is none": lambda x: None,
    "nan": lambda x: x * np.nan,
    "callback": lambda x: np.pad(x, 1, mode=lambda vector, *_: None),
    "astype of the data": lambda x: x * np.asarray(x).astype(int),
    "dtype set": lambda x: setattr(x, "dtype", np.float64) or x,
    "new of its type": lambda x: type(x)((2, 2)) + 1,
}


@pytest.mark.parametrize("name", AROUND)
def test_what_goes_around_the_tracer_is_refused(name):
    refusal(AROUND[name])


def test_out_of_sight_there_is_nothing_to_see():
    seen = []
    extend(lambda x: (seen.append(np.array(x)), x)[1], X + 1j * H * V)
    assert np.isnan(seen[0]).all()
    assert np.isnan(seen[0].imag).all()


def test_a_shape_set_in_place_is_not_missed():
    def f(x):
        x.shape = (6, 4)
        return x

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecated since NumPy 2.5
        refusal(f)


PLAIN_VIEWS = {
    "asarray first": lambda x: np.asarray(x) @ x.T,
    "ascontiguousarray": lambda x: np.ascontiguousarray(x * x) + x,
    "asarray last": lambda x: np.asarray(x * x),
    "views of it": lambda x: np.asarray(x).T[::-2, 1:] * x[0, 0],
    "as_strided": lambda x: np.einsum(
        "ijkl,kl->ij", as_strided(x, (2, 4, 3, 3), x.strides + x.strides), np.ones_like(x)[:3, :3] * K
    ),
    "as_strided of a transposed": lambda x: as_strided(x.T, (3, 4), x.T.strides) * x[0, 0],
    "empty": lambda x: np.concatenate([np.asarray(x[:0]), x]),
}


@pytest.mark.parametrize("name", PLAIN_VIEWS)
def test_plain_views_of_a_traced_array_are_seen_through(name):
    assert_right(PLAIN_VIEWS[name])


def test_a_view_by_the_strides_of_floats_is_refused():
    refusal(lambda x: as_strided(x, (4, 6), (48, 8)) * np.ones_like(x))


def test_arrays_of_another_evaluation_are_refused():
    kept = []
    extend(lambda x: (kept.append(x), x)[1], X + 1j * H * V)
    assert "another evaluation" in refusal(lambda x: x + kept[0])
    assert "another evaluation" in refusal(lambda x: kept[0])
    assert_right(lambda x: x + 0)


# ---- Writing --------------------------------------------------------------------------------------------------------


def added_at(x):
    out = np.zeros_like(x)
    np.add.at(out, ([0, 0, 1], [1, 1, 2]), x[0, :3])
    np.multiply.at(out, (0, 1), x[1, 1])
    return out


def in_place(x):
    y = x.copy()
    y += x
    y *= x
    y -= 1
    y /= x + 5
    y **= 2
    y @= np.eye(6)
    y[y > 1] = 0
    y[0] = V[0]
    y[1, 1] += x[0, 0]
    return y


def into_out(x):
    out = np.empty_like(x)
    assert np.add(x, x, out=out) is out
    assert np.exp(out, out=out) is out
    assert np.sqrt(out, out=out) is out
    np.log(x, out=out, where=x > 0)
    total = np.zeros_like(x[0])
    assert np.sum(out, axis=0, out=total) is total
    x.sum(1, out=out[:, 0])
    return out * total


def methods_in_place(x):
    y = x * x
    y.sort(axis=1)
    y[0].fill(3)
    y.put([1], x[2, 2])
    y[3].partition(2)
    return y


@pytest.mark.parametrize("f", [added_at, in_place, into_out, methods_in_place])
def test_writing_into_traced_arrays(f):
    assert_right(f, np.where(np.abs(X) < 0.05, 0.1, X))


def test_the_point_is_not_written_to_and_the_result_is_plain():
    z = X + 1j * H * V
    before = z.copy()
    y = extend(relu_in_place, z)
    extend(lambda x: x.__iadd__(1), z)
    assert np.array_equal(z, before)
    assert type(y) is np.ndarray
    assert y.dtype == np.complex128
    y[0] = 0


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.add(x, 1, out=np.zeros((4, 6))),
        lambda x: np.add(x, 1, out=np.zeros((4, 6), dtype=x.dtype)),
        lambda x: np.sum(x, 0, None, np.zeros(6, dtype=x.dtype)),
        lambda x: x.sum(0, out=np.zeros(6)),
        lambda x: np.copyto(np.zeros((4, 6), dtype=x.dtype), x) or x,
        lambda x: np.add.at(np.zeros((4, 6), dtype=x.dtype), 0, x[0]) or x,
        lambda x: np.zeros(6).__iadd__(x[0]),
        lambda x: np.put(np.zeros(6), [0], x[0, 0]) or x,
    ],
)
def test_nothing_is_written_into_plain_arrays(f):
    refusal(f)
    refusal(ignoring_warnings(f))


def test_constants_typed_like_a_traced_array_are_constants():
    weights = W.astype(np.float32)

    def f(x):
        return x @ weights.astype(x.dtype) / x.dtype.type(3) + np.zeros(5, dtype=x.dtype) + np.finfo(x.dtype).eps

    assert_right(lambda x: x @ weights.astype(float) / 3 + np.finfo(float).eps if x.dtype.kind == "f" else f(x))


# ---- Casts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64, float, "float32", "f8", np.longdouble])
def test_casts_to_float_formats_are_left_out(dtype):
    def f(x):
        if isinstance(x, Traced):
            assert x.astype(dtype).dtype == np.complex128
            x = x.astype(dtype, copy=False)
            return np.add(np.tanh(x).sum(0, dtype=dtype), np.zeros_like(x[0], dtype=dtype), dtype=dtype)
        return np.tanh(x).sum(0)

    assert_right(f)


@pytest.mark.parametrize("dtype", [int, bool, np.int8, object, "S8", np.uint16])
def test_other_casts_are_refused(dtype):
    refusal(lambda x: x * x.astype(dtype))
    refusal(lambda x: x * np.sum(x, dtype=dtype))


# ---- Where the real function ends -----------------------------------------------------------------------------------

NO_VALUE = {
    "sqrt below": (np.sqrt, -4.0),
    "sqrt at": (np.sqrt, 0.0),
    "sqrt too near": (np.sqrt, 1e-34),
    "log below": (np.log, -1.0),
    "log at": (np.log, 0.0),
    "log1p": (np.log1p, -1.5),
    "arcsin": (np.arcsin, 1.5),
    "arccos at": (np.arccos, 1.0),
    "arctanh": (np.arctanh, 1.0),
    "arccosh": (np.arccosh, 0.5),
    "fractional power": (lambda x: x**2.5, -2.0),
    "high power": (lambda x: x**101, -2.0),
    "high power of floats": (lambda x: np.float_power(x, 200.0), -1.01),
    "power of a negative base": (lambda x: (-2.0) ** x, 3.0),
    "root": (lambda x: x**0.5, 0.0),
    "0 / 0": (lambda x: x / x, 0.0),
    "1 / 0": (lambda x: 1 / x, 0.0),
    "reciprocal": (np.reciprocal, 0.0),
}


@pytest.mark.parametrize("name", NO_VALUE)
def test_there_is_no_extension_where_the_real_function_has_no_slope(name):
    f, x = NO_VALUE[name]
    assert "not a number" in refusal(f, np.array([x]), np.ones(1))
    # but it may be computed there and not used, or replaced
    assert slope(lambda x: np.where(x == 7.0, x, f(x)), np.array([7.0]), np.ones(1)).tolist() == [1.0]

    def replaced(x):
        y = np.atleast_1d(f(x))
        y[np.isnan(y)] = 3.0
        return y

    assert extend(replaced, np.array([x + 1j * H])).tolist() == [3.0]


@pytest.mark.parametrize("p", [2, 3, 4, 1.5])
def test_powers_at_zero_are_no_branch_points_above_one(p):
    assert slope(lambda x: np.power(x, p), np.zeros(1), np.ones(1)).tolist() == pytest.approx([0.0], abs=1e-12)
    assert slope(lambda x: x / (1 + x), np.zeros(1), np.ones(1)).tolist() == [1.0]


def test_small_numbers_are_not_lost_in_log1p():
    y = extend(np.log1p, np.array([1e-20 + 1j * H]))
    assert y.real.tolist() == [1e-20]
    assert y.imag.tolist() == [H]


# ---- Good manners ---------------------------------------------------------------------------------------------------


def test_what_f_raises_is_told():
    with pytest.raises(NotHolomorphicError, match="ZeroDivisionError: division by zero") as caught:
        extend(lambda x: x * (1 / 0), X + 0j)
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt):
        extend(lambda x: (_ for _ in ()).throw(KeyboardInterrupt), X + 0j)


def test_warnings_and_floating_point_state_are_left_as_they_were():
    filters, state = list(warnings.filters), np.geterr()
    extend(lambda x: np.where(x > 0, np.log(x), 0), X + 1j * H * V)  # of the real X, this warns
    refusal(affine_into_a_buffer)
    assert warnings.filters == filters
    assert np.geterr() == state
    with pytest.raises(np.exceptions.ComplexWarning):  # pytest's own filter, again
        np.zeros(1)[:] = np.ones(1, dtype=complex)


def test_printing_does_no_harm():
    assert_right(lambda x: (repr(x), str(x), f"{x}", f"{x[0, 0]:.2f}", x)[-1])


@pytest.mark.parametrize("shape", [(), (0,), (1,), (2, 0, 3), (2, 1, 3)])
def test_any_shape_will_do(shape):
    x = np.full(shape, 0.3)
    assert extend(lambda x: np.tanh(x) * 2, x + 1j * H).shape == shape
    np.testing.assert_allclose(slope(np.sin, x, np.ones(shape)), np.cos(x), rtol=1e-15)


def test_subclass_and_format_are_as_promised():
    seen = []
    extend(lambda x: (seen.append(x), x)[1], X + 1j * H * V)
    x = seen[0]
    assert isinstance(x, Traced)
    assert (x.dtype, x.shape, x.ndim, x.size, len(x)) == (np.complex128, (4, 6), 2, 24, 4)


# ---- Extensions of ours ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "f",
    [
        lambda x: np.var(x, axis=1, ddof=1),
        lambda x: x.std(0, keepdims=True) * x,
        lambda x: x.var(axis=(0, 1)),
        np.linalg.norm,
        lambda x: np.linalg.norm(x, 2, axis=-1),
        lambda x: np.linalg.norm(x, axis=(0, 1), keepdims=True),
        lambda x: np.linalg.norm(x[0]),
        lambda x: np.hypot(x, 2.0) + np.hypot(3.0, x),
        lambda x: np.logaddexp(x, x**2) + np.logaddexp(0.0, 300 * x),
        lambda x: np.fabs(x) * np.conjugate(x) + x.conj() + np.real(x),
        lambda x: abs(x) + np.sign(x - 0.3),
    ],
)
def test_an_extension_of_ours_has_the_slope_of_the_real_function(f):
    assert_right(f)


def test_expit_is_extended_where_scipy_has_none():
    special = pytest.importorskip("scipy.special")
    for scale in (1.0, 30.0):
        assert_right(lambda x, scale=scale: special.expit(scale * x), rtol=1e-5)


@pytest.mark.parametrize(
    ("f", "name"),
    [
        (lambda x: np.linalg.norm(x, 2), "np.linalg.norm"),  # the largest singular value
        (lambda x: np.linalg.norm(x, 1, axis=0), "np.linalg.norm"),
        (lambda x: np.linalg.norm(x, "nuc"), "np.linalg.norm"),
        (lambda x: np.var(x, dtype=np.float32), "np.var"),
        (lambda x: x.var(where=x > 0), ".var"),
        (lambda x: np.abs(x, out=x), "np.absolute"),
        (np.hypot.reduce, "np.hypot"),
    ],
)
def test_what_an_extension_of_ours_does_not_know_is_refused(f, name):
    assert name in refusal(lambda x: x * np.sum(f(x)))
