"""What a person sees on stderr while the server starts and stops; log records go to stdout."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, TextIO

from slotline.cli.serve.banner import BannerFacts, banner

if TYPE_CHECKING:
    from collections.abc import Callable

#: Up to the end of the line; what was there may have been longer.
_ERASE_REST = "\x1b[K"


class StartupDisplay:
    """One line while the model loads, then a banner.

    On a terminal the line is updated in place; elsewhere only its first and last states are printed.

    Args:
        facts: what the banner tells.
        stream: where to print.
        clock: monotonic seconds.
    """

    def __init__(
        self, facts: BannerFacts, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._facts = facts
        self._stream = stream if stream is not None else sys.stderr
        self._is_terminal = self._stream.isatty()
        self._clock = clock
        self._started_s = clock()
        self._shown = -1
        self._title = facts.model.title if facts.model is not None else "the model"

    def loading(self, progress: float) -> None:
        """The model is being loaded, 0 to 1."""
        percent = int(100 * min(max(progress, 0.0), 1.0))
        if not self._is_terminal:
            if self._shown < 0:
                self._print(f"loading {self._title}")
        elif percent != self._shown:
            filled = percent // 5
            self._replace(f"loading {self._title}  [{'#' * filled}{'.' * (20 - filled)}] {percent:3d} %")
        self._shown = percent

    def ready(self) -> None:
        """The core serves for the first time."""
        self._end_line(f"loaded {self._title} in {self._clock() - self._started_s:.1f} s")
        self.serving()

    def serving(self) -> None:
        """Clients are served from now on."""
        self._write(banner(self._facts))

    def refused(self, reason: str) -> None:
        """The server ends with an error."""
        self._end_line(f"error: {reason}")

    def failed(self, message: str) -> None:
        """The model cannot be loaded."""
        self._end_line(f"error: {message}")
        answer = f"{self._facts.rest_url}/health answers 500" if self._facts.rest_url else "health is NOT_SERVING"
        self._print(f"{answer} now; stop with Ctrl-C")

    def gave_up(self, reason: str) -> None:
        """The core died again and again before it ever served."""
        hint = "the log on stdout may say why"
        if "SIGKILL" in reason:
            hint = "this is what happens when memory runs out: a smaller -c or a smaller model may help"
        self._end_line(f"error: the core never became ready; the last one {reason}; {hint}")

    def stopping(self, drain_timeout_s: float, *, is_ready: bool) -> None:
        """The server was asked to stop."""
        if is_ready:
            self._end_line(
                f"stopping: running requests get up to {drain_timeout_s:g} s; once more Ctrl-C stops at once"
            )
        else:
            self._end_line("stopping")

    def _end_line(self, text: str) -> None:
        if self._is_terminal:
            text += _ERASE_REST
        self._print(text)

    def _replace(self, text: str) -> None:
        # Back to the start of the line, so that a log record on the same terminal takes its place.
        self._write(f"{text}{_ERASE_REST}\r")

    def _print(self, text: str) -> None:
        self._write(f"{text}\n")

    def _write(self, text: str) -> None:
        try:
            self._stream.write(text)
            self._stream.flush()
        except OSError:
            # The reader of stderr has gone. Serving goes on.
            return
