"""Starts sequences: in which slot, with which cached prefix, and with all else that a sequence needs to run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from service.engine.cache.context_shift import resolve_n_keep, truncate_prompt
from service.engine.cache.grouping import GroupedPositions
from service.engine.cache.reuse import PromptReuse
from service.engine.output.lines import Lines
from service.engine.output.parsed import ParsedOutput
from service.engine.output.text import TextOutput
from service.engine.request.items import tokens_of
from service.engine.request.prompt_media import media_in
from service.engine.request.requests import GenerationRequest, Overflow
from service.engine.request.sequence import RunningSequence
from service.engine.request.state import SequenceState
from service.engine.schedule.prefix_sharing import PrefixSharing
from service.errors import ContextLengthExceeded, InvalidArgument
from service.sampling.gbnf import GrammarError
from service.sampling.grammar import DeferredGrammar
from service.sampling.sampler import Sampler

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import EngineConfig
    from service.engine.cache.prompt_logits import PromptLogits
    from service.engine.cache.slot_memory import SlotMemory
    from service.engine.cache.slots import Slot
    from service.engine.cache.system_prompt import SystemPromptHolder
    from service.engine.language_model import Logits, ModelInfo, Vocabulary
    from service.engine.request.items import PromptItem
    from service.engine.request.sequence import SequenceLife
    from service.sampling.grammar import Grammar
    from service.sampling.settings import SamplingSettings

#: Cells for the answer of each sequence that must be left before another one starts, if slots compete for cells.
RESERVED_CELLS = 32
#: Stands behind a prompt, all of which may be found in a cache; no token is equal to it.
_NO_TOKEN = -1


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt as it is evaluated: the system prompt's tokens, then the request's own items, truncated if need be."""

    items: list[PromptItem]
    n_system: int
    n_keep: int
    n_truncated: int

    @property
    def own(self) -> list[PromptItem]:
        """The request's own items."""
        return self.items[self.n_system :]


class Admission:
    """Starts sequences in slots.

    Args:
        info: facts about the model.
        vocabulary: makes grammars.
        config: slots and limits.
        slots: the slots.
        memory: what they hold.
        system: the system prompt.
        prompt_logits: the logits behind prompts that were evaluated.

    Attributes:
        sharing: which sequences had better wait for what is being evaluated.
    """

    def __init__(
        self,
        info: ModelInfo,
        vocabulary: Vocabulary,
        config: EngineConfig,
        slots: Sequence[Slot],
        memory: SlotMemory,
        system: SystemPromptHolder,
        prompt_logits: PromptLogits,
    ) -> None:
        self._info = info
        self._vocabulary = vocabulary
        self._config = config
        self._slots = slots
        self._memory = memory
        self._system = system
        self._prompt_logits = prompt_logits
        self._reuse = PromptReuse(config, slots, memory)
        self.sharing = PrefixSharing(slots, memory, self._reuse, self._items_of)
        self._is_overcommitted = config.n_slots * config.n_ctx_slot > info.n_cells

    def has_cells(self, life: SequenceLife) -> bool:
        """Whether the cache has cells for a sequence beside all that runs, counting what that is known to need."""
        running = [slot for slot in self._slots if not slot.is_idle]
        if not self._is_overcommitted or not running:
            return True
        n_own = len(life.task.request.prompt)
        if life.task.own_scales is not None:
            # The system prompt's cells are for those in force for everybody.
            n_own += len(self._system.tokens)
        n_own = min(n_own, self._config.n_ctx_slot)
        if life.state is SequenceState.PREEMPTED:
            assert life.swapped_out is not None
            n_own = life.swapped_out.contents.saved.n_cells
        n_growth = sum(slot.prompt_remaining for slot in running) + RESERVED_CELLS * (len(running) + 1)
        return n_own + n_growth <= self._memory.cells_available

    def start(self, life: SequenceLife, now_s: float) -> Slot:
        """Start a sequence in an idle slot, and return the slot. There must be an idle one.

        Raises:
            ContextLengthExceeded: the prompt does not fit and may not be truncated.
            InvalidArgument: the grammar cannot be used.
        """
        task, request = life.task, life.task.request
        prompt = self._prompt(request)
        # The logits behind cached tokens are not known: of a prompt that needs them, only the system prompt is reused.
        is_scored = request.prompt_logprobs is not None and life.index == 0
        logits = None if is_scored else self._known_logits(request, prompt.items)
        if is_scored:
            reusable = prompt.items[: prompt.n_system + 1]
        else:
            # The last token is evaluated for its logits, unless they are known.
            reusable = prompt.items if logits is None else [*prompt.items, _NO_TOKEN]
        slot = self._reuse.choose_slot(request, reusable)
        text = TextOutput(request.stop_texts, include_match=request.include_match)
        parsed = None if request.parsing is None else ParsedOutput(request.parsing, text, life.index)
        media = media_in(prompt.items, request.media)
        grammar = self._grammar(request, parsed)
        try:
            sampler = self._sampler(life, prompt.own, grammar)
            n_cached = self._reuse.attach_prefix(slot, task, reusable)
        except BaseException:
            # Nobody has foreseen it, so nobody knows what the slot holds now.
            self._memory.drop(slot)
            if grammar is not None:
                grammar.close()
            raise
        running = RunningSequence(
            life=life,
            prompt=prompt.items,
            n_system=prompt.n_system,
            n_keep=prompt.n_keep,
            # The last token counts as evaluated even if its logits were known.
            n_cached=max(0, min(n_cached, len(prompt.items) - 1) - prompt.n_system),
            n_truncated=prompt.n_truncated,
            truncated=prompt.n_truncated > 0,
            sampler=sampler,
            grammar=grammar,
            text=text,
            lines=Lines(request.min_indent, request.line_limit_s),
            parsed=parsed,
            max_tokens=self._max_tokens(request),
            grouping=self._grouping(prompt.n_system, n_cached),
            started_s=now_s,
            known_logits=logits if n_cached == len(prompt.items) else None,
            media=media,
        )
        life.running = running
        life.move(SequenceState.PREFILL)
        slot.run(running)
        return slot

    def _sampler(self, life: SequenceLife, prompt: Sequence[PromptItem], grammar: Grammar | None) -> Sampler:
        return Sampler(
            _settings(life.task.request.sampling, life.index),
            n_vocab=self._info.n_vocab,
            nl_token=self._info.nl_token,
            eog_tokens=self._info.eog_tokens,
            n_ctx=self._config.n_ctx_slot,
            prompt=tokens_of(prompt),
            grammar=grammar,
        )

    def _prompt(self, request: GenerationRequest) -> _Prompt:
        system = self._system.tokens
        own = request.prompt[1:] if system and request.has_bos and len(request.prompt) > 1 else request.prompt
        n_ctx = self._config.n_ctx_slot - len(system)
        if len(own) >= n_ctx and not request.may_truncate_prompt:
            raise ContextLengthExceeded(len(own), n_ctx)
        n_keep = resolve_n_keep(request.n_keep, len(own), n_ctx)
        kept = truncate_prompt(own, n_ctx, n_keep)
        return _Prompt([*system, *kept], len(system), n_keep, request.n_dropped + len(own) - len(kept))

    def _known_logits(self, request: GenerationRequest, prompt: Sequence[PromptItem]) -> Logits | None:
        """The logits behind a prompt that was evaluated before, if its cache may be used, too."""
        may_know = request.cache_prompt and self._reuse.is_possible and self._memory.is_divisible
        return self._prompt_logits.find(request.cache_salt, prompt) if may_know else None

    def _items_of(self, request: GenerationRequest) -> list[PromptItem] | None:
        try:
            return self._prompt(request).items
        except ContextLengthExceeded:
            return None

    def _grammar(self, request: GenerationRequest, parsed: ParsedOutput | None) -> Grammar | None:
        guide = request.guide
        if guide is None:
            return None
        try:
            grammar = guide.start(self._vocabulary)
        except GrammarError as error:
            raise InvalidArgument(guide.field, str(error)) from error
        if parsed is None or request.parsing is None or not request.parsing.defers_grammar:
            return grammar
        return DeferredGrammar(grammar, lambda: parsed.parser.is_reasoning)

    def _max_tokens(self, request: GenerationRequest) -> int | None:
        """The smaller of the request's and the server's limit; without any, a guard against endless generation."""
        limits = [limit for limit in (request.max_tokens, self._config.max_tokens) if limit is not None]
        if limits:
            return min(limits)
        return self._info.n_ctx_train if request.overflow is Overflow.TRUNCATE else None

    def _grouping(self, n_system: int, n_present: int) -> GroupedPositions | None:
        n, width = self._config.group_n, self._config.group_width
        return GroupedPositions(n_system, n, width, n_present) if n > 1 else None


def _settings(sampling: SamplingSettings, index: int) -> SamplingSettings:
    """The settings of sequence ``index``: equal but for the seed, which would make all sequences the same."""
    return sampling if not index or sampling.seed is None else replace(sampling, seed=(sampling.seed + index) % 2**32)
