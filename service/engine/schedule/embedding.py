"""Embeddings by a model that also generates: many inputs at a time, beside running requests.

An input is evaluated like a prompt, in chunks within the same batches as everybody's tokens; only the states that its
pooling needs are asked for, in a call of their own: that of the last token, for most models. So what is embedded costs
no more than reading it, and delays nobody for longer than a prompt would. Rows of media pool like tokens.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from service.config import Pooling
from service.engine.language_model import Rows, Segment
from service.engine.request.items import Positions, tokens_of
from service.engine.request.prompt_media import media_in
from service.engine.request.task import unforeseen
from service.engine.schedule.embedding_tasks import EmbeddingTask, EmbeddingTasks
from service.engine.schedule.media_work import MediaWork

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.engine.language_model import MediaSegment, Memory, ModelInfo
    from service.engine.output.outbox import Outbox
    from service.engine.request.items import PromptItem
    from service.engine.request.prompt_media import PromptMedia
    from service.errors import ServiceError

logger = logging.getLogger(__name__)

#: Last tokens are collected up to so many before they are evaluated, as long as more become due at every step.
FULL_CALL = 16


@dataclass(slots=True, eq=False)
class _Input:
    """Input ``number`` of a task, in sequence ``seq_id``; ``n_done`` items of it are evaluated, at ``positions``.

    ``vectors`` is what pooling has made of their states so far.
    """

    task: EmbeddingTask
    number: int
    seq_id: int
    n_done: int = 0
    vectors: Rows | None = None
    media: PromptMedia | None = None
    positions: Positions = field(default_factory=Positions)

    @property
    def items(self) -> tuple[PromptItem, ...]:
        return self.task.request.inputs[self.number]

    @property
    def n_left(self) -> int:
        return len(self.items) - self.n_done

    @property
    def n_tokens(self) -> int:
        """Tokens that come next, up to media or the end."""
        return self.n_left if self.media is None else self.media.n_tokens_at(self.n_done)

    @property
    def n_prefill(self) -> int:
        """Those of them whose state is not that of the last item."""
        return min(self.n_tokens, self.n_left - 1)

    def segment(self, n_tokens: int) -> Segment:
        tokens = tokens_of(self.items[self.n_done : self.n_done + n_tokens])
        return Segment(self.seq_id, self.positions.at(self.n_done), tokens, 0)

    def rest_of_chunk(self) -> MediaSegment | None:
        """The rows that come next, None for tokens."""
        if self.media is None or self.n_tokens:
            return None
        return self.media.segment(self.seq_id, self.n_done, self.positions)


class EmbeddingWork(EmbeddingTasks):
    """All embedding requests of an engine.

    Args:
        info: facts about the model.
        memory: the model's; sequences ``seq_ids`` of it belong to the inputs.
        seq_ids: one input at a time in each.
        outbox: takes the answers.
    """

    def __init__(self, info: ModelInfo, memory: Memory, seq_ids: Iterable[int], outbox: Outbox) -> None:
        super().__init__(info, outbox)
        self._memory = memory
        self._free_ids = list(seq_ids)
        self._seq_ids = frozenset(self._free_ids)
        self._inputs: list[_Input] = []
        self._became_due = False

    def owns(self, seq_id: int) -> bool:
        """Whether a sequence belongs to an input."""
        return seq_id in self._seq_ids

    def fail_sequences(self, seq_ids: Iterable[int], error: ServiceError) -> None:
        """Fail the requests to which sequences belong."""
        lost = frozenset(seq_ids)
        for task in {part.task for part in self._inputs if part.seq_id in lost}:
            self._fail(task, error)

    def admit(self, n_cells: int) -> None:
        """Begin inputs while there are sequences for them, and cells, of which all may use ``n_cells``.

        Tasks take turns.
        """
        n_cells -= sum(len(part.items) for part in self._inputs)
        while self._free_ids and any(task.waiting for task in self._tasks):
            task = self._tasks[0]
            if task.waiting:
                number = task.waiting[0]
                n_cells -= len(task.request.inputs[number])
                if n_cells < 0:
                    return
                self._begin(task, number)
            self._tasks.rotate(-1)

    def _begin(self, task: EmbeddingTask, number: int) -> None:
        task.begin(number)
        media = media_in(task.request.inputs[number], task.request.media)
        self._inputs.append(_Input(task, number, self._free_ids.pop(), media=media))

    @property
    def n_outstanding(self) -> int:
        """Items of inputs that are not evaluated yet."""
        return super().n_outstanding + sum(part.n_left for part in self._inputs)

    @property
    def has_begun(self) -> bool:
        """Whether anything can be evaluated: inputs that wait for cells cannot."""
        return bool(self._inputs)

    @property
    def has_tokens(self) -> bool:
        """Whether any input goes on with tokens."""
        return any(part.n_tokens for part in self._inputs)

    @property
    def has_media(self) -> bool:
        """Whether any input goes on with media."""
        return any(part.media is not None and not part.n_tokens for part in self._inputs)

    @property
    def n_prefill(self) -> int:
        """Tokens that can be evaluated next and whose states are not needed."""
        return sum(part.n_prefill for part in self._inputs) if self._info.pooling is Pooling.LAST else 0

    def prefill(self, n_tokens: int) -> Iterator[Segment]:
        """The next ``n_tokens`` of them, oldest inputs first."""
        for part in self._inputs:
            share = min(n_tokens, part.n_prefill)
            if share > 0:
                yield part.segment(share)
                n_tokens -= share

    def advance(self, segment: Segment) -> None:
        """Record that a segment of ``prefill`` was evaluated."""
        part = self._of(segment.seq_id)
        part.n_done += len(segment.tokens)
        self._became_due |= part.n_left == 1

    def due(self, n_tokens: int) -> list[Segment]:
        """Segments to evaluate for their states now, at most ``n_tokens``; none while it pays to collect more."""
        limit = max(1, min(n_tokens, self._info.n_hidden))
        if self._info.pooling is Pooling.LAST:
            segments = [part.segment(1) for part in self._inputs if part.n_left == part.n_tokens == 1][:limit]
            is_growing, self._became_due = self._became_due, False
            return segments if not is_growing or len(segments) >= min(FULL_CALL, limit) else []
        segments = []
        for part in self._inputs:
            share = min(limit, part.n_tokens)
            if share:
                segments.append(part.segment(share))
                limit -= share
        return segments

    def finish(self, segments: Iterable[Segment], rows: Rows) -> None:
        """Take the states of ``due`` segments."""
        self._take([(segment.seq_id, len(segment.tokens)) for segment in segments], rows)

    def media(self, *, for_states: bool) -> list[MediaWork]:
        """Rows of media to evaluate now, oldest inputs first: those whose states are needed, or the others."""
        works = []
        for part in self._inputs:
            segment = part.rest_of_chunk()
            if segment is None:
                continue
            needs_states = self._info.pooling is not Pooling.LAST
            if not needs_states and segment.n_rows == part.n_left:
                # The last row ends the input. All of the chunk goes with it, or all but that.
                needs_states = segment.n_rows == 1 or not segment.chunk.is_causal
                segment = segment if needs_states else replace(segment, n_rows=segment.n_rows - 1)
            if needs_states is for_states:
                works.append(MediaWork(segment, part.n_left))
        return works

    def advance_media(self, segment: MediaSegment) -> None:
        """Record that rows whose states are not needed were evaluated."""
        part = self._of(segment.seq_id)
        part.positions.append(part.n_done, segment.items)
        part.n_done += segment.n_rows

    def finish_media(self, segments: Iterable[MediaSegment], rows: Rows) -> None:
        """Take the states of rows of media."""
        for segment in segments:
            part = self._of(segment.seq_id)
            part.positions.append(part.n_done, segment.items)
        self._take([(segment.seq_id, segment.n_rows) for segment in segments], rows)

    def _of(self, seq_id: int) -> _Input:
        return next(part for part in self._inputs if part.seq_id == seq_id)

    def _take(self, lengths: Iterable[tuple[int, int]], rows: Rows) -> None:
        """Pool states: so many of each of these sequences, one after the other."""
        by_seq_id = {part.seq_id: part for part in self._inputs}
        start = 0
        for seq_id, n_rows in lengths:
            part = by_seq_id[seq_id]
            end = start + n_rows
            # Its request may have failed over another of its inputs.
            if part in self._inputs:
                try:
                    self._pool(part, rows[start:end])
                except Exception as error:
                    self._fail(part.task, unforeseen(part.task.id, error))
            start = end

    def restart(self) -> bool:
        """Give all cells back and evaluate begun inputs anew later; False if there were none."""
        had_inputs = bool(self._inputs)
        for part in reversed(self._inputs.copy()):
            self._release(part)
            part.task.put_back(part.number)
        return had_inputs

    def _pool(self, part: _Input, rows: Rows) -> None:
        is_first = part.n_done == 0
        part.n_done += len(rows)
        match self._info.pooling:
            case Pooling.LAST:
                part.vectors = rows[-1:]
            case Pooling.CLS if is_first:
                part.vectors = rows[:1]
            case Pooling.MEAN:
                total = rows.sum(axis=0, keepdims=True) / len(part.items)
                part.vectors = total if part.vectors is None else part.vectors + total
            case Pooling.NONE:
                part.vectors = rows if part.vectors is None else np.concatenate((part.vectors, rows))
        if not part.n_left:
            assert part.vectors is not None
            self._release(part)
            self._put(part.task, part.number, part.vectors)

    def _forget(self, task: EmbeddingTask) -> None:
        for part in [part for part in self._inputs if part.task is task]:
            self._release(part)
        super()._forget(task)

    def _release(self, part: _Input) -> None:
        self._memory.remove(part.seq_id, 0, -1)
        self._inputs.remove(part)
        self._free_ids.append(part.seq_id)
