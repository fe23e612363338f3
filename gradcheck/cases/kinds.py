"""What kind of thing a constructor argument is, where its name alone does not say: a word, a pair, a layer, a function.

Told by what the layer's source does with it, and by what the repository itself passes.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from gradcheck.cases.inner import inner_layers, is_right_layer, looks_like_layer
from gradcheck.cases.layouts import Layout
from gradcheck.cases.signature import Dims
from gradcheck.cases.sites import examples
from gradcheck.cases.usage import Usage, usages
from gradcheck.cases.values import Fixed, Recipe, Size, Sizes, Spec
from gradcheck.subject.source import text_of

_MOST = 6  # words, or values that the repository passes, that are tried
_DERIVATIVE = re.compile(r"prime|deriv|grad|^d_?[a-z]+$", re.IGNORECASE)
_STEP = re.compile(r"stride|step", re.IGNORECASE)
_EDGE = re.compile(r"pad", re.IGNORECASE)


@dataclass(frozen=True)
class Kinds:
    """The kinds of a layer's required arguments, by name; `Kinds()` knows nothing.

    ``usage``: of the constructor's arguments, ``inputs``: of forward's; ``passed``: what the repository itself passes
    to the constructor; ``layers``: right ones that a wrapper may be given.
    """

    usage: Mapping[str, Usage] = field(default_factory=dict)
    inputs: Mapping[str, Usage] = field(default_factory=dict)
    passed: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    layers: Sequence[Any] = ()

    @classmethod
    def of(cls, obj: Any, names: Sequence[str], forward: Sequence[str] = ()) -> Kinds:
        """Read the source of a layer, and the files in which a class is called.

        ``names`` are those of the constructor's arguments, ``forward`` of the inputs.

        Examples
        --------
        >>> Kinds.of(len, ["x"])
        Kinds(usage={}, inputs={}, passed={}, layers=())
        """
        source = text_of(obj)
        module = sys.modules.get(getattr(obj[0] if isinstance(obj, tuple) else obj, "__module__", None) or "")
        scope: Mapping[str, Any] = vars(module) if module else {}
        inputs = usages(source, tuple(forward), scope, method="forward") if forward else {}
        if not inspect.isclass(obj) or not names:
            return cls(inputs=inputs)
        usage = usages(source, tuple(names), scope)
        parameters = list(inspect.signature(obj).parameters)
        passed = examples(obj.__name__, parameters, _file_of(obj), scope)
        wanted = any(u.layer or u.layers for u in usage.values())
        return cls(usage, inputs, passed, inner_layers(scope, obj) if wanted else ())

    def is_array(self, name: str) -> bool:
        """Whether the source takes the argument for an array."""
        return name in self.usage and self.usage[name].array

    def options(self, name: str) -> tuple[Recipe, ...]:
        """Return what to try for an input that is no array: the words that it is compared with, or True."""
        usage = self.inputs.get(name, Usage())
        return tuple(Fixed(value) for value in (*usage.words[:_MOST], *([True] if usage.flag else [])))

    def recipes(self, name: str, layout: Layout) -> tuple[Recipe, ...]:
        """Return what to try for a constructor argument before what its name says; empty if nothing is known."""
        usage = self.usage.get(name)
        if usage is None:
            return ()
        passed = [value for value in self.passed.get(name, ()) if type(value) not in {int, float, type(None)}]
        fixed = [value for value in passed[:_MOST] if _is_sound(value)]
        if usage.layers:
            fixed += [[*self.layers[:2]]] if self.layers else []
        elif usage.layer:
            fixed += self.layers
        if usage.function:
            fixed.append(_tanh_slope if _DERIVATIVE.search(name) else np.tanh)
        fixed += usage.words[:_MOST]
        fixed += [True] if usage.flag else []
        known: list[Recipe] = [Fixed(value) for value in fixed]
        if {"h", "w"} <= {other.lower() for other in self.usage} and name.lower() in "chw" and not usage.array:
            known.append(Size(name.lower()))
        if usage.length is not None and not (usage.layers or usage.array):
            known += _tuples(name, usage.length, layout)
        return tuple(known)


def _tuples(name: str, length: int, layout: Layout) -> list[Recipe]:
    """Return tuples of a length, of any where it is 0: what kernels, strides and paddings are, and shapes."""
    inner = layout.dims[1:]
    shapes: list[Dims] = [("p", "q"), inner, ("o", layout.feature, 3, 2), (3, 2, layout.feature, "o"), layout.dims]
    sizes = [Sizes(dims) for dims in shapes if length in (0, len(dims)) and (length or len(dims) > 1)]
    if length != 2:
        return [*sizes]
    if _STEP.search(name):
        return [Fixed((2, 1)), Fixed((1, 1))]
    if _EDGE.search(name):
        return [Fixed((2, 1)), Fixed((0, 0))]
    return [Fixed((3, 2)), Fixed((2, 2)), *sizes]


def array_recipes_of_any_name(layout: Layout) -> tuple[Recipe, ...]:
    """Return what to try for a constructor argument that is an array, whatever its name."""
    f = layout.feature
    return Spec((f, "o")), Spec(("o", f)), Spec((f,)), Spec(("o",)), Spec((1, "o")), layout.spec


def _is_sound(value: Any) -> bool:
    """Whether a value that the repository passes holds no layer that is wrong by itself."""
    parts = value if isinstance(value, list | tuple) else [value]
    return all(is_right_layer(part) for part in parts if looks_like_layer(part))


def _file_of(cls: type) -> str:
    try:
        return inspect.getfile(cls)
    except (OSError, TypeError):
        return ""


def _tanh_slope(x: Any) -> Any:
    return 1.0 - np.tanh(x) ** 2
