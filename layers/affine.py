"""The affine map: a matrix product and a bias."""

import numpy as np


class Affine:
    """The affine map ``x @ W + b``; shapes ``(n,i),(i,o),(o)->(n,o)`` of `x`, `W` and `b`.

    In place of the one axis ``n`` of samples, `x` may have any number of leading axes, or none. Write ``n`` for all of
    them together. Then ``out[n, o] = sum_i x[n, i] W[i, o] + b[o]``, and the chain rule gives

    - ``dx[n, i] = sum_o dout[n, o] W[i, o]``, that is ``dx = dout @ W.T``;
    - ``dW[i, o] = sum_n x[n, i] dout[n, o]``, that is ``dW = x.T @ dout``;
    - ``db[o] = sum_n dout[n, o]``, for the bias was added to every sample.

    (Goodfellow et al., "Deep Learning", 2016, section 6.5.6, which has the matrix product as its example.)

    Parameters
    ----------
    W : (i, o) array
        Kept as it is, not copied, so that an optimiser may change it in place. The gradient is set as ``dW``.
    b : (o,) array
        Likewise, with ``db``.

    Examples
    --------
    >>> affine = Affine(W=np.array([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]]), b=np.array([10.0, 20.0]))
    >>> print(affine.forward(np.array([[1.0, 0.0, 1.0]])))
    [[16. 28.]]
    >>> print(affine.backward(np.array([[1.0, -1.0]])))
    [[-1. -1. -1.]]
    >>> print(affine.dW)
    [[ 1. -1.]
     [ 0.  0.]
     [ 1. -1.]]
    >>> print(affine.db)
    [ 1. -1.]
    """

    def __init__(self, W, b):
        self.W, self.b = W, b
        self.dW = self.db = None

    def forward(self, x):
        self.x = x  # (..., i)
        return np.tensordot(x, self.W, axes=1) + self.b  # (..., o)

    def backward(self, dout):
        samples = tuple(range(dout.ndim - 1))  # the leading axes, all of them together
        self.dW = np.tensordot(self.x, dout, axes=(samples, samples))  # (i, o)
        self.db = dout.sum(axis=samples)  # (o,)
        return np.tensordot(dout, self.W, axes=(-1, -1))  # (..., i)
