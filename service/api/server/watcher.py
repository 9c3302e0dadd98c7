"""Who is told how a core goes, besides the log."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class Watcher(Protocol):
    """Is told, on the event loop, how a core goes; must not block."""

    def refused(self, reason: str) -> None:
        """It cannot listen where it should, a setting is wrong, or the projector cannot be used; the process ends."""

    def listening(self, addresses: Sequence[str]) -> None:
        """It listens there and begins to load the model."""

    def ready(self) -> None:
        """It serves."""

    def failed(self, message: str) -> None:
        """The model cannot be served."""

    def stopping(self, *, is_ready: bool) -> None:
        """It was asked to stop."""
