"""The points that the user gave: put in order, tried once, and bound exactly as they are.

What does not fit together is said here, before anything is checked: a point that is silently left out would look like
one that passed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.cases.families import is_target
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.hints import did_you_mean
from gradcheck.subject.conventions import Convention, convention_of
from gradcheck.subject.describe import describe
from gradcheck.subject.protocol import Missing, Outputs, Subject, point_of

Settings = Mapping[str, Any] | tuple[Any, ...] | None


@dataclass(frozen=True)
class GivenPoint:
    """One point: settings and inputs, with the inputs that are a loss's targets."""

    convention: Convention
    obj: Any
    name: str
    settings: Mapping[str | int, Any]
    inputs: Mapping[str, Any]
    constants: frozenset[str] = frozenset()

    def bind(self, seed: int) -> Subject:
        """Bind at this point in float64; where the layer refuses float64, as it was given."""
        wide = self._bind(_widened(self.settings), _widened(self.inputs), seed)
        if any(_is_narrow(v) for v in (*self.settings.values(), *self.inputs.values())):
            try:
                _run(wide)
            except Exception:  # noqa: BLE001 - whatever it raises, it does not take float64
                return self._bind(self.settings, self.inputs, seed)
        return wide

    def _bind(self, settings: Mapping[str | int, Any], inputs: Mapping[str, Any], seed: int) -> Subject:
        bind = self.convention.bind
        return bind(self.obj, settings, inputs, name=self.name, constants=self.constants, seed=seed)

    def __str__(self) -> str:
        values = {str(key): value for key, value in (*self.settings.items(), *self.inputs.items())}
        return ", ".join(f"{key} = {describe(value)}" for key, value in values.items()) or "no inputs"


def settings_of(settings: Settings) -> dict[str | int, Any]:
    """Return constructor arguments by name, or by position where they were given so.

    Raises
    ------
    UsageError
        If they are neither a dict nor a tuple.
    """
    if settings is None:
        return {}
    if isinstance(settings, Mapping):
        return {str(key): value for key, value in settings.items()}
    if isinstance(settings, tuple | list):
        return dict(enumerate(settings))
    raise UsageError(
        f"settings is {describe(settings)}, expected a dict of keyword arguments or a tuple of positional ones",
        fix="write settings=dict(W=W, b=b) or settings=(W, b)",
    )


def given_points(
    obj: Any,
    name: str,
    cases: Any,
    shared: Mapping[str | int, Any],
    *,
    named: str | None = None,
    constants: frozenset[str] = frozenset(),
) -> Iterator[GivenPoint]:
    """Yield the points of ``cases``, each tried once; ``shared`` settings hold for all of them.

    ``named`` is the convention, where the user names it; ``constants`` are inputs that have no gradient.

    Raises
    ------
    UsageError
        If a case is not a pair of settings and inputs, or the layer does not take it.
    UncheckedError
        If the layer takes it, but nothing can be compared there.
    """
    pairs = list(cases) if isinstance(cases, Iterable) and not isinstance(cases, str | Mapping) else None
    if not pairs:
        found = "is empty" if pairs is not None else f"is {describe(cases)}"
        raise UsageError(
            f"cases {found}, expected (settings, inputs) pairs", fix="write cases=[(dict(W=W, b=b), (x,)), ...]"
        )
    for position, case in enumerate(pairs):
        if not (isinstance(case, tuple | list) and len(case) == 2):
            raise UsageError(
                f"cases[{position}] is {describe(case)}, expected a (settings, inputs) pair",
                fix="write cases=[(dict(W=W, b=b), (x,)), ...]",
            )
        settings = {**shared, **settings_of(case[0])}
        convention = convention_of(obj, settings, _inputs_of(case[1]), named)
        inputs = _named(convention, obj, settings, case[1], name)
        if unknown := sorted(constants - inputs.keys()):
            raise UsageError(
                f"constants speaks of {unknown[0]!r}, which is none of the inputs",
                fix=did_you_mean(unknown[0], inputs, "they"),
            )
        where = f"cases[{position}]: " if len(pairs) > 1 else ""
        yield _tried(GivenPoint(convention, obj, name, settings, inputs, constants), where)


def _inputs_of(given: Any) -> Mapping[Any, Any] | Sequence[Any]:
    return given if isinstance(given, Mapping | tuple | list) else (given,)


def _tried(point: GivenPoint, where: str) -> GivenPoint:
    """Run a point once, and say what its targets are."""
    subject, outputs, gradients = _first_run(point, where)
    for y in outputs:
        if not np.issubdtype(y.dtype, np.floating):
            raise UncheckedError(
                f"{where}forward gives {describe(y)}, expected real numbers, for {point}",
                fix="give floating-point inputs, for example x.astype(float)",
            )
        if not np.all(np.isfinite(y)):
            raise UncheckedError(
                f"{where}forward gives {y[~np.isfinite(y)][0]} at {_index(~np.isfinite(y))} of its output, for {point}",
                fix="give a point at which forward is finite",
            )
    targets = point.constants | _targets(subject, outputs, gradients)
    return GivenPoint(point.convention, point.obj, point.name, point.settings, point.inputs, targets)


def _first_run(point: GivenPoint, where: str) -> tuple[Subject, Outputs, Mapping[str, object]]:
    try:
        subject = point.bind(0)
        outputs, pullback = _run(subject)
    except UsageError:
        raise
    except Exception as error:
        text = " ".join(str(error).split())
        raise UsageError(
            f"{where}{point.name} does not take what was given ({point}): {type(error).__name__}: {text}",
            fix="give settings that its constructor takes, and inputs that its forward takes",
        ) from error
    try:
        gradients = pullback(tuple(np.ones_like(y) for y in outputs))
    except Exception:  # noqa: BLE001 - what backward raises is for the check to judge
        return subject, outputs, {}
    return subject, outputs, {} if gradients.problems else gradients.values


def _targets(subject: Subject, outputs: Outputs, gradients: Mapping[str, object]) -> frozenset[str]:
    """Return the inputs that have no gradient because they are a loss's targets.

    An input with a target's name that is no float is one; a float is one where backward gives no gradient for it.
    What is called ``y`` is one only beside another input of a loss, which gives a single number.
    """
    loss = all(y.ndim == 0 for y in outputs)
    inputs = [a for a in subject.arguments if a.kind == "input"]
    named = [a for a in inputs if is_target(a.name) or (loss and a.name == "y" and len(inputs) > 1)]
    return frozenset(
        a.name for a in named if not a.differentiable or isinstance(gradients.get(a.name, Missing("")), Missing)
    )


def _named(
    convention: Convention, obj: Any, settings: Mapping[str | int, Any], inputs: Any, name: str
) -> dict[str, Any]:
    """Give each input its name in forward, in forward's order; lists of numbers become arrays."""
    try:
        parameters = convention.interface(obj, settings)[1]
    except UsageError:
        raise
    except Exception as error:
        raise UsageError(
            f"{name} cannot be made with the given settings: {type(error).__name__}: {error}",
            fix="give settings that it takes",
        ) from error
    if hasattr(inputs, "__array__"):
        inputs = _array(inputs)
    names = [p.name for p in parameters if not p.variadic]
    starred = len(names) < len(parameters)
    if isinstance(inputs, Mapping):
        unknown = [str(key) for key in inputs if names and key not in names]
        if unknown:
            raise UsageError(f"forward has no argument {unknown[0]!r}", fix=f"its arguments are {', '.join(names)}")
        inputs = {key: inputs[key] for key in sorted(inputs, key=lambda key: names.index(key) if names else 0)}
    elif isinstance(inputs, np.ndarray | float | int):
        inputs = dict(zip(names or ["x0"], (inputs,), strict=False))
    elif isinstance(inputs, tuple | list):
        labels = [*names[: len(inputs)], *(f"x{k}" for k in range(len(names), len(inputs)))]
        inputs = dict(zip(labels, inputs, strict=True))
    else:
        raise UsageError(f"inputs is {describe(inputs)}, expected a tuple of arrays", fix="write inputs=(x,)")
    missing = [p.name for p in parameters if p.required and p.name not in inputs]
    if missing or (len(inputs) > len(names) and parameters and not starred):
        raise UsageError(
            f"forward({', '.join(names)}) was given {len(inputs)} input{'s' * (len(inputs) != 1)}"
            + (f", without {', '.join(missing)}" if missing else f", expected {len(names)}"),
            fix=f"write inputs=({', '.join(names)}{',' * (len(names) == 1)})",
        )
    return {str(label): _value(label, value, first=k == 0) for k, (label, value) in enumerate(inputs.items())}


def _value(label: str, value: Any, *, first: bool) -> Any:
    if first and type(value) in {list, tuple} and value and all(isinstance(item, np.ndarray) for item in value):
        return type(value)(_array(item) for item in value)  # each of them is an argument
    if isinstance(value, tuple | list) and any(isinstance(item, np.ndarray) for item in value):
        raise UsageError(
            f"the input {label} is {describe(value)} arrays, expected one array: a gradient belongs to one array",
            fix="wrap it: gradcheck.check((lambda *xs: forward(xs), lambda dout, *xs: backward(dout, xs)), inputs=...)",
        )
    if not isinstance(value, list):
        return _array(value)
    try:
        return np.asarray(value)
    except ValueError as error:
        raise UsageError(
            f"the input {label} is a ragged list, expected rows of equal length", fix="pad it, or give an array"
        ) from error


def _array(value: Any) -> Any:
    """Return the array of another framework (a torch.Tensor, a jax.Array) as one of NumPy; all else as it is."""
    if isinstance(value, np.ndarray | np.generic) or not hasattr(value, "__array__"):
        return value
    return np.array(value.detach() if hasattr(value, "detach") else value)


def _run(subject: Subject) -> Any:
    return subject.vjp(point_of(subject.arguments))


def _index(where: np.ndarray[Any, Any]) -> list[int]:
    return [int(k) for k in np.argwhere(where)[0]]


def _is_narrow(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.itemsize < 8


def _widened(values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value.astype(np.float64) if _is_narrow(value) else value for key, value in values.items()}
