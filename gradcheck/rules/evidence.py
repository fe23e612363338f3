"""Run a layer at one case and write down how it behaved: the evidence that all rules share.

A case costs, for a layer that passes: 2 forwards and 7 backwards for the contracts (purity, repeatability, linearity),
and 3 forwards and 1 backward for the numeric comparison, whatever the number of elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.derivative.function import Comparison
from gradcheck.errors import UsageError
from gradcheck.rules.numeric import Arrays, compare_gradients
from gradcheck.subject.protocol import (
    Argument,
    Array,
    Gradients,
    Missing,
    Outputs,
    Primals,
    Pullback,
    Subject,
    point_of,
)

# Powers of two scale floating-point numbers exactly, so a linear backward scales exactly too: what is left is only
# what the backward rounds. 2**10 takes a cotangent beyond any clipping in use, 2**-10 below any dead zone.
SCALES = (-1.0, 2.0**10, 2.0**-10)


class NotComparableError(Exception):
    """A case that shows nothing: forward does not take it, or its output is not finite. No finding."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """An array of the caller's that the layer wrote into: ``what`` is ``dout`` or an argument's name."""

    by: Literal["forward", "backward"]
    what: str


@dataclass(frozen=True, slots=True)
class Linearity:
    """One test of backward's linearity: what it gave for a combination of cotangents, and what it should have given."""

    argument: str
    test: str
    expected: Array
    found: Array
    size: float  # of what was combined: a sum may cancel


@dataclass(frozen=True)
class Evidence:
    """How a layer behaved at one case. Fields are empty where backward raised before they could be had."""

    subject: Subject
    outputs: Outputs
    cotangents: Outputs
    gradients: Gradients | None = None
    arrays: Arrays = field(default_factory=dict)
    raised: Exception | None = None
    overwrites: tuple[Overwrite, ...] = ()
    again: Arrays | Exception | None = None
    linearity: tuple[Linearity, ...] = ()
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    deterministic: bool = True
    left_out: frozenset[str] = frozenset()
    forwards: int = 0
    backwards: int = 0

    @property
    def owed(self) -> tuple[Argument, ...]:
        """The arguments whose gradient backward owes."""
        return tuple(a for a in self.subject.arguments if a.differentiable)


def gather(subject: Subject, seed: int, *, left_out: Set[str] = frozenset(), stencils: int = 0) -> Evidence:
    """Run the layer at its point and note everything that the rules ask about.

    Parameters
    ----------
    subject : Subject
    seed : int
        Seeds the cotangents and directions.
    left_out : set of str
        Arguments whose gradients are not to be compared: they are known to be wrong, and to find that out once more
        would cost much more than a pass.
    stencils : int
        Gradients that so many stencils are enough for are compared element by element too.

    Raises
    ------
    NotComparableError
        If forward raises, or gives something that is not finite: then there is nothing to say about backward here.
    """
    counted = _Counted(subject)
    primals = point_of(subject.arguments)
    try:
        outputs, pullback = counted.vjp(primals)
    except UsageError:
        raise
    except Exception as error:
        raise NotComparableError(f"forward raised {type(error).__name__}: {error}") from error
    overwrites = [Overwrite("forward", name) for name in _changed(primals, point_of(subject.arguments))]
    outputs = tuple(np.array(y) for y in outputs)
    if not all(np.issubdtype(y.dtype, np.floating) and bool(np.all(np.isfinite(y))) for y in outputs):
        raise NotComparableError("the output of forward is not real, or not finite")
    cotangents = draw_cotangents(outputs, seed, "first")
    handed = tuple(map(np.array, cotangents))
    before = {name: np.array(value) for name, value in primals.items()}
    try:
        gradients = pullback(handed)
    except _BackwardRaised as raised:
        late = [*overwrites, *_overwrites_of_backward(handed, cotangents, primals, before)]
        return Evidence(subject, outputs, cotangents, raised=raised.error, overwrites=tuple(late), **counted.calls)
    overwrites += _overwrites_of_backward(handed, cotangents, primals, before)
    arrays = _well_formed(subject, gradients)
    again = _again(subject, pullback, cotangents)
    runs = _Runs(counted, pullback if _repeats(arrays, again) else None)
    evidence = Evidence(
        subject, outputs, cotangents, gradients, arrays,
        overwrites=tuple(overwrites), again=again, left_out=frozenset(left_out),
    )  # fmt: skip
    try:
        linearity = _linearity(runs, arrays, cotangents, seed)
        outputs_again, _ = counted.vjp(point_of(subject.arguments))
        if not _same_outputs(outputs, outputs_again):
            return replace(evidence, deterministic=False, **counted.calls)
        compared = {name: g for name, g in arrays.items() if name not in left_out}
        comparisons = compare_gradients(counted.run, subject.arguments, compared, outputs, seed, stencils=stencils)
    except _BackwardRaised as raised:  # it took one cotangent, and raises for another
        return replace(evidence, raised=raised.error, **counted.calls)
    return replace(evidence, linearity=linearity, comparisons=comparisons, **counted.calls)


def draw_cotangents(outputs: Outputs, seed: int, name: str) -> Outputs:
    """Draw a cotangent for each output: random signs, sizes between 1 and 2, so that no element counts for nothing."""
    rng = stream(seed, "cotangent", name)
    return tuple((rng.choice((-1.0, 1.0), y.shape) * rng.uniform(1.0, 2.0, y.shape)).astype(y.dtype) for y in outputs)


class _BackwardRaised(Exception):  # noqa: N818 - it carries an error, and is none of ours
    """Whatever the layer's backward raised, told apart from what goes wrong on our side."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Counted:
    """A subject that counts its calls."""

    def __init__(self, subject: Subject) -> None:
        self.subject = subject
        self.calls: dict[str, Any] = {"forwards": 0, "backwards": 0}

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        self.calls["forwards"] += 1
        outputs, pullback = self.subject.vjp(primals)

        def counted(cotangents: Outputs) -> Gradients:
            self.calls["backwards"] += 1
            try:
                return pullback(cotangents)
            except UsageError:
                raise
            except Exception as error:
                raise _BackwardRaised(error) from error

        return outputs, counted

    def run(self, primals: Primals) -> tuple[Outputs, Callable[[Outputs], Arrays]]:
        """Run forward, with a pullback that gives only the gradients that can be compared."""
        outputs, pullback = self.vjp(primals)
        return outputs, lambda cotangents: _well_formed(self.subject, pullback(cotangents))


class _Runs:
    """Backward at the point for any cotangent: on one run where backward can be repeated, else each on its own."""

    def __init__(self, counted: _Counted, pullback: Pullback | None) -> None:
        self._counted, self._pullback = counted, pullback

    def __call__(self, cotangents: Outputs) -> Arrays:
        pullback = self._pullback or self._counted.vjp(point_of(self._counted.subject.arguments))[1]
        return _well_formed(self._counted.subject, pullback(cotangents))


def _again(subject: Subject, pullback: Pullback, cotangents: Outputs) -> Arrays | Exception:
    try:
        return _well_formed(subject, pullback(tuple(map(np.array, cotangents))))
    except _BackwardRaised as raised:  # one backward per forward is a design, not a defect
        return raised.error


def _repeats(first: Arrays, second: Arrays | Exception) -> bool:
    return isinstance(second, Mapping) and first.keys() == second.keys() and all(
        np.array_equal(first[name], second[name], equal_nan=True) for name in first
    )  # fmt: skip


def _overwrites_of_backward(handed: Outputs, cotangents: Outputs, primals: Primals, before: Primals) -> list[Overwrite]:
    spoilt = any(not _bitwise(a, b) for a, b in zip(handed, cotangents, strict=True))
    dout = [Overwrite("backward", "dout")] if spoilt else []
    return dout + [Overwrite("backward", name) for name in _changed(primals, before)]


def _changed(primals: Primals, before: Primals) -> list[str]:
    return [name for name, value in before.items() if not _bitwise(primals[name], value)]


def _bitwise(a: Array, b: Array) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and a.tobytes() == b.tobytes()


def _same_outputs(a: Outputs, b: Outputs) -> bool:
    """Whether two runs gave the same but for rounding (threads may sum in another order)."""

    def same(y: Array, z: Array) -> bool:
        allowed = 1e3 * float(np.finfo(y.dtype).eps) * _top(y)
        return y.shape == z.shape and bool(np.all(np.abs(y - z) <= allowed))

    return len(a) == len(b) and all(same(y, z) for y, z in zip(a, b, strict=True))


def _well_formed(subject: Subject, gradients: Gradients) -> dict[str, Array]:
    """Return copies of the gradients that can be compared: real arrays of their argument's shape."""
    arrays: dict[str, Array] = {}
    for argument in subject.arguments:
        value = gradients.values.get(argument.name)
        if not argument.differentiable or value is None or isinstance(value, Missing):
            continue
        array = as_real(value)
        if array is not None and array.shape == argument.value.shape:
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


def _linearity(runs: _Runs, arrays: Arrays, w: Outputs, seed: int) -> tuple[Linearity, ...]:
    """Hold B(s w) against s B(w) at several scales, and B(w + u) against B(w) + B(u)."""
    finite = {name: g for name, g in arrays.items() if np.all(np.isfinite(g))}
    found: list[Linearity] = []
    for scale in SCALES:
        scaled = runs(tuple((scale * part).astype(part.dtype) for part in w))
        label = f"backward({scale:g} * dout) is not {scale:g} * backward(dout)"
        found += [
            Linearity(n, label, scale * g, scaled[n], abs(scale) * _top(g)) for n, g in finite.items() if n in scaled
        ]
    u = draw_cotangents(w, seed, "second")
    of_u, of_sum = runs(tuple(map(np.array, u))), runs(tuple(a + b for a, b in zip(w, u, strict=True)))
    label = "backward(dout1 + dout2) is not backward(dout1) + backward(dout2)"
    for name in finite.keys() & of_u.keys() & of_sum.keys():
        g, g_u = finite[name], of_u[name]
        found.append(Linearity(name, label, g + g_u, of_sum[name], max(_top(g), _top(g_u))))
    return tuple(found)


def _top(g: Array) -> float:
    return float(np.max(np.abs(g), initial=0.0))
