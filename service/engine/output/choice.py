"""From logits to the next tokens of a sequence, and to the end of its text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from service.engine.output.output import Ending, append_token
from service.engine.request.events import FinishReason
from service.engine.request.state import SequenceState
from service.errors import EngineFailure
from service.sampling.sampler import UnusableLogits

if TYPE_CHECKING:
    from service.engine.cache.slots import Slot
    from service.engine.language_model import Logits, Segment
    from service.engine.parts import EngineParts
    from service.engine.request.sequence import RunningSequence


class TokenChoice:
    """Chooses what follows the tokens that a step evaluated.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._compute = parts.model.compute
        self._vocabulary = parts.model.vocabulary
        self._eog_tokens = parts.model.info.eog_tokens
        self._memory = parts.memory
        self._outbox = parts.outbox
        self._totals = parts.totals
        self._endings = parts.endings
        self._clock = parts.clock

    def go_on(self, slot: Slot, sequence: RunningSequence, index: int, segment: Segment, now_s: float) -> None:
        """Choose what follows an evaluated segment that completes its prompt, or that continues the output.

        Args:
            slot: where the segment was evaluated; it holds the segment's tokens.
            sequence: what runs there.
            index: number of the segment in the call.
            segment: the next token and drafts, or the end of a prompt.
            now_s: when it was evaluated.
        """
        first = 0
        if sequence.life.state is SequenceState.PREFILL:
            if not self._begin(slot, sequence):
                return
            # Of a prompt only the last token tells what follows.
            first = segment.n_logits - 1
        self._choose(slot, sequence, index, segment, first, now_s)

    def _begin(self, slot: Slot, sequence: RunningSequence) -> bool:
        """Begin to generate after an evaluated prompt; False if nothing is to be generated."""
        if sequence.index == 0:
            self._parts.waiting.end_sharing(sequence.task)
        if sequence.max_tokens == 0:
            self._endings.finish(slot, Ending(FinishReason.LENGTH))
            return False
        sequence.life.move(SequenceState.DECODING)
        return True

    def _choose(
        self, slot: Slot, sequence: RunningSequence, index: int, segment: Segment, first: int, now_s: float
    ) -> None:
        """Choose the token after each token of a segment as long as the drafts are right; take back other drafts.

        ``first`` is the first row of logits to look at.
        """
        for row in range(first, segment.n_logits):
            n_untried = segment.n_logits - 1 - row
            try:
                ending = self._sample(sequence, self._compute.logits(index, row), now_s)
            except UnusableLogits as error:
                self._endings.fail(sequence.task, EngineFailure(f"no token could be chosen: {error}"))
                return
            is_right = n_untried and sequence.pending == segment.tokens[-n_untried]
            if ending is not None or not is_right:
                if n_untried:
                    self._memory.cut(slot, len(slot.items) - n_untried)
                self._totals.accepted_tokens += row - first
                break
        if ending is not None:
            self._endings.finish(slot, ending)

    def _sample(self, sequence: RunningSequence, logits: Logits, now_s: float) -> Ending | None:
        """Sample a token from logits that were evaluated at ``now_s``, and append it to the output.

        Raises:
            UnusableLogits: no token can be chosen.
        """
        sampled = sequence.sampler.sample(logits, ban_eog=sequence.sampled < sequence.request.min_tokens)
        sequence.sampler.accept(sampled.id)
        sequence.sampled += 1
        sequence.pending = sampled.id
        if sequence.drafter is not None:
            sequence.drafter.push(sampled.id)
        if sequence.first_token_s is None:
            sequence.first_token_s = self._clock()
            self._totals.add_prompt(sequence, sequence.first_token_s)
        if sequence.evaluated_s is not None:
            self._totals.add_token(now_s - sequence.evaluated_s)
        sequence.evaluated_s = now_s
        is_eos = sampled.id in self._eog_tokens
        token_bytes = b"" if is_eos else self._vocabulary.token_bytes(sampled.id)
        output, ending = append_token(sequence, sampled, token_bytes, is_eos=is_eos)
        if output is not None:
            task = sequence.task
            self._outbox.put(task.id, task.sink, output)
        return ending
