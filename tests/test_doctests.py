"""Every example in a docstring of the package runs, and gives what it says (those of the layers: tests/layers).

Write results as builtins (``float(x)``, ``x.tolist()``): NumPy 1.26 and 2 print their own scalars differently.
"""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((ROOT / "gradcheck").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]

# The errors say that they live in `gradcheck`, which is how tracebacks should call them; doctest believes it.
MOVED = {"gradcheck.errors": "gradcheck"}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(MOVED.get(name, name)), optionflags=doctest.ELLIPSIS)
    assert outcome.attempted > 0, "doctest finds none of the examples in this module"
    assert outcome.failed == 0, "the difference is printed above"
