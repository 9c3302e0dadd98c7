"""A sequence that has begun, and all that belongs to it wherever it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from service.engine.cache.grouping import GroupedPositions
    from service.engine.output.text import TextOutput
    from service.engine.request.events import TokenRecord
    from service.engine.request.requests import GenerationRequest
    from service.engine.request.task import Task
    from service.engine.schedule.lookup import Drafter
    from service.sampling.grammar import Grammar
    from service.sampling.sampler import Sampler


@dataclass(slots=True, eq=False)
class RunningSequence:
    """One continuation of a prompt, from its start in a slot to its end.

    Attributes:
        task: the request it belongs to; ``index`` is its number there.
        prompt: the system prompt's tokens, ``n_system`` of them, and the request's own, truncated.
        n_keep: own prompt tokens kept on a context shift, resolved; without the BOS that the model wants in front.
        n_cached: own prompt tokens that were in the cache at the start.
        n_truncated: own prompt tokens that were left out because the prompt did not fit.
        truncated: the prompt was truncated, or the context shifted.
        sampler, text: the state of its output.
        grammar: the sampler's grammar, None without one; to be closed at the end.
        max_tokens: the limit in force, None for none.
        grouping: its positions under self-extend, None if each token has its own.
        started_s: when it got its slot; ``first_token_s`` is set at the first sampled token.
        evaluated_s: when the step that gave its last token had been evaluated; None before the first token.
        drafter: guesses its next tokens; None if none are tried ahead.
        pending: the last sampled token, not evaluated yet; None during prefill.
        held_records: records of tokens whose text is not complete yet.
    """

    task: Task
    index: int
    prompt: list[int]
    n_system: int
    n_keep: int
    n_cached: int
    n_truncated: int
    truncated: bool
    sampler: Sampler
    grammar: Grammar | None
    text: TextOutput
    max_tokens: int | None
    grouping: GroupedPositions | None
    started_s: float
    first_token_s: float | None = None
    evaluated_s: float | None = None
    drafter: Drafter | None = None
    pending: int | None = None
    sampled: int = 0
    held_records: list[TokenRecord] = field(default_factory=list)

    @property
    def request(self) -> GenerationRequest:
        """What was asked for."""
        return self.task.request

    @property
    def is_scored(self) -> bool:
        """Whether it gives the log-probabilities of the prompt: the first of a task does, if they are wanted."""
        return self.request.prompt_logprobs is not None and self.index == 0

    @property
    def n_prompt(self) -> int:
        """Own prompt tokens."""
        return len(self.prompt) - self.n_system
