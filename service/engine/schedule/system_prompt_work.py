"""Changing the system prompt, and evaluating it before anything else runs."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from service.engine.language_model import CacheFull, DecodeFailed
from service.engine.request.events import Failed, Sink, SystemPromptSet
from service.errors import EngineFailure

if TYPE_CHECKING:
    from service.engine.parts import EngineParts
    from service.engine.request.requests import SystemPrompt
    from service.errors import ServiceError

logger = logging.getLogger(__name__)


class SystemPromptWork:
    """Puts system prompts in force.

    Args:
        parts: of the engine.
    """

    def __init__(self, parts: EngineParts) -> None:
        self._parts = parts
        self._holder = parts.system
        self._request: tuple[int, Sink] | None = None

    @property
    def has_work(self) -> bool:
        """Whether one must be evaluated, or somebody must be told that it was."""
        return self._request is not None or self._holder.is_pending

    def change(self, prompt: SystemPrompt) -> None:
        """Put another one in force; nothing else may run."""
        if self._holder.change(prompt):
            self._parts.memory.drop_all()

    def submit(self, task_id: int, prompt: SystemPrompt, sink: Sink) -> None:
        """Do the same, and tell a caller when it is evaluated."""
        self.change(prompt)
        self._request = task_id, sink

    def run(self) -> bool:
        """Evaluate a chunk of it; False if there was nothing to evaluate.

        Whoever waits needs it, and nobody runs, so nothing else is in such a step.
        """
        if not self._holder.is_pending:
            self._answer(SystemPromptSet())
            return False
        started_s = self._parts.clock()
        self._parts.turns.use(None)
        try:
            n_tokens = self._holder.advance(self._parts.budget)
            call_s = self._parts.clock() - started_s
            self._parts.totals.add_evaluated(n_tokens, call_s, 1)
            self._parts.totals.add_prefill(n_tokens, call_s)
        except (CacheFull, DecodeFailed) as error:
            logger.error("the system prompt cannot be evaluated", extra={"error": str(error)})
            failure = EngineFailure("the model could not evaluate the system prompt; there is none now")
            self.fail(failure)
            for task in self._parts.waiting.tasks():
                if task.request.system_prompt is not None:
                    self._parts.endings.fail(task, failure)
        return True

    def fail(self, error: ServiceError) -> None:
        """Tell whoever waits for it that it will not be in force."""
        self._answer(Failed(error))

    def _answer(self, event: SystemPromptSet | Failed) -> None:
        if self._request is not None:
            (task_id, sink), self._request = self._request, None
            self._parts.outbox.put(task_id, sink, event)
