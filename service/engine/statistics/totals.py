"""What the engine has done since it started."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from service.engine.request.snapshots import Counters, Outcome
from service.engine.request.state import SequenceState
from service.engine.statistics.distributions import Distributions, Observations

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.engine.request.sequence import RunningSequence, SequenceLife


#: Weight of what went before in ``Totals.prompt_rate``, at every call: the last 30 or so count.
FADING = 0.97


@dataclass(slots=True)
class Totals:
    """Sums over sequences, requests and steps; the fields are those of ``Counters``, but for two.

    Attributes:
        clock: seconds, monotonic.
        prompt_rate: prompt tokens evaluated per second of evaluating prompts, lately; 0 before the first.
    """

    clock: Callable[[], float]
    prompt_tokens: int = 0
    prompt_s: float = 0.0
    predicted_tokens: int = 0
    predicted_s: float = 0.0
    finished: int = 0
    steps: int = 0
    interrupted_steps: int = 0
    cached_prompt_tokens: int = 0
    requests: dict[Outcome, int] = field(default_factory=lambda: dict.fromkeys(Outcome, 0))
    preemptions: int = 0
    drafted_tokens: int = 0
    accepted_tokens: int = 0
    step_s: float = 0.0
    model_s: float = 0.0
    sampling_s: float = 0.0
    drafts: int = 0
    model_calls: int = 0
    call_sequences: int = 0
    embedded_tokens: int = 0
    longest: int = 0
    prompt_rate: float = 0.0
    _recent_tokens: float = 0.0
    _recent_s: float = 0.0
    _observed: Observations = field(default_factory=Observations)
    _step_tokens: int = 0
    _gaps_s: list[float] = field(default_factory=list)

    # Requests and their sequences -----------------------------------------------------------------------------------

    def on_move(self, life: SequenceLife, before: SequenceState) -> None:
        """Count starts, preemptions and ends: a ``MoveListener``."""
        match life.state:
            case SequenceState.PREFILL if before is SequenceState.WAITING:
                self._add_start(life)
            case SequenceState.PREEMPTED:
                self.preemptions += 1
            case SequenceState.FINISHED:
                self._add_end(life)

    def _add_start(self, life: SequenceLife) -> None:
        """Count a request whose first sequence got a slot."""
        if life.index == 0:
            assert life.running is not None
            self._observed.queue_s.observe(life.running.started_s - life.task.arrived_s)
            self._observed.prompt_tokens.observe(life.running.n_prompt)

    def _add_end(self, life: SequenceLife) -> None:
        """Count a sequence that ended, if it ever began, and its request with the last one."""
        task, running = life.task, life.running
        if running is not None:
            self.finished += 1
            self.predicted_tokens += running.sampled
            task.n_sampled += running.sampled
            self.longest = max(self.longest, running.n_prompt + running.sampled)
            if running.first_token_s is not None:
                self.predicted_s += self.clock() - running.first_token_s
        if not task.n_open:
            assert life.outcome is not None
            self.requests[life.outcome] += 1
            self._observed.generated_tokens.observe(task.n_sampled)

    def add_prompt(self, sequence: RunningSequence, now_s: float) -> None:
        """Count a prompt that has been evaluated, and its first token."""
        self.prompt_tokens += sequence.n_prompt - sequence.n_cached
        self.cached_prompt_tokens += sequence.n_cached
        self.prompt_s += now_s - sequence.started_s
        if sequence.index == 0:
            self._observed.first_token_s.observe(now_s - sequence.task.arrived_s)

    def add_token(self, gap_s: float) -> None:
        """Count the time since the sequence's previous token, at the end of the step."""
        self._gaps_s.append(gap_s)

    # Steps ----------------------------------------------------------------------------------------------------------

    def add_evaluated(self, n_tokens: int, model_s: float, n_sequences: int) -> None:
        """Count tokens that one call of the model evaluated in this step, and the seconds that it took."""
        self.model_calls += 1
        self.call_sequences += n_sequences
        self._step_tokens += n_tokens
        self.model_s += model_s

    def add_drafting(self, model_s: float) -> None:
        """Count the seconds that the draft model took in this step; its calls and tokens are none of the model's."""
        self.model_s += model_s

    def add_prefill(self, n_tokens: int, call_s: float) -> None:
        """Count prompt tokens, or rows of media, that a call evaluated in so many seconds, for ``prompt_rate``."""
        self._recent_tokens = FADING * self._recent_tokens + n_tokens
        self._recent_s = FADING * self._recent_s + call_s
        if self._recent_s > 0:
            self.prompt_rate = self._recent_tokens / self._recent_s

    def end_step(self, step_s: float) -> None:
        """Count a step, and what was kept for its end."""
        self.steps += 1
        self.step_s += step_s
        if self._step_tokens:
            self._observed.step_s.observe(step_s)
            self._observed.batch_tokens.observe(self._step_tokens)
            self._step_tokens = 0
        if self._gaps_s:
            self._observe_gaps()

    def _observe_gaps(self) -> None:
        """Count the gaps. Usually all are equal, from the step before to this one, and are counted at once."""
        gaps, first = self._gaps_s, self._gaps_s[0]
        if gaps.count(first) == len(gaps):
            self._observed.inter_token_s.observe(first, len(gaps))
        else:
            for gap_s in gaps:
                self._observed.inter_token_s.observe(gap_s)
        gaps.clear()

    # What callers see -----------------------------------------------------------------------------------------------

    def counters(self) -> Counters:
        """The sums as they are now."""
        # Once per step, where ``dataclasses.asdict`` would take as long as everything else outside the model.
        return Counters(
            self.prompt_tokens,
            self.prompt_s,
            self.predicted_tokens,
            self.predicted_s,
            self.finished,
            self.steps,
            self.interrupted_steps,
            self.cached_prompt_tokens,
            tuple(self.requests.values()),
            self.preemptions,
            self.drafted_tokens,
            self.accepted_tokens,
            self.step_s,
            self.model_s,
            self.sampling_s,
            self.drafts,
            self.model_calls,
            self.call_sequences,
            self.embedded_tokens,
            self.longest,
        )

    def distributions(self) -> Distributions:
        """The histograms as they are now."""
        return self._observed.read()
