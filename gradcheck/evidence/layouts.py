"""The same numbers in other places: arrays in Fortran order, with gaps, run through backwards, read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from gradcheck.cases.values import stream
from gradcheck.evidence.agree import Arrays, clearly_agree, same_outputs, top
from gradcheck.evidence.calls import BackwardRaised, Reference, well_formed
from gradcheck.evidence.record import Contract, Trial
from gradcheck.subject.protocol import Array, Outputs


def layouts(first: Reference) -> Iterator[Trial]:
    """Run fresh layers with all arrays laid out otherwise, and yield what came out otherwise; two calls a layout.

    The arguments and ``dout`` are not laid out alike: a slip that befalls both in the same way would not show. Only
    where something differs is it asked which of them it was, and whether a second run as at first differs too.
    """
    for of_point, of_dout in (LAYOUTS, LAYOUTS[::-1]):
        if _trial(first, of_point, of_dout) is None:
            continue
        plain = _trial(first, _PLAIN, _PLAIN)
        if plain is not None:
            yield plain
            return
        alone = (_trial(first, _PLAIN, of_dout), _trial(first, of_point, _PLAIN))
        yield from (trial for trial in alone if trial is not None)


def fortran(array: Array) -> Array:
    """Return the same numbers with the first axis running fastest."""
    return np.array(array, order="F")


def gaps_backwards(array: Array) -> Array:
    """Return the same numbers as a read-only view with gaps, all axes running backwards, the first two swapped.

    That is what slices, flips and transposes of a larger array look like.
    """
    if array.ndim == 0:
        return np.array(array)
    order = (1, 0, *range(2, array.ndim)) if array.ndim > 2 else tuple(range(array.ndim))
    swapped = array.transpose(order)
    wide = np.zeros((*swapped.shape[:-1], 2 * swapped.shape[-1]), array.dtype)
    backwards = (*(slice(None, None, -1),) * (array.ndim - 1), slice(None, None, -2))
    wide[backwards] = swapped
    wide.flags.writeable = False
    return wide[backwards].transpose(order)  # swapping twice is the identity


@dataclass(frozen=True, slots=True)
class Layout:
    """A way to lay an array out in memory, and how it is called."""

    name: str
    put: Callable[[Array], Array]


_ROUNDINGS = 64.0  # a sum may be off by more than its terms: by as much as there are of them
_PLAIN = Layout("", np.array)
LAYOUTS = (
    Layout("in Fortran order", fortran),
    Layout("as read-only views with gaps and negative strides", gaps_backwards),
)


def _trial(first: Reference, of_point: Layout, of_dout: Layout) -> Trial | None:
    """Run once; None where all is as expected, or where forward refuses such arrays."""
    contract: Contract = "repeatable"
    how = "in a second run at the same point"
    if of_point is not _PLAIN:
        contract, how = "layout", f"for inputs or parameters {of_point.name}"
    elif of_dout is not _PLAIN:
        contract, how = "layout of dout", f"for a dout {of_dout.name}"
    primals = {key: of_point.put(value) for key, value in first.counted.point().items()}
    try:
        ys, pullback = first.counted.vjp(primals)
    except Exception:  # noqa: BLE001 - a forward that refuses a layout says so itself
        return None
    if not same_outputs(first.outputs, ys) and not _is_rounding(first, ys):
        return Trial(contract, how, first.arrays, {}, outputs_differ=True)
    try:
        found: Arrays | Exception = well_formed(first.counted.subject, pullback(tuple(map(of_dout.put, first.w))))
    except BackwardRaised as raised:
        found = raised.error
    return None if clearly_agree(first.arrays, found) else Trial(contract, how, first.arrays, found)


def _is_rounding(first: Reference, ys: Outputs) -> bool:
    """Whether outputs differ as sums do that are added up in another order, and cancel.

    That is by far less than their size, or by no more than when the arguments move by a few roundings.
    """
    pairs = list(zip(ys, first.outputs, strict=True))
    if any(y.shape != z.shape for y, z in pairs):
        return False
    if all(top(y - z) <= _ROUNDINGS * float(np.finfo(z.dtype).eps) ** 0.5 * top(z) for y, z in pairs):
        return True
    point = {}
    for name, value in first.counted.point().items():
        signs = stream(first.seed, "rounding", name).choice((-4.0, 4.0), value.shape)
        real = value.dtype.kind == "f"
        point[name] = (value * (1.0 + signs * np.finfo(value.dtype).eps)).astype(value.dtype) if real else value
    try:
        again, _ = first.counted.vjp(first.counted.point())
        moved, _ = first.counted.vjp(point)
    except Exception:  # noqa: BLE001 - it does not take the point beside
        return False
    return same_outputs(first.outputs, again) and all(
        y.shape == m.shape and top(y - z) <= _ROUNDINGS * top(m - z) for (y, z), m in zip(pairs, moved, strict=True)
    )
