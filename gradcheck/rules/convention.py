"""GC111 to GC113: known conventions. They are recognised over several cases, by `gradcheck.diagnosis`, and named."""

from __future__ import annotations

from collections.abc import Iterator

from gradcheck.evidence.record import Evidence
from gradcheck.records import Finding


def batch_mean(evidence: Evidence) -> Iterator[Finding]:  # noqa: ARG001 - see above
    """GC111: the gradients of all parameters are divided by the number of samples, that of the input is not.

    It is a convention: the loss is a mean, and the layer divides on behalf of it. It goes wrong where the loss does so,
    too, or where layers of both kinds meet.

    Wrong::

        class Linear:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout / len(dout)
                return dout @ self.W.T

    Not flagged::

        class Linear:
            def __init__(self, W):
                self.W = W

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dout):
                self.dW = self.x.T @ dout  # the loss divides
                return dout @ self.W.T

    Some parameters so and others not is GC101.

    To mend it, let the loss divide, once.
    """
    return iter(())


def fused(evidence: Evidence) -> Iterator[Finding]:  # noqa: ARG001 - see above
    """GC112: a softmax or sigmoid hands ``dout`` through: its derivative is supposed to be part of a loss elsewhere.

    It is a convention: the loss's backward gives ``p - t``, the gradient with respect to the logits. It goes wrong with
    any other loss.

    Wrong::

        class Softmax:
            def forward(self, x):
                e = np.exp(x - x.max(axis=1, keepdims=True))
                return e / e.sum(axis=1, keepdims=True)

            def backward(self, dout):
                return 1.0 * dout

    Not flagged::

        class Softmax:
            def forward(self, x):
                e = np.exp(x - x.max(axis=1, keepdims=True))
                self.p = e / e.sum(axis=1, keepdims=True)
                return self.p.copy()

            def backward(self, dout):
                return self.p * (dout - (dout * self.p).sum(axis=1, keepdims=True))

    To mend it, make one layer of softmax and loss, or give each its own derivative.
    """
    return iter(())


def mean_of_losses(evidence: Evidence) -> Iterator[Finding]:  # noqa: ARG001 - see above
    """GC113: forward gives a loss for each sample, backward the gradient of their mean.

    It is a convention: what is printed and what is minimised are different things.

    Wrong::

        class SquaredError:
            def forward(self, x, t):
                self.off = x - t
                return (self.off**2).sum(axis=1)

            def backward(self, dout):
                return 2 * self.off * dout[:, None] / len(self.off)

    Not flagged::

        class SquaredError:
            def forward(self, x, t):
                self.off = x - t
                return (self.off**2).sum(axis=1)

            def backward(self, dout):
                return 2 * self.off * dout[:, None]

    To mend it, let forward return the mean, or backward leave it to ``dout``.
    """
    return iter(())
