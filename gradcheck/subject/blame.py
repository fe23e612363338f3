"""Which line of the user's code raised."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from types import TracebackType

from gradcheck.records import Location
from gradcheck.subject.source import bare, code_of, lines_of, location


def blame(error: BaseException, obj: object) -> Location | None:
    """Return the innermost line of the user's own code that the error passed through.

    Parameters
    ----------
    error : BaseException
        A caught error, with its traceback.
    obj : object
        The layer: a class, an instance, a function or a tuple of them. Its own code is what lies in the same file or
        notebook as it or as a class that it derives from.
    """
    guilty = _guilty(error, obj)
    return None if guilty is None else location(guilty.tb_frame.f_code.co_filename, guilty.tb_lineno)


def raising_expression(error: BaseException, obj: object) -> str:
    """Return the very expression that raised, on the line that `blame` names; empty where it is not known.

    Examples
    --------
    With ``out = dout * self.out(1.0 - self.out)`` and an array ``self.out`` it is ``self.out(1.0 - self.out)``.
    """
    guilty = _guilty(error, obj)
    if guilty is None:
        return ""
    code = guilty.tb_frame.f_code
    position = next(islice(code.co_positions(), guilty.tb_lasti // 2, None), (None,) * 4)
    line, last_line, start, stop = position
    if line is None or last_line is None or start is None or stop is None:
        return ""
    # Columns count bytes, not characters: a comment or a string in Korean may stand before the expression.
    rows = [row.encode() for row in lines_of(code.co_filename)[line - 1 : last_line]]
    if not rows:
        return ""
    rows[-1] = rows[-1][:stop]
    rows[0] = rows[0][start:]
    return " ".join(row.decode(errors="replace").strip() for row in rows)


def _guilty(error: BaseException, obj: object) -> TracebackType | None:
    """Return the innermost link of the traceback that lies in the object's files."""
    files = set(_files(obj))
    guilty, link = None, error.__traceback__
    while link is not None:
        if link.tb_frame.f_code.co_filename in files:
            guilty = link
        link = link.tb_next
    return guilty


def _files(obj: object) -> Iterator[str]:
    if isinstance(obj, tuple):
        for part in obj:
            yield from _files(part)
        return
    obj = bare(obj)
    code = code_of(obj)
    if code is not None:
        yield code.co_filename
        return
    for cls in (obj if isinstance(obj, type) else type(obj)).__mro__:
        for method in map(code_of, map(bare, vars(cls).values())):
            if method is not None:
                yield method.co_filename
