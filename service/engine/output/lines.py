"""The line breaks of a text, and the limits that depend on them."""

from __future__ import annotations

_INDENTATION = " \t"


class Lines:
    """The lines of one sequence's text, fed piece by piece.

    The first line may begin as it likes: it goes on where the prompt ends.

    Args:
        min_indent: blanks and tabs that every other line must begin with, an empty one, too; 0 for no demand.
        limit_s: seconds of generating after which the text ends with the next line break; None for no limit.

    Attributes:
        has_break: whether there was a line break.
        needs_all: whether texts without a line break matter, too; otherwise they need not be fed.
    """

    __slots__ = ("_indent", "_limit_s", "_min_indent", "has_break", "needs_all")

    def __init__(self, min_indent: int = 0, limit_s: float | None = None) -> None:
        self._min_indent = min_indent
        self._limit_s = limit_s
        #: Of the line that has just begun; None where the indentation matters no more, or not yet.
        self._indent: int | None = None
        self.has_break = False
        self.needs_all = min_indent > 0

    def push(self, text: str, generating_s: float, *, is_free: bool = False) -> tuple[str, bool]:
        """Take the next text.

        Args:
            text: the text.
            generating_s: seconds since the first token.
            is_free: its lines may begin as they like.

        Returns:
            What is left of the text, and whether it ends there.
        """
        if self.needs_all and not is_free and (length := self._indented_length(text)) < len(text):
            return text[:length], True
        if "\n" not in text:
            return text, False
        self.has_break = True
        return text, self._limit_s is not None and generating_s > self._limit_s

    def _indented_length(self, text: str) -> int:
        """Characters before the first one that begins a line with too small an indentation; all if none does."""
        for place, character in enumerate(text):
            if self._indent is not None:
                if character in _INDENTATION:
                    self._indent += 1
                    continue
                if self._indent < self._min_indent:
                    return place
                self._indent = None
            if character == "\n":
                self._indent = 0
                self.has_break = True
        return len(text)
