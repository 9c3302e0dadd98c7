"""What the engine has done since it started."""

from __future__ import annotations

from dataclasses import dataclass

from service.engine.slots import Sequence
from service.engine.types import Counters


@dataclass(slots=True)
class Totals:
    """Sums over sequences; the fields are those of ``Counters``."""

    prompt_tokens: int = 0
    prompt_s: float = 0.0
    predicted_tokens: int = 0
    predicted_s: float = 0.0
    finished: int = 0
    steps: int = 0

    def add_prompt(self, sequence: Sequence, now_s: float) -> None:
        """Count a prompt that has been evaluated."""
        self.prompt_tokens += sequence.n_prompt - sequence.n_cached
        self.prompt_s += now_s - sequence.started_s

    def add_sequence(self, sequence: Sequence, now_s: float) -> None:
        """Count a sequence that ends, however it does."""
        self.finished += 1
        self.predicted_tokens += sequence.sampled
        if sequence.first_token_s is not None:
            self.predicted_s += now_s - sequence.first_token_s

    def counters(self) -> Counters:
        """The sums as they are now."""
        # Once per step, where ``dataclasses.asdict`` would take as long as everything else outside the model.
        return Counters(
            self.prompt_tokens, self.prompt_s, self.predicted_tokens, self.predicted_s, self.finished, self.steps
        )
