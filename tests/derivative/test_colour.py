"""Structure is seen in the function: what shares no output shares a colour, and nothing else does."""

import numpy as np
import pytest

from gradcheck.derivative.colour import colours
from gradcheck.derivative.probe import Centre


def colours_of(pack, vjp, arrays, name):
    function = pack(vjp, arrays)
    centre = Centre(function, np.random.default_rng(0))
    block = next(block for block in function.blocks if block.name == name)
    return colours(centre, block)


def elements(parts):
    return [part.elements.tolist() for part in parts]


def normal(*shape):
    return np.random.default_rng(1).standard_normal(shape)


def gradients_are_not_asked_for(w):
    raise AssertionError("structure is never taken from the backward")


def forward(f):
    return lambda **arrays: (f(**arrays), gradients_are_not_asked_for)


def test_an_activation_has_one_colour(pack):
    (part,) = colours_of(pack, forward(lambda x: 2 * np.tanh(x)), {"x": normal(3, 5)}, "x")
    assert part.elements.tolist() == list(range(15))
    assert part.owner.tolist() == list(range(15))


def test_rows_of_a_batch_are_independent(pack, catalogue):
    arrays = catalogue["softmax"].draw(np.random.default_rng(0))
    parts = colours_of(pack, catalogue["softmax"].vjp, arrays, "x")
    assert elements(parts) == [[row * 7 + column for row in range(4)] for column in range(7)]
    assert parts[0].owner.tolist() == [row for row in range(4) for _ in range(7)]


def test_columns_of_a_weight_matrix_are_independent(pack, catalogue):
    arrays = catalogue["affine"].draw(np.random.default_rng(0))  # (6,5),(5,4),(4)->(6,4)
    assert elements(colours_of(pack, catalogue["affine"].vjp, arrays, "W")) == [
        list(range(4 * i, 4 * i + 4)) for i in range(5)
    ]
    assert len(colours_of(pack, catalogue["affine"].vjp, arrays, "x")) == 5
    assert elements(colours_of(pack, catalogue["affine"].vjp, arrays, "b")) == [[0, 1, 2, 3]]


def test_a_last_axis_can_be_the_independent_one(pack):
    parts = colours_of(pack, forward(lambda x: x.sum(0)), {"x": normal(3, 4)}, "x")
    assert elements(parts) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


@pytest.mark.parametrize(
    "f",
    [
        lambda x: x - x.mean(),
        lambda x: x @ x.T,
        lambda x: np.array([x.sum()]),
        lambda x: x.ravel()[::-1].reshape(x.shape) + x,  # every output answers to two, though rows are as many
        lambda x: x + 1e-3 * np.roll(x, 1, 0) + 1e-3 * np.roll(x, 1, 1),
    ],
)
def test_what_shares_an_output_shares_no_colour(pack, f):
    assert elements(colours_of(pack, forward(f), {"x": normal(4, 4)}, "x")) == [[i] for i in range(16)]


def test_a_single_element_that_couples_rows_is_noticed(pack):
    def coupled(x):
        y = np.tanh(x)
        y[0, 0] += 1e-6 * x[2, 3]
        return y

    assert len(colours_of(pack, forward(coupled), {"x": normal(4, 4)}, "x")) == 16


def test_outputs_that_answer_to_nothing_have_no_owner(pack):
    (part,) = colours_of(pack, forward(lambda x: np.maximum(x, 0.0)), {"x": np.array([1.0, -2.0, 3.0])}, "x")
    assert part.owner.tolist() == [0, -1, 2]


def test_it_takes_two_forwards_a_bit(pack):
    function = pack(forward(lambda x: 2 * np.tanh(x)), {"x": normal(1000)})
    centre = Centre(function, np.random.default_rng(0))
    asked = []
    forward_at = centre.forward_at
    centre.forward_at = lambda x: asked.append(1) or forward_at(x)
    assert len(colours(centre, function.blocks[0])) == 1
    assert len(asked) == 20
