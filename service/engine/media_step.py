"""The part of a step that evaluates rows of media: plan, run, apply."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from service.engine.cache.slots import started_s
from service.engine.language_model import CacheFull, DecodeFailed, MediaSegment
from service.engine.output.choice import Turn
from service.engine.output.progress import tell_progress
from service.engine.schedule.media_work import MediaWork
from service.engine.schedule.plan import OWN_PART, PrefillWork, plan_step

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.engine.output.choice import TokenChoice
    from service.engine.parts import EngineParts
    from service.engine.schedule.adapter_turns import Party
    from service.engine.schedule.prefill_budget import StepShape
    from service.engine.schedule.shortage import CellShortage


class MediaStep:
    """Evaluates the rows that come next in prompts and in inputs to embed, in one call.

    Rows of chunks that are causal are shared out like tokens of prompts, within the step's time. A chunk that is not
    causal is evaluated at once and alone, however long that takes.

    Args:
        parts: of the engine.
        choice: chooses what follows prompts that end with media.
        shortage: frees cells.
    """

    def __init__(self, parts: EngineParts, choice: TokenChoice, shortage: CellShortage) -> None:
        self._parts = parts
        self._info = parts.model.info
        self._compute = parts.model.compute
        self._slots = parts.slots
        self._memory = parts.memory
        self._embedding = parts.embedding
        self._totals = parts.totals
        self._choice = choice
        self._shortage = shortage
        self._clock = parts.clock
        self._n_calls = 0

    def has_work(self, party: Party) -> bool:
        """Whether anything of a party goes on with rows of media."""
        return (party.embeds and self._embedding.has_media) or any(
            slot.prompt_remaining and slot.sequence is not None and slot.sequence.next_is_media(len(slot.items))
            for slot in party.slots
        )

    def do(self, party: Party, shape: StepShape, spent_s: float) -> None:
        """Evaluate the next rows, as many as fit into the time of a step.

        Args:
            party: who is in the step.
            shape: what the step is like.
            spent_s: seconds that it has taken already.
        """
        shape = replace(shape, is_media=True, is_scored=False)
        while True:
            works, for_states = self._works(party)
            if not works:
                break
            try:
                self._evaluate(self._plan(works, shape, spent_s, for_states), shape, for_states)
                break
            except CacheFull:
                self._shortage.relieve()
        self._n_calls += 1

    # Plan -----------------------------------------------------------------------------------------------------------

    def _works(self, party: Party) -> tuple[list[MediaWork], bool]:
        """What goes on with rows, and whether it is their states that are wanted; in turn, if there are both kinds."""
        plain, states = self._prompts(party), []
        if party.embeds:
            plain += self._embedding.media(for_states=False)
            states = self._embedding.media(for_states=True)
        party.is_for_states = bool(states) and not (plain and party.is_for_states)
        return (states, True) if party.is_for_states else (plain, False)

    def _prompts(self, party: Party) -> list[MediaWork]:
        """The chunks that come next in slots of a party, in order of admission."""
        works = []
        for slot in sorted((slot for slot in party.slots if slot.prompt_remaining), key=started_s):
            sequence = slot.sequence
            if sequence is not None and sequence.media is not None and sequence.next_is_media(len(slot.items)):
                segment = sequence.media.segment(slot.id, len(slot.items), slot.positions)
                works.append(MediaWork(segment, slot.prompt_remaining, wants_logits=sequence.max_tokens != 0))
        return works

    def _plan(
        self, works: Sequence[MediaWork], shape: StepShape, spent_s: float, for_states: bool
    ) -> list[MediaSegment]:
        """Divide the step's time: as for tokens, what has least left goes first, and the oldest now and then."""
        first = works[0] if self._n_calls % OWN_PART == 0 else min(works, key=lambda work: work.n_left)
        if not first.segment.chunk.is_causal:
            return [first.part(first.segment.n_rows)]
        by_id = {work.segment.seq_id: work for work in works if work.segment.chunk.is_causal}
        most = self._info.n_hidden if for_states else min(self._info.n_batch, self._parts.config.n_batch)
        prefills = [PrefillWork(seq_id, work.n_left, work.segment.n_rows) for seq_id, work in by_id.items()]
        budget, min_remainder = self._parts.budget.tokens(shape, spent_s), self._parts.budget.min_remainder(shape)
        plan = plan_step((), prefills, n_batch=most, budget=budget, min_remainder=min_remainder)
        return [by_id[seq_id].part(n_rows) for seq_id, n_rows in plan.prefill]

    # Run ------------------------------------------------------------------------------------------------------------

    def _evaluate(self, segments: Sequence[MediaSegment], shape: StepShape, for_states: bool) -> None:
        """Evaluate rows and make use of them; if the model fails, their sequences do.

        Raises:
            CacheFull: there is no room for them.
        """
        n_rows = sum(segment.n_rows for segment in segments)
        if not self._memory.make_room(n_rows):
            raise CacheFull
        began_s = self._clock()
        try:
            if for_states:
                states = self._compute.hidden_media(segments)
            else:
                self._compute.decode_media(segments)
        except DecodeFailed as error:
            self._parts.endings.fail_batch([segment.seq_id for segment in segments], error)
            return
        now_s = self._clock()
        call_s = now_s - began_s
        self._totals.add_evaluated(n_rows, call_s, len(segments))
        self._totals.add_prefill(n_rows, call_s)
        self._parts.budget.observe(n_rows, shape, call_s)
        if for_states:
            self._totals.embedded_tokens += n_rows
            self._embedding.finish_media(segments, states)
        else:
            self._advance(segments, now_s)

    def _advance(self, segments: Sequence[MediaSegment], now_s: float) -> None:
        """Record what was evaluated, then choose the next tokens behind prompts that end with it."""
        turns = []
        n_wanted = 0
        for segment in segments:
            row, n_wanted = n_wanted, n_wanted + segment.wants_logits
            if self._embedding.owns(segment.seq_id):
                self._embedding.advance_media(segment)
                continue
            slot = self._slots[segment.seq_id]
            self._memory.append(slot, segment.items)
            if slot.sequence is None:
                continue
            if slot.sequence.request.want_progress:
                tell_progress(self._parts.outbox, slot, slot.sequence, now_s)
            if not slot.prompt_remaining:
                turns.append(Turn(slot, slot.sequence, row))
        if turns:
            self._choice.go_on(turns, now_s)
            self._totals.sampling_s += self._clock() - now_s
