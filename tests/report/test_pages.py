"""The pages of the rules, and docs/rules.md, which is made of them."""

from pathlib import Path

from gradcheck.report.pages import FAMILIES, Page, explain, markdown
from gradcheck.rules.catalogue import CATALOGUE

DOCS = Path(__file__).parents[2] / "docs" / "rules.md"

PAGE = Page(
    "GC201",
    "error",
    "backward overwrites dout",
    """GC201: backward wrote into ``dout``.

Wrong::

    dout[self.mask] = 0

    if self.mask.any():
        return dout

Right::

    return dout * self.mask
Not flagged: ``dout`` itself.""",
)


def test_a_page_is_the_docstring_below_its_title():
    assert explain([PAGE]).startswith(
        "GC201  backward overwrites dout  (error)\n\nBackward wrote into ``dout``.\n\nWrong::"
    )


def test_a_page_becomes_markdown():
    assert markdown([PAGE]).partition("## GC2 ")[2] == (
        "what is overwritten, what shares memory\n\n"
        '<a id="gc201"></a>\n\n'
        "### GC201 backward overwrites dout\n\n"
        "*error* · Backward wrote into `dout`.\n\n"
        "Wrong:\n\n"
        "```python\ndout[self.mask] = 0\n\nif self.mask.any():\n    return dout\n```\n\n"
        "Right:\n\n"
        "```python\nreturn dout * self.mask\n```\n\n"
        "Not flagged: `dout` itself.\n"
    )


def test_every_family_has_a_title():
    assert {code[:3] for code in CATALOGUE} <= FAMILIES.keys()


def test_the_documentation_is_what_the_rules_say():
    pages = [Page(rule.code, rule.level, rule.title, rule.page) for _, rule in sorted(CATALOGUE.items())]
    assert DOCS.read_text(encoding="utf-8") == markdown(pages), (
        "docs/rules.md is not what the rules say; make it anew: gradcheck rules --format markdown > docs/rules.md"
    )
