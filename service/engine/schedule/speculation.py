"""Speculation: which tokens are tried ahead of those that the model has chosen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.config import Lookup
from service.engine.request.items import tokens_of
from service.engine.schedule.lookup import Drafter
from service.engine.schedule.prefill_budget import TILE
from service.engine.schedule.step_cost import StepCost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.config import EngineConfig
    from service.engine.cache.slots import Slot
    from service.engine.language_model import Memory, ModelInfo
    from service.engine.request.sequence import RunningSequence

logger = logging.getLogger(__name__)

#: Lengths of drafts. With the token before them they are multiples of four, which kernels like; and there are few, so
#: that the cost of each is soon known.
LENGTHS = (3, 7, 15, 31)
#: A draft must promise so many times the tokens of the steps that it takes as long as.
MIN_GAIN = 1.05
#: With ``Lookup.AUTO``: part of the time of plain steps that drafts may lose,
LOSS_SHARE = 0.01
#: how many plain steps they may have lost before the first of these, and how many they may save up.
FIRST_CREDIT, MAX_CREDIT = 8.0, 32.0


class Speculation:
    """Drafts for the sequences that decode, while they pay.

    A draft changes no text: every token is chosen from the logits behind the tokens before it, as without drafts, and
    a draft that says another one is removed. So sampled output has the same distribution, too.

    With ``Lookup.ON`` a step has drafts if more tokens are expected of it in all than of steps without in the same
    time. With ``Lookup.AUTO`` every sequence of the step must gain, and what drafts lose is bounded, whatever was
    expected: credit in plain steps pays in advance for a draft of which nothing is right.

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
        self._credit = FIRST_CREDIT
        self._is_careful = config.lookup is Lookup.AUTO
        self.is_on = config.lookup is not Lookup.OFF and info.can_cut
        #: Of the step that was planned last: how many sequences it has, and those with drafts, as they were before it.
        self._n_sequences = 0
        self._tried: list[tuple[RunningSequence, int]] = []
        #: How many plain steps it took as long as, until it is settled.
        self._ratio = 0.0
        if config.lookup is not Lookup.OFF and not self.is_on:
            logger.info("lookup has no effect: this model cannot take back tokens that were tried")

    def drafts(self, decoding: Sequence[Slot]) -> Mapping[int, list[int]]:
        """Tokens to try after each slot's next token; slots without a guess are left out.

        Args:
            decoding: all slots that decode. Nothing else may be in that step: prompts use its time better.
        """
        if not self.is_on or not decoding:
            return {}
        self._n_sequences, self._tried = len(decoding), []
        if not self._cost.is_known(self._n_sequences):
            return {}
        try:
            return self._plan(decoding)
        except Exception:
            # Nobody needs drafts.
            logger.exception("drafts are off, after an error in one")
            self.is_on = False
            return {}

    def observe(self, n_tokens: int, step_s: float) -> None:
        """Learn what a step without prompts costs: ``n_tokens`` tokens took ``step_s`` seconds."""
        if self.is_on and self._n_sequences:
            self._ratio = self._cost.observe(self._n_sequences, n_tokens - self._n_sequences, step_s)

    def settle(self) -> None:
        """Note what the last step without prompts has gained, after its tokens were chosen."""
        ratio, self._ratio = self._ratio, 0.0
        if not ratio or not self._is_careful:
            return
        if self._tried:
            self._credit += min(sequence.sampled - before for sequence, before in self._tried) - ratio
        else:
            self._credit += LOSS_SHARE - (ratio - 1.0)
        self._credit = min(self._credit, MAX_CREDIT)

    def _plan(self, decoding: Sequence[Slot]) -> Mapping[int, list[int]]:
        slots = self._candidates(decoding)
        length = self._best_length(slots) if slots else 0
        if not length:
            return {}
        drafts = {slot.id: _drafter(slot).draft(length) for slot in slots}
        self._tried = [(slot.sequence, slot.sequence.sampled) for slot in slots if slot.sequence is not None]
        return drafts

    def _candidates(self, decoding: Sequence[Slot]) -> list[Slot]:
        """The slots that have a guess and may use it; none if all must have one, and one has not."""
        candidates = []
        for slot in decoding:
            if self._limit(slot) >= LENGTHS[0] and _drafter(slot).has_guess:
                candidates.append(slot)
            elif self._is_careful:
                return []
        return candidates

    def _best_length(self, slots: Sequence[Slot]) -> int:
        """The length of draft that promises most, the same for all of these slots; 0 if none is worth its time."""
        info, n_sequences = self._info, self._n_sequences
        # Attention goes row by row below a tile, so rows with drafts have the same bits as those without.
        room = min(info.n_logits, info.n_batch, self._config.n_batch, self._memory.cells_free, TILE - 1) - n_sequences
        longest = min(room // len(slots), *(self._limit(slot) for slot in slots))
        lengths = [length for length in LENGTHS if length <= longest]
        expected = [_drafter(slot).expected(lengths) for slot in slots]
        best, best_gain = 0, MIN_GAIN
        for index, length in enumerate(lengths):
            ratio = self._cost.ratio(n_sequences, length * len(slots))
            if self._is_careful and ratio - 1.0 > self._credit:
                continue
            right = [numbers[index] for numbers in expected]
            more = min(right) if self._is_careful else sum(right) / n_sequences
            if (1.0 + more) / ratio > best_gain:
                best, best_gain = length, (1.0 + more) / ratio
        return best

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
