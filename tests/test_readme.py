"""The README is true: its commands run, its examples hold, its report is the report.

The two commands that set up an environment are not run here but by `.ci/run`, word for word.
"""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from gradcheck.cli import main
from gradcheck.config import read, read_hints
from gradcheck.rules.catalogue import CATALOGUE

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
CONSOLE = [
    line[2:] for kind, body in BLOCKS if kind == "console" for line in body.splitlines() if line.startswith("$ ")
]
SHELL = [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines()]
PYTHON = [body for kind, body in BLOCKS if kind == "python"]
FAILING = {"gradcheck tests/examples/notebook.ipynb": 1}


@pytest.fixture
def run(monkeypatch, capsys):
    """Run a command line of the README in this process, from the root; return its exit status and output."""
    monkeypatch.chdir(ROOT)
    monkeypatch.syspath_prepend(str(ROOT))

    def run_it(command):
        program, *arguments = shlex.split(command)
        assert program == "gradcheck"
        with pytest.raises(SystemExit) as exit_:
            main(arguments)
        return exit_.value.code, capsys.readouterr().out

    return run_it


@pytest.mark.parametrize("command", CONSOLE)
def test_commands_end_as_they_should(run, command):
    code, out = run(command)
    assert code == FAILING.get(command, 0), out


def test_the_report_is_the_report(run):
    """But for the sizes of rounding errors, which are the machine's own."""
    shown = next(body for kind, body in BLOCKS if kind == "console" and "notebook.ipynb\n" in body)
    command, *lines = shown.splitlines()
    _, out = run(command.removeprefix("$ "))

    def without_rounding(text):
        return re.sub(r"\d(\.\d+)?e-\d+", "<small>", text)

    assert without_rounding(out).splitlines() == without_rounding("\n".join(lines)).splitlines()


def test_json_is_json(run):
    command = next(command for command in CONSOLE if "json" in command)
    assert json.loads(run(command)[1])["verdict"] == "pass"


@pytest.mark.parametrize("name", ["rules", "rule GC201"])
def test_the_rules_are_told(run, name):
    assert f"gradcheck {name}" in README
    code, out = run(f"gradcheck {name}")
    assert code == 0
    assert "GC201" in out


def test_examples_of_the_library():
    example = next(body for body in PYTHON if "class Linear" in body)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})


def test_what_is_inferred_is_what_is_shown(run):
    shown = next(body for kind, body in BLOCKS if kind == "console" and "$ gradcheck infer" in body)
    command, _, lines = shown.partition("\n")
    assert run(command.removeprefix("$ ")) == (0, lines)


def test_examples_of_hints(tmp_path):
    example = next(body for body in PYTHON if "class Bag" in body)
    exec(compile(example, "README.md", "exec"), readme := {"__name__": "readme"})
    tables = "".join(body for kind, body in BLOCKS if kind == "toml")
    (tmp_path / "pyproject.toml").write_text(tables, encoding="utf-8")
    read(tmp_path / "pyproject.toml", CATALOGUE)
    assert read_hints(tmp_path / "pyproject.toml").of("models/camera.py::Camera").skip == "needs a camera"
    said = read_hints(tmp_path / "pyproject.toml").of("models.bag:Bag")
    assert (said.settings, said.domains) == (readme["hints"]["settings"], readme["hints"]["domains"])


def test_examples_of_tensor_engines():
    example = next(body for body in PYTHON if "gradcheck.through" in body)
    exec(compile(example, "README.md", "exec"), {"__name__": "readme"})


def test_examples_of_pytest(tmp_path):
    example = next(body for body in PYTHON if "def test_" in body)
    (tmp_path / "test_layers.py").write_text(example, encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        str(tmp_path),
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "3 passed" in done.stdout


def test_ci_runs_the_set_up_commands():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    main_job, tests = SHELL
    assert tests in script
    install, _, job = main_job.rpartition(" && ")
    assert install in script
    assert job in script


def test_links_lead_somewhere():
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
