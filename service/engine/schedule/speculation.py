"""Speculation: which tokens are tried ahead of those that the model has chosen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.request.items import tokens_of
from service.engine.schedule.lookup import Drafter
from service.engine.schedule.step_cost import StepCost

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import EngineConfig
    from service.engine.cache.slots import Slot
    from service.engine.language_model import Memory, ModelInfo

logger = logging.getLogger(__name__)


class Speculation:
    """Drafts for the sequences that decode, while they pay.

    A draft changes no text: every token is chosen from the logits behind the tokens before it, as without drafts, and
    a draft that says another one is removed. So sampled output has the same distribution, too.

    Args:
        info: of the model, which must be able to take back the last tokens of a sequence.
        memory: the model's.
        config: whether drafts are wanted, and how long a batch and a context may be.
    """

    def __init__(self, info: ModelInfo, memory: Memory, config: EngineConfig) -> None:
        self._info = info
        self._memory = memory
        self._config = config
        self._cost = StepCost()
        self.is_on = config.lookup and info.can_cut
        if config.lookup and not self.is_on:
            logger.info("lookup has no effect: this model cannot take back tokens that were tried")

    def drafts(self, decoding: Sequence[Slot]) -> dict[int, list[int]]:
        """Tokens to try after each slot's next token; slots without a guess are left out.

        Args:
            decoding: all slots that decode. Nothing else may be in that step: prompts use its time better.
        """
        if not self.is_on or not decoding:
            return {}
        info = self._info
        room = min(info.n_logits, info.n_batch, self._config.n_batch, self._memory.cells_free) - len(decoding)
        price = self._cost.price(len(decoding))
        drafts: dict[int, list[int]] = {}
        for n_served, slot in enumerate(decoding):
            # What is left is shared evenly.
            limit = min(room // (len(decoding) - n_served), self._limit(slot))
            try:
                draft = _drafter(slot).draft(limit, price) if limit > 0 else []
            except Exception:
                # Nobody needs drafts.
                logger.exception("drafts are off, after an error in one")
                self.is_on = False
                return drafts
            if draft:
                drafts[slot.id] = draft
                room -= len(draft)
        return drafts

    def observe(self, n_tokens: int, step_s: float) -> None:
        """Learn what a step without prompts costs: ``n_tokens`` tokens took ``step_s`` seconds."""
        if self.is_on:
            self._cost.observe(n_tokens, step_s)

    def _limit(self, slot: Slot) -> int:
        """Most tokens of a draft that a slot's sequence could use."""
        sequence = slot.sequence
        assert sequence is not None
        if sequence.grouping is not None:
            return 0
        room = self._config.n_ctx_slot - len(slot.items) - 2
        return room if sequence.max_tokens is None else min(room, sequence.max_tokens - sequence.sampled - 1)


def _drafter(slot: Slot) -> Drafter:
    """The drafter of the slot's sequence, which decodes."""
    sequence = slot.sequence
    assert sequence is not None
    assert sequence.pending is not None
    if sequence.drafter is None:
        sequence.drafter = Drafter([*tokens_of(slot.items), sequence.pending])
    return sequence.drafter
