"""A hand-made report on a notebook like the seed's, with one layer of every verdict and findings with every field."""

import pytest

from gradcheck.records import Finding, Location, Report, SubjectReport

RIGHT = SubjectReport(
    name="MulLayer",
    target="deep notes.ipynb::MulLayer",
    verdict="pass",
    convention="layer object",
    signature="(),()->()",
    cases=24,
    forwards=96,
    backwards=48,
    resolution={"x": 3e-13, "y": 1.25e-14},
    rules=("GC101", "GC102", "GC103"),
)
RELU = SubjectReport(
    name="Relu",
    target="deep notes.ipynb::Relu",
    verdict="fail",
    cases=1,
    findings=(
        Finding(
            rule="GC201",
            level="error",
            message="backward overwrote its argument dout",
            location=Location("deep notes.ipynb", line=20, cell=5, text="dx = dout[self.mask] = 0"),
            case="seed=0",
        ),
        Finding(
            rule="GC103",
            level="error",
            message="backward returned int 0, expected an array shaped like x (1, 1)",
            argument="x",
            location=Location("deep notes.ipynb", line=20, cell=5, text="dx = dout[self.mask] = 0"),
            case="seed=0",
            diagnosis=("the chained assignment binds dx to the constant 0",),
            formula="dout * (x > 0)",
        ),
    ),
)
AFFINE = SubjectReport(
    name="Affine",
    target="deep notes.ipynb::Affine",
    verdict="fail",
    signature="(n,i),(i,o),(o)->(n,o)",
    findings=(
        Finding(
            rule="GC602",
            level="error",
            message="backward raised ValueError: matmul: Input operand 1 has a mismatch in its core dimension 0",
            location=Location("deep notes.ipynb", line=30, cell=7, text="self.dW = np.dot(dout, self.X)"),
            case="n=1 i=2 o=1 seed=0",
        ),
        Finding(
            rule="GC101",
            level="error",
            message="dW is wrong",
            argument="W",
            case="n=2 i=2 o=1 seed=3",
            analytic=-1.25,
            numeric=0.5,
            error_bar=3.0249e-15,
            index=(0, 0),
            diagnosis=("looks like a transposed factor",),
            formula="X.T @ dout",
        ),
        Finding(
            rule="GC204",
            level="warning",
            message="forward keeps X by reference",
            argument="X",
            case="n=2 i=2 o=1 seed=3",
        ),
        Finding(rule="GC999", level="off", message="nobody asked for this", case="n=2 i=2 o=1 seed=3"),
    ),
)
SOFTMAX = SubjectReport(
    name="Softmax",
    target="deep notes.ipynb::Softmax",
    verdict="unchecked",
    reason="forward accepted none of 40 trial shapes",
    fix='give its shapes: --signature "(n,c)->(n,c)"',
)
STEP = SubjectReport(
    name="Step", target="deep notes.ipynb::Step", verdict="inconclusive", reason="every point lay on a kink"
)


@pytest.fixture
def report():
    return Report(seed=0, subjects=(RIGHT, RELU, AFFINE, SOFTMAX, STEP), version="0.1.0")


@pytest.fixture(autouse=True)
def _no_colour_from_outside(monkeypatch):
    for name in ("NO_COLOR", "FORCE_COLOR", "TERM"):
        monkeypatch.delenv(name, raising=False)
