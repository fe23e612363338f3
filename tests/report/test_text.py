"""Whole text reports, as a reader sees them: a change of one character is a change of the product."""

import dataclasses
import io
import math
import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradcheck.records import Case, Finding, Location, Report, SubjectReport
from gradcheck.report.layout import headline, repeat_command
from gradcheck.report.text import encodable, render, wants_color

GOLDEN = """\
MulLayer   pass           3 rules · 24 cases · would have caught a relative error of 3e-13
Relu       FAIL           2 errors
  GC201 backward overwrote its argument dout             cell 5, line 20: dx = dout[self.mask] = 0
  GC103 backward returned int 0, expected an array shaped like x (1, 1)
    at cell 5, line 20: dx = dout[self.mask] = 0
    the chained assignment binds dx to the constant 0
    matches the numeric gradient: dx = dout * (x > 0)
    repeat: gradcheck 'deep notes.ipynb::Relu' --case "seed=0"
Affine     FAIL           2 errors · 1 warning · shapes (n,i),(i,o),(o)->(n,o)
  GC602 backward raised ValueError: matmul: Input operand 1 has a mismatch in its core dimension 0
    at cell 7, line 30: self.dW = np.dot(dout, self.X)
    smallest case: n=1 i=2 o=1
    repeat: gradcheck 'deep notes.ipynb::Affine' --case "n=1 i=2 o=1 seed=0"
  GC101 dW is wrong
    smallest case: n=2 i=2 o=1
    worst at dW[0, 0]: analytic -1.25   numeric 0.5 ± 3e-15
    looks like a transposed factor
    matches the numeric gradient: dW = X.T @ dout
  GC204 warning: forward keeps X by reference
    smallest case: n=2 i=2 o=1
    repeat: gradcheck 'deep notes.ipynb::Affine' --case "n=2 i=2 o=1 seed=3"
Softmax    unchecked      forward accepted none of 40 trial shapes
    to fix it: give its shapes: --signature "(n,c)->(n,c)"
Step       inconclusive   every point lay on a kink
1 pass, 2 fail, 1 unchecked, 1 inconclusive
"""


def report_of(*subjects, seed=0):
    return Report(seed=seed, subjects=subjects)


def failing(target="layers.py::Affine", **fields):
    finding = Finding(**({"rule": "GC101", "level": "error", "message": "dx is wrong"} | fields))
    return SubjectReport(name=target.rpartition(":")[2], target=target, verdict="fail", findings=(finding,))


def lines_of(report, **options):
    return render(report, **options).splitlines()


def test_every_verdict_and_field(report):
    assert render(report) == GOLDEN


def test_only_passes():
    mul = SubjectReport("Mul", "m.py::Mul", "pass", cases=1, resolution={"x": 3.333e-13, "y": 1e-15}, rules=("GC101",))
    add = SubjectReport("AddLayer", "m.py::AddLayer", "pass", cases=2, rules=("GC101", "GC103"))
    assert render(report_of(mul, add, seed=7)) == (
        "Mul        pass   1 rule · 1 case · would have caught a relative error of 3.3e-13\n"
        "AddLayer   pass   2 rules · 2 cases\n"
        "2 pass, 0 fail, 0 unchecked · seed 7\n"
    )


def test_a_pass_with_a_warning_is_still_a_pass():
    add = dataclasses.replace(
        failing("a.py::Add", rule="GC207", level="warning", message="returns dout itself", case="n=1 seed=0"),
        verdict="pass",
        cases=3,
    )
    assert render(report_of(add)) == (
        "Add   pass   0 rules · 3 cases\n"
        "  GC207 warning: returns dout itself\n"
        "    smallest case: n=1\n"
        '    repeat: gradcheck a.py::Add --case "n=1 seed=0"\n'
        "1 pass, 0 fail, 0 unchecked\n"
    )


def test_an_argument_about_which_nothing_was_learned_is_named():
    layer = SubjectReport("L", "l.py::L", "pass", cases=1, resolution={"x": 1e-12, "b": math.inf}, rules=("GC101",))
    assert lines_of(report_of(layer))[0] == (
        "L   pass   1 rule · 1 case · would have caught a relative error of 1e-12 · nothing learned about b"
    )


@pytest.mark.parametrize(
    ("subjects", "summary"),
    [
        ((), "0 pass, 0 fail, 0 unchecked"),
        ((SubjectReport("A", "a.py::A", "unchecked"),), "0 pass, 0 fail, 1 unchecked"),
        ((SubjectReport("A", "a.py::A", "inconclusive"),), "0 pass, 0 fail, 0 unchecked, 1 inconclusive"),
    ],
)
def test_where_nothing_was_checked_it_says_so(subjects, summary):
    assert lines_of(report_of(*subjects))[-2:] == [summary, "nothing was checked, so this is not a pass"]


def test_layers_of_several_files_stand_under_their_file():
    subjects = [SubjectReport(name, f"{file}.py::{name}", "pass") for file, name in ["aA", "aB", "bA"]]
    assert render(report_of(*subjects)) == (
        "a.py\n"
        "A   pass   0 rules · 0 cases\n"
        "B   pass   0 rules · 0 cases\n"
        "b.py\n"
        "A   pass   0 rules · 0 cases\n"
        "3 pass, 0 fail, 0 unchecked\n"
    )


def test_text_of_the_user_is_never_markup_nor_escape_codes():
    layer = failing(
        message="[bold]x[/bold] :smile:\x1b[31m red\r", diagnosis=("two\nlines\tof it",), argument="x", analytic=1.0,
        numeric=2.0, index=(0, 0),
    )  # fmt: skip
    assert lines_of(report_of(layer), color=False)[1:5] == [
        r"  GC101 [bold]x[/bold] :smile:\x1b[31m red\r",
        "    worst at dx[0, 0]: analytic 1   numeric 2",
        "    two",
        "    lines    of it",
    ]


def test_a_message_of_several_lines_keeps_them():
    layer = failing(message="backward raised E: one\ntwo", location=Location("l.py", 3, text="  x = 1  "))
    assert lines_of(report_of(layer))[1:4] == ["  GC101 backward raised E: one", "    two", "    at l.py:3: x = 1"]


def test_lines_are_never_wrapped():
    words = "word " * 200
    assert any(words.strip() in line for line in lines_of(report_of(failing(message=words))))


@pytest.mark.parametrize(
    ("analytic", "numeric", "shown"),
    [
        (-1.25, 0.5, "analytic -1.25   numeric 0.5 ± 1e-10"),
        (1.0000001, 1.0, "analytic 1.0000001   numeric 1 ± 1e-10"),
        (220.0012, 220.0, "analytic 220.0012   numeric 220 ± 1e-10"),
        (1 / 3, 2 / 3, "analytic 0.333   numeric 0.667 ± 1e-10"),
        (math.nan, 2 / 3, "analytic nan   numeric 0.666667 ± 1e-10"),
        (math.inf, 1e-300, "analytic inf   numeric 1e-300 ± 1e-10"),
        (None, 2.0, "numeric 2 ± 1e-10"),
    ],
)
def test_numbers_have_the_digits_that_show_their_difference(analytic, numeric, shown):
    layer = failing(argument="x", analytic=analytic, numeric=numeric, error_bar=1e-10)
    assert lines_of(report_of(layer))[1:3] == ["  GC101 dx is wrong", f"    worst at dx: {shown}"]


@given(a=st.floats(allow_nan=False, allow_infinity=False), b=st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_that_differ_are_never_printed_alike(a, b):
    text = lines_of(report_of(failing(argument="x", analytic=a, numeric=b)))[2]
    analytic, numeric = text.partition("analytic ")[2].split("   numeric ")
    assert (analytic == numeric) == (a == b) or {a, b} == {0.0}


def test_an_argument_whose_name_is_no_identifier():
    layer = failing(argument="params[0]", analytic=1.0, numeric=2.0, index=(3,), formula="2 * x")
    assert lines_of(report_of(layer))[2:4] == [
        "    worst at the gradient of params[0][3]: analytic 1   numeric 2",
        "    matches the numeric gradient: the gradient of params[0] = 2 * x",
    ]


def test_the_repeat_command_is_read_back_by_a_shell():
    subject = failing("it's [my] $layers/Ω.py::Affine")
    words = shlex.split(repeat_command(subject, "n=2 seed=1", options=("--signature", "(n)->(n)")))
    assert words == ["gradcheck", subject.target, "--signature", "(n)->(n)", "--case", "n=2 seed=1"]
    assert str(Case.parse(words[-1])) == "n=2 seed=1"


@pytest.mark.parametrize(
    ("target", "command"),
    [
        ("pkg.layers:Affine", 'gradcheck pkg.layers:Affine --case "seed=1"'),
        ("Affine", 'gradcheck.check(Affine, case="seed=1"), with the other arguments as they were'),
    ],
)
def test_the_repeat_command_fits_the_door(target, command):
    assert f"    repeat: {command}" in lines_of(report_of(failing(target, case="seed=1")))


def test_a_case_that_the_user_gave_is_not_called_smallest():
    lines = lines_of(report_of(failing(case="given=0 seed=1")))
    assert "    case: given=0" in lines


def test_the_door_may_say_how_to_repeat():
    lines = lines_of(report_of(failing(case="seed=1")), repeat=lambda subject, case: f"again {subject.name} {case}")
    assert "    repeat: again Affine seed=1" in lines


def test_the_headline_is_the_first_error(report):
    assert headline(report) == "Relu: GC201 backward overwrote its argument dout"
    assert headline(report_of(SubjectReport("A", "a.py::A", "unchecked"))) == "0 pass, 0 fail, 1 unchecked"


def test_colour_adds_nothing_but_colour(report):
    painted = render(report, color=True)
    plain = painted
    for code in ("0", "1", "2", "32", "33", "1;31"):
        plain = plain.replace(f"\x1b[{code}m", "")
    assert painted != plain
    assert [line.rstrip() for line in plain.splitlines()] == GOLDEN.splitlines()


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "environment", "wanted"),
    [
        (Terminal, {}, True),
        (io.StringIO, {}, False),
        (Terminal, {"NO_COLOR": "1"}, False),
        (Terminal, {"NO_COLOR": ""}, True),
        (io.StringIO, {"FORCE_COLOR": "1"}, True),
        (Terminal, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        (Terminal, {"TERM": "dumb"}, False),
    ],
)
def test_colour_is_for_terminals_unless_the_environment_says_otherwise(monkeypatch, stream, environment, wanted):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert wants_color(stream()) is wanted


def test_color_none_asks_about_standard_output(monkeypatch, report):
    monkeypatch.setattr("sys.stdout", Terminal())
    assert "\x1b[32m" in render(report, color=None)


@pytest.mark.parametrize(
    ("encoding", "shown"),
    [("utf-8", "0.5 ± 1 · Ω"), ("latin-1", r"0.5 ± 1 · \u03a9"), ("ascii", r"0.5 +/- 1 - \u03a9")],
)
def test_what_an_encoding_cannot_say_has_a_stand_in(encoding, shown):
    assert encodable("0.5 ± 1 · Ω", encoding) == shown


def test_a_pass_says_what_one_element_would_have_to_be_off_by():
    layer = SubjectReport(
        "L",
        "l.py::L",
        "pass",
        cases=1,
        resolution={"x": 1e-14, "W": 3.3e-9},
        element_resolution={"x": 4e-14, "W": 2e-8},
        complete=("x",),
        set_aside=3,
        rules=("GC101",),
    )
    assert lines_of(report_of(layer))[0] == (
        "L   pass   1 rule · 1 case · would have caught a relative error of 3.3e-09 (2e-08 in one element; along "
        "directions only: W) · 3 outputs on a kink set aside"
    )
    assert lines_of(report_of(dataclasses.replace(layer, complete=("x", "W"), set_aside=1)))[0] == (
        "L   pass   1 rule · 1 case · would have caught a relative error of 3.3e-09 (2e-08 in one element) · 1 output "
        "on a kink set aside"
    )
