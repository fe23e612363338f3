"""Layers that are wrong on purpose, one defect each, and their right twins, to test the tester.

Each module is self-contained, as a user's file would be, and ends in two lists: ``FAULTY`` holds ``(class, rule,
kind)``, the rule that must be among the findings and the kind of bug it is one of; ``RIGHT`` holds the near misses: the
same layers without the defect, and layers that look odd but are right.
"""

from tests.faulty import activation, affine, arithmetic, normalisation, reduction, sequence

MODULES = (activation, affine, arithmetic, normalisation, reduction, sequence)
FAULTY = [entry for module in MODULES for entry in module.FAULTY]
RIGHT = [layer for module in MODULES for layer in module.RIGHT]

# The kinds of bugs that hand-written backwards have, from a reading of some 190 public repositories.
KINDS = {
    "T01": "upstream gradient dropped or wrong",
    "T02": "local derivative at the wrong point (dout, output, layer input)",
    "T03": "sign",
    "T04": "constant factor",
    "T05": "value and gradient normalised differently",
    "T06": "batch axis (not summed, averaged, only the first sample)",
    "T07": "broadcast not undone",
    "T08": "axis (`if axis` with 0, the wrong one)",
    "T09": "wrong operand, transpose, product",
    "T10": "right for one rank only",
    "T11": "right, or wrong, for square arrays only",
    "T12": "convolution: flip, stride, padding, overlap",
    "T13": "pooling: overlap, ties, tail",
    "T14": "repeated indices overwritten, not added",
    "T15": "normalisation: a path through mean, variance or length",
    "T16": "softmax Jacobian",
    "T17": "recurrent: carried gradient",
    "T18": "in-place change of dout, input or parameter",
    "T19": "aliasing",
    "T20": "stale or spoilt cache",
    "T21": "number, order, nesting, None of the gradients",
    "T22": "dtype: integer buffers, narrow accumulation",
    "T23": "singular points and kinks",
    "T24": "typo, precedence, result thrown away",
    "T25": "forward wrong, backward right",
    "T26": "mode, updates and clipping inside backward",
    "T27": "strided or Fortran arrays",
    "T28": "structured matrices",
    "T29": "a path missing (residual, shared input)",
    "T30": "hard-coded size or one-hot dout assumed",
}
