"""Put the corpus of wrong and right layers to other gradient checkers and to ours, and count.

``python -m benchmarks.peers [--seeds 1] [--only SUBSTRING] [--jobs 2] [--write]``
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

import gradcheck
from benchmarks.peers.checkers import OURS, PEERS, absent, installed
from benchmarks.peers.corpus import Asked
from benchmarks.peers.handed import CASES
from benchmarks.peers.lanes import lanes
from benchmarks.peers.recipes import BOOK_FAILS_ABOVE, COURSE_FAILS_ABOVE, SCIPY_FAILS_ABOVE
from benchmarks.peers.say import Said, corpus, say, warm
from benchmarks.peers.scores import Row, cost_table, found_table, remarks

REPORT = Path(__file__).parents[2] / "docs" / "measured" / "peers.md"
LIMIT = 60.0  # seconds on the wall, for one layer and one checker


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print, and with ``--write`` keep the table among the documents."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1, help="draws of points for each layer (default: 1)")
    parser.add_argument("--only", default="", help="ask only about layers with this in their name, kind or rule")
    parser.add_argument("--jobs", type=int, default=2, help="worker processes (default: 2)")
    parser.add_argument("--write", action="store_true", help=f"write {REPORT.relative_to(REPORT.parents[2])}")
    given = parser.parse_args(arguments)
    chosen = [(k, layer) for k, layer in enumerate(corpus()) if layer.among(given.only)]
    if not chosen:
        parser.error(f"no layer has {given.only!r} in its name, kind or rule")
    if absent():
        print(absent(), file=sys.stderr)
    rows = measure(chosen, given.seeds, given.jobs)
    only = f' --only "{given.only}"' if given.only else ""
    text = report(rows, f"python -m benchmarks.peers --seeds {given.seeds}{only} --write")
    print(text)
    if given.write:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(text, encoding="utf-8")


def measure(chosen: Sequence[tuple[int, Asked]], seeds: int, jobs: int) -> list[Row]:
    """Ask every checker about every layer, at every seed."""
    names = [OURS, *(peer.name for peer in installed())]
    questions = [(number, layer.name, seed) for number, layer in chosen for seed in range(seeds)]
    said: list[list[Said]] = []
    with lanes(jobs, LIMIT, warm, names) as ask_all:
        for answers in ask_all(say, names, questions):
            # A worker that gave no answer says in a word what became of it.
            said.append([Said(a, LIMIT, note=f"after {LIMIT:g} s") if isinstance(a, str) else a for a in answers])
            if len(said) % 50 == 0 or len(said) == len(questions):
                print(f"{len(said)} of {len(questions)}", file=sys.stderr, flush=True)
    by_layer = [said[k : k + seeds] for k in range(0, len(said), seeds)]
    return [
        Row(layer, dict(zip(names, zip(*answers, strict=True), strict=True)))
        for (_, layer), answers in zip(chosen, by_layer, strict=True)
    ]


def report(rows: Sequence[Row], command: str) -> str:
    """Write the document."""
    checkers = list(rows[0].said)
    return _TEXT.format(
        command=command,
        versions=versions(),
        absent=f"\n{absent().capitalize()}.\n" if absent() else "",
        wrong=sum(row.layer.side == "wrong" for row in rows),
        twins=sum(row.layer.side == "twin" for row in rows),
        odd=sum(row.layer.side == "odd" for row in rows),
        cases=CASES,
        limit=f"{LIMIT:g}",
        course=f"{COURSE_FAILS_ABOVE:g}",
        book=f"{BOOK_FAILS_ABOVE:g}",
        scipy=f"{SCIPY_FAILS_ABOVE:g}",
        found=found_table(rows, checkers),
        cost=cost_table(rows, checkers),
        remarks=remarks(rows, checkers),
    )


def versions() -> str:
    """Say what was measured: Python, gradcheck, NumPy and the peers' packages."""
    packages = dict.fromkeys(["numpy", *(peer.package for peer in PEERS if peer in installed())])
    listed = [f"{package} {metadata.version(package)}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", f"gradcheck {gradcheck.__version__}", *listed])


_TEXT = """# The corpus, put to other checkers and to ours

{wrong} wrong layers, their {twins} right twins, and {odd} right layers that look odd. A wrong layer is *found* by a
checker that fails it; a right one that is failed is a false alarm.

    {command}

{versions}
{absent}
{found}

{cost}

{remarks}

## How layers are given to the peers

- Each gets the NumPy layer as a function of its arrays, inputs and parameters alike, brought there by gradcheck's own
  reading of the layer, at the first {cases} cases of gradcheck's own sweep (seed by seed) at which the output is finite
  and nothing is empty: mostly all sizes different, all as small as can be, and all equal. Peers profit from shapes,
  values and parameters that their users would have to find; the search for them is not in their time. A peer has found
  a wrong layer, and has raised a false alarm on a right one, if it fails it at any of these cases; after the first it
  is asked no more.
- The layer is built anew for each forward, as gradcheck does. The backward of a run is called on the very layer of this
  run: once more for each output by *torch slow*, which also calls it twice to compare, and with a cotangent of zeros.
  Layers that accumulate gradients by design are right here, and not reentrant to torch, which fails them. Of a gradient
  with an axis too many, torch sums this axis, and passes it.
- Cotangents are not copied. torch, autograd, SciPy and the recipes hand over arrays that can be written into; what a
  layer does to them, they may notice. jax's are read-only, so that a layer that writes into them raises.
- Gradients are read by gradcheck: those that are left in `dW` or `grads` are found. A gradient that is missing is None
  for torch, which takes it for zero, and raises for the others; a wrong number of gradients raises for all. Targets and
  tables for which a right layer may have no gradient are held.
- An exception that is no verdict counts as found for a wrong layer, and as a false alarm for a right one, and so does
  no answer within {limit} s: users would see it. The second table says how often. *Not asked* are layers for which
  gradcheck found no shape (peers), or that it called unchecked or inconclusive (ours); these count as passed.
- Peers are at their defaults but for what the problem forces: `modes=["rev"]`, `order=1` (*jax*, *autograd*: there is
  no second derivative), x64 for *jax*. *jax* always draws its direction from seed 0, *torch fast* from a generator of
  its own; *autograd* draws from the seed. *scipy*, *cs231n* and *from scratch* get a cotangent drawn from a normal
  distribution (a loss that is the sum of outputs times it).
- Three of them give a number only, and where it fails a layer was chosen here, with an eye to few false alarms.
  *scipy* is `check_grad` of all arguments end to end (a norm of differences), failed above {scipy}: a forward
  difference of step 1.5e-8 is good to about 1e-7 for each element. *cs231n* is that course's
  `eval_numerical_gradient_array` with h = 1e-5 and its relative error max |a - n| / max(1e-8, |a| + |n|), failed
  above {course}: its notes call 1e-7 good, and 1e-4 too much where there are no kinks; at 1e-6, three times as many
  right twins were failed in a sample, and hardly more wrong layers found. *from scratch* is the recipe of *Deep
  Learning from Scratch*, a central difference with h = 1e-4 and the mean absolute difference of each argument, failed
  above {book}: the book shows about 1e-10 and only says that it should be small. Both recipes are re-implemented from
  their descriptions.
- Ours is `gradcheck.check(layer)` with nothing but the options that its entry needs for shapes to be found, which the
  peers' points got too. It looks at more cases than the peers are given, and tries rules that they do not claim to
  try: what is overwritten, shared or remembered. In the table these are T18 to T20, T26 and T27, and the warnings. It
  is held to more: an exception of ours has found nothing, and at the level of warnings it has found a layer only where
  it names the very rule. Of a right layer, its warnings are no false alarms, but those that an entry does not allow are
  listed.
- Wrong layers and their labels were written for this project, by people who know what it looks for: its share of them
  says little about bugs that nobody has thought of. The shares of the peers are on the same layers.
- CPU seconds are of the process, all threads, imports left out, with one thread for linear algebra. For a peer, those
  of up to {cases} checks; for ours, with finding the shapes, and for wrong layers with the search for the smallest
  case, the line and the formula. A run of a layer passes through gradcheck's reading of it, which builds it anew: some
  0.2 ms of each, for peers and for ours. *torch fast* runs the slow check again to explain a failure.
"""

if __name__ == "__main__":
    main()
