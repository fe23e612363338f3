"""While the user's code runs, nothing is written: a check leaves the tree as it found it."""

from __future__ import annotations

import builtins
import functools
import io
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from gradcheck.subject.replaced import replaced


@contextmanager
def nothing_written() -> Iterator[None]:
    """Send what is written to files nowhere, and let directories and files neither come nor go.

    Hidden folders, where packages keep their caches (``~/.cache``), are left alone, and so are temporary files.
    """
    with ExitStack() as stack:
        opened = _opened(builtins.open)
        stack.enter_context(replaced(builtins, "open", opened))
        stack.enter_context(replaced(io, "open", opened))
        for name in ("mkdir", "rmdir", "remove", "unlink", "rename", "replace", "symlink", "link"):
            stack.enter_context(replaced(os, name, _idle(getattr(os, name), creates=name == "mkdir")))
        yield


def _opened(original: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(original)
    def opened(file: Any, mode: str = "r", *args: Any, opener: Any = None, **kwargs: Any) -> Any:
        if opener is None and set(mode) & set("wax+") and not _is_theirs(file):
            file, mode = os.devnull, mode.replace("x", "w")
        return original(file, mode, *args, opener=opener, **kwargs)

    return opened


def _idle(original: Callable[..., Any], *, creates: bool) -> Callable[..., Any]:
    @functools.wraps(original)
    def idle(path: Any, *args: Any, **kwargs: Any) -> Any:
        if _is_theirs(path) or (creates and Path(os.fsdecode(path)).exists()):  # that raises, as it should
            return original(path, *args, **kwargs)
        return None

    return idle


def _is_theirs(file: Any) -> bool:
    """Whether a path is a package's own business rather than the user's: hidden, a device, or no path at all."""
    if not isinstance(file, str | bytes | os.PathLike):
        return True
    path, here = Path(os.path.abspath(os.fsdecode(file))), Path.cwd()  # noqa: PTH100 - without asking the disk
    parts = path.relative_to(here).parts if path.is_relative_to(here) else path.parts
    return path.is_relative_to("/dev") or any(part.startswith(".") for part in parts)
