"""One layer that lives on, as in a training loop: other shapes, other values and other parameters came before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np

from gradcheck.errors import UsageError
from gradcheck.evidence.agree import NEAR, Arrays, bitwise, clearly_agree, disagree, same_outputs, top
from gradcheck.evidence.calls import BackwardRaised, Counted, Reference, Vjp, draw_cotangents, well_formed
from gradcheck.evidence.first import returned_arrays
from gradcheck.evidence.record import Contract, Overwrite, Trial
from gradcheck.subject.protocol import Argument, Array, Outputs, Pullback

Point = dict[str, Array]
_Handed = tuple[str, Array, Array]  # what it is, the very array, and a copy


def reuse(first: Reference) -> Iterator[Trial | Overwrite]:
    """Run one layer at another shape, at other values, and then at the point; yield what a fresh one gives otherwise.

    Six calls where nothing differs. What differs is tried once more for each thing that may have been carried over.
    """
    lived, counted = _Lived(first), first.counted
    other = _other(counted)
    longer, story, found, spoilt = _whole_story(lived, other)
    yield from spoilt
    if found is None:
        return
    causes: tuple[tuple[Contract, Point | None], ...] = (
        ("reused", _with(counted, other, "input")),
        ("parameters", _with(counted, other, "parameter")),
        ("new shape", longer),
    )
    for contract, before in causes:
        trial = (
            None if before is None else lived.trial([before], contract) or lived.trial([before], contract, pour=True)
        )
        if trial is not None and before is not None:
            if contract == "parameters" and trial.outputs_differ:
                trial = _followed_by_halves(lived, before)
            if trial is not None:
                yield _named(lived, trial, [before])
            return
    if not found.outputs_differ:
        yield _named(lived, found, story)


def independence(first: Reference) -> Trial | None:
    """Run forward at the point, then at another, then the first pullback; None where that is as it was; three calls."""
    counted = first.counted
    other = _other(counted)
    if not counted.subject.independent or other is None:
        return None
    how = "when forward was called again, elsewhere, before this backward"
    try:
        _, pullback = counted.vjp(counted.point())
        counted.vjp(other)
    except UsageError:
        raise
    except Exception:  # noqa: BLE001 - it does not take the other values
        return None
    found = gradients_or_error(counted, pullback, first.w)
    return None if clearly_agree(first.arrays, found) else Trial("independent", how, first.arrays, found)


def resized(counted: Counted, more: int | None, axis: int = 0, *, of: Point | None = None) -> Point | None:
    """Return a point (the case's own) with that many samples more, or with none (``None``).

    The samples are supposed to be counted by an axis of all inputs that are as long there as the first one.
    """
    inputs = [a for a in counted.subject.arguments if a.kind == "input" and a.value.ndim]
    if not inputs:
        return None
    length = inputs[0].value.shape[axis]
    point = dict(of or counted.point())
    for argument in inputs:
        if argument.value.shape[axis] == length:
            point[argument.name] = _resized(point[argument.name], axis, more)
    return point


_HOW: Mapping[Contract, str] = {
    "reused": "when the layer was run at other values before",
    "parameters": "when the parameters were changed in place since the layer was built",
    "new shape": "when the layer was run at another number of samples before",
}


class _RefusedError(Exception):
    """The layer does not take a point that was to come before: that says nothing about the point itself."""


class _Lived:
    """Runs of one layer at points before, and then at the point itself, held against a fresh layer there."""

    def __init__(self, first: Reference) -> None:
        self.first = first

    def trial(
        self, before: list[Point], contract: Contract, *, forgetful: bool = False, pour: bool = False
    ) -> Trial | None:
        """Return what came out otherwise, if anything did."""
        try:
            return self.run(before, contract, forgetful=forgetful, pour=pour)[0]
        except _RefusedError:
            return None

    def run(
        self, before: list[Point], contract: Contract, *, forgetful: bool = False, pour: bool = False
    ) -> tuple[Trial | None, list[Overwrite]]:
        """Run the layer, and also say what was handed out before the point and overwritten at it.

        ``pour``: the point comes in the arrays of the one before, as a batch that is read into the same memory: a cache
        that goes by identity is stale then, while one that is only a reference is not.

        Raises
        ------
        _RefusedError
            If the layer does not take what comes before.
        """
        first, counted = self.first, self.first.counted
        handed: list[_Handed] = []
        added: Arrays = {}
        point: Point = {}
        try:
            session, vjp = counted.session(_copies(before[0]), forgetful=forgetful)
            for earlier in before:
                point = _copies(earlier)
                handed, added = self._handed_out(vjp, point)
        except BackwardRaised:
            handed = []
        except UsageError:
            raise
        except Exception as error:
            raise _RefusedError from error
        point = _poured(counted.point(), point) if pour else counted.point()
        try:
            ys, pullback = vjp(point)
        except UsageError:
            raise
        except Exception as error:  # noqa: BLE001 - a fresh layer took this very point
            return Trial(contract, _HOW[contract], first.arrays, error, outputs_differ=True), []
        differ = not same_outputs(first.outputs, ys)
        found = gradients_or_error(counted, pullback, first.w)
        kept = session.kept()
        own = [kept[a.name] for a in counted.subject.arguments if a.kind == "parameter" and a.name in kept]
        mine = [*own, *point.values()]
        spoilt = [
            Overwrite("the next call", what, "handed out")
            for what, array, copy in handed
            if not bitwise(array, copy) and not any(np.may_share_memory(array, other) for other in mine)
        ]
        if isinstance(found, Mapping):  # what adds up on the layer began with what was there
            found = {name: _without(g, first.arrays.get(name), added.get(name)) for name, g in found.items()}
        agrees = not differ and clearly_agree(first.arrays, found)
        return None if agrees else Trial(contract, _HOW[contract], first.arrays, found, differ), spoilt

    def _handed_out(self, vjp: Vjp, point: Point) -> tuple[list[_Handed], Arrays]:
        """Run forward and backward; return what they handed out, each array with a copy, and what was left behind."""
        ys, pullback = vjp(point)
        gradients = pullback(draw_cotangents(tuple(map(np.asarray, ys)), self.first.seed, "reuse"))
        inputs = {a.name for a in self.first.counted.subject.arguments if a.kind == "input"}
        out = [("the output", y) for y in ys if isinstance(y, np.ndarray)]
        out += [(f"the gradient of {n}", g) for n, g in returned_arrays(gradients).items() if n in inputs]
        left = {
            name: g for name, g in well_formed(self.first.counted.subject, gradients).items() if name in gradients.left
        }
        return [(what, array, np.array(array)) for what, array in out], left


def gradients_or_error(counted: Counted, pullback: Pullback, w: Outputs) -> Arrays | Exception:
    """Return the gradients, or what backward raised."""
    try:
        return counted.gradients(pullback, w)
    except BackwardRaised as raised:
        return raised.error


def _whole_story(lived: _Lived, other: Point | None) -> tuple[Point | None, list[Point], Trial | None, list[Overwrite]]:
    """Run the layer at more samples, at other values, and at the point; leave out what it refuses."""
    counted = lived.first.counted
    for axis in (0, -1, None):
        longer = None if axis is None or other is None else resized(counted, 1, axis, of=other)
        story = [point for point in (longer, other) if point is not None]
        story = story[::-1] if lived.first.seed % 2 else story  # what the last one spoils, and what it hides
        if not story:
            continue
        try:
            return longer, story, *lived.run(story, "reused", pour=lived.first.seed // 2 % 2 == 1)
        except _RefusedError:
            continue
    return None, [], None, []


def _followed_by_halves(lived: _Lived, before: Point) -> Trial | None:
    """Tell a layer whose forward and backward both stay with the old parameters from one in which only forward does."""
    first, counted = lived.first, lived.first.counted
    old = {a.name: before[a.name] for a in counted.subject.arguments if a.kind == "parameter"}
    try:
        ys, pullback = counted.vjp(_copies({**counted.point(), **old}))
        expected = counted.gradients(pullback, first.w)
    except Exception:  # noqa: BLE001 - nothing to hold it against
        return None
    trial, _ = _Lived(replace(first, outputs=ys, arrays=expected)).run([before], "parameters")
    return trial if trial is not None and not trial.outputs_differ else None


def _poured(point: Point, used: Point) -> Point:
    """Return a point in the very arrays of another one, where they fit: a batch that is read into the same memory."""
    for name, value in used.items():
        if value.shape == point[name].shape and value.dtype == point[name].dtype:
            value[...] = point[name]
            point[name] = value
    return point


def _without(g: Array, expected: Array | None, added: Array | None) -> Array:
    """Return a gradient without what had been added up before, if that is what makes the difference."""
    if expected is None or added is None or not disagree(expected, g, share=NEAR):
        return g
    return g - added if not disagree(expected, g - added, max(top(g), top(added)), NEAR) else g


def _named(lived: _Lived, trial: Trial, before: list[Point]) -> Trial:
    """Say whether it is what the layer calls its state that was carried over."""
    calm = [lived.trial(before, trial.contract, forgetful=True, pour=pour) for pour in (False, True)]
    return trial if any(calm) else replace(trial, contract="carried")


def _copies(point: Point) -> Point:
    return {name: np.array(value) for name, value in point.items()}


def _other(counted: Counted) -> Point | None:
    """Return a point of the same shapes with other values, of the same kind: elements change places and shrink.

    None where that changes nothing, for want of elements.
    """
    point = {a.name: _moved(a) for a in counted.subject.arguments}
    same = all(np.array_equal(point[a.name], a.value) for a in counted.subject.arguments)
    return None if same else point


def _with(counted: Counted, other: Point | None, kind: str) -> Point | None:
    """Return the point with only its inputs, or only its parameters, moved; None where there are none."""
    names = {a.name for a in counted.subject.arguments if a.kind == kind}
    if other is None or not names:
        return None
    return {name: other[name] if name in names else value for name, value in counted.point().items()}


def _moved(argument: Argument) -> Array:
    rolled = argument.value
    for axis in range(rolled.ndim):
        rolled = np.roll(rolled, 1, axis)
    return np.array(0.75 * rolled, dtype=rolled.dtype) if argument.differentiable else np.array(rolled)


def _resized(value: Array, axis: int, more: int | None) -> Array:
    length = value.shape[axis]
    take: Callable[[list[int]], Array] = lambda places: np.array(np.take(value, places, axis))  # noqa: E731
    return take([] if more is None else [*range(length), *(k % max(length, 1) for k in range(more if length else 0))])
