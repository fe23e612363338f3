"""No signature given: find what the constructor and forward take, by trying.

Arguments get their candidates by name (`gradcheck.cases.families`), shapes are tried with pairwise different sizes so
that a wrong guess raises, and what runs is confirmed at other sizes. Forward decides what runs; backward, the thing
under test, only chooses between readings that are equally good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from typing import Any

from gradcheck.cases.families import Reading, first_input, input_recipes, is_index, is_target, is_train_flag, readings
from gradcheck.cases.layouts import Layout, given_layouts, ranked_layouts
from gradcheck.cases.plan import Plan
from gradcheck.cases.settings import constructor_recipes, optional_recipes, output_dim
from gradcheck.cases.signature import Signature, format_dims
from gradcheck.cases.trial import TRIALS, Bind, Search, with_limits
from gradcheck.cases.values import Fixed, Recipe, Size, Spec
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.subject.calls import Parameter


def infer(
    bind: Bind,
    constructor: Sequence[Parameter],
    forward: Sequence[Parameter],
    *,
    settings: Mapping[str | int, Any],
    source: str = "",
    sizes: Sequence[int] = (),
    signature: Signature | None = None,
) -> Plan:
    """Find a plan under which forward runs.

    Parameters
    ----------
    bind : callable
        ``bind(settings, inputs, constants) -> Subject``.
    constructor, forward : sequences of Parameter
        What the two ask for.
    settings : mapping
        Constructor arguments that the user gave; the others are searched.
    source : str
        The layer's source, read for hints only.
    sizes : sequence of int
        Sizes that the layer has already (of given settings, or of the parameters of a layer that is built).
    signature : Signature or None
        Fixes the shapes of forward's arguments, then of the constructor's arrays.

    Raises
    ------
    UncheckedError
        If nothing runs: says what was tried, and how the last attempt of the likeliest shape failed.
    """
    wanted = _wanted_inputs(forward, signature)
    asked = [p for k, p in enumerate(constructor) if p.name not in settings and k not in settings]
    required = [p for p in asked if p.required]
    fixed = {key: Fixed(value) for key, value in settings.items()}
    search = Search(bind, source)
    if signature is not None:
        plan = search.best(_signed(signature, required, wanted, fixed))
    else:
        plan = _searched(search, asked, wanted, fixed, sizes)
    if plan is None:
        raise _nothing_runs(search, wanted, required, signature)
    return with_limits(bind, plan)


def _searched(
    search: Search,
    constructor: Sequence[Parameter],
    wanted: Sequence[Parameter],
    fixed: Mapping[str | int, Recipe],
    sizes: Sequence[int],
) -> Plan | None:
    """Try layout after layout until backward fits too; else return the likeliest that forward takes."""
    loss = any(is_target(p.name) for p in wanted)
    names = [p.name for p in constructor]
    open_settings = [p.name for p in constructor if p.required]
    ranked = ranked_layouts(search.source, names, indices=any(is_index(p.name) for p in wanted[:1]))
    likely = [*given_layouts(sizes), ranked[0]]
    for trials, layout in product(TRIALS, (*given_layouts(sizes), *ranked)):
        small = layout.degenerate or layout.domain == "index"
        if search.first is not None and small and not (loss and layout.degenerate):
            continue  # too small, or without a gradient of the input: a defect would not show there
        # A point of few dimensions is believed only if backward fits it, or if nothing else could be meant.
        sure = layout.degenerate and (len(wanted) + len(open_settings) > 1 or len(layout.dims) != 1)
        for reading in readings([p.name for p in wanted], open_settings, output_dim(names)):
            plan = search.best(
                _candidates(layout, reading, constructor, wanted, fixed),
                sure=sure,
                likely=layout in likely,
                trials=trials,
            )
            if search.clean:
                return plan
    if search.first is not None:
        _believe(search, wanted)
    # Forward decides: where backward fits no layout, the likeliest one that runs shows best what is wrong.
    return search.first


def _believe(search: Search, wanted: Sequence[Parameter]) -> None:
    """Refuse shapes that forward takes, but that neither backward nor the names bear out: they may not be meant."""
    first = wanted[0].name if wanted else ""
    show = ", ".join(p.name for p in wanted)
    if _goes_through(first, search.source):
        raise UncheckedError(
            f"forward seems to take a list of arrays ({first}), and backward fits no single array",
            fix="check it as a pair of functions: gradcheck.check((lambda x, y: ..., vjp), inputs=(x, y))",
        )
    if search.loosely:
        raise UncheckedError(
            f"the function takes {search.first.signature if search.first else show}, but what it returns for gradients "
            f"does not fit that, and other shapes may be meant",
            fix=f"show the right ones: gradcheck.check(..., inputs=({show}{',' * (len(wanted) == 1)}))",
        )
    backward = re.search(r"def (backward|bprop|backward_pass)\(self,\s*(\w+),\s*(\w+)", search.source)
    if backward and is_target(backward[3]) and any(p.name == backward[3] for p in wanted):
        raise UncheckedError(
            f"{backward[1]}({backward[2]}, {backward[3]}) takes the target again, and does not take the gradient of "
            f"forward's output: {backward[2]} may be meant to be {first}",
            fix=f"check it as a pair of functions: gradcheck.check((forward, vjp), inputs=({show}))",
        )
    if not search.believed and search.first is not None:
        raise UncheckedError(
            f"forward({show}) takes {search.first.signature}, but backward does not fit that, and other shapes may be "
            f"meant",
            fix=f"show the right ones: gradcheck.check(..., inputs=({show}{',' * (len(wanted) == 1)}))",
        )


def _goes_through(name: str, source: str) -> bool:
    """Whether the source takes an argument for a list: it loops over it, or joins its items."""
    loops = rf"for\s[\w\s,()]+\sin\s+(enumerate\()?{name}\b(?!\.)|\(\*{name}\b|zip\({name}\b|reduce\([^,]+,\s*{name}\b"
    return bool(re.search(rf"{loops}|(concatenate|stack)\({name}\b|(?<![.\w])sum\({name}\)", source))


def _wanted_inputs(forward: Sequence[Parameter], signature: Signature | None) -> list[Parameter]:
    positional = [p for p in forward if not p.variadic]
    wanted = [p for p in positional if p.required]
    if not wanted and positional:
        wanted = positional[:1]
    if any(p.variadic for p in forward):
        count = max((len(signature.inputs) if signature else 2) - len(wanted), 0)
        wanted += [Parameter(f"x{k}", required=True) for k in range(count)]
    rest = [p for p in positional if p not in wanted]
    switched = [p for p in rest if p.default is False and is_train_flag(p.name)]
    if switched:  # what backward relies on is off by default; what stands before it in the call keeps its default
        wanted += rest[: rest.index(switched[-1]) + 1]
    return wanted


def _candidates(
    layout: Layout,
    reading: Reading,
    constructor: Sequence[Parameter],
    forward: Sequence[Parameter],
    fixed: Mapping[str | int, Recipe],
) -> Iterator[Plan]:
    """Yield plans for one layout of the first input, those that need the fewest second choices first."""
    names = [p.name for p in constructor if p.required]
    builds = {name: constructor_recipes(name, layout, reading, names) for name in names}
    for p in constructor:
        if not p.required and (recipes := optional_recipes(p.name, p.default, layout, reading)):
            builds[p.name] = recipes
    first = first_input([p.name for p in forward])
    calls = [
        (Fixed(p.default),)
        if not p.required and k > 0 and not is_train_flag(p.name)
        else input_recipes(p.name, layout, reading, first=k == first)
        for k, p in enumerate(forward)
    ]
    for chosen in _fewest_second_choices([*builds.values(), *calls]):
        settings: dict[str | int, Recipe] = dict(zip(builds, chosen, strict=False))
        inputs = {p.name: recipe for p, recipe in zip(forward, chosen[len(builds) :], strict=True)}
        # An array that both the constructor and forward take is one and the same.
        settings |= {name: inputs[name] for name in names if name in inputs}
        yield Plan({**fixed, **settings}, inputs)


def _fewest_second_choices(options: Sequence[Sequence[Recipe]]) -> Iterator[tuple[Recipe, ...]]:
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


def _signed(
    signature: Signature,
    constructor: Sequence[Parameter],
    forward: Sequence[Parameter],
    fixed: Mapping[str | int, Recipe],
) -> Iterator[Plan]:
    """Yield plans that keep a given signature; constructor arguments that it does not cover are searched."""
    shapes = [Spec(dims) for dims in signature.inputs]
    inputs = {p.name: shape for p, shape in zip(forward, shapes, strict=False)}
    rest = shapes[len(forward) :]
    if len(shapes) < len(forward) or len(rest) > len([p for p in constructor if p.name not in inputs]):
        names = [p.name for p in forward] + [p.name for p in constructor if p.name not in inputs]
        raise UsageError(
            f"the signature {str(signature)!r} has {len(shapes)} inputs, but the layer takes {', '.join(names)}",
            fix="give one shape for each argument of forward, then one for each array of the constructor",
        )
    first = signature.inputs[0]
    layout = Layout(first, first[-1] if first else 1)
    others = [p for p in constructor if p.name not in inputs]
    for arrays in _placements(others, rest):
        free = [p for p in others if p.name not in arrays]
        options = [(*constructor_recipes(p.name, layout, Reading()), *_sizes_of(signature)) for p in free]
        for chosen in product(*options):
            settings: dict[str | int, Recipe] = dict(fixed)
            settings.update(arrays)
            settings |= {p.name: r for p, r in zip(free, chosen, strict=True)}
            settings |= {p.name: inputs[p.name] for p in constructor if p.name in inputs}
            yield Plan(settings, inputs)


def _placements(constructor: Sequence[Parameter], shapes: Sequence[Spec]) -> Iterator[dict[str, Spec]]:
    """Yield the ways to give the shapes to constructor arguments, in order."""
    if not shapes:
        yield {}
        return
    for position, parameter in enumerate(constructor):
        for others in _placements(constructor[position + 1 :], shapes[1:]):
            yield {parameter.name: shapes[0], **others}


def _sizes_of(signature: Signature) -> tuple[Recipe, ...]:
    return tuple(Size(name) for name in signature.names)


def _nothing_runs(
    search: Search, forward: Sequence[Parameter], constructor: Sequence[Parameter], signature: Signature | None
) -> UsageError:
    names = ", ".join(p.name for p in forward)
    tried = ""
    if search.failure is not None:
        plan, error = search.failure
        if isinstance(error, UsageError) and error.fix:
            return UncheckedError(error.message, fix=error.fix)
        text = " ".join(str(error).split())
        shapes = ", ".join(format_dims(r.dims) for r in plan.inputs.values() if isinstance(r, Spec))
        tried = f" (at {shapes or 'no arrays'}: {type(error).__name__}: {text[:160]})"
    if signature is not None:
        return UsageError(
            f"forward({names}) does not run with the signature {str(signature)!r}{tried}", fix="check the signature"
        )
    hook = re.search(r"def (build|initialize|init_params|init_weights|set_input_shape)\(", search.source)
    if hook:
        return UncheckedError(
            f"found no shapes that forward({names}) takes{tried}",
            fix=f"give a layer that is ready: layer.{hook[1]}(...), then gradcheck.check(layer)",
        )
    build = "".join(f"{p.name}=..., " for p in constructor).rstrip(", ")
    hint = (
        f"settings=dict({build}), inputs=({names}{',' * (len(forward) == 1)})" if constructor else f"inputs=({names},)"
    )
    return UncheckedError(
        f"found no shapes that forward({names}) takes{tried}", fix=f"show one that works: gradcheck.check(..., {hint})"
    )
