"""A model without weights, whose next token follows from the tokens in its memory, in virtual time.

It obeys the contract of ``service.engine.language_model`` strictly: whatever the engine gets wrong about positions,
cells or sequences changes the text or raises. So scheduling, faults and scale are tested in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np

from service.engine.language_model import (
    CacheFull,
    DecodeFailed,
    Logits,
    ModelInfo,
    Pooling,
    Rows,
    SavedSequence,
    Segment,
)
from service.testing.scripted_grammar import ScriptedGrammar
from service.testing.scripted_memory import Cell, ScriptedMemory

#: Tokens 0 to 255 are the bytes; then come the special ones.
BOS, EOS = 256, 257
N_VOCAB = 258
#: Logit of the scripted token; all others are 0, so that it is practically certain.
CERTAIN = 50.0
#: Bytes of a token in a saved sequence.
SAVED_BYTES = 8
#: Length of a hidden state.
N_EMBD = 4

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


def states(tokens: Sequence[int]) -> Rows:
    """The hidden states of a sequence: each depends on all tokens up to its own; shape (tokens, N_EMBD)."""
    rows = np.empty((len(tokens), N_EMBD), np.float32)
    state = 7
    for row, token in zip(rows, tokens, strict=True):
        state = (state * 31 + token + 1) % 1_000_003
        row[:] = [state % (97 + component) - 48 for component in range(N_EMBD)]
    return rows


class ScriptedModel:
    """A ``LanguageModel`` over bytes.

    Args:
        n_cells: KV cells.
        n_seq_max: number of sequences.
        n_batch: most tokens of one ``decode``.
        n_logits: most of them whose logits can be wanted; not fewer than there are sequences.
        n_hidden: most tokens of one ``hidden`` or ``encode``.
        script: gives the next token from the tokens in a sequence's memory.
        clock: advanced by each ``decode``; None for no time at all.
        step_s, token_s: cost of a ``decode`` and of each token in it, in seconds.
        saved_bytes: size of a token in a saved sequence.
        pooling: how embeddings are made.
        can_generate, can_shift, can_cut, can_fork: abilities that some real models lack.
    """

    def __init__(
        self,
        *,
        n_cells: int = 4096,
        n_seq_max: int = 4,
        n_batch: int = 512,
        n_logits: int = 32,
        n_hidden: int = 32,
        script: Script = next_letter,
        clock: VirtualClock | None = None,
        step_s: float = 0.010,
        token_s: float = 0.005,
        saved_bytes: int = SAVED_BYTES,
        pooling: Pooling = Pooling.LAST,
        can_generate: bool = True,
        can_shift: bool = True,
        can_cut: bool = True,
        can_fork: bool = True,
    ) -> None:
        self._info = ModelInfo(
            n_vocab=N_VOCAB,
            n_cells=n_cells,
            n_batch=n_batch,
            n_logits=max(n_logits, n_seq_max),
            n_seq_max=n_seq_max,
            n_embd=N_EMBD,
            n_hidden=n_hidden,
            pooling=pooling,
            can_generate=can_generate,
            n_ctx_train=n_cells,
            eog_tokens=frozenset({EOS}),
            nl_token=ord("\n"),
            bos_token=BOS,
            can_shift=can_shift,
            can_cut=can_cut,
        )
        self._script = script
        self._clock = clock
        self._step_s = step_s
        self._token_s = token_s
        self._saved_bytes = saved_bytes
        self._can_cut = can_cut
        self._can_fork = can_fork
        self._memory = ScriptedMemory(n_cells, n_seq_max)
        self._rows: dict[tuple[int, int], Logits] = {}
        self.decoded: list[tuple[Segment, ...]] = []
        self.fail_next: Exception | None = None
        self.open_grammars = 0

    @property
    def info(self) -> ModelInfo:
        """Facts that never change."""
        return self._info

    @property
    def cells_free(self) -> int:
        """Cells that no sequence holds."""
        return self._memory.free

    def cells(self, seq_id: int) -> list[Cell]:
        """The cells of a sequence, in the order of its tokens: the truth about positions and sharing."""
        return list(self._memory.cells(seq_id))

    def tokens(self, seq_id: int) -> list[int]:
        """The tokens of a sequence, in order."""
        return [cell.token for cell in self._memory.cells(seq_id)]

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Append the segments; ``fail_next`` is raised instead, once, if it is set."""
        self._append(segments, n_filler)
        for index, segment in enumerate(segments):
            tokens = self.tokens(segment.seq_id)
            for place in range(segment.n_logits):
                row = np.zeros(N_VOCAB, np.float32)
                row[self._script(tokens[: len(tokens) - segment.n_logits + place + 1])] = CERTAIN
                self._rows[index, place] = row

    def logits(self, index: int, place: int = 0) -> Logits:
        """A row of a segment of the last ``decode``."""
        if (index, place) not in self._rows:
            raise ValueError(f"segment {index} has no row {place}")
        return self._rows[index, place]

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Append the segments; the states of their tokens."""
        if sum(len(segment.tokens) for segment in segments) > self._info.n_hidden:
            raise DecodeFailed(f"more than {self._info.n_hidden} tokens in one call")
        self._append(segments)
        return np.concatenate([states(self.tokens(part.seq_id))[-len(part.tokens) :] for part in segments])

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """The pooled states of whole inputs; memory is neither needed nor touched."""
        self._raise_planned_failure()
        n_tokens = sum(map(len, inputs))
        if self._info.can_generate or not inputs or not all(inputs):
            raise DecodeFailed("only non-empty inputs, and only models that do not generate, can be encoded")
        if n_tokens > self._info.n_hidden or len(inputs) > self._info.n_seq_max:
            raise DecodeFailed(f"{n_tokens} tokens or {len(inputs)} inputs are too many for one call")
        self._spend(n_tokens)
        return np.stack([_pooled(states(tokens), self._info.pooling) for tokens in inputs])

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Forget positions; only whole sequences if this model cannot cut."""
        highest = self.position_max(seq_id)
        end = highest + 1 if end < 0 else end
        if not self._can_cut and start < end and (start > 0 or end <= highest):
            return False
        self._memory.remove(seq_id, start, end)
        return True

    def fork(self, source: int, target: int, end: int) -> bool:
        """Share cells; only if this model can."""
        if source == target or self._memory.cells(target) or self.position_max(source) < end - 1:
            raise ValueError(f"sequence {source} cannot be forked to {target} up to {end}")
        if not self._can_fork:
            return False
        self._memory.fork(source, target, end)
        return True

    def unshare(self, seq_id: int) -> None:
        """Replace shared cells by new ones."""
        if self._memory.count_shared(seq_id) > self._memory.free:
            raise CacheFull
        self._memory.unshare(seq_id)

    def save(self, seq_id: int) -> SavedSequence:
        """Copy tokens and positions."""
        contents = [(cell.token, cell.position) for cell in self._memory.cells(seq_id)]
        return SavedSequence(len(contents), self._saved_bytes * len(contents), contents)

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Write tokens and positions to new cells."""
        if self._memory.cells(seq_id):
            raise ValueError(f"sequence {seq_id} is not empty")
        if saved.n_cells > self._memory.free:
            raise CacheFull
        assert isinstance(saved.contents, list)
        self._memory.restore(seq_id, saved.contents)

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions."""
        self._move(seq_id, start, end, lambda position: position + delta, allow_equal=False)

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide positions."""
        if divisor < 1:
            raise ValueError(f"divisor {divisor} is below 1")
        self._move(seq_id, start, end, lambda position: position // divisor, allow_equal=True)

    def position_max(self, seq_id: int) -> int:
        """Highest position, -1 if empty."""
        cells = self._memory.cells(seq_id)
        return cells[-1].position if cells else -1

    def token_bytes(self, token: int) -> bytes:
        """The byte itself; nothing for the special tokens."""
        return bytes([token]) if token < 256 else b""

    def grammar(self, text: str) -> ScriptedGrammar:
        """A grammar of literals; counted in ``open_grammars`` until it is closed."""
        grammar = ScriptedGrammar(text, n_vocab=N_VOCAB, eos=EOS, on_close=self._forget_grammar)
        self.open_grammars += 1
        return grammar

    def _forget_grammar(self) -> None:
        self.open_grammars -= 1

    def _append(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        self._rows = {}
        self._raise_planned_failure()
        self._check(segments, n_filler)
        n_tokens = sum(len(segment.tokens) for segment in segments) + n_filler
        if n_tokens > self._memory.free:
            raise CacheFull
        for segment in segments:
            self._memory.append(segment.seq_id, segment.position, segment.tokens)
        self.decoded.append(tuple(segments))
        self._spend(n_tokens)

    def _raise_planned_failure(self) -> None:
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error

    def _spend(self, n_tokens: int) -> None:
        if self._clock is not None:
            self._clock.advance(self._step_s + self._token_s * n_tokens)

    def _move(self, seq_id: int, start: int, end: int, change: Callable[[int], int], *, allow_equal: bool) -> None:
        if not self._info.can_shift:
            raise ValueError("this model cannot move positions")
        self._memory.move(seq_id, start, end, change, allow_equal=allow_equal)

    def _check(self, segments: Iterable[Segment], n_filler: int) -> None:
        segments = list(segments)
        if not self._info.can_generate:
            raise DecodeFailed("this model only encodes")
        if sum(len(segment.tokens) for segment in segments) + n_filler > self._info.n_batch:
            raise DecodeFailed(f"more than {self._info.n_batch} tokens in one call")
        if sum(segment.n_logits for segment in segments) > self._info.n_logits:
            raise DecodeFailed(f"the logits of more than {self._info.n_logits} tokens in one call")
        seen: set[int] = set()
        for segment in segments:
            if segment.seq_id in seen or not 0 <= segment.seq_id < self._info.n_seq_max:
                raise DecodeFailed(f"sequence {segment.seq_id} is repeated or out of range")
            seen.add(segment.seq_id)
            if segment.position != self.position_max(segment.seq_id) + 1:
                raise DecodeFailed(f"sequence {segment.seq_id} does not continue at {segment.position}")
            if not 0 <= segment.n_logits <= len(segment.tokens):
                raise DecodeFailed(f"sequence {segment.seq_id} has no {segment.n_logits} tokens for logits")
            if not segment.tokens or not all(0 <= token < N_VOCAB for token in segment.tokens):
                raise DecodeFailed(f"sequence {segment.seq_id} has no tokens, or ids outside the vocabulary")


def _pooled(rows: Rows, pooling: Pooling) -> Rows:
    by_pooling: dict[Pooling, Rows] = {
        Pooling.LAST: rows[-1],
        Pooling.CLS: rows[0],
        Pooling.MEAN: rows.mean(axis=0),
    }
    return by_pooling[pooling]
