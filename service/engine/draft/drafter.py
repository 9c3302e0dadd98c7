"""What the engine asks of whatever guesses how sequences go on. Guesses cost time only: the model checks them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True, eq=False)
class DraftTask:
    """A sequence whose next tokens are to be guessed.

    Attributes:
        slot_id: the slot in which it runs.
        tokens: all of its tokens so far, in a list; at least one.
        salt: what was read of other sequences is used for those with the same salt only.
    """

    slot_id: int
    tokens: list[int]
    salt: str = ""


class Drafter(Protocol):
    """Reads sequences and guesses their next tokens. Belongs to the model's thread.

    It finds out by itself how a sequence has changed since it was last asked for what runs in that slot: grown, cut,
    shifted, replaced.
    """

    def can_follow(self, task: DraftTask, n_more: int) -> bool:
        """Whether it could guess ``n_more`` tokens behind a sequence: it may be too long, or have unknown tokens."""

    def n_unread(self, task: DraftTask) -> int:
        """Tokens of a sequence that must be read before anything can be guessed; at least 1, for the last one."""

    def total_unread(self, tasks: Sequence[DraftTask]) -> int:
        """The same of several sequences, where what some of them begin with is read once."""

    def read(self, tasks: Sequence[DraftTask], n_tokens: int) -> int:
        """Read unread tokens of sequences in one call, but for the last one of each.

        Args:
            tasks: the sequences, all of which could be followed; those that come first are read first.
            n_tokens: most tokens.

        Returns:
            How many were read: 0 only if none were left to read, or no room was.

        Raises:
            DecodeFailed: it went wrong.
        """

    def draft(self, tasks: Sequence[DraftTask], length: int, min_chance: float) -> Guesses:
        """Guess the next tokens of sequences, all of which are read but for few tokens.

        Args:
            tasks: the sequences, all of which could be followed.
            length: most tokens for each.
            min_chance: a guess ends in front of a token that is less probable, in the drafter's own eyes.

        Raises:
            DecodeFailed: it went wrong.
        """


@dataclass(frozen=True, slots=True)
class Guesses:
    """What was guessed.

    Attributes:
        tokens: of each sequence; none if nothing is probable enough, or if there was no room.
        n_calls: calls of a model that it took.
    """

    tokens: list[list[int]]
    n_calls: int
