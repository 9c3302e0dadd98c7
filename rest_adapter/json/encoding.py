"""Writing JSON: compact, with sorted keys and unescaped UTF-8; infinities and NaN, which JSON lacks, become null."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

JsonObject = dict[str, Any]

#: Bytes of a piece.
PIECE_BYTES = 1 << 16
#: Entries of an array that are written at once.
_STEP = 512


def _not_json(value: object) -> NoReturn:
    if isinstance(value, Encoded):
        raise _HoldsEncoded
    raise TypeError(f"{type(value).__name__} is not JSON")


_ENCODER = json.JSONEncoder(
    sort_keys=True,
    separators=(",", ":"),
    ensure_ascii=False,
    allow_nan=False,
    default=_not_json,
    # No value holds itself.
    check_circular=False,
)
#: Where the order of keys has a meaning: what is written in it, a model will write in it, too.
_IN_ORDER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, allow_nan=False, check_circular=False)
#: For error messages: what a client wrote as 1e999 is shown as Infinity, not as the null that answers have for it.
_SHOWING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
#: Characters of a value that an error message shows.
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Encoded:
    """A value that is JSON text already. It may be part of a value that is encoded."""

    text: bytes


class _HoldsEncoded(Exception):
    """``json`` met an ``Encoded``, which it cannot write."""


def encode(value: object) -> bytes:
    """JSON text as UTF-8. Infinities and NaN become null."""
    try:
        text = _ENCODER.encode(value)
    except _HoldsEncoded:
        return b"".join(_small_pieces(value))
    except ValueError:
        text = _ENCODER.encode(_without_non_finite(value))
    return text.encode()


def encode_in_order(value: object) -> str:
    """JSON text with the keys of objects in the order in which they came. Infinities and NaN become null."""
    try:
        return _IN_ORDER.encode(value)
    except ValueError:
        return _IN_ORDER.encode(_without_non_finite(value))


def encode_in_pieces(value: object) -> Iterator[bytes]:
    """The same text in pieces of about ``PIECE_BYTES``, each made in a moment, however large the value is."""
    return joined(_small_pieces(value))


def joined(parts: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of about ``PIECE_BYTES``, because each piece costs a write."""
    pieces: list[bytes] = []
    size = 0
    for part in parts:
        pieces.append(part)
        size += len(part)
        if size >= PIECE_BYTES:
            yield b"".join(pieces)
            pieces, size = [], 0
    if pieces:
        yield b"".join(pieces)


def _small_pieces(value: object) -> Iterator[bytes]:
    if isinstance(value, Encoded):
        yield value.text
    elif isinstance(value, dict):
        mark = b"{"
        for key in sorted(value):
            yield mark + encode(key) + b":"
            yield from _small_pieces(value[key])
            mark = b","
        yield b"}" if value else b"{}"
    elif isinstance(value, list):
        yield b"["
        for start in range(0, len(value), _STEP):
            if start:
                yield b","
            yield from _of_items(value[start : start + _STEP])
        yield b"]"
    elif isinstance(value, str) and len(value) > PIECE_BYTES:
        yield b'"'
        for start in range(0, len(value), PIECE_BYTES):
            yield encode(value[start : start + PIECE_BYTES])[1:-1]
        yield b'"'
    else:
        yield encode(value)


def _of_items(items: list[object]) -> Iterator[bytes]:
    if not any(isinstance(item, dict | list | str | Encoded) for item in items):
        yield encode(items)[1:-1]
        return
    for number, item in enumerate(items):
        if number:
            yield b","
        yield from _small_pieces(item)


def show(value: object) -> str:
    """A value for an error message: as JSON, shortened."""
    if isinstance(value, str):
        value = value[: _SHOWN + 1]
    text = ""
    # Only as many pieces as are shown, because a value may be as large as a body.
    for piece in _SHOWING.iterencode(value):
        text += piece[: _SHOWN + 1]
        if len(text) > _SHOWN:
            return text[:_SHOWN] + "..."
    return text


def _without_non_finite(value: object) -> object:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {key: _without_non_finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_without_non_finite(item) for item in value]
    return value
