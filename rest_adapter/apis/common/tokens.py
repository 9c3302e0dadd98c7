"""Token records as JSON: candidates with probabilities (native) and log-probabilities (OpenAI).

They become JSON text at once, which takes a tenth of the memory of the values.
"""

from __future__ import annotations

from codecs import utf_8_decode
from itertools import islice
from typing import TYPE_CHECKING

from rest_adapter.json.encoding import Encoded, JsonObject, encode
from rest_adapter.json.number_bounds import FLOAT32_MAX

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


def token_probabilities_now(token: Token, *, is_after_samplers: bool) -> Encoded:
    """One entry of ``completion_probabilities``, or of ``logprobs.content``, as llama.cpp's server of today has it.

    Args:
        token: its record, with ``probabilities`` if they are wanted, and with ``top_logprobs`` otherwise.
        is_after_samplers: tell probabilities behind the samplers, without tokens that these removed.
    """
    return Encoded(b"".join(_entry_now(token, is_after_samplers=is_after_samplers)))


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


def _entry_now(token: Token, *, is_after_samplers: bool) -> Iterator[bytes]:
    entries: Iterator[JsonObject]
    if is_after_samplers:
        # A token that was not drawn was certain.
        about = {"prob": token.probability if token.HasField("probability") else 1.0}
        name, kept = "top_probs", [other for other in token.probabilities if other.probability > 0]
        entries = (_named(other.id, other.piece) | {"prob": other.probability} for other in kept)
    else:
        about, name = {"logprob": _finite(token.logprob)}, "top_logprobs"
        entries = (_named(other.id, other.piece) | {"logprob": _finite(other.logprob)} for other in token.top_logprobs)
    yield encode(_named(token.id, token.piece) | about)[:-1] + b',"' + name.encode() + b'":['
    separator = b""
    while some := list(islice(entries, _STEP)):
        yield separator + encode(some)[1:-1]
        separator = b","
    yield b"]}"


def _named(token_id: int, piece: bytes) -> JsonObject:
    # Of a character that is not whole, nothing is shown but its bytes.
    text, _ = utf_8_decode(piece, "replace")
    return {"bytes": list(piece), "id": token_id, "token": text}


def _finite(logprob: float) -> float:
    """JSON has no infinity; the server of today shows it as the lowest float."""
    return max(logprob, -FLOAT32_MAX)


def _logprob(piece: bytes, logprob: float) -> JsonObject:
    return {"token": piece.decode(errors="replace"), "logprob": logprob, "bytes": list(piece)}
