"""Token records as JSON: candidates with probabilities (native) and log-probabilities (OpenAI)."""

from __future__ import annotations

from rest_adapter.translate.jsontext import JsonObject
from slotline.v1.tokens_pb2 import Token


def token_text(piece: bytes) -> str:
    """The text of one token. A lone byte of a longer character is shown as ``byte: \\xNN``."""
    if len(piece) == 1 and piece[0] >= 0x80:
        return f"byte: \\x{piece[0]:02x}"
    return piece.decode(errors="replace")


def token_probabilities(token: Token) -> JsonObject:
    """One entry of ``completion_probabilities``."""
    return {
        "content": token_text(token.piece),
        "probs": [
            {"prob": candidate.probability, "tok_str": token_text(candidate.piece)} for candidate in token.probabilities
        ],
    }


def token_logprobs(token: Token) -> JsonObject:
    """One entry of ``logprobs.content`` in the OpenAI API."""
    return _logprob(token.piece, token.logprob) | {
        "top_logprobs": [_logprob(other.piece, other.logprob) for other in token.top_logprobs]
    }


def _logprob(piece: bytes, logprob: float) -> JsonObject:
    return {"token": piece.decode(errors="replace"), "logprob": logprob, "bytes": list(piece)}
