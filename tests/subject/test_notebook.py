"""Notebooks: reading the cells, running only the definitions that layers need."""

import dataclasses
import inspect
import json
import sys
import warnings
from pathlib import Path

import pytest

from gradcheck.errors import UsageError
from gradcheck.subject import blame, cells, source
from gradcheck.subject.discover import discover, nothing_found

SEED = Path(__file__).parents[3] / "shared" / "seed" / "notebook.ipynb"

RELU = """\
class Relu:
    def forward(self, x):
        self.mask = x > 0
        return x * self.mask
    def backward(self, dout):
        return dout * self.mask
"""


@pytest.fixture(autouse=True)
def modules_as_they_were():
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a notebook of these code cells; what begins with # is a text cell."""
    monkeypatch.chdir(tmp_path)

    def write(*sources, name="n.ipynb"):
        written = [
            {"cell_type": "markdown" if text.startswith("# ") else "code", "source": text.splitlines(keepends=True)}
            for text in sources
        ]
        Path(name).write_text(json.dumps({"cells": written, "nbformat": 4}), encoding="utf-8")
        return name

    return write


def only(found):
    assert len(found) == 1, found
    return found[0]


@pytest.mark.skipif(not SEED.exists(), reason="the seed notebook is not beside this checkout")
def test_the_seed_notebook_as_it_stands():
    found = discover(str(SEED))
    assert [layer.name for layer in found] == ["MulLayer", "AddLayer", "Relu", "Sigmoid", "Affine"]
    assert all(layer.reason is None and layer.target == f"{SEED}::{layer.name}" for layer in found)
    assert [layer.location.cell for layer in found] == [2, 4, 5, 6, 7]
    sigmoid = found[3].obj()
    out = sigmoid.forward(source.sys.modules["numpy"].zeros((2, 3)))
    with pytest.raises(TypeError) as caught:
        sigmoid.backward(out)
    place = blame.blame(caught.value, sigmoid)
    assert (place.file, place.cell, place.line) == (str(SEED), 6, 10)
    assert place.text == "out = dout*self.out(1.0-self.out)"
    assert blame.raising_expression(caught.value, sigmoid) == "self.out(1.0-self.out)"


def test_only_what_the_layer_needs_is_run(write):
    found = only(
        discover(
            write(
                "# Title",
                "import numpy as np, json\nimport no_such_module",
                "alpha, beta = 0.5, 2\ngamma: float = alpha\nunused = 1 / 0",
                "def helper(x):\n    return x * gamma\n\ndef plot(x):\n    return history",
                RELU + "    def more(self):\n        return helper(np.ones(3))",
                "history = open('no such file')\nRelu().forward(1)\nraise SystemExit\nfor i in range(3): 1 / 0",
            )
        )
    )
    assert found.reason is None
    assert found.obj().more().tolist() == [0.5] * 3
    assert (found.location.cell, found.location.line, found.location.text) == (5, 1, "class Relu:")
    module = sys.modules[found.obj.__module__]
    assert not hasattr(module, "unused")
    assert not hasattr(module, "history")


def test_source_and_tracebacks_lead_to_the_cell(write):
    found = only(discover(write("x = 1", "# Text", "\n" + RELU + "    def fail(self):\n        return self.no(1)\n")))
    assert inspect.getsource(found.obj).startswith("class Relu:\n    def forward")
    assert inspect.getsource(found.obj.backward).startswith("    def backward")
    with pytest.raises(AttributeError) as caught:
        found.obj().fail()
    place = blame.blame(caught.value, found.obj)
    assert (place.file, place.cell, place.line, place.text) == ("n.ipynb", 3, 9, "return self.no(1)")
    assert blame.raising_expression(caught.value, found.obj) == "self.no"


def test_the_last_definition_wins(write):
    found = only(
        discover(write(RELU + "    version = 1", "class Leaky(Relu):\n    pass", RELU + "    version = 2")[:])[-1:]
    )
    assert found.obj.version == 2
    assert found.location.cell == 3


def test_later_assignments_to_a_class_or_a_table_count(write):
    found = only(
        discover(
            write(
                "table = {}\ntable['k'] = 3", RELU + "    def k(self): return table['k']", "Relu.late = lambda self: 5"
            )
        )
    )
    assert (found.obj().k(), found.obj().late()) == (3, 5)


def test_blocks_give_their_definitions_and_imports(write):
    found = only(
        discover(
            write(
                "try:\n    import no_such_module as xp\nexcept ImportError:\n    import numpy as xp\n    print(1)",
                "if True:\n    def ones():\n        return xp.ones(2)\n    1 / 0\nelse:\n    ones = None",
                RELU + "    def ones(self): return ones()",
            )
        )
    )
    assert found.obj().ones().tolist() == [1, 1]


def test_futures_dataclasses_and_paths_work(write, tmp_path):
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/helpers_of_test.py").write_text("X = 3\n")
    text = "@dataclasses.dataclass\nclass Scale:\n    a: Missing = X\n" + RELU.partition("\n")[2]
    found = only(
        discover(
            write(
                "from __future__ import annotations\nimport sys, dataclasses",
                "sys.path.append('lib')\nfrom helpers_of_test import *",
                text,
            )
        )
    )
    assert found.obj().a == 3
    assert dataclasses.fields(found.obj)[0].type == "Missing"
    assert "lib" not in sys.path


def test_ipython_names_are_there(write):
    found = discover(
        write("get_ipython().run_line_magic('x', '')\nshell = get_ipython()\n" + RELU + "    s = display(shell)")
    )
    assert only(found).reason is None


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (["np = 1\n\nnp = 1 / 0"], "cell 1, line 3 raised ZeroDivisionError: division by zero"),
        (["def f():\n    raise ValueError('x')\nnp = f()"], "cell 1, line 2 raised ValueError: x"),
        (["np = 1 +", "1"], "`np` is not defined: cell 1, line 1 has a syntax error: invalid syntax"),
        (["1", "for np in range(3): pass"],
         "`np` is not defined: it comes from cell 2, line 1, which is not run (only definitions are)"),
        (["from no_such_module import *"],
         "it needs no_such_module, which is not installed"),
        (["np = {}\nfor k in range(3):\n    np[k] = 1"],
         "`np` is not complete: it is changed at cell 1, line 3, which is not run (only definitions are)"),
    ],
)  # fmt: skip
def test_a_layer_that_needs_what_failed_is_unchecked(write, before, reason):
    uses = "def helper(x):\n    return np.exp(x)\n\n" + RELU + "    def more(self): return helper(1)"
    found = only(discover(write(*before, uses)))
    assert (found.name, found.obj, found.reason) == ("Relu", None, reason)
    assert found.fix
    assert found.location.text == "class Relu:"


def test_a_pair_of_which_one_half_raises_is_unchecked(write):
    name = write("def f_forward(x): ...", "@no_such_name\ndef f_backward(dout, cache): ...")
    for target in (name, name + "::f", name + "::f_forward"):
        found = only(discover(target))
        assert found.reason == "cell 2, line 1 raised NameError: name 'no_such_name' is not defined"
        assert found.obj is None


def test_a_class_that_raises_is_unchecked(write):
    found = only(discover(write("class Relu(1 / 0):\n" + RELU.partition("\n")[2])))
    assert found.reason == "cell 1, line 1 raised ZeroDivisionError: division by zero"


def test_a_name_that_nothing_defines_is_left_for_the_check_to_find(write):
    assert only(discover(write(RELU + "    def f(self): return undefined"))).reason is None


def test_a_layer_in_a_broken_cell_is_not_lost(write):
    good, lost = discover(write(RELU, "class Broken:\n    def backward(self, dout)\n        return dout"))
    assert (good.name, good.reason) == ("Relu", None)
    assert (lost.name, lost.target, lost.location.cell) == ("Broken", "n.ipynb::Broken", 2)
    assert lost.reason == "cell 2, line 2 has a syntax error: expected ':'"
    assert only(discover("n.ipynb::Broken")).reason == lost.reason


def test_broken_cells_are_named_when_nothing_is_found(write):
    name = write("x = 1", "y = (")
    assert discover(name) == []
    assert nothing_found(name).message == ("no layer found in n.ipynb; cell 2 was left out: it has a syntax error")
    with pytest.raises(UsageError, match=r"no Relu in n\.ipynb; cell 2 was left out: it has a syntax error"):
        discover(name + "::Relu")


def test_one_layer_by_name(write):
    name = write("rate = 3", RELU, "def make():\n    return Relu()", "def f_forward(x): ...\ndef f_backward(d, c): ...")
    assert only(discover(name + "::Relu")).obj.__name__ == "Relu"
    assert only(discover(name + "::make")).obj().forward(2) == 2
    assert [f.__name__ for f in only(discover(name + "::f")).obj] == ["f_forward", "f_backward"]
    assert only(discover(name + "::rate")).reason == "rate is an int, not a layer"
    with pytest.raises(UsageError) as caught:
        discover(name + "::Rellu")
    assert str(caught.value) == "no Rellu in n.ipynb; to fix it: name one of its layers: Relu, f"


@pytest.mark.parametrize(
    ("code", "python"),
    [
        ("%matplotlib inline\nx = 1", "pass\nx = 1"),
        ("x = 1\n!pip install y\n?x\nx.y??", "x = 1\npass\npass\npass"),
        ("if x:\n    %time f()\ny = %who", "if x:\n    pass\ny = None"),
        ("%%time\nx = 1", "\nx = 1"),
        ("\n%%capture out\nx = 1", "\n\nx = 1"),
        ("%%html\n<b>\n", "\n\n"),
        ("x = ('%d'\n% 3)", "x = ('%d'\n% 3)"),
        ("x = '''\n%time\n'''", "x = '''\n%time\n'''"),
        ("", ""),
    ],
)
def test_magics_are_blanked_line_by_line(code, python):
    assert cells.python(code) == python


def test_warnings_of_a_cell_are_no_errors(write):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert only(discover(write("import warnings\nwarnings.warn('x')\npattern = '\\d'", RELU))).reason is None


def test_the_old_format_and_plain_strings(tmp_path):
    path = tmp_path / "old.ipynb"
    cell = {"cell_type": "code", "input": [RELU], "language": "python"}
    path.write_text(json.dumps({"worksheets": [{"cells": [{"cell_type": "markdown", "source": "x"}, cell]}]}))
    assert only(discover(str(path))).location.cell == 2
    path.write_text(json.dumps({"cells": [{"cell_type": "code", "source": RELU}]}))
    assert only(discover(str(path))).location.cell == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot read bad.ipynb: it is not JSON (the file is empty)"),
        (b"import numpy", "cannot read bad.ipynb: it is not JSON (line 1, column 1: Expecting value)"),
        (b"\xff\xfe\xff", "cannot read bad.ipynb: it is not UTF-8 text"),
        (b"[1]", "cannot read bad.ipynb: its JSON is a list"),
        (b"{}", "cannot read bad.ipynb: it has no cells"),
        (b'{"cells": 3}', "cannot read bad.ipynb: its cells are a number"),
        (b'{"cells": [3]}', "cannot read bad.ipynb: cell 1 is a number"),
        (b'{"cells": [{"cell_type": "code", "source": 3}]}',
         "cannot read bad.ipynb: the source of cell 1 is a number, not text"),
    ],
)  # fmt: skip
def test_what_is_not_a_notebook_is_said_to_be_none(tmp_path, monkeypatch, content, message):
    monkeypatch.chdir(tmp_path)
    Path("bad.ipynb").write_bytes(content)
    with pytest.raises(UsageError) as caught:
        discover("bad.ipynb")
    assert caught.value.message.startswith(message)
    assert "expected a Jupyter notebook" in caught.value.message
    assert only(discover(".")).reason == caught.value.message


def test_a_changed_notebook_is_seen(write):
    first = only(discover(write(RELU + "    v = 1")))
    second = only(discover(write("1", RELU + "    v = 2")))
    assert (first.obj.v, second.obj.v) == (1, 2)
    assert source.location_of(first.obj).cell == 1
    assert source.location_of(second.obj).cell == 2
