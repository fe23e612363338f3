"""Functions that come with a derivative instead of a pullback, brought to the waist: the pullback is dout times that.

The derivative has no cotangent among its arguments. Of a function that acts element by element it is an array like the
input, of a vector a Jacobian, of a loss the gradient itself.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from gradcheck.errors import UncheckedError, UsageError
from gradcheck.subject.calls import outputs_of
from gradcheck.subject.describe import describe
from gradcheck.subject.gradients import read_gradients
from gradcheck.subject.inputs import arguments_of, values_at
from gradcheck.subject.parameters import is_parameter_name
from gradcheck.subject.protocol import (
    Array,
    Gradients,
    Missing,
    Outputs,
    Primals,
    Pullback,
    Session,
    Subject,
    point_of,
)
from gradcheck.subject.session import generators
from gradcheck.subject.world import reseed

Run = Callable[[Mapping[str, Any]], tuple[object, Callable[[], object]]]

_STEP = 1e-6  # of the difference that chooses between two readings; a wrong derivative is right in neither
_AGREES = 1e-4


class LocalSubject:
    """A function and its derivative at a point.

    Parameters
    ----------
    run : callable
        ``run(values) -> (result, derivative)``, where calling ``derivative()`` gives what the user's function returns.
    inputs : mapping of str to value
        What the function is called with, in order.
    wrt : sequence of str
        The inputs that the derivative is with respect to; the others are constants.
    named : set of str
        Constants that inference is to look for among targets: as long as it has not, a gradient of them is missing.
    is_loss : bool
        Whether values are added up: a loss per sample, or per element, means its sum.
    holders : objects
        What may hold generators that have to be set back before each run.
    """

    independent = True

    def __init__(
        self,
        run: Run,
        inputs: Mapping[str, Any],
        *,
        name: str,
        convention: str,
        wrt: Collection[str],
        constants: frozenset[str] = frozenset(),
        named: Collection[str] = (),
        is_loss: bool = False,
        holders: Sequence[object] = (),
        seed: int = 0,
    ) -> None:
        self.name, self.convention = name, convention
        self._call, self._inputs, self._seed = run, dict(inputs), seed
        self._wrt, self._is_loss = tuple(wrt), is_loss
        self.summed = False
        # A cost of data and parameters is one number at many a shape of them.
        self.loose = is_loss and len(inputs) > 1 and any(map(is_parameter_name, wrt))
        self._rewind = generators(*holders, globally=False)  # those are seeded
        self.arguments = tuple(
            replace(a, constant=a.constant or not (a.name in self._wrt or a.name in named))
            for a in arguments_of(inputs, constants)
        )

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run the function, and bind its derivative to this run."""
        self._rewind()
        reseed(self._seed)
        result, derivative = self._call(values_at(self._inputs, primals))
        outputs, rest = outputs_of(result)
        if len(outputs) > 1 or rest is not None:
            raise UsageError(
                f"{self.name} returned {describe(result)}, expected one array or number",
                fix="check it with a backward that takes a cotangent for each output: gradcheck.check((f, vjp), ...)",
            )
        y = outputs[0]
        deepest = max((np.ndim(primals[name]) for name in self._wrt), default=0)
        if y.ndim and (self._is_loss or y.ndim < deepest):  # a loss for each sample, and the gradient of their sum
            self.summed, y = True, np.asarray(y.sum())

        def pullback(cotangents: Outputs) -> Gradients:
            return self._read(derivative(), cotangents[0], primals)

        return (y,), pullback

    def session(self, primals: Primals, *, forgetful: bool = False) -> Session:  # noqa: ARG002 - functions keep nothing
        """Return the functions themselves: what they carry from call to call is not theirs to carry."""
        self._rewind()
        reseed(self._seed)
        return _Again(self)

    def _read(self, returned: object, dout: Array, primals: Primals) -> Gradients:
        known = {a.name: a for a in self.arguments}
        owed = [known[name] for name in self._wrt if known[name].differentiable]
        shapes = {a.value.shape for a in owed}
        if len(owed) > 1 and len(shapes) == 1 and _array_or_none(returned) is not None:
            stacked = np.asarray(returned)
            returned = tuple(stacked) if stacked.shape == (len(owed), *shapes.pop()) else returned
        read = read_gradients(returned, owed, ())
        if isinstance(returned, Mapping) and not read.values:
            raise UncheckedError(
                f"{self.name} returned gradients of {', '.join(map(str, returned))}, expected {', '.join(self._wrt)}",
                fix=f"call them after the inputs: return dict({', '.join(f'd{name}=...' for name in self._wrt)})",
            )
        values = {name: _pulled(dout, g, primals[name]) for name, g in read.values.items()}
        for a in owed:
            if values.get(a.name) is None and (a.name in values or not read.problems):
                values[a.name] = Missing(f"the derivative with respect to {a.name} is None")
        for a in self.arguments:
            if a.differentiable and a.name not in self._wrt:
                values[a.name] = Missing(f"there is no derivative with respect to {a.name}", owed=False)
        raw = read.values if dout.ndim == 0 else None  # else they are factors, not gradients
        return Gradients(values, read.problems, read.remarks, raw=raw)


class _Again:
    """The functions, called again and again (see `gradcheck.subject.protocol.Session`)."""

    def __init__(self, subject: LocalSubject) -> None:
        self._subject = subject

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run the function."""
        return self._subject.vjp(primals)

    def kept(self) -> Mapping[str, Array]:
        """Return nothing: functions keep no arrays."""
        return {}


def agrees(subject: Subject, seed: int = 0) -> bool | None:
    """Whether the gradients at a subject's point are right along one random direction; None where it does not run.

    Only to choose between readings of one derivative, neither of which can be right by chance.
    """
    rng = np.random.default_rng(seed)
    owed = [a for a in subject.arguments if a.differentiable]
    try:
        (y, *_), pullback = subject.vjp(point_of(subject.arguments))
        dout = rng.standard_normal(y.shape)
        gradients = pullback((dout,)).values
        way = {a.name: rng.standard_normal(a.value.shape) for a in owed}
        analytic = sum(float(np.vdot(np.asarray(gradients[name]), v)) for name, v in way.items())

        def along(step: float) -> float:
            primals = {name: value + step * way[name] if name in way else value for name, value in _point(subject)}
            return float(np.vdot(dout, subject.vjp(primals)[0][0]))

        numeric = (along(_STEP) - along(-_STEP)) / (2 * _STEP)
    except Exception:  # noqa: BLE001 - whatever the user's functions raise means: not like this
        return None
    if not np.isfinite(numeric):
        return None
    return bool(abs(analytic - numeric) <= _AGREES * max(abs(numeric), 1e-3))


def _point(subject: Subject) -> list[tuple[str, Array]]:
    return list(point_of(subject.arguments).items())


def _pulled(dout: Array, returned: object, x: Array) -> object:
    """Return the gradient that a cotangent and a derivative make; what has no fitting shape is handed on as it is."""
    g = _array_or_none(returned)
    if g is None:
        return returned
    if dout.ndim == 0 or (dout.shape == x.shape and (g.ndim == 0 or g.shape == x.shape)):
        return np.multiply(dout, g)
    if x.ndim == 1 and dout.ndim == 1 and g.shape == (dout.size, x.size):  # a Jacobian
        return dout @ g
    if dout.shape == x.shape and g.shape == (*x.shape, x.shape[-1]):  # one for each sample
        return np.einsum("...i,...ij->...j", dout, g)
    return g


def _array_or_none(value: object) -> Array | None:
    try:
        array = np.asarray(value)
    except ValueError:  # ragged
        return None
    return array if array.dtype.kind in "biuf" and value is not None else None


def real_inputs(inputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of the inputs that are real, targets included."""
    return tuple(a.name for a in arguments_of(inputs, frozenset()) if a.differentiable)
