"""The pytest door, from outside: whole pytest runs over small test files. The engine is stood in for."""

import shlex
import subprocess
import sys

import pytest

ENGINE = """
import sys, types
from gradcheck.errors import UsageError
from gradcheck.records import Finding, Report, SubjectReport

def check(subject, *, seed=0, case=None, **given):
    print("called with", subject, seed, case, given)
    if subject == "usage":
        raise UsageError("usage is no layer", fix="give a layer")
    verdict = {"right": "pass", "wrong": "fail"}.get(subject, "unchecked")
    finding = Finding("GC101", "error", "dW is wrong", case=case or f"n=2 seed={seed}")
    findings = (finding,) if verdict == "fail" else ()
    skipped = dict(skipped=True, reason="skipped: slow") if subject == "skipped" else {}
    return Report(seed=seed, subjects=(SubjectReport("Affine", "Affine", verdict, findings=findings, **skipped),))

module = types.ModuleType("gradcheck.api")
module.check = check
sys.modules["gradcheck.api"] = module
"""


@pytest.fixture
def pytester(pytester, monkeypatch):
    for name in ("PYTEST_ADDOPTS", "NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    pytester.makeconftest(ENGINE)
    return pytester


def test_a_right_layer_gives_its_report(pytester):
    pytester.makepyfile(
        """
        def test_right(gradcheck):
            report = gradcheck("right")
            assert report.verdict == "pass"
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_a_wrong_layer_fails_with_the_report_and_without_our_frames(pytester):
    pytester.makepyfile(
        test_wrong="""
        class TestLayers:
            def test_affine(self, gradcheck):
                gradcheck("wrong")
        """
    )
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    start = result.outlines.index("    def test_affine(self, gradcheck):")
    stop = next(number for number, line in enumerate(result.outlines) if line.startswith("test_wrong.py:3:"))
    assert result.outlines[start:stop] == [
        "    def test_affine(self, gradcheck):",
        '>       gradcheck("wrong")',
        "E       gradcheck.GradientError: Affine: GC101 dW is wrong",
        "E       Affine   FAIL   1 error",
        "E         GC101 dW is wrong",
        "E           smallest case: n=2",
        'E           repeat: pytest test_wrong.py::TestLayers::test_affine --gradcheck-case "n=2 seed=0"',
        "E       0 pass, 1 fail, 0 unchecked",
        "",
    ]
    assert "gradcheck/pytest_plugin.py" not in result.stdout.str()


def test_an_unchecked_layer_is_no_pass(pytester):
    pytester.makepyfile("def test_odd(gradcheck): gradcheck('odd')")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * nothing was checked, so this is not a pass"])


def test_a_layer_that_the_file_says_to_skip_is_a_skipped_test(pytester):
    pytester.makepyfile("def test_skipped(gradcheck): gradcheck('skipped')")
    result = pytester.runpytest("-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*skipped: slow*"])


def test_a_usage_error_points_at_the_line_of_the_test(pytester):
    pytester.makepyfile("def test_usage(gradcheck): gradcheck('usage')")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E * usage is no layer; to fix it: give a layer"])
    assert "conftest.py" not in result.stdout.str()


def test_arguments_reach_the_engine(pytester):
    pytester.makepyfile(
        """
        def test_right(gradcheck):
            gradcheck("right", signature="(n)->(n)", seed=5)
        """
    )
    pytester.runpytest("-s").stdout.fnmatch_lines(["*called with right 5 None {'signature': '(n)->(n)'}*"])


def test_the_seed_is_zero_then_the_ini_files_then_the_command_lines(pytester):
    pytester.makepyfile("def test_right(gradcheck): gradcheck('right')")

    def shown(*arguments):
        result = pytester.runpytest("-s", *arguments)
        result.assert_outcomes(passed=1)
        return [line for line in result.outlines if "gradcheck: seed" in line or "called with" in line]

    def expected(seed):
        return [f"gradcheck: seed {seed} (--gradcheck-seed N)", f"test_one.py called with right {seed} None {{}}"]

    pytester.path.joinpath(next(pytester.path.glob("test_*.py"))).rename(pytester.path / "test_one.py")
    assert shown() == expected(0)
    pytester.makeini("[pytest]\ngradcheck_seed = 3")
    assert shown() == expected(3)
    assert shown("--gradcheck-seed", "4") == expected(4)


def test_the_rules_are_those_of_the_root_directorys_pyproject(pytester):
    file = pytester.path / "pyproject.toml"
    pytester.makepyfile("def test_right(gradcheck): gradcheck('right', ignore='GC205')")
    file.write_text("[tool.pytest.ini_options]", encoding="utf-8")
    pytester.runpytest("-s").stdout.fnmatch_lines(["*called with right 0 None {'ignore': 'GC205'}*"])
    file.write_text("[tool.pytest.ini_options]\n[tool.gradcheck]", encoding="utf-8")
    pytester.runpytest("-s").stdout.fnmatch_lines([f"*called with right 0 None *{file.name}')*'ignore': 'GC205'*"])


@pytest.mark.parametrize("seed", ["-1", "x", "1.5", ""])
def test_a_seed_that_cannot_be_used_stops_the_run(pytester, seed):
    result = pytester.runpytest(f"--gradcheck-seed={seed}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --gradcheck-seed takes a whole number from 0 up, not '{seed}'; *"])


def test_a_printed_case_is_replayed(pytester):
    pytester.makepyfile("def test_wrong(gradcheck): gradcheck('wrong')")
    result = pytester.runpytest("--gradcheck-case", "n=1 i=2 seed=9")
    result.stdout.fnmatch_lines(
        ['E *repeat: pytest * --gradcheck-case "n=1 i=2 seed=9"', "called with wrong 0 n=1 i=2 seed=9 {}"]
    )


def test_the_repeat_line_works_from_where_pytest_was_called(pytester, monkeypatch):
    folder = pytester.mkdir("my tests")
    (folder / "test_a.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', [1])\ndef test_a(gradcheck, n): gradcheck('wrong')\n", "utf-8"
    )
    pytester.makeini("[pytest]")
    line = "repeat: pytest 'my tests/test_a.py::test_a[1]' --gradcheck-case \"n=2 seed=0\""
    assert line in pytester.runpytest().stdout.str()
    monkeypatch.chdir(folder)
    line = "repeat: pytest 'test_a.py::test_a[1]' --gradcheck-case \"n=2 seed=0\""
    assert line in pytester.runpytest().stdout.str()


def test_fixtures_of_any_scope_and_hypothesis_tests_may_use_it(pytester):
    pytester.makepyfile(
        """
        import pytest
        from hypothesis import given, settings, strategies as st

        @pytest.fixture(scope="session")
        def checked(gradcheck):
            return gradcheck("right")

        @settings(max_examples=3, database=None)
        @given(st.integers())
        def test_right(checked, gradcheck, n):
            assert checked and gradcheck("right")
        """
    )
    pytester.runpytest().assert_outcomes(passed=1)


def test_in_two_workers(pytester):
    pytest.importorskip("xdist")
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("n", range(3))
        def test_layers(gradcheck, n, record_property):
            record_property("seed", gradcheck("right").seed)
            gradcheck("wrong" if n else "right")
        """
    )
    result = pytester.runpytest_subprocess("-n", "2", "--gradcheck-seed", "6", "-p", "xdist")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["gradcheck: seed 6 (--gradcheck-seed N)"])
    result.stdout.fnmatch_lines(['E *repeat: pytest *::test_layers* --gradcheck-case "n=2 seed=6"'])


def test_its_start_imports_nothing_heavy():
    code = "import sys, gradcheck.pytest_plugin; print(*sorted({module.partition('.')[0] for module in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert not {"numpy", "hypothesis", "rich", "click", "scipy"} & set(done.stdout.split())


def test_it_is_found_by_its_entry_point(pytester):
    result = pytester.runpytest_subprocess("--help", "-p", "no:cacheprovider")
    result.stdout.fnmatch_lines(["*--gradcheck-seed=N*"])


def test_with_the_real_engine(pytester):
    pytester.makeconftest("")
    pytester.makepyfile(
        test_square="""
        class Square:
            factor = 2.0

            def forward(self, x):
                self.x = x
                return x**2

            def backward(self, dout):
                return dout * self.x * self.factor

        class Wrong(Square):
            factor = 1.0

        def test_square(gradcheck):
            assert gradcheck(Square, signature="(n)->(n)").subjects[0].verdict == "pass"

        def test_wrong(gradcheck):
            gradcheck(Wrong, signature="(n)->(n)")
        """
    )
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["E *GradientError: Wrong: GC101 *", "E *repeat: pytest test_square.py::test_wrong *"])
    words = shlex.split(next(line for line in result.outlines if "repeat: " in line).partition("repeat: ")[2])
    again = pytester.runpytest_subprocess(*words[1:])
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["E *GradientError: Wrong: GC101 *"])
