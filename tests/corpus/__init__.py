"""The corpus: wrong layers beside their right twins, and right layers that look odd, from all the modules here.

The wrong layers of `tests.faulty` are in it, too: the same, in an older form.
"""

from __future__ import annotations

from tests.corpus import (
    axes,
    conduct,
    memory,
    norms,
    odd_conduct,
    odd_values,
    paths,
    recurrent,
    shapes,
    strides,
    upstream,
    values,
)
from tests.corpus.entry import Odd, Wrong
from tests.faulty import FAULTY, RIGHT

MODULES = (axes, conduct, memory, norms, odd_conduct, odd_values, paths, recurrent, shapes, strides, upstream, values)

WRONG: tuple[Wrong, ...] = tuple(entry for module in MODULES for entry in getattr(module, "WRONG", ()))
ODD: tuple[Odd, ...] = (
    *(entry for module in MODULES for entry in getattr(module, "ODD", ())),
    *(Odd(layer, "see its docstring", ("GC205", "GC206", "GC308")) for layer in RIGHT),
)
OLDER = tuple(FAULTY)
