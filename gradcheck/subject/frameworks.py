"""Other frameworks' objects, told by the names of the modules that their classes come from: nothing is imported."""

from __future__ import annotations

import sys
from importlib.util import find_spec

# Those whose own layers are checked, by the top package of their classes.
_CHECKED = {"torch": "torch", "jax": "jax", "jaxlib": "jax", "autograd": "autograd"}
# Those with gradients of their own kind, too: their layers are found, but not checked.
_OTHERS = ("tensorflow", "keras", "flax", "chainer", "paddle", "mindspore")


CHECKED = tuple(dict.fromkeys(_CHECKED.values()))


def framework_of(obj: object) -> str | None:
    """Return the framework that a class, an instance or a function is of.

    Examples
    --------
    >>> framework_of(print) is None
    True
    """
    if is_primitive(obj):
        return "autograd"
    classes = (obj if isinstance(obj, type) else type(obj)).__mro__
    top = next((str(cls.__module__).partition(".")[0] for cls in classes if is_frameworks_own(cls)), None)
    return None if top is None else _CHECKED.get(top, top)


def is_checked(framework: str) -> bool:
    """Whether there is a convention for a framework's layers."""
    return framework in CHECKED


def is_frameworks_own(cls: type) -> bool:
    """Whether a class is defined in a framework, and not by its user."""
    top = str(cls.__module__).partition(".")[0]
    return top in _CHECKED or top in _OTHERS


def derives_from(cls: type, base: str) -> bool:
    """Whether a class has a base of that name, such as ``torch.nn.modules.module.Module``."""
    return any(f"{other.__module__}.{other.__qualname__}" == base for other in cls.__mro__)


def is_primitive(obj: object) -> bool:
    """Whether a function is a primitive of HIPS autograd."""
    return not isinstance(obj, type) and getattr(obj, "_is_autograd_primitive", False) is True


def is_custom_vjp(obj: object) -> bool:
    """Whether an object is a function with a backward given to ``jax.custom_vjp``."""
    cls = type(obj)
    return cls.__name__ == "custom_vjp" and framework_of(cls) == "jax"


def needed_by(error: BaseException) -> str | None:
    """Return the framework that an import failed for want of, if it is one whose layers are checked."""
    top = str(getattr(error, "name", None)).partition(".")[0]
    return _CHECKED.get(top) if isinstance(error, ModuleNotFoundError) else None


def is_installed(framework: str) -> bool:
    """Whether a framework could be imported."""
    try:
        return sys.modules.get(framework) is not None or find_spec(framework) is not None
    except ValueError:  # something that is no real module stands in its place
        return True


def not_installed(name: str, framework: str) -> tuple[str, str]:
    """Say that a layer needs a framework, and how to get it."""
    return f"{name} needs {framework}, which is not installed", extra(framework)


def extra(framework: str) -> str:
    """Return the line that installs a framework with gradcheck."""
    return f"pip install 'gradcheck[{framework}]'"
