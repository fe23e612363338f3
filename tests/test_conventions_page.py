"""docs/conventions.md is true: its convention, installed as it says, is found and judges a right and a wrong layer."""

import re
import shlex
import sys
from pathlib import Path

import pytest

from gradcheck.cli import main
from gradcheck.errors import UsageError
from gradcheck.subject.conventions import _others, convention_named, convention_of

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "conventions.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
PYTHON = {body.splitlines()[0].removeprefix("# "): body for kind, body in BLOCKS if kind == "python"}
ENTRY = re.search(r'\[project\.entry-points\."(.*)"\]\n(.*) = "(.*)"', PAGE)


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Install the page's convention as pip would: a module, and a dist-info folder that has its entry point."""
    site = tmp_path / "site"
    info = site / "ahead_and_back-1.0.dist-info"
    info.mkdir(parents=True)
    (site / "ahead_and_back.py").write_text(PYTHON["ahead_and_back.py"], encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ahead-and-back\nVersion: 1.0\n", encoding="utf-8")
    group, name, module = ENTRY.groups()
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module}\n", encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turns.py").write_text(PYTHON["turns.py"], encoding="utf-8")
    _others.cache_clear()
    yield site
    _others.cache_clear()
    sys.modules.pop("ahead_and_back", None)


@pytest.fixture
def run(capsys):
    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main(list(arguments))
        return (exit_.value.code, *capsys.readouterr())

    return run_it


@pytest.mark.parametrize("command", re.findall(r"^\$ gradcheck (.*)$", PAGE, re.MULTILINE))
def test_commands_end_well(run, monkeypatch, command):
    monkeypatch.chdir(ROOT)
    assert run(*shlex.split(command))[0] == 0


def test_the_convention_is_listed(installed, run):
    code, out, _ = run("conventions")
    assert code == 0
    assert re.search(r"^ahead and back +it is a class with the methods ahead and back$", out, re.MULTILINE)


def test_its_layers_are_found_and_judged(installed, run):
    code, out, _ = run("turns.py", "--profile", "quick")
    assert code == 1
    assert re.search(r"^Turn +pass", out, re.MULTILINE)
    assert re.search(r"^WrongTurn +FAIL", out, re.MULTILINE)
    assert run("turns.py::Turn", "--convention", "ahead-and-back", "--profile", "quick")[0] == 0


def test_without_it_they_are_no_layers(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "turns.py").write_text(PYTHON["turns.py"], encoding="utf-8")
    assert run("turns.py")[0] == 2


def test_a_convention_claims_only_its_own(installed, run):
    code, out, _ = run("turns.py::Turn", "--convention", "layer object")
    assert code == 2
    assert "the class Turn is not in the convention 'layer object'" in out


@pytest.mark.parametrize(
    ("module", "message"),
    [
        (
            "import nothing_of_that_name",
            "cannot be loaded: ModuleNotFoundError: No module named 'nothing_of_that_name'",
        ),
        ("NAME = 'half'", "has no claims"),
    ],
)
def test_one_that_cannot_be_used_is_said_to_be(installed, run, module, message):
    (installed / "ahead_and_back.py").write_text(module, encoding="utf-8")
    code, out, err = run("conventions")
    assert (code, out) == (2, "")
    assert message in err
    assert "Traceback" not in err


def test_one_that_fails_at_a_layer_is_said_to_fail(installed, run):
    text = (installed / "ahead_and_back.py").read_text(encoding="utf-8")
    (installed / "ahead_and_back.py").write_text(text.replace("isinstance(obj, type)", "obj.nothing"), encoding="utf-8")
    _, out, err = run("turns.py::Turn")
    assert "the convention 'ahead and back' failed at the class Turn: AttributeError" in out + err
    assert "Traceback" not in out + err


def test_names_are_known_or_refused():
    assert convention_named("Layer-Object").NAME == "layer object"
    with pytest.raises(
        UsageError, match=r"there is no convention 'layer objekt'; to fix it: did you mean layer object\?"
    ):
        convention_named("layer objekt")
    with pytest.raises(UsageError, match=r"float 3[.]0 is not in the convention 'function pair'"):
        convention_of(3.0, {}, named="function pair")
