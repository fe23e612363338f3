"""Where in the source a finding comes from: what raised, what wrote, or what made the wrong gradient."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from gradcheck.diagnosis.watch import first_write
from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding, Location
from gradcheck.subject.blame import blame
from gradcheck.subject.halves import halves_of
from gradcheck.subject.names import gradient_names
from gradcheck.subject.protocol import Array, point_of
from gradcheck.subject.source import bare, code_of, definition, location, location_of

_ANYWHERE = frozenset({"GC308", "GC309"})  # forward or backward: which of them is not known


def locate(obj: Any, finding: Finding, evidence: Evidence) -> Location | None:
    """Return the line that a finding comes from, as exactly as it can be known."""
    backward = obj[1] if isinstance(obj, tuple) else _second(obj)
    if finding.rule in _ANYWHERE:
        return None
    if finding.rule in {"GC602", "GC603"} and evidence.raised is not None:
        return blame(evidence.raised, obj) or location_of(backward)
    if finding.rule in {"GC201", "GC202", "GC203"} and finding.argument is not None:
        return _writer(finding, evidence) or location_of(backward)
    made = _maker(backward, finding.argument, [a.name for a in evidence.owed if a.kind == "input"])
    return made or location_of(backward)


def _second(obj: Any) -> Any:
    """Return the second half of a layer: a method under whatever name, or the rule of a `jax.custom_vjp`."""
    halves = halves_of(obj)
    return getattr(obj, "bwd", obj) if halves is None else getattr(obj, halves.backward)


def _writer(finding: Finding, evidence: Evidence) -> Location | None:
    """Run the layer once more and watch the array that was overwritten."""
    primals = point_of(evidence.subject.arguments)
    cotangents = tuple(w.copy() for w in evidence.cotangents)
    watched: list[Array] = list(cotangents) if finding.argument == "dout" else [primals[str(finding.argument)]]
    if finding.rule == "GC203":
        return first_write(lambda: evidence.subject.vjp(primals), watched)
    _, pullback = evidence.subject.vjp(primals)
    return first_write(lambda: pullback(cotangents), watched)


def _maker(backward: Any, argument: str | None, inputs: list[str]) -> Location | None:
    """Return the assignment in backward that makes a gradient: ``self.dW = …``, or that of what it returns."""
    node, code = definition(backward), code_of(bare(backward))
    if node is None or code is None:
        return None
    statement = (_attribute(node, argument) if argument else None) or _returned(node, argument, inputs)
    if statement is None:
        return None
    return location(code.co_filename, statement.lineno)


def _attribute(node: ast.AST, argument: str) -> ast.stmt | None:
    """Return the last assignment to ``self.dW``, ``self.grads["W"]`` and the like."""
    name = argument.rpartition(".")[2]
    spellings = {*gradient_names(name)}
    found: ast.stmt | None = None
    for statement, target in _assignments(node):
        if isinstance(target, ast.Attribute):
            written, wanted = target.attr, spellings
        elif isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
            written, wanted = str(target.slice.value), {*spellings, name.lower()}
        else:
            continue
        if written.lower().lstrip("_") in wanted:
            found = statement
    return found


def _returned(node: ast.AST, argument: str | None, inputs: list[str]) -> ast.stmt | None:
    """Return the last assignment to the local that is returned for an argument, else the return statement itself."""
    returns = [n for n in ast.walk(node) if isinstance(n, ast.Return)]
    if not returns:
        return None
    statement = returns[-1]
    value = statement.value
    if isinstance(value, ast.Tuple) and argument in inputs and inputs.index(argument) < len(value.elts):
        value = value.elts[inputs.index(argument)]
    if isinstance(value, ast.Name):
        made = [s for s, t in _assignments(node) if isinstance(t, ast.Name) and t.id == value.id]
        return made[-1] if made else statement
    return statement


def _assignments(node: ast.AST) -> Iterator[tuple[ast.stmt, ast.expr]]:
    """Yield every assignment below a node with each of its targets, in the order of the source."""
    statements = [n for n in ast.walk(node) if isinstance(n, ast.Assign | ast.AugAssign | ast.AnnAssign)]
    for statement in sorted(statements, key=lambda s: s.lineno):
        for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
            for part in target.elts if isinstance(target, ast.Tuple | ast.List) else [target]:
                yield statement, part
