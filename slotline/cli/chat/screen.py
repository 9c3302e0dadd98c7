"""What a person sees: answers as plain text, notes of the program in colours where the terminal has them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Colours of the terminal's own palette, so that they fit light and dark ones.
_PROMPT, _NOTE, _ERROR, _CALL = "1;36", "2", "31", "36"
#: A model must not move the cursor, change colours or set the window's title.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str) -> str:
    """The text without control characters, but with tabs and line ends."""
    return _CONTROL.sub("", text)


def has_colors(stream: TextIO, environment: Mapping[str, str], *, is_off: bool = False) -> bool:
    """Whether to write colours: only to a terminal that knows them, and unless the user wants none."""
    return not is_off and not environment.get("NO_COLOR") and environment.get("TERM") != "dumb" and stream.isatty()


class Screen:
    """Writes to a terminal.

    Args:
        stream: the terminal.
        is_colored: write colours.
    """

    def __init__(self, stream: TextIO, *, is_colored: bool) -> None:
        self._stream = stream
        self._is_colored = is_colored
        self._is_in_line = False
        self._is_thinking = False
        self._is_in_call = False

    def text(self, piece: str) -> None:
        """A piece of an answer, at once."""
        if self._is_in_call:
            self.end_text()
        self._piece(piece)

    def thought(self, piece: str) -> None:
        """A piece of what the model thinks, dimmed."""
        if not self._is_thinking:
            self.note("thinking")
            self._is_thinking = True
        self._piece(piece, _NOTE)

    def end_thought(self, total_ms: float) -> None:
        """Tell how long it has thought."""
        self._is_thinking = False
        self.note(f"thought for {total_ms / 1000:.1f} s")

    def call(self, name: str) -> None:
        """The beginning of a tool call, in a line of its own."""
        self.end_text()
        self._piece(f"calls {name} ", _CALL)
        self._is_in_call = True

    def arguments(self, piece: str) -> None:
        """A piece of the arguments of a call."""
        self._piece(piece)

    def end_text(self) -> None:
        """End the answer's last line, if it has not ended."""
        self._is_in_call = False
        if self._is_in_line:
            self._is_in_line = False
            self._write("\n")

    def end_line(self) -> None:
        """End a line that somebody else began, for example the one of a prompt."""
        self._write("\n")

    def note(self, text: str) -> None:
        """Show a note of the program."""
        self._say(text, _NOTE)

    def error(self, text: str) -> None:
        """Show what went wrong, in one line."""
        self._say(f"error: {text}", _ERROR)

    def prompt(self, text: str) -> str:
        """A prompt for ``input``; the marks tell readline which characters take no room."""
        return f"\x01\x1b[{_PROMPT}m\x02{text}\x01\x1b[0m\x02" if self._is_colored else text

    def _piece(self, piece: str, color: str = "") -> None:
        piece = printable(piece)
        if piece:
            self._is_in_line = not piece.endswith("\n")
            self._write(f"\x1b[{color}m{piece}\x1b[0m" if color and self._is_colored else piece)

    def _say(self, text: str, color: str) -> None:
        self.end_text()
        text = printable(text)
        self._write(f"\x1b[{color}m{text}\x1b[0m\n" if self._is_colored else f"{text}\n")

    def _write(self, text: str) -> None:
        self._stream.write(text)
        self._stream.flush()
