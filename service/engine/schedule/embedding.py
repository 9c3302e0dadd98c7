"""Embeddings by a model that also generates: many inputs at a time, beside running requests.

An input is evaluated like a prompt, in chunks within the same batches as everybody's tokens; only the states that its
pooling needs are asked for, in a call of their own: that of the last token, for most models. So what is embedded costs
no more than reading it, and delays nobody for longer than a prompt would.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.engine.language_model import Pooling, Rows, Segment
from service.engine.request.task import unforeseen
from service.engine.schedule.embedding_tasks import EmbeddingTask, EmbeddingTasks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from service.engine.language_model import Memory, ModelInfo
    from service.engine.output.outbox import Outbox
    from service.errors import ServiceError

logger = logging.getLogger(__name__)

#: Last tokens are collected up to so many before they are evaluated, as long as more become due at every step.
FULL_CALL = 16


@dataclass(slots=True, eq=False)
class _Input:
    """Input ``number`` of a task, in sequence ``seq_id``; ``n_done`` tokens of it are evaluated.

    ``vector`` is what pooling has made of their states so far.
    """

    task: EmbeddingTask
    number: int
    seq_id: int
    n_done: int = 0
    vector: Rows | None = None

    @property
    def tokens(self) -> tuple[int, ...]:
        return self.task.request.inputs[self.number]

    @property
    def n_left(self) -> int:
        return len(self.tokens) - self.n_done

    def segment(self, n_tokens: int) -> Segment:
        tokens = self.tokens[self.n_done : self.n_done + n_tokens]
        return Segment(self.seq_id, self.n_done, tokens, 0)


class EmbeddingWork(EmbeddingTasks):
    """All embedding requests of an engine.

    Args:
        info: facts about the model.
        memory: the model's; sequences ``seq_ids`` of it belong to the inputs.
        seq_ids: one input at a time in each.
        outbox: takes the answers.
    """

    def __init__(self, info: ModelInfo, memory: Memory, seq_ids: Iterable[int], outbox: Outbox) -> None:
        super().__init__(info.n_embd, outbox)
        self._info = info
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
        n_cells -= sum(len(part.tokens) for part in self._inputs)
        while self._free_ids and any(task.waiting for task in self._tasks):
            task = self._tasks[0]
            if task.waiting:
                n_cells -= len(task.request.inputs[task.waiting[0]])
                if n_cells < 0:
                    return
                self._inputs.append(_Input(task, task.waiting.popleft(), self._free_ids.pop()))
            self._tasks.rotate(-1)

    @property
    def n_prefill(self) -> int:
        """Tokens left to evaluate whose states are not needed."""
        return sum(part.n_left - 1 for part in self._inputs) if self._info.pooling is Pooling.LAST else 0

    def prefill(self, n_tokens: int) -> Iterator[Segment]:
        """The next ``n_tokens`` of them, oldest inputs first."""
        for part in self._inputs:
            share = min(n_tokens, part.n_left - 1)
            if share > 0:
                yield part.segment(share)
                n_tokens -= share

    def advance(self, segment: Segment) -> None:
        """Record that a segment of ``prefill`` was evaluated."""
        part = next(part for part in self._inputs if part.seq_id == segment.seq_id)
        part.n_done += len(segment.tokens)
        self._became_due |= part.n_left == 1

    def due(self, n_tokens: int) -> list[Segment]:
        """Segments to evaluate for their states now, at most ``n_tokens``; none while it pays to collect more."""
        limit = max(1, min(n_tokens, self._info.n_hidden))
        if self._info.pooling is Pooling.LAST:
            segments = [part.segment(1) for part in self._inputs if part.n_left == 1][:limit]
            is_growing, self._became_due = self._became_due, False
            return segments if not is_growing or len(segments) >= min(FULL_CALL, limit) else []
        segments = []
        for part in self._inputs:
            share = min(limit, part.n_left)
            if share:
                segments.append(part.segment(share))
                limit -= share
        return segments

    def finish(self, segments: Iterable[Segment], rows: Rows) -> None:
        """Take the states of ``due`` segments."""
        by_seq_id = {part.seq_id: part for part in self._inputs}
        start = 0
        for segment in segments:
            part = by_seq_id[segment.seq_id]
            end = start + len(segment.tokens)
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
            part.task.waiting.appendleft(part.number)
        return had_inputs

    def _pool(self, part: _Input, rows: Rows) -> None:
        is_first = part.n_done == 0
        part.n_done += len(rows)
        match self._info.pooling:
            case Pooling.LAST:
                part.vector = rows[-1]
            case Pooling.CLS if is_first:
                part.vector = rows[0]
            case Pooling.MEAN:
                total = rows.sum(axis=0) / len(part.tokens)
                part.vector = total if part.vector is None else part.vector + total
        if not part.n_left:
            assert part.vector is not None
            self._release(part)
            self._put(part.task, part.number, part.vector)

    def _forget(self, task: EmbeddingTask) -> None:
        for part in [part for part in self._inputs if part.task is task]:
            self._release(part)
        super()._forget(task)

    def _release(self, part: _Input) -> None:
        self._memory.remove(part.seq_id, 0, -1)
        self._inputs.remove(part)
        self._free_ids.append(part.seq_id)
