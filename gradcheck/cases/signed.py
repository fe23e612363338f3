"""Plans that keep to stated shapes, those of a signature or of annotations; what they leave open is searched."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from gradcheck.cases.families import Reading, input_recipes, is_index, is_option, is_target, readings
from gradcheck.cases.layouts import LAYOUTS, Layout
from gradcheck.cases.plan import Plan, fewest_second_choices
from gradcheck.cases.said import TABLE, Said
from gradcheck.cases.settings import constructor_recipes, output_dim
from gradcheck.cases.signature import Dims
from gradcheck.cases.values import Fixed, Recipe, Size, Spec
from gradcheck.errors import UsageError
from gradcheck.subject.calls import Parameter


def states_shapes(said: Said, forward: Sequence[Parameter]) -> bool:
    """Whether enough shapes are stated to start from: a signature, or an annotation of the first array at least."""
    first = next((p.name for p in forward if not (is_target(p.name) or is_option(p.name))), None)
    return said.signature is not None or first in said.shapes


def signed_plans(
    said: Said, constructor: Sequence[Parameter], forward: Sequence[Parameter], *, whole: bool = False
) -> Iterator[Plan]:
    """Yield plans that keep the stated shapes, the likeliest first.

    Parameters
    ----------
    said : Said
    constructor : sequence of Parameter
        Its arguments that are not given.
    forward : sequence of Parameter
        The inputs that are wanted.
    whole : bool
        Whether the first input is taken for whole numbers, though nothing says so: only where real ones do not run,
        or a backward that forgets its gradient would be excused from it.

    Raises
    ------
    UsageError
        If there are too few shapes, or too many.
    """
    shapes, rest = _by_name(said, constructor, forward)
    called = [p.name for p in forward]
    shared = [p.name for p in constructor if p.required and p.name in called]  # one array, given to both
    stated = {p.name: Spec(shapes[p.name]) for p in constructor if p.name in shapes and p.name not in called}
    others = [p for p in constructor if p.name not in shared and p.name not in stated]
    required = [p.name for p in others if p.required]
    placeable = [p.name for p in others] if len(rest) > len(required) else required

    reading = readings(called, required, output_dim([p.name for p in constructor]))[0]
    first = next((name for name in called if not (is_target(name) or is_option(name))), called[0])
    if whole:
        said = replace(said, whole=said.whole | {first})
    layout = _layout(said, first, shapes[first])
    inputs = [_input_recipes(said, p, shapes.get(p.name), layout, reading, first=p.name == first) for p in forward]
    sizes = tuple(map(Size, said.names))
    for arrays in _placements(placeable, rest):
        free = [name for name in required if name not in arrays]
        options = [_unique([*constructor_recipes(name, layout, reading, required), *sizes]) for name in free]
        for chosen in fewest_second_choices([*inputs, *options]):
            fed = dict(zip(called, chosen, strict=False))
            built = {**stated, **arrays, **dict(zip(free, chosen[len(called) :], strict=True))}
            built |= {name: fed[name] for name in shared}
            in_order: dict[str | int, Recipe] = {p.name: built[p.name] for p in constructor if p.name in built}
            yield Plan({**said.settings, **in_order}, fed, limits=said.smallest)


def _by_name(
    said: Said, constructor: Sequence[Parameter], forward: Sequence[Parameter]
) -> tuple[dict[str, Dims], tuple[Spec, ...]]:
    """Return the shape of each argument that has one, and those that go to arguments of the constructor in order."""
    if said.signature is None:
        return dict(said.shapes), ()
    takes = [p.name for p in forward if p.required and not is_option(p.name) and not _is_value(said, p.name)]
    takes = takes or [p.name for p in forward[:1]]
    given = said.signature.inputs
    others = [p.name for p in constructor if p.name not in takes]
    if len(given) < len(takes) or len(given) - len(takes) > len(others):
        raise UsageError(
            f"the signature {str(said.signature)!r} has {len(given)} inputs, "
            f"but the layer takes {', '.join([*takes, *others])}",
            fix="give one shape for each argument of forward, then one for each array of the constructor",
        )
    return dict(zip(takes, given, strict=False)), tuple(Spec(dims) for dims in given[len(takes) :])


def _is_value(said: Said, name: str) -> bool:
    return name in said.domains and not isinstance(said.domains[name], str)


def _layout(said: Said, name: str, dims: Dims) -> Layout:
    """Return the layout that the first input's shape makes likely: which dimension weights contract with."""
    recipe = said.recipe(name, Spec(dims))
    said_index = isinstance(recipe, Spec) and recipe.domain == "index"
    if said_index or name in said.whole or (is_index(name) and name not in said.domains):
        return Layout(dims, recipe.limit if isinstance(recipe, Spec) and said_index else TABLE, "index")
    feature = dims[1] if len(dims) > 3 else dims[-1] if dims else 1
    return next((known for known in LAYOUTS if known.dims == dims and known.domain == "real"), Layout(dims, feature))


def _input_recipes(
    said: Said, parameter: Parameter, dims: Dims | None, layout: Layout, reading: Reading, *, first: bool
) -> tuple[Recipe, ...]:
    """Return what to try for an input: its shape is stated, what it holds may not be."""
    name = parameter.name
    by_name = input_recipes(name, layout, reading, first=first)
    if dims is None or _is_value(said, name):
        default = () if parameter.required or is_option(name) else (Fixed(parameter.default),)
        return tuple(said.recipe(name, recipe) for recipe in default or by_name)
    plain = Spec(dims)
    open_ = dict.fromkeys(dim for dim in (layout.feature, *said.names, TABLE) if dim not in dims)
    indices = [Spec(dims, "index", limit=dim) for dim in open_]
    alike = [recipe for recipe in by_name if isinstance(recipe, Spec) and recipe.dims == dims]
    if said.domains.get(name) == "index":
        candidates = indices
    elif name in said.domains:
        candidates = [plain]
    elif is_target(name):
        candidates = [*alike, Spec(dims, constant=True), *indices, plain]
    elif name in said.whole or is_index(name):
        candidates = [*indices, plain]
    else:
        candidates = [plain, *alike]
    return _unique(said.recipe(name, recipe) for recipe in candidates)


def _unique(recipes: Iterable[Recipe]) -> tuple[Recipe, ...]:
    found: list[Recipe] = []
    for recipe in recipes:
        if recipe not in found:
            found.append(recipe)
    return tuple(found)


def _placements(names: Sequence[str], shapes: Sequence[Spec]) -> Iterator[dict[str, Spec]]:
    """Yield the ways to give the shapes to constructor arguments, in order."""
    if not shapes:
        yield {}
        return
    for position, name in enumerate(names):
        for others in _placements(names[position + 1 :], shapes[1:]):
            yield {name: shapes[0], **others}
