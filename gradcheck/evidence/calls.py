"""Running a layer for evidence: calls are counted, and what backward raises is told apart from bugs of our own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.errors import UsageError
from gradcheck.evidence.agree import Arrays
from gradcheck.subject.protocol import Array, Gradients, Missing, Outputs, Primals, Pullback, Session, Subject, point_of

Vjp = Callable[[Primals], tuple[Outputs, Pullback]]


class BackwardRaised(Exception):  # noqa: N818 - it carries an error, and is none of ours
    """Whatever the layer's backward raised."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class Counted:
    """A subject that counts its calls; what its backward raises comes as `BackwardRaised`."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.calls: dict[str, Any] = {"forwards": 0, "backwards": 0}

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run forward on a fresh layer."""
        return self.counting(self.subject.vjp)(primals)

    def session(self, primals: Primals, *, forgetful: bool = False) -> tuple[Session, Vjp]:
        """Build a layer to be kept; return it, and its counted ``vjp``."""
        session = self.subject.session(primals, forgetful=forgetful)
        return session, self.counting(session.vjp)

    def counting(self, run: Vjp) -> Vjp:
        """Return a ``vjp`` whose calls are counted."""

        def vjp(primals: Primals) -> tuple[Outputs, Pullback]:
            self.calls["forwards"] += 1
            outputs, pullback = run(primals)

            def counted(cotangents: Outputs) -> Gradients:
                self.calls["backwards"] += 1
                try:
                    return pullback(cotangents)
                except UsageError:
                    raise
                except Exception as error:
                    raise BackwardRaised(error) from error

            return outputs, counted

        return vjp

    def run(self, primals: Primals) -> tuple[Outputs, Callable[[Outputs], Arrays]]:
        """Run forward, with a pullback that gives only the gradients that can be compared."""
        outputs, pullback = self.vjp(primals)
        return outputs, lambda cotangents: well_formed(self.subject, pullback(cotangents))

    def gradients(self, pullback: Pullback, cotangents: Outputs) -> Arrays:
        """Return the well-formed gradients for copies of these cotangents."""
        return well_formed(self.subject, pullback(tuple(map(np.array, cotangents))))

    def point(self) -> dict[str, Array]:
        """Return fresh copies of the arguments."""
        return point_of(self.subject.arguments)


@dataclass(frozen=True, slots=True)
class Reference:
    """The first run of a case, which other runs are held against: its outputs, cotangents ``w`` and gradients."""

    counted: Counted
    outputs: Outputs
    w: Outputs
    arrays: Arrays
    seed: int


def well_formed(subject: Subject, gradients: Gradients, like: Primals | None = None) -> dict[str, Array]:
    """Return copies of the gradients that can be compared: real arrays of their argument's shape.

    ``like`` are the primals where they have other shapes than the subject's own arguments.
    """
    arrays: dict[str, Array] = {}
    for argument in subject.arguments:
        value = gradients.values.get(argument.name)
        if not argument.differentiable or value is None or isinstance(value, Missing):
            continue
        array = as_real(value)
        shape = argument.value.shape if like is None else like[argument.name].shape
        if array is not None and array.shape == shape:
            arrays[argument.name] = array
    return arrays


def as_real(value: object) -> Array | None:
    """Return a float copy of a gradient, or None where it is no array of real numbers."""
    try:
        array = np.array(value)
    except Exception:  # noqa: BLE001 - a ragged list, an object that refuses
        return None
    if np.issubdtype(array.dtype, np.floating):
        return array
    if np.issubdtype(array.dtype, np.integer) or array.dtype == np.bool_:
        return array.astype(np.float64)
    return None


def draw_cotangents(outputs: Outputs, seed: int, name: str) -> Outputs:
    """Draw a cotangent for each output: random signs, sizes between 1 and 2, so that no element counts for nothing."""
    rng = stream(seed, "cotangent", name)
    return tuple((rng.choice((-1.0, 1.0), y.shape) * rng.uniform(1.0, 2.0, y.shape)).astype(y.dtype) for y in outputs)
