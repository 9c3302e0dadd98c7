"""Which tokens belong to the text that a client has got so far, and where in the text each begins."""

from __future__ import annotations

from codecs import getincrementaldecoder
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from slotline.v1.tokens_pb2 import Token


class PlacedTokens:
    """The tokens of one answer and where each one's text begins, counted in characters.

    A token is given out once its first character has been: tokens behind a stop text never are.

    Args:
        start: characters of the text before the first token.
        keeps_control: whether control tokens, which have no text, are given out at the end; otherwise never.
    """

    def __init__(self, start: int = 0, *, keeps_control: bool = False) -> None:
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._keeps_control = keeps_control
        self._tokens_end = start
        self._text_end = start
        self._waiting: deque[tuple[int, Token]] = deque()

    def add(self, tokens: Iterable[Token], text: str) -> None:
        """Take more tokens and more of the text."""
        self._text_end += len(text)
        for token in tokens:
            if token.piece or self._keeps_control:
                self._waiting.append((self._tokens_end, token))
                self._tokens_end += len(self._decoder.decode(token.piece))

    def take(self, *, rest: bool = False) -> list[tuple[int, Token]]:
        """The tokens that have come since the last time, each after its place in the text.

        With ``rest`` all of them, those that stand behind the end of the text included.
        """
        taken: list[tuple[int, Token]] = []
        while self._waiting and (rest or self._waiting[0][0] < self._text_end):
            taken.append(self._waiting.popleft())
        return taken
