"""What the engine asks of a model, in facets: parts of the engine ask for those that they need.

A ``CausalModel`` computes logits and hidden states (``Compute``) of sequences that it holds in a KV cache (``Memory``);
an ``EncoderModel`` turns whole inputs into embeddings (``Encoder``) and holds nothing. Two implementations obey
``tests/contract``: llama.cpp and the scripted model.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from service.config import Pooling
    from service.engine.request.media import MediaChunk, MediaRow
    from service.model_facts import AdapterInfo
    from service.sampling.grammar import Grammar

Logits = npt.NDArray[np.float32]
#: Hidden states or embeddings: one row of ``n_embd`` components each.
Rows = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """Facts about a loaded model and its context.

    Attributes:
        n_vocab: tokens in the vocabulary.
        n_cells: KV cells shared by all sequences.
        n_batch: most tokens of one ``decode`` call.
        n_logits: most tokens of one ``decode`` call whose logits can be wanted; one for each sequence at least.
        n_seq_max: sequence ids are 0 to ``n_seq_max - 1``; of an encoder, the most inputs of one ``encode`` call.
        n_embd: length of a hidden state, and of an embedding.
        n_hidden: most tokens of one ``hidden`` call, or of one ``encode`` call; 0 if this model gives no embeddings.
        pooling: how embeddings are made.
        scores_are_probabilities: whether what ``Pooling.RANK`` gives is from 0 to 1.
        can_generate: whether this is a ``CausalModel``, not an ``EncoderModel``.
        n_ctx_train: context the model was trained with, in tokens.
        eog_tokens: end-of-generation tokens.
        nl_token: the newline token, or -1.
        bos_token: the token that the model wants in front of every prompt, or -1 if it wants none.
        can_shift: whether ``shift`` and ``divide`` are possible.
        can_cut: whether ``remove`` can always remove the last tokens of a sequence.
        n_embd_input: length of a row of media; 0 if the model takes none.
        has_grid: whether rows of media have positions in time, y and x; positions of such a model cannot shift.
        n_whole: most rows of media that can be evaluated without causality, in one ``decode_media`` call.
        sequence_format: in words, all that a packed sequence depends on: the model, and how its memory stores cells.
            Models of the same one can exchange what ``Memory.pack`` gives; if it is empty, there is no such exchange.
        adapters: LoRA adapters, whose scales can change.
        adapter_scales: with which the model begins, one for each.
    """

    n_vocab: int
    n_cells: int
    n_batch: int
    n_logits: int
    n_seq_max: int
    n_embd: int
    n_hidden: int
    pooling: Pooling
    can_generate: bool
    n_ctx_train: int
    eog_tokens: frozenset[int]
    nl_token: int
    bos_token: int
    can_shift: bool
    can_cut: bool
    n_embd_input: int = 0
    has_grid: bool = False
    n_whole: int = 0
    scores_are_probabilities: bool = False
    sequence_format: str = ""
    adapters: tuple[AdapterInfo, ...] = ()
    adapter_scales: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Segment:
    """Consecutive tokens of one sequence for one ``decode`` call.

    Attributes:
        seq_id: the sequence.
        position: position of the first token; must be one more than the sequence's highest position so far, or right
            behind the chunk if that ends with one of media that has a grid.
        tokens: token ids; at least one.
        n_logits: the logits after so many of the last tokens are wanted.
    """

    seq_id: int
    position: int
    tokens: Sequence[int]
    n_logits: int


@dataclass(frozen=True, slots=True, eq=False)
class MediaSegment:
    """Consecutive rows of one chunk of media of one sequence, for one ``decode_media`` call.

    Attributes:
        seq_id: the sequence.
        position: of the chunk: that of its first row without a grid, and with one what the grid is relative to. For the
            first rows of a chunk it is what ``Segment.position`` would be.
        chunk: the chunk.
        start: number of the first row; those before it were evaluated in earlier calls.
        n_rows: how many; at least one, and all of the chunk if it is not causal.
        wants_logits: whether the logits after the last row are wanted.
    """

    seq_id: int
    position: int
    chunk: MediaChunk
    start: int
    n_rows: int
    wants_logits: bool = False

    @property
    def items(self) -> tuple[MediaRow, ...]:
        """What the sequence holds of it afterwards."""
        return self.chunk.items[self.start : self.start + self.n_rows]

    @property
    def rows(self) -> Rows:
        """What is evaluated: float32, shape (n_rows, n_embd_input), contiguous."""
        rows: Rows = self.chunk.rows[self.start : self.start + self.n_rows]
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class SavedSequence:
    """A copy of what a sequence holds, outside of the KV cache.

    Attributes:
        n_cells: cells that it takes once it is restored.
        n_bytes: memory that it takes meanwhile.
        contents: known to the model that made it, and to nobody else.
    """

    n_cells: int
    n_bytes: int
    contents: object


class CacheFull(Exception):
    """There is no room in the KV cache. Nothing was changed."""


class Interrupted(Exception):
    """``decode`` was ended before all was evaluated. Nothing was changed."""


class DecodeFailed(Exception):
    """``decode`` failed. What the sequences of the batch hold is unknown: remove them."""


class Compute(Protocol):
    """Evaluates tokens of sequences, and appends them to what the ``Memory`` holds. Belongs to the model's thread."""

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Scale the model's LoRA adapters, from the next call on; 0 leaves one out.

        Args:
            scales: one for each of ``info.adapters``, within their bounds.
        """

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Evaluate the segments in one call and append them to their sequences.

        With ``n_filler`` so many tokens more are evaluated and forgotten, for kernels that are faster for larger
        batches; they count like others while the call lasts.

        At most ``info.n_batch`` tokens in all, ``info.n_logits`` of them with logits; each sequence appears at most
        once.

        Raises:
            CacheFull: no room; nothing was changed.
            Interrupted: it was ended early, as ``Interruption`` allows; nothing was changed.
            DecodeFailed: anything else; the sequences of the batch must be removed.
        """

    def decode_media(self, segments: Sequence[MediaSegment]) -> None:
        """Evaluate rows of media in one call, and append them to their sequences, a cell for each.

        At most ``info.n_batch`` rows in all; each sequence appears at most once. A chunk that is not causal is alone in
        its call, and has at most ``info.n_whole`` rows. ``logits`` and ``all_logits`` then have a row for each segment
        that wants logits.

        Raises:
            CacheFull: no room; nothing was changed.
            DecodeFailed: anything else; the sequences of the call must be removed.
        """

    def hidden_media(self, segments: Sequence[MediaSegment]) -> Rows:
        """Evaluate rows of media like ``decode_media``, for the states behind the last layer, as ``hidden`` does.

        At most ``info.n_hidden`` rows in all; ``wants_logits`` is ignored. ``logits`` has nothing afterwards.

        Returns:
            One row of ``info.n_embd`` per row of media, in the order of the segments; a copy. Not scaled.

        Raises:
            CacheFull, DecodeFailed: as ``decode_media`` does.
        """

    def logits(self, index: int, row: int = 0) -> Logits:
        """Logits that segment ``index`` of the last ``decode`` wanted: float32, shape (n_vocab,), writable.

        Row 0 is that behind the first of the tokens whose logits were wanted. Valid until the next ``decode``.

        Raises:
            ValueError: there is no such row.
        """

    def all_logits(self) -> Logits:
        """All rows that the last ``decode`` wanted: float32, shape (rows, n_vocab), contiguous and writable.

        In the order of the segments and of their tokens. Valid until the next ``decode``.
        """

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Evaluate the segments like ``decode``, for the states behind the last layer instead of logits.

        At most ``info.n_hidden`` tokens in all; ``n_logits`` is ignored. ``logits`` has nothing afterwards.

        Returns:
            One row per token, in the order of the segments and of their tokens; a copy. Not scaled.

        Raises:
            CacheFull, DecodeFailed: as ``decode`` does.
        """


class Interruption(Protocol):
    """Lets another thread end a call of ``Compute.decode`` before all of it is evaluated."""

    def request(self) -> None:
        """End the call that runs, if it may be ended, and those to come, until ``clear``; any thread."""

    def clear(self) -> None:
        """Let calls be evaluated to their end again; any thread."""

    def allowed(self) -> AbstractContextManager[None]:
        """Calls of ``decode`` within this may be ended: they raise ``Interrupted`` then. Belongs to the model's thread.

        A call that could not be taken back may be evaluated to its end all the same.
        """


class Memory(Protocol):
    """The KV cache, in which each sequence holds cells. Belongs to the model's thread.

    A cell holds one token, or one row of media, at one position. Rows of a chunk with a grid all are at the position of
    the chunk, and what follows is ``MediaChunk.n_positions`` behind that. Sequences may share cells after ``fork``; a
    shared cell counts once, and its position cannot be changed for one of them alone.
    """

    @property
    def cells_free(self) -> int:
        """Cells that no sequence holds."""

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions ``start`` to ``end - 1`` of a sequence; ``end`` -1 is open.

        Shared cells stay with the other sequences.

        Returns False, having changed nothing, if this model cannot remove a part of a sequence. Removing a whole
        sequence (0, -1) always succeeds.
        """

    def fork(self, source: int, target: int, end: int) -> bool:
        """Let the sequence ``target`` share the positions 0 to ``end - 1`` of ``source``; takes no cells.

        ``target`` may hold positions from ``end`` on, and none below.

        Returns False, having changed nothing, if this model cannot share a part of a sequence.

        Raises:
            ValueError: ``target`` holds a position below ``end`` or is ``source``; ``source`` has none before ``end``.
        """

    def unshare(self, seq_id: int) -> None:
        """Give a sequence cells of its own for all that it shares, with the same contents.

        Raises:
            CacheFull: fewer cells are free than it shares; nothing was changed.
            DecodeFailed: the sequence was lost and is empty now.
        """

    def save(self, seq_id: int) -> SavedSequence:
        """Copy what a sequence holds to memory outside of the cache; the sequence stays as it is.

        Raises:
            DecodeFailed: it cannot be copied; the sequence is unchanged.
        """

    def restore(self, seq_id: int, saved: SavedSequence) -> None:
        """Give the empty sequence ``seq_id`` what a sequence of this model held; all cells are its own.

        Raises:
            ValueError: ``seq_id`` is not empty.
            CacheFull: fewer than ``saved.n_cells`` cells are free; nothing was changed.
            DecodeFailed: it cannot be restored; the sequence is empty.
        """

    def pack(self, saved: SavedSequence) -> list[memoryview]:
        """What was saved as bytes, one buffer after the other, for a file; not a copy."""

    def unpack(self, packed: memoryview) -> SavedSequence:
        """What was packed by a model of the same ``info.sequence_format``; refers to the buffer.

        Raises:
            ValueError: the bytes are not what ``pack`` gives.
        """

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Add ``delta`` to the positions ``start`` to ``end - 1``; only if ``info.can_shift``.

        Raises:
            ValueError: the model cannot shift, a position is shared with another sequence, or it would become
                negative, that of another token, or leave the order of the tokens. Nothing was changed.
        """

    def divide(self, seq_id: int, start: int, end: int, divisor: int) -> None:
        """Divide the positions ``start`` to ``end - 1`` by ``divisor``, rounding down; only if ``info.can_shift``.

        Afterwards several tokens may have the same position.

        Raises:
            ValueError: as ``shift`` does, but for positions that become equal; or the divisor is below 1.
        """

    def position_max(self, seq_id: int) -> int:
        """Highest position of a sequence, or -1 if it is empty."""


class Vocabulary(Protocol):
    """What the engine needs of a model's tokens."""

    def token_bytes(self, token: int) -> bytes:
        """Bytes of a token, empty for control tokens; any thread."""

    def grammar(self, text: str) -> Grammar:
        """A new grammar, at its beginning; to be closed before the model. Belongs to the model's thread.

        Args:
            text: GBNF; every model understands ``root ::= "yes" | "no"`` at least.

        Raises:
            GrammarError: the grammar cannot be used.
        """


class Encoder(Protocol):
    """Evaluates whole inputs and keeps nothing of them. Belongs to the model's thread."""

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Scale the model's LoRA adapters, from the next call on; 0 leaves one out.

        Args:
            scales: one for each of ``info.adapters``, within their bounds.
        """

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """The embeddings of whole inputs.

        At most ``info.n_hidden`` tokens in all, ``info.n_seq_max`` inputs, none of them empty.

        Returns:
            One row per input, or with ``Pooling.NONE`` one per token of all inputs in order; a copy. Not scaled.

        Raises:
            DecodeFailed: the inputs cannot be evaluated.
        """


@runtime_checkable
class CausalModel(Protocol):
    """A model that predicts the next token of sequences."""

    @property
    def info(self) -> ModelInfo:
        """Facts that never change; any thread."""

    @property
    def vocabulary(self) -> Vocabulary:
        """The tokens."""

    @property
    def compute(self) -> Compute:
        """The computation."""

    @property
    def memory(self) -> Memory:
        """The sequences."""

    @property
    def interruption(self) -> Interruption | None:
        """Ends calls early; None if those of this model cannot be ended."""

    @property
    def draft(self) -> CausalModel | None:
        """A smaller model whose first tokens are this one's, for guesses; None if there is none. Can take back tokens.

        It has a sequence for each slot, with the same number.
        """


@runtime_checkable
class EncoderModel(Protocol):
    """A model that only makes embeddings."""

    @property
    def info(self) -> ModelInfo:
        """Facts that never change; any thread."""

    @property
    def encoder(self) -> Encoder:
        """The computation."""


LanguageModel = CausalModel | EncoderModel
