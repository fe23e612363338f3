"""How many digits of a number are worth showing: those that matter, and that every machine agrees on."""

from __future__ import annotations

import math


def digits_apart(a: float | None, b: float | None) -> int:
    """Return how many digits show the difference of two numbers to a tenth of itself; 6 where there is none to show.

    Examples
    --------
    >>> digits_apart(-1.25, 0.5), digits_apart(1.0, 1.0 + 1e-9)
    (3, 10)
    """
    if a is None or b is None or not (math.isfinite(a) and math.isfinite(b)):
        return 6
    for digits in range(3, 17):
        shown = float(f"{a:.{digits}g}") - float(f"{b:.{digits}g}")
        if abs(shown - (a - b)) <= 0.1 * abs(a - b):
            return digits
    return 17


def short(value: float | None) -> float | None:
    """Return what only bounds something with two digits: the others are rounding, which differs between machines."""
    return cut(value, 2)


def cut(value: float | None, digits: int) -> float | None:
    """JSON has no NaN and no infinity: a non-finite number becomes null, and the message says what it was.

    Digits beyond those that matter are cut, so that one seed gives the same bytes wherever sums are rounded otherwise.
    """
    return None if value is None or not math.isfinite(value) else float(f"{value:.{digits}g}")
