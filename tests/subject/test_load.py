"""Importing the user's file, and leaving the process as it was."""

import importlib
import inspect
import os
import random
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from gradcheck.subject import absent, load, roots
from gradcheck.subject.parse import parse
from gradcheck.subject.script import script_of


@pytest.fixture(autouse=True)
def modules_as_they_were():
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]
    sys.modules.update(before)


def write(folder, **files):
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def test_a_plain_file_is_run_afresh_each_time(tmp_path):
    path = write(tmp_path, layers="X = 1\n") / "layers.py"
    first = load.import_file(path)
    path.write_text("X = 2\n")
    second = load.import_file(path)
    assert (first.X, second.X) == (1, 2)
    assert first.__name__ != second.__name__
    assert sys.modules[second.__name__] is second
    assert "layers" not in second.__name__.split(".")


def test_dataclasses_and_inspect_work_in_a_plain_file(tmp_path):
    text = (
        "from __future__ import annotations\nimport dataclasses\n\n@dataclasses.dataclass\nclass A:\n    x: int = 1\n"
    )
    module = load.import_file(write(tmp_path, a=text) / "a.py")
    assert module.A().x == 1
    assert inspect.getsource(module.A).startswith("@dataclasses.dataclass\nclass A:")


def test_a_file_in_a_package_is_imported_under_its_dotted_name(tmp_path):
    files = {
        "apkg/__init__.py": "",
        "apkg/sub/__init__.py": "",
        "apkg/base.py": "class Base: pass\n",
        "apkg/sub/a.py": "from ..base import Base\nimport apkg.base\nclass A(Base): pass\n",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    path = list(sys.path)
    module = load.import_file(tmp_path / "apkg/sub/a.py")
    assert module.__name__ == "apkg.sub.a"
    assert module.A.__mro__[1].__module__ == "apkg.base"
    assert load.import_file(tmp_path / "apkg/sub/a.py") is module
    assert sys.path == path


def test_a_changed_package_is_imported_anew(tmp_path):
    (tmp_path / "bpkg").mkdir()
    (tmp_path / "bpkg/__init__.py").write_text("")
    (tmp_path / "bpkg/a.py").write_text("from bpkg.b import X\n")
    (tmp_path / "bpkg/b.py").write_text("X = 1\n")
    assert load.import_file(tmp_path / "bpkg/a.py").X == 1
    (tmp_path / "bpkg/b.py").write_text("X = 1234\n")
    assert load.import_file(tmp_path / "bpkg/a.py").X == 1234


def test_siblings_of_the_same_name_in_two_folders_do_not_mix(tmp_path):
    one = write(tmp_path / "one", a="from functions_of_test import X\n", functions_of_test="X = 1\n")
    two = write(tmp_path / "two", a="from functions_of_test import X\n", functions_of_test="X = 2\n")
    assert [load.import_file(folder / "a.py").X for folder in (one, two, one)] == [1, 2, 1]


def test_two_packages_of_the_same_name_do_not_mix(tmp_path):
    for k in (1, 2):
        folder = tmp_path / str(k) / "cpkg"
        folder.mkdir(parents=True)
        (folder / "__init__.py").write_text("")
        (folder / "base.py").write_text(f"X = {k}\n")
        (folder / "a.py").write_text("from .base import X\n")
    first = load.import_file(tmp_path / "1/cpkg/a.py")
    second = load.import_file(tmp_path / "2/cpkg/a.py")
    assert (first.X, second.X) == (1, 2)
    assert sys.modules["cpkg.a"] is first


def test_a_file_may_import_from_the_folders_of_its_project(tmp_path):
    for k in (1, 2):
        folder = tmp_path / str(k)
        write(folder, hpkg__base=f"X = {k}\n", chapter__sub__a="from hpkg.base import X\n")
        (folder / "pyproject.toml").touch()
    got = [load.import_file(tmp_path / str(k) / "chapter/sub/a.py").X for k in (1, 2, 1)]
    assert got == [1, 2, 1]
    (tmp_path / "1/pyproject.toml").unlink()
    del sys.modules["hpkg"], sys.modules["hpkg.base"]
    module = load.import_file(tmp_path / "1/chapter/sub/a.py")
    assert isinstance(module.X, absent.Absent)


def test_an_installed_package_is_not_displaced_by_a_folder_further_up(tmp_path, monkeypatch):
    write(tmp_path / "installed", ipkg="X = 1\n")
    write(tmp_path / "project", ipkg="X = 2\n", chapter__a="from ipkg import X\n")
    monkeypatch.syspath_prepend(str(tmp_path / "installed"))
    assert importlib.import_module("ipkg").X == 1
    assert load.import_file(tmp_path / "project/chapter/a.py").X == 1


def test_a_folder_named_like_numpy_does_not_hide_numpy(tmp_path):
    write(tmp_path / "numpy", other="")
    assert np.pi == load.import_file(write(tmp_path, a="import numpy\nX = numpy.pi\n") / "a.py").X
    assert sys.modules["numpy"] is np


NOISY = """
import os, random, sys, warnings
import numpy as np
print("out"); print("err", file=sys.stderr); sys.stdout.buffer.write(b"bytes")
warnings.warn("a warning that must not become an error")
warnings.simplefilter("error")
np.random.seed(0); random.seed(0); np.seterr(all="raise")
sys.path.insert(0, "/nowhere"); os.chdir(os.pardir)
ARGV, BACKEND, PATH, STDIN = sys.argv, os.environ["MPLBACKEND"], list(sys.path), sys.stdin.read()
"""


def test_the_process_is_left_as_it_was(tmp_path, capfd, monkeypatch):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    path = write(tmp_path, noisy=NOISY) / "noisy.py"
    np.random.seed(7)  # noqa: NPY002 - the global generator is what is tested
    random.seed(7)

    def state():
        draws = np.random.get_state()[1].tolist(), random.getstate()  # noqa: NPY002
        return (
            sys.argv,
            sys.path[:],
            os.environ.get("MPLBACKEND"),
            str(Path.cwd()),
            warnings.filters[:],
            np.geterr(),
            draws,
        )

    before = state()
    module = load.import_file(path, {"ARGV"})
    assert state() == before
    assert capfd.readouterr() == ("", "")
    assert ([str(path)], "Agg", "") == (module.ARGV, module.BACKEND, module.STDIN)
    assert module.PATH[1:3] == [str(tmp_path), before[3]]
    assert not (tmp_path / "__pycache__").exists()


def test_a_set_backend_is_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "svg")
    text = "import os\nX = os.environ['MPLBACKEND']\n"
    assert load.import_file(write(tmp_path, a=text) / "a.py").X == "svg"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("x = 1\n\nX = 1 / 0\n", "a.py:3 raised ZeroDivisionError: division by zero"),
        ("import sys\nX = sys.exit(2)\n", "a.py:2 raised SystemExit: 2"),
        ("def f():\n    raise ValueError\n\nX = f()\n", "a.py:2 raised ValueError"),
        ("from no_such_module_here import *\n", "it needs no_such_module_here, which is not installed"),
        ("X = input('?')\n", "a.py:1 raised EOFError: EOF when reading a line"),
        ("print(1)\nfor k in range(3):\n    X = k\n", "`X` is not defined: it comes from a.py:3, which is not run "
         "(only definitions are)"),
    ],
)  # fmt: skip
def test_what_a_statement_raises_is_kept_for_who_needs_it(tmp_path, monkeypatch, text, reason):
    monkeypatch.chdir(tmp_path)
    module = load.import_file(write(tmp_path, a=text + "Y = 3\n") / "a.py")
    assert module.Y == 3
    told, fix = script_of(module).trouble("X")
    assert told == reason
    assert fix


def test_interrupts_pass_through(tmp_path):
    with pytest.raises(KeyboardInterrupt):
        load.import_file(write(tmp_path, a="raise KeyboardInterrupt\n") / "a.py")


@pytest.mark.parametrize("text", [b"x = (\n", b"return 1\n", b"x = '\0'\n", b"x = '\xff'\n", b"print 1\n"])
def test_syntax_errors_have_a_line(tmp_path, text):
    (tmp_path / "a.py").write_bytes(text)
    with pytest.raises(SyntaxError) as caught:
        parse(tmp_path / "a.py")
    assert isinstance(caught.value.msg, str)


def test_an_invalid_escape_is_no_error(tmp_path):
    assert parse(write(tmp_path, a='x = "\\d"\n') / "a.py").body


def test_package_names(tmp_path):
    (tmp_path / "p/q").mkdir(parents=True)
    (tmp_path / "p/__init__.py").touch()
    (tmp_path / "p/q/__init__.py").touch()
    assert roots.package_name(tmp_path / "p/q/a.py") == (tmp_path, "p.q.a")
    assert roots.package_name(tmp_path / "p/q/__init__.py") == (tmp_path, "p.q")
    assert roots.package_name(tmp_path / "a.py") == (tmp_path, "")
