"""The checkers that people use, and ours, all asked the same: is the backward of this problem right?

Every peer gets the same NumPy forward and backward, wrapped as its users wrap a function that it cannot differentiate,
and is left at its defaults: steps, tolerances, directions. Peers that are not installed are left out.
"""

from __future__ import annotations

import platform
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from inspect import Parameter, Signature
from typing import Any, Literal

import numpy as np

import gradcheck
from benchmarks.numerics.problems import Array, Problem, Wrong, function_of
from gradcheck.derivative import compare

Verdict = Literal["pass", "fail", "error", "vacuous", "inconclusive", "unchecked"]
Check = Callable[[Problem, int], Verdict]

# Of several arguments, the one that fares worst speaks for the layer.
_WORST_FIRST: tuple[Verdict, ...] = ("fail", "inconclusive", "vacuous", "pass")


@dataclass(frozen=True)
class Peer:
    """A checker: ``check(problem, seed)`` gives its verdict, "error" where it raised something that is none."""

    name: str
    check: Check


def available() -> tuple[Peer, ...]:
    """Return the peers that are installed."""
    peers = {
        "torch slow": ("torch", partial(torch_gradcheck, fast_mode=False)),
        "torch fast": ("torch", partial(torch_gradcheck, fast_mode=True)),
        "jax": ("jax", jax_check_grads),
        "autograd": ("autograd", autograd_check_grads),
    }
    return tuple(Peer(name, check) for name, (package, check) in peers.items() if find_spec(package) is not None)


def ours_by_argument(problem: Problem, seed: int) -> dict[str, Verdict]:
    """Return the numeric core's verdict on the gradient of each argument."""
    with np.errstate(all="ignore"):
        found = compare(function_of(problem), np.random.default_rng([seed, 1]))
    return {name: comparison.verdict for name, comparison in found.items()}


def ours(problem: Problem, seed: int) -> Verdict:
    """Return the numeric core's verdict on a problem: that of the argument that fares worst."""
    found = ours_by_argument(problem, seed).values()
    return next(verdict for verdict in _WORST_FIRST if verdict in found)


def ours_check(problem: Problem, seed: int) -> Verdict:
    """Return the verdict of `gradcheck.check` on a pair of functions: float32 is promoted, and all rules apply."""
    names = list(problem.arrays)

    def forward(*values: Array) -> Array:
        return problem.forward(**dict(zip(names, values, strict=True)))

    def vjp(dout: Array, *values: Array) -> tuple[Array, ...]:
        g = problem.backward(dout, **dict(zip(names, values, strict=True)))
        return tuple(g[name] for name in names)

    spelled = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("dout", *names)]
    forward.__signature__ = Signature(spelled[1:])  # type: ignore[attr-defined]
    vjp.__signature__ = Signature(spelled)  # type: ignore[attr-defined]
    with np.errstate(all="ignore"):
        # Errors are planted at places that an input without samples does not have.
        report = gradcheck.check((forward, vjp), inputs=tuple(problem.arrays.values()), seed=seed, ignore="GC503")
    return report.verdict


OURS = (Peer("compare", ours), Peer("check", ours_check))


def on_wrong(checker: Peer, spoilt: Problem, wrong: Wrong, seed: int) -> Verdict:
    """Return the verdict on a wrong gradient; of ours, that on the very argument, which no other one may cover up."""
    if checker.check is ours:
        return ours_by_argument(spoilt, seed)[wrong.argument]
    return checker.check(spoilt, seed)


def torch_gradcheck(problem: Problem, seed: int, *, fast_mode: bool) -> Verdict:
    """Run ``torch.autograd.gradcheck`` on an ``autograd.Function`` around the problem.

    Fast mode draws from a generator of its own that is never seeded: its directions are the same in every run.
    """
    import torch  # noqa: PLC0415
    from torch.autograd.gradcheck import GradcheckError  # noqa: PLC0415

    torch.manual_seed(seed)
    names = list(problem.arrays)

    def numpy_of(tensors: Iterable[Any]) -> dict[str, Array]:
        return {name: t.detach().numpy().copy() for name, t in zip(names, tensors, strict=True)}

    class Wrapped(torch.autograd.Function):  # type: ignore[misc]
        @staticmethod
        def forward(ctx: Any, *tensors: Any) -> Any:
            ctx.save_for_backward(*tensors)
            return torch.from_numpy(np.array(problem.forward(**numpy_of(tensors))))

        @staticmethod
        def backward(ctx: Any, w: Any) -> Any:
            g = problem.backward(w.detach().numpy().copy(), **numpy_of(ctx.saved_tensors))
            return tuple(torch.from_numpy(np.array(g[name])) for name in names)

    inputs = tuple(torch.from_numpy(np.array(a)).requires_grad_() for a in problem.arrays.values())
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # that an input is not in double precision
        try:
            return "pass" if torch.autograd.gradcheck(Wrapped.apply, inputs, fast_mode=fast_mode) else "fail"
        except GradcheckError:
            return "fail"
        except Exception:  # noqa: BLE001
            return "error"


def jax_check_grads(problem: Problem, seed: int) -> Verdict:
    """Run ``jax.test_util.check_grads`` in x64 on a ``custom_vjp`` around the problem. Its seed is always 0."""
    import jax  # noqa: PLC0415
    from jax.test_util import check_grads  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)  # a callback may wait for what waits for it
    names = list(problem.arrays)

    def named(values: Iterable[Any]) -> dict[str, Array]:
        return {name: np.array(value) for name, value in zip(names, values, strict=True)}

    def forward_of(*values: Any) -> Array:
        with np.errstate(all="ignore"):
            return np.array(problem.forward(**named(values)))

    def backward_of(w: Any, *values: Any) -> tuple[Array, ...]:
        with np.errstate(all="ignore"):
            g = problem.backward(np.array(w), **named(values))
        return tuple(np.array(g[name]) for name in names)

    y = forward_of(*problem.arrays.values())
    like = jax.ShapeDtypeStruct(y.shape, y.dtype)

    @jax.custom_vjp
    def f(*values: Any) -> Any:
        return jax.pure_callback(forward_of, like, *values)

    def f_backward(values: Any, w: Any) -> Any:
        shapes = tuple(jax.ShapeDtypeStruct(v.shape, v.dtype) for v in values)
        return jax.pure_callback(backward_of, shapes, w, *values)

    f.defvjp(lambda *values: (f(*values), values), f_backward)
    try:
        check_grads(f, tuple(problem.arrays.values()), order=1, modes=["rev"])
    except AssertionError as error:
        return "fail" if "Not equal to tolerance" in str(error) else "error"
    except Exception:  # noqa: BLE001
        return "error"
    return "pass"


def jax_check_grads_forward(problem: Problem, seed: int) -> Verdict:
    """Run ``check_grads(modes=["fwd"])`` on an elementwise problem, whose backward is its forward derivative too."""
    import jax  # noqa: PLC0415
    from jax.test_util import check_grads  # noqa: PLC0415

    jax.config.update("jax_enable_x64", True)
    jax.config.update("jax_cpu_enable_async_dispatch", False)

    @jax.custom_jvp
    def f(x: Any) -> Any:
        return jax.pure_callback(lambda x: problem.forward(x=np.array(x)), x, x)

    @f.defjvp
    def _(primals: Any, tangents: Any) -> Any:
        (x,), (v,) = primals, tangents
        return f(x), jax.pure_callback(lambda v, x: problem.backward(np.array(v), x=np.array(x))["x"], x, v, x)

    try:
        check_grads(f, (problem.arrays["x"],), order=1, modes=["fwd"])
    except AssertionError as error:
        return "fail" if "Not equal to tolerance" in str(error) else "error"
    return "pass"


def autograd_check_grads(problem: Problem, seed: int) -> Verdict:
    """Run ``autograd.test_util.check_grads``, first order, on a ``primitive`` around the problem, for all arguments."""
    from autograd.extend import defvjp, primitive  # noqa: PLC0415
    from autograd.test_util import check_grads  # noqa: PLC0415

    names = list(problem.arrays)
    f = primitive(lambda *values: problem.forward(**dict(zip(names, values, strict=True))))

    def vjp_of(name: str) -> Callable[..., Any]:
        return lambda y, *values: (
            lambda w: problem.backward(np.asarray(w), **dict(zip(names, values, strict=True)))[name]
        )

    defvjp(f, *map(vjp_of, names))
    np.random.seed(seed)  # noqa: NPY002 - what it draws from
    with np.errstate(all="ignore"):
        try:
            check_grads(f, tuple(range(len(names))), modes=["rev"], order=1)(*problem.arrays.values())
        except AssertionError as error:
            return "fail" if "Derivative (VJP) check" in str(error) else "error"
        except Exception:  # noqa: BLE001
            return "error"
    return "pass"


def counted(problem: Problem) -> tuple[Problem, Counter[str]]:
    """Return a problem whose calls are counted, and the count of its forwards and backwards."""
    calls: Counter[str] = Counter()

    def forward(**arrays: Array) -> Array:
        calls["forward"] += 1
        return problem.forward(**arrays)

    def backward(w: Array, **arrays: Array) -> dict[str, Array]:
        calls["backward"] += 1
        return problem.backward(w, **arrays)

    return replace(problem, forward=forward, backward=backward), calls


def versions(peers: Iterable[Peer]) -> str:
    """Say what was measured: Python, gradcheck, NumPy and the peers' packages."""
    packages = ["numpy", *dict.fromkeys(peer.name.split()[0] for peer in peers)]
    installed = [f"{package} {metadata.version(package)}" for package in packages]
    return ", ".join([f"Python {platform.python_version()}", f"gradcheck {gradcheck.__version__}", *installed])


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Lay rows out as a Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", r"\|") for cell in line) + " |" for line in lines)
