"""Decides which tokens go into the next step. Pure: the same state gives the same plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

#: Stands for all inputs that are being embedded, which share like one prompt.
EMBEDDINGS = -1


@dataclass(frozen=True, slots=True)
class PrefillWork:
    """A prompt that is being evaluated, in a slot or as ``EMBEDDINGS``."""

    slot_id: int
    remaining: int


@dataclass(frozen=True, slots=True)
class StepPlan:
    """The tokens of one step.

    Attributes:
        decode: slots that give their next token.
        prefill: (slot, number of prompt tokens), none of them 0.
        drafts: tokens that decoding slots try behind their next one.
    """

    decode: tuple[int, ...]
    prefill: tuple[tuple[int, int], ...]
    drafts: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @property
    def n_prefill(self) -> int:
        """Prompt tokens in all."""
        return sum(share for _, share in self.prefill)

    @property
    def n_decode(self) -> int:
        """Tokens behind prompts in all."""
        return len(self.decode) + sum(map(len, self.drafts.values()))


def plan_step(decoding: Sequence[int], prefilling: Sequence[PrefillWork], *, n_batch: int, budget: int) -> StepPlan:
    """Every decoding slot gives one token; prompts share what is left.

    The prompts' share is divided evenly; what a short prompt does not need goes to the longer ones. So a short prompt
    never waits for a long one, and the long one always moves.

    Args:
        decoding: slots that generate.
        prefilling: prompts in order of admission, each with at least one token left.
        n_batch: most tokens of the step.
        budget: most prompt tokens of the step; at least one is given if there is room in the batch.
    """
    room = min(max(1, budget), n_batch - len(decoding))
    shares: dict[int, int] = {}
    for place, work in enumerate(sorted(prefilling, key=lambda work: work.remaining)):
        share = min(work.remaining, -(-room // (len(prefilling) - place)))
        if share <= 0:
            break
        shares[work.slot_id] = share
        room -= share
    prefill = tuple((work.slot_id, shares[work.slot_id]) for work in prefilling if work.slot_id in shares)
    return StepPlan(tuple(decoding), prefill)
