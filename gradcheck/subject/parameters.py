r"""The parameters that a layer object keeps, and where it keeps their gradients.

A parameter is a float array reachable from the object (an attribute, an entry of a list or dict, a field of a nested
object); whether the output really depends on it is found out numerically by the convention. Its gradient is what
stands beside it under a name like ``d``\\ *name* or *name*\\ ``_grad``, or at the same place of a list or dict called
``grads``: paired by name, never by value.
"""

from __future__ import annotations

import contextlib
import re
import types
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, MutableSequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from gradcheck.subject.equal import same_array
from gradcheck.subject.names import OF_INPUT, gradient_names
from gradcheck.subject.protocol import Array, Missing

_GRADIENT_TABLES = ("grads", "gradients", "grad", "dparams", "gradient", "d_params", "param_grads", "grad_params")
_DEPTH = 4  # how deep a parameter may lie: self.layers[0].params["W"] is three containers deep

# Arrays that shape the output but are statistics or noise, not parameters: their gradient is owed by nobody.
_BUFFER = re.compile(r"running|moving|mask|momentum|velocity|buffer|cache|_hat|num_batches", re.IGNORECASE)
_PARAMETER = re.compile(
    r"^_?(w|weights?|kernels?|filters?|b|bias(es)?|gamma|beta|theta|scale|shift|embeddings?|[wub]_?[a-z0-9]{1,3})$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Site:
    """A place that holds an array: ``owner.key`` or ``owner[key]``; ``home`` is what ``owner`` itself stands in."""

    owner: Any
    key: Any
    path: str
    home: Any = None

    def get(self) -> Any:
        """Return what stands there now."""
        return getattr(self.owner, self.key) if self.is_attribute else self.owner[self.key]

    def put(self, value: Array) -> None:
        """Let the place hold another array."""
        if self.is_attribute:
            setattr(self.owner, self.key, value)
        elif isinstance(self.owner, tuple):  # its arrays are changed in place, or not at all
            self.owner[self.key][...] = value
        else:
            self.owner[self.key] = value

    @property
    def is_attribute(self) -> bool:
        """Whether the array is an attribute rather than an entry of a list, tuple or dict."""
        return not isinstance(self.owner, _CONTAINERS)


@dataclass(frozen=True, slots=True)
class Kept:
    """One array that a layer keeps, at all the places where it stands (``self.W`` and ``self.params[0]``)."""

    name: str
    sites: tuple[Site, ...]

    @property
    def value(self) -> Array:
        """The array as it stands now."""
        return np.asarray(self.sites[0].get())

    @property
    def is_buffer(self) -> bool:
        """Whether the name says that it is a statistic or a mask rather than a parameter."""
        return bool(_BUFFER.search(self.name))

    @property
    def is_named_like_parameter(self) -> bool:
        """Whether the name is one that parameters bear (``W``, ``bias``, ``gamma``), so that a gradient is owed."""
        return is_parameter_name(self.name)

    def put(self, value: Array) -> None:
        """Let the layer keep other values, so that views of the old array see them too where that can be."""
        old = self.sites[0].get()
        if (
            isinstance(old, np.ndarray)
            and old.flags.writeable
            and old.dtype == value.dtype
            and old.shape == value.shape
        ):
            old[...] = value
            return
        for site in self.sites:
            site.put(value)


def arrays_of(layer: object) -> tuple[Kept, ...]:
    """Return the float arrays reachable from an object, in the order in which it defines them.

    Examples
    --------
    >>> class Scale:
    ...     def __init__(self):
    ...         self.gamma = np.ones(3)
    ...         self.params = [self.gamma]
    >>> [(kept.name, len(kept.sites)) for kept in arrays_of(Scale())]
    [('gamma', 2)]
    """
    places: dict[int, list[Site]] = {}
    for site in _sites(layer, "", None, depth=_DEPTH, seen=set()):
        places.setdefault(id(site.get()), []).append(site)
    return tuple(Kept(sites[0].path, tuple(sites)) for sites in places.values())


def gradient_of(layer: object, kept: Kept) -> object:
    """Return the gradient that stands beside a parameter after backward, or `Missing`."""
    empty: Missing | None = None
    for site in kept.sites:
        for label, value in _slots(layer, site):
            if value is not None:
                return value
            empty = empty or Missing(f"{label} is still None after backward")
    return empty or Missing(f"backward left no gradient for {kept.name}", owed=kept.is_named_like_parameter)


def homes_of(layer: object, parameters: Mapping[str, Array]) -> dict[str, Kept]:
    """Return where a layer keeps each parameter: under its name, or as the array that the constructor got."""
    kept = arrays_of(layer)
    homes: dict[str, Kept] = {}
    for name, value in parameters.items():
        same = [k for k in kept if k.name == name or any(s.get() is value for s in k.sites)]
        same = same or [k for k in kept if same_array(k.value, value)]
        homes |= {name: same[0]} if same else {}
    return homes


def left_behind(layer: object, name: str, home: Kept | None) -> object:
    """Return the gradient of an argument that backward left on the layer, or `Missing`."""
    found = gradient_of(layer, home) if home is not None else Missing(f"backward gave nothing for {name}")
    if not isinstance(found, Missing):
        return found
    label, value = next(_under(layer, gradient_names(name)), (None, None))
    if value is not None:
        return value
    return found if label is None else Missing(f"{label} is still None after backward")


def left_of_input(layer: object) -> object:
    """Return what a layer left under a name that means the gradient of its one input, whatever that is called."""
    return next((value for _, value in _under(layer, OF_INPUT) if isinstance(value, np.ndarray)), None)


def left_for(layer: object, names: Iterable[str]) -> dict[str, object]:
    """Return the gradients that backward left for settings of these names; single letters mean too much."""
    found = {name: left_behind(layer, name, None) for name in names if len(name) > 1}
    return {name: value for name, value in found.items() if not isinstance(value, Missing)}


def is_parameter_name(name: str) -> bool:
    """Whether parameters bear such a name: ``W``, ``bias``, ``layers[0].gamma``."""
    return bool(_PARAMETER.match(name.rpartition(".")[2]))


def _sites(owner: Any, path: str, home: Any, *, depth: int, seen: set[int]) -> Iterator[Site]:
    """Walk an object's attributes, lists, dicts and nested objects, each once."""
    if depth == 0 or id(owner) in seen:
        return
    seen.add(id(owner))
    entries: list[tuple[Any, Any, str]]
    if isinstance(owner, _SEQUENCES):
        entries = [(key, value, f"{path}[{key}]") for key, value in enumerate(owner)]
    else:
        entries = [(key, value, f"{path}.{key}" if path else str(key)) for key, value in _namespace(owner).items()]
    for key, value, where in entries:
        if isinstance(value, np.ndarray) and np.issubdtype(value.dtype, np.floating) and value.size:
            yield Site(owner, key, where, home)
    for key, value, where in entries:
        if _is_nested(value):
            # self.params["W1"] is known to its user as W1.
            short = "" if isinstance(value, MutableMapping) and key in _TABLES else where
            yield from _sites(value, short, owner, depth=depth - 1, seen=seen)


# Tuples of types, those that are met most first: a layer is walked at each of its calls.
_SEQUENCES = (list, tuple, MutableSequence)
_CONTAINERS = (dict, *_SEQUENCES, MutableMapping)
_PLAIN = (
    *(np.ndarray, float, int, str, bytes, type(None), type),
    *(types.FunctionType, types.MethodType, types.ModuleType),
)
_TABLES = frozenset({"params", "parameters", "weights", "_params", "_parameters"})


def _is_nested(value: object) -> bool:
    """Whether to look inside: containers and the user's own objects, not functions, generators, locks or loggers."""
    if isinstance(value, _PLAIN):
        return False
    if isinstance(value, _CONTAINERS):
        return True
    library = type(value).__module__.partition(".")[0] in {"numpy", "logging", "threading", "_thread", "random"}
    return not library and bool(_namespace(value))


def _slots(layer: object, site: Site) -> Iterator[tuple[str, object]]:
    """Yield the places where the gradient of the array at ``site`` may stand, the likeliest first."""
    if getattr(site.get(), "grad", None) is not None:  # an array of the user's own kind, which knows its gradient
        yield f"{site.path}.grad", site.get().grad
    if str(site.key).lower() in {"data", "value", "val"} and hasattr(site.owner, "grad"):  # Parameter(data, grad)
        yield f"{site.path.rpartition('.')[0]}.grad", site.owner.grad
    spellings = gradient_names(str(site.key)) if isinstance(site.key, str) else ()
    holders = {id(holder): holder for holder in (site.owner, site.home, layer) if holder is not None}
    for holder in holders.values():
        yield from _under(
            holder, spellings
        )  # self.dW beside self.W, or "dW" beside "W", or self.dW1 beside params["W1"]
        for name in _GRADIENT_TABLES:
            table = _namespace(holder).get(name)
            if isinstance(table, MutableSequence | tuple) and isinstance(site.key, int) and site.key < len(table):
                yield f"{name}[{site.key}]", table[site.key]
            elif isinstance(table, MutableMapping) and table is not site.owner:
                yield from _under(table, (str(site.key).lower(), *spellings))


def _under(holder: object, spellings: Iterable[str]) -> Iterator[tuple[str, object]]:
    """Yield what a namespace holds under these (lower-case) names, case and leading underscores set aside."""
    namespace = _namespace(holder)
    names = {str(name).lower().lstrip("_"): name for name in namespace}
    for spelling in spellings:
        if spelling in names:
            name = names[spelling]
            yield f"{'' if isinstance(holder, MutableMapping) else 'self.'}{name}", namespace[name]
    computed = {} if isinstance(holder, MutableMapping) else _properties_of(_type(holder))
    for spelling in spellings:
        if spelling in computed:
            with contextlib.suppress(Exception):  # a property may need what is not there yet
                yield f"self.{computed[spelling]}", getattr(holder, computed[spelling])


def _namespace(holder: object) -> Mapping[Any, Any]:
    """Return what an object holds under names: a dict's entries, or attributes, those in slots too."""
    if isinstance(holder, (dict, MutableMapping)):
        return holder
    slots = _slots_of(_type(holder))
    own: dict[Any, Any] = getattr(holder, "__dict__", {})
    return {**{name: getattr(holder, name) for name in slots if hasattr(holder, name)}, **own} if slots else own


@cache
def _properties_of(cls: type) -> dict[str, str]:
    """Return the properties of a class, under their names in lower case without leading underscores."""
    names = [name for base in cls.__mro__ for name, value in vars(base).items() if isinstance(value, property)]
    return {name.lower().lstrip("_"): name for name in names}


def _type(holder: object) -> Any:
    return type(holder)


@cache
def _slots_of(cls: type) -> tuple[str, ...]:
    slots = [name for base in cls.__mro__ for name in _names(vars(base).get("__slots__", ()))]
    return tuple(name for name in slots if not name.startswith("__"))


def _names(slots: object) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots) if isinstance(slots, Iterable) else ()
