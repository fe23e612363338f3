"""The checkers: ours, and those of the libraries at their defaults.

Every peer is a function ``check(handed, seed)``: True where it is content, False where it is not. Whatever else it
raises is no verdict.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from benchmarks.peers.handed import Handed, Pullback, whole
from benchmarks.peers.recipes import book, course, scipy_check_grad
from gradcheck.subject.protocol import Array, Outputs

Check = Callable[[Handed, int], bool]

OURS = "gradcheck"


@dataclass(frozen=True)
class Peer:
    """A checker of others: what it is called in tables, and the package that it needs."""

    name: str
    package: str
    check: Check


def torch_gradcheck(handed: Handed, seed: int, *, fast_mode: bool) -> bool:
    """Run ``torch.autograd.gradcheck`` on an ``autograd.Function`` that shares its memory with NumPy both ways."""
    import torch  # noqa: PLC0415
    from torch.autograd.gradcheck import GradcheckError  # noqa: PLC0415

    torch.manual_seed(seed)

    class Wrapped(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            outputs, ctx.pullback = handed.run(*(t.detach().numpy() for t in tensors))
            ys = tuple(map(tensor_of, outputs))
            return ys if len(ys) > 1 else ys[0]

        @staticmethod
        def backward(ctx: Any, *dout: Any) -> Any:
            gradients = ctx.pullback(tuple(w.detach().numpy() for w in dout))
            return tuple(None if g is None else tensor_of(g) for g in gradients)

    def tensor_of(a: Array) -> Any:
        # torch knows no negative strides, and no scalars' memory; a layer may well return np.flip(x).
        return torch.from_numpy(np.array(a) if any(stride < 0 for stride in a.strides) else a)

    inputs = tuple(torch.from_numpy(a).requires_grad_() for a in handed.copies())
    try:
        return bool(torch.autograd.gradcheck(Wrapped.apply, inputs, fast_mode=fast_mode))
    except GradcheckError:
        return False


def jax_check_grads(handed: Handed, seed: int) -> bool:
    """Run ``jax.test_util.check_grads`` in x64 on a ``custom_vjp``, which is called as it is, not traced.

    Its seed is always 0, and it hands its arrays over read-only.
    """
    import jax  # noqa: PLC0415
    from jax import numpy as jnp  # noqa: PLC0415
    from jax.test_util import check_grads  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)
    pullbacks: list[Pullback] = []  # what is kept for the backward must be an array: the position in this list

    def outputs_of(*values: Any) -> tuple[Any, Pullback]:
        outputs, pullback = handed.run(*map(np.asarray, values))
        ys = tuple(map(jnp.asarray, outputs))
        return (ys if len(ys) > 1 else ys[0]), pullback

    @jax.custom_vjp
    def f(*values: Any) -> Any:
        return outputs_of(*values)[0]

    def f_forward(*values: Any) -> Any:
        y, pullback = outputs_of(*values)
        pullbacks.append(pullback)
        return y, jnp.asarray(len(pullbacks) - 1)

    def f_backward(position: Any, w: Any) -> Any:
        cotangents = tuple(map(np.asarray, w if isinstance(w, tuple) else (w,)))
        return tuple(map(jnp.asarray, whole(pullbacks[int(position)](cotangents))))

    f.defvjp(f_forward, f_backward)
    try:
        check_grads(f, tuple(map(jnp.asarray, handed.copies())), order=1, modes=["rev"])
    except AssertionError as error:
        if "Not equal to tolerance" in str(error):
            return False
        raise
    return True


def autograd_check_grads(handed: Handed, seed: int) -> bool:
    """Run ``autograd.test_util.check_grads``, first order, on a ``primitive``, for all arguments at once."""
    from autograd.extend import defvjp_argnums, primitive  # noqa: PLC0415
    from autograd.test_util import check_grads  # noqa: PLC0415

    latest: list[Pullback] = []  # autograd asks for the backward of a run right after it

    @primitive
    def f(*arrays: Array) -> Any:
        state = np.random.get_state()  # noqa: NPY002
        outputs, pullback = handed.run(*arrays)
        np.random.set_state(state)  # noqa: NPY002 - seeding a layer is not to choose the directions of the check
        latest[:] = [pullback]
        return outputs if len(outputs) > 1 else outputs[0]

    def vjp(argnums: Sequence[int], y: Any, arrays: Any, options: Any) -> Callable[[Any], Any]:
        (pullback,) = latest

        def gradients(w: Any) -> Any:
            cotangents: Outputs = tuple(map(np.asarray, w if isinstance(w, tuple | list) else (w,)))
            found = whole(pullback(cotangents))
            return tuple(found[k] for k in argnums)

        return gradients

    defvjp_argnums(f, vjp)
    np.random.seed(seed)  # noqa: NPY002 - what it draws from
    try:
        check_grads(f, tuple(range(len(handed.arrays))), modes=["rev"], order=1)(*handed.copies())
    except AssertionError as error:
        if "Derivative (VJP) check" in str(error) or not str(error):  # without a word: the shapes differ
            return False
        raise
    return True


PEERS = (
    Peer("torch slow", "torch", partial(torch_gradcheck, fast_mode=False)),
    Peer("torch fast", "torch", partial(torch_gradcheck, fast_mode=True)),
    Peer("jax", "jax", jax_check_grads),
    Peer("autograd", "autograd", autograd_check_grads),
    Peer("scipy", "scipy", scipy_check_grad),
    Peer("cs231n", "numpy", course),
    Peer("from scratch", "numpy", book),
)


def installed() -> tuple[Peer, ...]:
    """Return the peers whose package is there."""
    return tuple(peer for peer in PEERS if find_spec(peer.package) is not None)


def absent() -> str:
    """Say which peers are left out, and how to get them; nothing where all are there."""
    missing = [peer.name for peer in PEERS if peer not in installed()]
    return f"left out, for it is not installed: {', '.join(missing)} (pip install --group peers)" if missing else ""
