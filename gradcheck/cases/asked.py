"""What a layer asks for, and the plans that answer it: a recipe for each argument of its constructor and forward."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gradcheck.cases.families import Reading, array_recipes, first_input, input_recipes, is_train_flag
from gradcheck.cases.kinds import Kinds, array_recipes_of_any_name
from gradcheck.cases.layouts import Layout
from gradcheck.cases.plan import Plan, fewest_second_choices
from gradcheck.cases.settings import constructor_recipes, optional_recipes
from gradcheck.cases.signature import Dims
from gradcheck.cases.values import Fixed, Recipe, Spec
from gradcheck.subject.calls import Parameter
from gradcheck.subject.conventions.owed import targets


@dataclass(frozen=True)
class Asked:
    """The arguments that a layer's constructor and forward ask for.

    ``fixed``: constructor arguments that were given. ``kinds``: what is known of the others beyond their names.
    """

    constructor: Sequence[Parameter]
    forward: Sequence[Parameter]
    fixed: Mapping[str | int, Recipe]
    kinds: Kinds

    @property
    def required(self) -> list[str]:
        """The names of the constructor arguments that have no default."""
        return [p.name for p in self.constructor if p.required]

    @property
    def defaults(self) -> dict[str, int | Dims]:
        """The constructor arguments that are whole numbers by default, or tuples of them."""
        return {p.name: p.default for p in self.constructor if not p.required and _is_whole(p.default)}

    def plans(self, layout: Layout, reading: Reading) -> Iterator[Plan]:
        """Yield plans for one layout of the first input, those that need the fewest second choices first."""
        names = self.required
        builds = {name: self._build_recipes(name, layout, reading) for name in names}
        for p in self.constructor:
            if not p.required and (recipes := optional_recipes(p.name, p.default, layout, reading)):
                builds[p.name] = recipes
        first = first_input([p.name for p in self.forward])
        calls = [
            (Fixed(p.default),)
            if not p.required and k > 0 and not is_train_flag(p.name)
            else (
                *self._options(p.name, k == first),
                *input_recipes(self._called(p.name), layout, reading, first=k == first),
            )
            for k, p in enumerate(self.forward)
        ]
        for chosen in _alike_first([*builds.values(), *calls]):
            settings: dict[str | int, Recipe] = dict(zip(builds, chosen, strict=False))
            inputs = {p.name: recipe for p, recipe in zip(self.forward, chosen[len(builds) :], strict=True)}
            # An array that both the constructor and forward take is one and the same.
            settings |= {name: inputs[name] for name in names if name in inputs}
            yield Plan({**self.fixed, **settings}, inputs)

    def _called(self, name: str) -> str:
        """Return the name of an input; ``y`` beside ``y_pred`` is a target."""
        names = [p.name for p in self.forward]
        return "target" if name in targets(names) and any(map(_PREDICTED.match, names)) else name

    def _options(self, name: str, first: bool) -> tuple[Recipe, ...]:
        return () if first else self.kinds.options(name)

    def _build_recipes(self, name: str, layout: Layout, reading: Reading) -> tuple[Recipe, ...]:
        """Return what to try for a required constructor argument: what its use says first, then what its name says."""
        named = constructor_recipes(name, layout, reading, self.required)
        if self.kinds.is_array(name):
            arrays = tuple(recipe for recipe in named if isinstance(recipe, Spec))
            return arrays or array_recipes(name, layout, reading) or array_recipes_of_any_name(layout)
        return (*self.kinds.recipes(name, layout), *named)


def _is_whole(value: object) -> bool:
    """Whether a value is a whole number, or a tuple of such."""
    return all(type(part) is int for part in value) if isinstance(value, tuple) else type(value) is int


_PREDICTED = re.compile(r"_?(y_?(pred|hat|prob)\w*|pred\w*|prob\w*|yhat)$", re.IGNORECASE)


def _alike_first(options: Sequence[Sequence[Recipe]]) -> Iterator[tuple[Recipe, ...]]:
    """Yield choices, first those in which arguments with the same options (gamma and beta) take the same one."""
    shared = max(options, key=lambda option: (len(option) > 1) * options.count(option), default=())
    if len(shared) > 1 and options.count(shared) > 1:
        for recipe in shared:
            yield tuple(recipe if option == shared else option[0] for option in options)
    yield from fewest_second_choices(options)
