"""Where definitions are, and which line raised."""

import dataclasses
import functools
import importlib.util
import inspect
import linecache
import os

import pytest

from gradcheck.subject import blame, source

FILE = """\
import functools


def decorate(f):
    @functools.wraps(f)
    def inner(*args):
        return f(*args)

    return inner


class Plain:
    def forward(self, x):
        return helper(x)


@decorate
@functools.lru_cache(
    maxsize=None,
)
def helper(x):
    return (  # 한국어 주석
        "한국어" and x.missing(
            1
        )
    )


class Outer:
    class Plain:
        size = 3

    def make(self):
        class Plain:
            def forward(self): ...

        return Plain


if True:
    class Twice:
        def forward(self): "first"
else:
    class Twice:
        def forward(self): "second"


class Child(Plain):
    pass
"""


@pytest.fixture
def module(tmp_path):
    path = tmp_path / "module_of_test_source.py"
    path.write_text(FILE, encoding="utf-8")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    source.sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        del source.sys.modules[path.stem]


def line_of(text, *, after=0):
    return FILE.split("\n").index(text, after) + 1


def test_a_class_is_placed_at_its_class_statement(module):
    place = source.location_of(module.Plain)
    assert (place.line, place.text) == (line_of("class Plain:"), "class Plain:")
    assert source.location_of(module.Plain()) == place
    assert source.location_of(module.Plain.forward).line == place.line + 1
    assert source.location_of(module.Plain().forward).line == place.line + 1


def test_a_nested_class_of_the_same_name_has_its_own_place(module):
    assert source.location_of(module.Outer.Plain).line == line_of("    class Plain:")
    assert source.location_of(module.Outer().make()).line == line_of("        class Plain:")


def test_of_a_class_defined_twice_the_one_around_its_methods_is_meant(module):
    assert source.location_of(module.Twice).line == line_of("    class Twice:")


def test_a_class_without_methods_is_placed_too(module):
    assert source.location_of(module.Child).text == "class Child(Plain):"


def test_a_decorated_function_is_placed_at_its_def(module):
    place = source.location_of(module.helper)
    assert place.text == "def helper(x):"
    assert source.location_of(functools.partial(module.helper, 1)) == place


def test_generated_methods_do_not_mislead(module):
    cls = dataclasses.make_dataclass("Made", [("x", int)])
    cls.__module__ = "nowhere"
    assert source.location_of(cls) is None
    assert source.location_of(len) is None
    assert source.location_of(3) is None


def test_the_line_and_the_expression_that_raised(module):
    with pytest.raises(AttributeError) as caught:
        module.Child().forward(3)
    place = blame.blame(caught.value, module.Child)
    assert place.line in (line_of('        "한국어" and x.missing('), line_of("            1"))
    assert blame.raising_expression(caught.value, module.Child) == "x.missing"
    assert blame.blame(caught.value, (len, module.helper)) == place


def test_the_expression_is_cut_by_bytes_not_by_characters(tmp_path):
    namespace = {}
    path = tmp_path / "한.py"
    text = 'def f(out):\n    return "한국어" * 1 + out(1.0 - 2,\n        3) + "다"\n'
    path.write_text(text, encoding="utf-8")
    exec(compile(text, str(path), "exec"), namespace)
    with pytest.raises(TypeError) as caught:
        namespace["f"](3)
    assert blame.raising_expression(caught.value, namespace["f"]) == "out(1.0 - 2, 3)"


def test_an_error_from_elsewhere_blames_nobody(module):
    with pytest.raises(ZeroDivisionError) as caught:
        _ = 1 / 0
    assert blame.blame(caught.value, module.Plain) is None
    assert blame.raising_expression(caught.value, module.Plain) == ""


def test_paths_are_spelled_as_they_were_given(tmp_path, monkeypatch):
    (tmp_path / "a.py").write_text("x = 1\ny = 2\n")
    monkeypatch.chdir(tmp_path)
    full = str(tmp_path / "a.py")
    assert source.location(full, 2) == dataclasses.replace(source.location("a.py", 2), file="a.py")
    source.remember_file(tmp_path / "a.py", "../here/a.py")
    assert str(source.location(full, 2)) == "../here/a.py:2"
    assert source.location(full, 2).text == "y = 2"
    assert source.location(full, 99).text == ""
    assert source.location(os.devnull, 1).file == os.devnull


def test_a_notebook_line_is_turned_into_cell_and_line():
    rows = ["import numpy\n", "\n", "def f():\n", "    return 1 / 0\n"]
    source.remember_notebook("<n.ipynb #t>", rows, shown="n.ipynb", cells=[2, 5], starts=[1, 3])
    place = source.location("<n.ipynb #t>", 4)
    assert (place.file, place.cell, place.line, place.text) == ("n.ipynb", 5, 2, "return 1 / 0")
    assert source.location("<n.ipynb #t>", 1).cell == 2


def test_inspect_finds_notebook_source_even_after_the_cache_was_cleared():
    rows = ["class A:\n", "    def f(self):\n", "        return 1\n"]
    source.remember_notebook("<m.ipynb #t>", rows, shown="m.ipynb", cells=[1], starts=[1])
    namespace = {"__name__": "m"}
    exec(compile("".join(rows), "<m.ipynb #t>", "exec"), namespace)
    linecache.clearcache()
    assert source.location_of(namespace["A"].f).text == "def f(self):"
    assert inspect.getsource(namespace["A"].f) == "    def f(self):\n        return 1\n"
    assert source.definition(namespace["A"].f).name == "f"
    assert source.definition(len) is None
