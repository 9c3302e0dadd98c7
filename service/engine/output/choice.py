"""From logits to the next tokens of a sequence, and to the end of its text."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

import numpy as np

from service.engine.output.output import Ending, append_parsed, append_token, timings
from service.engine.output.progress import tell_progress
from service.engine.request.events import FinishReason, Piece, ToolDelta
from service.engine.request.state import SequenceState
from service.errors import EngineFailure, InvalidArgument
from service.sampling.grammar import GrammarFailed
from service.sampling.rows import sample_rows
from service.sampling.sampler import SampledToken, UnusableLogits

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.cache.slots import Slot
    from service.engine.language_model import Logits
    from service.engine.parts import EngineParts
    from service.engine.request.sequence import RunningSequence
    from service.sampling.rows import Draw, Outcome


OutputT = TypeVar("OutputT", bound=Piece | ToolDelta)


class Turn:
    """What was evaluated and a token is to follow: the end of a prompt, or a token of the output with its drafts.

    Args:
        slot: where it was evaluated; it holds it.
        sequence: what runs there.
        row: its first row of logits, among those of the call.
        n_rows: rows of logits that it has.
        tokens: what was evaluated, in which drafts are the last ones; none of the end of a prompt.

    Attributes:
        n_untried: rows behind the first one.
        ends_prompt: whether it was the end of a prompt.
    """

    __slots__ = ("ends_prompt", "n_untried", "row", "sequence", "slot", "tokens")

    def __init__(
        self, slot: Slot, sequence: RunningSequence, row: int, n_rows: int = 1, tokens: Sequence[int] = ()
    ) -> None:
        self.slot = slot
        self.sequence = sequence
        self.row = row
        self.n_untried = n_rows - 1
        self.tokens = tokens
        self.ends_prompt = False


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
        self._prompt_logits = parts.prompt_logits
        self._outbox = parts.outbox
        self._totals = parts.totals
        self._endings = parts.endings
        self._clock = parts.clock

    def go_on(self, turns: list[Turn], now_s: float) -> None:
        """Choose what follows, all first tokens at once. An error ends the sequence that it concerns.

        Args:
            turns: of one call, in the order of its rows of logits.
            now_s: when it was evaluated.
        """
        ready = [turn for turn in turns if turn.sequence.life.state is not SequenceState.PREFILL or self._begin(turn)]
        if not ready:
            return
        try:
            matrix = self._compute.all_logits()
            for turn in ready:
                if turn.ends_prompt:
                    self._keep_logits(turn.sequence, matrix[turn.row])
        except Exception as error:
            self._fail_all(ready, error)
            return
        self._choose(ready, matrix, now_s)

    def begin_known(self, slot: Slot, sequence: RunningSequence) -> None:
        """Choose the first token of a sequence whose prompt is cached, from the logits that are known."""
        logits, sequence.known_logits = sequence.known_logits, None
        assert logits is not None
        if sequence.request.want_progress:
            tell_progress(self._outbox, slot, sequence, self._clock())
        turn = Turn(slot, sequence, row=0)
        if self._begin(turn):
            self._choose([turn], logits[np.newaxis], self._clock())

    def _choose(self, turns: list[Turn], matrix: Logits, now_s: float) -> None:
        """Choose what follows the rows of logits that turns name, all first tokens at once."""
        draws: list[Draw] = []
        drawn, forced = [], []
        for turn in turns:
            sequence = turn.sequence
            if _is_forced(sequence):
                forced.append(turn)
            else:
                drawn.append(turn)
                draws.append((turn.row, sequence.sampler, sequence.sampled < sequence.request.min_tokens))
        try:
            outcomes = sample_rows(matrix, draws)
        except Exception as error:
            self._fail_all(turns, error)
            return
        outcomes += [_forced(turn.sequence) for turn in forced]
        for turn, outcome in zip([*drawn, *forced], outcomes, strict=True):
            # A task ends with all its sequences if one of them fails.
            if turn.slot.sequence is turn.sequence:
                self._apply(turn, outcome, matrix, now_s)

    def _fail_all(self, turns: list[Turn], error: Exception) -> None:
        for turn in turns:
            self._endings.fail_by_fault(turn.slot, turn.sequence, error)

    def _keep_logits(self, sequence: RunningSequence, logits: Logits) -> None:
        """Remember what follows a prompt, unless its cache is not for others, or has positions of its own."""
        request = sequence.request
        if request.cache_prompt and sequence.grouping is None:
            self._prompt_logits.keep(request.cache_salt, sequence.prompt, logits)

    def _begin(self, turn: Turn) -> bool:
        """Begin to generate after an evaluated prompt; False if nothing is to be generated."""
        sequence = turn.sequence
        try:
            if sequence.index == 0:
                self._parts.waiting.end_sharing(sequence.task)
            if sequence.max_tokens == 0:
                self._endings.finish(turn.slot, Ending(FinishReason.LENGTH))
                return False
            sequence.life.move(SequenceState.DECODING)
        except Exception as error:
            self._endings.fail_by_fault(turn.slot, sequence, error)
            return False
        # Of a prompt only the last item tells what follows.
        turn.row += turn.n_untried
        turn.n_untried = 0
        turn.ends_prompt = True
        return True

    def _apply(self, turn: Turn, outcome: Outcome, matrix: Logits, now_s: float) -> None:
        """Take the token that was chosen, and those after it as long as drafts are right."""
        slot, sequence = turn.slot, turn.sequence
        try:
            ending = self._take(sequence, outcome, now_s)
            if turn.n_untried:
                ending = self._try_drafts(turn, ending, matrix, now_s)
            if ending is not None:
                self._endings.finish(slot, ending)
        except UnusableLogits as error:
            self._endings.fail(sequence.task, EngineFailure(f"no token could be chosen: {error}"))
        except GrammarFailed as error:
            self._endings.fail(sequence.task, _too_complex(sequence, error))
        except Exception as error:
            self._endings.fail_by_fault(slot, sequence, error)

    def _try_drafts(self, turn: Turn, ending: Ending | None, matrix: Logits, now_s: float) -> Ending | None:
        """Go on as long as the token just taken is the next one of the draft; take back the others."""
        slot, sequence = turn.slot, turn.sequence
        draft = turn.tokens[-turn.n_untried :]
        sequence.n_drafted += len(draft)
        n_right = 0
        while ending is None and n_right < len(draft) and sequence.pending == draft[n_right]:
            n_right += 1
            sequence.n_draft_accepted += 1
            is_early = sequence.sampled < sequence.request.min_tokens
            if _is_forced(sequence):
                outcome: Outcome = _forced(sequence)
            else:
                (outcome,) = sample_rows(matrix, [(turn.row + n_right, sequence.sampler, is_early)])
            ending = self._take(sequence, outcome, now_s)
        if n_right < len(draft):
            self._memory.cut(slot, len(slot.items) - len(draft) + n_right)
        self._totals.accepted_tokens += n_right
        return ending

    def _take(self, sequence: RunningSequence, outcome: Outcome, now_s: float) -> Ending | None:
        """Append the token that was chosen from logits evaluated at ``now_s`` to the output.

        Raises:
            Exception: the outcome, if it is none; ``UnusableLogits`` if no token can be chosen.
        """
        if isinstance(outcome, Exception):
            raise outcome
        token = outcome.id
        sequence.sampler.accept(token)
        sequence.sampled += 1
        sequence.pending = token
        if sequence.repetition is not None:
            sequence.repetition.push(token)
        if sequence.first_token_s is None:
            sequence.first_token_s = self._clock()
            self._totals.add_prompt(sequence, sequence.first_token_s)
        if sequence.evaluated_s is not None:
            self._totals.add_token(now_s - sequence.evaluated_s)
        sequence.evaluated_s = now_s
        is_eos = token in self._eog_tokens
        token_bytes = b"" if is_eos else self._vocabulary.token_bytes(token)
        task = sequence.task
        if sequence.parsed is not None:
            parts, ending = append_parsed(sequence, outcome, token_bytes, is_eos=is_eos)
            for part in parts:
                told = self._timed(sequence, part) if sequence.request.want_timings else part
                self._outbox.put(task.id, task.sink, told)
            return ending
        output, ending = append_token(sequence, outcome, token_bytes, is_eos=is_eos)
        if output is not None:
            if sequence.request.want_timings:
                output = self._timed(sequence, output)
            self._outbox.put(task.id, task.sink, output)
        return ending

    def _timed(self, sequence: RunningSequence, output: OutputT) -> OutputT:
        """New output with the times so far."""
        return replace(output, timings=timings(sequence, self._clock()))


def _is_forced(sequence: RunningSequence) -> bool:
    return sequence.parsed is not None and bool(sequence.parsed.forced)


def _forced(sequence: RunningSequence) -> SampledToken:
    """The next of the tokens that a sequence has to take, whatever the model says."""
    assert sequence.parsed is not None
    return SampledToken(sequence.parsed.forced.popleft())


def _too_complex(sequence: RunningSequence, error: GrammarFailed) -> InvalidArgument:
    guide = sequence.request.guide
    assert guide is not None
    return InvalidArgument(
        guide.field, f"could not be followed beyond {sequence.sampled} tokens of the output; simplify it: {error}"
    )
