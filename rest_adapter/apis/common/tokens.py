"""Token records as JSON: candidates with probabilities (native) and log-probabilities (OpenAI).

They become JSON text at once, which takes a tenth of the memory of the values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.json.encoding import Encoded, JsonObject, encode

if TYPE_CHECKING:
    from collections.abc import Iterator

    from slotline.v1.tokens_pb2 import Token

_STEP = 512


def token_text(piece: bytes) -> str:
    """The text of one token; a single byte of a longer character is shown as ``byte: \\xNN``."""
    if len(piece) == 1 and piece[0] >= 0x80:
        return f"byte: \\x{piece[0]:02x}"
    return piece.decode(errors="replace")


def token_probabilities(token: Token) -> Encoded:
    """One entry of ``completion_probabilities``."""
    return Encoded(b"".join(_probabilities(token)))


def token_logprobs(token: Token) -> Encoded:
    """One entry of ``logprobs.content`` in the OpenAI API."""
    entry = _logprob(token.piece, token.logprob) | {
        "top_logprobs": [_logprob(other.piece, other.logprob) for other in token.top_logprobs]
    }
    return Encoded(encode(entry))


def _probabilities(token: Token) -> Iterator[bytes]:
    candidates = token.probabilities
    yield b'{"content":' + encode(token_text(token.piece)) + b',"probs":['
    # There may be as many as the vocabulary has tokens: some at a time, so that each call is short.
    for start in range(0, len(candidates), _STEP):
        if start:
            yield b","
        entries = [
            {"prob": candidate.probability, "tok_str": token_text(candidate.piece)}
            for candidate in candidates[start : start + _STEP]
        ]
        yield encode(entries)[1:-1]
    yield b"]}"


def _logprob(piece: bytes, logprob: float) -> JsonObject:
    return {"token": piece.decode(errors="replace"), "logprob": logprob, "bytes": list(piece)}
