"""The command line: ``gradcheck TARGET...``, ``gradcheck infer TARGET...``, and commands to look things up.

Exit status: 0 every layer that could be checked passed; 1 a layer failed (with ``--strict``: or could not be checked);
2 what was asked cannot be done, or nothing was checked; 130 interrupted.
"""

from __future__ import annotations

import io
import os
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

import click

from gradcheck import __version__
from gradcheck.cases.profile import PROFILES
from gradcheck.config import find, no_such_rule
from gradcheck.errors import UsageError
from gradcheck.records import Report
from gradcheck.report import hints, json, junit, pages, text
from gradcheck.report.layout import repeat_command, tally

PASSED, FAILED, NOTHING_CHECKED, INTERRUPTED = 0, 1, 2, 130

_codes = partial(click.option, metavar="CODES", multiple=True)
_help_too: dict[str, Any] = {"help_option_names": ["-h", "--help"]}
_convention = click.option("--convention", metavar="NAME", help="How the layers are spelled. [default: found out]")
_config = click.option(
    "--config", metavar="FILE", help="Read [tool.gradcheck] from this file. [default: nearest pyproject.toml]"
)
_isolated = click.option("--isolated", is_flag=True, help="Read no configuration file.")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit; whatever goes wrong is one message on standard error, never a traceback."""
    arguments = sys.argv[1:] if arguments is None else list(arguments)
    try:
        status = _command(arguments).main(arguments, prog_name="gradcheck", standalone_mode=False)
    except UsageError as error:
        status = _refuse(error.message, error.fix)
    except click.ClickException as error:
        status = _refuse(error.format_message(), "gradcheck --help shows what can be given")
    except (KeyboardInterrupt, click.Abort):
        status = INTERRUPTED
    except Exception as error:  # noqa: BLE001 -- Python's own status for a crash is 1, which says that a layer is wrong
        traceback.print_exc()
        status = _refuse(f"a bug in gradcheck, not in the layer: {error!r}", "report it with the lines above")
    sys.exit(status)


@click.command(
    context_settings=_help_too,
    epilog="`gradcheck infer TARGET` prints how layers are built and called, to be corrected; `gradcheck rules` lists "
    "the rules, `gradcheck rule CODE` explains one, `gradcheck conventions` lists the ways of spelling a layer. "
    "Exit status: 0 passed, 1 a layer failed, 2 usage error or nothing was checked.",
)
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--format", "form", type=click.Choice(["text", "json", "junit"]), default="text", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of every draw.")
@click.option("--case", metavar='"n=2 i=2 seed=0"', help="Check one case only, as a report printed it.")
@click.option("--signature", metavar='"(n,i),(i,o)->(n,o)"', help="Shapes of the inputs and outputs.")
@_convention
@click.option(
    "--profile",
    type=click.Choice(list(PROFILES)),
    default="default",
    show_default=True,
    help="How many cases, and how many compared element by element.",
)
@click.option("--strict", is_flag=True, help="Fail if a layer could not be checked.")
@_codes("--select", help="Only these rules: codes or their beginnings, as in GC1,GC205, or ALL.")
@_codes("--extend-select", help="These rules too, where they are off otherwise.")
@_codes("--ignore", help="Without these rules.")
@_codes("--error", help="Rules that fail the check.")
@_codes("--warning", help="Rules that are only shown.")
@_config
@_isolated
@click.version_option(__version__, "--version", prog_name="gradcheck", message="%(prog)s %(version)s")
def check_command(
    targets: tuple[str, ...],
    *,
    form: str,
    output: Path | None,
    seed: int,
    case: str | None,
    signature: str | None,
    convention: str | None,
    profile: str,
    strict: bool,
    config: str | None,
    isolated: bool,
    **rules: tuple[str, ...],
) -> int:
    """Check the hand-written backward of every layer in TARGET.

    A TARGET is a .py file, a directory, an .ipynb notebook or a module; or one layer in it, as in layers.py::Affine or
    package.module:Affine.
    """
    _require(targets)
    if output is not None and not output.absolute().parent.is_dir():
        raise UsageError(f"cannot write {output}: there is no such directory", fix="make it, or name another file")
    file = _file(config, isolated=isolated)

    # An option that was not given is None; one that was given several times adds up.
    chosen = {name: ",".join(codes) if codes else None for name, codes in rules.items()}
    said = {"signature": signature, "convention": convention}
    report = _engine("check_targets", targets, seed=seed, case=case, **said, profile=profile, config=file, **chosen)
    given = {**said, "profile": None if profile == "default" else profile, **chosen, "config": config}
    options = [word for name, value in given.items() if value is not None for word in (_flag(name), value)]
    repeat = partial(repeat_command, options=[*options, *(["--isolated"] if isolated else [])])
    if form == "text":
        color = output is None and text.wants_color(sys.stdout)
        rendered = text.render(report, color=color, repeat=repeat)
    else:
        rendered = json.render(report) if form == "json" else junit.render(report, repeat=repeat)

    if output is None:
        # Programs read JSON and XML as UTF-8, whatever the terminal speaks.
        _put(rendered, sys.stdout, encoding=None if form == "text" else "utf-8")
    else:
        _save(rendered, output)
        _say(f"{tally(report)}; the report is in {output}")
    return _judge(report, strict=strict, visible=form == "text" and output is None)


@click.command(context_settings=_help_too)
@click.argument("targets", metavar="TARGET...", nargs=-1)
@click.option("--format", "form", type=click.Choice(list(hints.FORMS)), default="text", show_default=True)
@_convention
@_config
@_isolated
def infer_command(
    targets: tuple[str, ...], *, form: str, convention: str | None, config: str | None, isolated: bool
) -> int:
    """Print how each layer in TARGET is spelled, built and called: as hints for pyproject.toml, and as Python.

    What is wrong in them can be corrected and given to the next check. Where nothing was found, what may be meant is
    printed with the reason.
    """
    _require(targets)
    found = _engine("infer_targets", targets, convention=convention, config=_file(config, isolated=isolated))
    _put(hints.FORMS[form](found), sys.stdout, encoding=None if form == "text" else "utf-8")
    return PASSED if any(layer.reason is None for layer in found) else NOTHING_CHECKED


@click.command(context_settings=_help_too)
def conventions_command() -> int:
    """List the ways of spelling a layer that are known: name, and what is taken for one."""
    from gradcheck.subject.conventions import claims_of, known_conventions  # noqa: PLC0415 -- as in _engine

    rows = [(convention.NAME, claims_of(convention)) for convention in known_conventions()]
    width = max(len(name) for name, _ in rows)
    _put("".join(f"{name.ljust(width)}   {claims}".rstrip() + "\n" for name, claims in rows), sys.stdout)
    return PASSED


@click.command(context_settings=_help_too)
@click.option("--format", "form", type=click.Choice(list(pages.FORMS)), default="text", show_default=True)
def rules_command(form: str) -> int:
    """List the rules: code, default level, title."""
    _put(pages.FORMS[form](_pages()), sys.stdout, encoding=None if form == "text" else "utf-8")
    return PASSED


@click.command(context_settings=_help_too)
@click.argument("code")
def rule_command(code: str) -> int:
    """Explain one rule, for example GC201, or a family of them, for example GC2."""
    known = _pages()
    asked = [page for page in known if code and page.code.startswith(code.upper())]
    if not asked:
        raise no_such_rule(f"there is no rule {code!r}", code, [page.code for page in known])
    _put(pages.explain(asked), sys.stdout)
    return PASSED


def _pages() -> list[pages.Page]:
    """Return what the catalogue says about each rule, in the order of their codes."""
    from gradcheck.rules.catalogue import CATALOGUE  # noqa: PLC0415 -- as in _engine

    return [pages.Page(rule.code, rule.level, rule.title, rule.page) for _, rule in sorted(CATALOGUE.items())]


def _command(arguments: Sequence[str]) -> click.Command:
    """Tell a subcommand from a target: what exists as a path is a target, whatever its name."""
    first = arguments[0] if arguments else ""
    subcommand = _SUBCOMMANDS.get(first)
    if subcommand is None or Path(first).exists():
        return check_command
    return click.Group("gradcheck", commands={first: subcommand})


_SUBCOMMANDS: dict[str, click.Command] = {
    "infer": infer_command,
    "rules": rules_command,
    "rule": rule_command,
    "conventions": conventions_command,
}


def _require(targets: Sequence[str]) -> None:
    if not targets:
        raise UsageError("no target was given", fix="name what to check, for example: gradcheck layers.py")


def _file(config: str | None, *, isolated: bool) -> str | Path | None:
    """Return the configuration file that holds, or None for none."""
    if isolated and config is not None:
        raise UsageError("both --config and --isolated were given", fix="give one: to read a file, or to read none")
    return config if isolated or config is not None else find(Path.cwd())


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _engine(door: str, targets: Sequence[str], **options: Any) -> Any:
    """Run the engine; the layers can neither print into the report nor end the run as if all had passed."""
    api = import_module("gradcheck.api")  # imports NumPy, which --help should not wait for
    with _no_terminal():
        try:
            return getattr(api, door)(targets, **options)
        except SystemExit as error:
            raise UsageError(
                f"the checked code called sys.exit({error.code!r})",
                fix='put what a module does as a script under: if __name__ == "__main__":',
            ) from None


@contextmanager
def _no_terminal() -> Iterator[None]:
    """Cut the checked code off: what it prints goes nowhere, and what it reads is at its end instead of waited for."""
    nothing = Path(os.devnull)
    stdin = sys.stdin
    with nothing.open("w", encoding="utf-8") as nowhere, nothing.open(encoding="utf-8") as empty:
        sys.stdin = empty
        try:
            with redirect_stdout(nowhere):
                yield
        finally:
            sys.stdin = stdin


def _judge(report: Report, *, strict: bool, visible: bool) -> int:
    """Turn the report into the exit status, and say what it cannot say itself, or does not where it is not visible."""
    unchecked = sum(layer.verdict in ("unchecked", "inconclusive") and not layer.skipped for layer in report)
    if report.verdict == "fail":
        return FAILED
    if report.verdict != "pass":
        return (
            NOTHING_CHECKED if visible else _refuse("no layer could be checked", "the report says why, layer by layer")
        )
    if strict and unchecked:
        _say(f"--strict: {unchecked} of {len(report.subjects)} layers could not be checked")
        return FAILED
    return PASSED


def _refuse(message: str, fix: str) -> int:
    _say(message + (f"\n  to fix it: {fix}" if fix else ""))
    return NOTHING_CHECKED


def _say(message: str) -> None:
    _put(f"gradcheck: {message}\n", sys.stderr)


def _put(words: str, stream: TextIO, *, encoding: str | None = None) -> None:
    """Write to a standard stream, whatever it can encode, and though its reader may have gone away."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(encoding=encoding, errors="backslashreplace")
    try:
        # click.echo makes colours work on old Windows terminals; whether there are any was decided before.
        click.echo(text.encodable(words, stream.encoding or "utf-8"), file=stream, nl=False, color=True)
    except BrokenPipeError:
        # As in `gradcheck layers | head`. Python would complain once more when it flushes the stream at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _save(rendered: str, output: Path) -> None:
    try:
        output.write_bytes(rendered.encode("utf-8", errors="backslashreplace"))
    except OSError as error:
        raise UsageError(
            f"cannot write {output}: {error.strerror}", fix="give --output a file that can be written"
        ) from None
