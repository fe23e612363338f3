"""What is found out about a layer, in the words of a hint: how it is spelled, built and called."""

from __future__ import annotations

from dataclasses import replace

from gradcheck.cases.said import hints_of
from gradcheck.cases.search import written
from gradcheck.errors import UncheckedError, UsageError
from gradcheck.examine import Request
from gradcheck.hints import Inferred
from gradcheck.subject.absent import UnavailableError
from gradcheck.subject.discover import Found
from gradcheck.subject.load import imports_of
from gradcheck.subject.world import quiet_world


def inferred(found: Found, request: Request) -> Inferred:
    """Return what is found out about one layer, with what was said about it already.

    Examples
    --------
    >>> from gradcheck.subject.discover import of_object
    >>> def double_forward(x): return 2.0 * x
    >>> def double_backward(dout): return 2.0 * dout
    >>> inferred(of_object((double_forward, double_backward)), Request()).hints.given()
    {'convention': 'function pair', 'signature': '(n,i)->(n,i)'}
    """
    pattern = next(iter(found.names[2:]), found.target.replace("\\", "/"))
    blank = Inferred(found.name, found.target, pattern, written(found.obj, found.name))
    said = request.hints_for(found)
    if found.reason is not None:
        return replace(blank, reason=found.reason, fix=found.fix)
    if said.skip is not None:
        return replace(blank, reason=f"skipped: {said.skip}", hints=said)
    with quiet_world(), imports_of(found.obj):
        try:
            points = request.points_of(found)
        except (UsageError, UnavailableError) as error:
            hint = error.hint if isinstance(error, UncheckedError) else None
            return replace(blank, reason=error.message, fix=error.fix or None, hints=hint)
        except Exception as error:  # noqa: BLE001 - one layer must not end the list of the others
            reason = f"gradcheck itself failed: {type(error).__name__}: {error}"
            return replace(blank, reason=reason, fix="report it as a bug of gradcheck, with the layer")
    return replace(blank, hints=None if points.plan is None else hints_of(points.plan, points.convention.NAME))
