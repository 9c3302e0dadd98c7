"""Which tokens belong to the text that a client has got so far."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import deque
from collections.abc import Iterable

from slotline.v1.tokens_pb2 import Token


class PlacedTokens:
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

    def take(self) -> list[tuple[int, Token]]:
        """The tokens that have come since the last time, each after its place in the text."""
        taken: list[tuple[int, Token]] = []
        while self._waiting and self._waiting[0][0] < self._text_end:
            taken.append(self._waiting.popleft())
        return taken
