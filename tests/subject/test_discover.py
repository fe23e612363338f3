"""From targets to layers."""

import ast
import functools
import sys
from pathlib import Path

import pytest

from gradcheck.errors import UsageError
from gradcheck.subject import frameworks, needs
from gradcheck.subject.discover import discover, nothing_found, of_object

LAYER = """\
class {0}:
    def forward(self, x):
        return x

    def backward(self, dout):
        return dout

"""
PAIR = "def {0}_forward(x):\n    return x, None\n\ndef {0}_backward(dout, cache):\n    return dout\n"


@pytest.fixture(autouse=True)
def modules_as_they_were():
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture(autouse=True)
def write(tmp_path, monkeypatch):
    """Write files below the working directory, a fresh one."""
    monkeypatch.chdir(tmp_path)

    def write(**files):
        for name, text in files.items():
            path = Path(name.replace("___", "/") + ".py")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return write


def only(found):
    assert len(found) == 1, found
    return found[0]


def targets(target):
    return [found.target for found in discover(target)]


def usage_error(target):
    with pytest.raises(UsageError) as caught:
        discover(target)
    return str(caught.value)


# Files


def test_a_file(write):
    write(a="import json\n" + PAIR.format("pool") + LAYER.format("B") + LAYER.format("A"))
    pool, b, a = discover("a.py")
    assert (pool.name, pool.target) == ("pool", "a.py::pool")
    assert [f.__name__ for f in pool.obj] == ["pool_forward", "pool_backward"]
    assert (b.name, b.target, b.obj.__name__, b.reason) == ("B", "a.py::B", "B", None)
    assert (b.location.file, b.location.line, b.location.text) == ("a.py", 7, "class B:")
    assert a.location.line > b.location.line


def test_the_path_stays_as_it_was_given(write):
    write(nets___a=LAYER.format("A"))
    for path in ("nets/a.py", "./nets/a.py", str(Path.cwd() / "nets/a.py"), "nets/../nets/a.py"):
        found = only(discover(path))
        assert (found.target, found.location.file) == (f"{path}::A", path)
        assert only(discover(found.target)).target == found.target


def test_only_what_the_file_itself_defines(write):
    write(
        a=LAYER.format("Base") + LAYER.format("_Private") + PAIR.format("f"),
        b="from a import *\nfrom a import _Private\nclass Child(Base): pass\nclass Other(_Private): pass\n"
        "Alias = Child\n",
    )
    assert targets("b.py") == ["b.py::Child", "b.py::Other"]
    assert only(discover("b.py::Base")).location.file == "a.py"


def test_what_is_no_layer_is_left_out(write):
    write(
        a="import abc\n"
        "class Base:\n    def forward(self, x): raise NotImplementedError\n    def backward(self, dout): pass\n\n"
        "class Abstract(abc.ABC):\n    @abc.abstractmethod\n    def forward(self, x): ...\n"
        "    def backward(self, dout): return dout\n\n"
        "class OnlyForward:\n    def forward(self, x): return x\n\n"
        "class HalfWritten(Base):\n    def forward(self, x): return x\n\n"
        + LAYER.format("Inner").replace("class Inner:", "class Real(Base):")
    )
    assert targets("a.py") == ["a.py::Real"]


def test_what_looks_like_a_layer_is_listed_with_the_way_out(write):
    write(
        a="class Node:\n    def backward(self): return 1\n\n"
        "class Call:\n    def __call__(self, x): return x\n    def backward(self, dout): return dout\n\n"
        "class Prop:\n    def fprop(self, x): return x\n    def bprop(self, dout): return dout\n"
    )
    node, call, prop = discover("a.py")
    assert (node.obj, node.location.line) == (None, 1)
    assert node.reason == "Node has backward but no forward: there is nothing to differentiate"
    assert node.fix.endswith("gradcheck.check((f, vjp), inputs=...)")
    assert (call.reason, prop.reason) == (None, None)


def test_halves_under_other_names(write):
    write(
        a="class Act:\n    def __call__(self, x): return x\n    def derivative(self, x): return 1.0 + 0 * x\n\n"
        "class Loss:\n    def loss(self, y, t): return 0\n    def gradient(self, y, t): return y\n\n"
        "class Schedule:\n    def __call__(self, step): return step\n\n"
        "class Descent:\n    def update(self, w, grad): return w - grad\n    def step(self): pass\n"
    )
    assert targets("a.py") == ["a.py::Act", "a.py::Loss"]


@pytest.fixture
def without_frameworks(monkeypatch):
    for name in ("torch", "jax", "autograd"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    monkeypatch.setattr(frameworks, "find_spec", lambda name: None)


def test_torch_layers_are_listed_where_there_is_no_torch(write, without_frameworks):
    write(
        a="import torch\nfrom torch import nn\nraise RuntimeError('not run')\n"
        "class Layer(torch.autograd.Function):\n    pass\n"
        "class Net(nn.Module):\n    def forward(self, x): return Layer.apply(x)\n"
        "class NothingByHand(nn.Module):\n    def forward(self, x): return x\n"
    )
    found = discover("a.py")
    assert [layer.name for layer in found] == ["Layer", "Net"]
    assert found[1].reason == "Net needs torch, which is not installed"
    assert found[1].fix == "pip install 'gradcheck[torch]'"


@pytest.mark.parametrize(("framework", "function"), [("jax", "custom_vjp"), ("autograd", "primitive")])
def test_what_needs_another_framework_says_how_to_get_it(write, without_frameworks, framework, function):
    write(a=f"from {framework} import {function}\n\n@{function}\ndef f(x):\n    return x\n")
    for target in ("a.py", "a.py::f"):
        found = only(discover(target))
        assert (found.name, found.obj) == ("f", None)
        assert found.reason == f"f needs {framework}, which is not installed"
        assert found.fix == f"pip install 'gradcheck[{framework}]'"


def test_what_needs_no_framework_is_found_beside_what_does(write, without_frameworks):
    write(
        a="import torch, jax\n" + LAYER.format("Plain") + "class F(torch.autograd.Function):\n"
        "    @staticmethod\n    def forward(ctx, x): return x\n    @staticmethod\n    def backward(ctx, g): return g\n"
    )
    assert [(layer.name, layer.reason) for layer in discover("a.py")] == [
        ("Plain", None),
        ("F", "F needs torch, which is not installed"),
    ]


def test_the_statement_that_gives_a_function_its_derivative_goes_with_it():
    body = ast.parse("f.defvjp(fwd, bwd)\ndefvjp(g, vjp)\nextend.defvjp(h, vjp)\n").body
    assert not needs.is_script(body)
    for name, statement in zip("fgh", body, strict=True):
        assert needs.statements(body, {name}) == [statement]


def test_layers_of_frameworks_that_are_not_checked_say_so(write):
    write(
        fake="class Layer:\n    pass\nLayer.__module__ = 'keras.src.layers.layer'\n",
        b="from fake import Layer\nclass Net(Layer):\n    def forward(self, x): return x\n"
        "    def backward(self, x): return x\n",
    )
    for target in ("b.py", "b.py::Net"):
        found = only(discover(target))
        assert (found.name, found.obj) == ("Net", None)
        assert found.reason == "Net is a keras layer: those of NumPy, torch, jax and autograd are checked"
        assert found.fix.startswith("use functions of NumPy arrays")


def test_files_without_layers_are_not_run(write):
    write(script="open('ran', 'w').close()\nclass Data:\n    def forward(self): pass\n", empty="")
    assert discover("script.py") == discover("empty.py") == discover(".") == []
    assert not Path("ran").exists()
    assert str(nothing_found("script.py")) == (
        "no layer found in script.py; to fix it: a layer is a class with forward and backward, or a pair of functions "
        "NAME_forward and NAME_backward"
    )
    assert nothing_found(".").message == "no layer found in . (2 files looked through)"


def test_only_the_layers_that_need_what_raised_are_unchecked(write):
    write(a="rate = 1 / 0\n" + LAYER.format("A").replace("return x", "return x * rate") + PAIR.format("f"))
    layer, pair = discover("a.py")
    assert (layer.obj, layer.location.text) == (None, "class A:")
    assert layer.reason == "a.py:1 raised ZeroDivisionError: division by zero"
    assert layer.fix == "mend a.py:1: rate = 1 / 0"
    assert pair.reason is None
    assert targets("a.py") == ["a.py::A", "a.py::f"]
    assert only(discover("a.py::A")).reason == "a.py:1 raised ZeroDivisionError: division by zero"
    assert only(discover("a.py::f")).obj is not None
    assert usage_error("a.py::Z") == "no Z in a.py; to fix it: name one of its layers: A, f"


def test_a_missing_dependency_is_named(write):
    write(
        a="from no_such_module import *\n" + LAYER.format("A").replace("return x", "return f(x)"),
        b="from no_such_module import B\nclass C(B): pass\n",
    )
    assert only(discover("a.py")).reason == "it needs no_such_module, which is not installed"
    assert only(discover("a.py")).fix == "pip install no_such_module, or run gradcheck from the folder that has it"
    assert only(discover("b.py")).reason == "it needs no_such_module, which is not installed (no_such_module.B)"


def test_a_changed_file_is_seen(write):
    write(a=LAYER.format("A"))
    first = only(discover("a.py"))
    write(a="\n\n" + LAYER.format("A") + LAYER.format("B"))
    second = discover("a.py")
    assert first.location.line == 1
    assert [(layer.name, layer.location.line) for layer in second] == [("A", 3), ("B", 10)]


def test_a_syntax_error_is_a_usage_error_with_its_line(write):
    write(a="x = 1\nclass A\n")
    assert usage_error("a.py") == "syntax error in a.py, line 2: expected ':': class A; to fix it: mend line 2"
    assert usage_error("a.py::A").startswith("syntax error in a.py, line 2")


# Directories


def test_a_directory_is_walked_in_order(write):
    taken = ("b", "a___z", "a___b___c", "c_test_not")
    skipped = (
        "test_x", "x_test", "conftest", "setup", ".hidden", ".venv___x", "env___lib___x", "build___x", "dist___x",
        "node_modules___x", "a___site-packages___x", "a___test_x", "a___conftest", "__main__",
    )  # fmt: skip
    write(**{name: LAYER.format("A") for name in taken + skipped})
    Path("env/pyvenv.cfg").touch()
    Path("a/notes.txt").write_text("class")
    assert targets(".") == ["b.py::A", "c_test_not.py::A", "a/z.py::A", "a/b/c.py::A"]
    assert targets("a/") == ["a/z.py::A", "a/b/c.py::A"]
    assert targets("test_x.py") == ["test_x.py::A"]
    assert targets("build") == ["build/x.py::A"]


def test_a_broken_file_among_others_is_unchecked(write):
    write(a=LAYER.format("A"), b="class B\n")
    Path("c.py").write_bytes(b"x = '\xff'\n")
    good, broken, undecodable = discover(".")
    assert good.reason is None
    assert (broken.name, broken.target, broken.location.line) == ("b.py", "b.py", 1)
    assert broken.reason == "syntax error in b.py, line 1: expected ':': class B"
    assert "can't decode byte" in undecodable.reason


def test_a_class_may_derive_from_a_layer_of_another_file(write):
    write(base=LAYER.format("Layer"), more="from base import Layer\nclass Child(Layer):\n    size = 3\n")
    assert targets(".") == ["base.py::Layer", "more.py::Child"]
    assert targets("more.py") == ["more.py::Child"]


def test_files_of_a_package_import_each_other(write):
    child = "from .b import Base\nclass A(Base): pass\n"
    write(dpkg_____init__="", dpkg___a=child, dpkg___b=LAYER.format("Base"))
    assert targets("dpkg") == ["dpkg/a.py::A", "dpkg/b.py::Base"]
    a, b = discover("dpkg")
    assert issubclass(a.obj, b.obj)


def test_a_name_in_a_directory(write):
    write(x___a=LAYER.format("A"), x___b=LAYER.format("A") + LAYER.format("Affine"))
    assert [found.target for found in discover("x::A")] == ["x/a.py::A", "x/b.py::A"]
    assert usage_error("x::Afine") == "no Afine in x; to fix it: name one of its layers: x/b.py::Affine"


# Modules


def test_modules_and_packages(write):
    write(
        epkg_____init__="from epkg.a import A as Exported\n",
        epkg___a=LAYER.format("A") + "    class Inner:\n        pass\n",
        epkg___sub_____init__=LAYER.format("S"),
        epkg_____main__="raise SystemExit\n" + LAYER.format("M"),
    )
    assert targets("epkg.a") == ["epkg.a:A"]
    assert only(discover("epkg.a")).location.file == str(Path("epkg/a.py"))
    assert targets("epkg.sub") == ["epkg.sub:S"]
    assert only(discover("epkg:Exported")).target == "epkg:Exported"
    assert only(discover("epkg.a:A")).obj.__module__ == "epkg.a"
    assert usage_error("epkg:A") == "no A in epkg; to fix it: name one of its layers: epkg.a:A"
    assert [found.target for found in discover("epkg")] == ["epkg/a.py::A", "epkg/sub/__init__.py::S"]
    assert str(Path.cwd()) not in sys.path


def test_a_package_by_its_name_alone_when_no_folder_is_here(write, monkeypatch):
    write(lib___fpkg_____init__="", lib___fpkg___a=LAYER.format("A"))
    monkeypatch.syspath_prepend(str(Path("lib").absolute()))
    assert targets("fpkg") == ["fpkg.a:A"]


def test_a_module_that_raises_and_one_that_is_not_there(write):
    write(gmod="rate = 1 / 0\n" + LAYER.format("A").replace("return x", "return x * rate"))
    assert only(discover("gmod")).reason == "gmod.py:1 raised ZeroDivisionError: division by zero"
    assert only(discover("gmod:A")).obj is None
    assert usage_error("gmodd") == "no such file, directory or module: gmodd; to fix it: did you mean gmod.py or gmod?"
    assert usage_error("gmod.a:A").startswith("no such file, directory or module: gmod.a")
    assert usage_error("math").startswith("cannot look for layers in the module math: it has no Python source")


# Names


def test_nested_private_and_paired_names(write):
    write(
        a=LAYER.format("_Private") + "class Outer:\n    " + LAYER.format("Inner").strip().replace("\n", "\n    ") + "\n"
        + PAIR.format("f") + "def backward_g(d): ...\ndef forward_g(x): ...\n" + "instance = _Private()\n"
        "def make(): return _Private()\nnumber = 3.5\nclass Data: pass\nclass Base:\n"
        "    def forward(self, x): ...\n    def backward(self, x): ...\n"
    )  # fmt: skip
    assert only(discover("a.py::_Private")).reason is None
    inner = only(discover("a.py::Outer.Inner"))
    assert (inner.name, inner.obj.__qualname__, inner.target) == ("Outer.Inner", "Outer.Inner", "a.py::Outer.Inner")
    for name in ("f", "f_forward", "f_backward"):
        pair = only(discover(f"a.py::{name}"))
        assert (pair.name, pair.target, len(pair.obj)) == ("f", "a.py::f", 2)
    assert [f.__name__ for f in only(discover("a.py::g")).obj] == ["forward_g", "backward_g"]
    assert only(discover("a.py::instance")).obj.forward(2) == 2
    assert only(discover("a.py::make")).obj().forward(2) == 2
    assert only(discover("a.py::number")).reason == "number is a float, not a layer"
    assert only(discover("a.py::Data")).reason == "Data has no forward and backward: it is not a layer"
    assert only(discover("a.py::Base")).reason == "Base is a base class: its forward or backward is not written"
    assert usage_error("a.py::Outer.Nothing").startswith("no Outer.Nothing in a.py")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("layer.py", "no such file or directory: layer.py; to fix it: did you mean layers.py?"),
        ("net/layers.py", "no such file or directory: net/layers.py; to fix it: did you mean nets/layers.py?"),
        ("notes.txt", "cannot look for layers in notes.txt: it is a .txt file, expected a .py file, a .ipynb notebook "
         "or a directory; to fix it: name the file that defines the layers"),
        ("", "the target '' says nowhere to look; to fix it: write it as path/to/file.py::Name, notebook.ipynb::Name "
         "or package.module:Name"),
        ("layers.py::", "the target 'layers.py::' names no layer; to fix it: write it as path/to/file.py::Name, "
         "notebook.ipynb::Name or package.module:Name"),
        ("layers.py::Afine", "no Afine in layers.py; to fix it: name one of its layers: Affine"),
        ("layers.py:Afine", "no Afine in layers.py; to fix it: name one of its layers: Affine"),
    ],
)  # fmt: skip
def test_usage_errors(write, target, message):
    write(layers=LAYER.format("Affine"), nets___layers=LAYER.format("Affine"))
    Path("notes.txt").touch()
    assert usage_error(target) == message


# Objects at hand


class Here:
    def forward(self, x):
        return x

    def backward(self, dout):
        return dout


def scale_forward(x):
    return x


def scale_backward(dout, cache):
    return dout


def test_objects_are_named_and_placed():
    here = of_object(Here)
    assert (here.name, here.obj, here.location.text) == ("Here", Here, "class Here:")
    assert here.target == f"{here.location.file}::Here"
    assert of_object(Here()).target == here.target
    pair = of_object((scale_forward, scale_backward))
    assert (pair.name, pair.location.text) == ("scale", "def scale_forward(x):")
    assert pair.target.endswith("::scale")
    assert of_object(functools.partial(scale_forward, 1)).name == "scale_forward"


def test_objects_that_cannot_be_found_again_are_named_alone():
    class Local(Here):
        pass

    assert (of_object(Local).name, of_object(Local).target) == ("Local", "Local")
    assert of_object(Local).location.text == "class Local(Here):"
    assert of_object(lambda x: x).name == "<lambda>"
    assert (of_object(len).name, of_object(len).location) == ("len", None)
    assert of_object((len, max)).name == "len"
    assert of_object(()).name == "tuple"
