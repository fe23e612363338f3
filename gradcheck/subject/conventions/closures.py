"""Closures with parameters: ``forward = Linear(3, 4); y, backprop = forward(x)``, and ``begin_update`` as in thinc.

What makes such a forward, a function or a class, is a factory of layer objects: the parameters are what it closed over,
or keeps, and the last pullback is the backward. A function of its inputs alone that returns ``(y, pullback)`` is a pair
of functions (`gradcheck.subject.conventions.pairs`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gradcheck.subject import source, text
from gradcheck.subject.calls import Parameter, called, copied, parameters_of, signature_of
from gradcheck.subject.conventions.layer import LayerSubject
from gradcheck.subject.session import is_filled

NAME = "closure with parameters"


def claims(obj: object) -> bool:
    """Whether it makes a function that returns its pullback, or has a method that does."""
    if inspect.isfunction(obj):
        node = source.definition(obj)
        return node is not None and text.made_closure(node) is not None
    return method_of(obj) is not None


def method_of(obj: object) -> str | None:
    """Return the method of a class or object that returns its output and a pullback."""
    cls = obj if isinstance(obj, type) else type(obj)
    for name in text.CLOSING:
        node = source.definition(vars(cls).get(name)) if name in vars(cls) else None
        if node is not None and len(text.arguments(node)) > 1 and text.closure_of(node) is not None:
            return name
    return None


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return the parameters of the constructor or maker, and those of what is called with the inputs."""
    method = method_of(obj)
    if method is None:
        node = source.definition(obj)
        made = text.made_closure(node) if node is not None else None
        names = text.arguments(made) if made is not None else []
        required = text.arguments(made, required=True) if made is not None else []
        return parameters_of(obj), tuple(Parameter(name, required=name in required) for name in names)
    if not isinstance(obj, type):
        return (), parameters_of(getattr(obj, method))
    constructor = () if inspect.getattr_static(obj, "__init__") is object.__init__ else parameters_of(obj)
    return constructor, parameters_of(getattr(obj, method))[1:]


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LayerSubject:
    """Bring a maker of closures, or a class or object with such a method, to a layer object."""
    method = method_of(obj)
    make: Callable[..., Any] = _Maker(obj) if method is None else _with_backward(obj, method)
    forward = interface(obj, settings)[1]
    subject = LayerSubject(
        make,
        settings,
        inputs,
        name=name,
        constants=constants,
        keywords=frozenset(p.name for p in forward if p.keyword_only),
        seed=seed,
    )
    subject.convention = NAME
    return subject


class _Backward:
    """The backward of a layer object whose forward has kept its pullback."""

    _pullback: Callable[..., Any]

    def backward(self, *douts: Any) -> Any:
        """Call the last pullback."""
        return self._pullback(*douts)


class _Closed(_Backward):
    """A function that closed over its parameters, as a layer object that has them as attributes."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self._function = function
        self._cells = _cells_of(function)
        self._look()

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the function with the parameters as they stand here."""
        for name, cell in self._cells.items():
            cell.cell_contents = getattr(self, name)
        y, self._pullback = _opened(called(self._function, *args, **kwargs))
        return y

    def backward(self, *douts: Any) -> Any:
        """Call the last pullback, and see what it has left."""
        gradients = self._pullback(*douts)
        self._look()
        return gradients

    def _look(self) -> None:
        vars(self).update({name: cell.cell_contents for name, cell in self._cells.items()})


class _Maker:
    """A maker of closures, as a factory of layer objects."""

    def __init__(self, make: Callable[..., Any]) -> None:
        self._make = make
        signature = signature_of(make)
        if signature is not None:
            self.__signature__ = signature

    def __call__(self, *args: Any, **kwargs: Any) -> _Closed:
        return _Closed(self._make(*args, **kwargs))


def _with_backward(obj: Any, method: str) -> Callable[..., Any]:
    """Return a factory of layers like an object, or of a class, that keep the pullback that a method returns."""
    cls = obj if isinstance(obj, type) else type(obj)

    def forward(self: Any, *args: Any, **kwargs: Any) -> Any:
        y, self._pullback = _opened(getattr(cls, method)(self, *args, **kwargs))
        return y

    layer = type(
        cls.__name__, (cls,), {"forward": forward, "backward": _Backward.backward, "__module__": cls.__module__}
    )
    if isinstance(obj, type):
        return layer

    def again() -> Any:
        copy = copied(obj)
        copy.__class__ = layer
        return copy

    return again


def _opened(result: Any) -> tuple[Any, Callable[..., Any]]:
    *outputs, pullback = result
    return (outputs[0] if len(outputs) == 1 else tuple(outputs)), pullback


def _cells_of(function: Any) -> dict[str, Any]:
    """Return the cells of a closure that hold arrays, or lists and dicts that may, in the order of their gradients."""
    code, cells = function.__code__, function.__closure__ or ()
    found = {name: cell for name, cell in zip(code.co_freevars, cells, strict=True) if is_filled(cell)}
    found = {name: cell for name, cell in found.items() if isinstance(cell.cell_contents, np.ndarray | dict | list)}
    node = source.definition(function)
    inner = text.closure_of(node) if node is not None else None
    returned = text.returns(inner)[-1] if inner is not None and text.returns(inner) else []
    order = {name: k for k, label in enumerate(returned) for name in found if text.is_gradient_of(label, [name])}
    return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))
