"""The same numbers in other places: arrays in Fortran order, with gaps, run through backwards, read-only."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from gradcheck.evidence.agree import Arrays, clearly_agree, same_outputs
from gradcheck.evidence.calls import BackwardRaised, Counted, well_formed
from gradcheck.evidence.record import Contract, Trial
from gradcheck.subject.protocol import Array, Outputs

Layout = Callable[[Array], Array]


def layouts(counted: Counted, outputs: Outputs, w: Outputs, expected: Arrays) -> Iterator[Trial]:
    """Run fresh layers with all arrays laid out otherwise, and yield what came out otherwise; two calls a layout.

    Only where something differs is it asked which array it was, and whether a second run as at first differs too.
    """
    for name, layout in LAYOUTS.items():
        together = _trial(counted, outputs, w, expected, name, layout, layout)
        if together is None:
            continue
        plain = _trial(counted, outputs, w, expected, "", np.array, np.array)
        if plain is not None:
            yield plain
            return
        alone = _trial(counted, outputs, w, expected, name, np.array, layout)
        if alone is not None:
            yield alone
        alone = _trial(counted, outputs, w, expected, name, layout, np.array)
        if alone is not None:
            yield alone


def fortran(array: Array) -> Array:
    """Return the same numbers with the first axis running fastest."""
    return np.array(array, order="F")


def gaps_backwards(array: Array) -> Array:
    """Return the same numbers as a read-only view of every second element, the last first, the first two axes swapped.

    That is what slices, flips and transposes of a larger array look like.
    """
    if array.ndim == 0:
        return np.array(array)
    order = (1, 0, *range(2, array.ndim)) if array.ndim > 2 else tuple(range(array.ndim))
    swapped = array.transpose(order)
    wide = np.zeros((*swapped.shape[:-1], 2 * swapped.shape[-1]), array.dtype)
    wide[..., ::-2] = swapped
    view = wide[..., ::-2].transpose(order)  # swapping twice is the identity
    view.flags.writeable = False
    return view


LAYOUTS: dict[str, Layout] = {
    "in Fortran order": fortran,
    "as read-only views with gaps and negative strides": gaps_backwards,
}


def _trial(
    counted: Counted, outputs: Outputs, w: Outputs, expected: Arrays, name: str, of_point: Layout, of_dout: Layout
) -> Trial | None:
    """Run once; None where all is as expected, or where forward refuses such arrays."""
    contract: Contract = "repeatable"
    how = "in a second run at the same point"
    if of_point is not np.array:
        contract, how = "layout", f"for inputs or parameters {name}"
    elif of_dout is not np.array:
        contract, how = "layout of dout", f"for a dout {name}"
    primals = {key: of_point(value) for key, value in counted.point().items()}
    try:
        ys, pullback = counted.vjp(primals)
    except Exception:  # noqa: BLE001 - a forward that refuses a layout says so itself
        return None
    if not same_outputs(outputs, ys):
        return Trial(contract, how, expected, {}, outputs_differ=True)
    try:
        found: Arrays | Exception = well_formed(counted.subject, pullback(tuple(map(of_dout, w))))
    except BackwardRaised as raised:
        found = raised.error
    return None if clearly_agree(expected, found) else Trial(contract, how, expected, found)
