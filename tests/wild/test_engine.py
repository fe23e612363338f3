"""Nodes of a tensor engine, run through the engine's own call: found in a file, judged rightly."""

import pathlib

import pytest

from gradcheck.api import check_targets
from tests.wild.twins import with_defects

RIGHT = pathlib.Path(__file__).parent / "engine_right.py"
NODES = {"Add": "GC101", "Mul": "GC101", "Neg": "GC101", "Square": "GC101", "Scale": "GC401"}


DEFECTS = {
    "Add": ("return gy, gy", "return gy, -gy"),
    "Mul": ("return gy * b, gy * a", "return gy * a, gy * b"),
    "Neg": ("return -gy", "return gy"),
    "Square": ("return x * gy + x * gy", "return x * gy"),
    "Scale": ("gy = gy * Variable(np.array(self.factor))", "gy = gy * gy * Variable(np.array(self.factor))"),
}


@pytest.fixture(scope="module")
def subjects(tmp_path_factory):
    wrong = tmp_path_factory.mktemp("wild") / "engine_wrong.py"
    wrong.write_text(with_defects(RIGHT.read_text(encoding="utf-8"), DEFECTS), encoding="utf-8")
    return {
        kind: {s.name: s for s in check_targets([str(path)], profile="quick").subjects}
        for kind, path in (("right", RIGHT), ("wrong", wrong))
    }


@pytest.mark.parametrize("name", NODES)
def test_a_right_node_passes(subjects, name):
    subject = subjects["right"][name]
    assert (subject.verdict, subject.convention) == ("pass", "node of a tensor engine"), subject
    assert max(subject.resolution.values()) < 1e-6
    assert {finding.rule for finding in subject.findings} <= {"GC205", "GC206"}


@pytest.mark.parametrize("name", NODES)
def test_a_wrong_node_fails(subjects, name):
    subject = subjects["wrong"][name]
    assert subject.verdict == "fail"
    assert NODES[name] in {finding.rule for finding in subject.findings if finding.level == "error"}


def test_what_is_no_node_is_not_checked(subjects):
    assert subjects["right"].keys() == {*NODES, "Variable"}
    assert subjects["right"]["Variable"].verdict == "unchecked"
    assert "gradcheck.through(f, Variable)" in subjects["right"]["Variable"].fix
