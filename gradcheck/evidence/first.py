"""The first run of a layer at a case: one forward, one backward, and all that can be seen of them without another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.evidence.agree import Arrays, bitwise
from gradcheck.evidence.calls import BackwardRaised, Counted, draw_cotangents, well_formed
from gradcheck.evidence.record import NotComparableError, Overwrite, Shared
from gradcheck.subject.names import is_gradient_slot
from gradcheck.subject.protocol import Array, Gradients, Outputs, Primals, Pullback, Session
from gradcheck.subject.world import floating_errors, generators_watched

_WORK: Any = 1_000  # to solve for a common element of two views; views that people make take none


@dataclass(frozen=True)
class First:
    """What the first run gave; ``raised`` if backward raised, and then there are no gradients."""

    outputs: Outputs
    cotangents: Outputs
    pullback: Pullback
    gradients: Gradients = field(default_factory=lambda: Gradients({}))
    arrays: Arrays = field(default_factory=dict)
    raised: Exception | None = None
    overwrites: tuple[Overwrite, ...] = ()
    shared: tuple[Shared, ...] = ()
    generators: tuple[str, ...] = ()
    floating: frozenset[str] = frozenset()


def run_first(counted: Counted, seed: int) -> First:
    """Run forward and backward once, watching every array that is in reach.

    Raises
    ------
    NotComparableError
        If forward raises, or gives something that is not finite: then there is nothing to say about backward here.
    """
    primals = counted.point()
    used: list[str] = []
    noise: tuple[set[str], set[str]] = set(), set()
    try:
        session, vjp = counted.session(primals)
        before = _Snapshot.of(session.kept())
        with generators_watched(used), floating_errors(noise[0]):
            returned, pullback = vjp(primals)
    except UsageError:
        raise
    except Exception as error:
        raise NotComparableError(f"forward raised {type(error).__name__}: {error}") from error
    overwrites = [Overwrite("forward", name, "argument") for name in _changed(primals, counted.point())]
    outputs = tuple(np.array(y) for y in returned)
    if not all(np.issubdtype(y.dtype, np.floating) and bool(np.all(np.isfinite(y))) for y in outputs):
        raise NotComparableError("the output of forward is not real, or not finite")
    cached = before.changes(session.kept(), leave_out=[*primals.values(), *returned])

    cotangents = draw_cotangents(outputs, seed, "first")
    handed = tuple(map(np.array, cotangents))
    as_it_was = {name: np.array(value) for name, value in primals.items()}
    first = First(outputs, cotangents, pullback)
    try:
        with generators_watched(used), floating_errors(noise[1]):
            gradients = pullback(handed)
    except BackwardRaised as raised:
        first = replace(first, raised=raised.error)
    else:
        arrays = well_formed(counted.subject, gradients)
        shared = _shared(gradients, handed, primals, session)
        first = replace(first, gradients=gradients, arrays=arrays, shared=shared)
    overwrites += [Overwrite("backward", "dout", "dout")] * any(
        not bitwise(a, b) for a, b in zip(handed, cotangents, strict=True)
    )
    overwrites += [Overwrite("backward", name, "argument") for name in _changed(primals, as_it_was)]
    overwrites += _spoilt_outputs(returned, outputs, [*primals.values(), *handed])
    overwrites += [Overwrite("backward", name, "cache") for name in cached.overwritten(session.kept())]
    return replace(
        first,
        overwrites=tuple(overwrites),
        generators=tuple(dict.fromkeys(used)),
        floating=frozenset(noise[1] - noise[0]),
    )


def returned_arrays(gradients: Gradients) -> dict[str, Array]:
    """Return the gradients that backward returned, as the very arrays, and not what it left on the layer."""
    return {
        name: value
        for name, value in gradients.values.items()
        if isinstance(value, np.ndarray) and name not in gradients.left
    }


def _changed(primals: Primals, before: Primals) -> list[str]:
    return [name for name, value in before.items() if not bitwise(primals[name], value)]


def _spoilt_outputs(returned: Outputs, copies: Outputs, others: list[Array]) -> list[Overwrite]:
    """Return the outputs that were written into, unless they are an argument or the cotangent itself."""
    spoilt = any(
        not bitwise(y, copy) and not any(_overlap(y, other) for other in others)
        for y, copy in zip(returned, copies, strict=True)
    )
    return [Overwrite("backward", "the output", "output")] if spoilt else []


def _shared(gradients: Gradients, handed: Outputs, primals: Primals, session: Session) -> tuple[Shared, ...]:
    """Say which gradients lie in the memory of something else."""
    given = gradients.values if gradients.raw is None else gradients.raw
    arrays = {name: g for name, g in given.items() if isinstance(g, np.ndarray) and g.size}
    kept = session.kept()
    mine = {name: [value, kept[name]] if name in kept else [value] for name, value in primals.items()}
    found: list[Shared] = []
    for name, g in arrays.items():
        found += [Shared(name, "dout", "dout")] * any(_overlap(g, w) for w in handed)
        found += [Shared(name, n, "argument") for n, values in mine.items() if any(_overlap(g, v) for v in values)]
    for (a, g), (b, h) in combinations(arrays.items(), 2):
        found += [Shared(a, b, "gradient")] * _overlap(g, h)
    return tuple(found)


def _overlap(a: Array, b: Array) -> bool:
    if not np.may_share_memory(a, b):
        return False
    try:
        return np.shares_memory(a, b, max_work=_WORK)
    except Exception:  # noqa: BLE001 - too hard to tell in so little time: their bounds overlap, no more is known
        return False


@dataclass(frozen=True)
class _Snapshot:
    """Arrays that a layer keeps, each with a copy, to see later which of them were written into."""

    arrays: Mapping[str, tuple[Array, Array]]

    @classmethod
    def of(cls, kept: Mapping[str, Array]) -> _Snapshot:
        return cls({name: (array, np.array(array)) for name, array in kept.items()})

    def changes(self, kept: Mapping[str, Array], *, leave_out: list[Array]) -> _Snapshot:
        """Return a snapshot of what is new or written into since this one, but for gradients and the caller's own."""
        return _Snapshot(
            {
                name: (array, np.array(array))
                for name, array in kept.items()
                if not self._as_it_was(name, array)
                and not is_gradient_slot(name)
                and not any(_overlap(array, other) for other in leave_out)
            }
        )

    def overwritten(self, kept: Mapping[str, Array]) -> list[str]:
        """Return the names of the arrays that are still kept and were written into since this snapshot."""
        return [
            name
            for name, (array, copy) in self.arrays.items()
            if name in kept and np.shares_memory(kept[name], array) and not np.array_equal(array, copy, equal_nan=True)
        ]

    def _as_it_was(self, name: str, array: Array) -> bool:
        if name not in self.arrays:
            return False
        old, copy = self.arrays[name]
        return np.may_share_memory(old, array) and bitwise(array, copy)
