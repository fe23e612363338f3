"""The rules' own pages are true: the wrong example breaks that rule and no other, the near miss breaks none."""

import ast
import linecache
import re
import textwrap

import numpy as np
import pytest

import gradcheck
from benchmarks.corpus import rules_found
from gradcheck.rules.catalogue import CATALOGUE
from gradcheck.subject import limit


def example(code, heading):
    """Return what the code block under a heading of a page defines last."""
    page = CATALOGUE[code].page
    block = re.search(rf"^{heading}::\n\n((?:    .*\n|\n)+)", page + "\n", re.MULTILINE)
    assert block, f"the page of {code} has no block {heading}::"
    source = textwrap.dedent(block[1])
    name = f"<{code}, {heading.lower()}>"
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    namespace = {"np": np, "__name__": "page"}
    exec(compile(source, name, "exec"), namespace)
    (last,) = [node.name for node in ast.parse(source).body if isinstance(node, ast.ClassDef | ast.FunctionDef)][-1:]
    return namespace[last]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(limit, "SECONDS", 2.0)
    monkeypatch.setattr(limit, "AFTER_A_HANG", 0.05)


@pytest.mark.parametrize("code", CATALOGUE)
def test_the_wrong_example_breaks_the_rule_and_no_other(code):
    if code == "GC001":
        (subject,) = gradcheck.check(example(code, "Wrong")).subjects
        assert subject.verdict == "unchecked"
        assert subject.reason.startswith("GC001")
    else:  # without what it costs to shrink and explain it
        assert rules_found(example(code, "Wrong"), 0, {}) == {(code, CATALOGUE[code].level)}


@pytest.mark.parametrize("code", CATALOGUE)
def test_the_near_miss_passes_without_a_word(code):
    report = gradcheck.check(example(code, "Not flagged"))
    assert report.verdict == "pass", (report.subjects[0].reason, report.findings)
    assert not report.findings


@pytest.mark.parametrize("code", CATALOGUE)
def test_a_page_says_what_to_do(code):
    page = CATALOGUE[code].page
    assert page.startswith(f"{code}: ")
    assert "\nTo mend it, " in page
