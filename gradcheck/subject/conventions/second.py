"""How the second half of a layer object is to be called after a run of the first one."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.calls import (
    CACHE_NAMES,
    OUTPUT_NAMES,
    BackwardCall,
    call_backward,
    outputs_of,
    parameters_of,
    plan_backward,
)
from gradcheck.subject.conventions.reading import Reading, chained, is_local, plan_values
from gradcheck.subject.gradients import read_gradients
from gradcheck.subject.parameters import Kept, left_behind, left_of_input
from gradcheck.subject.protocol import Argument, Array, Gradients, Missing, Outputs
from gradcheck.subject.source import definition
from gradcheck.subject.text import returns
from gradcheck.subject.unready import unready
from gradcheck.subject.updates import known_for_updates


@dataclass(frozen=True, slots=True)
class Second:
    """The outputs of a run, and the call that belongs to it.

    ``known`` is what the call may ask for by name; ``local``: it gives a slope for each element of ``x``;
    ``summed``: the outputs are losses, added up because no cotangent is taken; ``derivative``: the second half itself,
    where it is given values instead.
    """

    outputs: Outputs
    call: BackwardCall
    known: Mapping[str, Any]
    local: bool = False
    x: Array | None = None
    summed: bool = False
    derivative: Callable[..., Any] | None = None


def plan_second(
    layer: object, backward: Callable[..., Any], reading: Reading, inputs: Mapping[str, Any], result: object
) -> Second:
    """Bind the second half of a layer to what the first one was given and returned.

    Raises
    ------
    UsageError
        If it asks for something that is neither.
    """
    parameters = parameters_of(backward)
    known = {**dict.fromkeys(OUTPUT_NAMES, result), **inputs}
    given: dict[str, Any] = {**known_for_updates(), **{key: {} for key in _TABLES}}
    given = {name: value for name, value in given.items() if name not in known}
    asked = [p.name for p in parameters if p.required and p.name not in known and p.name not in given]
    outputs, cache = outputs_of(result, asked if reading.given == "cotangent" else [])
    if cache is not None:
        known |= dict.fromkeys(CACHE_NAMES, cache)
    known |= given
    scalar = len(outputs) == 1 and outputs[0].ndim == 0
    x = next((v for v in inputs.values() if isinstance(v, np.ndarray) and v.dtype.kind in "fc"), None)
    if reading.given == "cotangent":
        call, local = plan_backward(parameters, len(outputs), known.keys(), scalar=scalar), False
    else:
        local = is_local(outputs, x)
        output = result if local else _as_shaped(layer, x, result)
        call, known = plan_values(reading, parameters, known, inputs, output, x=x)
    summed = not (scalar or local or call.takes_cotangent) and len(outputs) == 1
    if summed and reading.given != "cotangent" and not _is_of_samples(outputs[0], x):
        raise UsageError(
            f"forward gives an array of shape {outputs[0].shape}, neither a number, nor one for each sample or "
            f"element: its derivative without dout is of nothing in particular",
            fix="give inputs for which it is one of these: gradcheck.check(..., inputs=(...))",
        )
    if summed:  # a loss per sample, and the gradient of its sum
        outputs = (np.asarray(outputs[0].sum()),)
    return Second(outputs, call, known, local, x, summed, None if reading.given == "cotangent" else backward)


def call_second(layer: object, backward: Callable[..., Any], second: Second, cotangents: Outputs) -> object:
    """Call the second half.

    Raises
    ------
    UncheckedError
        If the layer is not ready; whatever else it raises comes through as it is.
    """
    table: dict[Any, Any] = {}  # for the gradients of parameters, where backward asks for one
    known = {**second.known, **{name: table for name in second.known.keys() & _TABLES if second.known[name] == {}}}
    try:
        returned: object = call_backward(backward, second.call, cotangents, known)
    except (AttributeError, TypeError) as error:
        raise unready(layer, error) or error from None
    return (returned, table) if table else returned


@dataclass(frozen=True, slots=True)
class Left:
    """What a second half returned, and what it left behind: gradients on the layer, steps that it took.

    ``tied`` are the parameters that two layers share.
    """

    layer: object
    returned: object
    homes: Mapping[str, Kept]
    steps: Mapping[str, Array]
    tied: Set[str] = frozenset()

    def behind(self, argument: Argument, *, only: bool) -> object:
        """Return the gradient that was not returned, or `Missing`; ``only``: no other input is owed one."""
        if argument.name in self.tied:
            how = f"{argument.name} is shared by two layers, each of which has a part of its gradient"
            return Missing(how, owed=False)
        found = left_behind(self.layer, argument.name, self.homes.get(argument.name))
        if isinstance(found, Missing) and argument.name in self.steps:
            return self.steps[argument.name]
        if isinstance(found, Missing) and only and argument.kind == "input":
            behind = left_of_input(self.layer)
            return found if behind is None else behind
        return found


def read_left(
    arguments: Sequence[Argument], second: Second, left: Left, cotangents: Outputs, *, alone: bool
) -> Gradients:
    """Put together what a second half returned and what it left behind.

    ``alone``: forward takes nothing but these arguments, so that further values are the gradients of nothing.
    """
    inputs = [a for a in arguments if a.kind == "input"]
    parameters = [a for a in arguments if a.kind == "parameter"]
    returned = left.returned
    if second.local and second.x is not None:
        returned = chained(returned, cotangents[0], second.x)
    gradients = read_gradients(_named(returned, second.derivative, inputs), inputs, parameters)
    values = dict(gradients.values)
    kept = frozenset(a.name for a in arguments if values.get(a.name) is None)
    for argument in arguments:
        if argument.differentiable and values.get(argument.name) is None:
            behind = left.behind(argument, only=sum(a.differentiable for a in inputs) == 1)
            if argument.name in values and isinstance(behind, Missing):
                behind = Missing(f"backward returned None for {argument.name}")
            if isinstance(behind, Missing) and second.derivative is not None and argument.kind == "parameter":
                behind = Missing(behind.how, owed=False)  # the weights of classes in a loss: nobody learns them
            if argument.name in values or not gradients.problems or not isinstance(behind, Missing):
                values[argument.name] = behind  # else it is said already: too few gradients came back
    raw = values
    if not (second.call.takes_cotangent or second.local):
        scale = float(np.sum(cotangents[0]))
        values = {key: v if isinstance(v, Missing) else scale * np.asarray(v) for key, v in values.items()}
    problems, remarks = gradients.problems, gradients.remarks
    if all(a.name in values for a in inputs if a.differentiable):
        problems = ()
    if not parameters and alone:
        problems, remarks = (*problems, *remarks), ()
    return Gradients(values, problems, remarks, kept, raw)


def _named(returned: object, derivative: Callable[..., Any] | None, inputs: Sequence[Argument]) -> object:
    """Return a derivative's gradients by the names that its source gives them (``dLogVar`` of ``t_log_var``).

    That is, where all have one: nobody has agreed on their order.
    """
    node = definition(derivative) if derivative is not None and isinstance(returned, tuple) else None
    labels = next(reversed(returns(node)), []) if node is not None else []
    if not isinstance(returned, tuple) or len(labels) != len(returned):
        return returned
    plain = [re.sub(r"^(d|grad)_?", "", label.lower()).replace("_", "") for label in labels]
    of = [[a.name for a in inputs if label and a.name.lower().replace("_", "").endswith(label)] for label in plain]
    if any(len(names) != 1 for names in of) or len({names[0] for names in of}) < len(of):
        return returned
    return {names[0]: gradient for names, gradient in zip(of, returned, strict=True)}


def output_left(layer: object) -> Array:
    """Return the output of a forward that returns nothing and leaves it on the layer.

    Raises
    ------
    UsageError
        If there is no array under any of the usual names.
    """
    held = getattr(layer, "__dict__", {})
    for name in _LEFT:
        if isinstance(held.get(name), np.ndarray):
            return np.asarray(held[name])
    raise UsageError(
        "forward returned None, expected an array, or a tuple of arrays",
        fix=f"return the output, or leave it on the layer under one of the names {', '.join(_LEFT[:4])}",
    )


def _is_of_samples(output: Array, x: Array | None) -> bool:
    """Whether there is one number for each sample: the sizes of the input, but for some of the last ones."""
    sizes = [size for size in output.shape if size != 1]
    return x is None or sizes == [size for size in x.shape[: len(sizes)] if size != 1]


def _as_shaped(layer: object, x: Array | None, result: object) -> object:
    """Return the output that a loss keeps of the activation before it, where it is a layer of both."""
    held = getattr(layer, "__dict__", {})
    kept = next((held[name] for name in _LEFT if isinstance(held.get(name), np.ndarray)), None)
    return kept if kept is not None and x is not None and kept.shape == x.shape else result


_TABLES = frozenset({"gradients", "grads", "grad_dict", "param_grads"})
_LEFT = ("output", "outputs", "out", "y", "a", "A", "Y", "activation", "activations", "result", "z", "Z", "y_pred", "p")
