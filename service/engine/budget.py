"""How many prompt tokens a step may take, learnt from how long steps took."""

from __future__ import annotations

#: Prompt tokens of the first step, before anything was measured.
FIRST_CHUNK = 32
#: Fewer tokens than this per step waste more time than they save.
MIN_CHUNK = 8
#: Batches of so many tokens are evaluated by other kernels: flash attention on a processor works on tiles of 64 tokens,
#: and row by row below that. Behind 700 tokens a chunk of 64 takes 100 ms, one of 48 takes 390 (docs/performance.md).
TILE = 64
#: A whole tile may take so many times the time that there is, if that is the way to get on,
MAX_OVERDRAFT = 2.0
#: or so many times the time of the smallest chunk.
MAX_DELAY = 1.5
#: It must give so many times the speed of small batches to be worth more time than there is.
MIN_ADVANTAGE = 2.0
#: What a token in a tile is taken to cost before one was tried, in parts of one in a small batch.
TILE_GUESS = 0.25
#: Weight of the newest measurement.
SMOOTHING = 0.3


class PrefillBudget:
    """Keeps steps short while prompts are evaluated.

    With someone decoding, prompts get ``busy_s`` per step, so that running streams keep moving. Otherwise they get
    ``idle_s``: that is what a new request, or a cancel, waits for.

    Small batches cost more per token than large ones, so batches below and from ``TILE`` on are measured apart, and so
    are steps with and without decoding.
    """

    def __init__(self, *, busy_s: float, idle_s: float) -> None:
        self._budget_s = {True: busy_s, False: idle_s}
        self._costs = {(is_busy, is_tiled): _Cost() for is_busy in (False, True) for is_tiled in (False, True)}

    def tokens(self, n_decode: int) -> int:
        """Prompt tokens for the next step, in which ``n_decode`` other tokens are evaluated, too."""
        is_busy = n_decode > 0
        budget_s, small, tiled = self._budget_s[is_busy], self._small(is_busy), self._tiled(is_busy)
        if small is None:
            return FIRST_CHUNK
        if tiled is None:
            # Nobody would notice a try that costs as much as a guess says.
            n_tiles = int(not is_busy and TILE_GUESS * small * TILE <= budget_s)
        else:
            longest_s = max(MAX_OVERDRAFT * budget_s, MAX_DELAY * small * (MIN_CHUNK + n_decode))
            n_tiles = int(budget_s / tiled / TILE)
            if not n_tiles and small > MIN_ADVANTAGE * tiled:
                n_tiles = int(tiled * TILE <= longest_s)
        if n_tiles:
            return max(MIN_CHUNK, n_tiles * TILE - n_decode)
        chunk = int(budget_s / small) - n_decode
        return max(MIN_CHUNK, chunk - chunk % MIN_CHUNK)

    def min_rest(self, n_decode: int) -> int:
        """Tokens of a prompt that are better evaluated with those before them than in a small batch of their own."""
        small, tiled = self._small(n_decode > 0), self._tiled(n_decode > 0)
        return TILE if small is not None and tiled is not None and small > MIN_ADVANTAGE * tiled else 0

    def observe(self, n_prompt: int, n_decode: int, step_s: float) -> None:
        """Learn from a step of ``n_prompt`` prompt and ``n_decode`` other tokens that took ``step_s`` seconds."""
        if n_prompt >= MIN_CHUNK:
            n_tokens = n_prompt + n_decode
            self._costs[n_decode > 0, n_tokens >= TILE].observe(step_s / n_tokens)

    def _small(self, is_busy: bool) -> float | None:
        """Seconds per token of a batch below a tile, or of the most similar kind; None before anything was measured."""
        return self._first((is_busy, False), (not is_busy, False), (is_busy, True), (not is_busy, True))

    def _tiled(self, is_busy: bool) -> float | None:
        """Seconds per token of a batch of tiles; None before there was one."""
        return self._first((is_busy, True), (not is_busy, True))

    def _first(self, *kinds: tuple[bool, bool]) -> float | None:
        return next((cost for kind in kinds if (cost := self._costs[kind].token_s) is not None), None)


class _Cost:
    """A moving average of seconds per token, None before the first."""

    def __init__(self) -> None:
        self.token_s: float | None = None

    def observe(self, token_s: float) -> None:
        token_s = max(token_s, 1e-9)
        self.token_s = token_s if self.token_s is None else self.token_s + SMOOTHING * (token_s - self.token_s)
