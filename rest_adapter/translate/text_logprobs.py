"""Log-probabilities as POST /v1/completions has them: lists side by side, with each token's place in the text."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterable

from rest_adapter.translate.jsontext import JsonObject
from slotline.v1.tokens_pb2 import Token


class TextLogprobs:
    """The tokens of one answer and where each one's text begins, counted in characters.

    A token goes out once its first character has: what a stop text cut off never does.
    """

    def __init__(self) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._tokens_end = 0
        self._text_end = 0
        self._waiting: deque[tuple[int, Token]] = deque()

    def add(self, tokens: Iterable[Token], text: str) -> None:
        """Take more tokens and more of the text. Control tokens have no text and are left out."""
        self._text_end += len(text)
        for token in tokens:
            if token.piece:
                self._waiting.append((self._tokens_end, token))
                self._tokens_end += len(self._decoder.decode(token.piece))

    def take(self) -> JsonObject | None:
        """The tokens that have come since the last time, None if there are none."""
        taken: list[tuple[int, Token]] = []
        while self._waiting and self._waiting[0][0] < self._text_end:
            taken.append(self._waiting.popleft())
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
