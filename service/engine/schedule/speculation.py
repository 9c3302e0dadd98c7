"""Speculation: which tokens are tried ahead of those that the model has chosen."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.config import Lookup
from service.engine.schedule.draft_source import trials_of
from service.engine.schedule.lookup_drafts import LookupDrafts
from service.engine.schedule.model_drafts import ModelDrafts
from service.engine.schedule.prefill_budget import TILE
from service.engine.schedule.step_cost import StepCost

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from service.engine.cache.slots import Slot
    from service.engine.parts import EngineParts
    from service.engine.schedule.draft_source import DraftSource, Offer, Trial

logger = logging.getLogger(__name__)


class Speculation:
    """Drafts for the sequences that decode, while they pay.

    A draft changes no text: every token is chosen from the logits behind the tokens before it, as without drafts, and
    a draft that says another one is removed. So sampled output has the same distribution, too.

    All drafts of a step come from one source, the one that promises most.

    Args:
        parts: of the engine. The model must be able to take back the last tokens of a sequence.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._info = parts.model.info
        self._memory = parts.model.memory
        self._n_batch = parts.config.n_batch
        self._cost = StepCost()
        self._sources = self._make_sources(parts)
        #: Of the step that was planned last: its slots, where its drafts come from, and who tries them.
        self._decoding: Sequence[Slot] = ()
        self._source: DraftSource | None = None
        self._trials: list[Trial] = []
        #: How many plain steps it took as long as, until it is settled.
        self._ratio = 0.0

    def _make_sources(self, parts: EngineParts) -> list[DraftSource]:
        sources: list[DraftSource] = []
        if parts.config.lookup is not Lookup.OFF:
            sources.append(LookupDrafts(parts.config, self._cost))
        if parts.drafter is not None:
            sources.append(ModelDrafts(parts, parts.drafter, self._cost))
        if sources and not self._info.can_cut:
            logger.warning("drafts have no effect: this model cannot take back tokens that were tried")
            return []
        return sources

    def drafts(self, decoding: Sequence[Slot]) -> Mapping[int, list[int]]:
        """Tokens to try after each slot's next token; slots without a guess are left out.

        Args:
            decoding: all slots that decode. Nothing else may be in that step: prompts use its time better.
        """
        self._decoding, self._source, self._trials = decoding, None, []
        if not self._sources or not decoding or not self._cost.is_known(len(decoding)):
            return {}
        # Attention goes row by row below a tile, so rows with drafts have the same bits as those without.
        most = min(self._info.n_logits, self._info.n_batch, self._n_batch, self._memory.cells_free, TILE - 1)
        best: tuple[DraftSource, Offer] | None = None
        for source in self._sources.copy():
            offer = self._offer(source, decoding, most - len(decoding))
            if offer is not None and (best is None or offer.gain > best[1].gain):
                best = source, offer
        return {} if best is None else self._make(*best)

    def observe(self, n_tokens: int, step_s: float) -> None:
        """Learn what a step without prompts costs: ``n_tokens`` tokens took ``step_s`` seconds."""
        if self._sources and (n_sequences := len(self._decoding)):
            self._ratio = self._cost.observe(n_sequences, n_tokens - n_sequences, step_s)

    def settle(self) -> None:
        """Note what the last step without prompts has gained, after its tokens were chosen."""
        ratio, self._ratio = self._ratio, 0.0
        if not ratio:
            return
        if self._source is not None:
            self._source.settle(self._trials, ratio)
        else:
            for source in self._sources:
                source.settle_plain(self._decoding, ratio)

    def _offer(self, source: DraftSource, decoding: Sequence[Slot], room: int) -> Offer | None:
        try:
            return source.offer(decoding, room)
        except Exception:
            self._turn_off(source)
            return None

    def _make(self, source: DraftSource, offer: Offer) -> Mapping[int, list[int]]:
        try:
            drafts = offer.make()
        except Exception:
            self._turn_off(source)
            return {}
        if drafts:
            self._source, self._trials = source, trials_of(self._decoding, drafts)
        return drafts

    def _turn_off(self, source: DraftSource) -> None:
        """Do without a source that failed: nobody needs drafts."""
        logger.exception("drafts of %s are off, after an error", type(source).__name__)
        self._sources.remove(source)
