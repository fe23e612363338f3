"""What is stated about the outputs, held against what forward gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from gradcheck.cases.plan import Plan
from gradcheck.cases.said import Said
from gradcheck.cases.signature import Dims, format_dims, names_in, size_of
from gradcheck.cases.values import Spec
from gradcheck.errors import UsageError
from gradcheck.records import Case
from gradcheck.subject.protocol import Array


class StatedOutputsError(UsageError):
    """Forward gives other shapes than a signature or a return annotation states."""


def sizes_stated(
    said: Said, plan: Plan, case: Case, outputs: Sequence[Array], *, apart: bool = False
) -> Mapping[str, int]:
    """Return the sizes of the dimensions that only the stated outputs have, at a case.

    ``apart``: they are of other sizes than all others, as their own names say; in some layers they are not after all.

    Raises
    ------
    StatedOutputsError
        If they have others.
    """
    stated = said.signature.outputs if said.signature else said.outputs
    if not stated:
        return {}
    sizes = {name: size for name, size in case.sizes if name not in plan.choices}
    shapes = [y.shape for y in outputs]
    if len(shapes) == len(stated) and all(
        _agrees(dims, shape, sizes, apart=apart) for dims, shape in zip(stated, shapes, strict=True)
    ):
        return {name: size for name, size in sizes.items() if name not in plan.names}
    source = "the signature says" if said.signature else "the return annotation says"
    raise StatedOutputsError(
        f"{source} that forward gives {','.join(map(format_dims, stated))}, "
        f"but it gives {','.join(map(str, shapes))} at {' '.join(f'{name}={size}' for name, size in case.sizes)}",
        fix="state what forward gives, or mend forward",
    )


def loss_rank(said: Said, plan: Plan) -> int:
    """Return how many dimensions a loss may have: one for each sample; where shapes are stated, it must reduce."""
    first = next(iter(plan.inputs.values()), None)
    rank = len(first.dims) if isinstance(first, Spec) else 0
    return min(1, rank - 1) if said.signature or said.shapes else 1


def _agrees(dims: Dims, shape: tuple[int, ...], sizes: dict[str, int], *, apart: bool) -> bool:
    """Whether a shape is the stated one; names that are met for the first time get the size that is found."""
    if len(dims) != len(shape):
        return False
    met = {d: size for d, size in zip(dims, shape, strict=True) if _is_name(d) and d not in sizes}
    if apart and {*met.values()} & {*sizes.values()}:
        return False
    sizes |= {str(d): size for d, size in met.items()}
    return all(size_of(d, sizes) == size for d, size in zip(dims, shape, strict=True) if _is_known(d, sizes))


def _is_name(dim: str | int) -> bool:
    return isinstance(dim, str) and dim.isidentifier()


def _is_known(dim: str | int, sizes: Mapping[str, int]) -> bool:
    return isinstance(dim, int) or sizes.keys() >= {*names_in([dim])}
