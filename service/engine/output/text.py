"""Turns token bytes into text: whole characters only, stop texts cut off, possible stop texts held back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class TextStep:
    """What one token did to the text.

    Attributes:
        text: new text, or None if nothing can be told yet because a character is incomplete.
        stop_text: the stop text that was completed, or None.
    """

    text: str | None
    stop_text: bytes | None = None


class TextOutput:
    """The text of one sequence, fed token by token.

    Stop texts are matched on bytes, independently of token borders and only in what was fed. While the unsent text
    ends in what may become a stop text, nothing is sent; afterwards all of it is sent at once.

    Args:
        stop_texts: none of them empty. Where two match at the same place, the earlier in this order wins.
        include_match: leave the matched stop text in the text.
    """

    def __init__(self, stop_texts: Sequence[bytes] = (), *, include_match: bool = False) -> None:
        self._stop_texts = tuple(stop_texts)
        self._include_match = include_match
        self._unsent = bytearray()

    @property
    def has_stop_texts(self) -> bool:
        """Whether there is anything to look for."""
        return bool(self._stop_texts)

    def would_stop(self, data: bytes) -> bool:
        """Whether a stop text would be complete with these bytes, which are not taken."""
        text = bytes(self._unsent) + data
        return any(stop_text in text for stop_text in self._stop_texts)

    def push(self, token_bytes: bytes) -> TextStep:
        """Take the bytes of the next token."""
        unsent = self._unsent
        unsent += token_bytes
        if ends_in_incomplete_character(unsent):
            return TextStep(None)
        if self._stop_texts:
            match = self._find_stop()
            if match is not None:
                position, stop_text = match
                end = position + len(stop_text) if self._include_match else position
                text = unsent[:end].decode("utf-8", "replace")
                unsent.clear()
                return TextStep(text, stop_text)
            if self._may_become_stop():
                return TextStep("")
        return TextStep(self.flush())

    def flush(self) -> str:
        """Return whatever is unsent; at the end of a sequence an incomplete character becomes U+FFFD."""
        text = self._unsent.decode("utf-8", "replace")
        self._unsent.clear()
        return text

    def _find_stop(self) -> tuple[int, bytes] | None:
        """The leftmost complete stop text. What is unsent is short: held-back text and the newest token."""
        best: tuple[int, bytes] | None = None
        for stop_text in self._stop_texts:
            position = self._unsent.find(stop_text)
            if position >= 0 and (best is None or position < best[0]):
                best = (position, stop_text)
        return best

    def _may_become_stop(self) -> bool:
        unsent = self._unsent
        return any(
            unsent.endswith(stop_text[:length])
            for stop_text in self._stop_texts
            for length in range(1, min(len(stop_text) - 1, len(unsent)) + 1)
        )


def ends_in_incomplete_character(data: bytes | bytearray) -> bool:
    """Whether UTF-8 ``data`` ends in the first bytes of a longer character. Invalid bytes are not waited for."""
    for back in range(1, min(4, len(data)) + 1):
        byte = data[-back]
        if byte & 0xC0 == 0x80:
            continue
        if byte & 0xE0 == 0xC0:
            return back < 2
        if byte & 0xF0 == 0xE0:
            return back < 3
        if byte & 0xF8 == 0xF0:
            return back < 4
        return False
    return False
