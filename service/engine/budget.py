"""How many prompt tokens a step may take, learnt from how long steps took."""

from __future__ import annotations

#: Prompt tokens of the first step, before anything was measured.
FIRST_CHUNK = 32
#: Fewer tokens than this per step waste more time than they save.
MIN_CHUNK = 8
#: Weight of the newest measurement.
SMOOTHING = 0.3


class PrefillBudget:
    """Keeps steps short while prompts are evaluated.

    With someone decoding, prompt tokens get ``busy_s`` per step, so that running streams keep moving. Otherwise they
    get ``idle_s``: that is what a new request, or a cancel, waits for.

    Small chunks cost more per token than large ones, so both cases are measured apart.
    """

    def __init__(self, *, busy_s: float, idle_s: float) -> None:
        self._budget_s = {True: busy_s, False: idle_s}
        self._s_per_token: dict[bool, float | None] = {True: None, False: None}

    def tokens(self, *, is_busy: bool) -> int:
        """Prompt tokens for the next step; ``is_busy`` says whether anyone decodes in it."""
        s_per_token = self._s_per_token[is_busy] or self._s_per_token[not is_busy]
        if s_per_token is None:
            return FIRST_CHUNK
        chunk = int(self._budget_s[is_busy] / s_per_token)
        return max(MIN_CHUNK, chunk - chunk % MIN_CHUNK)

    def observe(self, n_prompt: int, n_decode: int, step_s: float) -> None:
        """Learn from a step of ``n_prompt`` prompt and ``n_decode`` decoded tokens that took ``step_s`` seconds."""
        if n_prompt < MIN_CHUNK:
            return
        is_busy = n_decode > 0
        measured = max(step_s / (n_prompt + n_decode), 1e-9)
        known = self._s_per_token[is_busy]
        self._s_per_token[is_busy] = measured if known is None else known + SMOOTHING * (measured - known)
