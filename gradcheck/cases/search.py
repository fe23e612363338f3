"""The points at which a layer is checked: those that the user gave, or those that a plan draws."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.cases.families import is_target
from gradcheck.cases.infer import infer, source_of
from gradcheck.cases.plan import Plan, shapes_of
from gradcheck.cases.signature import Signature, format_dims
from gradcheck.cases.values import stream
from gradcheck.errors import UsageError
from gradcheck.records import Case
from gradcheck.subject.conventions import Convention, convention_of
from gradcheck.subject.parameters import arrays_of
from gradcheck.subject.protocol import Argument, Subject

SWEEP = 24  # cases of a default run: 4 of set sizes, 20 random ones
GIVEN_SEEDS = 3  # cotangents and directions tried at a point that the user gave

Settings = Mapping[str, Any] | tuple[Any, ...] | None
Given = tuple[Mapping[str | int, Any], Mapping[str, Any]]


@dataclass(frozen=True)
class Points:
    """Where a layer is checked: ``plan`` draws points from cases, or ``given`` holds them."""

    name: str
    obj: Any
    convention: Convention
    plan: Plan | None = None
    given: tuple[Given, ...] = ()

    @classmethod
    def of(
        cls,
        name: str,
        obj: Any,
        *,
        inputs: Any = None,
        settings: Settings = None,
        cases: Iterable[tuple[Settings, Any]] | None = None,
        signature: str | None = None,
    ) -> Points:
        """Find out where to check a layer.

        Raises
        ------
        UsageError
            If what was given does not fit together, or no shapes were found that forward takes.
        """
        built = _settings(settings)
        convention = convention_of(obj, built)
        if inputs is not None and cases is not None:
            raise UsageError(
                "both inputs and cases were given", fix="give one of them; cases holds (settings, inputs) pairs"
            )
        if inputs is not None:
            cases = [(settings, inputs)]
        if cases is not None:
            pairs = [_pair(case) for case in cases]
            if not pairs:
                raise UsageError("cases is empty", fix="give at least one (settings, inputs) pair")
            made = [({**built, **_settings(s)}, x) for s, x in pairs]
            given = tuple((s, _named(convention, obj, s, x)) for s, x in made)
            return cls(name, obj, convention, given=given)
        constructor, forward = convention.interface(obj, built)
        bind = cls(name, obj, convention)._bind
        plan = infer(
            lambda s, x, constants: bind(s, x, constants, 0),
            constructor,
            forward,
            settings=built,
            source=source_of(obj),
            sizes=_sizes_in(obj, built),
            signature=None if signature is None else Signature.parse(signature),
        )
        return cls(name, obj, convention, plan=plan)

    @property
    def signature(self) -> str:
        """The shapes in gufunc notation."""
        if self.plan is not None:
            return str(self.plan.signature)
        settings, inputs = self.given[0]
        return ",".join(format_dims(dims) for dims in shapes_of({**inputs, **{str(k): v for k, v in settings.items()}}))

    def sweep(self, seed: int) -> Iterator[Case]:
        """Yield the cases of a run."""
        if self.plan is not None:
            yield from self.plan.sweep(seed, SWEEP)
            return
        for position in range(len(self.given)):
            for k in range(GIVEN_SEEDS if len(self.given) == 1 else 1):
                yield Case(seed=seed * 1_000_003 + k, given=position)

    def smaller(self, case: Case, tries: int) -> Iterator[Case]:
        """Yield cases of smaller sizes, the smallest first; none for points that the user gave."""
        return iter(()) if self.plan is None else self.plan.smaller(case, tries)

    def at(self, case: Case) -> Subject:
        """Return the subject at a case.

        Raises
        ------
        UsageError
            If the case belongs to other dimensions or to a point that was not given.
        """
        if self.plan is None:
            if case.given is None or not case.given < len(self.given):
                raise UsageError(
                    f"the case {str(case)!r} is none of the {len(self.given)} given points", fix="use given=0 and so on"
                )
            settings, inputs = self.given[case.given]
            constants = frozenset(n for n, v in inputs.items() if is_target(n) and np.asarray(v).dtype.kind != "f")
            return self._promoted(settings, inputs, constants, case.seed)
        settings, inputs = self.plan.realise(case)
        subject = self._bind(settings, inputs, self.plan.constants, case.seed)
        return _jittered(subject, case.seed, {*map(str, settings), *inputs})

    def _bind(
        self, settings: Mapping[str | int, Any], inputs: Mapping[str, Any], constants: frozenset[str], seed: int
    ) -> Subject:
        return self.convention.bind(self.obj, settings, inputs, name=self.name, constants=constants, seed=seed)

    def _promoted(
        self, settings: Mapping[str | int, Any], inputs: Mapping[str, Any], constants: frozenset[str], seed: int
    ) -> Subject:
        """Bind at the given point in float64; where the layer refuses float64, as it was given."""
        wide = self._bind(_widened(settings), _widened(inputs), constants, seed)
        if any(_is_narrow(v) for v in (*settings.values(), *inputs.values())):
            try:
                wide.vjp({a.name: np.array(a.value) for a in wide.arguments})
            except Exception:  # noqa: BLE001 - whatever it raises, it does not take float64
                return self._bind(settings, inputs, constants, seed)
        return wide


def _settings(settings: Settings) -> dict[str | int, Any]:
    if settings is None:
        return {}
    if isinstance(settings, Mapping):
        return {str(key): value for key, value in settings.items()}
    if isinstance(settings, tuple | list):
        return dict(enumerate(settings))
    raise UsageError(
        f"settings is a {type(settings).__name__}, expected a dict of keyword arguments or a tuple of positional ones",
        fix="write settings=dict(W=W, b=b) or settings=(W, b)",
    )


def _pair(case: Any) -> tuple[Settings, Any]:
    if not (isinstance(case, tuple | list) and len(case) == 2):
        raise UsageError(
            "an entry of cases is not a (settings, inputs) pair", fix="write cases=[(dict(W=W, b=b), (x,)), ...]"
        )
    return case[0], case[1]


def _named(convention: Convention, obj: Any, settings: Mapping[str | int, Any], inputs: Any) -> dict[str, Any]:
    """Give each input its name in forward; lists of numbers become arrays."""
    names = [p.name for p in convention.interface(obj, settings)[1] if not p.variadic]
    if isinstance(inputs, Mapping):
        unknown = [name for name in inputs if names and name not in names]
        if unknown:
            raise UsageError(f"forward has no argument {unknown[0]!r}", fix=f"its arguments are {', '.join(names)}")
        return {str(name): _value(value) for name, value in inputs.items()}
    if isinstance(inputs, np.ndarray | float | int):
        inputs = (inputs,)
    if not isinstance(inputs, tuple | list):
        raise UsageError(f"inputs is a {type(inputs).__name__}, expected a tuple of arrays", fix="write inputs=(x,)")
    labels = [*names[: len(inputs)], *(f"x{k}" for k in range(len(names), len(inputs)))]
    return {name: _value(value) for name, value in zip(labels, inputs, strict=True)}


def _value(value: Any) -> Any:
    return np.asarray(value) if isinstance(value, list | float) else value


def _is_narrow(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.dtype.itemsize < 8


def _widened(values: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value.astype(np.float64) if _is_narrow(value) else value for key, value in values.items()}


def _jittered(subject: Subject, seed: int, drawn: set[str]) -> Subject:
    """Move the parameters that a layer made itself off their initial values, where the layer lets them be moved.

    Biases of 0 and scales of 1 are special points, at which a missing factor does not show.
    """

    def moved(a: Argument) -> Argument:
        if a.kind != "parameter" or a.name in drawn:
            return a
        rng = stream(seed, "parameter", a.name)
        spread = 0.3 * (1.0 + np.abs(a.value))
        return replace(a, value=np.asarray(a.value + spread * rng.uniform(-1.0, 1.0, a.value.shape)))

    arguments = tuple(moved(a) for a in subject.arguments)
    if all(a is b for a, b in zip(arguments, subject.arguments, strict=True)):
        return subject
    try:
        outputs, _ = subject.vjp({a.name: np.array(a.value) for a in arguments})
    except Exception:  # noqa: BLE001 - a layer that refuses other parameters is checked at its own
        return subject
    if all(bool(np.all(np.isfinite(y))) for y in outputs):
        subject = copy.copy(subject)
        subject.arguments = arguments
    return subject


def _sizes_in(obj: Any, settings: Mapping[str | int, Any]) -> list[int]:
    """Return the sizes that a layer has already: of the settings given, or of the parameters of a built object."""
    values: list[Any] = list(settings.values())
    if not settings and not inspect.isclass(obj) and not isinstance(obj, tuple):
        values = [*(kept.value for kept in arrays_of(obj)), *vars(obj).values()] if hasattr(obj, "__dict__") else []
    sizes: list[int] = []
    for value in values:
        if isinstance(value, np.ndarray):
            sizes += map(int, value.shape)
        elif isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10_000:
            sizes.append(value)
    return list(dict.fromkeys(sizes))
