"""No signature given: find what the constructor and forward take, by trying.

Arguments get their candidates by name (`gradcheck.cases.families`), shapes are tried with pairwise different sizes so
that a wrong guess raises, and what runs is confirmed at other sizes. Forward decides what runs; backward, the thing
under test, only chooses between readings that are equally good.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import islice, pairwise, product

from gradcheck.cases.asked import Asked
from gradcheck.cases.families import Reading, is_group_count, is_index, is_target, is_train_flag, readings
from gradcheck.cases.kinds import Kinds
from gradcheck.cases.layouts import LAYOUTS, Layout, given_layouts, ranked_layouts, without_backward
from gradcheck.cases.limits import with_limits
from gradcheck.cases.mend import Mender, widening, widenings
from gradcheck.cases.outputs import Bind
from gradcheck.cases.plan import Plan
from gradcheck.cases.said import NOTHING_SAID, Said, hints_of
from gradcheck.cases.settings import is_size, output_dim
from gradcheck.cases.signature import format_dims
from gradcheck.cases.signed import signed_plans, states_shapes
from gradcheck.cases.stated import StatedOutputsError
from gradcheck.cases.trial import TRIALS, Search
from gradcheck.cases.values import Several, Spec
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.hints import as_python, did_you_mean
from gradcheck.subject.calls import Parameter

_UNKNOWN = Kinds()


def infer(
    bind: Bind,
    constructor: Sequence[Parameter],
    forward: Sequence[Parameter],
    *,
    source: str = "",
    sizes: Sequence[int] = (),
    said: Said = NOTHING_SAID,
    kinds: Kinds = _UNKNOWN,
) -> Plan:
    """Find a plan under which forward runs.

    Parameters
    ----------
    bind : callable
        ``bind(settings, inputs, constants) -> Subject``.
    constructor, forward : sequences of Parameter
        What the two ask for.
    source : str
        The layer's source, read for hints only.
    sizes : sequence of int
        Sizes that the layer has already (of given settings, or of the parameters of a layer that is built).
    said : Said
        What the user says about the layer, in hints or annotations: settings, shapes, domains. It is kept to.
    kinds : Kinds
        What is known of the constructor's arguments beyond their names.

    Raises
    ------
    UncheckedError
        If nothing runs: says what was tried, how the last attempt of the likeliest shape failed, and what to say.
    UsageError
        If what was said does not run, or speaks of what there is not.
    """
    wanted = _wanted_inputs(forward, said)
    _require_known(said, forward)
    asked = [p for k, p in enumerate(constructor) if p.name not in said.settings and k not in said.settings]
    search = Search(bind, source, said)
    if states_shapes(said, wanted):
        plan = _as_stated(search, asked, wanted)
        if plan is None:
            raise _nothing_runs_as_said(search, wanted, said)
    else:
        plan = _searched(search, Asked(asked, wanted, said.settings, kinds), sizes)
        if plan is None:
            raise _nothing_runs(search, wanted)
    return _with_smallest(with_limits(bind, plan), said)


def _as_stated(search: Search, constructor: Sequence[Parameter], wanted: Sequence[Parameter]) -> Plan | None:
    """Try what is stated, taken by the word first: a dimension that only the outputs have is of a size of its own."""
    for whole, apart in product((False, True), (True, False)):
        search.apart = apart
        plan = search.best(signed_plans(search.said, constructor, wanted, whole=whole))
        if plan is not None:
            return plan
    return None


def _searched(search: Search, asked: Asked, sizes: Sequence[int]) -> Plan | None:
    """Try layout after layout until backward fits too; else return the likeliest that forward takes."""
    loss = any(is_target(p.name) for p in asked.forward)
    names = [p.name for p in asked.constructor]
    ranked = _ranked(search.source, asked, names)
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
            kept = map(search.said.kept, plans)
            plan = search.best(kept, sure=sure, likely=layout.dims if layout in likely else None, trials=trials)
            if plan is not None and search.clean:
                return _widened(search, mender, plan)
    if asked.forward and _goes_through(asked.forward[0].name, search.source):
        listed = _listed(search, asked)
        if listed is not None:
            return listed
    if search.first is None:
        return None
    _believe(search, asked.forward)
    # Forward decides: where backward fits no layout, the likeliest one that runs shows best what is wrong.
    return _widened(search, mender, search.first)


def _listed(search: Search, asked: Asked) -> Plan | None:
    """Return the plan under which forward takes a list of arrays, and backward gives a gradient for each of them."""
    again, first = Search(search.bind, search.source, search.said), asked.forward[0].name
    for layout in LAYOUTS[:_LISTED]:
        plans = asked.plans(layout, Reading())
        several = (replace(p, inputs={**p.inputs, first: Several(layout.spec)}) for p in plans)
        plan = again.best(several, sure=True, trials=TRIALS[0])
        if plan is not None:
            return plan
    return None


_LISTED = 4  # layouts of the arrays in a list: rows, columns, images, sequences


def _ranked(source: str, asked: Asked, constructor: Sequence[str]) -> tuple[Layout, ...]:
    """Return the layouts of the first input in the order in which to try them."""
    counts = ["groups" for p in asked.forward if is_group_count(p.name)]
    indices = any(is_index(p.name) for p in asked.forward[:1])
    ranked = ranked_layouts(source, [*constructor, *counts], indices=indices)
    columns = any(_is_made_a_column(p.name, source) for p in asked.forward)
    return (_COLUMN, *ranked) if columns else ranked


_COLUMN = Layout(("n", 1), 1)


def _is_made_a_column(name: str, source: str) -> bool:
    """Whether an input is made a column, whatever it is: then the one beside it is meant to be one, too."""
    column = re.compile(rf"^\s*{name}\s*=.*\b{name}\b.*\.reshape\(-1,\s*1\)")
    lines = source.splitlines()
    return any(
        column.match(line) and not before.lstrip().startswith(("if ", "elif ", "else"))
        for before, line in pairwise(lines)
    )


# Trials for each layout, and how many of its plans are mended by what the layer complains about: a few blind ones
# first, for they are cheap; then mending; then all blind ones.
_ROUNDS = ((TRIALS[0], 0), (TRIALS[1], 2), (TRIALS[1], 0))


def _widened(search: Search, mender: Mender, plan: Plan) -> Plan:
    """Let each constructor argument that the plan ties to another size be one of its own, where forward takes that."""
    for key in widenings(plan, mender.defaults):
        open_plan = widening(plan, key)
        others = replace(mender, pinned=key).mending(open_plan, depth=1)
        plan = search.widened(plan, map(search.said.kept, others), surely=is_size(str(key)))
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
    if search.first is not None and _is_loose(search.bind, search.first):
        raise UncheckedError(
            f"the function takes {search.first.signature}, but what it returns for gradients "
            f"does not fit that, and other shapes may be meant",
            fix=f"show the right ones: gradcheck.check(..., inputs=({show}{',' * (len(wanted) == 1)}))",
        )
    if not search.believed and search.first is not None:
        message = f"forward({show}) takes {search.first.signature}, but backward does not fit that"
        raise _with_hint(f"{message}, and other shapes may be meant", search.first, wanted, search.said.layer)


def _is_loose(bind: Bind, plan: Plan) -> bool:
    """Whether it is a function whose value alone, one number, does not tell the shapes of what it takes."""
    return bool(getattr(bind(*plan.realise(plan.trial()), plan.constants), "loose", False))


def _goes_through(name: str, source: str) -> bool:
    """Whether the source takes an argument for a list: it loops over it, or joins its items."""
    loops = rf"for\s[\w\s,()]+\sin\s+(enumerate\()?{name}\b(?!\.)|\(\*{name}\b|zip\({name}\b|reduce\([^,]+,\s*{name}\b"
    return bool(re.search(rf"{loops}|(concatenate|stack)\({name}\b|(?<![.\w])sum\({name}\)", source))


def _wanted_inputs(forward: Sequence[Parameter], said: Said) -> list[Parameter]:
    positional = [p for p in forward if not p.variadic and p.name not in said.settings]
    wanted = [p for p in positional if p.required]
    if not wanted and positional:
        wanted = positional[:1]
    if any(p.variadic for p in forward):
        count = max((len(said.signature.inputs) if said.signature else 2) - len(wanted), 0)
        wanted += [Parameter(f"x{k}", required=True) for k in range(count)]
    rest = [p for p in positional if p not in wanted]
    switched = [p for p in rest if p.default is False and is_train_flag(p.name)]
    if switched:  # what backward relies on is off by default; what stands before it in the call keeps its default
        wanted += rest[: rest.index(switched[-1]) + 1]
    wanted += [replace(p, required=True) for p in rest if p not in wanted and p.name in said.domains]
    return wanted


def _require_known(said: Said, forward: Sequence[Parameter]) -> None:
    """Refuse what is said of inputs that forward does not take."""
    names = [p.name for p in forward]
    for key, spoken_of in (("domains", said.domains), ("constants", said.constants)):
        unknown = [name for name in spoken_of if name not in names]
        if unknown and not any(p.variadic for p in forward):
            raise UsageError(
                f"{key} speaks of {unknown[0]!r}, which forward({', '.join(names)}) does not take",
                fix=did_you_mean(unknown[0], names, "its arguments"),
            )


def _with_smallest(plan: Plan, said: Said) -> Plan:
    """Return the plan with the smallest sizes that were said, where those that were found are not larger."""
    unknown = [name for name in said.smallest if name not in plan.names]
    if unknown:
        raise UsageError(
            f"smallest speaks of {unknown[0]!r}, which is no dimension of {plan.signature}",
            fix=did_you_mean(unknown[0], plan.names, "the dimensions"),
        )
    return replace(plan, limits={k: max(n, said.smallest.get(k, 1)) for k, n in (plan.limits or {}).items()})


def _nothing_runs_as_said(search: Search, forward: Sequence[Parameter], said: Said) -> UsageError:
    if search.failure is not None and isinstance(error := search.failure[1], StatedOutputsError):
        return UsageError(error.message, fix=error.fix)
    names = ", ".join(p.name for p in forward)
    if said.signature is not None:
        given, fix = f"signature {str(said.signature)!r}", "check the signature"
    else:
        shapes = ", ".join(f"{name}: {format_dims(dims)}" for name, dims in said.shapes.items())
        given, fix = f"annotated shapes {shapes}", "mend the annotations, or give a signature, which overrides them"
    return UsageError(f"forward({names}) does not run with the {given}{_failed(search)}", fix=fix)


def _nothing_runs(search: Search, forward: Sequence[Parameter]) -> UsageError:
    if search.failure is None:
        return UncheckedError("forward was given nothing to try", fix="give a point: inputs=(...)")
    plan, error = search.failure
    if isinstance(error, UsageError) and error.fix:
        return UncheckedError(error.message, fix=error.fix)
    message = f"found no shapes that forward({', '.join(p.name for p in forward)}) takes{_failed(search)}"
    hook = re.search(r"def (build|initialize|init_params|init_weights|set_input_shape)\(", search.source)
    ready = f"give a layer that is ready, layer.{hook[1]}(...) and then gradcheck.check(layer); or " if hook else ""
    return _with_hint(message, plan, forward, search.said.layer, first=ready)


def _failed(search: Search) -> str:
    """Say how the likeliest attempt failed."""
    if search.failure is None:
        return ""
    plan, error = search.failure
    shapes = ", ".join(format_dims(r.dims) for r in plan.inputs.values() if isinstance(r, Spec))
    return f" (at {shapes or 'no arrays'}: {type(error).__name__}: {' '.join(str(error).split())[:160]})"


def _with_hint(
    message: str, plan: Plan, forward: Sequence[Parameter], layer: str, *, first: str = ""
) -> UncheckedError:
    """Return an error that has the likeliest plan in words: a beginning that the user corrects."""
    hint = hints_of(replace(plan, outputs=()))
    point = f"inputs=({', '.join(p.name for p in forward)}{',' * (len(forward) == 1)})"
    fix = f"{first}correct what is wrong in {as_python(layer, hint, wrap=False)}, or give a point that works: {point}"
    return UncheckedError(message, fix=fix, hint=hint)
