"""POST /tokenize: token ids as JSON text, or tokens with their texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.json.encoding import encode

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from slotline.v1.tokenization_pb2 import TokenizeResponse

#: Tokens that are written at once.
_STEP = 1024


def tokens_parts(response: TokenizeResponse) -> Iterator[bytes]:
    """The answer of POST /tokenize as consecutive parts; a text may have millions of tokens."""
    mark = b'{"tokens":['
    for start in range(0, len(response.ids), _STEP):
        yield mark + encode(_shown(response, slice(start, start + _STEP)))[1:-1]
        mark = b","
    yield b"]}" if response.ids else mark + b"]}"


def _shown(response: TokenizeResponse, some: slice) -> Sequence[object]:
    if not response.pieces:
        return list(response.ids[some])
    return [
        {"id": token, "piece": _piece(piece)}
        for token, piece in zip(response.ids[some], response.pieces[some], strict=True)
    ]


def _piece(piece: bytes) -> str | list[int]:
    """A text; of a token that is no whole characters, its bytes."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return list(piece)
