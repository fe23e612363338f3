"""Activations: functions of one input, element by element."""

import numpy as np


class Relu:
    """The rectifier ``max(x, 0)``, element by element; shapes ``()->()``.

    The slope is 1 where ``x > 0`` and 0 where ``x < 0``, so that ``dx = dout`` on the active elements and 0 elsewhere.
    At 0 itself there is a kink and every slope from 0 to 1 is a subgradient; 0 is taken, as nearly everybody does.
    (Goodfellow et al., "Deep Learning", 2016, section 6.3.1.)

    Examples
    --------
    >>> relu = Relu()
    >>> print(relu.forward(np.array([-1.0, 0.0, 2.0])))
    [0. 0. 2.]
    >>> print(relu.backward(np.array([10.0, 20.0, 30.0])))
    [ 0.  0. 30.]
    """

    def forward(self, x):
        self.active = x > 0
        return np.maximum(x, 0)

    def backward(self, dout):
        return dout * self.active


class Sigmoid:
    """The logistic function ``1 / (1 + exp(-x))``, element by element; shapes ``()->()``.

    With ``s = 1 / (1 + exp(-x))`` the slope is ``exp(-x) / (1 + exp(-x))**2 = s * (1 - s)``, an even function of `x`.
    Both are written in ``e = exp(-abs(x))``, which is never above 1, so that nothing overflows:
    ``s = 1 / (1 + e)`` for ``x >= 0`` and ``e / (1 + e)`` for ``x < 0``, and the slope is ``e / (1 + e)**2`` for both.
    The usual ``s * (1 - s)`` cannot do as well: for a large `x`, `s` rounds to 1 and ``1 - s`` has no digit left.
    (Goodfellow et al., "Deep Learning", 2016, section 3.10.)

    Examples
    --------
    >>> sigmoid = Sigmoid()
    >>> print(sigmoid.forward(np.array([-1e4, 0.0, 1e4])))
    [0.  0.5 1. ]
    >>> print(sigmoid.backward(np.array([1.0, 1.0, 1.0])))
    [0.   0.25 0.  ]
    """

    def forward(self, x):
        self.e = np.exp(-np.abs(x))
        # The larger of e <= 1 and "is x >= 0?" is 1 or e, in the dtype of e.
        return np.maximum(self.e, x >= 0) / (1 + self.e)

    def backward(self, dout):
        return dout * (self.e / (1 + self.e) ** 2)
