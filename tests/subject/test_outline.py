"""What a file defines, by its text alone."""

import ast

import pytest

from gradcheck.subject import outline


def names(text, known=()):
    return list(outline.layers(ast.parse(text), known))


LAYER = "class {0}:\n    def forward(self, x): return x\n    def backward(self, dout): return dout\n"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LAYER.format("Id"), ["Id"]),
        (LAYER.format("_Id"), []),
        (LAYER.format("_Id") + "class Child(_Id): pass", ["Child"]),
        ("class A(base.Known): size = 1", ["A"]),
        ("class A(Unknown): size = 1", []),
        ("class A:\n    def forward(self, x): return x", []),
        ("class A:\n    def fprop(self): return 1\n    def bprop(self): return 1", ["A"]),
        ("class A:\n    bprop = None\n    backward = bprop", ["A"]),
        ("try:\n    import x\nexcept ImportError:\n    " + LAYER.format("A").replace("\n", "\n    "), ["A"]),
        ("class A:\n    def backward(self, d): return d\nclass A: pass", []),
        ("class A:\n    def backward(self, d):\n        'doc'\n        raise NotImplementedError", []),
        ("def f():\n    " + LAYER.format("Local").replace("\n", "\n    "), []),
        ("def relu_forward(x): ...\ndef relu_backward(d, c): ...\ndef pool_forward(x): ...", ["relu"]),
        ("def backward_relu(x): ...\ndef forward_relu(d, c): ...\ndef forward(x): ...\ndef backward(x): ...", ["relu"]),
        ("def _relu_forward(x): ...\ndef _relu_backward(d, c): ...", []),
    ],
)
def test_layer_like_definitions(text, expected):
    assert names(text, {"Known"}) == expected


def test_decorated_functions_are_layers_where_their_framework_is_imported():
    text = "@{}\ndef f(x): return x\n"
    for decorator, framework in (("custom_vjp", "jax"), ("jax.custom_vjp", "jax"), ("primitive", "autograd.extend")):
        imported = f"from {framework} import {decorator.rpartition('.')[2]}\n"
        assert list(outline.layers(ast.parse(imported + text.format(decorator)))) == ["f"]
        assert not outline.layers(ast.parse(text.format(decorator)))
    partly = "import jax\n" + text.format("partial(jax.custom_vjp, nondiff_argnums=(1,))")
    assert list(outline.layers(ast.parse(partly))) == ["f"]


def test_torch_layers_are_told_by_their_text():
    tree = ast.parse(
        "import torch.nn as nn\nfrom torch.autograd import Function\n"
        "class F(Function): pass\n"
        "class Net(nn.Module):\n    def forward(self, x): return F.apply(x)\n"
        "class NothingByHand(nn.Module):\n    def forward(self, x): return x\n"
    )
    assert list(outline.layers(tree)) == ["F", "Net"]
    assert {outline.framework_of(node, tree) for node in outline.layers(tree).values()} == {"torch"}
    own = ast.parse("from mine import Module\nclass Net(Module):\n    def backward(self, x): return x")
    assert outline.framework_of(outline.layers(own)["Net"], own) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("from mine import Layer\nclass A(Layer): pass", True),
        ("from . import base\nclass A(base.Layer): pass", True),
        ("from mine import *\nclass A(Layer): pass", True),
        ("from enum import Enum\nclass A(Enum): pass", False),
        ("import mine\nclass A(Exception): pass", False),
        ("from mine import Layer\nclass A: pass", False),
    ],
)
def test_deriving_from_something_imported_may_make_a_layer(text, expected):
    assert outline.may_inherit(ast.parse(text)) is expected


@pytest.mark.parametrize(
    ("body", "stub"),
    [
        ("pass", True),
        ("...", True),
        ("'doc'", True),
        ("raise NotImplementedError", True),
        ("raise NotImplementedError('later')", True),
        ("raise NotImplemented", True),
        ("raise ValueError", False),
        ("return None", False),
        ("self.x = x", False),
    ],
)
def test_stubs(body, stub):
    assert outline.is_stub(ast.parse(f"def f(self, x): {body}").body[0]) is stub


def test_an_abstract_method_is_a_stub_whatever_its_body():
    assert outline.is_stub(ast.parse("@abc.abstractmethod\ndef f(self, x): return x").body[0])
