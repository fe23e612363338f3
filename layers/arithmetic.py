"""Products and sums of two operands, which broadcast against each other."""

import numpy as np

from .broadcast import unbroadcast


class Mul:
    """The product ``x * y``, element by element; shapes ``(),()->()``.

    With ``out = x * y``, the partial derivatives are ``d out / dx = y`` and ``d out / dy = x``, so that by the chain
    rule ``dx = dout * y`` and ``dy = dout * x``: each operand's gradient is weighted by the *other* operand. An operand
    that was broadcast gets the sum over its copies. (Baydin et al., "Automatic differentiation in machine learning: a
    survey", JMLR 18, 2018, section 3.2; Goodfellow et al., "Deep Learning", 2016, section 6.5.2.)

    Examples
    --------
    Two apples at 100 each, plus ten percent of tax: what one more apple would cost, and so on.

    >>> apples, tax = Mul(), Mul()
    >>> print(tax.forward(apples.forward(100, 2), 1.1))
    220.00000000000003
    >>> dsum, dtax = tax.backward(1)
    >>> dprice, dcount = apples.backward(dsum)
    >>> print(dtax, dprice, dcount)
    200 2.2 110.00000000000001
    """

    def forward(self, x, y):
        self.x, self.y = x, y
        return x * y

    def backward(self, dout):
        dx, dy = dout * self.y, dout * self.x
        return unbroadcast(dx, np.shape(self.x)), unbroadcast(dy, np.shape(self.y))


class Add:
    """The sum ``x + y``, element by element; shapes ``(),()->()``.

    With ``out = x + y``, both partial derivatives are 1, so that ``dx = dy = dout``: a sum hands the gradient on. An
    operand that was broadcast gets the sum over its copies; one that was not gets a copy of ``dout``, never ``dout``
    itself, for whoever writes into one gradient must not change the other. (Baydin et al., "Automatic differentiation
    in machine learning: a survey", JMLR 18, 2018, section 3.2.)

    Examples
    --------
    >>> add = Add()
    >>> print(add.forward(np.array([[1.0, 2.0], [3.0, 4.0]]), np.array([10.0, 20.0])))
    [[11. 22.]
     [13. 24.]]
    >>> dx, dy = add.backward(np.array([[1.0, 2.0], [3.0, 4.0]]))
    >>> print(dy)
    [4. 6.]
    """

    def forward(self, x, y):
        self.shapes = np.shape(x), np.shape(y)
        return x + y

    def backward(self, dout):
        dx, dy = (unbroadcast(dout, shape) for shape in self.shapes)
        return +dx, +dy  # a unary plus makes a copy
