"""What forward gives at the sizes of a trial: whether it is of use, and how its shapes follow from the sizes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from gradcheck.cases.plan import Plan
from gradcheck.cases.signature import Dims, name_shape, size_of
from gradcheck.errors import UsageError
from gradcheck.records import Case
from gradcheck.subject.protocol import Array, Subject, point_of

Bind = Callable[[Mapping[str | int, Any], Mapping[str, Any], frozenset[str]], Subject]

_LARGEST = 100_000  # elements of an output at the sizes of a trial: the outer product of two images
_UNUSABLE = "the output is empty, not real or not finite"


def outputs_at(bind: Bind, plan: Plan, case: Case) -> Sequence[Array] | None:
    """Return what forward gives at a case, or None if it raises or gives nothing usable."""
    try:
        return usable_outputs_at(bind, plan, case)
    except Exception:  # noqa: BLE001 - whatever the layer raises means: it does not take this size
        return None


def usable_outputs_at(bind: Bind, plan: Plan, case: Case) -> Sequence[Array]:
    """Return what forward gives at a case; what it raises comes through."""
    settings, inputs = plan.realise(case)
    subject = bind(settings, inputs, plan.constants)
    outputs, _ = subject.vjp(point_of(subject.arguments))
    if not is_usable(outputs):
        raise UsageError(_UNUSABLE)
    return outputs


def shapes_named(outputs: Sequence[Array], plan: Plan, case: Case) -> list[Dims]:
    """Return the shapes of outputs in the plan's dimensions."""
    sizes = dict(case.sizes)
    dims = {str(dim): size_of(dim, sizes) for dim in (*sizes, *plan.dims) if dim not in plan.choices}
    return [name_shape(y.shape, dims) for y in outputs]


def agreed(first: Dims, second: Dims) -> Dims:
    """Keep what two runs say alike of an output's shape; a size that follows from others gets a name of its own."""
    if len(first) != len(second):
        return first
    return tuple(a if a == b else f"d{k}" for k, (a, b) in enumerate(zip(first, second, strict=True)))


def require_usable(subject: Subject, outputs: Sequence[Array]) -> None:
    """Refuse outputs that nothing can be learned from."""
    if not is_usable(outputs):
        raise UsageError(_UNUSABLE)
    if any(y.size > _LARGEST for y in outputs):
        raise UsageError("the output is far too large to be meant")
    if not _depends(subject, outputs):
        raise UsageError("the output does not depend on any real argument")


def is_usable(outputs: Sequence[Array]) -> bool:
    """Whether outputs are real, finite and not empty."""
    return all(np.issubdtype(y.dtype, np.floating) and bool(np.all(np.isfinite(y))) for y in outputs) and any(
        y.size for y in outputs
    )


def _depends(subject: Subject, outputs: Sequence[Array]) -> bool:
    """Whether some output changes with some real argument."""
    for argument in subject.arguments:
        if argument.differentiable:
            primals = point_of(subject.arguments)
            primals[argument.name] = primals[argument.name] * 1.25 + 0.01
            moved, _ = subject.vjp(primals)
            if any(y.shape != z.shape or not np.array_equal(y, z) for y, z in zip(outputs, moved, strict=True)):
                return True
    return False
