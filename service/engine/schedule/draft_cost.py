"""What calls of a draft model cost, learnt from how long they took."""

from __future__ import annotations

from service.engine.schedule.moving_average import MovingAverage

#: Before any was measured: a call that guesses a token, in parts of a step of the model without drafts,
FIRST_CALL = 0.3
#: and a token that is read with others, in parts of such a call.
FIRST_READ = 0.25


class DraftCost:
    """Times of the draft model's calls: by sequences for those that guess, by tokens for those that read."""

    def __init__(self) -> None:
        self._call_s: dict[int, MovingAverage] = {}
        self._read_s: MovingAverage | None = None

    def observe_calls(self, n_sequences: int, n_calls: int, seconds: float) -> None:
        """Learn from calls that guessed a token for each of so many sequences, or for some of them."""
        if n_calls:
            self._call_s.setdefault(n_sequences, MovingAverage()).observe(seconds / n_calls)

    def observe_read(self, n_tokens: int, seconds: float) -> None:
        """Learn from a call that read tokens."""
        self._read_s = self._read_s or MovingAverage()
        self._read_s.observe(seconds / n_tokens)

    def call(self, n_sequences: int, plain_s: float) -> float:
        """The time of a call that guesses, in steps of the model without drafts, which take ``plain_s`` seconds."""
        if not self._call_s:
            return FIRST_CALL
        nearest = min(self._call_s, key=lambda n: abs(n - n_sequences))
        return self._call_s[nearest].value / plain_s

    def read(self, n_tokens: int, plain_s: float) -> float:
        """The time to read tokens, in the same unit."""
        if self._read_s is None:
            return n_tokens * FIRST_READ * self.call(1, plain_s)
        return n_tokens * self._read_s.value / plain_s

    def n_readable(self, seconds: float) -> int | None:
        """How many tokens can be read in so many seconds; None before any were."""
        return None if self._read_s is None else int(seconds / max(self._read_s.value, 1e-9))
