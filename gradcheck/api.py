"""The doors of the library. Read this first: target → subject → case → evidence → finding → report.

`check` takes a layer, `check_targets` what a command line names; both end in `gradcheck.examine.examine`, which tells
the story of one layer.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from gradcheck import __version__
from gradcheck.cases.profile import profile_of
from gradcheck.cases.search import Settings
from gradcheck.config import LayerHints, Where, chosen, read
from gradcheck.config import read_hints as read_file_hints
from gradcheck.errors import GradientError, UsageError
from gradcheck.examine import Request, examine
from gradcheck.hints import Hints, Inferred, read_hints
from gradcheck.inferred import inferred
from gradcheck.records import Report
from gradcheck.rules.catalogue import CATALOGUE
from gradcheck.rules.levels import Selection
from gradcheck.subject.conventions import convention_named
from gradcheck.subject.discover import Found, discover, nothing_found, of_object
from gradcheck.subject.load import isolated

Codes = str | Iterable[str] | None


def check(
    subject: Any,
    *,
    inputs: Any = None,
    settings: Settings = None,
    cases: Iterable[tuple[Settings, Any]] | None = None,
    signature: str | None = None,
    seed: int = 0,
    case: str | None = None,
    convention: str | None = None,
    domains: Mapping[str, Any] | None = None,
    constants: Sequence[str] | None = None,
    smallest: Mapping[str, int] | None = None,
    profile: str = "default",
    select: Codes = None,
    extend_select: Codes = None,
    ignore: Codes = None,
    error: Codes = None,
    warning: Codes = None,
    config: str | Path | None = None,
) -> Report:
    """Check the hand-written backward of a layer.

    Parameters
    ----------
    subject : class, object, function or pair of functions
        A layer object with ``forward`` and ``backward``; a class or factory of such, called with ``settings``; a pair
        ``(forward, vjp)``; or a function that returns ``(output, pullback)``.
    inputs : tuple of arrays, optional
        What forward is called with. Checked exactly at this point. Float32 arrays are promoted to float64 where the
        layer lets them be. Integers and booleans have no gradient.
    settings : dict or tuple, optional
        Keyword or positional arguments of the constructor. Where no point is given, text that names a dimension (of the
        signature, or a small letter) is its size, ``"1|2"`` one of these numbers in each case, ``"(i,o)"`` an array of
        that shape, and ``("c", "h")`` a tuple of sizes.
    cases : iterable of (settings, inputs), optional
        Several points instead of one.
    signature : str, optional
        Shapes in gufunc notation, such as ``"(n,i),(i,o),(o)->(n,o)"``: those of forward's arguments, then those of the
        arrays that the constructor takes. Without it, shapes are those that annotations state, or found by trying.
    seed : int
        Of all draws.
    case : str, optional
        One printed case, to be replayed alone.
    convention : str, optional
        How the layer is spelled, by a name that ``gradcheck conventions`` lists; without it, that is found out.
    domains : dict, optional
        What inputs hold, where they are drawn: ``"real"``, ``"positive"``, ``"probability"``, ``"onehot"``,
        ``"index"``, ``"below v"`` (whole numbers from 0, below the size v); or the value itself.
    constants : sequence of str, optional
        Inputs that have no gradient, such as a loss's targets.
    smallest : dict, optional
        Smallest sizes of dimensions, where they are not 1.
    profile : {"quick", "default", "thorough"}
        How many cases to try, and how many of them to compare element by element (see `gradcheck.cases.profile`).
    select, extend_select, ignore : codes of rules, optional
        Only these rules; these too, off as they are otherwise; without these. Codes are ``"GC205"``, or the beginning
        of several, ``"GC2"``, or ``"ALL"``: one string with commas, or several. The longer one wins, then ``ignore``.
    error, warning : codes of rules, optional
        Rules to report at this level.
    config : str or Path, optional
        A pyproject.toml with a ``[tool.gradcheck]`` table that this is laid over, the hints for single layers
        included. Without it no file is read.

    Returns
    -------
    Report
        True only if something was checked and nothing failed. Its error bars are measured; there is no tolerance.

    Raises
    ------
    UsageError
        If what was given does not fit together.

    Examples
    --------
    >>> import numpy as np, gradcheck
    >>> report = gradcheck.check((np.sin, lambda dout, x: dout * np.cos(x)), inputs=(np.array([0.5, 2.0]),))
    >>> report.verdict, bool(report)
    ('pass', True)
    >>> report = gradcheck.check((np.sin, lambda dout, x: dout * np.sin(x)), inputs=(np.array([0.5, 2.0]),))
    >>> report.verdict, report.findings[0].rule
    ('fail', 'GC101')
    """
    seed = _seed(seed)
    selection = _selection(
        config, select=select, extend_select=extend_select, ignore=ignore, error=error, warning=warning
    )
    hints = read_hints(
        {"convention": convention, "domains": domains, "constants": constants, "smallest": smallest}, str
    )
    if (domains or smallest) and (inputs is not None or cases is not None):
        points, drawn = "inputs" if cases is None else "cases", "domains" if domains else "smallest"
        raise UsageError(
            f"both {points} and {drawn} were given",
            fix="points are checked as they are: domains and smallest sizes are for those that are drawn",
        )
    _known_convention(convention, "convention")
    request = Request(
        inputs=inputs, settings=settings, cases=cases, signature=signature, seed=seed, case=case, profile=profile,
        selection=selection, hints=hints, file=_file_hints(config),
    )  # fmt: skip
    return Report(seed, (examine(of_object(subject), request, strict=True),), __version__)


def assert_gradients(subject: Any, **options: Any) -> Report:
    """Check a layer as `check` does, and raise unless it passes.

    Returns
    -------
    Report

    Raises
    ------
    GradientError
        Its text is the report. Also where nothing could be checked: that is no pass.
    UsageError
        As in `check`.
    """
    report = check(subject, **options)
    if not report:
        from gradcheck.report.text import render  # noqa: PLC0415 - imported when there is something to say

        raise GradientError(render(report, color=False), report)
    return report


def check_targets(
    targets: Sequence[str],
    *,
    seed: int = 0,
    case: str | None = None,
    signature: str | None = None,
    convention: str | None = None,
    profile: str = "default",
    select: Codes = None,
    extend_select: Codes = None,
    ignore: Codes = None,
    error: Codes = None,
    warning: Codes = None,
    config: str | Path | None = None,
) -> Report:
    """Check every layer found in files, directories, notebooks and modules, with the options of the command line.

    Returns
    -------
    Report

    Raises
    ------
    UsageError
        If a target does not exist, is none of these, or has no layer in it; if a rule does not exist.
    """
    profile_of(profile)
    selection = _selection(
        config, "--{}".format,
        select=select, extend_select=extend_select, ignore=ignore, error=error, warning=warning,
    )  # fmt: skip
    _known_convention(convention, "--convention")
    request = Request(
        signature=signature, seed=seed, case=case, profile=profile, selection=selection,
        hints=Hints(convention=convention), file=_file_hints(config),
    )  # fmt: skip
    with isolated():
        found = _discovered(targets)
        notes = tuple(dict.fromkeys(note for layer in found for note in layer.notes))
        return Report(seed, tuple(examine(layer, request) for layer in found), __version__, notes)


def infer_targets(
    targets: Sequence[str], *, convention: str | None = None, config: str | Path | None = None
) -> tuple[Inferred, ...]:
    """Find out how every layer in files, directories, notebooks and modules is built and called; check nothing.

    Returns
    -------
    tuple of Inferred
        Per layer the hints that say what was found, or why nothing was.

    Raises
    ------
    UsageError
        As in `check_targets`.
    """
    _known_convention(convention, "--convention")
    request = Request(hints=Hints(convention=convention), file=_file_hints(config))
    with isolated():
        return tuple(inferred(layer, request) for layer in _discovered(targets))


def _discovered(targets: Iterable[str]) -> list[Found]:
    """Return the layers of all targets: one without any is refused before the others cost anything."""
    found: list[Found] = []
    for target in targets:
        layers = discover(target)
        if not layers:
            raise nothing_found(target)
        found += layers
    return found


def _file_hints(config: str | Path | None) -> LayerHints:
    """Return the hints of a file, if the conventions that it names exist."""
    if config is None:
        return LayerHints()
    file = read_file_hints(Path(config))
    for pattern, hints in file.layers:
        _known_convention(hints.convention, f'convention in [tool.gradcheck.layers."{pattern}"] of {config}')
    return file


def _known_convention(name: str | None, where: str) -> None:
    try:
        if name is not None:
            convention_named(name)
    except UsageError as error:
        raise UsageError(f"{where}: {error.message}", fix=error.fix) from None


def _selection(config: str | Path | None, where: Where | None = None, **given: Codes) -> Selection:
    """Return the selection of rules that was given, laid over that of a file."""
    under = None if config is None else read(Path(config), CATALOGUE)
    given = {key.replace("_", "-"): codes for key, codes in given.items()}
    return chosen(given, CATALOGUE, where=where, under=under)


def _seed(seed: int) -> int:
    """Return the seed as a Python int: reports hold nothing else."""
    try:
        number = operator.index(seed)
    except TypeError:
        number = -1
    if number < 0:
        raise UsageError(f"the seed is {seed!r}, expected a whole number, 0 or more", fix="write seed=0")
    return number
