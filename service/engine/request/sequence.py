"""A sequence: where it is in its life, and what it needs while it runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.engine.request.state import SequenceState, check_move, move

if TYPE_CHECKING:
    from service.engine.cache.contents import SlotContents
    from service.engine.cache.grouping import GroupedPositions
    from service.engine.language_model import Logits
    from service.engine.output.lines import Lines
    from service.engine.output.parsed import ParsedOutput
    from service.engine.output.text import TextOutput
    from service.engine.request.events import TokenRecord
    from service.engine.request.items import PromptItem
    from service.engine.request.prompt_media import PromptMedia
    from service.engine.request.requests import GenerationRequest
    from service.engine.request.snapshots import Outcome
    from service.engine.request.task import Task
    from service.engine.schedule.draft_chances import DraftChances
    from service.engine.schedule.lookup import Repetition
    from service.sampling.grammar import Grammar
    from service.sampling.sampler import Sampler


#: Is told of a move after it was made: whose, and from which state.
MoveListener = Callable[["SequenceLife", SequenceState], None]


@dataclass(frozen=True, slots=True)
class SwappedOut:
    """What a preempted sequence had: the contents of its slot, and the state in which it goes on."""

    contents: SlotContents
    state: SequenceState


@dataclass(slots=True, eq=False)
class SequenceLife:
    """Sequence number ``index`` of a task, from the queue to its end.

    Attributes:
        task: the request it belongs to.
        index: its number there.
        listeners: are told of its moves, in order.
        state: where it is; only ``move`` changes it.
        running: all that it needs to run, from its first slot to its end.
        swapped_out: what it had in its slot, while it is PREEMPTED.
        outcome: how it ended, once it is FINISHED.
    """

    task: Task
    index: int
    listeners: Sequence[MoveListener] = ()
    state: SequenceState = SequenceState.WAITING
    running: RunningSequence | None = None
    swapped_out: SwappedOut | None = None
    outcome: Outcome | None = None

    def __str__(self) -> str:
        return f"sequence {self.index} of task {self.task.id}"

    def move(self, to: SequenceState) -> None:
        """Change the state and tell the listeners.

        Raises:
            ForbiddenMove: it may not; nothing was changed.
        """
        move(self, to, self.listeners)

    def preempt(self, contents: SlotContents) -> None:
        """Leave the slot, to go on later with what it held."""
        check_move(self, SequenceState.PREEMPTED)
        self.swapped_out = SwappedOut(contents, self.state)
        self.move(SequenceState.PREEMPTED)

    def resume(self) -> None:
        """Go on where it was preempted; a slot holds its contents again."""
        assert self.swapped_out is not None
        swapped_out, self.swapped_out = self.swapped_out, None
        self.move(swapped_out.state)

    def finish(self, outcome: Outcome) -> None:
        """End. What it had is let go of after the listeners were told, so that they can count it."""
        check_move(self, SequenceState.FINISHED)
        self.outcome = outcome
        self.task.n_open -= 1
        self.move(SequenceState.FINISHED)
        self.running = self.swapped_out = None


@dataclass(slots=True, eq=False)
class RunningSequence:
    """One continuation of a prompt, from its start in a slot to its end.

    Attributes:
        life: where it is. Its ``task`` and ``index`` and the task's ``request`` are here, too: every token needs them.
        prompt: the system prompt's tokens, ``n_system`` of them, and the request's own items, truncated.
        n_keep: own prompt tokens kept on a context shift, resolved; without the BOS that the model wants in front.
        n_cached: own prompt tokens that were in the cache at the start.
        n_truncated: own prompt tokens that were left out because the prompt did not fit.
        truncated: the prompt was truncated, or the context shifted.
        sampler, text, lines: the state of its output.
        parsed: tells the parts of the output apart, and has the tokens that the budget for reasoning forces; None for
            output as the model wrote it.
        grammar: the sampler's grammar, None without one; to be closed at the end.
        max_tokens: the limit in force, None for none.
        grouping: its positions under self-extend, None if each token has its own.
        started_s: when it got its slot; ``first_token_s`` is set at the first sampled token.
        evaluated_s: when the step that gave its last token had been evaluated; None before the first token.
        repetition: guesses its next tokens by those before; None if none are tried ahead for that.
        chances: how often guesses of the draft model are right; None before any was thought of.
        known_logits: those behind the prompt, if all of it is cached and they are known; None from the first token on.
        media: that of the prompt, None without any.
        pending: the last sampled token, not evaluated yet; None before the first.
        n_drafted: tokens that were tried ahead; ``n_draft_accepted`` of them were right.
        held_records: records of tokens whose text is not complete yet.
    """

    life: SequenceLife
    task: Task = field(init=False)
    index: int = field(init=False)
    request: GenerationRequest = field(init=False)
    prompt: list[PromptItem]
    n_system: int
    n_keep: int
    n_cached: int
    n_truncated: int
    truncated: bool
    sampler: Sampler
    grammar: Grammar | None
    text: TextOutput
    lines: Lines
    max_tokens: int | None
    grouping: GroupedPositions | None
    started_s: float
    first_token_s: float | None = None
    evaluated_s: float | None = None
    repetition: Repetition | None = None
    chances: DraftChances | None = None
    known_logits: Logits | None = None
    pending: int | None = None
    parsed: ParsedOutput | None = None
    media: PromptMedia | None = None
    sampled: int = 0
    n_drafted: int = 0
    n_draft_accepted: int = 0
    held_records: list[TokenRecord] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.task, self.index = self.life.task, self.life.index
        self.request = self.task.request

    @property
    def is_scored(self) -> bool:
        """Whether it gives the log-probabilities of the prompt: the first of a task does, if they are wanted."""
        return self.request.prompt_logprobs is not None and self.index == 0

    @property
    def generating_s(self) -> float:
        """Seconds from the first token to the evaluation behind the newest one."""
        if self.first_token_s is None or self.evaluated_s is None:
            return 0.0
        return max(0.0, self.evaluated_s - self.first_token_s)

    def next_is_media(self, n_done: int) -> bool:
        """Whether the prompt goes on with media behind its first ``n_done`` items, which are not all."""
        return self.media is not None and not self.media.n_tokens_at(n_done)

    @property
    def n_prompt(self) -> int:
        """Own prompt tokens, cells of media included."""
        return len(self.prompt) - self.n_system

    @property
    def n_media(self) -> int:
        """Those of them that are media."""
        return 0 if self.media is None else self.media.n_items
