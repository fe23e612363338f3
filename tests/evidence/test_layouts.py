"""Other memory layouts hold the same numbers."""

import numpy as np
import pytest

from gradcheck.evidence.layouts import fortran, gaps_backwards

SHAPES = [(), (1,), (5,), (3, 4), (2, 3, 4), (2, 1, 3, 2), (0, 3), (3, 0)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [fortran, gaps_backwards])
def test_the_numbers_stay_where_they_are(layout, shape):
    array = np.random.default_rng(0).standard_normal(shape)
    laid = layout(array)
    assert laid.shape == array.shape
    assert laid.dtype == array.dtype
    assert np.array_equal(laid, array)
    assert not np.shares_memory(laid, array)


def test_fortran_is_fortran():
    assert fortran(np.zeros((3, 4))).flags.f_contiguous


def test_gaps_are_read_only_and_run_backwards():
    laid = gaps_backwards(np.zeros((2, 3, 4)))
    assert not laid.flags.c_contiguous
    assert not laid.flags.f_contiguous
    assert max(laid.strides) < 0
    assert abs(laid.strides[1]) > abs(laid.strides[0])  # the first two axes are swapped in memory
    with pytest.raises(ValueError, match="read-only"):
        laid[0, 0, 0] = 1.0
    with pytest.raises(ValueError, match="WRITEABLE"):
        laid.flags.writeable = True
