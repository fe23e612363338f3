"""What checkers say of one layer: asked in a worker process, under a limit of time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import gradcheck
from benchmarks.peers.checkers import OURS, PEERS, Check, Peer
from benchmarks.peers.corpus import Asked, asked
from benchmarks.peers.handed import Handed, points
from gradcheck.subject.world import quiet_world

Word = Literal["pass", "fail", "raised", "timed out", "crashed", "not asked"]


@dataclass(frozen=True)
class Said:
    """An answer.

    Parameters
    ----------
    word : str
        ``fail`` is the checker's own verdict; ``raised``, ``timed out`` and ``crashed`` are what its user would see in
        place of one; ``not asked`` means that no point was found (by ours: that it called the layer unchecked or
        inconclusive).
    seconds : float
        Of the processor, all threads together.
    errors, warnings : tuple of str
        The rules that ours found broken.
    note : str
        What was raised, or why it was not asked.
    """

    word: Word
    seconds: float = 0.0
    errors: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    note: str = ""

    @property
    def alarm(self) -> bool:
        """Whether its user would look into the layer: right of a wrong layer, wrong of a right one."""
        return self.word in {"fail", "raised", "timed out", "crashed"}


@cache
def corpus() -> tuple[Asked, ...]:
    """Return the whole corpus, once for each process."""
    return tuple(asked())


def say(checkers: Sequence[str], number: int, name: str, seed: int) -> list[Said]:
    """Ask checkers about a layer of the corpus; all by name or place, for neither travels between processes.

    Raises
    ------
    RuntimeError
        If another layer is at this place: then a file of the corpus was changed since the run began.
    """
    layer = corpus()[number]
    if layer.name != name:
        raise RuntimeError(f"the corpus was changed during the run: {layer.name} is where {name} was")
    peers = [peer for peer in PEERS if peer.name in checkers]
    answers = theirs(peers, layer, seed) if peers else {}
    return [ours(layer, seed) if checker == OURS else answers[checker] for checker in checkers]


def warm(checkers: Sequence[str]) -> None:
    """Import what checkers need, so that no layer is charged with it."""
    corpus()
    for peer in PEERS:
        if peer.name in checkers:
            __import__(peer.package)


def ours(layer: Asked, seed: int) -> Said:
    """Ask `gradcheck.check`, at its defaults. Finding the shapes is in its time."""
    begun = time.process_time()
    try:
        report = gradcheck.check(layer.layer, seed=seed, **layer.options)
    except Exception as error:  # noqa: BLE001
        return Said("raised", time.process_time() - begun, note=_line(error))
    seconds = time.process_time() - begun
    rules = {level: tuple(f.rule for f in report.findings if f.level == level) for level in ("error", "warning")}
    verdict = report.verdict
    word: Word = verdict if verdict in {"pass", "fail"} else "not asked"  # type: ignore[assignment]
    note = "" if word != "not asked" else f"{verdict}: {report.subjects[0].reason}"
    return Said(word, seconds, rules["error"], rules["warning"], note)


def theirs(peers: Sequence[Peer], layer: Asked, seed: int) -> dict[str, Said]:
    """Ask peers, each at one point after another until one is not passed. Finding the points is not in their time."""
    with quiet_world():
        try:
            found = points(layer, seed)
        except Exception as error:  # noqa: BLE001
            return {peer.name: Said("not asked", note=_line(error)) for peer in peers}
        if not found:
            none = Said("not asked", note="no point at which forward gives something finite")
            return {peer.name: none for peer in peers}
        return {peer.name: _timed(peer.check, found, seed) for peer in peers}


def _timed(check: Check, found: tuple[Handed, ...], seed: int) -> Said:
    begun = time.process_time()
    word, note = _first_alarm(check, found, seed)
    return Said(word, time.process_time() - begun, note=note)


def _first_alarm(check: Check, found: tuple[Handed, ...], seed: int) -> tuple[Word, str]:
    for handed in found:
        try:
            if not check(handed, seed):
                return "fail", ""
        except Exception as error:  # noqa: BLE001
            return "raised", _line(error)
    return "pass", ""


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
