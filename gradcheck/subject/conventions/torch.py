"""PyTorch: `torch.autograd.Function`, `torch.nn.Module` with such functions inside, and functions of tensors.

Arrays go in as tensors in the same memory, so that it is seen what is overwritten. The pullback is what
`torch.autograd.grad` gives for this very run; the parameters of a module are arguments like its inputs.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from gradcheck.errors import UncheckedError, UsageError
from gradcheck.subject.build import construct
from gradcheck.subject.calls import Parameter, called, copied, parameters_of
from gradcheck.subject.conventions import foreign
from gradcheck.subject.describe import describe
from gradcheck.subject.frameworks import derives_from, is_frameworks_own
from gradcheck.subject.protocol import Array

NAME = "torch"

_FUNCTION, _MODULE = "torch.autograd.function.Function", "torch.nn.modules.module.Module"


def claims(obj: object) -> bool:
    """Whether it is a Function, a Module, or a function that was given tensors."""
    return callable(obj)


def interface(obj: Any, settings: Mapping[str | int, Any]) -> tuple[tuple[Parameter, ...], tuple[Parameter, ...]]:  # noqa: ARG001
    """Return the parameters of a module's constructor, and those of forward but for ``ctx``."""
    if _is(obj, _FUNCTION):
        return (), parameters_of(obj.forward)[_contexts(obj) :]
    if not _is(obj, _MODULE):
        return (), parameters_of(obj)
    forward = parameters_of(obj.forward)
    return (parameters_of(obj), forward[1:]) if inspect.isclass(obj) else ((), forward)


def bind(
    obj: Any,
    settings: Mapping[str | int, Any],
    inputs: Mapping[str, Any],
    *,
    name: str,
    constants: frozenset[str] = frozenset(),
    seed: int = 0,
) -> foreign.ForeignSubject:
    """Bring it to a subject at these inputs."""
    torch = foreign.library("torch", name)
    constants |= foreign.plain_numbers(inputs)
    if _is(obj, _MODULE):
        module = _module(torch, obj, settings, name, seed)
        learnt = {key: foreign.own(p.detach().double()) for key, p in module.named_parameters() if p.requires_grad}
        run = _Run(torch, _Call(torch, module, tuple(learnt)), name, seed)
        everything = {**inputs, **learnt}
        subject = foreign.ForeignSubject(run, everything, name=name, convention=NAME, constants=constants, seed=seed)
        subject.arguments = tuple(replace(a, kind="parameter") if a.name in learnt else a for a in subject.arguments)
        return subject

    def function(*values: Any, dtype: Any) -> Any:  # noqa: ARG001 - it has nothing of its own to be converted
        if not _is(obj, _FUNCTION):
            return obj(*foreign.positional(obj, values, settings))
        contexts = _contexts(obj)
        return obj.apply(*foreign.positional(obj.forward, (None,) * contexts + values, settings)[contexts:])

    run = _Run(torch, function, name, seed)
    return foreign.ForeignSubject(run, inputs, name=name, convention=NAME, constants=constants, seed=seed)


class _Call:
    """A module as a function of its inputs and then its parameters; each call has a copy, so that no state is left."""

    def __init__(self, torch: Any, module: Any, names: Sequence[str]) -> None:
        self._torch, self._module, self._names = torch, module, names

    def __call__(self, *values: Any, dtype: Any) -> Any:
        count = len(values) - len(self._names)
        module = copied(self._module).to(dtype)
        parameters = dict(zip(self._names, values[count:], strict=True))
        return self._torch.func.functional_call(module, parameters, values[:count])


class _Run:
    """One run: arrays go in as tensors; outputs and a pullback come out, of arrays again."""

    def __init__(self, torch: Any, function: Callable[..., Any], name: str, seed: int) -> None:
        self._torch, self._function, self._name, self._seed = torch, function, name, seed
        # Some write into their input on purpose, which may then be no leaf; some take float32 only.
        self._ways = [(torch.float64, False), (torch.float64, True), (torch.float32, False)]

    def __call__(self, *values: Any) -> tuple[Any, Callable[..., Any]]:
        foreign.refuse_complex(values)
        before = tuple(np.array(value) if isinstance(value, np.ndarray) else value for value in values)
        first: Exception | None = None
        for way in list(self._ways):
            try:
                found = self._run(values, *way)
            except UsageError:
                raise
            except Exception as error:  # noqa: BLE001 - the first one is raised where no way leads on
                first = first or error
                _put_back(values, before)
            else:
                self._ways = [way]
                return found
        raise first or AssertionError

    def _run(self, values: tuple[Any, ...], dtype: Any, as_clones: bool) -> tuple[Any, Callable[..., Any]]:
        torch = self._torch
        narrow = dtype if any(foreign.is_real(v) and v.dtype == np.float64 for v in values) else None
        given = [self._tensor(value, narrow) for value in values]
        leaves = [tensor for tensor, value in zip(given, values, strict=True) if foreign.is_real(value)]
        with torch.enable_grad(), _seeded(torch, self._seed):
            for leaf in leaves:
                leaf.requires_grad_()
            handed = [t.clone() if as_clones and any(t is leaf for leaf in leaves) else t for t in given]
            result = called(self._function, *handed, dtype=dtype if narrow is not None else torch.float32)
        several = isinstance(result, tuple | list)
        outputs = [y for y in (result if several else [result]) if _is_smooth(torch, y)]
        self._require_backward(outputs, result)

        ys = tuple(y.detach().numpy() for y in outputs)
        # No closure: what it would hold of torch is no cache of the layer's.
        return (ys if several else ys[0]), partial(self._pull, outputs, leaves, values)

    def _pull(
        self, outputs: list[Any], leaves: list[Any], values: tuple[Any, ...], *cotangents: Array
    ) -> tuple[Array | None, ...]:
        douts = [self._tensor(np.asarray(w), y.dtype) for w, y in zip(cotangents, outputs, strict=True)]
        with _seeded(self._torch, self._seed + 1):  # a mask drawn anew in backward must not be that of forward by luck
            found = self._torch.autograd.grad(outputs, leaves, douts, retain_graph=True, allow_unused=True)
        arrays = iter([None if g is None else _array(g) for g in found])
        return tuple(next(arrays) if foreign.is_real(v) else None for v in values if foreign.is_number(v))

    def _tensor(self, value: Any, dtype: Any) -> Any:
        """Return an array as a tensor, in its memory unless it is read-only or runs backwards: torch takes neither."""
        if not isinstance(value, np.ndarray):
            return value.item() if isinstance(value, np.number) else value
        if not value.flags.writeable or any(stride < 0 for stride in value.strides):
            value = np.array(value)
        tensor = self._torch.from_numpy(value)
        return tensor.to(dtype) if dtype is not None and tensor.is_floating_point() else tensor

    def _require_backward(self, outputs: list[Any], result: Any) -> None:
        """Refuse what has no way back, or no backward in it that was written by hand."""
        if not outputs:
            raise UncheckedError(
                f"{self._name} returned {describe(result)} that torch knows no way back from",
                fix="return a tensor that is computed from the inputs, without .detach(), .numpy() or no_grad()",
            )
        if not _is_by_hand(self._torch, [y.grad_fn for y in outputs]):
            raise UncheckedError(
                f"{self._name} has no backward that is written by hand: torch differentiates all of it",
                fix="name a torch.autograd.Function, or a module that calls one",
            )


def _module(torch: Any, obj: Any, settings: Mapping[str | int, Any], name: str, seed: int) -> Any:
    """Build a module, or copy one."""
    if callable(getattr(obj, "backward", None)):
        raise UncheckedError(
            f"{name} is a torch.nn.Module with a backward, which torch never calls",
            fix="write forward and backward as a torch.autograd.Function",
        )
    if not isinstance(obj, type):
        return copied(obj)
    tensors = {key: torch.tensor(value) if isinstance(value, np.ndarray) else value for key, value in settings.items()}
    with _seeded(torch, seed):
        return construct(obj, tensors)


@contextmanager
def _seeded(torch: Any, seed: int) -> Iterator[None]:
    """Let torch draw from a seed of ours, and put its generator back afterwards."""
    with torch.random.fork_rng(devices=[]):
        torch.random.default_generator.manual_seed(seed % 2**63)
        yield


def _is(obj: Any, base: str) -> bool:
    return derives_from(obj if isinstance(obj, type) else type(obj), base)


def _contexts(function: Any) -> int:
    """Return how many contexts forward takes: none where ``setup_context`` is written apart from it."""
    written = (cls for cls in function.__mro__ if not is_frameworks_own(cls))
    return int(not any("setup_context" in vars(cls) for cls in written))


def _is_smooth(torch: Any, output: Any) -> bool:
    return isinstance(output, torch.Tensor) and output.requires_grad and output.is_floating_point()


def _is_by_hand(torch: Any, nodes: list[Any]) -> bool:
    """Whether one of the nodes that lead back is that of a `torch.autograd.Function`."""
    seen: set[Any] = set()
    while nodes:
        node = nodes.pop()
        if node is None or node in seen:
            continue
        if isinstance(node, torch.autograd.function.BackwardCFunction):
            return True
        seen.add(node)
        nodes += [following for following, _ in node.next_functions]
    return False


def _put_back(values: Sequence[Any], before: Sequence[Any]) -> None:
    for value, old in zip(values, before, strict=True):
        if isinstance(value, np.ndarray) and value.flags.writeable:
            value[...] = old


def _array(gradient: Any) -> Array:
    """Return a gradient as an array of its own: that torch hands ``dout`` on as it is, is none of the layer's doing."""
    return foreign.own(gradient.detach().to_dense().resolve_conj().resolve_neg().numpy())
