"""The numeric side: knows functions of arrays, nothing of layers. Start reading at `compare`."""

from gradcheck.derivative.compare import compare
from gradcheck.derivative.differentiate import Derivative, directional, gradient, jacobian
from gradcheck.derivative.function import Block, Comparison, Function

__all__ = ["Block", "Comparison", "Derivative", "Function", "compare", "directional", "gradient", "jacobian"]
