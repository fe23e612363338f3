"""JAX: functions with a backward given to `jax.custom_vjp`, and functions of JAX arrays that call some.

The pullback is that of `jax.vjp`. Double precision is switched on meanwhile, and only here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import numpy as np

from gradcheck.errors import UncheckedError
from gradcheck.subject.calls import Parameter, called, parameters_of
from gradcheck.subject.conventions import foreign
from gradcheck.subject.frameworks import is_custom_vjp
from gradcheck.subject.protocol import Array

NAME = "jax"


def claims(obj: object) -> bool:
    """Whether it can be called: it is JAX's, or was given JAX's arrays."""
    return callable(obj) and not isinstance(obj, type)


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return no constructor parameters, and those of the function."""
    return (), parameters_of(obj)


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> foreign.ForeignSubject:
    """Bring the function to a subject at these inputs."""
    jax = foreign.library("jax", name)
    static: tuple[int, ...] = getattr(obj, "nondiff_argnums", ())
    constants |= foreign.plain_numbers(inputs) | {key for k, key in enumerate(inputs) if k in static}
    traced = [k for k, (key, v) in enumerate(inputs.items()) if foreign.is_real(v) and key not in constants]
    run = _Run(jax, obj, name, traced, settings)
    return foreign.ForeignSubject(run, inputs, name=name, convention=NAME, constants=constants, seed=seed)


class _Run:
    """One run: arrays go in as JAX's; outputs and a pullback come out, of NumPy's again."""

    def __init__(
        self, jax: Any, obj: Callable[..., Any], name: str, traced: list[int], settings: Mapping[str | int, Any]
    ) -> None:
        self._jax, self._name, self._traced, self._settings = jax, name, traced, settings
        self._signature_of = obj
        self._none: set[int] = set()  # the inputs that backward gives None for, which to JAX is a zero
        self._function = self._noting(obj) if is_custom_vjp(obj) else obj

    def __call__(self, *values: Any) -> tuple[Any, Callable[..., Any]]:
        foreign.refuse_complex(values)
        with self._double():
            given = [self._jax.numpy.array(v) if isinstance(v, np.ndarray) else v for v in values]

            def of_traced(*xs: Any) -> Any:
                everything = [*given]
                for k, x in zip(self._traced, xs, strict=True):
                    everything[k] = x
                return self._function(*foreign.positional(self._signature_of, everything, self._settings))

            result, pull = called(self._jax.vjp, of_traced, *(given[k] for k in self._traced))
        several = isinstance(result, tuple | list)
        ys = tuple(map(foreign.own, result if several else (result,)))
        smooth = [k for k, y in enumerate(ys) if y.dtype.kind == "f"]
        # No closure: what it would hold is no cache of the layer's.
        pullback = partial(self._pull, pull, result, ys, smooth, values)
        return (tuple(ys[k] for k in smooth) if several else ys[0]), pullback

    def _pull(
        self,
        pull: Any,
        result: Any,
        ys: tuple[Array, ...],
        smooth: list[int],
        values: tuple[Any, ...],
        *cotangents: Array,
    ) -> tuple[Array | None, ...]:
        with self._double():
            handed: list[Any] = [np.zeros(y.shape, self._jax.dtypes.float0) for y in ys]
            for k, cotangent in zip(smooth, cotangents, strict=True):
                handed[k] = self._jax.numpy.array(cotangent, dtype=ys[k].dtype)
            several = isinstance(result, tuple | list)
            found = dict(zip(self._traced, pull(type(result)(handed) if several else handed[0]), strict=True))
            gradients = {k: foreign.own(g) for k, g in found.items() if k not in self._none}
        return tuple(gradients.get(k) for k, value in enumerate(values) if foreign.is_number(value))

    def _noting(self, obj: Any) -> Any:
        """Return the same function, with a backward that takes note of what it gives None for."""
        if obj.bwd is None:
            raise UncheckedError(
                f"{self._name} is a jax.custom_vjp without a backward",
                fix=f"give it one: {self._name}.defvjp(forward, backward)",
            )
        if obj.symbolic_zeros:
            return obj
        static = obj.nondiff_argnums

        def backward(*args: Any) -> Any:
            found = called(obj.bwd, *args)
            if isinstance(found, tuple | list):
                owed = [k for k in range(len(found) + len(static)) if k not in static]
                self._none.update(k for k, gradient in zip(owed, found, strict=True) if gradient is None)
            return found

        function = self._jax.custom_vjp(obj.fun, nondiff_argnums=static)
        function.defvjp(obj.fwd, backward)
        return function

    def _double(self) -> AbstractContextManager[Any]:
        """Switch double precision on, as this version of JAX would have it."""
        if hasattr(self._jax, "enable_x64"):
            return self._jax.enable_x64(True)  # type: ignore[no-any-return]
        return foreign.library("jax.experimental", self._name).enable_x64()  # type: ignore[no-any-return]
