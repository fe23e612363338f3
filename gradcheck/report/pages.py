"""What the rules say of themselves: as a list, as pages, and as the Markdown of docs/rules.md.

A page is the docstring of a rule: paragraphs with ``code`` between double backticks, and indented code below a line
that ends in ``::``.
"""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

# The first digit of a code says what a rule is about; titles are those of the chapters of docs/rules.md.
FAMILIES: Mapping[str, str] = {
    "GC0": "could not be checked",
    "GC1": "values and shapes of the gradients",
    "GC2": "what is overwritten, what shares memory",
    "GC3": "state: repeated calls, reused layers, random numbers",
    "GC4": "linearity in dout",
    "GC5": "edges and memory layouts",
    "GC6": "errors, hangs and runtime warnings",
}

_INTRODUCTION = """\
# Rules

<!-- Made by `gradcheck rules --format markdown` from the docstrings of the rules: mend those, and make it anew. -->

An **error** fails the check. A **warning** is shown: what it finds is often meant so, and sometimes not. A rule that
is **off** asks for more than most layers promise, and is looked at only where it is selected. `gradcheck rule GC201`
prints a page of this list; `--select`, `--ignore`, `--error`, `--warning` and `[tool.gradcheck]` in pyproject.toml
choose rules and levels.
"""


class Page(NamedTuple):
    """One rule: its code, its default level, its title, and its docstring."""

    code: str
    level: str
    title: str
    text: str

    @property
    def family(self) -> str:
        """The beginning of the code that the whole family shares."""
        return self.code[: len("GC1")]


def listing(pages: Iterable[Page]) -> str:
    """Return the rules as a list, family by family.

    Examples
    --------
    >>> print(listing([Page("GC201", "error", "backward overwrites dout", "")]), end="")
    GC2  what is overwritten, what shares memory
      GC201  error    backward overwrites dout
    """
    lines = []
    for family, members in groupby(pages, key=lambda page: page.family):
        lines.append(f"{family}  {FAMILIES.get(family, '')}".rstrip())
        lines += [f"  {page.code}  {page.level:7}  {page.title}" for page in members]
    return "".join(line + "\n" for line in lines)


def explain(pages: Iterable[Page]) -> str:
    """Return the pages as text.

    Examples
    --------
    >>> print(explain([Page("GC201", "error", "backward overwrites dout", "Why it matters.")]), end="")
    GC201  backward overwrites dout  (error)
    <BLANKLINE>
    Why it matters.
    """
    return "\n\n".join(f"{page.code}  {page.title}  ({page.level})\n\n{_body(page)}\n" for page in pages)


def as_json(pages: Iterable[Page]) -> str:
    """Return the rules for programs.

    Examples
    --------
    >>> json.loads(as_json([Page("GC201", "error", "backward overwrites dout", "Why it matters.")]))
    [{'code': 'GC201', 'level': 'error', 'title': 'backward overwrites dout', 'page': 'Why it matters.'}]
    """
    rules = [{"code": p.code, "level": p.level, "title": p.title, "page": _body(p)} for p in pages]
    return json.dumps(rules, indent=2, ensure_ascii=False) + "\n"


def markdown(pages: Sequence[Page]) -> str:
    """Return docs/rules.md: a table, then the pages, each under an anchor that is its code in small letters.

    Examples
    --------
    >>> print(markdown([Page("GC201", "error", "backward overwrites dout", "Why it matters.")])[-82:], end="")
    <a id="gc201"></a>
    <BLANKLINE>
    ### GC201 backward overwrites dout
    <BLANKLINE>
    *error* · Why it matters.
    """
    blocks = [_INTRODUCTION.rstrip(), "| code | level | what is wrong |\n|---|---|---|"]
    blocks[-1] += "".join(f"\n| [{page.code}](#{page.code.lower()}) | {page.level} | {page.title} |" for page in pages)
    for family, members in groupby(pages, key=lambda page: page.family):
        blocks.append(f"## {family} {FAMILIES.get(family, '')}".rstrip())
        for page in members:
            text = "\n".join(_markdown_lines(f"*{page.level}* · {_body(page)}"))
            blocks += [f'<a id="{page.code.lower()}"></a>', f"### {page.code} {page.title}", text]
    return "\n\n".join(blocks) + "\n"


FORMS: Mapping[str, Callable[[Sequence[Page]], str]] = {"text": listing, "json": as_json, "markdown": markdown}


def _body(page: Page) -> str:
    """Return the text of a page without its code, which stands above it."""
    text = page.text.strip().removeprefix(f"{page.code}:").strip()
    return text[:1].upper() + text[1:]


def _markdown_lines(text: str) -> Iterator[str]:
    """Turn double backticks into single ones, and indented code below ``::`` into fenced code."""
    lines = text.splitlines()
    while lines:
        line = lines.pop(0)
        if not line.endswith("::"):
            yield line.replace("``", "`")
            continue
        yield line.removesuffix(":").replace("``", "`")
        code = []
        while lines and (not lines[0].strip() or lines[0].startswith(" ")):
            code.append(lines.pop(0))
        yield from ("", "```python", *textwrap.dedent("\n".join(code)).strip("\n").splitlines(), "```")
        if lines:
            yield ""
