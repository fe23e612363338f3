"""The tester tested, with no configuration: every wrong layer fails with its own rule, no right layer ever does.

One seed as a rule, and another third of them for each Python and NumPy; ``GRADCHECK_SEEDS=200`` tries two hundred.
A layer that fails is shrunk, located and diagnosed, which costs ten times as much as finding the rule: here the rule
will do.
"""

import os

import pytest

import gradcheck
import layers
from benchmarks.corpus import rules_found
from tests.conftest import environment
from tests.faulty import FAULTY, RIGHT

SEEDS = range(int(os.environ.get("GRADCHECK_SEEDS", "1")))
PART = environment() % 3
REFERENCE = [getattr(layers, name) for name in layers.__all__]


def name_of(value):
    return getattr(value, "__name__", value)


def said(report):
    """Return what a failing test should show of a report."""
    (subject,) = report.subjects
    reason = f": {subject.reason} (to fix it: {subject.fix})" if subject.reason else ""
    lines = [f"{subject.name} {subject.verdict} with seed {report.seed}{reason}"]
    lines += [f"  {f.rule} {f.level} {f.argument or '-'}: {f.message} [{f.case}]" for f in report.findings]
    return "\n".join(lines)


@pytest.mark.parametrize(("layer", "rule", "kind"), FAULTY[PART::3], ids=name_of)
def test_wrong_layers_fail_with_their_own_rule(layer, rule, kind):
    for seed in SEEDS:
        found = rules_found(layer, seed, {})
        assert (rule, "error") in found, f"seed {seed}: {found}"


@pytest.mark.parametrize("layer", RIGHT[PART::3], ids=name_of)
def test_right_twins_pass(layer):
    for seed in SEEDS:
        report = gradcheck.check(layer, seed=seed)
        assert report.verdict == "pass", said(report)
        assert not [finding for finding in report.findings if finding.level == "error"], said(report)


@pytest.mark.parametrize("layer", REFERENCE, ids=name_of)
def test_reference_layers_pass_without_a_word(layer):
    for seed in SEEDS:
        report = gradcheck.check(layer, seed=seed)
        assert report.verdict == "pass", said(report)
        assert not report.findings, said(report)
