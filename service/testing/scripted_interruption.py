"""Ends calls of the scripted model early, at a time of the virtual clock."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


class ScriptedInterruption:
    """An ``Interruption``.

    Attributes:
        due_s: when calls are ended that run then or later; None for never.
        is_allowed: whether the call that runs may be ended.
    """

    def __init__(self) -> None:
        self.due_s: float | None = None
        self.is_allowed = False

    def request(self) -> None:
        """End calls at once."""
        self.due_s = 0.0

    def clear(self) -> None:
        """End no more calls."""
        self.due_s = None

    @contextmanager
    def allowed(self) -> Iterator[None]:
        """Let calls end early."""
        self.is_allowed = True
        try:
            yield
        finally:
            self.is_allowed = False

    def ends(self, began_s: float, call_s: float) -> float | None:
        """Seconds after which a call is ended that would take ``call_s``, None if it is not."""
        if not self.is_allowed or self.due_s is None or self.due_s >= began_s + call_s:
            return None
        return max(0.0, self.due_s - began_s)
