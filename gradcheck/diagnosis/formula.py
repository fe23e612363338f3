"""The right formula: try small expressions over the arrays in sight, and keep one that holds on fresh cases.

Expressions grow from the arrays (inputs, parameters, output, ``dout``): a local derivative of one array, products of
two such, matrix products with transposes, each brought to the argument's shape by summing over the axes along which it
was broadcast. The smallest that equals the numeric gradient at a case with pairwise different sizes is then verified at
others; what is verified nowhere is never said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

import numpy as np

from gradcheck.diagnosis.numeric import Sample
from gradcheck.subject.protocol import Array

_VERIFIED = 3  # fresh cases, of other sizes, on which a formula must hold beyond the one where it was found


def find_formula(samples: Sequence[Sample]) -> str | None:
    """Return an expression for the gradient that holds at every sample, or None.

    Parameters
    ----------
    samples : sequence of Sample
        The first is searched; it should have pairwise different sizes. The others verify.
    """
    if len(samples) <= _VERIFIED or any(len(s.cotangents) != 1 for s in samples):
        return None
    first, *others = samples
    for expression in _expressions(first):
        if first.matches(_value(expression, first)) and all(s.matches(_value(expression, s)) for s in others):
            return expression.text
    return None


@dataclass(frozen=True)
class _Expression:
    """An expression: how it is written, and how it is computed from a sample's arrays."""

    text: str
    compute: Callable[[Mapping[str, Array], Sample], Array]
    atom: bool = False

    def __str__(self) -> str:
        return self.text


# Local derivatives of one array: as a factor beside dout, the commonest first.
_LOCAL: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    ("{}", lambda a: a),
    ("({} > 0)", lambda a: a > 0),
    ("(1 - {})", lambda a: 1 - a),
    ("(1 - {}**2)", lambda a: 1 - a**2),
    ("{}**2", lambda a: a**2),
    ("np.exp({})", np.exp),
    ("np.cos({})", np.cos),
    ("np.sin({})", np.sin),
    ("np.sign({})", np.sign),
    ("np.tanh({})", np.tanh),
)
_OVER: tuple[tuple[str, Callable[[Array], Array]], ...] = (
    (" / {}", lambda a: 1 / a),
    (" / {}**2", lambda a: 1 / a**2),
    (" / np.sqrt({})", lambda a: 1 / np.sqrt(a)),
    (" / (1 + np.exp(-{}))", lambda a: 1 / (1 + np.exp(-a))),
)
_FACTORS = (("", 1.0), ("2 * ", 2.0), ("-", -1.0), ("0.5 * ", 0.5), ("-2 * ", -2.0), ("3 * ", 3.0))


def _value(expression: _Expression, sample: Sample) -> Array | None:
    try:
        return np.asarray(expression.compute(_environment(sample), sample), dtype=np.float64)
    except (ValueError, TypeError, FloatingPointError, ZeroDivisionError):
        return None  # shapes that do not fit: not this one


def _environment(sample: Sample) -> dict[str, Array]:
    return {**sample.arrays, "out": sample.outputs[0], "dout": sample.cotangents[0]}


def _expressions(sample: Sample) -> Iterator[_Expression]:
    """Yield candidates, the simplest first."""
    names = [name for name, a in _environment(sample).items() if name != "dout" and np.issubdtype(a.dtype, np.floating)]
    names = sorted((n for n in names if n.isidentifier()), key=lambda n: n == "out")
    yield from _fitted("dout", lambda env: env["dout"])
    products = list(_products(names))
    for text, compute in products:
        yield from _fitted(f"dout * {text}" if not text.startswith(" /") else f"dout{text}", compute)
    yield from _matmuls(names)
    for text, factor in _FACTORS[1:]:
        for name, compute in products[: len(names) * len(_LOCAL)]:
            if name.startswith(" /"):
                continue
            yield from _fitted(f"{text}dout * {name}", lambda env, c=compute, f=factor: f * c(env))  # type: ignore[misc]


Compute = Callable[[Mapping[str, Array]], Array]


def _products(names: Sequence[str]) -> Iterator[tuple[str, Compute]]:
    """Yield factors beside dout: one local derivative, then products and quotients of two."""
    single: list[tuple[str, Compute]] = []
    for name in names:
        for pattern, f in (*_LOCAL, *_OVER):
            single.append((pattern.format(name), _local(name, f)))
    single.sort(key=lambda item: item[0].startswith(" /"))
    for text, compute in single:
        yield text, _times_dout(compute)
    for (text1, f1), (text2, f2) in combinations_with_replacement(single, 2):
        if text1.startswith(" /") or text2 == f" / {text1}":
            continue
        text = f"{text1}{text2}" if text2.startswith(" /") else f"{text1} * {text2}"
        yield text, _times_dout(f1, f2)


def _local(name: str, f: Callable[[Array], Array]) -> Compute:
    return lambda env: f(env[name])


def _times_dout(*factors: Compute) -> Compute:
    def compute(env: Mapping[str, Array]) -> Array:
        value = env["dout"]
        for factor in factors:
            value = value * factor(env)
        return value

    return compute


def _matmuls(names: Sequence[str]) -> Iterator[_Expression]:
    """Yield matrix products of dout with one array, transposed or not."""
    for name in names:
        for left, right in (("dout", name), (name, "dout")):
            for t_left in ("", ".T"):
                for t_right in ("", ".T"):
                    yield from _fitted(f"{left}{t_left} @ {right}{t_right}", _matmul(left, t_left, right, t_right))


def _matmul(left: str, t_left: str, right: str, t_right: str) -> Compute:
    return lambda env: (env[left].T if t_left else env[left]) @ (env[right].T if t_right else env[right])


def _fitted(text: str, compute: Compute) -> Iterator[_Expression]:
    """Yield an expression as it is, and summed over the leading axes that its argument does not have."""
    yield _Expression(text, lambda env, _: compute(env))
    whole = text if text.isidentifier() else f"({text})"
    for axis in (0, -1, (0, 1), None):
        written = "" if axis is None else f"axis={axis}"
        yield _Expression(f"{whole}.sum({written})", lambda env, _, a=axis: compute(env).sum(axis=a))  # type: ignore[misc]
