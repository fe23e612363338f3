"""With respect to what a derivative is that does not say so: told by names and by numbers, never by values."""

from __future__ import annotations

import re
from collections.abc import Sequence

from gradcheck.errors import UncheckedError
from gradcheck.subject.names import is_target
from gradcheck.subject.parameters import is_parameter_name
from gradcheck.subject.text import spellings_of

_MAYBE_TARGET = re.compile(r"^_?ys?$", re.IGNORECASE)
_DATA = re.compile(r"^_?(X|xs|x_?(train|batch|data)|data|features|inputs?|samples)$")
# Numbers that shape a function: nobody differentiates with respect to them.
_CONSTANT = re.compile(
    r"^_?(reg\w*|lam(b|bda)?_?|l[12]|weight_decay|alpha|slope|negative_?slope|eps(ilon)?|delta|margin|temperature|smooth\w*"
    r"|power|degree|axis|mask)$",
    re.IGNORECASE,
)


def wrt(names: Sequence[str], labels: Sequence[str], count: int) -> tuple[str, ...]:
    """Return the inputs to which the returned gradients belong.

    Parameters
    ----------
    names : sequence of str
        The inputs that are real, in order.
    labels : sequence of str
        What the gradients are called in the source, as far as they have names.
    count : int
        How many gradients there are.

    Raises
    ------
    UncheckedError
        If that cannot be told.

    Examples
    --------
    >>> wrt(["x", "y"], [""], 1), wrt(["y_true", "y_pred"], [""], 1), wrt(["W", "X", "y", "reg"], ["dW"], 1)
    (('x',), ('y_pred',), ('W',))
    >>> wrt(["X", "y", "theta"], ["grad"], 1), wrt(["x", "y", "w", "b"], ["dj_db", "dj_dw"], 2)
    (('theta',), ('b', 'w'))
    """
    named = [_named(label, names) for label in labels]
    if named and all(named) and len({*named}) == len(named):
        return tuple(str(name) for name in named)
    free = [name for name in names if not _CONSTANT.match(name)] or list(names)
    candidates = [name for name in free if name not in targets(free)]
    parameters = [name for name in candidates if is_parameter_name(name)]
    if count == len(candidates):
        return tuple(candidates)
    if count == len(parameters) and (len(candidates) < len(free) or any(map(_DATA.match, candidates))):
        return tuple(parameters)
    if count == len(free) > 1:
        return tuple(free)
    if count == 1 and candidates:
        return (candidates[0],)
    raise UncheckedError(
        f"cannot tell with respect to what the {count} returned gradients are: the inputs are {', '.join(names)}",
        fix="call each gradient after its input where they are returned, as in `return dw, db`, or return a dict",
    )


def targets(names: Sequence[str]) -> list[str]:
    """Return the inputs that a loss only compares with: by name, and ``y`` beside something else that is predicted.

    Examples
    --------
    >>> targets(["y", "t"]), targets(["y", "y_hat"]), targets(["x", "y", "w"]), targets(["y"]), targets(["p", "q"])
    (['t'], ['y'], ['y'], [], ['p'])
    """
    sure = [name for name in names if is_target(name)]
    if sure or len(names) < 2:
        return sure if len(sure) < len(names) else sure[1:]
    return [name for name in names if _MAYBE_TARGET.match(name)] or [
        name for name in names[:1] if {*names} == {"p", "q"}
    ]


def _named(label: str, names: Sequence[str]) -> str | None:
    """Return the input that a gradient is called after: the same case first, for ``dW`` beside ``w``."""
    same = [name for name in names if label in (name, f"d{name}", f"d_{name}", f"{name}_grad", f"grad_{name}")]
    return next(iter(same or [name for name in names if label.lower() in spellings_of(name)]), None)
