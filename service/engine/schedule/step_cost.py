"""What one more token costs in a step, learnt from how long steps took."""

from __future__ import annotations

#: Weight of the newest step.
SMOOTHING = 0.05
#: Steps must differ by so many tokens, as a standard deviation, to tell what one of them costs.
MIN_SPREAD = 0.7
#: The price before steps differed.
FIRST_PRICE = 0.5
#: A step that took longer than so many average ones was held up by something else, and counts as no longer.
MAX_OUTLIER = 3.0
#: Bounds of the price: a draft is never free, and never surely a loss.
MIN_PRICE, MAX_PRICE = 0.05, 0.95


class StepCost:
    """A line through the times of steps without prompts: so much for a step, and so much for each token.

    Fitted to moving averages, so that it follows growing contexts and a busier machine.
    """

    def __init__(self) -> None:
        self._n_observed = 0
        self._tokens = self._time_s = self._tokens_squared = self._product = 0.0
        self._token_s: float | None = None

    def observe(self, n_tokens: int, step_s: float) -> None:
        """Learn from a step of ``n_tokens`` tokens that took ``step_s`` seconds."""
        if self._n_observed:
            step_s = min(step_s, MAX_OUTLIER * self._time_s)
        self._n_observed += 1
        weight = max(SMOOTHING, 1 / self._n_observed)
        self._tokens += weight * (n_tokens - self._tokens)
        self._time_s += weight * (step_s - self._time_s)
        self._tokens_squared += weight * (n_tokens**2 - self._tokens_squared)
        self._product += weight * (n_tokens * step_s - self._product)
        variance = self._tokens_squared - self._tokens**2
        if variance > MIN_SPREAD**2:
            self._token_s = (self._product - self._tokens * self._time_s) / variance

    def price(self, n_sequences: int) -> float:
        """Cost of one more token, as a part of what a token costs in a step with one token for each sequence."""
        if self._token_s is None:
            return FIRST_PRICE
        plain_s = self._time_s + self._token_s * (n_sequences - self._tokens)
        if plain_s <= 0:
            return MAX_PRICE
        return min(max(self._token_s * n_sequences / plain_s, MIN_PRICE), MAX_PRICE)
