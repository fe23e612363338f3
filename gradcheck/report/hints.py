"""What `gradcheck infer` prints: per layer the hints that say what was found, or that may be corrected to say it."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from gradcheck.hints import Inferred, as_python, as_toml


def text(layers: Sequence[Inferred]) -> str:
    """Return both forms of each layer's hints, for a person.

    Examples
    --------
    >>> from gradcheck.hints import Hints
    >>> print(text([Inferred("Relu", "a.py::Relu", "a.py::Relu", "Relu", Hints(signature="(n,i)->(n,i)"))]), end="")
    Relu   (n,i)->(n,i)
      [tool.gradcheck.layers."a.py::Relu"]
      signature = "(n,i)->(n,i)"
    <BLANKLINE>
      gradcheck.check(Relu, signature="(n,i)->(n,i)")
    """
    return "\n".join("".join(line.rstrip() + "\n" for line in _lines(layer)) for layer in layers)


def toml(layers: Iterable[Inferred]) -> str:
    """Return tables for pyproject.toml; what may only be meant stands in comments, to be corrected.

    Examples
    --------
    >>> print(toml([Inferred("Cam", "a.py::Cam", "a.py::Cam", "Cam", reason="it has no backward")]), end="")
    # Cam: it has no backward
    """
    return _forms(layers, lambda layer: as_toml(layer.pattern, layer.hints) if layer.hints else "")


def python(layers: Iterable[Inferred]) -> str:
    """Return calls of `gradcheck.check`; what may only be meant stands in comments, to be corrected."""
    return _forms(layers, lambda layer: as_python(layer.call, layer.hints) if layer.hints else "")


def as_json(layers: Iterable[Inferred]) -> str:
    """Return what was found for programs.

    Examples
    --------
    >>> json.loads(as_json([]))
    {'schema': 1, 'layers': []}
    """
    entries = [
        {
            "name": layer.name,
            "target": layer.target,
            "found": layer.reason is None,
            "reason": layer.reason,
            "fix": layer.fix,
            "hints": layer.hints.given() if layer.hints else None,
            "toml": as_toml(layer.pattern, layer.hints) if layer.hints else None,
            "python": as_python(layer.call, layer.hints) if layer.hints else None,
        }
        for layer in layers
    ]
    return json.dumps({"schema": 1, "layers": entries}, indent=2, ensure_ascii=False, default=str) + "\n"


FORMS: Mapping[str, Callable[[Sequence[Inferred]], str]] = {
    "text": text,
    "toml": toml,
    "python": python,
    "json": as_json,
}


def _lines(layer: Inferred) -> Iterator[str]:
    said = layer.hints
    if layer.reason is not None:
        yield f"{layer.name}   unchecked: {_one_line(layer.reason)}"
        if layer.fix and said is None:
            yield f"  to fix it: {_one_line(layer.fix)}"
        if said is not None:
            yield "  to fix it: correct one of these"
    elif said is not None:
        yield f"{layer.name}   {' · '.join(word for word in (said.convention, said.signature) if word)}"
    if said is not None:
        yield from textwrap.indent(as_toml(layer.pattern, said), "  ").splitlines()
        yield ""
        yield from textwrap.indent(as_python(layer.call, said), "  ").splitlines()


def _forms(layers: Iterable[Inferred], form: Callable[[Inferred], str]) -> str:
    blocks = []
    for layer in layers:
        lines = [f"# {layer.name}: {_one_line(layer.reason)}"] if layer.reason is not None else []
        written = form(layer)
        lines += textwrap.indent(written, "# " if layer.reason is not None else "").splitlines()
        if layer.reason is not None and layer.fix and not written:
            lines.append(f"# to fix it: {_one_line(layer.fix)}")
        blocks.append("".join(line + "\n" for line in lines))
    return "\n".join(blocks)


def _one_line(text: str) -> str:
    return " ".join(text.split())
