"""A program at a terminal of its own: a test types, and waits for what the screen shows."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import termios
import time
from typing import TYPE_CHECKING

from tests.support.server import PATIENCE_S, NotSeen

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

# Much longer than a program takes to react, for a second Ctrl-C may mean something else.
_PRESS_AGAIN_S = 5.0
CTRL_C, CTRL_D, UP, LEFT = "\x03", "\x04", "\x1b[A", "\x1b[D"
# What terminals send around a text that is pasted.
PASTE_BEGIN, PASTE_END = "\x1b[200~", "\x1b[201~"
# A session of its own gets the terminal that its leader opens first; Ctrl-C then reaches the program.
_ENTER = "import os, sys; os.close(os.open(os.ttyname(0), os.O_RDWR)); os.execv(sys.argv[1], sys.argv[1:])"


class TerminalProgram:
    """A process whose stdin, stdout and stderr are a terminal.

    Args:
        arguments: its command line.
        environment: all its variables.

    Attributes:
        screen: everything that the terminal has received.
    """

    def __init__(self, arguments: Iterable[str], environment: dict[str, str]) -> None:
        self.screen = ""
        self._seen = 0
        self._terminal, inner = pty.openpty()
        termios.tcsetwinsize(inner, (40, 120))
        self._popen = subprocess.Popen(
            [sys.executable, "-c", _ENTER, *arguments],
            stdin=inner,
            stdout=inner,
            stderr=inner,
            env=environment,
            start_new_session=True,
        )
        os.close(inner)

    def type(self, keys: str) -> None:
        """Press keys; Enter is ``\\r``."""
        os.write(self._terminal, keys.encode())

    def wait_for(self, text: str) -> str:
        """Wait until the terminal shows ``text`` behind what was waited for before; gives what came in between."""
        deadline = time.monotonic() + PATIENCE_S
        while (place := self.screen.find(text, self._seen)) < 0:
            if not self._read(deadline):
                raise NotSeen(f"not seen: {text!r} in\n{self.screen[self._seen :]!r}")
        between = self.screen[self._seen : place]
        self._seen = place + len(text)
        return between

    def interrupt_until(self, text: str) -> None:
        """Press Ctrl-C until the terminal shows ``text``."""
        self._interrupt(lambda: text in self.screen[self._seen :])
        self.wait_for(text)

    def interrupt_until_end(self) -> None:
        """Press Ctrl-C until the process ends."""
        self._interrupt(lambda: self._popen.poll() is not None)

    def _interrupt(self, is_done: Callable[[], bool]) -> None:
        # Python overlooks a signal that comes right before it begins to wait for a key or for data, until the next one.
        deadline = time.monotonic() + PATIENCE_S
        self.type(CTRL_C)
        while not is_done():
            assert time.monotonic() < deadline, f"Ctrl-C does nothing; the screen shows\n{self.screen[self._seen :]!r}"
            if not self._read(time.monotonic() + _PRESS_AGAIN_S) and not is_done():
                self.type(CTRL_C)

    def wait(self) -> int:
        """Wait for the end of the process; its exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read(deadline):
            pass
        return self._popen.wait(PATIENCE_S)

    def close(self) -> None:
        """Kill the process, if it still runs."""
        if self._popen.poll() is None:
            self._popen.kill()
        self._popen.wait(PATIENCE_S)
        os.close(self._terminal)

    def _read(self, deadline: float) -> bool:
        """Take what comes next; false at the end, or if nothing comes."""
        ready, _, _ = select.select([self._terminal], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            data = os.read(self._terminal, 65536)
        except OSError:
            # The way in which Linux tells that nobody holds the other side any more.
            return False
        self.screen += data.decode(errors="replace")
        return bool(data)
