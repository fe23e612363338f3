"""Values in words, for messages."""

from __future__ import annotations

import numpy as np

from gradcheck.subject.protocol import Missing


def describe(value: object) -> str:
    """Say what a value is, shortly: ``int 0``, ``None``, ``an array of shape (2, 3)``."""
    if value is None or isinstance(value, Missing):
        return "None"
    if isinstance(value, np.ndarray):
        kind = "" if np.issubdtype(value.dtype, np.floating) else f" of dtype {value.dtype}"
        return f"an array of shape {value.shape}{kind}"
    if isinstance(value, bool | int | float | complex | np.number):
        return f"{type(value).__name__} {value}"
    if isinstance(value, tuple | list):
        return f"a {type(value).__name__} of {len(value)}"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
