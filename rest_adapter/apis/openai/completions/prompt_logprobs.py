"""Log-probabilities of a prompt: in front of those of an answer that repeats it, or as a list of their own."""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import TYPE_CHECKING

from rest_adapter.apis.common.tokens import token_text
from rest_adapter.apis.openai.completions.logprobs import LogprobLists

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.tokens_pb2 import Token


class EchoedTokens:
    """Aligns the tokens of a prompt with its text, as they come.

    What the model adds in front of a text, a BOS or a blank, has no width in it.

    Args:
        echo: the text that answers repeat.
    """

    def __init__(self, echo: str) -> None:
        self._echo = echo
        self._decoder = getincrementaldecoder("utf-8")("replace")
        self._end = 0

    def take(self, tokens: Iterable[Token], *, is_last: bool) -> tuple[str, LogprobLists]:
        """The text of the next tokens, and their log-probabilities. The last ones take all text that is left.

        A character made of several tokens belongs to the last of them, and all of them begin at it.
        """
        lists, start = LogprobLists(), self._end
        for token in tokens:
            lists.add(token, self._end)
            self._end += self._width(self._decoder.decode(token.piece))
        if is_last:
            self._end = len(self._echo)
        return self._echo[start : self._end], lists

    def _width(self, text: str) -> int:
        """How many characters of the echo a token's text takes."""
        if self._echo.startswith(text, self._end):
            return len(text)
        if self._end:
            return min(len(text), len(self._echo) - self._end)
        return len(text) - 1 if text[:1] == " " and self._echo.startswith(text[1:]) else 0


def prompt_entry(token: Token) -> JsonObject | None:
    """One entry of ``prompt_logprobs``: by id, the most probable tokens and the prompt's own; None for its first."""
    if not token.HasField("logprob"):
        return None
    entry = {
        str(candidate.id): {
            "decoded_token": token_text(candidate.piece),
            "logprob": candidate.logprob,
            "rank": rank,
        }
        for rank, candidate in enumerate(token.top_logprobs, 1)
    }
    own = {"decoded_token": token_text(token.piece), "logprob": token.logprob, "rank": token.rank}
    return entry | {str(token.id): own}
