"""Embeddings by a model that evaluates whole inputs: as many of them in a call as its time allows."""

from __future__ import annotations

import logging
from collections import deque
from typing import TYPE_CHECKING

from service.engine.language_model import DecodeFailed, EncoderModel
from service.engine.request.items import tokens_of
from service.engine.schedule.embedding_tasks import EmbeddingTask, EmbeddingTasks
from service.errors import EngineFailure

if TYPE_CHECKING:
    from service.engine.output.outbox import Outbox

logger = logging.getLogger(__name__)


class EncodingWork(EmbeddingTasks):
    """All embedding requests of an encoder's engine.

    Args:
        model: the encoder.
        outbox: takes the answers.
    """

    def __init__(self, model: EncoderModel, outbox: Outbox) -> None:
        super().__init__(model.info, outbox)
        self._encoder = model.encoder

    def encode(self, n_tokens: int) -> tuple[int, int]:
        """Embed whole inputs, about ``n_tokens`` in all but at least one input.

        Returns:
            How many inputs there were, and tokens; none if the model failed, and the requests of these inputs with it.
        """
        chosen = self._choose(min(max(n_tokens, 1), self._info.n_hidden))
        inputs = [tokens_of(task.request.inputs[number]) for task, number in chosen]
        try:
            rows = self._encoder.encode(inputs)
        except DecodeFailed as error:
            logger.error("encode failed", extra={"error": str(error)})
            for task in dict.fromkeys(task for task, _ in chosen):
                self._fail(task, EngineFailure("the model could not evaluate this request"))
            return 0, 0
        self._tasks.rotate(-1)
        start = 0
        for task, number in chosen:
            end = start + len(task.rows_of(number))
            task.begin(number)
            self._put(task, number, rows[start:end])
            start = end
        return len(inputs), sum(map(len, inputs))

    def _choose(self, n_tokens: int) -> list[tuple[EmbeddingTask, int]]:
        """Inputs for one call, the tasks in turn."""
        chosen: list[tuple[EmbeddingTask, int]] = []
        queues = deque((task, iter(list(task.waiting))) for task in self._tasks)
        while queues and len(chosen) < self._info.n_seq_max:
            task, numbers = queues.popleft()
            number = next(numbers, None)
            if number is None:
                continue
            n_tokens -= len(task.request.inputs[number])
            if n_tokens < 0 and chosen:
                break
            chosen.append((task, number))
            queues.append((task, numbers))
        return chosen
