"""A model without weights, whose next token follows from the tokens in its memory, in virtual time.

It obeys the contract of ``service.engine.model`` strictly: whatever the engine gets wrong about positions, cells or
sequences changes the text or raises. So scheduling, faults and scale are tested in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from service.engine.model import CacheFull, DecodeFailed, Logits, ModelInfo, Segment
from service.engine.scripted_grammar import ScriptedGrammar

#: Tokens 0 to 255 are the bytes; then come the special ones.
BOS, EOS = 256, 257
N_VOCAB = 258
#: Logit of the scripted token; all others are 0, so that it is practically certain.
CERTAIN = 50.0

Script = Callable[[Sequence[int]], int]


class VirtualClock:
    """Seconds that pass only when told to."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_s += seconds


def next_letter(tokens: Sequence[int]) -> int:
    """The default script: a lower-case letter that depends on every token and position of the sequence."""
    state = 7
    for token in tokens:
        state = (state * 31 + token + 1) % 1_000_003
    return ord("a") + state % 26


class ScriptedModel:
    """A ``LanguageModel`` over bytes.

    Args:
        n_cells: KV cells.
        n_seq_max: number of sequences.
        n_batch: most tokens of one ``decode``.
        script: gives the next token from the tokens in a sequence's memory.
        clock: advanced by each ``decode``; None for no time at all.
        step_s, token_s: cost of a ``decode`` and of each token in it, in seconds.
        can_shift, can_cut: abilities that some real models lack.
    """

    def __init__(
        self,
        *,
        n_cells: int = 4096,
        n_seq_max: int = 4,
        n_batch: int = 512,
        script: Script = next_letter,
        clock: VirtualClock | None = None,
        step_s: float = 0.010,
        token_s: float = 0.005,
        can_shift: bool = True,
        can_cut: bool = True,
    ) -> None:
        self._info = ModelInfo(
            n_vocab=N_VOCAB,
            n_cells=n_cells,
            n_batch=n_batch,
            n_seq_max=n_seq_max,
            n_ctx_train=n_cells,
            eog_tokens=frozenset({EOS}),
            nl_token=ord("\n"),
            bos_token=BOS,
            can_shift=can_shift,
        )
        self._script = script
        self._clock = clock
        self._step_s = step_s
        self._token_s = token_s
        self._can_cut = can_cut
        self._memory: list[dict[int, int]] = [{} for _ in range(n_seq_max)]
        self._rows: dict[int, Logits] = {}
        self.decoded: list[tuple[Segment, ...]] = []
        self.fail_next: Exception | None = None
        self.open_grammars = 0

    @property
    def info(self) -> ModelInfo:
        """Facts that never change."""
        return self._info

    @property
    def cells_used(self) -> int:
        """Cells that hold a token: the truth that a ledger must equal."""
        return sum(map(len, self._memory))

    def tokens(self, seq_id: int) -> list[int]:
        """The tokens of a sequence, by position."""
        return [token for _, token in sorted(self._memory[seq_id].items())]

    def decode(self, segments: Sequence[Segment]) -> None:
        """Append the segments; ``fail_next`` is raised instead, once, if it is set."""
        self._rows = {}
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        self._check(segments)
        n_tokens = sum(len(segment.tokens) for segment in segments)
        if self.cells_used + n_tokens > self._info.n_cells:
            raise CacheFull
        for index, segment in enumerate(segments):
            memory = self._memory[segment.seq_id]
            memory.update(enumerate(segment.tokens, segment.position))
            if segment.wants_logits:
                row = np.zeros(N_VOCAB, np.float32)
                row[self._script(self.tokens(segment.seq_id))] = CERTAIN
                self._rows[index] = row
        self.decoded.append(tuple(segments))
        if self._clock is not None:
            self._clock.advance(self._step_s + self._token_s * n_tokens)

    def logits(self, index: int) -> Logits:
        """The row of a segment of the last ``decode``."""
        return self._rows[index]

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Forget positions; only whole sequences if this model cannot cut."""
        memory = self._memory[seq_id]
        end = max(memory, default=-1) + 1 if end < 0 else end
        if not self._can_cut and (start > 0 or end <= max(memory, default=-1)):
            return False
        for position in [position for position in memory if start <= position < end]:
            del memory[position]
        return True

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions."""
        if not self._info.can_shift:
            raise ValueError("this model cannot shift")
        memory = self._memory[seq_id]
        moved = {position + delta: token for position, token in memory.items() if start <= position < end}
        kept = {position: token for position, token in memory.items() if not start <= position < end}
        if moved.keys() & kept.keys():
            raise ValueError(f"shift of sequence {seq_id} would put two tokens at one position")
        self._memory[seq_id] = kept | moved

    def position_max(self, seq_id: int) -> int:
        """Highest position, -1 if empty."""
        return max(self._memory[seq_id], default=-1)

    def piece(self, token: int) -> bytes:
        """The byte itself; nothing for the special tokens."""
        return bytes([token]) if token < 256 else b""

    def grammar(self, text: str) -> ScriptedGrammar:
        """A grammar of literals; counted in ``open_grammars`` until it is closed."""
        grammar = ScriptedGrammar(text, n_vocab=N_VOCAB, eos=EOS, on_close=self._forget_grammar)
        self.open_grammars += 1
        return grammar

    def _forget_grammar(self) -> None:
        self.open_grammars -= 1

    def _check(self, segments: Sequence[Segment]) -> None:
        if sum(len(segment.tokens) for segment in segments) > self._info.n_batch:
            raise DecodeFailed(f"more than {self._info.n_batch} tokens in one call")
        seen: set[int] = set()
        for segment in segments:
            if segment.seq_id in seen or not 0 <= segment.seq_id < self._info.n_seq_max:
                raise DecodeFailed(f"sequence {segment.seq_id} is repeated or out of range")
            seen.add(segment.seq_id)
            if segment.position != self.position_max(segment.seq_id) + 1:
                raise DecodeFailed(f"sequence {segment.seq_id} does not continue at {segment.position}")
            if not segment.tokens or not all(0 <= token < N_VOCAB for token in segment.tokens):
                raise DecodeFailed(f"sequence {segment.seq_id} has no tokens, or ids outside the vocabulary")
