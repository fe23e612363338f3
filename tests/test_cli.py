"""The command line: what it prints where, and its exit status. The engine is stood in for, but for the last section."""

import io
import json
import os
import shlex
import subprocess
import sys
import types
from xml.etree import ElementTree as ET

import pytest

from gradcheck import __version__
from gradcheck.cli import main
from gradcheck.errors import UsageError
from gradcheck.records import Finding, Report, SubjectReport

PASS = SubjectReport("Mul", "layers.py::Mul", "pass", cases=2, resolution={"x": 3e-13}, rules=("GC101",))
FAIL = SubjectReport(
    "Affine",
    "layers.py::Affine",
    "fail",
    findings=(Finding("GC101", "error", "dW is wrong", case="n=2 seed=0", analytic=1.0, numeric=2.0, error_bar=1e-9),),
)
UNCHECKED = SubjectReport("Odd", "layers.py::Odd", "unchecked", reason="no shapes found", fix="give --signature")
INCONCLUSIVE = SubjectReport("Step", "layers.py::Step", "inconclusive", reason="all kinks")


@pytest.fixture
def engine(monkeypatch):
    """Let check_targets give a report of these subjects, raise, or do as a function says; return how it was called."""

    def stand_in(*subjects, does=None):
        calls = []

        def check_targets(targets, **options):
            calls.append((list(targets), options))
            if does is not None:
                does()
            return Report(seed=options["seed"], subjects=subjects, version="0.1.0")

        module = types.ModuleType("gradcheck.api")
        module.check_targets = check_targets
        monkeypatch.setitem(sys.modules, "gradcheck.api", module)
        return calls

    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    return stand_in


@pytest.fixture
def run(capsys):
    """Run the command line; return its exit status, standard output and standard error."""

    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return (exit_.value.code, *capsys.readouterr())

    return run_it


def raising(error):
    def do():
        raise error

    return do


# What comes out.


def test_the_text_report_is_the_whole_of_standard_output(engine, run):
    engine(PASS, FAIL)
    assert run("layers.py") == (
        1,
        "Mul      pass   1 rule · 2 cases · would have caught a relative error of 3e-13\n"
        "Affine   FAIL   1 error\n"
        "  GC101 dW is wrong\n"
        "    smallest case: n=2\n"
        "    worst at the gradient: analytic 1   numeric 2 ± 1e-09\n"
        '    repeat: gradcheck layers.py::Affine --case "n=2 seed=0"\n'
        "1 pass, 1 fail, 0 unchecked\n",
        "",
    )


def test_the_repeat_line_keeps_the_signature_that_was_given(engine, run):
    engine(FAIL)
    _, out, _ = run("layers.py", "--signature", "(n)->(n)")
    assert """repeat: gradcheck layers.py::Affine --signature '(n)->(n)' --case "n=2 seed=0"\n""" in out


NOTHING_ELSE = dict.fromkeys(("convention", "select", "extend_select", "ignore", "error", "warning", "config"))


def test_options_reach_the_engine(engine, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = engine(PASS)
    run("a.py", "b.py::B", "--seed", "7", "--case", "n=1 seed=2", "--signature", "(n)->(n)", "--profile", "quick")
    run("c.py")
    assert calls == [
        (
            ["a.py", "b.py::B"],
            {"seed": 7, "case": "n=1 seed=2", "signature": "(n)->(n)", "profile": "quick"} | NOTHING_ELSE,
        ),
        (["c.py"], {"seed": 0, "case": None, "signature": None, "profile": "default"} | NOTHING_ELSE),
    ]


def test_the_choice_of_rules_reaches_the_engine_and_the_repeat_line(engine, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    calls = engine(FAIL)
    given = ["--select", "GC1,GC2", "--ignore", "GC205", "--ignore", "GC206", "--error", "ALL", "--isolated"]
    _, out, _ = run("layers.py", "--extend-select", "GC3", *given, "--warning", "GC101")
    chosen = {"select": "GC1,GC2", "extend_select": "GC3", "ignore": "GC205,GC206", "error": "ALL", "warning": "GC101"}
    assert calls[0][1] == NOTHING_ELSE | {"seed": 0, "case": None, "signature": None, "profile": "default"} | chosen
    assert (
        "repeat: gradcheck layers.py::Affine --extend-select GC3 --select GC1,GC2 --ignore GC205,GC206 --error ALL "
        '--warning GC101 --isolated --case "n=2 seed=0"\n'
    ) in out


def test_the_nearest_table_holds_unless_a_file_is_named_or_none_is_wanted(engine, run, tmp_path, monkeypatch):
    file = tmp_path / "pyproject.toml"
    file.write_text("[tool.gradcheck]", encoding="utf-8")
    (tmp_path / "layers").mkdir()
    monkeypatch.chdir(tmp_path / "layers")
    calls = engine(FAIL)
    for options in ([], ["--config", "my.toml"], ["--isolated"]):
        _, out, _ = run("a.py", *options)
        assert " ".join(["repeat: gradcheck layers.py::Affine", *options, "--case"]) in out
    assert [options["config"] for _, options in calls] == [file, "my.toml", None]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--select", "GC2O1"],
            "--select names 'GC2O1', which is no rule\n  to fix it: did you mean GC201? (`gradcheck rules` ",
        ),
        (["--extend-select", ","], "no layer found"),
        (["--select", ""], "--select is empty, which leaves no rule\n  to fix it: name codes, or leave it out"),
        (["--config", "my.toml"], "there is no file my.toml\n  to fix it: check the path"),
        (
            ["--config", "my.toml", "--isolated"],
            "both --config and --isolated were given\n  to fix it: give one: to read a file, or to read none",
        ),
    ],
)
def test_a_choice_of_rules_that_cannot_be(run, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "layers.py").write_text("", encoding="utf-8")
    status, out, err = run("layers.py", *options)
    assert (status, out) == (2, "")
    assert err.startswith(f"gradcheck: {message}")


def test_json_on_standard_output(engine, run):
    engine(PASS, UNCHECKED)
    status, out, err = run("layers.py", "--format", "json", "--seed", "3")
    assert (status, err) == (0, "")
    assert json.loads(out) == Report(seed=3, subjects=(PASS, UNCHECKED), version="0.1.0").to_dict()


def test_junit_on_standard_output(engine, run):
    engine(PASS, FAIL)
    status, out, err = run("layers.py", "--format", "junit")
    assert (status, err) == (1, "")
    assert ET.fromstring(out.encode()).find("testsuite").get("failures") == "1"


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_output_goes_to_a_file_and_its_summary_to_standard_error(engine, run, tmp_path, monkeypatch, form):
    monkeypatch.setenv("FORCE_COLOR", "1")
    engine(FAIL)
    status, expected, _ = run("layers.py", "--format", form)
    path = tmp_path / "report"
    status, out, err = run("layers.py", "--format", form, "--output", path)
    assert (status, out) == (1, "")
    assert err == f"gradcheck: 0 pass, 1 fail, 0 unchecked; the report is in {path}\n"
    text = path.read_text(encoding="utf-8")
    assert "\x1b" not in text
    assert text == expected if form != "text" else "GC101 dW is wrong" in text


def test_an_output_that_cannot_be_written_is_refused_before_the_check(engine, run, tmp_path):
    calls = engine(PASS)
    path = tmp_path / "missing" / "report.json"
    status, out, err = run("layers.py", "--output", path)
    assert (status, out, calls) == (2, "", [])
    assert err == (
        f"gradcheck: cannot write {path}: there is no such directory\n  to fix it: make it, or name another file\n"
    )


def test_colour_when_forced(engine, run, monkeypatch):
    engine(PASS)
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[32mpass\x1b[0m" in run("layers.py")[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in run("layers.py")[1]


def test_what_layers_print_stays_out_of_the_report(engine, run):
    engine(PASS, does=lambda: print("epoch 1 loss 0.3"))
    assert run("layers.py", "--format", "json")[1].startswith("{")
    assert "epoch" not in run("layers.py")[1]


def test_what_layers_ask_for_is_not_waited_for(engine, run):
    answers = []

    def ask():
        try:
            answers.append(input("your name? "))
        except EOFError:
            answers.append("end of file")

    engine(PASS, does=ask)
    stdin = sys.stdin
    assert run("layers.py")[0] == 0
    assert answers == ["end of file"]
    assert sys.stdin is stdin


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_any_terminal_encoding_will_do(engine, monkeypatch, encoding, form):
    odd = SubjectReport("Größe", "Ω.py::Größe", "unchecked", reason="no · shapes ± \ud800 found")
    engine(PASS, odd)
    raw = io.BytesIO()
    stdout = io.TextIOWrapper(raw, encoding=encoding)
    monkeypatch.setattr("sys.stdout", stdout)
    with pytest.raises(SystemExit) as exit_:
        main(["Ω.py", "--format", form])
    stdout.flush()
    assert exit_.value.code == 0
    if form == "text":
        text = raw.getvalue().decode(encoding)
        assert ("1 rule - 2 cases" if encoding == "ascii" else "1 rule · 2 cases") in text
    elif form == "json":
        assert json.loads(raw.getvalue().decode("utf-8"))["subjects"][1]["name"] == "Größe"
    else:
        assert ET.fromstring(raw.getvalue()).find(".//testcase[@name='Größe']") is not None


# Exit status.


@pytest.mark.parametrize(
    ("subjects", "lenient", "strict"),
    [
        ([PASS], 0, 0),
        ([PASS, FAIL], 1, 1),
        ([FAIL, UNCHECKED], 1, 1),
        ([PASS, UNCHECKED], 0, 1),
        ([PASS, INCONCLUSIVE], 0, 1),
        ([UNCHECKED], 2, 2),
        ([INCONCLUSIVE, UNCHECKED], 2, 2),
        ([], 2, 2),
    ],
)
def test_exit_status(engine, run, subjects, lenient, strict):
    engine(*subjects)
    assert run("layers.py")[0] == lenient
    assert run("layers.py", "--strict")[0] == strict


def test_strict_says_why_it_fails(engine, run):
    engine(PASS, UNCHECKED)
    assert run("layers.py", "--strict")[2] == "gradcheck: --strict: 1 of 2 layers could not be checked\n"


def test_no_layer_at_all(run, tmp_path):
    (tmp_path / "empty").mkdir()
    layer = "class A:\n    def forward(self, x): return x * 1.0\n    def backward(self, dout): return dout * 1.0\n"
    (tmp_path / "layers.py").write_text(layer, encoding="utf-8")
    status, out, err = run(tmp_path / "layers.py", tmp_path / "empty")
    assert (status, out) == (2, "")
    assert err.startswith(f"gradcheck: no layer found in {tmp_path / 'empty'} (0 files looked through)\n  to fix it: ")


def test_json_where_nothing_was_checked(engine, run):
    engine(UNCHECKED)
    status, out, err = run("layers.py", "--format", "json")
    assert (status, json.loads(out)["verdict"]) == (2, "unchecked")
    assert err == "gradcheck: no layer could be checked\n  to fix it: the report says why, layer by layer\n"


def test_a_usage_error_is_one_message_and_its_fix(engine, run):
    engine(does=raising(UsageError("no such file: layer.py", fix="check the path")))
    for form in ("text", "json"):
        assert run("layer.py", "--format", form) == (
            2,
            "",
            "gradcheck: no such file: layer.py\n  to fix it: check the path\n",
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no target was given"),
        (["x.py", "--format", "yaml"], "Invalid value for '--format': 'yaml' is not one of 'text', 'json', 'junit'."),
        (["x.py", "--seed", "-1"], "Invalid value for '--seed': -1 is not in the range x>=0."),
        (["x.py", "--sed", "1"], "No such option"),
    ],
)
def test_a_wrong_command_line(engine, run, arguments, message):
    calls = engine(PASS)
    status, out, err = run(*arguments)
    assert (status, out, calls) == (2, "", [])
    assert err.startswith(f"gradcheck: {message}")
    assert "\n  to fix it: " in err


@pytest.mark.parametrize("code", [0, None, 3])
def test_a_layer_that_exits_does_not_end_the_run_as_passed(engine, run, code):
    engine(does=raising(SystemExit(code)))
    assert run("layers.py") == (
        2,
        "",
        f"gradcheck: the checked code called sys.exit({code!r})\n"
        '  to fix it: put what a module does as a script under: if __name__ == "__main__":\n',
    )


def test_interrupted(engine, run):
    engine(does=raising(KeyboardInterrupt()))
    status, out, err = run("layers.py")
    assert (status, out) == (130, "")
    assert "Traceback" not in err


def test_a_bug_of_ours_is_not_taken_for_a_wrong_layer(engine, run):
    engine(does=raising(ZeroDivisionError("oh")))
    status, out, err = run("layers.py")
    assert (status, out) == (2, "")
    assert "gradcheck: a bug in gradcheck, not in the layer: ZeroDivisionError('oh')\n" in err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no broken pipes")
def test_a_reader_that_goes_away(engine, monkeypatch):
    engine(FAIL)
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as stdout:
        monkeypatch.setattr("sys.stdout", stdout)
        with pytest.raises(SystemExit) as exit_:
            main(["layers.py"])
    assert exit_.value.code == 1


# Looking things up.


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help(run, flag):
    status, out, err = run(flag)
    assert (status, err) == (0, "")
    for word in ("TARGET", "--format", "--output", "--seed", "--case", "--signature", "--strict", "--version"):
        assert word in out


def test_version(run):
    assert run("--version") == (0, f"gradcheck {__version__}\n", "")


@pytest.fixture
def catalogue(monkeypatch):
    rule = types.SimpleNamespace
    module = types.ModuleType("gradcheck.rules.catalogue")
    module.CATALOGUE = {
        "GC201": rule(code="GC201", title="backward overwrites dout", level="error", page="Why it matters.\n"),
        "GC101": rule(code="GC101", title="a gradient is wrong", level="warning", page="..."),
    }
    monkeypatch.setitem(sys.modules, "gradcheck.rules.catalogue", module)


@pytest.mark.usefixtures("catalogue")
def test_rules_are_listed_in_order(run):
    assert run("rules") == (
        0,
        "GC1  values and shapes of the gradients\n"
        "  GC101  warning  a gradient is wrong\n"
        "GC2  what is overwritten, what shares memory\n"
        "  GC201  error    backward overwrites dout\n",
        "",
    )


@pytest.mark.usefixtures("catalogue")
def test_rules_are_listed_for_programs(run):
    status, out, err = run("rules", "--format", "json")
    assert (status, err) == (0, "")
    assert [rule["code"] for rule in json.loads(out)] == ["GC101", "GC201"]


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize("code", ["gc201", "GC2"])
def test_a_rule_and_a_family_are_explained(run, code):
    assert run("rule", code) == (0, "GC201  backward overwrites dout  (error)\n\nWhy it matters.\n", "")


@pytest.mark.usefixtures("catalogue")
@pytest.mark.parametrize(
    ("code", "fix"),
    [("GC210", "did you mean GC201? (`gradcheck rules` lists the codes)"), ("", "`gradcheck rules` lists the codes")],
)
def test_a_rule_that_is_not_there(run, code, fix):
    assert run("rule", code) == (2, "", f"gradcheck: there is no rule {code!r}\n  to fix it: {fix}\n")


@pytest.mark.usefixtures("catalogue")
def test_a_path_called_rules_is_a_target(engine, run, tmp_path, monkeypatch):
    calls = engine(PASS)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "rules").mkdir()
    assert run("rules")[0] == 0
    assert calls[0][0] == ["rules"]


def test_python_dash_m():
    done = subprocess.run(
        [sys.executable, "-m", "gradcheck", "--version"], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"gradcheck {__version__}\n", "")


def test_help_imports_neither_numpy_nor_the_engine():
    code = (
        "import sys; from gradcheck.cli import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print(sorted({'numpy', 'gradcheck.api'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stderr.strip() == "[]"


# End to end, with the real engine.

LAYERS = """
import numpy as np

print("an import that talks")


class Mul:
    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        print("a layer that talks")
        return dout * self.y, dout * self.x


class Square:
    def forward(self, x):
        self.x = x
        return x**2

    def backward(self, dout):
        return dout * self.x
"""


@pytest.fixture
def layers(tmp_path, monkeypatch):
    folder = tmp_path / "my layers"
    folder.mkdir()
    (folder / "two.py").write_text(LAYERS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return folder / "two.py"


def test_two_layers_from_file_to_json_and_back_from_the_printed_command(run, layers):
    status, out, err = run("my layers/two.py", "--format", "json")
    assert (status, err) == (1, "")
    mul, square = json.loads(out)["subjects"]
    assert (mul["name"], mul["verdict"], mul["findings"]) == ("Mul", "pass", [])
    assert (square["name"], square["verdict"]) == ("Square", "fail")
    (finding,) = square["findings"]
    assert (finding["rule"], finding["argument"]) == ("GC101", "x")
    assert finding["numeric"] == pytest.approx(2 * finding["analytic"], rel=1e-6)

    command = next(line for line in run("my layers/two.py")[1].splitlines() if "repeat: " in line)
    words = shlex.split(command.partition("repeat: ")[2])
    assert words[0] == "gradcheck"
    status, out, _ = run(*words[1:], "--format", "json")
    (again,) = json.loads(out)["subjects"]
    assert status == 1
    assert [(f["rule"], f["case"], f["analytic"]) for f in again["findings"]] == [
        ("GC101", finding["case"], finding["analytic"])
    ]


def test_right_layers_only(run, layers):
    status, out, err = run("my layers/two.py::Mul", "--strict")
    assert (status, err) == (0, "")
    assert out.endswith("1 pass, 0 fail, 0 unchecked\n")
    assert "talks" not in out


NEEDS_RATE = (
    "class Scale:\n    def forward(self, x):\n        return x * rate\n\n"
    "    def backward(self, dout):\n        return dout * rate\n"
)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("missing.py", None),
        ("syntax.py", "class Layer(:\n"),
        ("raises.py", "rate = 1 / 0\n" + NEEDS_RATE),
        ("exits.py", "rate = exit(0)\n" + NEEDS_RATE),
        ("asks.py", "rate = input('rate? ')\n" + NEEDS_RATE),
        ("empty.py", "x = 1\n"),
        ("notes.ipynb", "this is no JSON"),
    ],
)
@pytest.mark.parametrize("form", ["text", "json"])
def test_what_cannot_be_checked_is_one_clear_message(run, tmp_path, monkeypatch, name, text, form):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / name).write_text(text, encoding="utf-8")
    status, out, err = run(name, "--format", form)
    assert status == 2
    assert "Traceback" not in out + err
    assert name in out + err
    assert "to fix it: " in err or "to fix it: " in out


@pytest.mark.parametrize("statement", ["raise RuntimeError('not today')", "exit(0)", "input('name? ')", "1 / 0"])
def test_what_no_layer_needs_costs_none(run, tmp_path, monkeypatch, statement):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "script.py").write_text(statement + "\n" + LAYERS, encoding="utf-8")
    status, out, _ = run("script.py::Mul")
    assert status == 0
    assert out.endswith("1 pass, 0 fail, 0 unchecked\n")


def test_the_shipped_rules_can_be_looked_up(run):
    status, out, _ = run("rules")
    assert status == 0
    for line in out.splitlines():
        code = line.split()[0]  # of a rule or of a family
        status, page, _ = run("rule", code)
        assert status == 0
        assert page.startswith(code)
        assert len(page.splitlines()) > 2, f"{code} has no page"
