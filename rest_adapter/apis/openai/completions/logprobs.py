"""Log-probabilities as POST /v1/completions has them: parallel lists, with the position of each token in the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rest_adapter.apis.openai.placed_tokens import PlacedTokens

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rest_adapter.json.encoding import JsonObject
    from slotline.v1.tokens_pb2 import Token


class LogprobLists:
    """Parallel lists, with an entry for each token."""

    def __init__(self) -> None:
        self._lists: JsonObject = {"text_offset": [], "token_logprobs": [], "tokens": [], "top_logprobs": []}

    def add(self, token: Token, offset: int) -> None:
        """Append a token that begins at ``offset``. The first one of a prompt has no log-probability."""
        is_known = token.HasField("logprob")
        self._lists["text_offset"].append(offset)
        self._lists["token_logprobs"].append(token.logprob if is_known else None)
        self._lists["tokens"].append(_name(token.piece))
        self._lists["top_logprobs"].append(_top(token) if is_known else None)

    def extend(self, other: LogprobLists) -> None:
        """Append all tokens of other lists."""
        for name, values in other._lists.items():
            self._lists[name] += values

    def json(self) -> JsonObject | None:
        """The lists as an object, None if they are empty."""
        return self._lists if self._lists["tokens"] else None


class TextLogprobs:
    """The tokens of one answer and where each one's text begins, counted in characters.

    Args:
        start: characters before the answer.
        keeps_control: whether control tokens are among them.
    """

    def __init__(self, start: int = 0, *, keeps_control: bool = False) -> None:
        self._placed = PlacedTokens(start, keeps_control=keeps_control)

    def add(self, tokens: Iterable[Token], text: str) -> None:
        """Take more tokens and more of the text."""
        self._placed.add(tokens, text)

    def take(self, *, rest: bool = False) -> LogprobLists:
        """The tokens that have come since the last time; ``rest`` takes those without text, too."""
        lists = LogprobLists()
        for offset, token in self._placed.take(rest=rest):
            lists.add(token, offset)
        return lists


def _top(token: Token) -> dict[str, float]:
    """The most probable tokens, highest first, and the chosen one."""
    top: dict[str, float] = {}
    for candidate in token.top_logprobs:
        # All control tokens have the same empty text, so only the most probable of them is kept.
        top.setdefault(_name(candidate.piece), candidate.logprob)
    top.setdefault(_name(token.piece), token.logprob)
    return top


def _name(piece: bytes) -> str:
    """The text of a token, or its bytes if they are only a part of a character."""
    try:
        return piece.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in piece)
