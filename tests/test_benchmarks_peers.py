"""The scoreboard, without the peers: recipes that judge, workers that are replaced, tables that add up."""

import os
import time

import numpy as np
import pytest

from benchmarks.peers import __main__ as command
from benchmarks.peers import checkers, scores
from benchmarks.peers.corpus import Asked, asked
from benchmarks.peers.handed import CASES, points, whole
from benchmarks.peers.lanes import DIED, HUNG, Lane, lanes
from benchmarks.peers.recipes import book, course
from benchmarks.peers.say import Said, ours
from benchmarks.peers.scores import Row


class Affine:
    def __init__(self, W, b):
        self.W, self.b = W, b

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dout):
        self.dW = self.x.T @ dout
        self.db = dout.sum(axis=0)
        return dout @ self.W.T


class AffineOfMean(Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        self.dW = self.dW / 2
        return dx


class AffineRaises(Affine):
    def backward(self, dout):
        raise ZeroDivisionError


class AffineWithoutBias(Affine):
    def backward(self, dout):
        dx = super().backward(dout)
        del self.db
        return dx


def entry(layer):
    return Asked(layer.__name__, layer, {"signature": "(n,i),(i,o),(o)->(n,o)"}, "wrong", "T06", "GC101", "error")


@pytest.mark.parametrize("recipe", [course, book])
def test_recipes_fail_a_wrong_layer_and_pass_a_right_one(recipe):
    right, wrong = (points(entry(layer), 0) for layer in (Affine, AffineOfMean))
    assert [recipe(handed, 0) for handed in right] == [True] * CASES
    assert not any(recipe(handed, 0) for handed in wrong)
    with pytest.raises(ZeroDivisionError):
        recipe(points(entry(AffineRaises), 0)[0], 0)


def test_peers_get_other_sizes_and_the_backward_of_each_run():
    handed = points(entry(Affine), 0)
    assert [set(h.arrays) for h in handed] == [{"x", "W", "b"}] * CASES
    assert len({h.arrays["W"].shape for h in handed}) == CASES
    x, W, b = handed[0].copies()
    (y,), pullback = handed[0].run(x, W, b)
    handed[0].run(2 * x, 2 * W, b)
    dx, dW, db = whole(pullback((np.ones_like(y),)))
    np.testing.assert_array_equal(dW, x.T @ np.ones_like(y))
    assert (dx.shape, db.shape) == (x.shape, b.shape)


def test_a_missing_gradient_is_none_or_raises():
    handed = points(entry(AffineWithoutBias), 0)[0]
    (y,), pullback = handed.run(*handed.copies())
    gradients = pullback((np.ones_like(y),))
    assert [g is None for g in gradients] == [name == "b" for name in handed.arrays]
    with pytest.raises(TypeError, match="no gradient"):
        whole(gradients)


def test_a_worker_that_hangs_is_replaced():
    lane = Lane(1.0)
    try:
        assert [lane.ask(time.sleep, 60), lane.ask(abs, -2)] == [HUNG, 2]
    finally:
        lane.close()


def nothing():
    """Prepare a worker: that it can find this function means that it has imported this module."""


def joined(parts, question):
    if question in parts:
        os._exit(1)
    return [part + question for part in parts]


def test_the_part_that_kills_a_worker_is_found():
    with lanes(1, 60.0, nothing) as ask_all:
        assert list(ask_all(joined, ["a", "b"], [("c",), ("b",)])) == [["ac", "bc"], ["ab", DIED]]


def test_a_missing_peer_is_said(monkeypatch):
    monkeypatch.setattr(checkers, "find_spec", lambda package: None if package in {"jax", "torch"} else object())
    assert [peer.name for peer in checkers.installed()] == ["autograd", "scipy", "cs231n", "from scratch"]
    assert "not installed: torch slow, torch fast, jax (" in checkers.absent()
    monkeypatch.setattr(checkers, "find_spec", lambda package: object())
    assert checkers.absent() == ""


def test_the_corpus_is_asked_once_for_each_layer():
    layers = list(asked())
    assert {layer.side for layer in layers} == {"wrong", "twin", "odd"}
    assert all((layer.level in {"error", "warning"}) == (layer.side == "wrong") for layer in layers)
    right = [(layer.layer, repr(layer.options)) for layer in layers if layer.side != "wrong"]
    assert len(set(right)) == len(right)


def row(side, name="x", *, rule="", level="", allowed=(), **said):
    layer = Asked(name, None, {}, side, "T06" if side == "wrong" else "", rule, level, allowed)
    return Row(layer, {checker: (answer,) for checker, answer in said.items()})


PASS, FAIL, RAISED = Said("pass", 0.25), Said("fail", 0.5), Said("raised", 0.1, note="TypeError: no")
ROWS = [
    row("wrong", "a", rule="GC101", level="error", gradcheck=Said("fail", 1.0, ("GC101",)), peer=PASS),
    row("wrong", "b", rule="GC103", level="error", gradcheck=Said("fail", 1.0, ("GC101",)), peer=RAISED),
    row("wrong", "c", rule="GC205", level="warning", gradcheck=Said("pass", 1.0, (), ("GC205",)), peer=PASS),
    row("wrong", "d", rule="GC206", level="warning", gradcheck=Said("fail", 1.0, ("GC101",)), peer=FAIL),
    row("twin", "e", gradcheck=PASS, peer=RAISED),
    row("odd", "f", allowed=("GC205",), gradcheck=Said("pass", 0.25, (), ("GC205",)), peer=Said("not asked")),
    row("odd", "g", gradcheck=Said("pass", 0.25, (), ("GC205",)), peer=PASS),
]


def cells(text, label):
    (line,) = (line for line in text.splitlines() if label in line)
    return [cell.strip() for cell in line.split("|")[2:-1]]


def test_what_was_found_is_counted_by_class_and_level():
    text = scores.found_table(ROWS, ["gradcheck", "peer"])
    assert cells(text, "T06 batch axis") == cells(text, "found, errors") == ["2 of 2", "1 of 2"]
    assert cells(text, "warning GC205") == ["1 of 1", "0 of 1"]
    assert cells(text, "found, warnings") == ["1 of 2", "1 of 2"]  # ours must name the rule
    assert cells(text, "right twins failed") == ["0 of 1", "1 of 1"]
    assert cells(text, "look odd") == ["0 of 2", "0 of 2"]


def test_an_exception_of_ours_finds_nothing():
    raised = {"gradcheck": RAISED, "peer": RAISED}
    wrong, right = row("wrong", rule="GC101", level="error", **raised), row("twin", **raised)
    assert [r.alarms(name) for r in (wrong, right) for name in raised] == [0, 1, 1, 1]


def test_exceptions_silence_and_time_are_counted():
    text = scores.cost_table(ROWS, ["gradcheck", "peer"])
    assert cells(text, "right layers, raised") == ["0", "1"]
    assert cells(text, "wrong layers, raised") == ["0", "1"]
    assert cells(text, "right layers, not asked") == ["0", "1"]
    assert cells(text, "CPU milliseconds") == ["250.0", "175.0"]


def test_the_document_names_what_ours_missed():
    text = command.report(ROWS, "python -m benchmarks.peers --seeds 1 --write")
    assert "Of the errors, ours named the very rule in 1 of 2 answers." in text
    assert "Not found by ours: `d` (GC206)." in text
    assert "Found by peer, not by ours: `d`." in text
    assert "a warning that its entry does not allow: `g`." in text
    assert "peer raised 'TypeError: no': `e`." in text
    assert max(map(len, text[text.index("## How") :].splitlines())) <= 120


def test_ours_says_which_rules_are_broken():
    said = ours(entry(AffineOfMean), 0)
    assert said.word == "fail"
    assert "GC101" in said.errors
    assert said.seconds > 0
