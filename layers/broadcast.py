"""The gradient of broadcasting, which is summing."""

import numpy as np


def unbroadcast(g, shape):
    """Sum the gradient of a broadcast operand back to the operand's own shape.

    Broadcasting copies: one element of a stretched operand becomes several elements of the result. By the chain rule,
    what comes back along several paths is added up, so that its gradient is the sum of theirs.

    Parameters
    ----------
    g : array
        The gradient with respect to the operand as it was stretched, ``np.broadcast_to(operand, g.shape)``.
    shape : tuple of int
        The shape of the operand before that.

    Returns
    -------
    array
        Of that shape; `g` itself if nothing was broadcast.

    Examples
    --------
    >>> print(unbroadcast(np.ones((2, 3)), (2, 1)))
    [[3.]
     [3.]]
    """
    if shape == np.shape(g):
        return g
    added = g.ndim - len(shape)
    stretched = [added + k for k, n in enumerate(shape) if n == 1]
    return g.sum(axis=(*range(added), *stretched)).reshape(shape)
