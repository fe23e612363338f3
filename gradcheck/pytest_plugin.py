"""The pytest door: a ``gradcheck`` fixture, its seed in the header, and ``--gradcheck-case`` to replay a failure.

This module is imported at the start of every pytest run in an environment that has gradcheck, so it imports nothing
heavy: NumPy and the engine come in when the first test asks for the fixture.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from typing import Any

import pytest

from gradcheck.config import FILE, has_table
from gradcheck.errors import GradientError, UsageError
from gradcheck.records import Report, SubjectReport
from gradcheck.report.layout import headline
from gradcheck.report.text import render


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--gradcheck-seed``, ``--gradcheck-case`` and the ini option ``gradcheck_seed``."""
    group = parser.getgroup("gradcheck", "gradient checks (the gradcheck fixture)")
    group.addoption(
        "--gradcheck-seed", metavar="N", help="seed of every gradient check (default: gradcheck_seed, or 0)"
    )
    group.addoption(
        "--gradcheck-case", metavar="CASE", help='check one printed case only, such as "n=2 i=2 o=1 seed=0"'
    )
    parser.addini("gradcheck_seed", help="seed of every gradient check (default: 0)", default="0")


def pytest_configure(config: pytest.Config) -> None:
    """Stop at once if the seed cannot be used."""
    _seed(config)


def pytest_report_header(config: pytest.Config) -> str:
    """Show the seed, without which a failure could not be seen again."""
    return f"gradcheck: seed {_seed(config)} (--gradcheck-seed N)"


# Session-scoped, so that fixtures of any scope may ask for it, and Hypothesis tests too.
@pytest.fixture(scope="session")
def gradcheck(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Check the gradients of a layer: ``gradcheck(Affine)``, ``gradcheck(Affine, signature=...)``.

    Takes what ``gradcheck.check`` takes and returns its report; if the layer does not pass, the test fails with the
    report as its text, and with the command that repeats it. Which rules count, and hints for single layers, are what
    ``[tool.gradcheck]`` says in the pyproject.toml of pytest's root directory, with what the test says laid over it.
    """
    config = request.config
    options: dict[str, Any] = {"seed": _seed(config), "case": config.getoption("--gradcheck-case")}
    if has_table(file := config.rootpath / FILE):
        options["config"] = file

    def check_layer(subject: object, **kwargs: Any) -> Report:
        __tracebackhide__ = True
        from gradcheck.api import check  # noqa: PLC0415 -- imports NumPy, which only a test that checks may cost

        try:
            report = check(subject, **(options | kwargs))
        except UsageError as error:
            raise error.with_traceback(None) from None  # the test's own line is the place to look at, not ours
        if any(layer.skipped for layer in report):
            pytest.skip(str(next(iter(report)).reason))
        if not report:
            raise GradientError(_failure(report, config), report)
        return report

    return check_layer


def _failure(report: Report, config: pytest.Config) -> str:
    """Give the report a first line of its own, which is all that pytest's summary shows."""

    def repeat(_subject: SubjectReport, case: str) -> str:
        return f'{shlex.join(["pytest", *_current_test(config)])} --gradcheck-case "{case}"'

    return f"{headline(report)}\n{render(report, color=False, repeat=repeat)}"


def _current_test(config: pytest.Config) -> list[str]:
    """Name the running test as one would on the command line; pytest keeps it as ``path::test (call)``."""
    node, _, _ = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")
    path, colons, test = node.partition("::")
    return [os.path.relpath(config.rootpath / path, config.invocation_params.dir) + colons + test] if node else []


def _seed(config: pytest.Config) -> int:
    text = config.getoption("--gradcheck-seed")
    where = "--gradcheck-seed" if text is not None else "the ini option gradcheck_seed"
    text = config.getini("gradcheck_seed") if text is None else text
    if not str(text).isdecimal():
        raise pytest.UsageError(f"{where} takes a whole number from 0 up, not {text!r}; for example 0")
    return int(text)
