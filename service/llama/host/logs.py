"""The library's log lines, as records of Python's logging."""

from __future__ import annotations

import logging
import threading
from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import re
    from collections.abc import Iterable, Iterator

logger = logging.getLogger("service.llama")

_CONTINUATION = 5
# At its info level the library writes some 300 lines for each load. The loader logs one line with what operators need.
_LEVELS = {1: logging.DEBUG, 2: logging.DEBUG, 3: logging.WARNING, 4: logging.ERROR}


class LogBridge:
    """Puts together the lines that the library writes in parts, logs them, and collects errors where they are wanted.

    The library may call it from any thread, also one that Python does not know.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._pending = ""
        self._level = logging.DEBUG
        self._collectors: list[deque[str]] = []
        # How often warnings, and errors, are muted.
        self._n_muting = {logging.WARNING: 0, logging.ERROR: 0}

    def write(self, level: int, text: bytes | None) -> None:
        """Take a part of a line, or some lines.

        Args:
            level: the library's ``ggml_log_level``; 5 continues the part before.
            text: UTF-8; usually one line with its end.
        """
        lines: list[tuple[int, str]] = []
        with self._lock:
            if level != _CONTINUATION:
                lines += self._flush()
                self._level = _LEVELS.get(level, logging.DEBUG)
                if self._n_muting.get(self._level):
                    self._level = logging.DEBUG
            self._pending += (text or b"").decode("utf-8", "replace")
            while "\n" in self._pending:
                line, _, rest = self._pending.partition("\n")
                self._pending = line
                lines += self._flush()
                self._pending = rest
        for line_level, line in lines:
            logger.log(line_level, "%s", line)

    @contextmanager
    def collect_errors(self, limit: int = 8) -> Iterator[deque[str]]:
        """Collect the errors logged inside the block, the last ``limit`` of them."""
        errors: deque[str] = deque(maxlen=limit)
        with self._lock:
            self._collectors.append(errors)
        try:
            yield errors
        finally:
            with self._lock:
                # By identity: two collectors with the same lines are equal.
                self._collectors = [collector for collector in self._collectors if collector is not errors]

    @contextmanager
    def mute(self, *levels: int) -> Iterator[None]:
        """Log at debug level inside the block what the library says at these levels, warnings or errors.

        For where it is known that this is of no interest.
        """
        with self._lock:
            for level in levels:
                self._n_muting[level] += 1
        try:
            yield
        finally:
            with self._lock:
                for level in levels:
                    self._n_muting[level] -= 1

    def _flush(self) -> list[tuple[int, str]]:
        line, self._pending = self._pending.rstrip(), ""
        if not line:
            return []
        if self._level >= logging.ERROR:
            for collector in self._collectors:
                collector.append(line)
        return [(self._level, line)]


def told_reasons(
    errors: Iterable[str], *, functions: re.Pattern[str], untelling: str | tuple[str, ...], unknown: str
) -> str:
    """What lines of the library say, without the names of its functions and without the lines that only say "failed".

    Args:
        errors: the lines.
        functions: matches such names at the beginning of a line.
        untelling: how lines begin that give no reason.
        unknown: what they say of something that this version does not know.
    """
    reasons = [functions.sub("", line) for line in errors]
    telling = [reason for reason in reasons if not reason.startswith(untelling)]
    text = "; ".join(telling or reasons) or "llama.cpp gives no reason"
    return f"{text} (a newer version of llama.cpp may know it)" if unknown in text else text
