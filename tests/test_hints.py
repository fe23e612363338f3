"""Hints: what is said of a layer in arguments, in pyproject.toml and in annotations; what `gradcheck infer` says."""

from __future__ import annotations

import json
import re
import runpy
import tomllib
from html import unescape
from typing import Annotated

import numpy as np
import pytest

import gradcheck
from gradcheck.api import check_targets, infer_targets
from gradcheck.cases.said import hints_of
from gradcheck.cases.search import Points
from gradcheck.cli import main
from gradcheck.config import read_hints as read_file
from gradcheck.errors import UsageError
from gradcheck.hints import Hints, Inferred, as_python, as_toml, read_hints
from gradcheck.report import hints as forms
from gradcheck.report import html, junit, text
from gradcheck.report import json as json_report
from gradcheck.subject.annotations import Stated, annotations_of

LAYERS = """
import numpy as np

rng = np.random.default_rng(0)


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW, self.db = self.x.T @ dout, dout.sum(0)
        return dout @ self.W.T


class WrongAffine(Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.db = dout.mean(0)
        return dx


class Embedding:
    def __init__(self, vocab_size, embed_dim):
        self.W = np.sin(np.arange(vocab_size * embed_dim)).reshape(vocab_size, embed_dim)

    def forward(self, ids):
        self.ids = ids
        return self.W[ids]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.ids, dout)


class Conv1d:
    def __init__(self, in_channels, out_channels, kernel_size, stride=1):
        self.W = np.cos(np.arange(out_channels * in_channels * kernel_size)).reshape(-1, in_channels, kernel_size)
        self.k, self.s = kernel_size, stride

    def forward(self, x):
        self.x, n = x, (x.shape[2] - self.k) // self.s + 1
        if n < 1:
            raise ValueError("the kernel is longer than the signal")
        return np.stack([np.einsum("nck,ock->no", self._window(x, j), self.W) for j in range(n)], axis=2)

    def backward(self, dout):
        dx, self.dW = np.zeros_like(self.x), np.zeros_like(self.W)
        for j in range(dout.shape[2]):
            self.dW += np.einsum("no,nck->ock", dout[:, :, j], self._window(self.x, j))
            self._window(dx, j)[...] += np.einsum("no,ock->nck", dout[:, :, j], self.W)
        return dx

    def _window(self, x, j):
        return x[:, :, j * self.s : j * self.s + self.k]


class CrossEntropy:
    def forward(self, y, t):
        self.y, self.t = y, t
        return -np.sum(t * np.log(y)) / len(y)

    def backward(self, dout=1.0):
        return -dout * self.t / self.y / len(self.y)


class Dropout:
    def __init__(self, p):
        self.p, self.rng = p, np.random.default_rng(0)

    def forward(self, x, train_flg=False):
        self.mask = self.rng.random(x.shape) > self.p if train_flg else np.full(x.shape, 1 - self.p)
        return x * self.mask

    def backward(self, dout):
        return dout * self.mask


class TwoLayers:
    def __init__(self, n_in, n_hidden, n_out):
        draw = np.random.default_rng(0).standard_normal
        self.params = {"W1": draw((n_in, n_hidden)), "W2": draw((n_hidden, n_out))}
        self.grads = {}

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.params["W1"])
        return self.h @ self.params["W2"]

    def backward(self, dout):
        dh = dout @ self.params["W2"].T * (1 - self.h**2)
        self.grads = {"W1": self.x.T @ dh, "W2": self.h.T @ dout}
        return dh @ self.params["W1"].T


def scale_forward(x, gamma):
    return x * gamma, (x, gamma)


def scale_backward(dout, cache):
    x, gamma = cache
    return dout * gamma, (dout * x).sum(0)
"""
ODD = """class Odd:
    def __init__(self, in_channels, recipe):
        self.recipe = recipe

    def forward(self, x):
        if not isinstance(self.recipe, dict):
            raise ValueError("the recipe is a dict")
        return x * self.recipe["factor"]

    def backward(self, dout):
        return dout / self.recipe["factor"]
"""
FOUND = ["Affine", "WrongAffine", "Embedding", "Conv1d", "CrossEntropy", "Dropout", "TwoLayers", "scale"]
CHECKED = ["WrongAffine", "CrossEntropy", "TwoLayers", "scale"]  # all have the same plans, which is the dearer half


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hints")
    (folder / "layers.py").write_text(LAYERS, encoding="utf-8")
    (folder / "odd.py").write_text(ODD, encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def found(folder):
    return infer_targets([str(folder / "layers.py")])


@pytest.fixture(scope="module")
def plainly(folder):
    """Return what a check without any hint says: name -> (verdict, signature)."""
    return told(checked(folder))


@pytest.fixture
def run(capsys):
    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return (exit_.value.code, *capsys.readouterr())

    return run_it


def told(report):
    return {layer.name: (layer.verdict, layer.signature) for layer in report}


def checked(folder, **options):
    return check_targets([f"{folder / 'layers.py'}::{name}" for name in CHECKED], profile="quick", **options)


class TestRoundTrip:
    """What `gradcheck infer` prints, given back, leads to the same signature and verdict."""

    def test_the_verdicts_are_those_that_are_meant(self, plainly):
        assert [verdict for verdict, _ in plainly.values()] == ["fail", "pass", "pass", "pass"]

    def test_in_pyproject(self, folder, found, plainly):
        file = folder / "pasted.toml"
        file.write_text(forms.toml(found), encoding="utf-8")
        assert len(read_file(file).layers) == len(FOUND)
        assert infer_targets([str(folder / "layers.py")], config=file) == found
        assert told(checked(folder, config=file)) == plainly

    def test_in_python(self, folder, found, plainly):
        module = {**runpy.run_path(str(folder / "layers.py")), "gradcheck": gradcheck}
        calls = {layer.name: as_python(layer.call, layer.hints, wrap=False) for layer in found}
        reports = [eval(f'{calls[name][:-1]}, profile="quick")', module) for name in CHECKED]
        assert [subject for report in reports for subject in told(report).values()] == [*plainly.values()]

    def test_what_is_printed_can_be_pasted(self, folder, run):
        code, out, _ = run("infer", folder / "layers.py", "--format", "python", "--isolated")
        calls = []

        class Recorded:
            @staticmethod
            def check(layer, **said):
                calls.append((layer, said))

        exec(out, {**runpy.run_path(str(folder / "layers.py")), "gradcheck": Recorded})
        assert (code, len(calls)) == (0, len(FOUND))
        _, out, _ = run("infer", folder / "layers.py", "--format", "toml", "--isolated")
        tables = tomllib.loads(out)["tool"]["gradcheck"]["layers"]
        assert [{**table, "constants": tuple(table["constants"])} if "constants" in table else table for table in
                tables.values()] == [said for _, said in calls]  # fmt: skip

    def test_what_is_found_is_said_in_full(self, found):
        said = {layer.name: layer.hints.given() for layer in found}
        assert said["Conv1d"] == {
            "convention": "layer object",
            "signature": "(n,c,l)->(n,o,d2)",
            "settings": {"in_channels": "c", "out_channels": "o", "kernel_size": "2|3", "stride": "1|2"},
            "smallest": {"l": 3},
        }
        assert said["CrossEntropy"]["domains"] == {"y": "probability", "t": "onehot"}
        assert said["CrossEntropy"]["constants"] == ("t",)
        assert said["Embedding"]["domains"] == {"ids": "below v"}
        assert said["TwoLayers"]["settings"] == {"n_in": "i", "n_hidden": "o", "n_out": "p"}
        assert said["Dropout"]["settings"] == {"p": 0.3}

    def test_json(self, folder, found):
        told_ = json.loads(forms.as_json(found))
        entry = next(layer for layer in told_["layers"] if layer["name"] == "Affine")
        assert (entry["found"], entry["reason"]) == (True, None)
        assert entry["hints"] == {"convention": "layer object", "signature": "(n,i),(i,o),(o)->(n,o)"}
        assert tomllib.loads(entry["toml"])["tool"]["gradcheck"]["layers"] == {
            f"{folder}/layers.py::Affine".replace("\\", "/"): entry["hints"]
        }


class TestUnchecked:
    HINT = 'gradcheck.check(Odd, signature="(n,i)", settings=dict(in_channels="i", recipe="i"))'

    def test_the_message_has_a_hint_that_is_filled_in(self, folder):
        report = check_targets([f"{folder / 'odd.py'}"])
        assert report.verdict == "unchecked"
        for render in (text.render, json_report.render, junit.render, html.render):
            words = unescape(render(report)).replace('\\"', '"')
            assert f"correct what is wrong in {self.HINT}, or give a point that works: inputs=(x,)" in words

    def test_infer_prints_it_as_a_comment_so_that_nothing_is_said_by_pasting(self, folder, run):
        code, out, _ = run("infer", folder / "odd.py", "--format", "toml", "--isolated")
        assert code == 2
        assert tomllib.loads(out) == {}
        assert "the recipe is a dict" in out
        assert '# settings = { in_channels = "i", recipe = "i" }\n' in out

    def test_infer_prints_it_for_a_person(self):
        said = Hints(signature="(n,i)", settings={"in_channels": "i", "recipe": "i"})
        odd = Inferred("Odd", "odd.py::Odd", "odd.py::Odd", "Odd", said, reason="no\nluck")
        assert "Odd   unchecked: no luck\n  to fix it: correct one of these\n" in forms.text([odd])
        assert f"  {self.HINT}\n" in forms.text([odd])
        assert forms.python([odd]) == f"# Odd: no luck\n# {self.HINT}\n"
        bare = Inferred("Cam", "a.py::Cam", "a.py::Cam", "Cam", reason="no forward", fix="write one")
        assert forms.text([bare]) == "Cam   unchecked: no forward\n  to fix it: write one\n"

    def test_corrected_it_is_checked(self, folder, tmp_path):
        (tmp_path / "my.toml").write_text(
            '[tool.gradcheck.layers.Odd]\nsignature = "(n,i)"\n'
            'settings = { in_channels = "i", recipe = { factor = 3.0 } }\n',
            encoding="utf-8",
        )
        report = check_targets([f"{folder / 'odd.py'}::Odd"], config=tmp_path / "my.toml", profile="quick")
        assert report.findings[0].rule == "GC101"  # it divides where it should multiply


class Masked:
    def forward(self, x, keep):
        self.keep = keep
        return x * keep

    def backward(self, dout):
        return dout * self.keep


class Logs:
    """Nothing in its source says that it wants positive numbers."""

    def forward(self, x):
        if np.any(x <= 0):
            raise ValueError("positive numbers only")
        self.x = x
        return np.sqrt(x)

    def backward(self, dout):
        return dout * 0.5 / np.sqrt(self.x)


class Bag:
    def __init__(self, table):
        self.table = table

    def forward(self, x, scale):
        self.x, self.scale = x, scale
        return self.table[x] * scale

    def backward(self, dout):
        self.dtable = np.zeros_like(self.table)
        np.add.at(self.dtable, self.x, dout * self.scale)
        return None, np.sum(dout * self.table[self.x])


class Grid:
    """Builds its scale from a shape; a tuple, and a dimension of its own."""

    def __init__(self, shape, gain, repeat):
        self.gamma, self.gain, self.repeat = np.ones(shape), gain, repeat

    def forward(self, x):
        self.x = x
        return np.repeat(x * self.gamma * self.gain, self.repeat, axis=0)

    def backward(self, dout):
        dout = dout.reshape(-1, self.repeat, *dout.shape[1:]).sum(1)
        self.dgamma, self.dgain = (dout * self.x * self.gain).sum(0), (dout * self.x * self.gamma).sum(0)
        return dout * self.gamma * self.gain


class TestArguments:
    def test_constants_owe_no_gradient(self):
        said = gradcheck.check(Masked, constants=["keep"], profile="quick")
        assert (said.verdict, said.subjects[0].signature) == ("pass", "(n,i),(n,i)->(n,i)")
        assert gradcheck.check(Masked, signature="(n),(n)", profile="quick").verdict == "fail"
        point = (np.ones((2, 3)), np.full((2, 3), 0.5))
        assert gradcheck.check(Masked, inputs=point, constants=["keep"]).verdict == "pass"
        assert gradcheck.check(Masked, inputs=point).verdict == "fail"

    def test_a_constant_is_no_excuse_for_the_others(self):
        class Forgets(Masked):
            def backward(self, dout):
                return dout

        assert gradcheck.check(Forgets, signature="(n),(n)", constants=["keep"], profile="quick").verdict == "fail"

    def test_domains(self):
        report = gradcheck.check(Logs, domains={"x": "positive"}, profile="quick")
        assert report.verdict == "pass"
        with pytest.raises(UsageError, match=r"domains speaks of 'y', which forward\(x\) does not take"):
            gradcheck.check(Logs, domains={"y": "positive"})

    def test_whole_numbers_below_a_dimension_and_values_as_they_are(self):
        report = gradcheck.check(
            Bag,
            signature="(n),(v,o)->(n,o)",
            domains={"x": "below v", "scale": 2.0},
            smallest={"v": 2},
            profile="quick",
        )
        assert (report.verdict, report.subjects[0].signature) == ("pass", "(n),(v,o)->(n,o)")

    def test_settings_over_the_dimensions_of_the_signature(self):
        said = {"shape": ("c", "l"), "gain": "(l)", "repeat": "1|3"}
        report = gradcheck.check(Grid, signature="(n,c,l)->(m,c,l)", settings=said, profile="quick")
        assert report.verdict == "fail"  # dgain must be summed over c, too
        assert {finding.argument for finding in report.findings} == {"gain"}
        assert report.findings[0].case == "n=1 c=1 l=1 repeat=1 seed=0" or "c=2" in report.findings[0].case

    def test_without_whole_numbers_in_its_text_a_missing_gradient_is_missing(self):
        class NoGradient:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout

        report = gradcheck.check(NoGradient, signature="(n,i),(i,o)->(n,o)", profile="quick")
        assert {finding.rule for finding in report.findings} >= {"GC102"}

    @pytest.mark.parametrize(
        ("said", "message"),
        [
            ({"convention": "layer objct"}, "convention: there is no convention 'layer objct'; .*mean layer object"),
            ({"convention": "function pair"}, "the class Masked is not in the convention 'function pair'"),
            ({"domains": {"x": "posit"}}, "domains says that x is 'posit', which is no domain; .*you mean positive"),
            ({"settings": {"rate": 0.5}}, r"settings speaks of 'rate', which Masked\(\) does not take"),
            ({"domains": ["x"]}, "domains is .* expected a domain for each input"),
            ({"constants": "keep"}, "constants is 'keep', expected a list of inputs"),
            ({"constants": ["kept"]}, "constants speaks of 'kept', .*did you mean keep"),
            ({"smallest": {"n": 1.5}}, "smallest is .* expected the smallest size"),
            ({"smallest": {"k": 2}, "signature": "(n),(n)"}, "smallest speaks of 'k', which is no dimension"),
            ({"domains": {"x": "real"}, "inputs": (1.0, 2.0)}, "both inputs and domains were given"),
            ({"constants": ["kept"], "inputs": (1.0, 2.0)}, "constants speaks of 'kept', which is none of the inputs"),
            ({"signature": "(n,i),(n,i)->(n,3)"}, r"says that forward gives \(n,3\), but .*\(3, 4\) at n=3 i=4"),
            ({"signature": "(n,i),(n,i)->(i,n)"}, "the signature says that forward gives"),
            ({"signature": "(n,i),(n,i)->(n,i),(n)"}, "the signature says that forward gives"),
        ],
    )  # fmt: skip
    def test_what_cannot_be_is_refused(self, said, message):
        with pytest.raises(UsageError, match=message):
            gradcheck.check(Masked, **said)


class Scaled:
    def __init__(self, W: Annotated[np.ndarray, "(i,o)"]) -> None:
        self.W = W

    def forward(self, x: Annotated[np.ndarray, "n i"]) -> Annotated[np.ndarray, "(n,o)"]:
        self.x = x
        return x @ self.W

    def backward(self, dout):
        self.dW = self.x.T @ dout
        return dout @ self.W.T


class Rows(Scaled):
    def forward(self, x: Float[Array, "n i"]) -> Float[Array, "n o"]:  # noqa: F722, F821
        return super().forward(x)


class WrongRows(Rows):
    def backward(self, dout):
        return super().backward(dout) * 2.0


class Table:
    def __init__(self, size, width):
        self.W = np.sin(np.arange(size * width)).reshape(size, width)

    def forward(self, x: Int[Array, "n t"]) -> Float[Array, "n t o"]:  # noqa: F722, F821
        self.x = x
        return self.W[x]

    def backward(self, dout):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.x, dout)


class Misread(Scaled):
    def forward(self, x: Float[Array, "i n"]) -> Float[Array, "n o"]:  # noqa: F722, F821
        return super().forward(x)


class Misgiven(Scaled):
    def forward(self, x: Float[Array, "n i"]) -> Float[Array, "n i"]:  # noqa: F722, F821
        return super().forward(x)


class Told(Scaled):
    def forward(self, x: Annotated[np.ndarray, "the input"]) -> Annotated[np.ndarray, "what comes out"]:
        return super().forward(x)


class Squares:
    """A loss whose target has a name that says nothing."""

    def forward(self, x, z):
        self.d = x - z
        return np.sum(self.d**2)

    def backward(self, dout=1.0):
        return 2.0 * dout * self.d


def test_what_no_name_calls_a_target_is_one_only_of_a_loss():
    (subject,) = gradcheck.check(Squares, signature="(n,i),(n,i)->()", profile="quick")
    assert subject.verdict == "pass"
    (subject,) = gradcheck.check(Masked, signature="(n),(n)->(n)", profile="quick")
    assert subject.verdict == "fail"


class Cell:
    def __init__(self, Wx, Wh):
        self.Wx, self.Wh = Wx, Wh

    def forward(self, x, h=None):
        self.x, self.h = x, np.zeros((len(x), len(self.Wh))) if h is None else h
        self.out = np.tanh(self.x @ self.Wx + self.h @ self.Wh)
        return self.out

    def backward(self, dout):
        d = dout * (1 - self.out**2)
        self.dWx, self.dWh = self.x.T @ d, self.h.T @ d
        return d @ self.Wx.T, d @ self.Wh


def test_what_is_said_of_an_optional_input_asks_for_it():
    said = {"signature": "(n,i),(n,o),(i,o),(o,o)->(n,o)", "domains": {"h": "real"}, "profile": "quick"}
    (subject,) = gradcheck.check(Cell, **said)
    assert (subject.verdict, {finding.argument for finding in subject.findings}) == ("fail", {"h"})  # for Wh.T


def test_settings_that_do_not_exist_and_those_given_by_position():
    with pytest.raises(UsageError, match=r"settings speaks of 'reapeat', which Grid\(.*\) does not take.*mean repeat"):
        gradcheck.check(Grid, settings={"reapeat": 2})
    points = Points.of("Scaled", Scaled, hints=Hints(signature="(n,i)->(n,o)", settings=["(i,o)"]))
    assert str(points.plan.signature) == "(n,i),(i,o)->(n,o)"
    points = Points.of("Grid", Grid, hints=Hints(signature="(n,l)", settings=[("l",), 2.5, "1|2"]))
    assert hints_of(points.plan).settings == (("l",), 2.5, "1|2")


class TestAnnotations:
    @pytest.mark.parametrize(
        ("annotation", "expected"),
        [
            (Annotated[np.ndarray, "(n, 2*i)"], Stated(("n", "2*i"))),
            (Annotated[np.ndarray, 3, "()"], Stated(())),
            (Annotated[np.ndarray, "n 3"], Stated(("n", 3))),
            ("Annotated[np.ndarray, '(batch, channels)']", Stated(("batch", "channels"))),
            ("typing.Annotated[np.ndarray, 'n i']", Stated(("n", "i"))),
            ('Float[Array, "batch i+h"]', Stated(("batch", "i+h"))),
            ('jaxtyping.UInt8[np.ndarray, "#n rows=t"]', Stated(("n", "t"), whole=True)),
            ('Float[Array, ""]', Stated(())),
            (type("Float", (), {"dim_str": "n i", "dtypes": ["float32", "float64"]}), Stated(("n", "i"))),
            (type("Int", (), {"dim_str": "n t", "dtypes": ("int32", "int64")}), Stated(("n", "t"), whole=True)),
            (type("Shaped", (), {"dim_str": "n", "dtypes": object()}), Stated(("n",))),
            ("Annotated[np.ndarray, 'the input']", None),
            ("Annotated[np.ndarray, 'x, of shape (n,i)']", None),
            ('Float[Array, "*batch i"]', None),
            ('Float[Array, "... i"]', None),
            ('Float[Array, "n-1"]', None),
            ('Float[Array, "_ i"]', None),
            ("np.ndarray", None),
            ("np.ndarray[", None),
            ("Literal['n', 'i']", None),
            (np.ndarray, None),
        ],
    )
    def test_each_form(self, annotation, expected):
        def forward(x):
            return x

        forward.__annotations__ = {"x": annotation}
        assert annotations_of(forward).forward.get("x") == expected

    def test_all_that_is_stated(self):
        found = annotations_of(Scaled)
        assert found.constructor == {"W": Stated(("i", "o"))}
        assert found.outputs == (Stated(("n", "o")),)
        assert annotations_of(Scaled(np.eye(2))).forward == found.forward
        assert annotations_of(np.sin) == annotations_of(None) == annotations_of(3) == annotations_of(Hints())

    def test_several_outputs_before_a_cache(self):
        def forward(x) -> "tuple[Float[A, 'n h'], Float[A, 'n c'], dict]":  # noqa: F722, F821, UP037
            return x

        assert [shape.dims for shape in annotations_of((forward, forward)).outputs] == [("n", "h"), ("n", "c")]

    @pytest.mark.parametrize(
        ("layer", "verdict", "signature"),
        [
            (Scaled, "pass", "(n,i),(i,o)->(n,o)"),
            (Rows, "pass", "(n,i),(i,o)->(n,o)"),
            (WrongRows, "fail", "(n,i),(i,o)->(n,o)"),
            (Table, "pass", "(n,t)->(n,t,o)"),
            (Told, "pass", "(n,i),(i,o)->(n,o)"),
        ],
    )
    def test_they_are_the_signature(self, layer, verdict, signature):
        (subject,) = gradcheck.check(layer, profile="quick")
        assert (subject.verdict, subject.signature) == (verdict, signature)

    def test_what_does_not_run_as_stated_is_refused(self):
        with pytest.raises(
            UsageError, match=r"does not run with the annotated shapes .*x: \(i,n\).*mend the annotations"
        ):
            gradcheck.check(Misread)
        with pytest.raises(
            UsageError, match=r"the return annotation says that forward gives \(n,i\), but it gives \(3, 5\)"
        ):
            gradcheck.check(Misgiven)

    def test_a_signature_overrides_them(self):
        report = gradcheck.check(Misread, signature="(n,i),(i,o)", profile="quick")
        assert (report.verdict, report.subjects[0].signature) == ("pass", "(n,i),(i,o)->(n,o)")


class TestFile:
    @pytest.fixture(autouse=True)
    def file(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        return tmp_path / "pyproject.toml"

    @pytest.mark.parametrize(
        ("line", "message"),
        [
            ("setings = {}", "has an unknown key: setings to fix it: did you mean settings?"),
            ("signature = 3", "signature in .* is 3, expected text in gufunc notation to fix it: write signature ="),
            ('signature = "n,i"', "signature in .*Relu.*: cannot read the signature 'n,i'"),
            ('settings = "i"', "settings in .* is 'i', expected arguments of the constructor by name"),
            ('domains = { x = "positve" }', "domains in .* says that x is 'positve', .* did you mean positive?"),
            ('constants = "t"', "constants in .* is 't', expected a list of inputs"),
            ("smallest = { n = -1 }", "smallest in .* expected the smallest size"),
            ('convention = "layer-objcet"', "convention in .*: there is no convention .* did you mean layer object?"),
            ("skip = true", "skip in .* is True, expected the reason in words"),
        ],
    )
    def test_what_is_wrong_is_a_usage_error_with_the_place(self, file, folder, run, line, message):
        file.write_text(f"[tool.gradcheck.layers.Relu]\n{line}\n", encoding="utf-8")
        code, out, err = run(f"{folder / 'layers.py'}::Affine")
        assert (code, out) == (2, "")
        assert re.search(message.replace("?", r"\?"), " ".join(err.split()))

    def test_rules_and_hints_stand_together_and_arguments_lie_over_them(self, file):
        file.write_text(
            '[tool.gradcheck.layers."tests.*"]\nignore = ["GC2"]\n'
            '[tool.gradcheck.layers."*.Masked"]\nconstants = ["keep"]\nsignature = "(n,i,j),(n,i,j)"\n',
            encoding="utf-8",
        )
        (subject,) = gradcheck.check(Masked, config=file, profile="quick")
        assert (subject.verdict, subject.signature) == ("pass", "(n,i,j),(n,i,j)->(n,i,j)")
        (subject,) = gradcheck.check(Masked, config=file, signature="(n),(n)", profile="quick")
        assert (subject.verdict, subject.signature) == ("pass", "(n),(n)->(n)")
        assert gradcheck.check(Masked, signature="(n),(n)", profile="quick").verdict == "fail"

    def test_a_layer_that_is_to_be_skipped(self, file, folder, run):
        file.write_text('[tool.gradcheck.layers.Odd]\nskip = "needs a recipe"\n', encoding="utf-8")
        code, out, _ = run(folder / "odd.py", "--strict")
        assert code == 2
        assert "Odd   unchecked   skipped: needs a recipe\n" in out
        code, out, _ = run(folder / "odd.py", f"{folder / 'layers.py'}::scale", "--strict", "--profile", "quick")
        assert code == 0
        assert "1 pass, 0 fail, 1 unchecked" in out
        assert run("infer", folder / "odd.py", "--format", "toml")[1].startswith("# Odd: skipped: needs a recipe")


@pytest.mark.parametrize(
    "said",
    [
        Hints(signature="(n)", settings={"mode": 'a "quoted" \\ line\n', "größe": (1, (2.5, True)), "x-y": {"k": -1}}),
        Hints(
            settings={"not a name": 1, "eps": 1e-05}, domains={"x": "below 2*h", "flag": False}, constants=("t", "u")
        ),
    ],
)
def test_both_forms_read_back_as_what_was_written(said):
    assert (
        eval(as_python("0", said).replace("gradcheck.check", "dict").replace("0, ", "").replace("    0,\n", ""))
        == said.given()
    )

    def lists(value):
        if isinstance(value, dict):
            return {key: lists(item) for key, item in value.items()}
        return [*map(lists, value)] if isinstance(value, tuple) else value

    assert tomllib.loads(as_toml("a.b", said))["tool"]["gradcheck"]["layers"] == {"a.b": lists(said.given())}
    assert read_hints(said.given(), str) == said
