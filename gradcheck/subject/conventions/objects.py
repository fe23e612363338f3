"""Layer objects: ``y = layer.forward(x, …)``, ``dx = layer.backward(dout)``.

Parameters come through the constructor (arrays), through forward, or are made by the layer itself; their gradients are
returned, or left as attributes (``dW``), or in lists or dicts beside the parameters (``grads``).
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.subject.calls import (
    CACHE_NAMES,
    OUTPUT_NAMES,
    BackwardCall,
    Parameter,
    outputs_of,
    parameters_of,
    plan_backward,
    read_gradients,
)
from gradcheck.subject.parameters import Kept, arrays_of, attribute_gradient, gradient_of
from gradcheck.subject.protocol import Argument, Array, Gradients, Missing, Outputs, Primals, Pullback
from gradcheck.subject.world import reseed

NAME = "layer object"


def claims(obj: object) -> bool:
    """Whether a class or an object has both methods."""
    return callable(getattr(obj, "forward", None)) and callable(getattr(obj, "backward", None))


def interface(obj: Any, settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return the parameters of the constructor (none for an object) and of forward."""
    if inspect.isclass(obj):
        constructor = () if inspect.getattr_static(obj, "__init__") is object.__init__ else parameters_of(obj)
        forward = cast(Any, obj).forward
        static = isinstance(inspect.getattr_static(obj, "forward"), staticmethod | classmethod)
        return constructor, parameters_of(forward)[0 if static else 1 :]
    if claims(obj):
        return (), parameters_of(obj.forward)
    return parameters_of(obj), parameters_of(construct(obj, settings).forward)


class LayerSubject:
    """A layer object at a point (see `gradcheck.subject.protocol.Subject`).

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
    seed : int
        Of the global generators, before each construction: what a layer draws is the same in every run of a case.
    """

    convention = NAME

    def __init__(
        self,
        make: Callable[..., Any],
        settings: Mapping[str | int, Any],
        inputs: Mapping[str, Any],
        *,
        name: str,
        constants: frozenset[str] = frozenset(),
        keywords: frozenset[str] = frozenset(),
        seed: int = 0,
    ) -> None:
        self.name = name
        self._seed = seed
        self._make, self._settings, self._inputs = make, dict(settings), dict(inputs)
        self._keywords = keywords
        given = [Argument(key, "input", np.asarray(v), key in constants) for key, v in inputs.items() if _is_array(v)]
        names = _constructor_names(make, settings)
        self._built_from = {
            key: names[key] for key, v in settings.items() if isinstance(v, np.ndarray) and v.dtype.kind == "f"
        }
        taken = {argument.name for argument in given}
        built = [
            Argument(label, "parameter", np.asarray(settings[key]))
            for key, label in self._built_from.items()
            if label not in taken
        ]
        self._kept: dict[str, Kept] = {}
        self.arguments = (*given, *built)
        self.arguments += self._find_kept()

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Build the layer, give it its parameters, run forward."""
        layer = self._build(primals)
        result = self._forward(layer, primals)
        outputs, cache = outputs_of(result)
        known = {a.name: primals[a.name] for a in self.arguments if a.kind == "input"}
        known |= dict.fromkeys(OUTPUT_NAMES - known.keys(), result)
        if cache is not None:
            known |= dict.fromkeys(CACHE_NAMES, cache)
        call = plan_backward(parameters_of(layer.backward), len(outputs), known.keys())

        def pullback(cotangents: Outputs) -> Gradients:
            return self._read(layer, call, call(layer.backward, cotangents, known), cotangents)

        return outputs, pullback

    def _build(self, primals: Primals) -> Any:
        settings = {
            key: primals[self._built_from[key]] if key in self._built_from else _copied(value)
            for key, value in self._settings.items()
        }
        reseed(self._seed)
        layer = construct(self._make, settings)
        for kept in arrays_of(layer):
            if kept.name in self._kept and kept.name in primals:
                kept.put(primals[kept.name])
        return layer

    def _forward(self, layer: Any, primals: Primals) -> Any:
        values = {name: primals.get(name, value) for name, value in self._inputs.items()}
        positional = [value for name, value in values.items() if name not in self._keywords]
        return layer.forward(*positional, **{name: values[name] for name in self._keywords if name in values})

    def _find_kept(self) -> tuple[Argument, ...]:
        """Find the arrays that the layer made itself and whose change changes the output."""
        primals = {a.name: a.value for a in self.arguments}
        layer = self._build(primals)
        # What follows from the constructor's arrays is not a parameter of its own: it changes when they do.
        moved = {a.name: a.value + 1.0 if a.kind == "parameter" else a.value for a in self.arguments}
        other = {kept.name: kept.value for kept in arrays_of(self._build(moved))} if self._built_from else {}
        candidates = [
            kept
            for kept in arrays_of(layer)
            if not kept.is_buffer
            and kept.name not in primals
            and not (kept.name in other and not _same(kept.value, other[kept.name]))
            and not _is_gradient_slot(kept.name)
        ]
        if not candidates:
            return ()
        before = {kept.name: np.array(kept.value, copy=True) for kept in candidates}
        reference = outputs_of(self._forward(layer, primals))[0]
        found: list[Argument] = []
        for kept in candidates:
            if not _same(kept.value, before[kept.name]):
                continue  # forward itself writes it: a cache or a running statistic
            self._kept[kept.name] = kept
            value = before[kept.name].astype(np.float64)
            moved_value = value + 0.25 * (1.0 + np.abs(value)) * np.cos(np.arange(value.size)).reshape(value.shape)
            if _responds(self._outputs, {**primals, kept.name: moved_value}, reference):
                found.append(Argument(kept.name, "parameter", value))
            else:
                del self._kept[kept.name]
        return tuple(found)

    def _outputs(self, primals: Primals) -> Outputs:
        return outputs_of(self._forward(self._build(primals), primals))[0]

    def _read(self, layer: Any, call: BackwardCall, returned: object, cotangents: Outputs) -> Gradients:
        """Put together what backward returned and what it left behind."""
        inputs = [a for a in self.arguments if a.kind == "input"]
        parameters = [a for a in self.arguments if a.kind == "parameter"]
        if returned is layer:
            returned = None
        gradients = read_gradients(returned, inputs, parameters)
        values = dict(gradients.values)
        kept = {k.name: k for k in arrays_of(layer)}
        for argument in self.arguments:
            if not argument.differentiable or values.get(argument.name) is not None:
                continue
            if argument.name in kept and argument.kind == "parameter":
                values[argument.name] = gradient_of(layer, kept[argument.name])
                continue
            slot = attribute_gradient(layer, argument.name)
            if slot is not None and slot[1] is not None:
                values[argument.name] = slot[1]
            elif slot is not None:
                values[argument.name] = Missing(f"{slot[0]} is still None after backward")
            elif argument.name not in values and gradients.problems:
                continue  # said already: too few gradients came back
            else:
                values[argument.name] = Missing(_nothing(argument, returned))
        if not call.takes_cotangent:
            scale = float(np.sum(cotangents[0]))
            values = {key: v if isinstance(v, Missing) else scale * np.asarray(v) for key, v in values.items()}
        problems = () if all(a.name in values for a in inputs if a.differentiable) else gradients.problems
        return Gradients(values, problems, gradients.remarks)


def construct(make: Callable[..., Any], settings: Mapping[str | int, Any]) -> Any:
    """Call a class or factory with keyword settings, or positional ones under integer keys."""
    positional = [value for key, value in settings.items() if isinstance(key, int)]
    return make(*positional, **{key: value for key, value in settings.items() if isinstance(key, str)})


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LayerSubject:
    """Bring a class, a factory or an object to a `LayerSubject` at the point given by settings and inputs."""
    if claims(obj) and not inspect.isclass(obj):
        if settings:
            raise UsageError(
                f"settings were given for {name}, which is built already",
                fix="give the class itself, or leave them out",
            )
        keywords = frozenset(p.name for p in parameters_of(obj.forward) if p.keyword_only)
        return LayerSubject(_keeper(obj), {}, inputs, name=name, constants=constants, keywords=keywords, seed=seed)
    keywords = frozenset(p.name for p in interface(obj, settings)[1] if p.keyword_only)
    return LayerSubject(obj, settings, inputs, name=name, constants=constants, keywords=keywords, seed=seed)


def _keeper(layer: Any) -> Callable[[], Any]:
    """Return a maker of copies of a layer that exists, so that the user's own is left as it was."""
    original = _copied(layer)
    return lambda: _copied(original)


def _copied(value: Any) -> Any:
    try:
        return copy.deepcopy(value)
    except Exception:  # noqa: BLE001 - locks, generators, handles: what cannot be copied must do as it is
        return value


def _constructor_names(make: Callable[..., Any], settings: Mapping[str | int, Any]) -> dict[str | int, str]:
    names = [p.name for p in parameters_of(make)]
    return {key: key if isinstance(key, str) else (names[key] if key < len(names) else f"arg{key}") for key in settings}


def _is_array(value: object) -> bool:
    return isinstance(value, np.ndarray | float | np.number)


def _same(a: Array, b: Array) -> bool:
    return a.shape == b.shape and np.array_equal(a, b, equal_nan=True)


def _responds(run: Callable[[Primals], Outputs], primals: Primals, reference: Outputs) -> bool:
    try:
        outputs = run(primals)
    except Exception:  # noqa: BLE001 - a value that the layer refuses is one that it depends on
        return True
    return not (len(outputs) == len(reference) and all(map(_same, outputs, reference)))


def _is_gradient_slot(name: str) -> bool:
    last = name.rpartition(".")[2].lower()
    return "grad" in name.lower() or (last.startswith("d") and len(last) <= 3) or last.startswith(("dw", "db", "d_"))


def _nothing(argument: Argument, returned: object) -> str:
    if argument.kind == "parameter":
        return f"backward left no gradient for {argument.name}"
    return f"backward returned {'None' if returned is None else 'no gradient'} for {argument.name}"
