"""Base64 in bodies: the bytes that it spells."""

from __future__ import annotations

import re
from binascii import a2b_base64
from typing import TYPE_CHECKING

from rest_adapter.errors import InvalidRequest
from rest_adapter.json.encoding import show

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Characters that are decoded at once: a picture has millions, and other threads run in between.
_STEP = 1 << 16
_OTHER = re.compile(r"[^A-Za-z0-9+/]")
#: What stands behind the last character: padding, and the end of a line.
_END = "= \t\r\n"
_MOST_PADDING = 2


def read_base64(path: str, text: str, start: int = 0) -> bytes:
    """The bytes of base64 in the standard alphabet. Lines may be broken, and padding may be missing.

    Args:
        path: of the text in the body, for errors.
        text: what holds the base64.
        start: where in the text it begins; it goes on to the end.

    Raises:
        InvalidRequest: it is empty, or no base64.
    """
    end = max(start, len(text.rstrip(_END)))
    n_padding = text.count("=", end)
    if end == start or n_padding > _MOST_PADDING:
        problem = "it is empty" if n_padding == 0 else "it has more padding than characters need"
        raise InvalidRequest(path, f"{show(text[start : start + _STEP])} is not base64: {problem}")
    return b"".join(_decoded(path, text, start, end))


def _decoded(path: str, text: str, start: int, end: int) -> Iterator[bytes]:
    rest = ""
    for at in range(start, end, _STEP):
        # Without the ends of lines.
        piece = "".join(text[at : min(at + _STEP, end)].split())
        if other := _OTHER.search(piece):
            raise InvalidRequest(path, f"{show(text[start : at + _STEP])} is not base64: it holds {show(other[0])}")
        piece = rest + piece
        n_whole = len(piece) & ~3
        rest = piece[n_whole:]
        yield a2b_base64(piece[:n_whole])
    if len(rest) == 1:
        raise InvalidRequest(
            path, f"{show(text[start : start + _STEP])} is not base64: a character is missing at its end"
        )
    if rest:
        yield a2b_base64(rest.ljust(4, "="))
