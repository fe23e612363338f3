"""Find the statement that writes into an array, by watching the array while the code runs line by line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np

from gradcheck.records import Location
from gradcheck.subject.protocol import Array
from gradcheck.subject.source import location

_OURS = str(Path(__file__).parents[1])
_LIBRARIES = str(Path(np.__file__).parent)


def first_write(run: Callable[[], object], arrays: Sequence[Array]) -> Location | None:
    """Run something and return the line of the user's code after which one of the arrays had changed.

    Whatever ``run`` raises is swallowed: what matters is what it wrote before. Another tracer (a debugger, a coverage
    tool) is set aside meanwhile and put back.
    """
    before = [array.tobytes() for array in arrays]
    last: list[tuple[str, int]] = []
    guilty: list[tuple[str, int]] = []

    def on_line(frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG001 - the signature of a tracer
        if last and not guilty and any(a.tobytes() != b for a, b in zip(arrays, before, strict=True)):
            guilty.append(last[-1])
        if event == "line":
            last[:] = [(frame.f_code.co_filename, frame.f_lineno)]
        return on_line

    def on_call(frame: FrameType, event: str, arg: Any) -> Any:  # noqa: ARG001
        return None if frame.f_code.co_filename.startswith((_OURS, _LIBRARIES)) else on_line

    previous = sys.gettrace()
    sys.settrace(on_call)
    try:
        run()
    except Exception:  # noqa: BLE001 - see above
        pass
    finally:
        sys.settrace(previous)
    return location(*guilty[0]) if guilty else None
