"""The names under which the gradient of an argument is kept."""

from __future__ import annotations

import re

# weight and W, bias and b, input and x name the same thing: d + any of them is a spelling of the gradient.
_SYNONYMS = (
    frozenset({"w", "weight", "weights", "kernel"}),
    frozenset({"b", "bias", "biases"}),
    frozenset({"x", "input", "inputs", "in", "inp", "a_prev"}),
)

# What the gradient of a layer's only input is kept under, whatever the input is called.
OF_INPUT = (
    *("dinputs", "dinput", "dx", "d_x", "d_input", "d_inputs", "grad_input", "input_grad", "grad_inputs", "delta"),
    *("input_gradient", "gradient_input"),
)

_TARGET = re.compile(
    r"^_?(t|ts|targets?|labels?|y_?(true|target|real|gt|actual|label)s?|true|truth|ground_?truth|actual|expected|desired"
    r"|observed|teacher|(y_?)?one_?hot|gt)$",
    re.IGNORECASE,
)


def is_target(name: str) -> bool:
    """Whether the name alone says that an input is what a loss compares with, which has no gradient.

    Examples
    --------
    >>> is_target("y_true"), is_target("t"), is_target("y")
    (True, True, False)
    """
    return bool(_TARGET.match(name))


def gradient_names(name: str) -> tuple[str, ...]:
    """Return the lower-case spellings under which the gradient of ``name`` is kept, the likeliest first.

    Examples
    --------
    >>> gradient_names("W")[:4]
    ('dw', 'd_w', 'w_grad', 'grad_w')
    """
    low = name.lower().lstrip("_")
    same = next((words for words in _SYNONYMS if low in words), frozenset())
    spellings: list[str] = []
    for word in [low, *sorted(same - {low})]:
        spellings += [f"d{word}", f"d_{word}", f"{word}_grad", f"grad_{word}", f"{word}grad", f"grad{word}"]
        spellings += [f"{word}_gradient", f"gradient_{word}", f"{word}_grads", f"grads_{word}", f"delta_{word}"]
        spellings += [f"d{word}_", f"dl_d{word}", f"dld{word}", f"g{word}", f"g_{word}"]
    return tuple(spellings)


def is_gradient_slot(name: str) -> bool:
    """Whether an array's own name says that it holds a gradient (``dW``, ``grads[0]``)."""
    last = name.rpartition(".")[2].lower()
    return (
        "grad" in name.lower() or (last.startswith("d") and 2 <= len(last) <= 3) or last.startswith(("dw", "db", "d_"))
    )
