"""Files as they are found: scripts that train, packages that are not installed, names that clash, loops without end."""

import logging
import os
import random
import signal
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from gradcheck import api
from gradcheck.subject import absent, limit
from gradcheck.subject.discover import discover

LAYER = """
class {0}:
    def forward(self, x):
        self.x = x
        return {1}

    def backward(self, dout):
        return {2}
"""
SCALE = LAYER.format("Scale", "x * rate", "dout * rate")
SQUARE = LAYER.format("Square", "x * x", "2 * dout * self.x")


@pytest.fixture(autouse=True)
def modules_as_they_were():
    before = dict(sys.modules)
    yield
    for name in sys.modules.keys() - before:
        del sys.modules[name]
    sys.modules.update(before)


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """Write files below the working directory, a fresh one."""
    monkeypatch.chdir(tmp_path)

    def tree(files):
        for name, text in files.items():
            path = Path(name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")

    return tree


def verdicts(*targets):
    report = api.check_targets(list(targets), profile="quick", signature="(n)->(n)")
    return {subject.target: subject.verdict for subject in report}, report


def reason(target):
    (subject,) = api.check_targets([target], profile="quick", signature="(n)->(n)")
    assert subject.verdict == "unchecked"
    return subject.reason, subject.fix


# Scripts


TRAINING = """
import argparse, os, sys, time
import numpy as np
parser = argparse.ArgumentParser()
parser.add_argument("data")
args = parser.parse_args()
name = input("name? ")
data = open("data.csv").read()
if len(sys.argv) < 2:
    sys.exit("usage: train.py data")
os.makedirs("results", exist_ok=True)
open("results/log.txt", "w").write("started")
time.sleep(1000)
rate = 0.5
"""


def test_a_script_is_run_for_its_definitions(tree):
    tree({"train.py": TRAINING + SCALE + "while True:\n    Scale()\n" + SQUARE + "Square().forward(data)\n"})
    found, report = verdicts("train.py")
    assert found == {"train.py::Scale": "pass", "train.py::Square": "pass"}
    (note,) = report.notes
    assert note.startswith("train.py: only definitions were run, not 'parser.add_argument(\"data\")' (train.py:5, and ")
    assert not Path("results").exists()


def test_a_wrong_layer_in_a_script_is_still_wrong(tree):
    tree({"train.py": TRAINING + LAYER.format("Scale", "x * rate", "dout + rate") + "while True: pass\n"})
    assert verdicts("train.py")[0] == {"train.py::Scale": "fail"}


@pytest.mark.parametrize(
    ("rate", "why"),
    [
        ("rate = float(input())", "a.py:2 raised EOFError: EOF when reading a line"),
        ("rate = len(open('data.csv').read())",
         "a.py:2 raised FileNotFoundError: [Errno 2] No such file or directory: 'data.csv'"),
        ("for rate in range(3): pass",
         "`rate` is not defined: it comes from a.py:2, which is not run (only definitions are)"),
        ("rate = {}\nfor k in range(3): rate[k] = k",
         "`rate` is not complete: it is changed at a.py:3, which is not run (only definitions are)"),
        ("import no_such_module as rate", "it needs no_such_module, which is not installed"),
        ("from no_such_module import rate", "it needs no_such_module, which is not installed (no_such_module.rate)"),
        ("from no_such_module import *", "it needs no_such_module, which is not installed"),
        ("from b import rate", "b.py:1 raised ZeroDivisionError: division by zero"),
        ("from b import *", "b.py:1 raised ZeroDivisionError: division by zero"),
        ("import b\nclass R: __rmul__ = lambda self, x: b.rate * x\nrate = R()",
         "b.py:1 raised ZeroDivisionError: division by zero"),
    ],
)  # fmt: skip
def test_what_is_needed_and_not_there_is_said(tree, rate, why):
    tree({"a.py": f"print('training')\n{rate}\n" + SCALE + SQUARE, "b.py": "rate = 1 / 0\nother = 3\n"})
    told, fix = reason("a.py::Scale")
    assert told == why
    assert fix
    assert verdicts("a.py")[0] == {"a.py::Scale": "unchecked", "a.py::Square": "pass"}


def test_a_table_that_is_filled_by_calls_is_filled(tree):
    tree({"a.py": "print(1)\nrates = []\nrates.append(3)\nrates.extend([4])\n"
                  + LAYER.format("Scale", "x * rates[1]", "dout * rates[1]")})  # fmt: skip
    assert verdicts("a.py")[0] == {"a.py::Scale": "pass"}


def test_what_a_loop_calls_does_not_change_numpy(tree):
    tree({"a.py": "import numpy as np\nx = np.ones(3)\nfor k in range(3):\n    np.add(x, x, out=x)\n"
                  + LAYER.format("Exp", "np.exp(x)", "dout * np.exp(self.x)")})  # fmt: skip
    assert verdicts("a.py")[0] == {"a.py::Exp": "pass"}


def test_a_package_may_set_itself_up(tree):
    tree({
        "dez/__init__.py": "from dez.core import set_up, Number\nset_up()\n",
        "dez/core.py": "class Number:\n    pass\n\ndef set_up():\n    Number.scale = lambda self, x: 2 * x\n",
        "step.py": "from dez import Number\n" + LAYER.format("Two", "Number().scale(x)", "Number().scale(dout)"),
    })  # fmt: skip
    assert verdicts("step.py")[0] == {"step.py::Two": "pass"}


def test_an_import_without_end_is_interrupted(tree, monkeypatch):
    monkeypatch.setattr(limit, "STATEMENT_SECONDS", 0.05)
    tree({"a.py": "def spin():\n    while True: pass\nrate = spin()\n" + SCALE + SQUARE})
    assert verdicts("a.py")[0] == {"a.py::Scale": "unchecked", "a.py::Square": "pass"}
    told, _ = reason("a.py::Scale")
    assert told == "a.py:2 raised HungError: interrupted after 0.05 s"


# Packages that are not installed


def test_decorators_of_what_is_not_installed_change_nothing(tree):
    head = "from no_numba import njit, jit\nimport no_torch\nfrom no_tqdm import tqdm\nimport no_plot.pyplot as plt\n"
    tree({"a.py": head + "@njit\ndef f(x): return 2 * x\n\n@jit(nopython=True, cache=True)\ndef g(x): return 2 * x\n"
                  "device = 'cuda' if no_torch.cuda.is_available() else 'cpu'\nplt.style.use('x')\n"
                  + LAYER.format("Two", "None if isinstance(x, no_torch.Tensor) else f(x)", "g(dout)")})  # fmt: skip
    found, report = verdicts("a.py")
    assert found == {"a.py::Two": "pass"}
    assert report.notes == ("a.py: stand-ins took the place of no_numba, no_plot, no_torch, no_tqdm: not installed",)


@pytest.mark.parametrize(
    ("body", "package"),
    [
        ("[k for k in lib.tqdm(range(3))] and x", "lib"),
        ("lib.add(x, x)", "lib"),
        ("x * lib.pi", "lib"),
        ("x.astype(lib.float32)", "lib"),
        ("x if lib.config else x", "lib"),
        ("__import__('no_such_thing').f(x)", "no_such_thing"),
    ],
)
@pytest.mark.parametrize("half", ["forward", "backward"])
def test_a_layer_that_uses_what_is_not_installed_is_unchecked(tree, body, package, half):
    halves = (body, "dout") if half == "forward" else ("x", body.replace("x", "dout", 1) if body[0] == "x" else body)
    tree(
        {
            "a.py": "import lib_that_is_not as lib\n"
            + LAYER.format("A", *halves).replace("(self, dout)", "(self, dout, x=1)")
        }
    )
    package = {"lib": "lib_that_is_not"}.get(package, package)
    told, fix = reason("a.py")
    assert told.startswith(f"it needs {package}, which is not installed")
    assert fix.startswith(f"pip install {package}")


def test_an_optional_import_falls_back_as_it_was_meant_to(tree):
    tree({"a.py": "try:\n    import no_cupy as xp\nexcept ImportError:\n    import numpy as xp\n"
                  + LAYER.format("Exp", "xp.exp(x)", "dout * xp.exp(self.x)")})  # fmt: skip
    found, report = verdicts("a.py")
    assert (found, report.notes) == ({"a.py::Exp": "pass"}, ())


def test_an_optional_import_that_leaves_nothing_is_missed_only_where_it_is_used(tree):
    tree({"pkg/__init__.py": "", "pkg/a.py":
          "try:\n    from .fast_cython import scale\n    import no_cupy\n    HAVE = True\nexcept ImportError:\n"
          "    HAVE = False\n" + LAYER.format("Fast", "2 * x", "scale(dout)")
          + LAYER.format("Slow", "scale(x) if HAVE else 2 * x", "scale(dout) if HAVE else 2 * dout")})  # fmt: skip
    assert verdicts("pkg/a.py")[0] == {"pkg/a.py::Fast": "unchecked", "pkg/a.py::Slow": "pass"}
    assert reason("pkg/a.py::Fast")[0] == "it needs fast_cython.scale, which this project does not have as Python"


def test_what_only_the_main_block_defines_is_said_to_be_there(tree):
    tree({"a.py": "if __name__ == '__main__':\n    rate = 2\n" + SCALE.replace("\n", "\n    ") + "\n" + SQUARE})
    assert verdicts("a.py")[0] == {"a.py::Scale": "unchecked", "a.py::Square": "pass"}
    assert reason("a.py::Scale")[0] == (
        "`Scale` is not defined: it comes from a.py:4, which is not run (only definitions are)"
    )


def test_distributions_have_other_names_than_modules():
    assert absent.needs("cv2")[1].startswith("pip install opencv-python,")


# Roots and names


def test_where_imports_are_found(tree):
    functions = "def double(x):\n    return 2 * x\n"
    layer = LAYER.format("Two", "double(x)", "double(dout)")
    tree({
        "book/common/functions.py": functions,
        "book/ch05/deep/a.py": "from common.functions import *\n" + layer,
        "book/requirements.txt": "",
        "src/pkg/__init__.py": "",
        "src/pkg/functions.py": functions,
        "src/pkg/layers/__init__.py": "from .a import *\n",
        "src/pkg/layers/a.py": "from ..functions import double\n" + layer,
        "bare/sub/a.py": "from .functions import double\n" + layer,
        "bare/sub/functions.py": functions,
        "bare/sub/deep/a.py": "from ..functions import double\n" + layer,
        "tools/src_user.py": "from pkg.functions import double\n" + layer,
        "flat/a.py": "import functions as F\n" + layer.replace("double", "F.double"),
        "flat/functions.py": functions,
        "lazy/a.py": layer.replace("return double", "from functions import double\n        return double"),
        "lazy/functions.py": functions,
        "pyproject.toml": "",
    })  # fmt: skip
    found, report = verdicts(".")
    assert {subject.target: subject.reason for subject in report if subject.verdict != "pass"} == {}
    assert len(found) == 7
    assert verdicts("tools/src_user.py")[0] == {"tools/src_user.py::Two": "pass"}


def test_a_module_may_choose_what_numpy_is(tree):
    tree({
        "common/np.py": "from common.config import GPU\nif GPU:\n    import no_cupy as np\n    print('GPU mode')\n"
                        "else:\n    import numpy as np\n",
        "common/config.py": "GPU = False\n",
        "common/layers.py": "from common.np import *\n" + LAYER.format("Exp", "np.exp(x)", "dout * np.exp(self.x)"),
        "ch1/a.py": "import sys\nsys.path.append('..')\nfrom common.layers import *\n"
                    + LAYER.format("Both", "Exp().forward(x)", "dout * np.exp(self.x)"),
    })  # fmt: skip
    assert verdicts(".")[0] == {"ch1/a.py::Both": "pass", "common/layers.py::Exp": "pass"}


def test_modules_of_one_name_do_not_mix(tree):
    tree({
        "one/layers.py": "rate = 2\n" + SCALE,
        "one/a.py": "from layers import rate\n" + SCALE,
        "two/layers.py": "rate = 3\n" + LAYER.format("Scale", "x * rate", "dout * 2"),
        "two/a.py": "from layers import rate\n" + LAYER.format("Scale", "x * rate", "dout * 2"),
        "three/click.py": "rate = 2\n",  # of an installed package that gradcheck uses itself
        "three/json.py": "rate = 2\n",
        "three/a.py": "from click import rate\n" + SCALE,
    })  # fmt: skip
    assert verdicts(".")[0] == {
        "one/a.py::Scale": "pass",
        "one/layers.py::Scale": "pass",
        "three/a.py::Scale": "pass",
        "two/a.py::Scale": "fail",
        "two/layers.py::Scale": "fail",
    }


def test_a_package_of_another_folder_is_not_taken_for_one_that_is_none(tree):
    tree({
        "a2/cs/__init__.py": "",
        "a2/cs/layers.py": "rate = 2\n" + SCALE,
        "a3/cs/layers.py": "other = 3\n",
        "a3/cs/rnn.py": "from cs.layers import other as rate\n" + SCALE,
        "b/c/d.py": "from cs.layers import rate\n" + SCALE,  # which it cannot find from where it is
    })  # fmt: skip
    found, report = verdicts(".")
    assert found == {"a2/cs/layers.py::Scale": "pass", "a3/cs/rnn.py::Scale": "pass", "b/c/d.py::Scale": "unchecked"}
    assert report.subjects[-1].reason == "it needs cs, which is not installed (cs.layers.rate)"


def test_one_broken_file_costs_only_its_own_layers(tree):
    tree({"a.py": SQUARE, "b.py": "def backward(:\n", "c.py": "rate = 1 / 0\n" + SCALE,
          "e.py": "from b import x\n" + SQUARE, "pkg/__init__.py": "raise OSError", "pkg/d.py": SQUARE})  # fmt: skip
    found, _ = verdicts(".")
    assert found == {
        "a.py::Square": "pass", "b.py": "unchecked", "c.py::Scale": "unchecked", "e.py::Square": "pass",
        "pkg/d.py::Square": "pass",
    }  # fmt: skip


def test_names_that_python_has_retired_are_there(tree):
    tree({"a.py": "from collections import Hashable, Iterable\n" + SQUARE})
    assert verdicts("a.py")[0] == {"a.py::Square": "pass"}
    assert not hasattr(__import__("collections"), "Hashable")


# The process and the tree


RUDE = """
import atexit, builtins, logging, os, random, shutil, signal, sys, threading, time, warnings
import numpy as np

def everything(x=0):
    with open("written.txt", "w") as file: file.write("x")
    os.mkdir("made"); os.makedirs("made/deep", exist_ok=True); os.remove("kept.txt")
    np.save("array.npy", np.ones(3))
    os.environ["RUDE"] = "1"; os.environ.pop("KEPT", None)
    sys.path.insert(0, "rude"); os.chdir("/")
    np.random.seed(1); random.seed(1); np.seterr(all="raise"); np.set_printoptions(precision=1)
    warnings.simplefilter("error"); sys.setrecursionlimit(5000)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    logging.basicConfig(level=0, force=True); logging.error("x")
    atexit.register(everything)
    threading.Thread(target=threading.Event().wait).start()
    time.sleep(1000)
    print("loud"); print("loud", file=sys.stderr)
    return 2

"""


def state():
    return {
        "cwd": Path.cwd(), "path": list(sys.path), "environ": dict(os.environ), "numpy": np.geterr(),
        "printing": np.get_printoptions(), "recursion": sys.getrecursionlimit(), "random": random.getstate(),
        "draws": np.random.get_state()[1].tolist(), "sigterm": signal.getsignal(signal.SIGTERM),  # noqa: NPY002
        "warnings": list(__import__("warnings").filters), "logging": list(logging.getLogger().handlers),
        "level": logging.getLogger().level, "argv": sys.argv, "finders": list(sys.meta_path),
        "open": open, "sleep": time.sleep, "start": threading.Thread.start,
    }  # fmt: skip


def snapshot(folder):
    return {path: path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("layer", "verdict"),
    [
        ("rate = everything()\n" + SCALE, "pass"),
        (LAYER.format("Scale", "everything(x) * x", "everything() * dout"), "fail"),  # it seeds NumPy's generator
    ],
    ids=["while it is imported", "while it is checked"],
)
def test_the_process_and_the_tree_are_left_as_they_were(tree, tmp_path, monkeypatch, capfd, layer, verdict):
    monkeypatch.setenv("KEPT", "1")
    tree({"a.py": RUDE + "from helper import x\n" + layer, "helper.py": "x = 1\n", "kept.txt": "kept"})
    before, files, modules = state(), snapshot(tmp_path), set(sys.modules)
    found, _ = verdicts("a.py")
    assert found == {"a.py::Scale": verdict}
    assert state() == before
    assert snapshot(tmp_path) == files
    assert not [name for name in sys.modules.keys() - modules if name == "helper" or "target" in name]
    assert capfd.readouterr() == ("", "")
    assert all(thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread())


def test_temporary_files_and_reading_still_work(tree):
    tree({"a.py": "import tempfile\nfrom pathlib import Path\n"
                  "def three():\n    with tempfile.NamedTemporaryFile('w') as file:\n        file.write('3')\n"
                  "        file.flush()\n        return float(Path(file.name).read_text())\n"
                  "rate = three() + float(Path('two.txt').read_text())\n" + SCALE,
          "two.txt": "2"})  # fmt: skip
    (found,) = discover("a.py")
    assert found.obj().forward(2.0) == 10.0
