"""Stand-ins for packages that are not installed, and for what of the user's files was not run.

A file that imports matplotlib need not go unchecked for it: the import succeeds, decorators of a stand-in change
nothing, and only a layer that really uses one, while it is built or run, is unchecked, with what it needs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

_NOT_THERE = "which is not installed"


class UnavailableError(BaseException):
    """A layer asked for what is not there: no reading of it can be right or wrong.

    No ``Exception``, so that neither the layer nor who tries its shapes takes it for an answer.
    """

    def __init__(self, message: str, fix: str) -> None:
        super().__init__(message)
        self.message, self.fix = message, fix


class Absent:
    """Stands for a package that is not installed, or for anything in it.

    Examples
    --------
    >>> numba = Absent("numba")
    >>> with defining():
    ...     @numba.njit(cache=True)
    ...     def double(x):
    ...         return 2 * x
    >>> double(3), isinstance(3, numba.ndarray)
    (6, False)
    """

    def __init__(self, name: str) -> None:
        self._absent_name = name

    def __repr__(self) -> str:
        return f"<{self._absent_name}, {_NOT_THERE}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # protocols that it does not have: __array__, __wrapped__, __len__
            raise AttributeError(name)
        if name == "dtype" and not _defining:  # NumPy asks what it takes for a dtype
            self._needed()
        return type(self)(f"{self._absent_name}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Change nothing as a decorator; give another stand-in while a file is run for its definitions."""
        if not _defining:
            self._needed()
        is_decorator = len(args) == 1 and not kwargs and callable(args[0]) and not isinstance(args[0], Absent)
        return args[0] if is_decorator else Absent(self._absent_name)

    def __mro_entries__(self, bases: tuple[Any, ...]) -> tuple[type, ...]:
        """Let a class derive from it: one that cannot be built, and that tells its framework by its module."""

        def cannot(*_: Any, **__: Any) -> NoReturn:
            self._needed()

        module, _, name = self._absent_name.rpartition(".")
        own = {"__module__": module or name, "__new__": cannot, "__init_subclass__": _accept, _MARK: self._absent_name}
        return (type(name, (), own),)

    def __instancecheck__(self, instance: object) -> bool:
        return False  # nothing can be of a class of a package that is not there

    def __subclasscheck__(self, cls: type) -> bool:
        return False

    def __bool__(self) -> bool:
        if not _defining:
            self._needed()
        return False  # `if torch.cuda.is_available():`

    def __iter__(self) -> Iterator[Any]:
        if not _defining:
            self._needed()
        return iter(())

    def __enter__(self) -> Any:
        return self()

    def __exit__(self, *error: object) -> None:
        return None

    def _needed(self, *_: Any) -> NoReturn:
        raise UnavailableError(*needs(self._absent_name))

    def __getitem__(self, key: Any) -> Any:
        return self()  # an annotation such as `torch.Tensor[float]`

    def __or__(self, other: Any) -> Any:
        return self()  # an annotation such as `torch.Tensor | None`

    __ror__ = __or__
    __float__ = __int__ = __index__ = __len__ = _needed
    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = __rtruediv__ = _needed
    __matmul__ = __rmatmul__ = __pow__ = __rpow__ = __neg__ = __lt__ = __le__ = __gt__ = __ge__ = _needed


def needs(name: str) -> tuple[str, str]:
    """Say that a package is needed, and how to get it.

    Examples
    --------
    >>> needs("cv2.resize")[1]
    'pip install opencv-python, or run gradcheck from the folder that has it'
    """
    if name.startswith("."):
        return (
            f"it needs {name.lstrip('.')}, which this project does not have as Python",
            "build it as the project says",
        )
    package = name.partition(".")[0]
    what = f"it needs {package}, which is not installed" + (f" ({name})" if name != package else "")
    fix = f"pip install {_DISTRIBUTIONS.get(package, package)}, or run gradcheck from the folder that has it"
    return what, fix


def named_in(error: Exception) -> str:
    """Return the name of a stand-in that an error speaks of, empty if of none.

    An older NumPy swallows what a stand-in raises when it is taken for a dtype, and raises a TypeError of its own.
    """
    found = re.search(rf"<([\w.]+), {_NOT_THERE}>", str(error))
    return found[1] if found else ""


def base_of(cls: object) -> str:
    """Return the name of the base class of a package that is not there, empty if all are."""
    return str(getattr(cls, _MARK, "")) if isinstance(cls, type) else ""


def package_of(value: object) -> str:
    """Return the package that a stand-in stands for, empty for any other object."""
    return value._absent_name.lstrip(".").partition(".")[0] if type(value) is Absent else ""


@contextmanager
def defining() -> Iterator[None]:
    """While a file is run for its definitions, stand-ins can be called: nothing is lost yet."""
    global _defining  # noqa: PLW0603 - one file is run at a time
    outer, _defining = _defining, True
    try:
        yield
    finally:
        _defining = outer


_defining = False
_MARK = "_absent_base"

# Where the package has another name than the module.
_DISTRIBUTIONS = {"cv2": "opencv-python", "sklearn": "scikit-learn", "skimage": "scikit-image", "PIL": "pillow",
                  "yaml": "pyyaml"}  # fmt: skip


def _accept(cls: type, **kwargs: Any) -> None:
    """Take whatever keywords a class statement has."""
