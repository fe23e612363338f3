"""Which rules count: how selections add up, where they are found, and what is said to one that cannot be."""

from pathlib import Path

import pytest

from gradcheck.config import chosen, find, read
from gradcheck.errors import UsageError
from gradcheck.rules.levels import Selection

# Default levels as in the catalogue, with a pedantic rule.
RULES = {"GC101": "error", "GC205": "warning", "GC290": "off", "GC301": "error"}


def on(selection, *layer):
    """Return the levels of the rules that are not off."""
    levels = {code: selection.level_of(code, default, *layer) for code, default in RULES.items()}
    return {code: level for code, level in levels.items() if level != "off"}


DEFAULT = {"GC101": "error", "GC205": "warning", "GC301": "error"}


class TestOnePlace:
    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, DEFAULT),
            ({"select": "GC2"}, {"GC205": "warning", "GC290": "warning"}),
            ({"select": "GC290"}, {"GC290": "warning"}),
            ({"select": "ALL"}, DEFAULT | {"GC290": "warning"}),
            ({"select": "GC1", "extend-select": "GC3"}, {"GC101": "error", "GC301": "error"}),
            ({"extend-select": "GC2"}, DEFAULT | {"GC290": "warning"}),
            ({"ignore": "GC2,GC3"}, {"GC101": "error"}),
            ({"ignore": "ALL"}, {}),
            ({"error": "ALL"}, dict.fromkeys(DEFAULT, "error")),
            ({"warning": "GC1"}, DEFAULT | {"GC101": "warning"}),
        ],
    )
    def test_each_key(self, options, expected):
        assert on(chosen(options, RULES)) == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"select": "GC205", "ignore": "GC2"}, {"GC205": "warning"}),
            ({"select": "GC2", "ignore": "GC29"}, {"GC205": "warning"}),
            ({"select": "GC2", "ignore": "GC2"}, {}),
            ({"ignore": "ALL", "extend-select": "GC10"}, {"GC101": "error"}),
            ({"select": "ALL", "ignore": "ALL"}, {}),
            ({"error": "ALL", "warning": "GC1"}, {"GC101": "warning", "GC205": "error", "GC301": "error"}),
            ({"error": "GC301", "warning": "GC3"}, DEFAULT),
            ({"error": "GC2", "warning": "GC2"}, DEFAULT | {"GC205": "error"}),
        ],
    )
    def test_the_longer_prefix_wins_and_between_equals_ignore_and_error(self, options, expected):
        assert on(chosen(options, RULES)) == expected

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({"error": "GC2"}, DEFAULT | {"GC205": "error"}),
            ({"error": "GC290"}, DEFAULT | {"GC290": "error"}),
            ({"warning": "GC290"}, DEFAULT | {"GC290": "warning"}),
            ({"error": "GC290", "ignore": "GC290"}, DEFAULT),
            ({"extend-select": "GC290", "error": "GC2"}, DEFAULT | {"GC205": "error", "GC290": "error"}),
        ],
    )
    def test_a_level_switches_on_only_what_it_names_in_full(self, options, expected):
        assert on(chosen(options, RULES)) == expected


class TestOneOverAnother:
    FILE = chosen({"select": "GC1,GC2", "ignore": "GC205", "error": "GC2"}, RULES)

    @pytest.mark.parametrize(
        ("options", "expected"),
        [
            ({}, {"GC101": "error", "GC290": "error"}),
            ({"select": "GC205"}, {"GC205": "error"}),
            ({"extend-select": "GC3"}, {"GC101": "error", "GC290": "error", "GC301": "error"}),
            ({"ignore": "GC1"}, {"GC290": "error"}),
            ({"warning": "ALL"}, {"GC101": "warning", "GC290": "warning"}),
        ],
    )
    def test_the_upper_has_the_last_word(self, options, expected):
        assert on(chosen(options, RULES, under=self.FILE)) == expected

    def test_that_of_a_layer_lies_between_its_table_and_the_command_line(self):
        file = Selection(error=("GC205",), layers=(("Relu", Selection(ignore=("GC1",), warning=("GC205",))),))
        assert on(file, "a.py::Affine") == DEFAULT | {"GC205": "error"}
        assert on(file, "a.py::Relu") == {"GC205": "warning", "GC301": "error"}
        assert on(Selection(select=("GC101",), under=file), "a.py::Relu") == {"GC101": "error"}
        assert on(Selection(error=("ALL",), under=file), "a.py::Relu") == {"GC205": "error", "GC301": "error"}

    def test_the_last_of_several_sections_wins(self):
        sections = (("*", Selection(ignore=("ALL",))), ("Re*", Selection(extend_select=("GC3",))))
        assert on(Selection(layers=sections), "a.py::Relu") == {"GC301": "error"}


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("Relu", True),
        ("Re*", True),
        ("pkg/mod.py::Relu", True),
        ("pkg/*::Relu", True),
        ("pkg/mod.py", True),
        ("pkg/*", True),
        ("relu", False),
        ("mod.py::Relu", False),
        ("other.py", False),
    ],
)
@pytest.mark.parametrize("folder", [".", "pkg"])
def test_a_layer_is_found_by_name_or_target_from_wherever_one_stands(tmp_path, monkeypatch, pattern, matches, folder):
    (tmp_path / "pkg").mkdir()
    monkeypatch.chdir(tmp_path / folder)
    root = Selection(layers=((pattern, Selection(ignore=("ALL",))),), root=str(tmp_path))
    for file in (Path("pkg/mod.py") if folder == "." else Path("mod.py"), tmp_path / "pkg" / "mod.py"):
        # Standing in pkg, `mod.py::Relu` is also what the target is called there.
        if not (pattern == "mod.py::Relu" and folder == "pkg"):
            assert (on(root, f"{file}::Relu") == {}) is matches


def test_a_layer_of_a_module_is_found_too():
    selection = Selection(layers=(("layers.*:Relu", Selection(ignore=("ALL",))),))
    assert on(selection, "layers.relu:Relu") == {}
    assert on(selection, "layers.relu:Affine") == DEFAULT


class TestFiles:
    @pytest.fixture(autouse=True)
    def folder(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        return tmp_path

    def test_the_nearest_with_a_table_is_found(self, folder):
        deep = folder / "a" / "b"
        deep.mkdir(parents=True)
        (folder / "pyproject.toml").write_text("[tool.gradcheck]", encoding="utf-8")
        (deep / "pyproject.toml").write_text("[tool.ruff]", encoding="utf-8")
        assert find(deep) == find(Path()) == folder / "pyproject.toml"
        (folder / "a" / "pyproject.toml").write_text("[tool.gradcheck]", encoding="utf-8")
        assert find(deep) == folder / "a" / "pyproject.toml"

    def test_all_keys_are_read(self, folder):
        text = """
            [tool.gradcheck]
            select = ["ALL"]
            extend-select = ["GC290"]
            ignore = ["gc205"]
            error = []
            warning = ["GC3"]

            [tool.gradcheck.layers."pkg/mod.py::Relu"]
            ignore = ["GC101"]
        """
        Path("my.toml").write_text(text, encoding="utf-8")
        assert read(Path("my.toml"), RULES) == Selection(
            ("ALL",), ("GC290",), ("GC205",), (), ("GC3",),
            layers=(("pkg/mod.py::Relu", Selection(ignore=("GC101",))),), root=str(folder),
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("text", "message", "fix"),
        [
            (
                '[tool.gradcheck]\nignore = ["GC2O5"]',
                "ignore in [tool.gradcheck] of pyproject.toml names 'GC2O5', which is no rule",
                "did you mean GC205? (`gradcheck rules` lists the codes)",
            ),
            (
                '[tool.gradcheck]\nignore = ["aliasing"]',
                "ignore in [tool.gradcheck] of pyproject.toml names 'aliasing', which is no rule",
                "`gradcheck rules` lists the codes",
            ),
            (
                '[tool.gradcheck.layers.Relu]\nerror = ["GC7"]',
                "error in [tool.gradcheck.layers.\"Relu\"] of pyproject.toml names 'GC7', which is no rule",
                "did you mean GC3? (`gradcheck rules` lists the codes)",
            ),
            (
                "[tool.gradcheck]\nextend_select = []",
                "[tool.gradcheck] of pyproject.toml has an unknown key: extend_select",
                "did you mean extend-select? (the keys are select, extend-select, ignore, error, warning, layers)",
            ),
            (
                "[tool.gradcheck.layers.Relu]\ncolour = 1",
                '[tool.gradcheck.layers."Relu"] of pyproject.toml has an unknown key: colour',
                "the keys are select, extend-select, ignore, error, warning, "
                "convention, signature, settings, domains, constants, smallest, skip",
            ),
            (
                '[tool.gradcheck]\nselect = "GC1, GC2"',
                "select in [tool.gradcheck] of pyproject.toml is 'GC1, GC2', expected a list of codes",
                'write select = ["GC1", "GC2"]',
            ),
            (
                "[tool.gradcheck]\nselect = [201]",
                "select in [tool.gradcheck] of pyproject.toml is [201], expected a list of codes",
                'write select = ["GC205"]',
            ),
            (
                "[tool.gradcheck]\nselect = []",
                "select in [tool.gradcheck] of pyproject.toml is empty, which leaves no rule",
                "name codes, or leave it out",
            ),
            (
                "[tool.gradcheck.layers]\nRelu = true",
                '[tool.gradcheck.layers."Relu"] of pyproject.toml is True, expected a table',
                'write the header [tool.gradcheck.layers."Relu"] above it',
            ),
            (
                "[tool]\ngradcheck = 'GC1'",
                "gradcheck in [tool] of pyproject.toml is 'GC1', expected a table",
                "write the header [tool.gradcheck] above it",
            ),
            (
                "[tool.ruff]",
                "there is no [tool.gradcheck] table in pyproject.toml",
                'add one, such as: [tool.gradcheck] and below it ignore = ["GC205"]',
            ),
        ],
    )
    def test_what_is_wrong_is_said_with_its_place_and_its_mending(self, text, message, fix):
        Path("pyproject.toml").write_text(text, encoding="utf-8")
        with pytest.raises(UsageError) as caught:
            read(Path("pyproject.toml"), RULES)
        assert (caught.value.message, caught.value.fix) == (message, fix)

    @pytest.mark.parametrize("bytes_", [b"[tool.gradcheck\n", b"\xff\xfe"])
    def test_what_is_no_toml(self, bytes_):
        Path("pyproject.toml").write_bytes(bytes_)
        with pytest.raises(UsageError, match=r"cannot read pyproject.toml: .*; to fix it: .* --isolated"):
            find(Path())
