"""Where a file of the user's imports from."""

from __future__ import annotations

import ast
from pathlib import Path

from gradcheck.subject.parse import parse


def package_name(path: Path) -> tuple[Path, str]:
    """Return the folder that a file's package is imported from, and the file's dotted name; empty outside a package.

    A folder is a package if it has an ``__init__.py``, or if the file imports from it by dots.
    """
    root, parts = path.parent, [] if path.stem == "__init__" else [path.stem]
    dots = _dots(path)
    while ((root / "__init__.py").is_file() or len(parts) <= dots) and root != root.parent:
        parts.insert(0, root.name)
        root = root.parent
    inside = root != path.parent and not any("." in part for part in parts)
    return root, ".".join(parts) if inside else ""


def project_folders(path: Path) -> list[Path]:
    """Return the folders from which a file of a project may import: its own, and those above it in the project.

    The project ends at the first folder that looks like its root; where none does, one folder up. A root may keep its
    packages in ``src``.
    """
    above = list(path.parents)
    for k, folder in enumerate(above):
        if any((folder / mark).exists() for mark in (".git", "pyproject.toml", "setup.py", "requirements.txt")):
            return [*above[: k + 1], *(folder / name for name in ("src", "lib") if (folder / name).is_dir())]
    return above[:2]


def _dots(path: Path) -> int:
    """Return how many folders up the relative imports of a file reach, its own being 1."""
    try:
        tree = parse(path)
    except (OSError, SyntaxError):
        return 0
    return max((node.level for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)), default=0)
