"""Decides what of each sequence goes into the next step. Pure: the same state gives the same plan.

Counts items, of which tokens are the only kind so far (``request.items``): each takes a cell, and as long as any other.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The oldest prompt has one part in so many of a step for itself, and so have inputs that are embedded.
OWN_PART = 4
#: Stands for all inputs that are being embedded, which share like one prompt.
EMBEDDINGS = -1


@dataclass(frozen=True, slots=True)
class PrefillWork:
    """A prompt that is being evaluated, in a slot or as ``EMBEDDINGS``.

    Attributes:
        slot_id: where.
        remaining: items of it that are not evaluated yet.
        limit: most items of it that fit a step, None for any number.
    """

    slot_id: int
    remaining: int
    limit: int | None = None

    @property
    def most(self) -> int:
        """Items of it that a step may have at most."""
        return self.remaining if self.limit is None else min(self.remaining, self.limit)


@dataclass(frozen=True, slots=True)
class StepPlan:
    """What one step evaluates.

    Attributes:
        decode: slots that give their next token.
        prefill: (slot, number of items of its prompt), none of them 0.
        drafts: tokens that decoding slots try behind their next one.
    """

    decode: tuple[int, ...]
    prefill: tuple[tuple[int, int], ...]
    drafts: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def n_prefill(self) -> int:
        """Items of prompts in all."""
        return sum(share for _, share in self.prefill)

    @property
    def n_decode(self) -> int:
        """Tokens behind prompts in all."""
        return len(self.decode) + sum(map(len, self.drafts.values()))

    @property
    def n_tokens(self) -> int:
        """All items."""
        return self.n_prefill + self.n_decode


def plan_step(
    decoding: Sequence[int], prefilling: Sequence[PrefillWork], *, n_batch: int, budget: int, min_remainder: int = 0
) -> StepPlan:
    """Plan a step: one token for every decoding slot, and prompts share the room that is left.

    The prompt that has the fewest items left goes first: so short prompts do not wait for long ones, and fewest are
    under way at a time. The oldest one has a part of every step for itself, and so have inputs that are embedded, so
    that they never wait for shorter prompts that keep coming.

    Args:
        decoding: slots that generate.
        prefilling: prompts in order of admission, each with at least one item left.
        n_batch: most items of the step.
        budget: most items of prompts in the step; at least one is given if there is room in the batch.
        min_remainder: a prompt of which fewer items would be left is finished at once, beyond the budget.
    """
    room = min(max(1, budget), n_batch - len(decoding))
    spare = n_batch - len(decoding) - room
    shares: dict[int, int] = {}
    part = -(-room // OWN_PART)
    for index, work in enumerate(prefilling):
        if index == 0 or work.slot_id == EMBEDDINGS:
            shares[work.slot_id] = min(work.most, part, room)
            room -= shares[work.slot_id]
    for work in sorted(prefilling, key=lambda work: work.remaining):
        given = shares.get(work.slot_id, 0)
        share = min(work.most - given, room)
        room -= share
        remainder = work.remaining - given - share
        if share and 0 < remainder < min_remainder and remainder <= min(spare, work.most - given - share):
            share += remainder
            spare -= remainder
        if share:
            shares[work.slot_id] = given + share
    prefill = tuple((work.slot_id, shares[work.slot_id]) for work in prefilling if shares.get(work.slot_id))
    return StepPlan(tuple(decoding), prefill)
