"""No signature given: find what the constructor and forward take, by trying.

Arguments get their candidates by name (`gradcheck.cases.families`), shapes are tried with pairwise different sizes so
that a wrong guess raises, and what runs is confirmed at other sizes. Forward decides what runs; backward, the thing
under test, only chooses between readings that are equally good.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice, product
from typing import Any

from gradcheck.cases.asked import Asked
from gradcheck.cases.families import Reading, is_group_count, is_index, is_target, is_train_flag, readings
from gradcheck.cases.kinds import Kinds
from gradcheck.cases.layouts import Layout, given_layouts, ranked_layouts, without_backward
from gradcheck.cases.limits import with_limits
from gradcheck.cases.mend import Mender, widening, widenings
from gradcheck.cases.plan import Plan
from gradcheck.cases.settings import constructor_recipes, is_size, output_dim
from gradcheck.cases.signature import Signature, format_dims
from gradcheck.cases.trial import TRIALS, Bind, Search
from gradcheck.cases.values import Fixed, Recipe, Size, Spec
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.subject.calls import Parameter

_UNKNOWN = Kinds()


def infer(
    bind: Bind,
    constructor: Sequence[Parameter],
    forward: Sequence[Parameter],
    *,
    settings: Mapping[str | int, Any],
    source: str = "",
    sizes: Sequence[int] = (),
    signature: Signature | None = None,
    kinds: Kinds = _UNKNOWN,
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
    kinds : Kinds
        What is known of the constructor's arguments beyond their names.

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
        plan = _searched(search, Asked(asked, wanted, fixed, kinds), sizes)
    if plan is None:
        raise _nothing_runs(search, wanted, required, signature)
    return with_limits(bind, plan)


def _searched(search: Search, asked: Asked, sizes: Sequence[int]) -> Plan | None:
    """Try layout after layout until backward fits too; else return the likeliest that forward takes."""
    loss = any(is_target(p.name) for p in asked.forward)
    names = [p.name for p in asked.constructor]
    counts = ["groups" for p in asked.forward if is_group_count(p.name)]
    indices = any(is_index(p.name) for p in asked.forward[:1])
    ranked = ranked_layouts(search.source, [*names, *counts], indices=indices)
    likely = [*given_layouts(sizes), ranked[0]]
    forward = without_backward(search.source)
    mender = Mender(search.complaint, asked.defaults)
    for (trials, mended), layout in product(_ROUNDS, (*given_layouts(sizes), *ranked)):
        if mended and search.believed:
            continue
        small = layout.degenerate or layout.domain == "index"
        if search.first is not None and small and not (loss and layout.degenerate):
            continue  # too small, or without a gradient of the input: a defect would not show there
        # A point of few dimensions is believed only if backward fits it, or if nothing else could be meant.
        sure = layout.degenerate and (len(asked.forward) + len(asked.required) > 1 or len(layout.dims) != 1)
        for reading in readings([p.name for p in asked.forward], asked.required, output_dim(names), forward):
            plans = asked.plans(layout, reading)
            if mended:
                plans = (other for plan in islice(plans, mended) for other in mender.mending(plan))
            plan = search.best(plans, sure=sure, likely=layout.dims if layout in likely else None, trials=trials)
            if plan is not None and search.clean:
                return _widened(search, mender, plan)
    if search.first is None:
        return None
    _believe(search, asked.forward)
    # Forward decides: where backward fits no layout, the likeliest one that runs shows best what is wrong.
    return _widened(search, mender, search.first)


# Trials for each layout, and how many of its plans are mended by what the layer complains about: a few blind ones
# first, for they are cheap; then mending; then all blind ones.
_ROUNDS = ((TRIALS[0], 0), (TRIALS[1], 2), (TRIALS[1], 0))


def _widened(search: Search, mender: Mender, plan: Plan) -> Plan:
    """Let each constructor argument that the plan ties to another size be one of its own, where forward takes that."""
    for key in widenings(plan, mender.defaults):
        open_plan = widening(plan, key)
        others = replace(mender, pinned=key).mending(open_plan, depth=1)
        plan = search.widened(plan, others, surely=is_size(str(key)))
    return plan


def _believe(search: Search, wanted: Sequence[Parameter]) -> None:
    """Refuse shapes that forward takes, but that neither backward nor the names bear out: they may not be meant."""
    first = wanted[0].name if wanted else ""
    show = ", ".join(p.name for p in wanted)
    if _goes_through(first, search.source):
        raise UncheckedError(
            f"forward seems to take a list of arrays ({first}), and backward fits no single array",
            fix="check it as a pair of functions: gradcheck.check((lambda x, y: ..., vjp), inputs=(x, y))",
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
