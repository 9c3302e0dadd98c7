"""A model that costs what a profile says and computes next to nothing, so that 100,000 requests pass in minutes.

The scripted model of the engine's tests checks what the engine does and computes each token from all before it. This
one trusts the engine, and counts cells instead of keeping them.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np

from bench.simulation.spans import SpanMemory
from service.config import Pooling
from service.engine.language_model import (
    CacheFull,
    DecodeFailed,
    Interruption,
    Logits,
    MediaSegment,
    ModelInfo,
    Rows,
    SavedSequence,
    Segment,
)
from service.sampling.gbnf import GrammarError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.simulation.profile import CostProfile
    from service.sampling.grammar import Grammar
    from service.testing.scripted_model import VirtualClock

#: Every token is a byte.
N_VOCAB = 256
#: The letters that answers consist of.
_LETTERS = range(ord("a"), ord("z") + 1)
#: After so many tokens the letters repeat; a prime, so that nothing else does.
_PERIOD = 9973
_CERTAIN = 50.0


class SimulatedMemory:
    """The ``Memory`` facet. It never shifts positions.

    Args:
        n_cells: KV cells.
        n_seq_max: number of sequences.
        profile: what copies cost.
        clock: advanced by them.
    """

    def __init__(self, n_cells: int, n_seq_max: int, profile: CostProfile, clock: VirtualClock) -> None:
        self.spans = SpanMemory(n_cells, n_seq_max)
        self._profile = profile
        self._clock = clock

    @property
    def cells_free(self) -> int:
        """Cells that no sequence holds."""
        return self.spans.free

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Give up the last tokens of a sequence; nothing is ever removed in front of others."""
        if 0 <= end < self.spans.length(seq_id):
            return False
        self.spans.cut(seq_id, start)
        return True

    def fork(self, source: int, target: int, end: int) -> bool:
        """Share cells."""
        if source == target or self.spans.length(target) or self.spans.length(source) < end:
            raise ValueError(f"sequence {source} cannot be forked to {target} up to {end}")
        self.spans.fork(source, target, end)
        return True

    def unshare(self, seq_id: int) -> None:
        """Copy shared cells."""
        n_shared = self.spans.count_shared(seq_id)
        if n_shared > self.spans.free:
            raise CacheFull
        self.spans.unshare(seq_id)
        self._copy(n_shared)

    def save(self, seq_id: int) -> SavedSequence:
        """Remember how long a sequence is."""
        n_cells = self.spans.length(seq_id)
        self._copy(n_cells)
        return SavedSequence(n_cells, n_cells * self._profile.cell_bytes, None)

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Take as many new cells."""
        if self.spans.length(seq_id):
            raise ValueError(f"sequence {seq_id} is not empty")
        if saved.n_cells > self.spans.free:
            raise CacheFull
        self.spans.append(seq_id, saved.n_cells)
        self._copy(saved.n_cells)

    def position_max(self, seq_id: int) -> int:
        """Highest position, -1 if empty."""
        return self.spans.length(seq_id) - 1

    def pack(self, saved: SavedSequence) -> list[memoryview]:
        """Refused; ``ModelInfo.sequence_format`` says so."""
        raise ValueError(f"{saved.n_cells} simulated cells hold nothing")

    def unpack(self, packed: memoryview) -> SavedSequence:
        """Refused; ``ModelInfo.sequence_format`` says so."""
        raise ValueError(f"{len(packed)} bytes are no simulated cells")

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Refused; ``ModelInfo.can_shift`` says so."""
        raise ValueError(f"positions {start} to {end - 1} of sequence {seq_id} cannot move by {delta}")

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Refused; ``ModelInfo.can_shift`` says so."""
        raise ValueError(f"positions {start} to {end - 1} of sequence {seq_id} cannot be divided by {divisor}")

    def _copy(self, n_cells: int) -> None:
        self._clock.advance(self._profile.copy_cell_s * n_cells)


class SimulatedCompute:
    """The ``Compute`` facet: says letters for ever and lets virtual time pass.

    Args:
        n_cells: KV cells.
        memory: counts the tokens.
        profile: what steps cost.
        clock: advanced by them.
    """

    def __init__(self, n_cells: int, memory: SpanMemory, profile: CostProfile, clock: VirtualClock) -> None:
        self._n_cells = n_cells
        self._memory = memory
        self._profile = profile
        self._clock = clock
        self._letters = random.Random(0).choices(_LETTERS, k=_PERIOD)
        self._rows = {letter: _row(letter) for letter in _LETTERS}
        self._ends: list[int] = []
        self._n_rows: list[int] = []

    def use_adapters(self, scales: Sequence[float]) -> None:
        """There are none to scale."""
        assert not scales

    def letter(self, place: int) -> int:
        """The token at a place of an answer, prompt included."""
        return self._letters[place % _PERIOD]

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Count the tokens and let time pass."""
        n_tokens = sum(len(segment.tokens) for segment in segments)
        if n_tokens > self._memory.free:
            raise CacheFull
        ends, n_rows, n_attended = [], 0, 0
        for segment in segments:
            seq_id, n_new = segment.seq_id, len(segment.tokens)
            if segment.position != self._memory.length(seq_id):
                raise DecodeFailed(f"sequence {seq_id} does not continue at {segment.position}")
            self._memory.append(seq_id, n_new)
            ends.append(segment.position + n_new - segment.n_logits)
            n_rows += segment.n_logits
            n_attended += n_new * segment.position + n_new * (n_new + 1) // 2
        self._ends = ends
        self._n_rows = [segment.n_logits for segment in segments]
        n_cells = self._n_cells - self._memory.free
        self._clock.advance(self._profile.step_s(n_tokens + n_filler, n_rows, n_attended, n_cells))

    def logits(self, index: int, row: int = 0) -> Logits:
        """The row that makes the letter of its place certain; whoever writes to it spoils it for the others."""
        return self._rows[self.letter(self._ends[index] + row + 1)]

    def all_logits(self) -> Logits:
        """Copies of all rows of the last ``decode``."""
        return np.stack([self.logits(index, row) for index, n in enumerate(self._n_rows) for row in range(n)])

    def decode_media(self, segments: Sequence[MediaSegment]) -> None:
        """Refused; ``ModelInfo.n_embd_input`` says so."""
        raise DecodeFailed(f"{len(segments)} segments of media cannot be evaluated")

    def hidden_media(self, segments: Sequence[MediaSegment]) -> Rows:
        """Refused, too."""
        raise DecodeFailed(f"{len(segments)} segments of media cannot be embedded")

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Refused; ``ModelInfo.n_hidden`` says so."""
        raise DecodeFailed(f"{len(segments)} segments cannot be embedded")


class SimulatedVocabulary:
    """The ``Vocabulary`` facet."""

    def token_bytes(self, token: int) -> bytes:
        """The byte itself."""
        return bytes((token,))

    def grammar(self, text: str) -> Grammar:
        """Refused."""
        raise GrammarError(1, 1, f"there are no grammars here, such as {text!r}")


class SimulatedModel:
    """A ``CausalModel`` over bytes that says letters for ever and lets virtual time pass.

    It neither shifts positions nor embeds: requests end where their context does.

    Args:
        n_cells: KV cells.
        n_seq_max: number of sequences.
        profile: what steps and copies cost.
        clock: advanced by them.
    """

    def __init__(self, n_cells: int, n_seq_max: int, profile: CostProfile, clock: VirtualClock) -> None:
        self.info = ModelInfo(
            n_vocab=N_VOCAB,
            n_cells=n_cells,
            n_batch=max(512, n_seq_max),
            n_logits=max(512, n_seq_max),
            n_seq_max=n_seq_max,
            n_embd=1,
            n_hidden=0,
            pooling=Pooling.LAST,
            can_generate=True,
            n_ctx_train=n_cells,
            eog_tokens=frozenset(),
            nl_token=-1,
            bos_token=-1,
            can_shift=False,
            can_cut=True,
        )
        self.memory = SimulatedMemory(n_cells, n_seq_max, profile, clock)
        self.compute = SimulatedCompute(n_cells, self.memory.spans, profile, clock)
        self.vocabulary = SimulatedVocabulary()
        #: Its steps end when they end: nobody comes meanwhile.
        self.interruption: Interruption | None = None
        self.draft = None

    def answer(self, n_before: int, n_tokens: int) -> tuple[int, ...]:
        """The tokens behind ``n_before`` others: they depend on their places alone."""
        return tuple(self.compute.letter(place) for place in range(n_before, n_before + n_tokens))


def _row(letter: int) -> Logits:
    row = np.zeros(N_VOCAB, np.float32)
    row[letter] = _CERTAIN
    return row
