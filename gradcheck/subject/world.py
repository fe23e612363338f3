"""The world around a layer while it runs: quiet, repeatable, and put back afterwards."""

from __future__ import annotations

import contextlib
import io
import random
import warnings
from collections.abc import Iterator

import numpy as np


@contextlib.contextmanager
def quiet_world() -> Iterator[None]:
    """Swallow what layers print and warn, and restore the global generators that they draw from.

    Floating-point errors become non-finite values, which the rules look at; they are never exceptions of ours.
    """
    numpy_state, python_state = np.random.get_state(), random.getstate()  # noqa: NPY002 - the user's layers use it
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        np.random.set_state(numpy_state)  # noqa: NPY002
        random.setstate(python_state)


def reseed(seed: int) -> None:
    """Seed the global generators, so that a layer that draws from them draws the same in every run."""
    np.random.seed(seed % 2**32)  # noqa: NPY002
    random.seed(seed)
