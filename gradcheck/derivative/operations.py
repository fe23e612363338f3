"""What is known of NumPy's operations: which are holomorphic, which only decide, and what extends the others.

All of it is knowledge about *real* functions. Off its kink ``|x|`` is ``x`` or ``-x``, and that is its extension there,
whatever NumPy makes of ``np.abs`` of a complex number; likewise a variance is a mean of squares, and the conjugate of a
real number is the number.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import prod
from typing import Any, Literal

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

# What gives constants gives them for other arguments, or because a dtype without fractions is asked for.
Kind = Literal["holomorphic", "holomorphic or constant", "deciding"]

# A value that is not the real function's differs in the first digits, rounding only in the last.
_SAME = 2.0**-26


def where_real(ufunc: np.ufunc, *values: Any, where: Any = True, **options: Any) -> NDArray[Any]:
    """Evaluate a function with branches or poles: NaN where the real one is not finite, or another (at ``0 + ih``)."""
    x, imag = [np.real(value) for value in values], [np.imag(value) + 0.0 for value in values]
    y = np.asarray(ufunc(*x))
    strays = ~np.isfinite(y)
    if ufunc in (np.power, np.float_power):  # multiplied out below 100; beyond, a logarithm of x < 0 leaves noise
        strays |= (x[0] < 0) & ((imag[1] != 0) | (np.abs(x[1]) >= 100))
    lost = 2.0**-50 if ufunc is np.log1p else 0.0  # NumPy's is log|1 + z|, of which no small x is left
    result = np.asarray(ufunc(*values, where=where, **options))
    strays = strays | (np.abs(result.real - y) > _SAME * np.abs(y) + sum(map(np.abs, imag)) + lost)
    np.copyto(result.real, y, where=where)
    np.copyto(result, np.nan, where=strays & where)
    return result


def _named(names: str, module: Any = np) -> set[Any]:  # what NumPy has of these: 1.26 lacks some
    return {getattr(module, name) for name in names.split() if hasattr(module, name)}


# NumPy compares complex numbers by their real parts first, so that maximum and sort are right up to ties.
SINGULAR = _named("divide reciprocal sqrt log log2 log10 log1p power float_power arcsin arccos arctanh arccosh")
_ENTIRE = """
    add subtract multiply negative positive square matmul maximum minimum fmax fmin exp exp2 expm1 sin cos tan sinh cosh
    tanh arctan arcsinh
    amax amin append average block broadcast_to clip column_stack concat concatenate convolve copy copyto cross cumprod
    cumsum cumulative_prod cumulative_sum delete diag diagflat diagonal diff dot dstack einsum expand_dims fill_diagonal
    flip fliplr flipud gradient hsplit hstack inner insert kron matrix_transpose max mean median min moveaxis nanmax
    nanmean nanmin nansum outer pad partition permute_dims prod ptp put put_along_axis ravel repeat reshape roll
    rollaxis rot90 select sort split squeeze stack sum swapaxes take take_along_axis tensordot tile trace transpose
    trapezoid tril triu unstack vsplit vstack where"""
_ENTIRE_LINALG = "cross det diagonal inv matmul matrix_power matrix_transpose multi_dot outer solve tensordot trace"
_OR_CONSTANT = "atleast_1d atleast_2d atleast_3d broadcast_arrays empty_like full_like meshgrid ones_like zeros_like"
_DECIDING = """
    greater greater_equal less less_equal equal not_equal isfinite isinf isnan signbit logical_and logical_not
    logical_or logical_xor all allclose any argmax argmin argpartition argsort argwhere array_equal array_equiv
    count_nonzero digitize flatnonzero iscomplexobj isclose isneginf isposinf isrealobj lexsort may_share_memory ndim
    nonzero result_type searchsorted shape shares_memory size"""
KIND_OF: dict[Any, Kind] = {
    **dict.fromkeys(_named(_ENTIRE) | _named(_ENTIRE_LINALG, np.linalg) | {sliding_window_view}, "holomorphic"),
    **dict.fromkeys(("fill", "flatten"), "holomorphic"),  # methods that no function has the name of
    **dict.fromkeys(_named(_OR_CONSTANT), "holomorphic or constant"),
    **dict.fromkeys(_named(_DECIDING), "deciding"),
}
# Known by name, as SciPy need not be there. Not gamma, rgamma, expi: their imaginary parts are rounding (SciPy 1.17).
OF_SCIPY = frozenset({"erf", "erfc", "expm1", "log1p", "log_ndtr", "loggamma", "ndtr", "psi", "xlog1py", "xlogy"})


def _absolute(x: Any) -> Any:
    return np.where(x < 0, -x, x)


def _sign(x: Any) -> Any:
    return 1.0 * (x > 0) - 1.0 * (x < 0)


def _same(x: Any) -> Any:
    return +x


def _hypot(x: Any, y: Any) -> Any:
    return np.sqrt(x * x + y * y)


def _logaddexp(x: Any, y: Any) -> Any:
    return np.maximum(x, y) + np.log1p(np.exp(-_absolute(x - y)))


def _expit(x: Any) -> Any:
    e = np.exp(-_absolute(x))
    return np.where(x < 0, e, 1.0) / (1.0 + e)


def _var(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    axes = range(x.ndim) if axis is None else np.atleast_1d(axis)
    centred = x - x.mean(axis, keepdims=True)
    return (centred * centred).sum(axis, keepdims=keepdims) / (prod(x.shape[k] for k in axes) - ddof)


def _std(x: Any, axis: Any = None, *, ddof: float = 0, keepdims: bool = False) -> Any:
    return np.sqrt(_var(x, axis, ddof=ddof, keepdims=keepdims))


def _norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Any:  # noqa: A002 - NumPy's name
    vectors = axis is not None and np.ndim(axis) == 0
    if not (ord is None or (ord == "fro" and not vectors) or (ord == 2 and (vectors or x.ndim == 1))):
        raise TypeError(f"the norm of order {ord} has no extension here")
    return np.sqrt((x * x).sum(axis, keepdims=keepdims))


def _vdot(x: Any, y: Any) -> Any:
    return np.dot(np.ravel(x), np.ravel(y))


# Called with traced arrays, and made of operations that are known. Options that they do not know raise.
EXTENSIONS: Mapping[Any, Callable[..., Any]] = {
    np.absolute: _absolute,
    np.fabs: _absolute,
    np.sign: _sign,
    np.conjugate: _same,
    np.real: _same,
    np.hypot: _hypot,
    np.logaddexp: _logaddexp,
    np.var: _var,
    np.std: _std,
    np.linalg.norm: _norm,
    np.vdot: _vdot,
}
EXTENSIONS_OF_SCIPY: Mapping[str, Callable[..., Any]] = {"expit": _expit}
