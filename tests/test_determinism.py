"""One seed, one report: whatever the hash seed, the number of threads, the Python or the NumPy.

The bytes are the same on one machine. On another, sums may be rounded otherwise in the last digit, and with them the
size of an error bar (which is a sample of that rounding); what was decided, where and at which case may not differ.
To renew the golden file: ``GRADCHECK_RENEW=1 pytest tests/test_determinism.py``, and read the difference.
"""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
GOLDEN = ROOT / "tests" / "golden" / "decided.json"
TARGETS = ("layers", "tests/examples/notebook.ipynb")


@functools.cache
def report(*targets, seed=5, **environment):
    command = [sys.executable, "-m", "gradcheck", *targets, "--format", "json", "--seed", str(seed)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr.decode()
    return done.stdout


def decided(text):
    """Leave out what is a sample of rounding."""
    subjects = json.loads(text)["subjects"]
    for subject in subjects:
        for name in ("resolution", "element_resolution", "forwards", "backwards"):
            del subject[name]
        for finding in subject["findings"]:
            for name in ("analytic", "numeric", "error_bar", "diagnosis"):
                del finding[name]
    return subjects


@pytest.mark.parametrize("threads", ["1", "4"])
def test_the_same_bytes_with_other_threads_and_hashes(threads):
    variables = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), threads)
    assert report(*TARGETS, **variables, PYTHONHASHSEED=threads) == report(*TARGETS)


def test_the_same_decisions_everywhere():
    found = decided(report(*TARGETS))
    if os.environ.get("GRADCHECK_RENEW"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    assert found == json.loads(GOLDEN.read_text(encoding="utf-8"))


def test_another_seed_is_another_report():
    first, second = report("layers", seed=5), report("layers", seed=6)
    assert decided(first)
    assert first != second
