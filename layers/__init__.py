"""Reference layers: right, vectorised, NumPy only, and small enough to be read in an evening.

Every layer is spelled alike. ``forward(*inputs)`` returns the output and keeps what backward needs; ``backward(dout)``
takes the gradient of a scalar with respect to that output and returns its gradient with respect to each input, in the
order of the inputs. Parameters are given to the constructor and kept under their own name (``W``); backward sets their
gradients under ``d`` + name (``dW``). Backward may be called any number of times after a forward.

What every layer keeps, and the tests hold it to:

- nothing that it is handed is written to: inputs, parameters and ``dout`` are only read;
- what backward returns is new memory, shared with nothing, so that it may be written to;
- float64 in, float64 out, and likewise float32, as long as all that goes in has the one dtype;
- sizes 0 and 1, strided and Fortran-ordered arrays are nothing special.

Shapes are in gufunc notation: ``(n,i),(i,o),(o)->(n,o)`` maps arrays of the shapes on the left to those on the right;
``()`` stands for one element, so that ``(),()->()`` works element by element and broadcasts.
"""

from .activation import Relu, Sigmoid
from .affine import Affine
from .arithmetic import Add, Mul

__all__ = ["Add", "Affine", "Mul", "Relu", "Sigmoid"]
