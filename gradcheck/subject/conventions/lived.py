"""A layer object that lives on from call to call."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from gradcheck.subject.equal import same_array
from gradcheck.subject.parameters import arrays_of, homes_of
from gradcheck.subject.protocol import Argument, Array, Outputs, Primals, Pullback
from gradcheck.subject.session import carried, flush, generators


class _Runs(Protocol):
    arguments: tuple[Argument, ...]

    def run_on(self, layer: Any, primals: Primals) -> tuple[Outputs, Pullback]: ...


class LivedLayer:
    """One layer object that is run again and again."""

    def __init__(self, subject: _Runs, layer: Any, primals: Primals, *, forgetful: bool) -> None:
        self._subject, self._layer = subject, layer
        self._rewind = generators(layer)
        self._forget = carried(layer) if forgetful else None
        parameters = {a.name: primals[a.name] for a in subject.arguments if a.kind == "parameter"}
        self._homes = homes_of(layer, parameters)

    def vjp(self, primals: Primals) -> tuple[Outputs, Pullback]:
        """Put the parameters where the layer keeps its own, and run forward."""
        for name, home in self._homes.items():
            if not same_array(home.value, primals[name]):
                home.put(primals[name])
        flush(self._layer)
        self._rewind()
        if self._forget is not None:
            self._forget()
        return self._subject.run_on(self._layer, primals)

    def kept(self) -> Mapping[str, Array]:
        """Return its arrays as they are now."""
        return {kept.name: kept.value for kept in arrays_of(self._layer)}
