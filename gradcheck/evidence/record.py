"""The evidence of one case, as plain records: what was run, what came of it, and what should have come of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from gradcheck.derivative.function import Comparison
from gradcheck.evidence.agree import Arrays, disagree
from gradcheck.subject.protocol import Argument, Array, Gradients, Outputs, Subject

# The groups of runs that evidence comes from; the first run is made for all of them.
Group = Literal["linear", "layouts", "reuse", "same", "empty", "kinks", "values"]
GROUPS: frozenset[Group] = frozenset({"linear", "layouts", "reuse", "same", "empty", "kinks", "values"})

# What a trial tries, in the order of the rules.
Contract = Literal[
    "repeatable",
    "reused",
    "carried",
    "new shape",
    "parameters",
    "independent",
    "layout of dout",
    "layout",
    "same array",
]


class NotComparableError(Exception):
    """A case that shows nothing: forward does not take it, or its output is not finite. No finding."""


@dataclass(frozen=True, slots=True)
class Overwrite:
    """An array that is not the layer's own, or that backward needs again, and that was written into.

    ``what`` is ``dout``, an argument's name, ``the output``, the name of a cached array, or what had been handed out.
    """

    by: Literal["forward", "backward", "the next call"]
    what: str
    kind: Literal["dout", "argument", "output", "cache", "handed out"]


@dataclass(frozen=True, slots=True)
class Shared:
    """A gradient that lies in the memory of something else."""

    argument: str
    other: str
    kind: Literal["dout", "gradient", "argument"]


@dataclass(frozen=True, slots=True)
class Linearity:
    """One test of backward's linearity: what it gave for a combination of cotangents, and what it should have given."""

    argument: str
    test: str
    expected: Array
    found: Array
    size: float  # of what was combined: a sum may cancel


@dataclass(frozen=True, slots=True)
class Trial:
    """A way of running the layer that should have given ``expected``, and what it gave, or raised.

    ``how`` completes the sentence "the gradient of x is another one …". ``outputs_differ``: forward itself gave
    something else, before backward was asked.
    """

    contract: Contract
    how: str
    expected: Arrays
    found: Arrays | Exception
    outputs_differ: bool = False


@dataclass(frozen=True, slots=True)
class Empty:
    """How backward behaved where forward took an input with no samples: what is wrong, an argument each, or raised."""

    wrong: Mapping[str, str] = field(default_factory=dict)
    raised: Exception | None = None


@dataclass(frozen=True, slots=True)
class Kink:
    """A gradient beyond the slopes to both sides of a kink: along one direction, in the sum over outputs."""

    argument: str
    analytic: float
    low: float
    high: float


@dataclass(frozen=True)
class Evidence:
    """How a layer behaved at one case. Fields are empty where backward raised before they could be had."""

    subject: Subject
    outputs: Outputs
    cotangents: Outputs
    gradients: Gradients | None = None
    arrays: Arrays = field(default_factory=dict)
    raised: Exception | None = None
    overwrites: tuple[Overwrite, ...] = ()
    shared: tuple[Shared, ...] = ()
    again: Arrays | Exception | None = None
    zero: Arrays = field(default_factory=dict)
    linearity: tuple[Linearity, ...] = ()
    trials: tuple[Trial, ...] = ()
    empty: Empty | None = None
    kinks: tuple[Kink, ...] | None = None
    comparisons: Mapping[str, Comparison] = field(default_factory=dict)
    generators: tuple[str, ...] = ()
    floating: frozenset[str] = frozenset()
    flat: frozenset[str] = frozenset()
    deterministic: bool = True
    large: bool = False
    left_out: frozenset[str] = frozenset()
    tried: frozenset[str] = frozenset()
    forwards: int = 0
    backwards: int = 0

    @property
    def owed(self) -> tuple[Argument, ...]:
        """The arguments whose gradient backward owes: not those that forward only compares with something."""
        return tuple(a for a in self.subject.arguments if a.differentiable and a.name not in self.flat)

    @property
    def unsteady(self) -> frozenset[str]:
        """The arguments whose gradient is another one in each run: of these nothing else can be said."""
        names = {a.name for a in self.owed}
        trials = [trial for trial in self.trials if trial.contract == "repeatable"]
        return frozenset(
            name
            for trial in trials
            for name in names
            if isinstance(trial.found, Exception) or differ(trial.expected.get(name), trial.found.get(name))
        )

    @property
    def adding_up(self) -> frozenset[str]:
        """The arguments whose gradient, left on the layer, is the double of the first one after a second backward."""
        if self.gradients is None or not isinstance(self.again, Mapping):
            return frozenset()
        pairs = ((name, self.arrays.get(name), self.again.get(name)) for name in self.gradients.left)
        return frozenset(
            name
            for name, first, second in pairs
            if first is not None and second is not None and np.any(first) and not disagree(2.0 * first, second)
        )


def differ(a: Array | None, b: Array | None) -> bool:
    """Whether two gradients are not the very same numbers; one that is not there is like any other."""
    return a is not None and b is not None and not np.array_equal(a, b, equal_nan=True)
