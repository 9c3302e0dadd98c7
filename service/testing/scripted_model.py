"""A model without weights, whose next token follows from what is in its memory, in virtual time.

It obeys the contract of ``service.engine.language_model`` strictly: whatever the engine gets wrong about positions,
cells or sequences changes the text or raises. So scheduling, faults and scale are tested in milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from service.config import Pooling
from service.engine.language_model import (
    CacheFull,
    DecodeFailed,
    Interrupted,
    Logits,
    MediaSegment,
    ModelInfo,
    Rows,
    Segment,
)
from service.testing.scripted_grammar import ScriptedGrammar
from service.testing.scripted_interruption import ScriptedInterruption
from service.testing.scripted_media import check_segment, row_number
from service.testing.scripted_memory import SAVED_BYTES, ScriptedMemory

if TYPE_CHECKING:
    from service.model_facts import AdapterInfo

#: Tokens 0 to 255 are the bytes; then come the special ones.
BOS, EOS = 256, 257
N_VOCAB = 258
#: Logit of the scripted token; all others are 0, so that it is practically certain.
CERTAIN = 50.0
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
    """The hidden states of a sequence: each depends on all tokens, or numbers of rows, up to its own.

    Shape (tokens, N_EMBD).
    """
    rows = np.empty((len(tokens), N_EMBD), np.float32)
    state = 7
    for row, token in zip(rows, tokens, strict=True):
        state = (state * 31 + token + 1) % 1_000_003
        row[:] = [state % (97 + component) - 48 for component in range(N_EMBD)]
    return rows


def moved_token(token: int, scales: Sequence[float]) -> int:
    """What adapters make of the script's token: each moves it by ten times its scale, within the lower-case letters."""
    n_moved = sum(round(10 * scale) for scale in scales)
    return ord("a") + (token - ord("a") + n_moved) % 26 if n_moved else token


class ScriptedCompute:
    """The ``Compute`` facet.

    Args:
        info: facts about the model.
        memory: what it appends to.
        script: gives the next token from the tokens in a sequence's memory, and the numbers of its rows of media.
        clock: advanced by each call; None for no time at all.
        step_s, token_s: cost of a call and of each token or row in it, in seconds.

    Attributes:
        decoded: the segments of each call with tokens so far.
        decoded_media: the same of calls with rows of media.
        fail_next: raised by the next call in place of doing anything, once.
        interruption: ends calls early; None if they cannot be ended.
    """

    def __init__(
        self,
        info: ModelInfo,
        memory: ScriptedMemory,
        script: Script,
        clock: VirtualClock | None,
        step_s: float,
        token_s: float,
    ) -> None:
        self.decoded: list[tuple[Segment, ...]] = []
        self.decoded_media: list[tuple[MediaSegment, ...]] = []
        self.fail_next: Exception | None = None
        self.interruption: ScriptedInterruption | None = None
        self._info = info
        self._memory = memory
        self._script = script
        self._clock = clock
        self._step_s = step_s
        self._token_s = token_s
        self._rows: dict[tuple[int, int], Logits] = {}
        self._scales: Sequence[float] = ()
        self._adapters = 0
        self.use_adapters(info.adapter_scales)

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Let ``moved_token`` change the script's tokens."""
        self._scales = scales
        self._adapters = hash(tuple(scales)) if any(scales) else 0

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Append the segments."""
        self._append(segments, n_filler)
        for index, segment in enumerate(segments):
            tokens = self._memory.tokens(segment.seq_id)
            for row in range(segment.n_logits):
                self._rows[index, row] = self._certain(tokens[: len(tokens) - segment.n_logits + row + 1])

    def decode_media(self, segments: Sequence[MediaSegment]) -> None:
        """Append the rows."""
        self._append_media(segments, self._info.n_batch)
        for index, segment in enumerate(segments):
            if segment.wants_logits:
                self._rows[index, 0] = self._certain(self._memory.tokens(segment.seq_id))

    def hidden_media(self, segments: Sequence[MediaSegment]) -> Rows:
        """Append the rows; their states."""
        self._append_media(segments, self._info.n_hidden)
        return np.concatenate([states(self._memory.tokens(part.seq_id))[-part.n_rows :] for part in segments])

    def _certain(self, tokens: Sequence[int]) -> Logits:
        """Logits with which the script's token is as good as certain."""
        logits = np.zeros(N_VOCAB, np.float32)
        logits[moved_token(self._script(tokens), self._scales)] = CERTAIN
        return logits

    def logits(self, index: int, row: int = 0) -> Logits:
        """A row of a segment of the last ``decode`` or ``decode_media``."""
        if (index, row) not in self._rows:
            raise ValueError(f"segment {index} has no row {row}")
        return self._rows[index, row]

    def all_logits(self) -> Logits:
        """Copies of all rows of the last ``decode`` or ``decode_media``."""
        return (
            np.stack([self.logits(*place) for place in self._rows])
            if self._rows
            else np.empty((0, N_VOCAB), np.float32)
        )

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Append the segments; the states of their tokens."""
        if sum(len(segment.tokens) for segment in segments) > self._info.n_hidden:
            raise DecodeFailed(f"more than {self._info.n_hidden} tokens in one call")
        self._append(segments)
        return np.concatenate([states(self._memory.tokens(part.seq_id))[-len(part.tokens) :] for part in segments])

    def _append(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        self._begin()
        self._check(segments, n_filler)
        n_tokens = sum(len(segment.tokens) for segment in segments) + n_filler
        if n_tokens > self._memory.cells_free:
            raise CacheFull
        self._end_early(self._step_s + self._token_s * n_tokens)
        for segment in segments:
            self._memory.append(segment.seq_id, segment.position, segment.tokens, self._adapters)
        self.decoded.append(tuple(segments))
        _spend(self._clock, self._step_s + self._token_s * n_tokens)

    def _end_early(self, call_s: float) -> None:
        """End a call that would take so many seconds, if somebody wants that meanwhile."""
        if self.interruption is None or self._clock is None:
            return
        ended_s = self.interruption.ends(self._clock(), call_s)
        if ended_s is not None:
            _spend(self._clock, ended_s)
            raise Interrupted

    def _append_media(self, segments: Sequence[MediaSegment], most: int) -> None:
        self._begin()
        n_rows = sum(part.n_rows for part in segments)
        if n_rows > most:
            raise DecodeFailed(f"more than {most} rows in one call")
        if len({part.seq_id for part in segments}) < len(segments):
            raise DecodeFailed("a sequence is repeated")
        for part in segments:
            check_segment(self._info, part, n_parts=len(segments))
            self._check_place(part)
        if n_rows > self._memory.cells_free:
            raise CacheFull
        for part in segments:
            cells = [(row_number(item.key, item.number), item.n_positions) for item in part.items]
            self._memory.append_media(part.seq_id, self._memory.next_position(part.seq_id), cells, self._adapters)
        self.decoded_media.append(tuple(segments))
        _spend(self._clock, self._step_s + self._token_s * n_rows)

    def _begin(self) -> None:
        """Forget the logits of the call before; fail if that is planned."""
        self._rows = {}
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error

    def _check_place(self, part: MediaSegment) -> None:
        """A segment goes on where its sequence ends, behind the earlier rows of the same chunk."""
        if not 0 <= part.seq_id < self._info.n_seq_max:
            raise DecodeFailed(f"sequence {part.seq_id} is out of range")
        self._check_adapters(part.seq_id)
        cells = self._memory.cells(part.seq_id)
        before = cells[len(cells) - part.start :]
        if [cell.token for cell in before] != [row_number(part.chunk.key, row) for row in range(part.start)]:
            raise DecodeFailed(f"sequence {part.seq_id} does not end with the first {part.start} rows of the chunk")
        first = before[0].position if before else self._memory.next_position(part.seq_id)
        if part.position != first:
            raise DecodeFailed(f"the chunk of sequence {part.seq_id} is at {first}, not at {part.position}")

    def _check_adapters(self, seq_id: int) -> None:
        """All that a sequence holds was evaluated with the scales of adapters that it goes on with."""
        if any(cell.adapters != self._adapters for cell in self._memory.cells(seq_id)):
            raise DecodeFailed(f"sequence {seq_id} holds what was evaluated with other scales of adapters")

    def _check(self, segments: Sequence[Segment], n_filler: int) -> None:
        if sum(len(segment.tokens) for segment in segments) + n_filler > self._info.n_batch:
            raise DecodeFailed(f"more than {self._info.n_batch} tokens in one call")
        if sum(segment.n_logits for segment in segments) > self._info.n_logits:
            raise DecodeFailed(f"the logits of more than {self._info.n_logits} tokens in one call")
        seen: set[int] = set()
        for segment in segments:
            if segment.seq_id in seen or not 0 <= segment.seq_id < self._info.n_seq_max:
                raise DecodeFailed(f"sequence {segment.seq_id} is repeated or out of range")
            seen.add(segment.seq_id)
            if segment.position != self._memory.next_position(segment.seq_id):
                raise DecodeFailed(f"sequence {segment.seq_id} does not continue at {segment.position}")
            self._check_adapters(segment.seq_id)
            if not 0 <= segment.n_logits <= len(segment.tokens):
                raise DecodeFailed(f"sequence {segment.seq_id} has no {segment.n_logits} tokens for logits")
            if not segment.tokens or not all(0 <= token < N_VOCAB for token in segment.tokens):
                raise DecodeFailed(f"sequence {segment.seq_id} has no tokens, or ids outside the vocabulary")


class ScriptedVocabulary:
    """The ``Vocabulary`` facet: bytes, and two control tokens.

    Attributes:
        open_grammars: grammars that were made and not closed.
    """

    def __init__(self) -> None:
        self.open_grammars = 0

    def token_bytes(self, token: int) -> bytes:
        """The byte itself; nothing for the control tokens."""
        return bytes([token]) if token < 256 else b""

    def grammar(self, text: str) -> ScriptedGrammar:
        """A grammar of literals."""
        grammar = ScriptedGrammar(text, n_vocab=N_VOCAB, eos=EOS, on_close=self._forget_grammar)
        self.open_grammars += 1
        return grammar

    def _forget_grammar(self) -> None:
        self.open_grammars -= 1


class ScriptedModel:
    """A ``CausalModel`` over bytes.

    Args:
        n_cells: KV cells.
        n_seq_max: number of sequences.
        n_batch: most tokens of one ``decode``.
        n_logits: most of them whose logits can be wanted; not fewer than there are sequences.
        n_hidden: most tokens of one ``hidden``.
        script: gives the next token from the tokens in a sequence's memory, and the numbers of its rows of media.
        clock: advanced by each call of the model; None for no time at all.
        step_s, token_s: cost of such a call and of each token in it, in seconds.
        saved_bytes: size of a token in a saved sequence.
        pooling: how embeddings are made.
        can_shift, can_cut, can_fork, can_interrupt: abilities that some real models lack.
        n_embd_input: length of a row of media, 0 to take none.
        has_grid: whether rows have positions in time, y and x; such a model cannot shift.
        n_whole: most rows that can be evaluated without causality.
        draft: a smaller model, for guesses.
        adapters: LoRA adapters; all are left out at first.

    Attributes:
        compute_type, memory_type: kinds of the facets; for tests that need others.
    """

    compute_type: type[ScriptedCompute] = ScriptedCompute
    memory_type: type[ScriptedMemory] = ScriptedMemory

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
        can_shift: bool = True,
        can_cut: bool = True,
        can_fork: bool = True,
        can_interrupt: bool = False,
        n_embd_input: int = 0,
        has_grid: bool = False,
        n_whole: int = 0,
        draft: ScriptedModel | None = None,
        adapters: tuple[AdapterInfo, ...] = (),
    ) -> None:
        self.draft = draft
        can_shift = can_shift and not has_grid
        self.info = ModelInfo(
            n_vocab=N_VOCAB,
            n_cells=n_cells,
            n_batch=n_batch,
            n_logits=max(n_logits, n_seq_max),
            n_seq_max=n_seq_max,
            n_embd=N_EMBD,
            n_hidden=n_hidden,
            pooling=pooling,
            can_generate=True,
            n_ctx_train=n_cells,
            eog_tokens=frozenset({EOS}),
            nl_token=ord("\n"),
            bos_token=BOS,
            can_shift=can_shift,
            can_cut=can_cut,
            n_embd_input=n_embd_input,
            has_grid=has_grid,
            n_whole=n_whole,
            sequence_format="scripted",
            adapters=adapters,
            adapter_scales=(0.0,) * len(adapters),
        )
        self.memory = self.memory_type(
            n_cells, n_seq_max, saved_bytes=saved_bytes, can_shift=can_shift, can_cut=can_cut, can_fork=can_fork
        )
        self.compute = self.compute_type(self.info, self.memory, script, clock, step_s, token_s)
        self.vocabulary = ScriptedVocabulary()
        self.interruption = self.compute.interruption = ScriptedInterruption() if can_interrupt else None


class ScriptedEncoder:
    """The ``Encoder`` facet; ``ScriptedCompute`` says what the arguments and ``fail_next`` are."""

    def __init__(self, info: ModelInfo, clock: VirtualClock | None, step_s: float, token_s: float) -> None:
        self.fail_next: Exception | None = None
        self._info = info
        self._clock = clock
        self._step_s = step_s
        self._token_s = token_s
        self._growth = 0.0

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Let states grow by the sum of the scales."""
        self._growth = sum(scales)

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """The pooled states of whole inputs."""
        if self.fail_next is not None:
            error, self.fail_next = self.fail_next, None
            raise error
        n_tokens = sum(map(len, inputs))
        if not inputs or not all(inputs):
            raise DecodeFailed("only non-empty inputs can be encoded")
        if n_tokens > self._info.n_hidden or len(inputs) > self._info.n_seq_max:
            raise DecodeFailed(f"{n_tokens} tokens or {len(inputs)} inputs are too many for one call")
        _spend(self._clock, self._step_s + self._token_s * n_tokens)
        rows = np.concatenate([_pooled(states(tokens), self._info.pooling) for tokens in inputs])
        return rows * np.float32(1 + self._growth)


class ScriptedEncoderModel:
    """An ``EncoderModel`` over bytes, whose states are those of the ``ScriptedModel``.

    Args:
        n_inputs: most inputs of one ``encode``.
        n_hidden: most tokens of one ``encode``, and of an input.
        clock, step_s, token_s, pooling, adapters: as of ``ScriptedModel``.
    """

    def __init__(
        self,
        *,
        n_inputs: int = 4,
        n_hidden: int = 32,
        clock: VirtualClock | None = None,
        step_s: float = 0.010,
        token_s: float = 0.005,
        pooling: Pooling = Pooling.LAST,
        adapters: tuple[AdapterInfo, ...] = (),
    ) -> None:
        self.info = ModelInfo(
            n_vocab=N_VOCAB,
            n_cells=n_hidden,
            n_batch=n_hidden,
            n_logits=0,
            n_seq_max=n_inputs,
            n_embd=N_EMBD,
            n_hidden=n_hidden,
            pooling=pooling,
            can_generate=False,
            n_ctx_train=n_hidden,
            eog_tokens=frozenset({EOS}),
            nl_token=ord("\n"),
            bos_token=BOS,
            can_shift=False,
            can_cut=False,
            adapters=adapters,
            adapter_scales=(0.0,) * len(adapters),
        )
        self.encoder = ScriptedEncoder(self.info, clock, step_s, token_s)


def _spend(clock: VirtualClock | None, seconds: float) -> None:
    if clock is not None:
        clock.advance(seconds)


def _pooled(rows: Rows, pooling: Pooling) -> Rows:
    by_pooling: dict[Pooling, Rows] = {
        Pooling.NONE: rows,
        Pooling.LAST: rows[-1:],
        Pooling.CLS: rows[:1],
        Pooling.MEAN: rows.mean(axis=0, keepdims=True),
    }
    return by_pooling[pooling]
