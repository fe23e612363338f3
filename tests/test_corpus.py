"""A part of the corpus, another one for each Python and NumPy: ``python -m benchmarks.corpus`` runs all of it.

Every wrong layer is found by the rule on its label, no right one is accused. ``GRADCHECK_CORPUS=all`` takes them all.
"""

import collections
import os
import re

import pytest

from benchmarks.corpus import is_accused, is_found, right_layers, slice_of
from gradcheck.rules.catalogue import CATALOGUE
from tests.conftest import environment
from tests.corpus import ODD, WRONG
from tests.faulty import KINDS

PARTS = 1 if os.environ.get("GRADCHECK_CORPUS") == "all" else 24
PART = environment() % PARTS
SEED = 0


def name_of(entry):
    return entry.name


@pytest.mark.parametrize("entry", [e for e in slice_of(WRONG, PART, PARTS) if not e.missed], ids=name_of)
def test_wrong_layers_are_found_by_the_rule_on_their_label(entry):
    found, said = is_found(entry, SEED)
    assert found, f"{entry.rule} was not found (shows at: {entry.shows}), but: {said or 'nothing'}"


@pytest.mark.parametrize("right", list(slice_of(right_layers(), PART, PARTS)), ids=name_of)
def test_right_layers_are_not_accused(right):
    accused, said = is_accused(right, SEED)
    assert not accused, said


def test_the_corpus_is_as_large_as_it_says():
    assert len(WRONG) >= 150
    assert len(ODD) >= 50
    kinds = collections.Counter(entry.kind for entry in WRONG)
    assert set(kinds) == set(KINDS)
    assert min(kinds.values()) >= 4
    assert {entry.rule for entry in WRONG} <= set(CATALOGUE)


def test_labels_agree_with_the_catalogue():
    for entry in WRONG:
        assert entry.level in {CATALOGUE[entry.rule].level, "warning"}, entry.name
        assert re.fullmatch(r"T\d\d", entry.kind)
        assert entry.shows


def test_names_are_unique():
    names = collections.Counter(entry.name for entry in WRONG)
    assert [name for name, count in names.items() if count > 1] == []
