"""The shape of the house: which way imports go, where each dependency is at home, how long a module may be.

Read off the syntax trees, so that an import inside a function counts too.
"""

from __future__ import annotations

import ast
import graphlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / "gradcheck").rglob("*.py"))
LAYERS = sorted((ROOT / "layers").rglob("*.py"))

# A module may import its own row and the rows above it. ``report`` stands aside: it knows the records only.
STOREYS = (
    ("records", "errors", "rounding", "hints"),
    ("derivative",),
    ("subject", "cases"),
    ("evidence",),
    ("rules",),
    ("config",),
    ("diagnosis",),
    ("tally",),
    ("examine",),
    ("inferred",),
    ("api",),
    ("cli", "pytest_plugin", "__main__"),
)
REPORT_KNOWS = {"records", "errors", "hints", "report", "rounding"}

# NumPy may be used anywhere; each other dependency has its rooms, so that nobody pays for a door that they do not use.
ROOMS = {
    "click": ("gradcheck.cli",),
    "hypothesis": ("gradcheck.cases.strategies",),
    "jax": ("gradcheck.subject.conventions",),
    "matplotlib": ("gradcheck.report",),
    "numpy": ("gradcheck",),
    "pytest": ("gradcheck.pytest_plugin",),
    "torch": ("gradcheck.subject.conventions",),
}

LONGEST = 300
LONGER_FOR_A_REASON: dict[str, str] = {}  # path below the root -> the reason

TOP_LEVEL = {
    *("gradcheck", "layers", "tests", "benchmarks", "tox.ini", "README.md"),
    *("docs", "pyproject.toml", "LICENSE", "CHANGELOG.md"),  # packaging, and what the README links to
    *(".ci", ".github", ".gitignore", ".python-version"),  # CI
}


def name_of(path: Path) -> str:
    """``gradcheck/report/text.py`` -> ``gradcheck.report.text``; a package's ``__init__`` has the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, typing_only: bool = True) -> Iterator[tuple[str, int]]:
    """Yield each imported name in full, with its line: ``from a import b`` is ``a.b``, be it a module or not."""
    package = path.relative_to(ROOT).parent.parts
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    guards = [node for node in nodes if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    guarded = {id(node) for guard in guards for node in guard.body}
    for node in nodes:
        if id(node) in guarded and not typing_only:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = ".".join([*above, node.module] if node.module else above)
            yield from ((f"{module}.{alias.name}", node.lineno) for alias in node.names)


def unit_of(module: str) -> str | None:
    """``gradcheck.report.text`` -> ``report``; None for the root package, and for what belongs to others."""
    first, *rest = module.split(".")
    return rest[0] if first == "gradcheck" and rest else None


def storey_of(unit: str) -> int | None:
    return next((number for number, units in enumerate(STOREYS) if unit in units), None)


def below(module: str, rooms: tuple[str, ...]) -> bool:
    return any(module == room or module.startswith(room + ".") for room in rooms)


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_every_module_has_its_place() -> None:
    units = {unit_of(name_of(path)) for path in MODULES} - {None}
    homeless = {unit for unit in units if storey_of(unit) is None} - {"report"}
    assert not homeless, f"say in STOREYS where {sorted(homeless)} belong"


def test_every_folder_is_a_package() -> None:
    folders = {path.parent for path in [*MODULES, *LAYERS]}
    assert [relative(folder) for folder in sorted(folders) if not (folder / "__init__.py").is_file()] == []


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_imports_go_down_only(path: Path) -> None:
    unit = unit_of(name_of(path))
    if unit is None:
        return  # the root package names what every storey offers

    def allowed(other: str) -> bool:
        if unit == "report":
            return other in REPORT_KNOWS
        if other == "report":  # the engine leaves records; whoever shows them to a person may have them rendered
            return storey_of(unit) >= storey_of("api")
        return storey_of(other) is not None and storey_of(other) <= storey_of(unit)

    upward = [
        f"{relative(path)}:{line} imports {name}"
        for name, line in imports(path)
        if (other := unit_of(name)) not in (None, unit, "__version__") and not allowed(other)
    ]
    assert not upward


def test_no_module_imports_itself_in_a_circle() -> None:
    names = {name_of(path): path for path in MODULES}

    def module_of(name: str) -> str:
        return name if name in names or "." not in name else module_of(name.rpartition(".")[0])

    # What is known for typing only is no circle, and the root is left out: it offers what the others make.
    graph = {
        name: {module_of(imported) for imported, _ in imports(path, typing_only=False)}
        & names.keys() - {"gradcheck", name}
        for name, path in names.items()
        if name != "gradcheck"
    }
    order = graphlib.TopologicalSorter(graph)
    order.prepare()  # raises CycleError, with the circle in it


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_each_dependency_stays_in_its_rooms(path: Path) -> None:
    strangers = [
        f"{relative(path)}:{line} imports {name}"
        for name, line in imports(path)
        if (library := name.partition(".")[0]) not in sys.stdlib_module_names | {"gradcheck"}
        and not below(name_of(path), ROOMS.get(library, ()))
    ]
    assert not strangers


@pytest.mark.parametrize("path", LAYERS, ids=relative)
def test_the_reference_layers_need_numpy_only(path: Path) -> None:
    libraries = {name.partition(".")[0] for name, _ in imports(path)}
    assert libraries <= sys.stdlib_module_names | {"numpy", "layers"}


@pytest.mark.parametrize("module", ["gradcheck", "gradcheck.pytest_plugin"])
def test_a_door_opens_without_the_heavy_libraries(module: str) -> None:
    code = f"import sys, {module}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    heavy = {"click", "hypothesis", "jax", "matplotlib", "numpy", "rich", "scipy", "torch"}
    assert heavy & set(done.stdout.split()) == set()


def test_no_module_hides_a_public_name() -> None:
    # Importing a module gradcheck.check would set the attribute `check` of gradcheck to the module.
    code = """
import importlib, sys, types, gradcheck
for module in sys.argv[1:]:
    importlib.import_module(module)
print(*[name for name in gradcheck.__all__ if isinstance(getattr(gradcheck, name), types.ModuleType)])
"""
    modules = [name for path in MODULES if not (name := name_of(path)).endswith("__main__")]
    done = subprocess.run([sys.executable, "-c", code, *modules], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


@pytest.mark.parametrize("path", [*MODULES, *LAYERS], ids=relative)
def test_a_module_can_be_read_in_one_sitting(path: Path) -> None:
    length = len(path.read_text(encoding="utf-8").splitlines())
    assert length <= LONGEST or relative(path) in LONGER_FOR_A_REASON


def test_the_top_level_holds_only_what_it_must() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode or not listed.stdout:
        pytest.skip("not a git checkout, so nobody can say which files belong to it")
    top = {name.partition("/")[0] for name in listed.stdout.split("\0") if name}
    assert top <= TOP_LEVEL
