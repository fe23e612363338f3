"""The tester tested, with no configuration: every wrong layer fails with its own rule, no right layer ever does.

A seed or two as a rule; ``GRADCHECK_SEEDS=200`` tries two hundred of them.
"""

import os

import pytest

import gradcheck
import layers
from tests.faulty import FAULTY, RIGHT

# A layer that fails is shrunk, located and diagnosed, and costs ten times as much as one that passes.
SEEDS_OF_WRONG = range(int(os.environ.get("GRADCHECK_SEEDS", "1")))
SEEDS_OF_RIGHT = range(int(os.environ.get("GRADCHECK_SEEDS", "2")))
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


@pytest.mark.parametrize(("layer", "rule", "kind"), FAULTY, ids=name_of)
def test_wrong_layers_fail_with_their_own_rule(layer, rule, kind):
    for seed in SEEDS_OF_WRONG:
        report = gradcheck.check(layer, seed=seed)
        assert report.verdict == "fail", said(report)
        assert rule in {finding.rule for finding in report.findings if finding.level == "error"}, said(report)


@pytest.mark.parametrize("layer", RIGHT, ids=name_of)
def test_right_twins_pass(layer):
    for seed in SEEDS_OF_RIGHT:
        report = gradcheck.check(layer, seed=seed)
        assert report.verdict == "pass", said(report)
        assert not [finding for finding in report.findings if finding.level == "error"], said(report)


@pytest.mark.parametrize("layer", REFERENCE, ids=name_of)
def test_reference_layers_pass_without_a_word(layer):
    for seed in SEEDS_OF_RIGHT:
        report = gradcheck.check(layer, seed=seed)
        assert report.verdict == "pass", said(report)
        assert not report.findings, said(report)
