"""A generation request on its way through the engine."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.errors import EngineFailure

if TYPE_CHECKING:
    from service.engine.request.events import Sink
    from service.engine.request.requests import GenerationRequest

logger = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Task:
    """A request, and what its sequences have in common.

    Attributes:
        id: number of the task.
        arrived_s: when it was submitted.
        own_scales: of LoRA adapters, if they are others than those in force for everybody; None if they are not.
        n_open: its sequences that were queued and have not ended.
        n_sampled: tokens that its ended sequences sampled.
    """

    id: int
    request: GenerationRequest
    sink: Sink
    arrived_s: float
    own_scales: tuple[float, ...] | None = None
    n_open: int = 0
    n_sampled: int = 0


def unforeseen(task_id: int, error: Exception) -> EngineFailure:
    """Log an unforeseen error, and return the one that ends its request. Others must not be affected."""
    logger.error("a request failed unexpectedly", exc_info=error, extra={"task_id": task_id})
    return EngineFailure("internal error; the server's log has the details")
