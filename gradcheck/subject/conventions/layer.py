"""A layer object brought to the waist: built anew for each run, or kept as one that lives on.

Parameters come through the constructor or forward, or are made by the layer; their gradients are returned or left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.subject.build import construct, constructor_names
from gradcheck.subject.calls import (
    CACHE_NAMES,
    OUTPUT_NAMES,
    BackwardCall,
    arguments_of,
    as_returned,
    call_backward,
    called,
    copied,
    outputs_of,
    parameters_of,
    plan_backward,
    values_at,
)
from gradcheck.subject.equal import responds, same_array, same_outputs
from gradcheck.subject.gradients import read_gradients
from gradcheck.subject.parameters import (
    Kept,
    arrays_of,
    gradient_of,
    homes_of,
    is_gradient_slot,
    left_behind,
    left_for,
    overlap,
)
from gradcheck.subject.protocol import (
    Argument,
    Array,
    Gradients,
    Missing,
    Outputs,
    Primals,
    Pullback,
    Session,
    point_of,
)
from gradcheck.subject.session import Unseeded, carried, flush, generators
from gradcheck.subject.world import reseed


class LayerSubject:
    """A layer object at a point.

    Parameters
    ----------
    make : callable
        Builds the layer from constructor settings; a layer that cannot be rebuilt is a callable that returns it.
    settings : mapping
        Keyword (or, for integer keys, positional) constructor arguments. Float arrays among them are parameters.
    inputs : mapping of str to value
        What forward is called with, in order.
    constants : set of str
        Inputs that have no gradient though they are real (targets).
    takes_more : bool
        Whether forward has further, optional inputs: then values beyond the gradients owed may belong to them.
    seed : int
        Of the global generators, before each construction.
    """

    convention = "layer object"
    independent = False  # a second forward replaces the cache of the first
    summed = False

    def __init__(
        self,
        make: Callable[..., Any],
        settings: Mapping[str | int, Any],
        inputs: Mapping[str, Any],
        *,
        name: str,
        constants: frozenset[str] = frozenset(),
        keywords: frozenset[str] = frozenset(),
        takes_more: bool = False,
        seed: int = 0,
    ) -> None:
        self.name = name
        self._seed = seed
        self._make, self._settings, self._inputs = make, dict(settings), dict(inputs)
        self._keywords = keywords
        self._takes_more = takes_more
        self._rewind = generators(make, globally=False)  # those are seeded
        self._unseeded = Unseeded()
        given = arguments_of(inputs, constants)
        names = constructor_names(make, settings)
        self._built_from = {
            key: names[key] for key, v in settings.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"
        }
        self._numbers = [names[key] for key, v in settings.items() if type(v) in {int, float}]
        taken = {argument.name for argument in given}
        built = [
            Argument(label, "parameter", np.asarray(settings[key]))
            for key, label in self._built_from.items()
            if label not in taken
        ]
        self._kept: dict[str, Kept] = {}
        self._built_late = False  # forward makes the parameters, at its first call
        self.arguments = (*given, *built)
        self.arguments = tuple(a for a in self.arguments if not self._is_remade(a))
        self.arguments += self._find_kept()

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Build the layer, give it its parameters, run forward."""
        return self._run(self._build(primals), primals)

    def session(self, primals: Primals, *, forgetful: bool = False) -> Session:
        """Build one layer and keep it."""
        return _LivedLayer(self, self._build(primals), primals, forgetful=forgetful)

    def _run(self, layer: Any, primals: Primals) -> tuple[Outputs, Pullback]:
        result = self._forward(layer, primals)
        known = values_at(self._inputs, primals)
        known |= dict.fromkeys(OUTPUT_NAMES - known.keys(), result)
        parameters = parameters_of(layer.backward)
        outputs, cache = outputs_of(result, [p.name for p in parameters if p.required and p.name not in known])
        if cache is not None:
            known |= dict.fromkeys(CACHE_NAMES, cache)
        scalar = len(outputs) == 1 and outputs[0].ndim == 0
        call = plan_backward(parameters, len(outputs), known.keys(), scalar=scalar)
        if not (scalar or call.takes_cotangent) and len(outputs) == 1:  # a loss per sample, and the gradient of its sum
            self.summed, outputs = True, (np.asarray(outputs[0].sum()),)

        def pullback(cotangents: Outputs) -> Gradients:
            homes = homes_of(layer, {a.name: primals[a.name] for a in self.arguments if a.kind == "parameter"})
            returned = call_backward(layer.backward, call, as_returned(cotangents, result), known)
            self._reflect(layer, primals)
            return self._read(layer, call, returned, cotangents, homes)

        self._reflect(layer, primals)
        return outputs, pullback

    def _build(self, primals: Primals) -> Any:
        settings = {
            key: primals[self._built_from[key]] if key in self._built_from else copied(value)
            for key, value in self._settings.items()
        }
        self._rewind()
        reseed(self._seed)
        layer = construct(self._make, settings)
        self._unseeded.seed(layer)
        if self._built_late:
            self._forward(layer, {name: np.array(primals[name]) for name in self._inputs if name in primals})
            flush(layer)
        for kept in arrays_of(layer) if self._kept else ():
            if kept.name in self._kept and kept.name in primals:
                kept.put(primals[kept.name])
        return layer

    def _forward(self, layer: Any, primals: Primals) -> Any:
        values = values_at(self._inputs, primals)
        positional = [value for name, value in values.items() if name not in self._keywords]
        return called(layer.forward, *positional, **{name: values[name] for name in self._keywords if name in values})

    def _is_remade(self, argument: Argument) -> bool:
        """Whether the constructor keeps another array under the name of one that it got (``self.W = W.T``).

        Then the layer's own array is the parameter: its gradient is what ``dW`` means.
        """
        if argument.name not in self._built_from.values():
            return False
        kept = {k.name.lstrip("_"): k.value for k in arrays_of(self._build({a.name: a.value for a in self.arguments}))}
        remade = not same_array(kept.get(argument.name, argument.value), argument.value)
        if remade:
            self._built_from = {key: name for key, name in self._built_from.items() if name != argument.name}
        return remade

    def _find_kept(self) -> tuple[Argument, ...]:
        """Find the arrays that the layer made itself and whose change changes the output."""
        primals = {a.name: a.value for a in self.arguments}
        made = self._candidates(primals)
        if not made:
            at_once = self._outputs(primals)
            self._built_late = True
            # A second forward of a cell that goes on by one step is another function than the first.
            made = self._candidates(primals) if same_outputs(at_once, self._outputs(primals)) else []
        found: list[Argument] = []
        reference = self._outputs(primals) if made else ()
        for kept, value in made:
            self._kept[kept.name] = kept
            moved = value + 0.25 * (1.0 + np.abs(value)) * np.cos(np.arange(value.size)).reshape(value.shape)
            if responds(self._outputs, {**primals, kept.name: moved.astype(value.dtype)}, reference):
                found.append(Argument(kept.name, "parameter", value))
            else:
                del self._kept[kept.name]
        self._built_late = self._built_late and bool(found)
        return tuple(found)

    def _candidates(self, primals: Primals) -> list[tuple[Kept, Array]]:
        """Return the arrays that a layer has before forward, and that forward leaves alone, with their values."""
        layer = self._build({name: np.array(value) for name, value in primals.items()})
        made = {
            kept.name: (kept, np.array(kept.value))
            for kept in arrays_of(layer)
            if not kept.is_buffer and kept.name not in primals and not is_gradient_slot(kept.name)
        }
        if not made:
            return []
        # What follows from the constructor's arrays is not a parameter of its own: it changes when they do. What
        # forward writes is a cache or a running statistic.
        moved = {name: 1.5 * value + 1.0 if value.dtype.kind == "f" else value for name, value in primals.items()}
        with contextlib.suppress(Exception):
            other = self._build(moved)
            self._forward(other, {})
            self._forward(other, moved)
            after = {kept.name: kept.value for kept in arrays_of(other)}
            made = {name: (k, v) for name, (k, v) in made.items() if name in after and same_array(v, after[name])}
        return self._without_views(layer, list(made.values()))

    def _without_views(self, layer: Any, made: list[tuple[Kept, Array]]) -> list[tuple[Kept, Array]]:
        """Leave out what is another view of the same elements; that which has a gradient is the parameter."""
        arrays = [kept.value for kept, _ in made]
        if not any(overlap(a, b) for k, a in enumerate(arrays) for b in arrays[:k]):
            return made
        primals = point_of(self.arguments)
        with contextlib.suppress(Exception):
            outputs, pullback = self._run(layer, primals)
            pullback(tuple(map(np.ones_like, outputs)))
        chosen: list[Kept] = []
        for kept in sorted((k for k, _ in made), key=lambda k: isinstance(gradient_of(layer, k), Missing)):
            if not any(overlap(kept.value, other.value) for other in chosen):
                chosen.append(kept)
        return [(kept, value) for kept, value in made if any(kept is other for other in chosen)]

    def _outputs(self, primals: Primals) -> Outputs:
        primals = {name: np.array(value) for name, value in primals.items()}  # the layer may write into its input
        return outputs_of(self._forward(self._build(primals), primals))[0]

    def _reflect(self, layer: Any, primals: Primals) -> None:
        """Let the caller's arrays show what the layer wrote into the copies of them that it keeps."""
        for kept in arrays_of(layer) if self._kept else ():
            if kept.name in self._kept and kept.name in primals and not same_array(kept.value, primals[kept.name]):
                primals[kept.name][...] = kept.value

    def _read(
        self, layer: Any, call: BackwardCall, returned: object, cotangents: Outputs, homes: Mapping[str, Kept]
    ) -> Gradients:
        """Put together what backward returned and what it left behind."""
        inputs = [a for a in self.arguments if a.kind == "input"]
        parameters = [a for a in self.arguments if a.kind == "parameter"]
        returned = None if returned is layer else returned
        gradients = read_gradients(returned, inputs, parameters)
        values = dict(gradients.values)
        kept = frozenset(a.name for a in self.arguments if values.get(a.name) is None)
        for argument in self.arguments:
            if argument.differentiable and values.get(argument.name) is None:
                left = left_behind(layer, argument.name, homes.get(argument.name))
                if argument.name in values and isinstance(left, Missing):
                    left = Missing(f"backward returned None for {argument.name}")
                if argument.name in values or not gradients.problems or not isinstance(left, Missing):
                    values[argument.name] = left  # else it is said already: too few gradients came back
        raw = values
        if not call.takes_cotangent:
            scale = float(np.sum(cotangents[0]))
            values = {key: v if isinstance(v, Missing) else scale * np.asarray(v) for key, v in values.items()}
        problems, remarks = gradients.problems, gradients.remarks
        if all(a.name in values for a in inputs if a.differentiable):
            problems = ()
        if not parameters and not self._takes_more:
            problems, remarks = (*problems, *remarks), ()  # they can be the gradients of nothing
        return Gradients(values, problems, remarks, kept, raw, left_for(layer, self._numbers))


class _LivedLayer:
    """One layer object that is run again and again."""

    def __init__(self, subject: LayerSubject, layer: Any, primals: Primals, *, forgetful: bool) -> None:
        self._subject, self._layer = subject, layer
        self._rewind = generators(layer)
        self._forget = carried(layer) if forgetful else None
        parameters = {a.name: primals[a.name] for a in subject.arguments if a.kind == "parameter"}
        self._homes = homes_of(layer, parameters)

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Put the parameters where the layer keeps its own, and run forward."""
        for name, home in self._homes.items():
            if not same_array(home.value, primals[name]):
                home.put(primals[name])
        flush(self._layer)
        self._rewind()
        if self._forget is not None:
            self._forget()
        return self._subject._run(self._layer, primals)

    def kept(self) -> Mapping[str, Array]:
        """Return its arrays as they are now."""
        return {kept.name: kept.value for kept in arrays_of(self._layer)}
