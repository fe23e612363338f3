"""The main job: the user's own notebook as it stands, then without its wrong layers, and our own layers."""

import json
import os
from pathlib import Path

import pytest

from gradcheck.api import check_targets
from gradcheck.cli import main

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "tests" / "examples" / "notebook.ipynb"
SEED_NOTEBOOK = ROOT.parent / "shared" / "seed" / "notebook.ipynb"
SEEDS = range(int(os.environ.get("GRADCHECK_SEEDS", "1")))


@pytest.fixture
def run(capsys):
    def run_it(*arguments):
        with pytest.raises(SystemExit) as exit_:
            main([str(argument) for argument in arguments])
        return exit_.value.code, capsys.readouterr().out

    return run_it


def test_the_example_is_the_notebook_as_it_stands():
    if not SEED_NOTEBOOK.exists():
        pytest.skip("the user's own notebook is not beside this checkout")
    assert NOTEBOOK.read_bytes() == SEED_NOTEBOOK.read_bytes()


@pytest.mark.parametrize("seed", SEEDS)
def test_the_notebook(run, seed):
    code, out = run(NOTEBOOK, "--format", "json", "--seed", seed)
    report = json.loads(out)
    subjects = {subject["name"]: subject for subject in report["subjects"]}
    findings = {name: {(f["rule"], f["argument"]): f for f in s["findings"]} for name, s in subjects.items()}
    assert code == 1
    assert (report["schema"], report["verdict"], report["seed"]) == (1, "fail", seed)
    verdicts = {name: subject["verdict"] for name, subject in subjects.items()}
    right, wrong = dict.fromkeys(["MulLayer", "AddLayer"], "pass"), dict.fromkeys(["Relu", "Sigmoid", "Affine"], "fail")
    assert verdicts == right | wrong
    assert findings["MulLayer"] == findings["AddLayer"] == {}

    assert findings["Relu"].keys() == {("GC201", "dout"), ("GC103", "x")}
    assert findings["Relu"]["GC103", "x"]["formula"] == "dout * (x > 0)"
    assert findings["Relu"]["GC201", "dout"]["location"] | {"file": ""} == {"file": "", "cell": 5, "line": 18}

    assert findings["Sigmoid"].keys() == {("GC602", None)}
    (raised,) = findings["Sigmoid"].values()
    assert "TypeError" in raised["message"]
    assert (raised["location"]["cell"], raised["location"]["line"]) == (6, 10)
    assert raised["formula"] == "dout * out * (1 - out)"

    assert {argument for _, argument in findings["Affine"]} == {"W", None}
    assert findings["Affine"]["GC101", "W"]["formula"] == "X.T @ dout"
    assert findings["Affine"]["GC101", "W"]["location"]["cell"] == 7
    assert "ValueError" in findings["Affine"]["GC602", None]["message"]
    assert subjects["Affine"]["resolution"].keys() >= {"X", "B"}
    assert subjects["Affine"]["signature"] == "(n,i),(i,o),(o)->(n,o)"

    for found in (f for table in findings.values() for f in table.values()):
        sizes = [int(word.partition("=")[2]) for word in found["case"].split() if not word.startswith("seed=")]
        assert max(sizes) <= 2


def test_a_finding_replays(run):
    code, out = run(f"{NOTEBOOK}::Affine", "--format", "json")
    found = next(f for s in json.loads(out)["subjects"] for f in s["findings"] if f["rule"] == "GC101")
    code, out = run(f"{NOTEBOOK}::Affine", "--format", "json", "--case", found["case"])
    again = next(f for s in json.loads(out)["subjects"] for f in s["findings"] if f["rule"] == "GC101")
    assert code == 1
    assert again == found


def test_the_right_half_of_the_notebook(run, tmp_path):
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    notebook["cells"] = notebook["cells"][:4]
    half = tmp_path / "half.ipynb"
    half.write_text(json.dumps(notebook), encoding="utf-8")
    code, out = run(half)
    assert code == 0
    assert "2 pass, 0 fail, 0 unchecked" in out


@pytest.mark.parametrize("seed", SEEDS)
def test_the_gate(seed):
    import layers

    report = check_targets([str(ROOT / "layers")], seed=seed)
    assert {subject.name for subject in report} == set(layers.__all__)
    assert [subject.verdict for subject in report] == ["pass"] * len(layers.__all__)
    assert report.findings == ()


def test_the_gate_passes(run):
    assert run(ROOT / "layers", "--strict")[0] == 0
