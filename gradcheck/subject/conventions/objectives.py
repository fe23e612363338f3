"""Functions that return their value and gradient at once: ``loss, dx = softmax_loss(x, y)``, SciPy's ``jac=True``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from gradcheck.errors import UncheckedError
from gradcheck.subject import functions, source, text
from gradcheck.subject.calls import Parameter, called, parameters_of
from gradcheck.subject.conventions.local import LocalSubject, real_inputs
from gradcheck.subject.conventions.owed import targets, wrt
from gradcheck.subject.describe import describe

NAME = "value with gradient"


def claims(obj: object) -> bool:
    """Whether it is a function whose returns are a value, and gradients behind it."""
    node = source.definition(obj) if inspect.isfunction(obj) else None
    return node is not None and functions.is_objective(node, asked=True)


def interface(obj: Any, _settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:
    """Return no constructor parameters, and those of the function."""
    return (), parameters_of(obj)


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> LocalSubject:
    """Bring the function to a subject: its first value is the output, the others are gradients of it."""
    node = source.definition(obj)
    labels = text.returns(node)[-1][1:] if node is not None else [""]
    options = {str(key): value for key, value in settings.items()}
    real = real_inputs(inputs)
    owed = wrt(real, labels, len(labels))

    def run(values: Mapping[str, Any]) -> tuple[object, Callable[[], object]]:
        result = called(obj, **values, **options)
        if not isinstance(result, tuple | list) or len(result) < 2:
            raise UncheckedError(
                f"{name} returned {describe(result)}, expected its value and a gradient: (loss, dx)",
                fix="give its backward too: gradcheck.check((f, vjp), inputs=(...))",
            )
        rest = result[1] if len(result) == 2 else tuple(result[1:])
        return result[0], lambda: rest

    return LocalSubject(
        run,
        inputs,
        name=name,
        convention=f"{NAME}, with respect to {', '.join(owed)}",
        wrt=owed,
        constants=constants,
        named=targets(real),
        is_loss=True,
        holders=(obj,),
        seed=seed,
    )
