"""The holomorphic extension of a real function that is written in NumPy, or the refusal of one that may have none.

The complex step (Lyness & Moler 1967; Squire & Trapp 1998; Martins, Sturdza & Alonso 2003) evaluates a real function
at ``x + i h v``, where code need not mean the same: ``np.abs(z)`` is real, ``z.var()`` conjugates. So every operation
on a `Traced` array is looked up in `gradcheck.derivative.operations`: a *holomorphic* one (``+``, ``np.exp``,
``reshape``) is done and traced; a *deciding* one (``x > 0``, ``argmax``) is done on the real parts, as the real
function decides; one that is neither may have an extension there (``np.abs``: ``x`` or ``-x``); any other is refused,
and remembered for layers that catch exceptions.

Code that reads an array's memory without asking must not come back with a constant (``x / scipy.linalg.norm(x)``): the
memory of a `Traced` array is NaN, read-only, and its values are kept beside it. What goes around the tracer ends in
NaN, which is refused, or in another decision, which shows when the caller compares real parts, as it must.
"""

from __future__ import annotations

import uuid
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from gradcheck.derivative.operations import (
    EXTENSIONS,
    EXTENSIONS_OF_SCIPY,
    KIND_OF,
    OF_SCIPY,
    SINGULAR,
    Kind,
    where_real,
)

ComplexVector = NDArray[np.complex128]


class NotHolomorphicError(Exception):
    """The function is not known to be holomorphic; the text says what was met."""


def extend(f: Callable[[Any], Any], z: ComplexVector) -> ComplexVector:
    """Evaluate a real function's holomorphic extension.

    Parameters
    ----------
    f : callable
        Gets a `Traced` copy of ``z`` and returns what it computes from it by NumPy operations. No adapter around it may
        copy a traced array by ``np.array``, nor compute on ``np.asarray`` of it: there, it is NaN.
    z : complex128
        The point, any shape. Imaginary parts should be far below the rounding of the real parts.

    Returns
    -------
    complex128
        A plain array. Compare its real part with the real function's value before its imaginary part is used.

    Raises
    ------
    NotHolomorphicError
        An operation is not known to be holomorphic, even if ``f`` caught its refusal; ``f`` raised; imaginary parts
        were dropped; the result is not traced, or not a number.

    Notes
    -----
    Measured with NumPy 1.26 and 2.4, |x| from 1e-10 to 700, imaginary parts of 2**-100: those of an elementwise result
    are right to 3 roundings, of a power to a quarter of its binary logarithm. They underflow 30 digits before the rest.

    Examples
    --------
    >>> z = np.array([3.0 + 2.0**-100 * 1j, 4.0])
    >>> y = extend(lambda x: x / np.sqrt((x * x).sum()), z)
    >>> (y.imag / 2.0**-100).round(12).tolist()
    [0.128, -0.096]
    """
    trace = _Trace()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            y = f(_traced(np.array(z, dtype=np.complex128), trace))
            value = _value_behind(y, trace)
            if value is None:
                trace.refuse(f"the result is not traced: a plain {type(y).__name__}")
            value = np.array(value, dtype=np.complex128)
    except Exception as error:
        raise NotHolomorphicError(trace.met[0] if trace.met else f"{type(error).__name__}: {error}") from error
    if np.isnan(value).any():
        trace.met.append("the result is not a number: NaN, or values read where no trace reaches")
    if trace.met:
        raise NotHolomorphicError(trace.met[0])
    return value


@dataclass(frozen=True)
class _Trace:
    """What one evaluation met: shared by all arrays that come of it, so that a refusal is not forgotten when caught."""

    key: uuid.UUID = field(default_factory=uuid.uuid4)  # a pickled array comes back with another trace of the same key
    met: list[str] = field(default_factory=list, compare=False)

    def refuse(self, met: str) -> NoReturn:
        self.met.append(met)
        raise NotHolomorphicError(met)

    def unknown(self, name: str) -> NoReturn:
        self.refuse(f"{name} of a complex array is not known to be holomorphic")


class Traced(np.ndarray[Any, np.dtype[np.complex128]]):
    """A complex array that takes part in holomorphic operations and refuses others; its scalars are 0-d arrays."""

    _value: NDArray[Any]
    _trace: _Trace

    def __array_finalize__(self, source: object) -> None:
        if isinstance(source, Traced):  # a copy that NumPy made by itself: of NaN, without values
            self._trace = source._trace

    def __array_ufunc__(self, ufunc: Any, method: str, *args: Any, **options: Any) -> Any:
        name = ("np." if hasattr(np, ufunc.__name__) else "") + ufunc.__name__
        extension = EXTENSIONS.get(ufunc) or EXTENSIONS_OF_SCIPY.get(ufunc.__name__)
        if extension is not None and method == "__call__":
            return _extended(self._trace, name, extension, args, options)
        if method == "__call__" and (ufunc in SINGULAR or ufunc.__name__ in OF_SCIPY):
            return _evaluate(self._trace, name, partial(where_real, ufunc), args, options, kind="holomorphic")
        return _evaluate(self._trace, name, getattr(ufunc, method), args, options, kind=KIND_OF.get(ufunc))

    def __array_function__(self, function: Any, types: Any, args: Any, options: Any) -> Any:
        if function is np.piecewise:  # it calls functions of the layer, which must not get bare values
            return super().__array_function__(function, types, args, options)
        name = f"{function.__module__}.{function.__name__}".replace("numpy", "np", 1)
        if function is np.where and isinstance(args[0], Traced):  # 0 + ih is true, the 0 that it stands for is not
            args = (args[0] != 0, *args[1:])
        if function in EXTENSIONS:
            return _extended(self._trace, name, EXTENSIONS[function], args, options)
        return _evaluate(self._trace, name, function, args, options, kind=KIND_OF.get(function))

    def __getitem__(self, key: Any) -> Any:
        return _traced(_lend(self, self._trace)[key], self._trace)

    def __setitem__(self, key: Any, value: Any) -> None:
        _lend(self, self._trace)[key] = _lend(value, self._trace)

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))

    def __bool__(self) -> bool:
        return bool(_lend(self, self._trace).real)

    def __repr__(self) -> str:
        return f"Traced({_lend(self, self._trace)})"

    def __copy__(self, _memo: Any = None) -> Any:
        return self.copy()

    def __reduce_ex__(self, _protocol: Any) -> tuple[Any, ...]:
        return _traced, (_lend(self, self._trace), self._trace)

    def astype(self, dtype: Any, *_: Any, **__: Any) -> Any:
        """Copy. A cast to another float format is left out: extended is the formula, not its rounding."""
        _lend(np.dtype(dtype), self._trace)
        return self.copy()

    def item(self, *index: Any) -> Any:
        """Return an element as a 0-d array: a Python number would leave the trace."""
        return self[index] if len(index) > 1 else self.reshape(-1)[index[0]] if index else self.reshape(())

    __str__, __deepcopy__ = __repr__, __copy__
    T = property(lambda self: self.transpose())
    mT = property(lambda self: self.swapaxes(-1, -2))  # noqa: N815 - NumPy's name
    real = property(lambda self: +self)
    imag = flat = property(lambda self: self._trace.unknown(".imag or .flat"))
    __float__ = __int__ = __complex__ = property(lambda self: self._trace.unknown("a Python number"))


def _traced(value: Any, trace: _Trace) -> Traced:
    value = np.asarray(value)
    array = Traced(value.shape, value.dtype)
    np.ndarray.fill(array, complex(np.nan, np.nan))
    array.flags.writeable = False
    array._value, array._trace = value, trace
    return array


def _extended(trace: _Trace, name: str, extension: Callable[..., Any], args: Any, options: Any) -> Any:
    """Evaluate what NumPy has no extension of by one of ours, which is made of operations that it has."""
    try:
        return extension(*args, **options)
    except TypeError as error:
        trace.refuse(f"{name} of a complex array: {error}")


def _evaluate(trace: _Trace, name: str, function: Any, args: Any, options: Any, *, kind: Kind | None) -> Any:
    """Call a function of NumPy on what it may work with, and trace what it gives."""
    if kind is None:
        trace.unknown(name)
    out = options.pop("out", None)
    given = {k: _lend(np.dtype(v) if k == "dtype" and v is not None else v, trace, kind) for k, v in options.items()}
    out = out[0] if isinstance(out, tuple) else out
    if out is not None:
        given["out"] = out if kind == "deciding" and not isinstance(out, Traced) else _lend(out, trace)
    try:
        result = function(*(_lend(a, trace, kind) for a in args), **given)
    except (TypeError, np.exceptions.ComplexWarning) as error:
        trace.refuse(f"{name} of a complex array: {error}")
    return out if out is not None else result if kind == "deciding" else _give(result, trace, name, kind)


def _give(result: Any, trace: _Trace, name: str, kind: Kind) -> Any:
    if isinstance(result, (tuple, list)):
        return type(result)([_give(part, trace, name, kind) for part in result])
    if np.iscomplexobj(result):
        return _traced(result, trace)
    return result if result is None or kind == "holomorphic or constant" else trace.unknown(f"the real {name}")


def _lend(a: Any, trace: _Trace, kind: Kind = "holomorphic") -> Any:
    """Return what NumPy may work with: the values of what is traced; plain arrays read-only, so that none gets out."""
    if isinstance(a, (list, tuple)):
        return type(a)([_lend(part, trace, kind) for part in a])
    if isinstance(a, (type, np.dtype)):
        dtype = np.dtype(complex) if np.dtype(a).kind in "fc" and kind != "deciding" else np.dtype(a)
        return dtype if dtype.kind == "c" or kind != "holomorphic" else trace.unknown(f"a cast to {dtype}")
    if callable(a):
        trace.unknown("a function called back")
    if not isinstance(a, (np.ndarray, complex, np.complexfloating)):
        return a
    value = _value_behind(a, trace)
    if value is not None:
        return value.real if kind == "deciding" else value
    constant = np.asarray(a)
    if (isinstance(a, np.ndarray) and type(a) not in (np.ndarray, np.memmap)) or constant.dtype.kind not in "biufc":
        trace.unknown(f"a {type(a).__name__} of {constant.dtype} beside it")
    if constant.dtype.kind == "c" and constant.imag.any():  # where it is zero, the dtype is that of a traced array
        trace.unknown("a plain complex array beside it")
    return np.broadcast_to(constant.real, constant.shape)


def _value_behind(a: Any, trace: _Trace) -> Any:
    """Return the values of a traced array, also through a plain view of it (np.asarray, as_strided), else None."""
    owner = a
    while owner is not None and not isinstance(owner, Traced):
        owner = getattr(owner, "base", None)
    if owner is None:
        return None
    if owner._trace is not trace:  # unpickled, or stored by an earlier evaluation
        trace.met.extend(owner._trace.met if owner._trace == trace else ["an array of another evaluation"])
    value = vars(owner).get("_value")
    odd = a.dtype != owner.dtype or any(step % owner.itemsize for step in a.strides)
    if odd or value is None or value.shape != owner.shape:
        trace.unknown("a copy, view or change behind the back")
    if a is owner:
        return value
    places, start = np.arange(owner.size), (a.ctypes.data - owner.ctypes.data) // owner.itemsize
    strides = [step // owner.itemsize * places.itemsize for step in a.strides]
    return value.reshape(-1)[as_strided(places[start:], a.shape, strides)]


def _method(name: str) -> Callable[..., Any]:
    function = getattr(np, name, name)  # as the function of the same name
    extension = EXTENSIONS.get(function)
    if extension is not None:
        return lambda self, *args, **options: _extended(self._trace, f".{name}", extension, (self, *args), options)
    call, kind = getattr(np.ndarray, name), KIND_OF.get(function)
    return lambda self, *args, **options: _evaluate(self._trace, f".{name}", call, (self, *args), options, kind=kind)


for _name in dir(np.ndarray):
    if _name[0] != "_" and callable(getattr(np.ndarray, _name)) and _name not in {*vars(Traced), "setflags"}:
        setattr(Traced, _name, _method(_name))
