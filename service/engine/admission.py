"""Gives waiting sequences their slots: which slot, which cached prefix, and everything a sequence starts with."""

from __future__ import annotations

from collections.abc import Sequence as SequenceOf
from dataclasses import dataclass, replace

from service.config import EngineConfig
from service.engine.context import resolve_n_keep, truncate_prompt
from service.engine.grouping import GroupedPositions
from service.engine.memory import SlotMemory
from service.engine.model import LanguageModel
from service.engine.slots import Sequence, Slot
from service.engine.system_prompt import SystemPromptHolder
from service.engine.task import Task
from service.engine.text import TextOutput
from service.engine.types import GenerationRequest, Overflow
from service.engine.waiting import WaitingSequence
from service.errors import ContextLengthExceeded, InvalidArgument
from service.sampling.gbnf import GrammarError
from service.sampling.grammar import Grammar
from service.sampling.sampler import Sampler
from service.sampling.settings import SamplingSettings

#: A slot's cache is preferred to the least recently used slot only if it covers more than this part of the prompt.
MIN_SHARED_PART = 0.1


#: Cells for the answer of each sequence that must be left before another one starts, if slots compete for cells.
RESERVED_CELLS = 32


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A prompt as it is evaluated: the system prompt's tokens, then the request's own, truncated if need be."""

    tokens: list[int]
    n_system: int
    n_keep: int
    truncated: bool

    @property
    def own(self) -> list[int]:
        """The request's own tokens."""
        return self.tokens[self.n_system :]


class Admission:
    """Starts sequences in slots.

    Args:
        model: the model.
        config: slots and limits.
        slots: the slots.
        memory: what they hold.
        system: the system prompt.
    """

    def __init__(
        self,
        model: LanguageModel,
        config: EngineConfig,
        slots: SequenceOf[Slot],
        memory: SlotMemory,
        system: SystemPromptHolder,
    ) -> None:
        self._model = model
        self._info = model.info
        self._config = config
        self._slots = slots
        self._memory = memory
        self._system = system
        self._is_overcommitted = config.n_slots * config.n_ctx_slot > model.info.n_cells

    def has_cells(self, waiting: WaitingSequence) -> bool:
        """Whether all that a sequence needs to go on fits beside those that run, as far as they are known to grow."""
        running = [slot for slot in self._slots if not slot.is_idle]
        if not self._is_overcommitted or not running:
            return True
        preempted = waiting.preempted
        n_prompt = min(len(waiting.task.request.prompt), self._config.n_ctx_slot)
        n_own = n_prompt if preempted is None else preempted.contents.saved.n_cells
        n_growth = sum(slot.prompt_remaining for slot in running) + RESERVED_CELLS * (len(running) + 1)
        return n_own + n_growth <= self._memory.cells_available

    def start(self, waiting: WaitingSequence, now_s: float) -> Slot:
        """Start a sequence in an idle slot, of which there must be one; return the slot.

        Raises:
            ContextLengthExceeded: the prompt does not fit and may not be truncated.
            InvalidArgument: the grammar cannot be used.
        """
        task, request = waiting.task, waiting.task.request
        prompt = self._prompt(request)
        slot = self._choose_slot(request, prompt.tokens)
        grammar = self._grammar(request)
        sampler = Sampler(
            _settings(request.sampling, waiting.index),
            n_vocab=self._info.n_vocab,
            nl_token=self._info.nl_token,
            eog_tokens=self._info.eog_tokens,
            n_ctx=self._config.n_ctx_slot,
            prompt=prompt.own,
            grammar=grammar,
        )
        n_cached = self._reuse(slot, task, prompt)
        slot.run(
            Sequence(
                task=task,
                index=waiting.index,
                prompt=prompt.tokens,
                n_system=prompt.n_system,
                n_keep=prompt.n_keep,
                n_cached=max(0, n_cached - prompt.n_system),
                truncated=prompt.truncated,
                sampler=sampler,
                grammar=grammar,
                text=TextOutput(request.stop_texts, include_match=request.include_match),
                max_tokens=self._max_tokens(request),
                grouping=self._grouping(prompt.n_system, n_cached),
                started_s=now_s,
            )
        )
        return slot

    def _prompt(self, request: GenerationRequest) -> _Prompt:
        system = self._system.tokens
        own = request.prompt[1:] if system and request.has_bos and len(request.prompt) > 1 else request.prompt
        n_ctx = self._config.n_ctx_slot - len(system)
        if len(own) >= n_ctx and request.overflow is Overflow.REFUSE:
            raise ContextLengthExceeded(len(own), n_ctx)
        n_keep = resolve_n_keep(request.n_keep, len(own), n_ctx)
        kept = truncate_prompt(own, n_ctx, n_keep)
        return _Prompt([*system, *kept], len(system), n_keep, truncated=len(kept) < len(own))

    def _choose_slot(self, request: GenerationRequest, prompt: list[int]) -> Slot:
        """The asked-for slot if it is idle, else the one with the best cache, else the least recently used one."""
        idle = [slot for slot in self._slots if slot.is_idle]
        for slot in idle:
            if slot.id == request.slot_id:
                return slot
        if request.cache_prompt:
            best, length = _longest_prefix([slot for slot in idle if slot.salt == request.cache_salt], prompt)
            if best is not None and length > MIN_SHARED_PART * len(prompt):
                return best
        return min(idle, key=lambda slot: (slot.last_used_s, slot.id))

    def _reuse(self, slot: Slot, task: Task, prompt: _Prompt) -> int:
        """Leave in the slot what may stand for the beginning of the prompt, or take it from another slot."""
        # Positions of grouped tokens are not those of their places, and sharing would freeze them.
        sources = self._sources(slot, task) if self._config.group_n == 1 else [self._system.slot]
        best, length = _longest_prefix(sources, prompt.tokens)
        if best is None or best is slot:
            return self._memory.cut(slot, length)
        return self._memory.share(best, slot, length)

    def _sources(self, slot: Slot, task: Task) -> list[Slot]:
        """Slots whose tokens a sequence may start with: its own, and those that cost nothing to share."""
        request = task.request
        sources = [
            other
            for other in (slot, *self._slots)
            if other.task_id == task.id or (request.cache_prompt and other.salt == request.cache_salt)
        ]
        return [*sources, self._system.slot]

    def _grammar(self, request: GenerationRequest) -> Grammar | None:
        if not request.grammar:
            return None
        try:
            return self._model.grammar(request.grammar)
        except GrammarError as error:
            raise InvalidArgument("constraint.gbnf", str(error)) from error

    def _max_tokens(self, request: GenerationRequest) -> int | None:
        """The smaller of the request's and the server's limit; without any, a guard against endless generation."""
        limits = [limit for limit in (request.max_tokens, self._config.max_tokens) if limit is not None]
        if limits:
            return min(limits)
        return self._info.n_ctx_train if request.overflow is Overflow.TRUNCATE else None

    def _grouping(self, n_system: int, n_present: int) -> GroupedPositions | None:
        n, width = self._config.group_n, self._config.group_width
        return GroupedPositions(n_system, n, width, n_present) if n > 1 else None


def _longest_prefix(slots: SequenceOf[Slot], prompt: list[int]) -> tuple[Slot | None, int]:
    """The first slot whose cache stands for most of a prompt, and for how many tokens; None if none does for any."""
    best, longest = None, 0
    for slot in slots:
        length = slot.common_prefix(prompt)
        if length > longest:
            best, longest = slot, length
    return best, longest


def _settings(sampling: SamplingSettings, index: int) -> SamplingSettings:
    """The settings of sequence ``index``: equal but for the seed, which would make all sequences the same."""
    return sampling if not index or sampling.seed is None else replace(sampling, seed=(sampling.seed + index) % 2**32)
