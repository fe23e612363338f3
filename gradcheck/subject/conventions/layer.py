"""A layer object brought to the waist: built anew for each run, or kept as one that lives on.

Parameters come through the constructor or forward, or are made by the layer; their gradients are returned or left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from gradcheck.subject.build import construct, constructor_names
from gradcheck.subject.calls import (
    Parameter,
    as_returned,
    called,
    copied,
    outputs_of,
    parameters_of,
)
from gradcheck.subject.conventions.lived import LivedLayer
from gradcheck.subject.conventions.reading import OF_MODEL, PULLBACK, Reading, candidates
from gradcheck.subject.conventions.second import Left, call_second, output_left, plan_second, read_left
from gradcheck.subject.conventions.trying import Vjp, tried
from gradcheck.subject.equal import responds, same_array, same_outputs
from gradcheck.subject.halves import PLAIN, Halves
from gradcheck.subject.inputs import arguments_of, values_at
from gradcheck.subject.names import is_gradient_slot
from gradcheck.subject.parameters import (
    Kept,
    arrays_of,
    homes_of,
    left_for,
)
from gradcheck.subject.protocol import (
    Argument,
    Array,
    Gradients,
    Outputs,
    Primals,
    Pullback,
    Session,
    point_of,
)
from gradcheck.subject.session import Unseeded, flush, generators, snapshot
from gradcheck.subject.updates import step_taken, takes_steps
from gradcheck.subject.views import parameter_among, same_elements
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
        Of the global generators.
    """

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
        halves: Halves = PLAIN,
        keywords: frozenset[str] = frozenset(),
        takes_more: bool = False,
        seed: int = 0,
    ) -> None:
        self.name = name
        self._seed = seed
        self._make, self._settings, self._inputs = make, dict(settings), dict(inputs)
        self._halves, self._reading = halves, PULLBACK
        self._tied: frozenset[str] = frozenset()  # parameters that two layers share
        self._steps = False  # backward takes a step of gradient descent
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
        self._reading = self._chosen()
        self.convention = self._reading.convention
        if self._reading is OF_MODEL:
            self.arguments = tuple(replace(a, constant=True) if a.kind == "input" else a for a in self.arguments)

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Build the layer, give it its parameters, run forward."""
        return self.run_on(self._build(primals), primals)

    def session(self, primals: Primals, *, forgetful: bool = False) -> Session:
        """Build one layer and keep it."""
        return LivedLayer(self, self._build(primals), primals, forgetful=forgetful)

    def run_on(self, layer: Any, primals: Primals) -> tuple[Outputs, Pullback]:
        """Run a layer that exists."""
        result = self._forward(layer, primals)
        backward = getattr(layer, self._halves.backward)
        second = plan_second(layer, backward, self._reading, values_at(self._inputs, primals), result)
        self.summed = self.summed or second.summed

        def pullback(cotangents: Outputs) -> Gradients:
            parameters = {a.name: primals[a.name] for a in self.arguments if a.kind == "parameter"}
            homes = homes_of(layer, parameters)
            returned = call_second(layer, backward, second, as_returned(cotangents, result))
            steps = {name: step_taken(parameters[name], home) for name, home in homes.items()} if self._steps else {}
            self._reflect(layer, primals)
            left = Left(layer, None if returned is layer else returned, homes, steps, self._tied)
            gradients = read_left(self.arguments, second, left, cotangents, alone=not self._takes_more)
            return replace(gradients, unasked=left_for(layer, self._numbers))

        self._reflect(layer, primals)
        return second.outputs, pullback

    def _build(self, primals: Primals) -> Any:
        settings = {
            key: self._own(primals[self._built_from[key]]) if key in self._built_from else copied(value)
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
        result = called(
            getattr(layer, self._halves.forward),
            *positional,
            **{name: values[name] for name in self._keywords if name in values},
        )
        return output_left(layer) if result is None else result

    def _chosen(self) -> Reading:
        """Choose the reading of the second half by trying those that its name leaves open."""
        layer = self._build(point_of(self.arguments))
        parameters = parameters_of(getattr(layer, self._halves.backward))
        self._steps = takes_steps(layer, [p.name for p in parameters if p.name not in self._inputs])
        known = _READINGS.setdefault(type(layer), {})
        if self._halves.backward not in known:
            possible = self._possible(layer, parameters)
            found = tried(possible, self.arguments, self._as)
            if found is None:
                return possible[0]
            known[self._halves.backward] = found
        return known[self._halves.backward]

    def _possible(self, layer: Any, parameters: Sequence[Parameter]) -> tuple[Reading, ...]:
        """Return the readings that the names leave open, and what forward keeps on the layer."""
        if candidates(self._halves, parameters, self._inputs, stateless=True, loss=True) == (PULLBACK,):
            return (PULLBACK,)
        before = snapshot(layer)
        try:
            outputs, _ = outputs_of(self._forward(layer, point_of(self.arguments)))
        except Exception:  # noqa: BLE001 - the first run will say what is the trouble
            return (PULLBACK,)
        first = next((a.value for a in self.arguments if a.kind == "input" and a.differentiable), None)
        loss = first is not None and outputs[0].ndim < first.ndim
        return candidates(self._halves, parameters, self._inputs, stateless=snapshot(layer) == before, loss=loss)

    def _as(self, reading: Reading) -> Vjp:
        self._reading = reading
        return self.vjp

    def _own(self, array: Array) -> Array:
        """Return the array for the layer to keep; one that updates its parameters may do so to a copy only."""
        return np.array(array) if self._steps else array

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
        return self._without_views(layer, made)

    def _without_views(self, layer: Any, made: dict[str, tuple[Kept, Array]]) -> list[tuple[Kept, Array]]:
        """Leave out what is another view of the same elements (see `parameter_among`)."""
        groups = same_elements([k for k, _ in made.values()])
        if len(groups) == len(made):
            return list(made.values())
        with contextlib.suppress(Exception):
            outputs, pullback = self.run_on(layer, point_of(self.arguments))
            pullback(tuple(map(np.ones_like, outputs)))
        chosen = [parameter_among(layer, group) for group in groups]
        self._tied = frozenset(kept.name for kept, is_tied in chosen if is_tied)
        return [made[kept.name] for kept, _ in chosen]

    def _outputs(self, primals: Primals) -> Outputs:
        primals = {name: np.array(value) for name, value in primals.items()}  # the layer may write into its input
        return outputs_of(self._forward(self._build(primals), primals))[0]

    def _reflect(self, layer: Any, primals: Primals) -> None:
        """Let the caller's arrays show what the layer wrote into the copies of them that it keeps."""
        for kept in arrays_of(layer) if self._kept else ():
            if kept.name in self._kept and kept.name in primals and not same_array(kept.value, primals[kept.name]):
                primals[kept.name][...] = kept.value


# What was found out about the second halves of the layers of this process, by trying.
_READINGS: WeakKeyDictionary[type, dict[str, Reading]] = WeakKeyDictionary()
