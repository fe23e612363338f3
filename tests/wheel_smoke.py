"""Try the built wheel as a stranger would: in an empty environment, in a folder that is not the tree.

``python tests/wheel_smoke.py DIST``: DIST holds the one wheel to try. Needs nothing but Python and a package registry.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

RIGHT = """
class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dout):
        return 2 * self.x * dout
"""
WRONG = RIGHT.replace("2 * self.x", "3 * self.x")

TESTS = """
import pytest

from right import Square as Right
from wrong import Square as Wrong


def test_right(gradcheck):
    assert gradcheck(Right)


def test_wrong(gradcheck):
    with pytest.raises(AssertionError, match="GC101"):
        gradcheck(Wrong)
"""

# What an installed gradcheck is: typed, alone in the wheel, and of the version that its metadata says.
INSTALLED = """
import importlib.metadata, importlib.resources, importlib.util, sys
import gradcheck

assert gradcheck.__file__.startswith(sys.prefix), gradcheck.__file__
assert gradcheck.__version__ == importlib.metadata.version("gradcheck")
assert importlib.resources.files("gradcheck").joinpath("py.typed").is_file(), "py.typed is missing"
assert all(importlib.util.find_spec(name) is None for name in ("layers", "tests", "pytest")), "more than gradcheck"
from right import Square
from wrong import Square as Wrong
assert gradcheck.check(Square), "the library door rejects a right layer"
assert not gradcheck.check(Wrong), "the library door accepts a wrong layer"
"""


def main(dist: str) -> None:
    """Make the stranger's folder, install the wheel there, and go through the doors one by one."""
    (wheel,) = Path(dist).resolve().glob("*.whl")
    only_gradcheck_is_in(wheel)
    with tempfile.TemporaryDirectory(prefix="gradcheck-wheel-") as name:
        folder = Path(name)
        files = {"right.py": RIGHT, "wrong.py": WRONG, "installed.py": INSTALLED, "test_layers.py": TESTS}
        for file, text in files.items():
            (folder / file).write_text(text, encoding="utf-8")
        venv.create(folder / "env", with_pip=True)
        scripts = folder / "env" / ("Scripts" if os.name == "nt" else "bin")

        def run(*command: str, status: int = 0, says: str = "") -> None:
            in_folder(folder, str(scripts / command[0]), *command[1:], status=status, says=says)

        run("python", "-m", "pip", "install", "--quiet", str(wheel))
        run("python", "installed.py")
        run("gradcheck", "right.py", says="1 pass")
        run("gradcheck", "wrong.py", status=1, says="GC101")
        run("python", "-m", "gradcheck", "right.py", "--format", "json", says='"verdict": "pass"')
        run("gradcheck", "absent.py", status=2, says="absent.py")
        run("python", "-m", "pip", "install", "--quiet", f"{wheel}[pytest]")
        run("python", "-m", "pytest", "-p", "no:cacheprovider", says="2 passed")
    print(f"{wheel.name}: every door opens")


def only_gradcheck_is_in(wheel: Path) -> None:
    """Refuse any other top-level name: ``layers`` or ``tests`` would collide in the user's site-packages."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    top = {name.partition("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"gradcheck"}, f"also in the wheel: {top}"
    assert any(name.endswith("licenses/LICENSE") for name in names), "the licence is missing"


def in_folder(folder: Path, *command: str, status: int, says: str) -> None:
    """Run a command away from the tree and hold its exit status and its words against what is expected."""
    clean = {
        name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PYTEST", "VIRTUAL_ENV"))
    }
    print("$", *command, flush=True)
    done = subprocess.run(
        command,
        cwd=folder,
        env=clean,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    print(done.stdout)
    if done.returncode != status or says not in done.stdout:
        sys.exit(f"expected exit status {status} and {says!r} in the output; got exit status {done.returncode}")


if __name__ == "__main__":
    main(*sys.argv[1:])
