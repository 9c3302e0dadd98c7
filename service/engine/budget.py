"""How many prompt tokens a step may take, learnt from how long steps took."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

#: Prompt tokens of the first step, before anything was measured.
FIRST_CHUNK = 32
#: Fewer tokens than this per step waste more time than they save.
MIN_CHUNK = 8
#: Batches of so many tokens are evaluated by other kernels: flash attention on a processor works on tiles of 64 tokens,
#: and row by row below that. Behind 700 tokens a chunk of 64 takes 100 ms, one of 48 takes 390 (docs/performance.md).
TILE = 64
#: A whole tile may take as many times the time that there is as its tokens cost less than those of small batches, and
#: at most so many times,
MAX_OVERDRAFT = 1.45
#: or so many times the time of the smallest chunk.
MAX_DELAY = 1.5
#: No prompt is left with a rest below a tile if tokens of small batches cost so many times what those of tiles do.
MIN_ADVANTAGE = 2.0
#: A small batch that costs so many times what a tile does is filled up to one.
MIN_SAVING = 1.3
#: What a token in a tile is taken to cost before one was tried, in parts of one in a small batch.
TILE_GUESS = 0.25
#: Contexts from 128 * 2**8 tokens on are one kind.
MAX_OCTAVE = 9
#: Weight of the newest measurement.
SMOOTHING = 0.3


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What prompt tokens of a step meet there.

    Attributes:
        n_decode: other tokens of the step.
        context: tokens that come before the prompts' next ones, on average.
    """

    n_decode: int = 0
    context: int = 0

    @property
    def is_busy(self) -> bool:
        """Whether anyone decodes."""
        return self.n_decode > 0


class PrefillBudget:
    """Keeps steps short while prompts are evaluated.

    With someone decoding, prompts get ``busy_s`` per step, so that running streams keep moving. Otherwise they get
    ``idle_s``: that is what a new request, or a cancel, waits for.

    What a token costs is learnt apart for batches below and from ``TILE`` on, for steps with and without decoding, and
    for each doubling of the context: attention grows with it, and more so in small batches.
    """

    def __init__(self, *, busy_s: float, idle_s: float) -> None:
        self._budget_s = {True: busy_s, False: idle_s}
        self._costs: dict[_Kind, float] = {}

    def tokens(self, beside: Surroundings) -> int:
        """Prompt tokens for the next step."""
        budget_s, small, tiled = self._budget_s[beside.is_busy], self._small(beside), self._tiled(beside)
        if small is None:
            return FIRST_CHUNK
        if tiled is None:
            # Nobody would notice a try that costs as much as a guess says.
            n_tiles = int(not beside.is_busy and TILE_GUESS * small * TILE <= budget_s)
        else:
            n_tiles = int(budget_s / tiled / TILE)
            if not n_tiles and small > tiled:
                overdraft_s = min(MAX_OVERDRAFT, small / tiled) * budget_s
                n_tiles = int(tiled * TILE <= max(overdraft_s, MAX_DELAY * small * (MIN_CHUNK + beside.n_decode)))
        if n_tiles:
            return max(MIN_CHUNK, n_tiles * TILE - beside.n_decode)
        chunk = int(budget_s / small)
        if tiled is not None:
            # What a small batch costs says nothing about larger ones.
            chunk = min(chunk, TILE - 1 - beside.n_decode)
        return max(MIN_CHUNK, chunk - chunk % MIN_CHUNK)

    def min_rest(self, beside: Surroundings) -> int:
        """Tokens of a prompt that are better evaluated with those before them than in a small batch of their own.

        None while anyone decodes: that would make the longest step of all, where a filled tile does.
        """
        small, tiled = self._small(beside), self._tiled(beside)
        if beside.is_busy or small is None or tiled is None:
            return 0
        return TILE if small > MIN_ADVANTAGE * tiled else 0

    def filler(self, n_prompt: int, beside: Surroundings) -> int:
        """Tokens by which a step of ``n_prompt`` prompt tokens is filled up, because a whole tile takes less time."""
        n_tokens = n_prompt + beside.n_decode
        small, tiled = self._small(beside), self._tiled(beside)
        if not n_prompt or n_tokens >= TILE or small is None or tiled is None:
            return 0
        return TILE - n_tokens if small * n_tokens > MIN_SAVING * tiled * TILE else 0

    def observe(self, n_prompt: int, beside: Surroundings, step_s: float, n_filler: int = 0) -> None:
        """Learn from a step of so many prompt tokens and filler that took ``step_s`` seconds."""
        if n_prompt >= MIN_CHUNK or n_filler:
            n_tokens = n_prompt + beside.n_decode + n_filler
            kind = _Kind(beside.is_busy, n_tokens >= TILE, _octave(beside.context))
            token_s = max(step_s / n_tokens, 1e-9)
            known = self._costs.get(kind)
            self._costs[kind] = token_s if known is None else known + SMOOTHING * (token_s - known)

    def _small(self, beside: Surroundings) -> float | None:
        """Seconds per token of a batch below a tile, or of the most similar kind; None before anything was measured."""
        cost = self._first(beside, is_tiled=False)
        return self._first(beside, is_tiled=True) if cost is None else cost

    def _tiled(self, beside: Surroundings) -> float | None:
        """Seconds per token of a batch of tiles; None before there was one."""
        return self._first(beside, is_tiled=True)

    def _first(self, beside: Surroundings, *, is_tiled: bool) -> float | None:
        kinds = _alike(_Kind(beside.is_busy, is_tiled, _octave(beside.context)))
        return next((self._costs[kind] for kind in kinds if kind in self._costs), None)


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of step with costs of its own."""

    is_busy: bool
    is_tiled: bool
    octave: int


def _octave(context: int) -> int:
    """0 for less than 128 tokens, and one more for each doubling."""
    return min((context // 128).bit_length(), MAX_OCTAVE)


def _alike(kind: _Kind) -> Iterator[_Kind]:
    """The kind itself and others, the most similar ones first: shorter contexts before longer ones."""
    for distance in range(MAX_OCTAVE + 1):
        for octave in dict.fromkeys((kind.octave - distance, kind.octave + distance)):
            for is_busy in (kind.is_busy, not kind.is_busy):
                yield _Kind(is_busy, kind.is_tiled, octave)
