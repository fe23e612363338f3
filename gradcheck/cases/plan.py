"""A plan: what a layer is built and called with, over named sizes; and the cases that it gives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from gradcheck.cases.signature import Dims, Signature, names_in, size_of
from gradcheck.cases.values import Choice, Recipe, Spec, dims_of, realise, stream
from gradcheck.errors import UsageError
from gradcheck.records import Case

Settings = dict[str | int, Any]
Inputs = dict[str, Any]

# Trial and confirmation use sizes that are pairwise different, so that a wrong guess of a shape raises instead of
# passing; with 1 among the sizes of a trial, broadcasting would hide a wrong guess. What is larger in the one is
# smaller in the other, and what is even is odd: a table that happens to be long enough in the one is too short there.
_ORDERS = ((3, 4, 5, 2, 7, 6), (8, 5, 2, 7, 4, 3))
_IMAGE_ORDERS = ((7, 6), (8, 9))  # an image holds a 3 x 3 kernel, also with a stride of 2
_IMAGE = frozenset("hwl")


@dataclass(frozen=True)
class Plan:
    """How to make a point of a layer from a `Case`.

    ``limits`` are smallest sizes of dimensions, found by trying (a 3 x 3 kernel needs an image of 3 x 3 at least).
    """

    settings: Mapping[str | int, Recipe]
    inputs: Mapping[str, Recipe]
    outputs: tuple[Dims, ...] = ()
    limits: Mapping[str, int] | None = None

    @property
    def recipes(self) -> tuple[Recipe, ...]:
        """Those of the inputs, then those of the settings."""
        return (*self.inputs.values(), *self.settings.values())

    @property
    def dims(self) -> Dims:
        """All dimensions, tied ones (``4*h``) as they stand, each once."""
        return tuple(dict.fromkeys(dim for recipe in self.recipes for dim in dims_of(recipe)))

    @property
    def choices(self) -> Mapping[str, tuple[int, ...]]:
        """The values among which each whole-number setting is chosen."""
        return {recipe.name: recipe.values for recipe in self.recipes if isinstance(recipe, Choice)}

    @property
    def names(self) -> tuple[str, ...]:
        """What a case gives a number to: the named dimensions, in the order in which they first appear, and choices."""
        return (*names_in(self.dims), *self.choices)

    @property
    def constants(self) -> frozenset[str]:
        """The inputs that have no gradient though they are real."""
        return frozenset(name for name, r in self.inputs.items() if isinstance(r, Spec) and r.constant)

    @property
    def signature(self) -> Signature:
        """The shapes of inputs and constructor arrays, each argument once, and of the outputs."""
        arrays = {str(name): recipe for name, recipe in (*self.inputs.items(), *self.settings.items())}
        arrays |= dict(self.inputs)
        return Signature(tuple(r.dims for r in arrays.values() if isinstance(r, Spec)), self.outputs)

    def trial(self, turn: int = 0) -> Case:
        """Return a case in which all dimensions, tied ones too, are of different sizes; ``turn`` 1 is the other one."""
        sizes: dict[str, int] = {name: values[0] for name, values in self.choices.items()}
        known = set[str]()
        for name in names_in(self.dims):
            known.add(name)
            decided = [dim for dim in {*self.dims, *known} if known.issuperset(names_in([dim]))]
            first = _IMAGE_ORDERS[turn] if name in _IMAGE else _ORDERS[turn]
            for size in (*first, *range(7, 99)):
                sizes[name] = max(size, self.limit(name))
                if len({size_of(dim, sizes) for dim in decided}) == len(decided):
                    break
        return self.case(sizes, 0)

    def limit(self, name: str) -> int:
        """Return the smallest size that a dimension takes."""
        return (self.limits or {}).get(name, 1)

    def case(self, sizes: Mapping[str, int], seed: int) -> Case:
        """Return the case of given sizes."""
        return Case(tuple((name, sizes[name]) for name in self.names), seed)

    def realise(self, case: Case) -> tuple[Settings, Inputs]:
        """Draw the settings and inputs of a case: each argument from a stream of its own name.

        Raises
        ------
        UsageError
            If the case names other dimensions than the plan.
        """
        sizes = dict(case.sizes)
        if set(sizes) != set(self.names):
            raise UsageError(
                f"the case {str(case)!r} gives sizes for {', '.join(sizes) or 'nothing'}, "
                f"but the layer's dimensions are {', '.join(self.names) or 'none'}",
                fix="give one size for each dimension, as in a printed case",
            )
        settings = {k: realise(r, stream(case.seed, "value", str(k)), sizes) for k, r in self.settings.items()}
        inputs = {k: realise(r, stream(case.seed, "value", k), sizes) for k, r in self.inputs.items()}
        inputs = {k: _poked(r, inputs[k], case) for k, r in self.inputs.items()}
        return settings, _tied(self.inputs, inputs) if case.ties else inputs

    def sweep(self, seed: int, count: int) -> Iterator[Case]:
        """Yield the cases of a run: the trial sizes, all smallest, all equal, then random ones with 1 among them.

        Some of the random ones are at large values, or full of zeros and ties.
        """
        names, choices = self.names, self.choices
        rng = stream(seed, "sizes", *names)
        fixed: list[Mapping[str, int]] = [
            dict(self.trial().sizes),
            *({name: self.limit(name) + more for name in names} for more in (0, 1, 2)),
        ]
        for number in range(count):
            if number < len(fixed):
                sizes = dict(fixed[number])
            else:
                top = 4 if number % 2 else 7
                sizes = {name: self.limit(name) + int(rng.integers(0, top)) for name in names}
                if names and number % _TURN in _WIDE:
                    sizes[names[(seed + number // _WIDE_APART) % len(names)]] += _WIDE[number % _TURN]
            if number > 0:
                sizes |= {name: int(rng.choice(values)) for name, values in choices.items()}
            large, ties = _POKES.get(number % _TURN, (0, False))
            if large or ties:  # enough elements to have some of each kind
                sizes |= {name: self.limit(name) + int(rng.integers(1, 5)) for name in names if name not in choices}
            yield replace(self.case(sizes, seed * 1_000_003 + number), large=large, ties=ties)

    def smaller(self, case: Case, tries: int) -> Iterator[Case]:
        """Yield cases with smaller sizes than ``case``, the smallest first."""
        sizes = dict(case.sizes)
        choices = self.choices
        ranges = [
            sorted(v for v in choices[n] if v <= sizes[n])
            if n in choices
            else range(self.limit(n), min(sizes[n], self.limit(n) + 2) + 1)
            for n in self.names
        ]
        combinations = sorted(product(*ranges), key=lambda c: (sum(c), max(c, default=0)))
        for combination in combinations[:tries]:
            if sum(combination) < sum(sizes.values()):
                yield replace(case, sizes=tuple(zip(self.names, combination, strict=True)), seed=0)


# Which cases of a sweep have large values, and which have ties.
_TURN = 24
# Cases in which one dimension, each in its turn, is larger by so much: what is cut off after a few steps shows there.
_WIDE, _WIDE_APART = {6: 7, 12: 12, 18: 9}, 6
_POKES = {
    5: (1000, False),
    7: (0, True),
    10: (10, False),
    13: (0, True),
    16: (100, False),
    19: (0, True),
    22: (1000, False),
}


def _poked(recipe: Recipe, value: Any, case: Case) -> Any:
    """Spread a real input wide, or round it to a few whole numbers, where the case asks for it."""
    if not isinstance(recipe, Spec) or recipe.domain != "real" or recipe.constant:
        return value
    if case.large:
        return case.large * np.clip(value, -1.0, 1.0)
    return np.rint(np.clip(value, -2.0, 2.0)) if case.ties else value


def _tied(recipes: Mapping[str, Recipe], inputs: Inputs) -> Inputs:
    """Let every second row of a real input be that of the first one, where they are alike."""
    real = [k for k, r in recipes.items() if isinstance(r, Spec) and r.domain == "real" and not r.constant]
    for name in real[1:]:
        if np.ndim(inputs[name]) and np.shape(inputs[name]) == np.shape(inputs[real[0]]):
            inputs[name][::2] = inputs[real[0]][::2]
    return inputs


def fewest_second_choices(options: Sequence[Sequence[Recipe]]) -> Iterator[tuple[Recipe, ...]]:
    """Yield one of each, in the order of how far down the lists they stand together."""

    def of_rank(rank: int, options: Sequence[Sequence[Recipe]]) -> Iterator[tuple[Recipe, ...]]:
        if not options:
            yield from [()] if rank == 0 else []
            return
        for k, recipe in enumerate(options[0][: rank + 1]):
            for others in of_rank(rank - k, options[1:]):
                yield recipe, *others

    for rank in range(sum(len(option) - 1 for option in options) + 1):
        yield from of_rank(rank, options)


def shapes_of(values: Mapping[str, Any]) -> tuple[Dims, ...]:
    """Return the shapes of the arrays among the values, as a signature shows them."""
    parts = [part for v in values.values() for part in (v if isinstance(v, list | tuple) else [v])]
    return tuple(np.shape(part) for part in parts if isinstance(part, np.ndarray | float))
