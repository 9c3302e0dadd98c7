"""What a person sees on stderr while the server starts and stops; log records go to stdout."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

# Up to the end of the line; what was there may have been longer.
_ERASE_REST = "\x1b[K"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the banner tells.

    Attributes:
        version: of Slotline.
        rest_url: where REST listens, with the real port.
        grpc: addresses where gRPC listens, with real ports.
        grpc_missing: addresses that were left out because they are busy.
        model: the model's file.
        model_bytes: size of its weights.
        n_slots: number of slots.
        n_ctx_slot: tokens of context in each of them.
        api_keys: the keys that clients need, masked; empty if they need none.
    """

    version: str
    rest_url: str
    grpc: Sequence[str]
    grpc_missing: Sequence[str]
    model: Path
    model_bytes: int
    n_slots: int
    n_ctx_slot: int
    api_keys: str = ""


class StartupDisplay:
    """One line while the model loads, then a banner.

    On a terminal the line is updated in place; elsewhere only its first and last states are printed.

    Args:
        facts: what the banner tells.
        stream: where to print.
        clock: monotonic seconds.
    """

    def __init__(
        self, facts: Facts, stream: TextIO | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._facts = facts
        self._stream = stream if stream is not None else sys.stderr
        self._is_terminal = self._stream.isatty()
        self._clock = clock
        self._started_s = clock()
        self._shown = -1
        self._title = f"{facts.model.name} ({_size(facts.model_bytes)})"

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
        facts = self._facts
        grpc = ", ".join(facts.grpc) or "on no TCP port"
        if facts.grpc_missing:
            grpc += f" ({', '.join(facts.grpc_missing)} is taken by another program; choose one with --grpc-listen)"
        slots = f"{facts.n_slots} slot{'s' if facts.n_slots != 1 else ''}"
        keys = f"\n  keys    {facts.api_keys}; clients send `Authorization: Bearer KEY`" if facts.api_keys else ""
        self._print(
            f"""
Slotline {facts.version} is ready
  REST    {facts.rest_url}   (OpenAI clients: {facts.rest_url}/v1)
  gRPC    {grpc}
  model   {facts.model}
  slots   {slots} of {facts.n_ctx_slot} tokens{keys}
  stop    Ctrl-C lets running requests finish, a second one does not
"""
        )

    def failed(self, message: str) -> None:
        """The model cannot be loaded."""
        self._end_line(f"error: {message}")
        self._print(f"{self._facts.rest_url}/health answers 500 now; stop with Ctrl-C")

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
            # The reader of stderr has gone; nobody is left to be told, and serving goes on.
            return


def _size(n_bytes: int) -> str:
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if n_bytes >= size:
            return f"{n_bytes / size:.0f} {unit}" if n_bytes >= 10 * size else f"{n_bytes / size:.1f} {unit}"
    return f"{n_bytes} B"
