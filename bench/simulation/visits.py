"""What became of each request, in virtual time."""

from __future__ import annotations

import enum
from array import array
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.engine.request.events import Accepted, Event, Failed, Finished, Piece

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.errors import ServiceError
    from service.testing.scripted_model import VirtualClock


class End(enum.Enum):
    """How a visit ended."""

    ANSWERED = "answered"
    REFUSED = "refused"
    LEFT = "left"
    FAILED = "failed"


@dataclass(slots=True)
class Journal:
    """What all visits of a simulation write to.

    Attributes:
        clock: the time.
        gaps_s: time between the outputs of a visit, for each token but its first.
        gap_ends_s: when each of these gaps ended.
        n_over: visits that have ended.
        n_answered: visits that ended with a complete answer.
        held_s: time that these had slots, summed.
    """

    clock: VirtualClock
    gaps_s: array[float] = field(default_factory=lambda: array("d"))
    gap_ends_s: array[float] = field(default_factory=lambda: array("d"))
    n_over: int = 0
    held_s: float = 0.0
    n_answered: int = 0


@dataclass(slots=True, eq=False)
class Visit:
    """One request of a client; the sink of its events.

    Attributes:
        client: who asks.
        kind: name of the kind of conversation.
        n_prompt, n_answer: tokens asked with and asked for.
        arrived_s, accepted_s, ended_s: when it came, got a slot, and ended.
        first_s, last_s: when its first and its last token came.
        n_cached: prompt tokens that need not be evaluated.
        n_tokens: tokens that came.
        longest_gap_s: longest time between two of them.
        end: how it ended, None while it goes on.
        error: why it failed.
    """

    journal: Journal
    on_end: Callable[[], None]
    client: int
    kind: str
    n_prompt: int
    n_answer: int
    arrived_s: float
    accepted_s: float | None = None
    first_s: float | None = None
    last_s: float = 0.0
    ended_s: float = 0.0
    n_cached: int = 0
    n_tokens: int = 0
    longest_gap_s: float = 0.0
    end: End | None = None
    error: ServiceError | None = None

    def put(self, events: list[Event]) -> None:
        """Take events of a step that has just ended."""
        now_s = self.journal.clock.now_s
        for event in events:
            match event:
                case Piece():
                    self._note_token(now_s)
                case Accepted():
                    # It was accepted before the step's time passed.
                    self.accepted_s = self.arrived_s + event.queued_s
                    self.n_cached = event.cached_prompt_tokens
                case Finished():
                    assert self.accepted_s is not None
                    self.journal.held_s += now_s - self.accepted_s
                    self.journal.n_answered += 1
                    self.close(End.ANSWERED)
                case Failed():
                    self.error = event.error
                    self.close(End.FAILED)
                case _:
                    raise AssertionError(f"{event!r} answers nothing that was asked")

    def close(self, end: End) -> None:
        """End the visit; it must not have ended before."""
        assert self.end is None, f"a visit that was {self.end} is {end} again"
        self.end = end
        self.ended_s = self.journal.clock.now_s
        self.journal.n_over += 1
        self.on_end()

    def _note_token(self, now_s: float) -> None:
        if self.first_s is None:
            self.first_s = now_s
        else:
            gap_s = now_s - self.last_s
            self.journal.gaps_s.append(gap_s)
            self.journal.gap_ends_s.append(now_s)
            self.longest_gap_s = max(self.longest_gap_s, gap_s)
        self.last_s = now_s
        self.n_tokens += 1
