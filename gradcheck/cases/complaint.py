"""What a layer that raised complains about: sizes that should agree, and ranks; read from the error and its line.

Two sources: the text of the error (NumPy's own, and the "expected 4, got 3" of layers that look at their input), and
the condition that failed, whose two sides are looked up where it stood: ``assert x.shape[1] == self.n_in`` says as much
as any message.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np

from gradcheck.subject.source import lines_of


@dataclass(frozen=True, slots=True)
class Complaint:
    """What an error says about sizes.

    ``sizes``: pairs of sizes that differ and should be equal. ``ranks``: pairs of the number of dimensions found and
    the number wanted. ``divisors``: a size, and what it should be a multiple of. ``regrouped``: the number of elements
    of an array, and the shape that it does not fill. ``line``: where it was raised. ``is_numpys``: it was NumPy or
    Python that raised, for whom values of another domain would be no better.
    """

    sizes: tuple[tuple[int, int], ...] = ()
    ranks: tuple[tuple[int, int], ...] = ()
    divisors: tuple[tuple[int, int], ...] = ()
    regrouped: tuple[tuple[int, tuple[int, ...]], ...] = ()
    line: tuple[str, int] = ("", 0)
    is_numpys: bool = False

    def __bool__(self) -> bool:
        """Whether it says anything that one could act on."""
        return bool(self.sizes or self.ranks or self.divisors or self.regrouped)


def complaint_of(error: BaseException) -> Complaint:
    """Read an error.

    Examples
    --------
    >>> complaint_of(ValueError("expected 4 features, got 3")).sizes
    ((4, 3),)
    >>> complaint_of(ValueError("not enough values to unpack (expected 4, got 2)")).ranks
    ((2, 4),)
    >>> complaint_of(ValueError("shapes (2,3) and (4,5) not aligned: 3 (dim 1) != 4 (dim 0)")).sizes
    ((3, 4),)
    """
    text = " ".join(str(error).split())
    place = _place(error.__traceback__)
    line = (place[0].f_code.co_filename, place[1]) if place else ("", 0)
    for pattern, read in _NUMPY:
        match = pattern.search(text)
        if match:
            return replace(read(match), line=line, is_numpys=True)
    failed = _condition(*place) if place else Complaint()
    sizes = (*failed.sizes, *_spoken(text))
    return Complaint(tuple(dict.fromkeys(sizes)), failed.ranks, failed.divisors, line=line)


_INTS = re.compile(r"\d+")


def _ints(text: str) -> tuple[int, ...]:
    return tuple(map(int, _INTS.findall(text)))


def _unequal(a: tuple[int, ...], b: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
    """Pair what differs of two shapes, from the last dimension on, as broadcasting does."""
    pairs = zip(reversed(a), reversed(b), strict=False)
    return tuple((p, q) for p, q in pairs if p != q and 1 not in (p, q))


def _shapes(match: re.Match[str]) -> Complaint:
    # einsum says how it has lined the axes up: (6,3)->(6,newaxis,newaxis,3).
    text = re.sub(r"\([\d,\s]*\)->", "", match[1]).replace("newaxis", "1")
    shapes = [_ints(shape) for shape in re.findall(r"\(([\d,\s]*)\)", text)]
    return Complaint(sizes=tuple(pair for k, b in enumerate(shapes) for a in shapes[:k] for pair in _unequal(a, b)))


def _two_sizes(match: re.Match[str]) -> Complaint:
    return Complaint(sizes=((int(match[1]), int(match[2])),))


def _unpacked(match: re.Match[str]) -> Complaint:
    found, wanted = match[2], int(match[1])
    return Complaint(ranks=((int(found) if found else 0, wanted),))


def _beyond(match: re.Match[str]) -> Complaint:
    found, *index = map(int, reversed([group for group in match.groups() if group is not None]))
    return Complaint(ranks=((found, max(index[0] + 1 if index else found + 1, found + 1)),))


def _indexed(match: re.Match[str]) -> Complaint:
    return Complaint(ranks=((int(match[1]), int(match[2])),))


def _reshaped(match: re.Match[str]) -> Complaint:
    return Complaint(regrouped=((int(match[1]), _ints(match[2])),))


def _short(_: re.Match[str]) -> Complaint:
    return Complaint(ranks=((0, 3), (0, 4)))


# What NumPy says, in all versions from 1.26 on, and Python when it unpacks.
_NUMPY: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Complaint]], ...] = (
    (re.compile(r"not aligned: (\d+) \(dim \d+\) != (\d+) \(dim \d+\)"), _two_sizes),
    (re.compile(r"\(size (\d+) is different from (\d+)\)"), _two_sizes),
    (re.compile(r"operands? could not be broadcast together with (?:remapped )?shapes? (.*)"), _shapes),
    (re.compile(r"(?:axis|dimension) is (\d+) but .*boolean (?:axis|dimension) is (\d+)"), _two_sizes),
    (re.compile(r"could not broadcast input array (from shape .*)"), _shapes),
    (re.compile(r"cannot reshape array of size (\d+) into shape \(?([\d,\s]*)"), _reshaped),
    (re.compile(r"unpack \(expected (?:at least )?(\d+)(?:, got (\d+))?\)"), _unpacked),
    (re.compile(r"axis (-?\d+) is out of bounds for array of dimension (\d+)"), _beyond),
    (re.compile(r"array is (\d+)-dimensional, but (\d+) were indexed"), _indexed),
    (re.compile(r"tuple index out of range"), _short),
    (re.compile(r"at index \d+ has size (\d+) and the array at index \d+ has size (\d+)"), _two_sizes),
    (re.compile(r"operand \d+ \((\d+)\) does not match previous terms \((\d+)\)"), _two_sizes),
    (re.compile(r"operand has a mismatch .* (\d+) .* (\d+)"), _two_sizes),
)  # fmt: skip

_SPOKEN = re.compile(
    r"expect\w*|want\w*|must|should|got|given|found|received|but|mismatch|match|!=|differ", re.IGNORECASE
)
_GROUP = re.compile(r"[(\[]([^()\[\]]*\d[^()\[\]]*)[)\]]")


def _spoken(text: str) -> tuple[tuple[int, int], ...]:
    """Pair the sizes that a layer's own message speaks of, if it speaks of what it wants or got."""
    if not _SPOKEN.search(text):
        return ()
    groups = [_ints(group) for group in _GROUP.findall(text)]
    if len(groups) > 1:
        return _unequal(groups[0], groups[1])
    numbers = _ints(text)[:4]
    return tuple((a, b) for k, a in enumerate(numbers) for b in numbers[k + 1 :] if a != b)


def _place(traceback: TracebackType | None) -> tuple[FrameType, int] | None:
    """Return the innermost frame of the user's own code, with its line."""
    found = None
    while traceback is not None:
        filename = traceback.tb_frame.f_code.co_filename
        if not filename.startswith(_NOT_THE_USERS):
            found = (traceback.tb_frame, traceback.tb_lineno)
        traceback = traceback.tb_next
    return found


_NOT_THE_USERS = (str(Path(__file__).parents[1]), str(Path(np.__file__).parent))


def _condition(frame: FrameType, line: int) -> Complaint:
    """Look up both sides of the condition that failed: of an assert, or of the ``if`` around a raise."""
    sizes: list[tuple[int, int]] = []
    ranks: list[tuple[int, int]] = []
    divisors: list[tuple[int, int]] = []
    for test in _tests("".join(lines_of(frame.f_code.co_filename)), line):
        for node in ast.walk(test):
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
                divisors += _both(frame, node.left, node.right)
            elif isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.Eq | ast.NotEq):
                left, right = node.left, node.comparators[0]
                if _is_rank(left) or _is_rank(right):
                    pairs = _both(frame, left, right)
                    ranks += pairs if _is_rank(left) else [(b, a) for a, b in pairs]
                elif not (isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod)):
                    sizes += _both(frame, left, right)
    return Complaint(tuple(sizes), tuple(ranks), tuple((a, b) for a, b in divisors if b > 1))


def _is_rank(node: ast.expr) -> bool:
    text = ast.unparse(node)
    return text.endswith(".ndim") or bool(re.fullmatch(r"len\(.*\.shape\)|np\.ndim\(.*\)", text))


def _both(frame: FrameType, left: ast.expr, right: ast.expr) -> list[tuple[int, int]]:
    a, b = _value(frame, left), _value(frame, right)
    if isinstance(a, tuple) and isinstance(b, tuple):
        return list(_unequal(a, b))
    if isinstance(a, int | np.integer) and isinstance(b, int | np.integer) and a != b:
        return [(int(a), int(b))]
    return []


_READ = (ast.Name, ast.Attribute, ast.Subscript, ast.Constant, ast.Tuple, ast.Slice, ast.BinOp, ast.UnaryOp)
_ALSO_READ = (ast.operator, ast.unaryop, ast.expr_context)


def _value(frame: FrameType, node: ast.expr) -> Any:
    """Return what an expression stands for in a frame; None for one that would call anything but ``len``."""
    for part in ast.walk(node):
        called = isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in ("len", "tuple")
        if not (called or isinstance(part, (*_READ, *_ALSO_READ))):
            return None
    try:
        return eval(compile(ast.Expression(node), "<condition>", "eval"), frame.f_globals, frame.f_locals)
    except Exception:  # noqa: BLE001 - a condition that cannot be read says nothing
        return None


@lru_cache(maxsize=256)
def _tests(text: str, line: int) -> tuple[ast.expr, ...]:
    """Return the conditions that decide on a line: of the assert that stands there, or of the innermost ``if``."""
    tests: list[ast.expr] = []
    for node in _statements(text):
        inside = node.lineno <= line <= (node.end_lineno or 0)
        if inside and isinstance(node, ast.Assert):
            return (node.test,)
        if inside and isinstance(node, ast.If) and any(isinstance(part, ast.Raise) for part in node.body):
            tests.append(node.test)
    return tuple(tests[-1:])


@lru_cache(maxsize=16)
def _statements(text: str) -> tuple[ast.Assert | ast.If, ...]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(text)
        except (SyntaxError, ValueError):
            return ()
    found = [node for node in ast.walk(tree) if isinstance(node, ast.Assert | ast.If)]
    return tuple(sorted(found, key=lambda node: node.lineno))
