"""What drafts may come from, and what they promise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from service.engine.cache.slots import Slot
    from service.engine.request.sequence import RunningSequence

#: Tokens to try behind each slot's next token, by slot.
Drafts = dict[int, list[int]]
#: A draft must promise so many times the tokens of the steps that it takes as long as.
MIN_GAIN = 1.05


@dataclass(frozen=True, slots=True)
class Offer:
    """Drafts that could be tried in the next step.

    Attributes:
        gain: tokens that are expected of it, in those of steps without drafts that take as long.
        make: makes the drafts; slots without any are left out, all of them if the source has to prepare itself first.
    """

    gain: float
    make: Callable[[], Drafts]


@dataclass(frozen=True, slots=True)
class Trial:
    """A sequence in a step with drafts.

    Attributes:
        sequence: the sequence.
        sampled: its tokens before the step.
        n_drafted: tokens of its draft; 0 if others have drafts only.
    """

    sequence: RunningSequence
    sampled: int
    n_drafted: int

    @property
    def n_gained(self) -> int:
        """Tokens that the step gave it: one more than were right, unless it failed."""
        return self.sequence.sampled - self.sampled


class DraftSource(Protocol):
    """Offers drafts for steps without prompts, and learns what became of them."""

    def offer(self, decoding: Sequence[Slot], room: int) -> Offer | None:
        """Drafts for the next step, None if they do not pay.

        Args:
            decoding: all slots of that step, each with a token to come.
            room: most tokens of all drafts.
        """

    def settle(self, trials: Sequence[Trial], ratio: float) -> None:
        """Note what became of drafts of this source, after the tokens of their step were chosen.

        Args:
            trials: the sequences of the step, at least one of which had a draft.
            ratio: how many steps without drafts the model's call took as long as.
        """

    def settle_plain(self, decoding: Sequence[Slot], ratio: float) -> None:
        """The same of a step without drafts of any source."""


def trials_of(slots: Sequence[Slot], drafts: Mapping[int, Sequence[int]]) -> list[Trial]:
    """The sequences of a step with drafts, before it."""
    return [
        Trial(slot.sequence, slot.sequence.sampled, len(drafts.get(slot.id, ())))
        for slot in slots
        if slot.sequence is not None
    ]


def room_of(slot: Slot, n_ctx: int) -> int:
    """Most tokens of a draft that a slot's sequence could use, in a context of ``n_ctx`` tokens."""
    sequence = slot.sequence
    assert sequence is not None
    if sequence.grouping is not None:
        return 0
    room = n_ctx - len(slot.items) - 2
    return room if sequence.max_tokens is None else min(room, sequence.max_tokens - sequence.sampled - 1)
