"""How many prompt tokens, or rows of media, a step may take, learnt from how long steps took."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Prompt tokens of the first step, before anything was measured.
FIRST_CHUNK = 32
#: Fewer tokens than this per step waste more time than they save.
MIN_CHUNK = 8
#: Batches of so many tokens are evaluated by other kernels: flash attention on a processor works on tiles of 64 tokens,
#: and row by row below that. Behind 1,400 tokens a chunk of 64 takes 120 ms, one of 48 takes 190 (docs/performance.md).
TILE = 64
#: A whole tile may take as many times the time that there is as its tokens cost less than those of small batches, and
#: at most so many times,
MAX_OVERDRAFT = 1.45
#: or so many times the time of the smallest chunk.
MAX_DELAY = 1.5
#: Part of the time that prompts have at least, whatever a step has taken for others.
MIN_PART = 0.5
#: No prompt is left with a remainder below a tile if tokens of small batches cost so many times what those of tiles do.
MIN_ADVANTAGE = 2.0
#: A small batch that costs so many times what a tile does is filled up to one.
MIN_SAVING = 1.3
#: What a token in a tile is taken to cost before one was tried, in parts of one in a small batch.
TILE_GUESS = 0.25
#: The same for several tiles, in parts of one in a single tile: threads share several more evenly.
TILES_GUESS = 0.8
#: Contexts from 128 * 2**8 tokens on are one kind.
MAX_OCTAVE = 9
#: Weight of the newest measurement.
SMOOTHING = 0.3


@dataclass(frozen=True, slots=True)
class StepShape:
    """What a step is like, as far as the time of its prompt tokens depends on it.

    Attributes:
        n_decode: other tokens of the step.
        context: tokens that come before the prompts' next ones, on average.
        is_scored: whether a prompt wants the logits behind each of its tokens.
        is_media: whether what prompts get are rows of media, in a call without tokens.
        is_awaited: whether others decode that are not in this step, and wait for it.
    """

    n_decode: int = 0
    context: int = 0
    is_scored: bool = False
    is_media: bool = False
    is_awaited: bool = False

    @property
    def n_beside(self) -> int:
        """Other tokens of the call in which prompts get something."""
        return 0 if self.is_media else self.n_decode

    @property
    def is_busy(self) -> bool:
        """Whether anyone decodes."""
        return self.n_decode > 0 or self.is_awaited


class PrefillBudget:
    """Keeps steps short while prompts are evaluated.

    With someone decoding, prompts get ``busy_s`` per step, so that running streams keep moving. Otherwise they get
    ``idle_s``: that is what a new request, or a cancel, waits for.

    What a token costs is learnt apart for batches below ``TILE``, of one tile, and of several; for steps with and
    without decoding; with and without logits for every token of a prompt; for tokens and for rows of media; and for
    each doubling of the context: attention grows with it, and more so in small batches.
    """

    def __init__(self, *, busy_s: float, idle_s: float) -> None:
        self._budget_s = {True: busy_s, False: idle_s}
        self._costs: dict[_Kind, float] = {}
        #: The most similar kind that was measured, or None, for kinds and sizes that were asked for.
        self._nearest: dict[tuple[bool, int, bool, bool, tuple[int, ...]], _Kind | None] = {}

    def tokens(self, shape: StepShape, spent_s: float = 0.0, *, longer_s: float | None = None) -> int:
        """Prompt tokens, or rows, for the next step.

        Args:
            shape: what it is like.
            spent_s: seconds that it has taken already, for others.
            longer_s: seconds that it may take in all, None for the usual time.
        """
        whole_s = self._budget_s[shape.is_busy] if longer_s is None else longer_s
        small, tiled = self._small(shape), self._tiled(shape)
        budget_s = max(whole_s - spent_s, MIN_PART * whole_s)
        if small is None:
            return FIRST_CHUNK
        if tiled is None:
            # Nobody would notice a try that costs as much as a guess says.
            n_tiles = int(not shape.is_busy and TILE_GUESS * small * TILE <= budget_s)
        else:
            n_tiles = self._n_tiles(shape, small, tiled, budget_s)
        if n_tiles:
            return max(MIN_CHUNK, n_tiles * TILE - shape.n_beside)
        chunk = int(budget_s / small)
        if tiled is not None:
            # What a small batch costs says nothing about larger ones.
            chunk = min(chunk, TILE - 1 - shape.n_beside)
        return max(MIN_CHUNK, chunk - chunk % MIN_CHUNK)

    def expected_s(self, n_prompt: int, shape: StepShape) -> float:
        """Seconds that a step of so many prompt tokens will take; infinity before anything was measured."""
        n_tokens = n_prompt + shape.n_beside
        size = _size(n_tokens)
        cost = self._known(shape, size, *(other for other in (_SEVERAL, _ONE, _BELOW) if other != size))
        return math.inf if cost is None else n_tokens * cost

    def min_remainder(self, shape: StepShape) -> int:
        """Tokens of a prompt that are better evaluated with those before them than in a small batch of their own.

        None while anyone decodes: that would make the longest step of all, where a filled tile does.
        """
        small, tiled = self._small(shape), self._tiled(shape)
        if shape.is_busy or small is None or tiled is None:
            return 0
        return TILE if small > MIN_ADVANTAGE * tiled else 0

    def filler(self, n_prompt: int, shape: StepShape) -> int:
        """Tokens by which a step of ``n_prompt`` prompt tokens is filled up, because a whole tile takes less time."""
        n_tokens = n_prompt + shape.n_beside
        small, tiled = self._small(shape), self._tiled(shape)
        if not n_prompt or n_tokens >= TILE or small is None or tiled is None:
            return 0
        return TILE - n_tokens if small * n_tokens > MIN_SAVING * tiled * TILE else 0

    def observe(self, n_prompt: int, shape: StepShape, step_s: float, n_filler: int = 0) -> None:
        """Learn from a step of so many prompt tokens and filler that took ``step_s`` seconds."""
        if n_prompt >= MIN_CHUNK or n_filler:
            n_tokens = n_prompt + shape.n_beside + n_filler
            kind = _Kind(shape.is_busy, _size(n_tokens), _octave(shape.context), shape.is_scored, shape.is_media)
            token_s = max(step_s / n_tokens, 1e-9)
            known = self._costs.get(kind)
            if known is None:
                self._nearest.clear()
            self._costs[kind] = token_s if known is None else known + SMOOTHING * (token_s - known)

    def _n_tiles(self, shape: StepShape, small: float, tiled: float, budget_s: float) -> int:
        """Whole tiles for the next step; 0 if not even one is worth its time."""
        longest_s = budget_s
        n_tiles = int(budget_s / self._several(shape) / TILE)
        if n_tiles > 1:
            return n_tiles
        if small > tiled:
            overdraft_s = min(MAX_OVERDRAFT, small / tiled) * budget_s
            longest_s = max(overdraft_s, MAX_DELAY * small * (MIN_CHUNK + shape.n_beside))
        return int(tiled * TILE <= longest_s)

    def _small(self, shape: StepShape) -> float | None:
        """Seconds per token of a batch below a tile, or of the most similar kind; None before anything was measured."""
        cost = self._known(shape, _BELOW)
        return self._tiled(shape) if cost is None else cost

    def _tiled(self, shape: StepShape) -> float | None:
        """Seconds per token of a tile; None before there was one."""
        return self._known(shape, _ONE, _SEVERAL)

    def _several(self, shape: StepShape) -> float:
        """Seconds per token of several tiles; there was at least one."""
        kind = self._measured(shape, _SEVERAL, _ONE)
        assert kind is not None
        return self._costs[kind] * (TILES_GUESS if kind.size == _ONE else 1.0)

    def _known(self, shape: StepShape, *sizes: int) -> float | None:
        kind = self._measured(shape, *sizes)
        return None if kind is None else self._costs[kind]

    def _measured(self, shape: StepShape, *sizes: int) -> _Kind | None:
        """The most similar kind that was measured. Looked up again only after a new one was: every step asks."""
        key = (shape.is_busy, _octave(shape.context), shape.is_scored, shape.is_media, sizes)
        if key not in self._nearest:
            self._nearest[key] = next((kind for kind in _alike(shape, *sizes) if kind in self._costs), None)
        return self._nearest[key]


#: Sizes of batches, in tiles.
_BELOW, _ONE, _SEVERAL = 0, 1, 2


@dataclass(frozen=True, slots=True)
class _Kind:
    """A kind of step with costs of its own."""

    is_busy: bool
    size: int
    octave: int
    is_scored: bool
    is_media: bool


def _size(n_tokens: int) -> int:
    """Of a batch of so many tokens, in tiles."""
    return min(n_tokens // TILE, _SEVERAL)


def _octave(context: int) -> int:
    """0 for less than 128 tokens, and one more for each doubling."""
    return min((context // 128).bit_length(), MAX_OCTAVE)


def _alike(shape: StepShape, *sizes: int) -> Iterator[_Kind]:
    """Kinds of these sizes, the most similar ones first: shorter contexts before longer ones.

    Logits for every token can take longer than all layers, so steps with and without them are the least similar. Rows
    of media cost what tokens do, but for a call of their own.
    """
    here = _octave(shape.context)
    for is_scored in (shape.is_scored, not shape.is_scored):
        for is_media in (shape.is_media, not shape.is_media):
            for distance in range(MAX_OCTAVE + 1):
                for octave in dict.fromkeys((here - distance, here + distance)):
                    for size in sizes:
                        for is_busy in (shape.is_busy, not shape.is_busy):
                            yield _Kind(is_busy, size, octave, is_scored, is_media)
