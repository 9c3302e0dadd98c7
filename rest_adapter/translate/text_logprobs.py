"""Log-probabilities as POST /v1/completions has them: lists side by side, with each token's place in the text."""

from __future__ import annotations

from collections.abc import Iterable

from rest_adapter.translate.jsontext import JsonObject
from rest_adapter.translate.placed_tokens import PlacedTokens
from slotline.v1.tokens_pb2 import Token


class TextLogprobs:
    """The tokens of one answer and where each one's text begins, counted in characters."""

    def __init__(self) -> None:
        self._placed = PlacedTokens()

    def add(self, tokens: Iterable[Token], text: str) -> None:
        """Take more tokens and more of the text."""
        self._placed.add(tokens, text)

    def take(self) -> JsonObject | None:
        """The tokens that have come since the last time, None if there are none."""
        taken = self._placed.take()
        if not taken:
            return None
        return {
            "text_offset": [offset for offset, _ in taken],
            "token_logprobs": [token.logprob for _, token in taken],
            "tokens": [_name(token.piece) for _, token in taken],
            "top_logprobs": [_top(token) for _, token in taken],
        }


def _top(token: Token) -> dict[str, float]:
    """The most probable tokens, highest first, and the chosen one."""
    top: dict[str, float] = {}
    for candidate in token.top_logprobs:
        # All control tokens have the same empty text; the most probable of them stands for all.
        top.setdefault(_name(candidate.piece), candidate.logprob)
    top.setdefault(_name(token.piece), token.logprob)
    return top


def _name(piece: bytes) -> str:
    """The text of a token, or its bytes if they are only a part of a character."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)
