"""A comparison may cost at most so many times the one forward and the one backward that it is about.

One run, one process, alternating rounds and the fastest of each: what else the machine does befalls both alike.
"""

import numpy as np
import pytest

from benchmarks.numerics.sized import affine, convolution
from benchmarks.numerics.timed import alternating, core, forward_and_backward

# Large enough that calls, not Python, take the time: 1.3 million and 0.3 million elements, all compared.
PROBLEMS = {
    "comparison of Affine 256x1024x1024": lambda: affine(256, 1024, np.float64),
    "comparison of Conv 4x64x32x32": lambda: convolution(4, 64, 32, np.float64),
}
# On an idle machine 2.6 and 1.8; with the complex step, which is left out of the larger, 3.3. Three forwards and one
# backward alone are 1.7 and 1.5, and a forward in complex numbers takes four times as long.
AT_MOST = {"compare, differences only": 5.0, "compare": 5.0}
ROUNDS, TRIALS = 5, 3


@pytest.mark.parametrize("way", AT_MOST)
@pytest.mark.parametrize("what", PROBLEMS)
def test_a_comparison_costs_little_beside_forward_and_backward(timings, what, way):
    problem = PROBLEMS[what]()
    compare = core(complex_step=way == "compare")(problem)
    calls = {"forward + backward": forward_and_backward(problem), way: compare}
    assert compare() == "pass"
    for _ in range(TRIALS):  # a neighbour's burst may outlast a trial, but not all of them
        best = alternating(calls, ROUNDS)
        timings.update({(what, name): seconds for name, seconds in best.items()})
        if best[way] <= AT_MOST[way] * best["forward + backward"]:
            return
    pytest.fail(f"{best[way] / best['forward + backward']:.1f} times forward + backward, at most {AT_MOST[way]:g}")
