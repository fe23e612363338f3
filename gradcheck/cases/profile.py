"""How thoroughly to look: three named profiles, from a glance to an evening."""

from __future__ import annotations

from dataclasses import dataclass

from gradcheck.errors import UsageError


@dataclass(frozen=True, slots=True)
class Profile:
    """How many cases to try, and how much to spend on each.

    Parameters
    ----------
    cases : int
        Cases of a sweep over sizes: four of set sizes, then random ones.
    draws : int
        Cotangents and directions tried at a point that the user gave.
    stencils : int
        Where gradients are compared element by element, at most so many stencils of four forwards go into each
        argument; one that needs more is compared along directions only.
    complete : int
        In so many of the first cases gradients are compared element by element too.
    """

    cases: int
    draws: int
    stencils: int
    complete: int


PROFILES = {
    "quick": Profile(cases=8, draws=1, stencils=0, complete=0),
    "default": Profile(cases=24, draws=3, stencils=16, complete=4),
    "thorough": Profile(cases=96, draws=12, stencils=1024, complete=96),
}


def profile_of(name: object) -> Profile:
    """Return a profile by its name.

    Raises
    ------
    UsageError
        If there is none of that name.

    Examples
    --------
    >>> profile_of("quick").cases
    8
    """
    found = PROFILES.get(name) if isinstance(name, str) else None
    if found is None:
        raise UsageError(f"there is no profile {name!r}", fix=f"choose one of {', '.join(PROFILES)}")
    return found
