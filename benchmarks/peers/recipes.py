"""Two recipes of courses and books, and SciPy's helper: they give a number, and the reader judges it.

Re-implemented from their public descriptions. Where such a number fails a layer is said here, for the sources name no
threshold that could be taken as it stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks.peers.handed import Handed, whole
from gradcheck.subject.protocol import Array, Outputs

# The course's notes call a relative error of 1e-7 and less a reason to be happy, and 1e-4 too much where there are no
# kinks. Between the two: at 1e-6, three times as many right twins were failed, and hardly more wrong layers found.
COURSE_STEP, COURSE_FAILS_ABOVE = 1e-5, 1e-5
# The book shows mean differences of about 1e-10 to 1e-13 for a small network, and says that they should be small.
BOOK_STEP, BOOK_FAILS_ABOVE = 1e-4, 1e-5
# A forward difference of step 1.5e-8 is good to about 1e-7 for each element, and SciPy adds their squares.
SCIPY_FAILS_ABOVE = 1e-5


def course(handed: Handed, seed: int) -> bool:
    """Whether cs231n's comparison passes: the largest relative error of each argument's gradient, one by one.

    All numeric gradients are taken first, and then there is one forward and one backward, as in its notebooks.
    """
    dout = handed.draw(seed)
    arrays = handed.copies()
    numeric = [
        _central(a, lambda: _copied(handed.run(*arrays)[0]), lambda up, down: _dot(_minus(up, down), dout), COURSE_STEP)
        for a in arrays
    ]
    analytic = whole(handed.run(*arrays)[1](dout))
    errors = [
        np.max(np.abs(a - n) / np.maximum(1e-8, np.abs(a) + np.abs(n))) for a, n in zip(analytic, numeric, strict=True)
    ]
    return all(bool(error <= COURSE_FAILS_ABOVE) for error in errors)  # what is not finite is seen by the reader


def book(handed: Handed, seed: int) -> bool:
    """Whether the book's comparison passes: the mean absolute difference of each argument's gradient of a loss."""
    dout = handed.draw(seed)
    arrays = handed.copies()
    numeric = [
        _central(a, lambda: _dot(handed.run(*arrays)[0], dout), lambda up, down: up - down, BOOK_STEP) for a in arrays
    ]
    analytic = whole(handed.run(*arrays)[1](dout))
    errors = [np.average(np.abs(a - n)) for a, n in zip(analytic, numeric, strict=True)]
    return all(bool(error <= BOOK_FAILS_ABOVE) for error in errors)


def scipy_check_grad(handed: Handed, seed: int) -> bool:
    """Whether ``scipy.optimize.check_grad`` gives a small number for a loss of all arguments, end to end."""
    from scipy.optimize import check_grad  # noqa: PLC0415

    dout = handed.draw(seed)
    shapes = [a.shape for a in handed.arrays.values()]
    ends = np.cumsum([a.size for a in handed.arrays.values()])

    def apart(x: Array) -> Iterator[Array]:
        return (part.reshape(shape) for part, shape in zip(np.split(x, ends[:-1]), shapes, strict=True))

    def loss(x: Array) -> float:
        return _dot(handed.run(*apart(x))[0], dout)

    def gradient(x: Array) -> Array:
        return np.concatenate([g.ravel() for g in whole(handed.run(*apart(x))[1](dout))])

    error = check_grad(loss, gradient, np.concatenate([a.ravel() for a in handed.copies()]))
    return bool(error <= SCIPY_FAILS_ABOVE)


def _central(x: Array, f: Callable[[], Any], rise: Callable[[Any, Any], float], step: float) -> Array:
    """Return the central differences of ``f``, which sees ``x``, while the elements of ``x`` are moved in place."""
    numeric = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        kept = x[index]
        x[index] = kept + step
        up = f()
        x[index] = kept - step
        down = f()
        x[index] = kept
        numeric[index] = rise(up, down) / (2.0 * step)
    return numeric


def _copied(ys: Outputs) -> Outputs:
    return tuple(np.array(y) for y in ys)


def _minus(a: Outputs, b: Outputs) -> Outputs:
    return tuple(x - y for x, y in zip(a, b, strict=True))


def _dot(a: Outputs, b: Outputs) -> float:
    return float(sum(np.sum(x * y) for x, y in zip(a, b, strict=True)))
