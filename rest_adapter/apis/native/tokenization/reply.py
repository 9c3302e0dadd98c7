"""POST /tokenize: token ids as JSON text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


#: Token ids that are written at once.
_STEP = 1024


def tokens_parts(ids: Sequence[int]) -> Iterator[bytes]:
    """The answer of POST /tokenize as consecutive parts; a text may have millions of tokens."""
    mark = b'{"tokens":['
    for start in range(0, len(ids), _STEP):
        yield mark + encode(list(ids[start : start + _STEP]))[1:-1]
        mark = b","
    yield b"]}" if ids else mark + b"]}"
