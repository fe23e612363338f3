"""No signature given: find what the constructor and forward take, by trying.

Arguments get their candidates by name (`gradcheck.cases.families`), shapes are tried with pairwise different sizes so
that a wrong guess raises, and what runs is confirmed at other sizes. Forward decides what runs; backward, the thing
under test, only chooses between readings that are equally good.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from typing import Any

from gradcheck.cases.families import (
    Layout,
    constructor_recipes,
    given_layouts,
    input_recipes,
    is_target,
    ranked_layouts,
)
from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import Signature, format_dims
from gradcheck.cases.trial import Bind, Search, with_limits
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
    open_settings = [
        p for k, p in enumerate(constructor) if p.required and p.name not in settings and k not in settings
    ]
    fixed = {key: Fixed(value) for key, value in settings.items()}
    search = Search(bind, source)
    plan: Plan | None = None
    if signature is not None:
        plan = search.best(_signed(signature, open_settings, wanted, fixed))
    else:
        first = wanted[0].name if wanted else ""
        loss = any(is_target(p.name) for p in wanted)
        for layout in (*given_layouts(sizes), *ranked_layouts(source, first)):
            small = layout.degenerate or layout.domain == "index"
            if search.first is not None and small and not (loss and layout.degenerate):
                continue  # too small, or without a gradient of the input: a defect would not show there
            # A point of few dimensions is believed only if backward fits it, or if nothing else could be meant.
            sure = layout.degenerate and (len(wanted) + len(open_settings) > 1 or len(layout.dims) != 1)
            plan = search.best(_candidates(layout, open_settings, wanted, fixed), sure=sure)
            if search.clean:
                break
        # Forward decides: where backward fits no layout, the likeliest one that runs shows best what is wrong.
        plan = plan if search.clean else search.first
    if plan is None:
        raise _nothing_runs(search, wanted, open_settings, signature)
    return with_limits(bind, plan)


def _wanted_inputs(forward: Sequence[Parameter], signature: Signature | None) -> list[Parameter]:
    positional = [p for p in forward if not p.variadic]
    wanted = [p for p in positional if p.required]
    if not wanted and positional:
        wanted = positional[:1]
    if any(p.variadic for p in forward):
        count = max((len(signature.inputs) if signature else 2) - len(wanted), 0)
        wanted += [Parameter(f"x{k}", required=True) for k in range(count)]
    return wanted


def _candidates(
    layout: Layout, constructor: Sequence[Parameter], forward: Sequence[Parameter], fixed: Mapping[str | int, Recipe]
) -> Iterator[Plan]:
    """Yield plans for one layout of the first input, those that need the fewest second choices first."""
    builds = [constructor_recipes(p.name, layout) for p in constructor]
    calls = [input_recipes(p.name, layout, first=k == 0) for k, p in enumerate(forward)]
    options = [*builds, *calls]
    ranks = islice(product(*(range(len(option)) for option in options)), 20_000)
    for rank in sorted(ranks, key=lambda r: (sum(r), r)):
        chosen = [option[k] for option, k in zip(options, rank, strict=True)]
        settings: dict[str | int, Recipe] = {p.name: r for p, r in zip(constructor, chosen, strict=False)}
        inputs = {p.name: recipe for p, recipe in zip(forward, chosen[len(builds) :], strict=True)}
        # An array that both the constructor and forward take is one and the same.
        settings |= {p.name: inputs[p.name] for p in constructor if p.name in inputs}
        yield Plan({**fixed, **settings}, inputs)


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
        options = [(*constructor_recipes(p.name, layout), *_sizes_of(signature)) for p in free]
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
    build = "".join(f"{p.name}=..., " for p in constructor).rstrip(", ")
    hint = (
        f"settings=dict({build}), inputs=({names}{',' * (len(forward) == 1)})" if constructor else f"inputs=({names},)"
    )
    return UncheckedError(
        f"found no shapes that forward({names}) takes{tried}", fix=f"show one that works: gradcheck.check(..., {hint})"
    )


def source_of(obj: object) -> str:
    """Return the source of a layer, empty where there is none to be had."""
    parts = obj if isinstance(obj, tuple) else (obj if inspect.isclass(obj) or inspect.isfunction(obj) else type(obj),)
    try:
        return "\n".join(inspect.getsource(part) for part in parts)
    except (OSError, TypeError):
        return ""
