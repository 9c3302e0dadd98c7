"""What a person types: lines with editing and history, and texts of several lines."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType

    from slotline.cli.chat.screen import Screen

_BLOCK = '"""'
_CONTINUED = "\\"
#: What stands before a line, if nothing else is said.
_FIRST, _NEXT = "> ", ". "

readline: ModuleType | None = None
with contextlib.suppress(ImportError):
    # Not part of every Python; without it lines are read as the terminal gives them.
    import readline


class Lines:
    """Reads from the terminal.

    Args:
        screen: makes the prompts.
        completions: words that Tab completes at the beginning of a line.
        file_commands: words behind which Tab completes names of files.
        read: ``input``.
    """

    def __init__(
        self,
        screen: Screen,
        completions: Sequence[str],
        read: Callable[[str], str] = input,
        *,
        file_commands: Sequence[str] = (),
    ) -> None:
        self._screen = screen
        self._completions = completions
        self._file_commands = file_commands
        self._read = read
        if readline is not None:
            if "libedit" in (readline.__doc__ or ""):
                # Some Pythons have it in place of GNU readline: it reads pasted text line by line.
                readline.parse_and_bind("bind ^I rl_complete")
            else:
                # A pasted text is one message, whatever line ends it has.
                readline.parse_and_bind("set enable-bracketed-paste on")
                readline.parse_and_bind("tab: complete")
            readline.set_completer_delims("\n")
            readline.set_completer(self._complete)

    def read(self, prefilled: str = "", prompt: str = _FIRST) -> str:
        r"""One message: a line, several with ``\`` at their ends, or what stands between two triple quotes.

        Ctrl-C in a later line drops them all and gives "".

        Args:
            prefilled: text to begin with, where lines can be edited.
            prompt: what stands before the first line.

        Raises:
            EOFError: Ctrl-D on an empty line.
            KeyboardInterrupt: Ctrl-C in the first line.
        """
        line = self._first(prefilled, prompt)
        is_block = line.startswith(_BLOCK)
        if not is_block and not line.endswith(_CONTINUED):
            return line
        try:
            return self._block(line.removeprefix(_BLOCK)) if is_block else self._continued(line)
        except KeyboardInterrupt:
            self._screen.end_line()
            return ""

    def _first(self, prefilled: str, prompt: str) -> str:
        if prefilled and readline is None:
            # Shown, so that it can be copied.
            self._screen.note(prefilled)
        if not prefilled or readline is None:
            return self._read(self._screen.prompt(prompt))
        readline.set_startup_hook(lambda: _insert(prefilled))
        try:
            return self._read(self._screen.prompt(prompt))
        finally:
            readline.set_startup_hook(None)

    def _continued(self, line: str) -> str:
        lines = []
        with contextlib.suppress(EOFError):
            while line.endswith(_CONTINUED):
                lines.append(line.removesuffix(_CONTINUED))
                line = ""
                line = self._next()
        return "\n".join([*lines, line])

    def _block(self, line: str) -> str:
        """The lines up to the one that ends with the quotes, or to Ctrl-D."""
        lines = []
        with contextlib.suppress(EOFError):
            while not line.endswith(_BLOCK):
                lines.append(line)
                line = ""
                line = self._next()
        return "\n".join([*lines, line.removesuffix(_BLOCK)]).strip("\n")

    def _next(self) -> str:
        try:
            return self._read(self._screen.prompt(_NEXT))
        except EOFError:
            self._screen.end_line()
            raise

    def _complete(self, text: str, number: int) -> str | None:
        found = [word for word in self._completions if text and word.startswith(text)]
        command, blank, path = text.partition(" ")
        if blank and command in self._file_commands:
            found = [f"{command} {name}" for name in _paths(path)]
        return found[number] if number < len(found) else None


def _paths(beginning: str) -> list[str]:
    """Files and folders whose names begin like that, folders with a slash; hidden ones only if that is asked for."""
    folder, name = os.path.split(beginning)
    try:
        found = [entry for entry in os.scandir(os.path.expanduser(folder) or ".") if entry.name.startswith(name)]
    except OSError:
        return []
    shown = [entry for entry in found if name or not entry.name.startswith(".")]
    return sorted(os.path.join(folder, entry.name) + ("/" if entry.is_dir() else "") for entry in shown)


def _insert(text: str) -> None:
    assert readline is not None
    readline.insert_text(text)
