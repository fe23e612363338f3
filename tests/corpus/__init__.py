"""The corpus: wrong layers beside their right twins, and right layers that look odd.

Re-created after some two hundred bugs of public repositories, by kind (`tests.faulty.KINDS`) and by the rule that must
find them. ``python -m benchmarks.corpus`` runs all of it at many seeds; the tests run a part of it in each environment.
"""

from __future__ import annotations

from tests.corpus import (
    axes,
    conduct,
    memory,
    norms,
    odd_conduct,
    odd_values,
    once,
    paths,
    recurrent,
    shapes,
    strides,
    upstream,
    values,
)
from tests.corpus.entry import Odd, Wrong

MODULES = (
    *(axes, conduct, memory, norms, odd_conduct, odd_values, once),
    *(paths, recurrent, shapes, strides, upstream, values),
)

WRONG: tuple[Wrong, ...] = tuple(entry for module in MODULES for entry in getattr(module, "WRONG", ()))
ODD: tuple[Odd, ...] = tuple(entry for module in MODULES for entry in getattr(module, "ODD", ()))

__all__ = ["MODULES", "ODD", "WRONG", "Odd", "Wrong"]
