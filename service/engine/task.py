"""A generation request on its way through the engine."""

from __future__ import annotations

from dataclasses import dataclass

from service.engine.types import GenerationRequest, Sink


@dataclass(slots=True, eq=False)
class Task:
    """A request, and what its sequences have in common.

    Attributes:
        id: number of the task.
        arrived_s: when it was submitted.
        n_open: sequences that have not ended.
        has_prompt: the prompt of its first sequence is evaluated; the others can share it.
        n_sampled: tokens that its ended sequences sampled.
    """

    id: int
    request: GenerationRequest
    sink: Sink
    arrived_s: float
    n_open: int
    has_prompt: bool = False
    n_sampled: int = 0
