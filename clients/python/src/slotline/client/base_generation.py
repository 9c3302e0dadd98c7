"""What the generations of both clients do alike: which server they run on, how they end, and what they gave."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from slotline.client.attempts import Attempts, Progress
from slotline.client.results import Completion, StreamState

if TYPE_CHECKING:
    from collections.abc import Callable

    from slotline.client.errors import SlotlineError


class Cancellable(Protocol):
    """A call."""

    def cancel(self) -> object: ...


C = TypeVar("C", bound=Cancellable)


class BaseGeneration(Generic[C]):
    """A generation, and the call that it is at present.

    Args:
        start: makes the call to a server; takes its address and the seconds that are left.
        attempts: the servers.
        n_sequences: continuations that the request asks for.
    """

    def __init__(self, start: Callable[[str, float | None], C], attempts: Attempts, n_sequences: int) -> None:
        self._start = start
        self._attempts = attempts
        self._progress = Progress(n_sequences)
        self._state = StreamState()
        self._is_cancelled = False
        self._call = start(attempts.target, attempts.remaining_s)

    def cancel(self) -> None:
        """End the request; iterating ends too. Harmless after the end."""
        self._is_cancelled = True
        self._call.cancel()

    @property
    def completion(self) -> Completion:
        """Everything about the answer; only after iterating to its end."""
        return self._state.completion()

    def _go_on_after(self, failure: SlotlineError) -> None:
        """Call the next server.

        Raises:
            SlotlineError: there is nowhere to go.
        """
        self._attempts.failed(failure, self._progress)
        self._call = self._start(self._attempts.target, self._attempts.remaining_s)
        if self._is_cancelled:  # in another thread, meanwhile
            self._call.cancel()
