"""The numeric side: knows functions of arrays, nothing of layers. Start reading at `compare`."""

from gradcheck.derivative.compare import compare
from gradcheck.derivative.function import Block, Comparison, Function

__all__ = ["Block", "Comparison", "Function", "compare"]
