"""Mending a plan by what the layer complained about: the size that did not fit is replaced by the one that does.

The new size is symbolic: a dimension of the plan, or a product, sum or multiple of some. It must hold at the second
trial too, whose sizes are others, so that a number that fits by luck goes no further.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from gradcheck.cases.complaint import Complaint
from gradcheck.cases.plan import Plan
from gradcheck.cases.settings import is_size
from gradcheck.cases.signature import Dims, names_in, shape_of, size_of, times
from gradcheck.cases.values import Fixed, Recipe, Size, Sizes, Spec, dims_of
from gradcheck.records import Case

Dim = str | int
Failure = tuple[Complaint, Case]

_DEPTH = 4  # sizes that are mended one after the other
_WIDTH = 6  # readings of one complaint that are tried
_LARGEST = 10_000  # elements of an array, or of a dimension


@dataclass(frozen=True, slots=True)
class Mender:
    """Mends plans of one layer.

    Parameters
    ----------
    failure : callable
        Returns what the plan that was tried last complained about, and the case at which it did; None if it ran.
    defaults : mapping
        Constructor arguments that are whole numbers by default, or tuples of them: a size may be one of these.
    pinned : str or int or None
        A setting that must stay as it is.
    """

    failure: Callable[[], Failure | None]
    defaults: Mapping[str, int | Dims]
    pinned: str | int | None = None

    def mending(self, plan: Plan, depth: int = _DEPTH, before: Complaint | None = None) -> Iterator[Plan]:
        """Yield a plan, and as long as what was yielded fails, plans in which what was complained of is mended."""
        yield plan
        failed = self.failure()
        if failed is None or depth == 0 or failed[0] == before:
            return
        seen: list[Plan] = []
        for mended in self.mends(plan, *failed):
            if len(seen) < _WIDTH and mended not in seen and _is_small(mended):
                seen.append(mended)
                yield from self.mending(mended, depth - 1, failed[0])

    def mends(self, plan: Plan, complaint: Complaint, case: Case) -> Iterator[Plan]:
        """Yield the plans in which what did not fit at the case fits."""
        sizes = {name: size for name, size in case.sizes if name not in plan.choices}
        for total, shape in complaint.regrouped:
            yield from _regrouped(plan, sizes, total, shape)
        for pair in complaint.sizes:
            for wrong, right in (pair, pair[::-1]):
                for dim in _explained(right, plan, sizes):
                    yield from self._in_settings(plan, sizes, wrong, dim)
        for pair in complaint.sizes:
            for wrong, right in (pair, pair[::-1]):
                for dim in (*_explained(right, plan, sizes), *((right,) if right in self._default_sizes() else ())):
                    yield from _in_inputs(plan, sizes, wrong, dim)
        for size, divisor in complaint.divisors:
            yield from _multiplied(plan, sizes, size, divisor)
        for found, wanted in complaint.ranks:
            yield from _reranked(plan, found, wanted)

    def _default_sizes(self) -> set[Dim]:
        return {
            dim for default in self.defaults.values() for dim in (default if isinstance(default, tuple) else (default,))
        }

    def _in_settings(self, plan: Plan, sizes: Mapping[str, int], wrong: int, dim: Dim) -> Iterator[Plan]:
        """Let a constructor argument that was the wrong size be this dimension."""
        for name, default in self.defaults.items():
            if name not in plan.settings:
                given = Sizes(default) if isinstance(default, tuple) else Size(default)
                for changed in _resized(given, sizes, wrong, dim):
                    yield replace(plan, settings={**plan.settings, name: changed})
        for key, recipe in plan.settings.items():
            if key == self.pinned:
                continue
            if isinstance(recipe, Fixed) and type(recipe.value) is int and recipe.value == wrong:
                yield replace(plan, settings={**plan.settings, key: Size(dim)})
            for changed in _resized(recipe, sizes, wrong, dim):
                yield replace(plan, settings={**plan.settings, key: changed})


def _is_small(plan: Plan) -> bool:
    """Whether all arrays of the trials, and what is built from sizes, stay small: products of products do not."""
    for case in (plan.trial(), plan.trial(1)):
        sizes = dict(case.sizes)
        shapes = [shape_of(dims_of(recipe), sizes) for recipe in plan.recipes]
        if any(math.prod(shape) > _LARGEST for shape in shapes):
            return False
    return True


def _in_inputs(plan: Plan, sizes: Mapping[str, int], wrong: int, dim: Dim) -> Iterator[Plan]:
    for name, recipe in reversed(list(plan.inputs.items())):
        for changed in _resized(recipe, sizes, wrong, dim):
            yield replace(plan, inputs={**plan.inputs, name: changed})


def _resized(recipe: Recipe, sizes: Mapping[str, int], wrong: int, dim: Dim) -> Iterator[Recipe]:
    """Yield the recipe with one of its dimensions of the wrong size replaced."""
    match recipe:
        case Size() if size_of(recipe.dim, sizes) == wrong:
            yield Size(dim)
        case Sizes():
            yield from (Sizes(dims) for dims in _replaced(recipe.dims, sizes, wrong, dim))
        case Spec():
            yield from (replace(recipe, dims=dims) for dims in _replaced(recipe.dims, sizes, wrong, dim))
            if recipe.limit != "" and size_of(recipe.limit, sizes) == wrong:
                yield replace(recipe, limit=dim)


def _replaced(dims: Dims, sizes: Mapping[str, int], wrong: int, dim: Dim) -> Iterator[Dims]:
    for k in reversed(range(len(dims))):
        if size_of(dims[k], sizes) == wrong and dims[k] != dim:
            yield (*dims[:k], dim, *dims[k + 1 :])


def _explained(size: int, plan: Plan, sizes: Mapping[str, int]) -> tuple[Dim, ...]:
    """Return the dimensions that have a size: named ones, then products, multiples and sums of them."""
    known = [*(dim for dim in plan.dims if isinstance(dim, str)), *sizes]
    found: list[Dim] = [dim for dim in dict.fromkeys(known) if size_of(dim, sizes) == size]
    shapes = [r.dims for r in plan.inputs.values() if isinstance(r, Spec)]
    shapes.append(tuple(r.dim for r in plan.settings.values() if isinstance(r, Size)))
    parts = [dims[k:m] for dims in shapes for k in range(len(dims)) for m in range(k + 2, len(dims) + 1)]
    found += [product(part) for part in parts if math.prod(shape_of(part, sizes)) == size and not _has_sum(part)]
    found += [times(k, name) for k in (2, 3, 4) for name in sizes if k * sizes[name] == size]
    found += [f"{a}+{b}" for a, b in combinations(sizes, 2) if sizes[a] + sizes[b] == size]
    return tuple(dict.fromkeys(found))


def product(dims: Sequence[Dim]) -> Dim:
    """Return the dimension that all these together make.

    Examples
    --------
    >>> product(("c", "2*h", 3))
    '6*c*h'
    """
    factors = [factor for dim in dims for factor in str(dim).split("*")]
    number = math.prod(int(factor) for factor in factors if factor.isdecimal())
    names = [factor for factor in factors if not factor.isdecimal()]
    return "*".join([*([str(number)] if number > 1 else []), *names]) if names else number


def _regrouped(plan: Plan, sizes: Mapping[str, int], total: int, shape: tuple[int, ...]) -> Iterator[Plan]:
    """Let an input have the elements that it is to be reshaped to: ``(n,i)`` into ``(n,c,h,w)`` wants ``i = c*h*w``."""
    for name, recipe in plan.inputs.items():
        if not isinstance(recipe, Spec) or math.prod(shape_of(recipe.dims, sizes)) != total:
            continue
        lead = 0
        while lead < min(len(shape), len(recipe.dims) - 1) and size_of(recipe.dims[lead], sizes) == shape[lead]:
            lead += 1
        wanted = [dim for size in shape[lead:] for dim in _explained(size, plan, sizes)[:1]]
        if not wanted or len(wanted) < len(shape) - lead or _has_sum(wanted):
            continue
        dim = product(wanted)
        yield replace(plan, inputs={**plan.inputs, name: replace(recipe, dims=(*recipe.dims[:lead], dim))})


def _has_sum(dims: Sequence[Dim]) -> bool:
    return any("+" in str(dim) for dim in dims)


def _multiplied(plan: Plan, sizes: Mapping[str, int], size: int, divisor: int) -> Iterator[Plan]:
    """Let a size be a multiple of what it must be divisible by, wherever it stands."""
    for dim in _explained(size, plan, sizes)[:1]:
        if not (isinstance(dim, str) and dim.isidentifier()):
            continue
        named = [d for d in sizes if sizes[d] == divisor and d != dim]
        multiple = product((named[0], dim)) if named else times(divisor, dim)
        yield _renamed(plan, dim, multiple)


def _renamed(plan: Plan, dim: Dim, other: Dim) -> Plan:
    def moved(recipe: Recipe) -> Recipe:
        match recipe:
            case Size() if recipe.dim == dim:
                return Size(other)
            case Sizes():
                return Sizes(tuple(other if d == dim else d for d in recipe.dims))
            case Spec():
                dims = tuple(other if d == dim else d for d in recipe.dims)
                return replace(recipe, dims=dims, limit=other if recipe.limit == dim else recipe.limit)
        return recipe

    return replace(
        plan,
        settings={key: moved(recipe) for key, recipe in plan.settings.items()},
        inputs={key: moved(recipe) for key, recipe in plan.inputs.items()},
    )


def _reranked(plan: Plan, found: int, wanted: int) -> Iterator[Plan]:
    """Give an input beyond the first the number of dimensions that is wanted: leading ones of the first input's."""
    first, *others = plan.inputs.items()
    lead = first[1].dims if isinstance(first[1], Spec) else ()
    for name, recipe in others:
        if isinstance(recipe, Spec) and len(recipe.dims) == found and found != wanted:
            longer = (*lead[: wanted - found], *recipe.dims) if wanted > found else recipe.dims[found - wanted :]
            if len(longer) == wanted:
                yield replace(plan, inputs={**plan.inputs, name: replace(recipe, dims=longer)})


def widenings(plan: Plan, defaults: Mapping[str, int | Dims]) -> tuple[str | int, ...]:
    """Return the constructor arguments that could be a size of their own.

    Those which the plan ties to another size, so that something is square by no choice of the layer's, and small
    defaults that are named like sizes.
    """
    tied = [
        key
        for key, recipe in plan.settings.items()
        if isinstance(recipe, Size) and sum(recipe.dim in dims_of(r) for r in plan.recipes) > 1
    ]
    open_defaults = [name for name in defaults if name not in plan.settings and is_size(name)]
    own = [name for name in open_defaults if isinstance(size := defaults[name], int) and size > 1]
    return *reversed(tied), *own


def widening(plan: Plan, key: str | int) -> Plan:
    """Return the plan with a constructor argument that is a size of its own."""
    fresh = next(name for name in _FRESH if name not in names_in(plan.dims))
    return replace(plan, settings={**plan.settings, key: Size(fresh)})


_FRESH = ("o", "p", "q", "r", "s", *(f"d{k}" for k in range(99)))
