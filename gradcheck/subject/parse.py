"""Reading a Python file into its syntax tree."""

from __future__ import annotations

import ast
import warnings
from pathlib import Path


def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file.

    Raises
    ------
    SyntaxError
        With the line in ``lineno``, also for what only the compiler or the decoder finds.
    OSError
        If the file cannot be read.
    """
    source = path.read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source, str(path))
            compile(source, str(path), "exec", dont_inherit=True)
        except SyntaxError:
            raise
        except (ValueError, RecursionError, MemoryError) as error:  # null bytes, ten thousand nested brackets
            raise SyntaxError(str(error), (str(path), 1, None, None)) from error
    return tree
