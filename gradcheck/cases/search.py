"""The points at which a layer is checked: those that the user gave, or those that a plan draws."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from gradcheck.cases.given import GivenPoint, Settings, given_points, settings_of
from gradcheck.cases.hooks import self_building
from gradcheck.cases.infer import infer
from gradcheck.cases.kinds import Kinds
from gradcheck.cases.plan import Plan, shapes_of
from gradcheck.cases.profile import Profile
from gradcheck.cases.said import Said, said_of
from gradcheck.cases.signature import format_dims
from gradcheck.cases.values import Fixed, Recipe, stream
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.hints import NO_HINTS, Hints, did_you_mean
from gradcheck.records import Case
from gradcheck.subject.annotations import annotations_of
from gradcheck.subject.calls import signature_of
from gradcheck.subject.conventions import Convention, convention_of
from gradcheck.subject.parameters import arrays_of
from gradcheck.subject.protocol import Argument, Subject, point_of
from gradcheck.subject.source import text_of

__all__ = ["Points", "Settings"]


@dataclass(frozen=True)
class Points:
    """Where a layer is checked: ``plan`` draws points from cases, or ``given`` holds them."""

    name: str
    obj: Any
    convention: Convention
    plan: Plan | None = None
    given: tuple[GivenPoint, ...] = ()

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
        hints: Hints = NO_HINTS,
    ) -> Points:
        """Find out where to check a layer: ``settings`` and ``signature`` are laid over those of ``hints``.

        Raises
        ------
        UsageError
            If what was given does not fit together, or no shapes were found that forward takes.
        """
        built = settings_of(settings)
        constants = frozenset(hints.constants or ())
        if inputs is not None or cases is not None:
            pairs = [(settings, inputs)] if cases is None else cases
            _only_one(inputs=inputs, cases=cases, signature=signature)
            found = tuple(given_points(obj, name, pairs, built, named=hints.convention, constants=constants))
            return cls(name, obj, found[0].convention, given=found)
        given = Hints(signature=None if signature is None else _text(signature), settings=built or None)
        said = said_of(given.over(hints), annotations_of(obj), written(obj, name))
        _require_taken(obj, said.settings)
        try:
            return cls._found(name, obj, said, hints.convention)
        except UncheckedError:
            for ready in self_building(obj):
                with suppress(UsageError):
                    return cls._found(name, ready, said, hints.convention)
            raise

    @classmethod
    def _found(cls, name: str, obj: Any, said: Said, named: str | None) -> Points:
        """Find the plan of a layer by trying."""
        built = _sized(said.settings)
        convention = convention_of(obj, built, named=named)
        constructor, forward = convention.interface(obj, built)
        bind = cls(name, obj, convention)._bind
        plan = infer(
            lambda s, x, constants: bind(s, x, constants, 0),
            constructor,
            forward,
            source=text_of(obj),
            sizes=_sizes_in(obj, {key: r.value for key, r in said.settings.items() if isinstance(r, Fixed)}),
            said=said,
            kinds=Kinds.of(obj, [p.name for p in constructor if p.required], [p.name for p in forward if p.required]),
        )
        return cls(name, obj, convention, plan=plan)

    @property
    def signature(self) -> str:
        """The shapes in gufunc notation."""
        if self.plan is not None:
            return str(self.plan.signature)
        point = self.given[0]
        arrays = {**point.inputs, **{str(key): value for key, value in point.settings.items()}}
        return ",".join(format_dims(dims) for dims in shapes_of(arrays))

    def sweep(self, seed: int, profile: Profile) -> Iterator[Case]:
        """Yield the cases of a run.

        Raises
        ------
        UsageError
            If the seed is no whole number, or negative.
        """
        seed = _whole(seed)
        if self.plan is not None:
            yield from self.plan.sweep(seed, profile.cases)
            return
        for position in range(len(self.given)):
            for k in range(profile.draws if len(self.given) == 1 else 1):
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
            return self.given[case.given].bind(case.seed)
        settings, inputs = self.plan.realise(case)
        subject = self._bind(settings, inputs, self.plan.constants, case.seed)
        return _jittered(subject, case.seed, {*map(str, settings), *inputs})

    def _bind(
        self, settings: Mapping[str | int, Any], inputs: Mapping[str, Any], constants: frozenset[str], seed: int
    ) -> Subject:
        return self.convention.bind(self.obj, settings, inputs, name=self.name, constants=constants, seed=seed)


def written(obj: object, name: str) -> str:
    """Return how a layer is written in Python: a pair by the names of its functions."""
    if not isinstance(obj, tuple):
        return name
    return f"({', '.join(str(getattr(part, '__name__', part)) for part in obj)})"


def _require_taken(obj: Any, settings: Mapping[str | int, Any]) -> None:
    """Refuse settings that a class does not take, before any of them is tried."""
    signature = signature_of(obj) if inspect.isclass(obj) else None
    parameters = signature.parameters if signature else {}
    unknown = [key for key in settings if isinstance(key, str) and key not in parameters]
    if signature and unknown and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
        raise UsageError(
            f"settings speaks of {unknown[0]!r}, which {obj.__name__}({', '.join(parameters)}) does not take",
            fix=did_you_mean(unknown[0], parameters, "its arguments") if parameters else "leave settings out",
        )


def _sized(recipes: Mapping[str | int, Recipe]) -> dict[str | int, Any]:
    """Return settings as they are at the sizes of a trial."""
    plan = Plan(recipes, {})
    return plan.realise(plan.trial())[0]


def _only_one(**given: Any) -> None:
    names = [name for name, value in given.items() if value is not None]
    if len(names) > 1:
        raise UsageError(
            f"both {' and '.join(names)} were given",
            fix="give one of them: points (inputs, or cases of (settings, inputs)) are checked as they are, "
            "a signature says how to draw them",
        )


def _whole(seed: Any) -> int:
    if isinstance(seed, int | np.integer) and seed >= 0:
        return int(seed)
    raise UsageError(f"seed is {seed!r}, expected a whole number from 0 on", fix="give one, for example seed=0")


def _text(signature: Any) -> str:
    if isinstance(signature, str):
        return signature
    raise UsageError(
        f"signature is a {type(signature).__name__}, expected text in gufunc notation",
        fix='write it like "(n,i),(i,o),(o)->(n,o)"',
    )


def _jittered(subject: Subject, seed: int, drawn: set[str]) -> Subject:
    """Move the parameters that a layer made itself off their initial values, where the layer lets them be moved.

    Biases of 0 and scales of 1 are special points, at which a missing factor does not show.
    """

    def moved(a: Argument) -> Argument:
        if a.kind != "parameter" or a.name in drawn:
            return a
        rng = stream(seed, "parameter", a.name)
        spread = 0.3 * (1.0 + np.abs(a.value))
        moved = a.value + spread * rng.uniform(-1.0, 1.0, a.value.shape)
        return replace(a, value=np.asarray(moved, a.value.dtype))

    arguments = tuple(moved(a) for a in subject.arguments)
    if all(a is b for a, b in zip(arguments, subject.arguments, strict=True)):
        return subject
    try:
        outputs, _ = subject.vjp(point_of(arguments))
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
