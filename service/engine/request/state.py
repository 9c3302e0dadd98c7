"""The states of a sequence, and the only moves between them.

A sequence is one continuation of a prompt; a request for several of them has a sequence for each.

    submitted
        |
        v
    +---------+  another one evaluates what its prompt begins with   +---------+
    | WAITING |----------------------------------------------------->| SHARING |
    |         |<-----------------------------------------------------|         |
    +---------+  that is evaluated, or the other one is gone         +---------+
        |
        | gets a slot
        v
    +---------+  its slot or its cells go to others                  +-----------+
    | PREFILL |----------------------------------------------------->| PREEMPTED |
    |         |<-----------------------------------------------------|           |
    +---------+  gets a slot again, before its prompt was evaluated  |           |
        |                                                            |           |
        | its prompt is evaluated                                    |           |
        v                                                            |           |
    +----------+  its slot or its cells go to others                 |           |
    | DECODING |---------------------------------------------------->|           |
    |          |<----------------------------------------------------|           |
    +----------+  gets a slot again, after that                      +-----------+

    All five can move to FINISHED: with the last token, with an error, or because the caller is gone. Nothing leaves it.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


class SequenceState(enum.Enum):
    """Where a sequence is between its arrival and its end."""

    WAITING = "waiting"
    SHARING = "sharing"
    PREFILL = "prefill"
    DECODING = "decoding"
    PREEMPTED = "preempted"
    FINISHED = "finished"


#: The moves that are allowed.
NEXT: dict[SequenceState, frozenset[SequenceState]] = {
    SequenceState.WAITING: frozenset({SequenceState.SHARING, SequenceState.PREFILL, SequenceState.FINISHED}),
    SequenceState.SHARING: frozenset({SequenceState.WAITING, SequenceState.FINISHED}),
    SequenceState.PREFILL: frozenset({SequenceState.DECODING, SequenceState.PREEMPTED, SequenceState.FINISHED}),
    SequenceState.DECODING: frozenset({SequenceState.PREEMPTED, SequenceState.FINISHED}),
    SequenceState.PREEMPTED: frozenset({SequenceState.PREFILL, SequenceState.DECODING, SequenceState.FINISHED}),
    SequenceState.FINISHED: frozenset(),
}


class HasState(Protocol):
    """A sequence, as far as its state is concerned; ``str`` names it in messages."""

    state: SequenceState


SequenceT = TypeVar("SequenceT", bound=HasState)


class ForbiddenMove(RuntimeError):
    """A sequence was to make a move that ``NEXT`` does not have."""

    def __init__(self, sequence: HasState, to: SequenceState) -> None:
        super().__init__(f"{sequence} cannot move from {sequence.state.name} to {to.name}")


def check_move(sequence: HasState, to: SequenceState) -> None:
    """Refuse a move that ``NEXT`` does not have.

    Raises:
        ForbiddenMove: it does not have this one.
    """
    if to not in NEXT[sequence.state]:
        raise ForbiddenMove(sequence, to)


def move(
    sequence: SequenceT, to: SequenceState, listeners: Iterable[Callable[[SequenceT, SequenceState], None]]
) -> None:
    """Change the state of a sequence. Nothing else does.

    Args:
        sequence: the sequence.
        to: its next state.
        listeners: are then told of the sequence and the state before, in order.

    Raises:
        ForbiddenMove: ``NEXT`` does not have this move; nothing was changed.
    """
    check_move(sequence, to)
    before, sequence.state = sequence.state, to
    for listener in listeners:
        listener(sequence, before)
