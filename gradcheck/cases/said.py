"""What was said about a layer, as recipes; and what was found out about one, in the words in which it is said."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from gradcheck.cases.families import is_option, is_target
from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import Dims, Signature, names_in
from gradcheck.cases.values import Choice, Domain, Fixed, Recipe, Several, Size, Sizes, Spec
from gradcheck.hints import Hints, is_plain, limit_of
from gradcheck.subject.annotations import Annotations

_OUT_OF = re.compile(r"\d+(\|\d+)+")
_TIED = re.compile(r"(?:\d+\*)?[^\W\d]\w*(?:\+(?:\d+\*)?[^\W\d]\w*)*")
_LETTER = re.compile("[a-z]")
TABLE = "v"  # the size of a table that indices point into, where no name was given to it


@dataclass(frozen=True)
class Said:
    """What was said about a layer.

    ``shapes`` and ``outputs`` are stated by annotations, ``signature`` overrides them; ``whole`` are the arguments
    that are stated to hold whole numbers; ``domains`` and ``constants`` are told of inputs, ``smallest`` of dimensions.
    ``layer`` is how the layer is written in Python.
    """

    signature: Signature | None = None
    shapes: Mapping[str, Dims] = field(default_factory=dict)
    outputs: tuple[Dims, ...] = ()
    whole: frozenset[str] = frozenset()
    settings: Mapping[str | int, Recipe] = field(default_factory=dict)
    domains: Mapping[str, Any] = field(default_factory=dict)
    constants: frozenset[str] = frozenset()
    smallest: Mapping[str, int] = field(default_factory=dict)
    layer: str = "layer"

    @property
    def settled(self) -> frozenset[str]:
        """The inputs of which it is said what they hold."""
        return frozenset(self.domains) | self.constants

    @property
    def names(self) -> tuple[str, ...]:
        """The dimensions that are spoken of."""
        shapes = (*self.signature.inputs, *self.signature.outputs) if self.signature else ()
        dims = (dim for dims in (*shapes, *self.shapes.values(), *self.outputs) for dim in dims)
        limits = (limit_of(word) or "" for word in self.domains.values() if isinstance(word, str))
        return tuple(dict.fromkeys((*names_in((*dims, *limits)), *self.smallest)))

    def kept(self, plan: Plan) -> Plan:
        """Return a plan that was made up, with what was said about the inputs."""
        return replace(plan, inputs={k: self.recipe(k, r) for k, r in plan.inputs.items()}, limits=self.smallest)

    def recipe(self, name: str, recipe: Recipe) -> Recipe:
        """Return the recipe of an input, with what was said about it."""
        word = self.domains.get(name)
        if name in self.domains and not isinstance(word, str):
            return Fixed(word)
        if not isinstance(recipe, Spec):
            return recipe
        constant = recipe.constant or name in self.constants
        if word is None:
            return replace(recipe, constant=constant)
        limit = limit_of(word)
        if limit is None and word != "index":
            return Spec(recipe.dims, cast(Domain, word), constant=constant or is_target(name))
        return Spec(recipe.dims, "index", limit=_dim(limit) if limit else recipe.limit or TABLE)


NOTHING_SAID = Said()


def said_of(hints: Hints, stated: Annotations, layer: str = "layer") -> Said:
    """Return what hints and annotations say: where both speak of shapes, the hints hold.

    Examples
    --------
    >>> said = said_of(Hints(signature="(n,c,h,w)", settings={"channels": "c", "stride": "1|2", "mode": "same"}),
    ...                Annotations())
    >>> list(said.settings.values())
    [Size(dim='c'), Choice(name='stride', values=(1, 2)), Fixed(value='same')]
    """
    shapes = {**stated.constructor, **stated.forward}
    said = Said(
        signature=None if hints.signature is None else Signature.parse(hints.signature),
        shapes={} if hints.signature else {name: shape.dims for name, shape in shapes.items()},
        outputs=() if hints.signature else tuple(shape.dims for shape in stated.outputs),
        whole=frozenset(name for name, shape in shapes.items() if shape.whole),
        domains=hints.domains,
        constants=frozenset(hints.constants or ()),
        smallest=hints.smallest,
        layer=layer,
    )
    given = hints.settings if isinstance(hints.settings, Mapping) else dict(enumerate(hints.settings or ()))
    return replace(said, settings={key: setting_recipe(key, value, said.names) for key, value in given.items()})


def setting_recipe(key: str | int, value: object, names: Collection[str]) -> Recipe:
    """Return the recipe of a setting: text and tuples that speak of dimensions are sizes or shapes.

    A dimension is one of the ``names``, or a small letter: text of one letter is hardly ever meant as such.

    Examples
    --------
    >>> setting_recipe("shape", ("c", 3), {"c"}), setting_recipe("W", "(i,2*o)", {"i", "o"})
    (Sizes(dims=('c', 3)), Spec(dims=('i', '2*o'), domain='real', limit='', constant=False))
    """
    if isinstance(value, str):
        text = value.replace(" ", "")
        if _OUT_OF.fullmatch(text):
            name = key if isinstance(key, str) else f"setting{key}"
            return Choice(name, tuple(map(int, text.split("|"))))
        if _names_dims([text], names):
            return Size(text)
        if text.startswith("(") and text.endswith(")"):
            words = [word for word in text[1:-1].split(",") if word]
            if all(word.isdecimal() or _names_dims([word], names) for word in words):
                return Spec(tuple(map(_dim, words)))
    if isinstance(value, tuple | list):
        words = [item for item in value if isinstance(item, str)]
        if words and _names_dims(words, names) and all(isinstance(item, str | int) for item in value):
            return Sizes(tuple(value))
    return Fixed(value)


def hints_of(plan: Plan, convention: str | None = None) -> Hints:
    """Return a plan in words: said about the layer, they lead to the same plan.

    What cannot be written down, such as a generator, is left out and found again.
    """
    settings = {key: _written(recipe) for key, recipe in plan.settings.items() if not isinstance(recipe, Spec)}
    positional = any(isinstance(key, int) for key in settings)
    domains = {name: _domain(name, recipe) for name, recipe in plan.inputs.items()}
    lists = any(isinstance(recipe, Several) for recipe in plan.inputs.values())  # a signature has no word for them
    hints = Hints(
        convention=convention,
        signature=str(plan.signature) if plan.signature.inputs and not lists else None,
        settings=tuple(settings.values())
        if positional
        else {str(key): value for key, value in settings.items() if value is not None} or None,
        domains={name: word for name, word in domains.items() if word is not None},
        constants=tuple(name for name in plan.inputs if name in plan.constants) or None,
    )
    known = said_of(replace(hints, settings=None), Annotations()).names
    sizes = {name: plan.limit(name) for name in plan.names if name not in plan.choices}
    return replace(hints, smallest={name: n for name, n in sizes.items() if n > 1 or not _names_dims([name], known)})


def _written(recipe: Recipe) -> Any:
    match recipe:
        case Size():
            return recipe.dim
        case Sizes():
            return recipe.dims
        case Choice():
            return "|".join(map(str, recipe.values)) if len(recipe.values) > 1 else recipe.values[0]
        case Fixed():
            return recipe.value if is_plain(recipe.value) else None
    return None


def _domain(name: str, recipe: Recipe) -> Any:
    if isinstance(recipe, Spec):
        if recipe.domain == "index":
            return f"below {recipe.limit}"
        return None if recipe.domain == "real" else recipe.domain
    return None if is_option(name) else _written(recipe)


def _names_dims(words: Collection[str], names: Collection[str]) -> bool:
    """Whether each word is a dimension, or tied to some: ``h``, ``4*h``, ``i+h``."""
    return all(
        _TIED.fullmatch(word) and all(name in names or _LETTER.fullmatch(name) for name in names_in([word]))
        for word in words
    )


def _dim(word: str) -> str | int:
    return int(word) if word.isdecimal() else word
