"""A llama.cpp context: the computation, and the KV cache. Refuses in Python what would abort the process in C."""

from __future__ import annotations

import ctypes
import os
from typing import TYPE_CHECKING, Any

import numpy as np

from service.engine.language_model import CacheFull, DecodeFailed, Interrupted, Logits, MediaSegment, Rows, Segment
from service.llama.context.batch import Batch
from service.llama.context.interruption import ABORTED, ContextInterruption
from service.llama.context.kv_cache import KvCache
from service.llama.context.media_rows import MediaBatch, RowLimits, check_chunk, check_place
from service.llama.context.params import context_params
from service.llama.host.devices import may_compute_on_gpu
from service.llama.host.memory import count_hidden, count_outputs
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import ModelConfig
    from service.llama.context.weights import Weights
    from service.llama.host.library import Pointer

_NO_ROOM = 1
_POOLING_NONE = 0


class Context:
    """A ``Compute`` whose sequences share a KV cache. Belongs to one thread: OpenMP's threads belong to their caller.

    Use as a context manager, or call ``close``; close it before the weights.

    Args:
        weights: the model.
        config: its options; checked.
        n_cells: cells that may be used.

    Attributes:
        kv: the cache.
        interruption: ends calls early; None if parts of calls cannot be taken back, or other devices may compute.
        row_limits: what rows of media can be evaluated.
        pointer: the library's context, 0 once it is closed.

    Raises:
        ModelLoadError: the library refuses the options, or lacks memory.
    """

    def __init__(self, weights: Weights, config: ModelConfig, n_cells: int) -> None:
        library = weights.library
        self._short = library.short
        self._decode = library.api.llama_decode
        self._free = library.api.llama_free
        self.pointer, memory = _create(weights, config, n_cells)
        self.n_cells = n_cells
        self.n_batch = int(library.api.llama_n_batch(self.pointer))
        self.n_logits = count_outputs(config)
        self.n_seq_max = config.n_seq_max
        self.n_embd = int(library.api.llama_model_n_embd_out(weights.pointer))
        self.n_hidden = count_hidden(config)
        self.n_threads = int(library.api.llama_n_threads(self.pointer))
        n_swa = max(0, library.api.llama_model_n_swa(weights.pointer))
        self.can_shift = _can_shift(weights, config, memory)
        self.kv = KvCache(
            library,
            self.pointer,
            memory,
            n_cells=n_cells,
            n_seq_max=self.n_seq_max,
            n_swa=n_swa,
            can_shift=self.can_shift,
            apply_moves=self._apply_moves,
        )
        n_vocab = weights.vocabulary.n_vocab
        self._n_vocab = n_vocab
        self._batch = Batch(library, self.n_batch, n_vocab)
        n_ubatch = int(library.api.llama_n_ubatch(self.pointer))
        self.row_limits = RowLimits(weights.n_embd_input, weights.has_grid, min(self.n_batch, n_ubatch))
        self._library = library
        self._adapters = weights.adapters
        self.interruption: ContextInterruption | None = None
        self._media_batch: MediaBatch | None = None
        # For each segment its first row and how many it has.
        self._outputs: list[tuple[int, int]] = []
        self._n_rows = 0
        self._matrix: Logits | None = None
        self._matrices: dict[tuple[int, int], Logits] = {}
        try:
            self._adapters.apply_to(self.pointer)
            self._warm_up(weights)
            # What a sliding window has left behind may be gone, so a sequence cannot always be cut back to it.
            self.can_cut = self.kv.can_cut and not n_swa
            if self.can_cut and not may_compute_on_gpu(config.n_gpu_layers):
                self.interruption = ContextInterruption(library, self.pointer)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context. May be called again."""
        if self.pointer:
            pointer, self.pointer = self.pointer, 0
            self._forget_outputs()
            self._matrices = {}
            self.kv.close()
            self._free(pointer)

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Scale LoRA adapters; the contract is ``Compute.use_adapters``."""
        self._adapters.apply_to(self.pointer, scales)

    def decode(self, segments: Sequence[Segment], n_filler: int = 0) -> None:
        """Evaluate segments; the contract is ``Compute.decode``."""
        # The library computes the keys of moved tokens first, and would not notice that it did not get to the end.
        if self._may_end_early and not self.kv.has_pending_moves:
            assert self.interruption is not None
            with self.interruption.asked():
                self._evaluate(segments, self.n_batch, n_filler=n_filler)
        else:
            self._evaluate(segments, self.n_batch, n_filler=n_filler)
        n_rows = 0
        for segment in segments:
            self._outputs.append((n_rows, segment.n_logits))
            n_rows += segment.n_logits
        self._n_rows = n_rows

    @property
    def _may_end_early(self) -> bool:
        """Whether the caller allows that a call is ended."""
        return self.interruption is not None and self.interruption.is_allowed

    def decode_media(self, segments: Sequence[MediaSegment]) -> None:
        """Evaluate rows of media; the contract is ``Compute.decode_media``."""
        self._evaluate_media(segments, self.n_batch)
        for segment in segments:
            self._outputs.append((self._n_rows, int(segment.wants_logits)))
            self._n_rows += segment.wants_logits

    def hidden(self, segments: Sequence[Segment]) -> Rows:
        """Evaluate segments for their hidden states; the contract is ``Compute.hidden``."""
        last_indices = self._evaluate(segments, self.n_hidden, every_output=True)
        return self._hidden_rows(last_indices[-1] + 1)

    def hidden_media(self, segments: Sequence[MediaSegment]) -> Rows:
        """Evaluate rows of media for their hidden states; the contract is ``Compute.hidden_media``."""
        return self._hidden_rows(self._evaluate_media(segments, self.n_hidden, every_output=True))

    def _hidden_rows(self, n_items: int) -> Rows:
        """A copy of the hidden states that the last call has computed."""
        # One row after the other, in the order of the batch.
        address = self._short.get_embeddings_ith(self.pointer, 0)
        if not address:
            raise DecodeFailed("llama.cpp has no hidden states for the batch")
        rows = np.ctypeslib.as_array((ctypes.c_float * (n_items * self.n_embd)).from_address(address))
        return rows.reshape(n_items, self.n_embd).copy()

    def logits(self, index: int, row: int = 0) -> Logits:
        """A row of a segment; the contract is ``Compute.logits``."""
        first, n_logits = self._outputs[index] if 0 <= index < len(self._outputs) else (0, 0)
        if not 0 <= row < n_logits:
            raise ValueError(
                f"segment {index} has no row {row}: the last decode had {len(self._outputs)} segments, and this one "
                f"wanted the logits of {n_logits} tokens"
            )
        logits: Logits = self.all_logits()[first + row]
        return logits

    def all_logits(self) -> Logits:
        """All rows; the contract is ``Compute.all_logits``."""
        if self._matrix is None:
            self._matrix = self._view_logits() if self._n_rows else np.empty((0, self._n_vocab), np.float32)
        return self._matrix

    def _view_logits(self) -> Logits:
        """The library's rows, which lie in the order of the batch, without a copy."""
        n_rows = self._n_rows
        # Counted from the end; asking for one row also lets the library put them into order.
        address = self._short.get_logits_ith(self.pointer, -n_rows)
        if not address:
            raise DecodeFailed(f"llama.cpp has no logits for the last {n_rows} rows of the batch")
        matrix = self._matrices.get((address, n_rows))
        if matrix is None:
            # They repeat from step to step, and a new view costs more than all else here.
            if len(self._matrices) > self.n_seq_max:
                self._matrices.clear()
            row_type = ctypes.c_float * self._n_vocab
            matrix = self._matrices[address, n_rows] = np.ctypeslib.as_array((row_type * n_rows).from_address(address))
        return matrix

    def _evaluate(
        self, segments: Sequence[Segment], limit: int, *, every_output: bool = False, n_filler: int = 0
    ) -> list[int]:
        """Run a batch of at most ``limit`` tokens; the index of each segment's last token."""
        self._forget_outputs()
        n_tokens = self._check(segments, limit - n_filler) + n_filler
        if n_tokens > self.kv.cells.free:
            raise CacheFull(f"{n_tokens} tokens need as many cells, {self.kv.cells.free} are free")
        try:
            filler = [Segment(self.kv.spare, 0, [0] * n_filler, n_logits=0)] if n_filler else []
            last_indices = self._batch.fill([*segments, *filler], every_output=every_output)
        except ValueError as error:
            raise DecodeFailed(str(error)) from error
        if every_output:
            self._short.set_embeddings(self.pointer, True)
        try:
            result = self._run_batch(self._batch.struct)
        finally:
            if every_output:
                self._short.set_embeddings(self.pointer, False)
            if n_filler:
                self.kv.empty_spare()
        if result == 0:
            for segment in segments:
                self.kv.cells.append(segment.seq_id, len(segment.tokens))
            return last_indices
        if result == _NO_ROOM:
            raise CacheFull(f"llama.cpp found no cells for {n_tokens} tokens")
        for segment in segments:
            self.kv.recount(segment.seq_id)
        if result == ABORTED and self._may_end_early:
            for segment in segments:
                self.kv.remove(segment.seq_id, segment.position, -1)
            raise Interrupted
        raise DecodeFailed(f"llama_decode of {n_tokens} tokens failed with code {result}")

    def _evaluate_media(self, segments: Sequence[MediaSegment], limit: int, *, every_output: bool = False) -> int:
        """Run a batch of at most ``limit`` rows of media; how many there were."""
        self._forget_outputs()
        n_rows = self._check_media(segments, limit)
        if n_rows > self.kv.cells.free:
            raise CacheFull(f"{n_rows} rows need as many cells, {self.kv.cells.free} are free")
        if self._media_batch is None:
            self._media_batch = MediaBatch(self._library, self.n_batch, self.row_limits)
        result = self._run_media(self._media_batch, segments, every_output=every_output)
        if result == 0:
            for segment in segments:
                self._append_rows(segment)
            return n_rows
        if result == _NO_ROOM:
            raise CacheFull(f"llama.cpp found no cells for {n_rows} rows")
        for segment in segments:
            self._recount_rows(segment)
        raise DecodeFailed(f"llama_decode of {n_rows} rows failed with code {result}")

    def _run_media(self, batch: MediaBatch, segments: Sequence[MediaSegment], *, every_output: bool) -> int:
        """Run a batch of rows of media that were checked; the library's code."""
        batch.fill(segments, every_output=every_output)
        self._short.set_causal_attn(self.pointer, segments[0].chunk.is_causal)
        if every_output:
            self._short.set_embeddings(self.pointer, True)
        try:
            return self._run_batch(batch.struct)
        finally:
            self._short.set_causal_attn(self.pointer, True)
            if every_output:
                self._short.set_embeddings(self.pointer, False)
            batch.clear()

    def _append_rows(self, segment: MediaSegment) -> None:
        if segment.chunk.grid is None:
            self.kv.cells.append(segment.seq_id, segment.n_rows)
        else:
            self.kv.cells.append_grid(
                segment.seq_id, segment.n_rows, segment.chunk.n_positions, goes_on=segment.start > 0
            )

    def _recount_rows(self, segment: MediaSegment) -> None:
        if segment.chunk.grid is None:
            self.kv.recount(segment.seq_id)
        else:
            self.kv.recount_grid(segment.seq_id, segment.position, segment.n_rows, segment.chunk.n_positions)

    def _run_batch(self, batch: Any) -> int:
        result: int = self._decode(self.pointer, batch)
        if result >= 0:
            self.kv.has_pending_moves = False
        return result

    def _apply_moves(self) -> None:
        """Let the library compute the keys of tokens whose positions have changed: it does so before it decodes."""
        self._forget_outputs()
        self._batch.fill([Segment(self.kv.spare, 0, [0], n_logits=0)])
        result = self._run_batch(self._batch.struct)
        self.kv.empty_spare()
        if result not in (0, _NO_ROOM):
            raise DecodeFailed(f"llama_decode for changed positions failed with code {result}")

    def _forget_outputs(self) -> None:
        self._outputs, self._n_rows, self._matrix = [], 0, None

    def _check(self, segments: Sequence[Segment], limit: int) -> int:
        """Number of tokens of the segments; raises DecodeFailed for what the library would abort for."""
        if not self.pointer:
            raise DecodeFailed("the model is closed")
        n_tokens = n_logits = 0
        seen = set()
        for segment in segments:
            seq_id = segment.seq_id
            if not 0 <= seq_id < self.n_seq_max or seq_id in seen:
                raise DecodeFailed(f"sequence {seq_id} is repeated or not one of 0 to {self.n_seq_max - 1}")
            seen.add(seq_id)
            if not segment.tokens:
                raise DecodeFailed(f"the segment of sequence {seq_id} has no tokens")
            end = self.kv.cells.end(seq_id)
            if segment.position != end:
                raise DecodeFailed(f"sequence {seq_id} goes on at position {end}, not {segment.position}")
            if not 0 <= segment.n_logits <= len(segment.tokens):
                raise DecodeFailed(f"the segment of sequence {seq_id} has no {segment.n_logits} tokens for logits")
            n_tokens += len(segment.tokens)
            n_logits += segment.n_logits
        if n_logits > self.n_logits:
            raise DecodeFailed(f"the logits of {n_logits} tokens in one call; allowed: up to {self.n_logits}")
        if not 0 < n_tokens <= limit:
            raise DecodeFailed(f"{n_tokens} tokens in one call; allowed: {f'1 to {limit}' if limit else 'none'}")
        return n_tokens

    def _check_media(self, segments: Sequence[MediaSegment], limit: int) -> int:
        """Number of rows of the segments; raises DecodeFailed for what the library would abort for."""
        if not self.pointer:
            raise DecodeFailed("the model is closed")
        n_rows = 0
        seen = set()
        for segment in segments:
            seq_id = segment.seq_id
            if not 0 <= seq_id < self.n_seq_max or seq_id in seen:
                raise DecodeFailed(f"sequence {seq_id} is repeated or not one of 0 to {self.n_seq_max - 1}")
            seen.add(seq_id)
            check_chunk(segment.chunk, self.row_limits)
            check_place(segment, self.kv.cells, is_alone=len(segments) == 1)
            n_rows += segment.n_rows
        if not 0 < n_rows <= limit:
            raise DecodeFailed(f"{n_rows} rows in one call; allowed: {f'1 to {limit}' if limit else 'none'}")
        return n_rows

    def _warm_up(self, weights: Weights) -> None:
        """Touch weights and buffers, so that the first request does not pay for it."""
        token = weights.vocabulary.any_token
        for n_tokens in (1, 2):
            # One token and several have kernels of their own.
            self.kv.remove(0, 0, -1)
            try:
                self.decode([Segment(seq_id=0, position=0, tokens=[token] * n_tokens, n_logits=1)])
            except (CacheFull, DecodeFailed) as error:
                raise ModelLoadError(f"the first decode failed: {error}") from error
            row = self.logits(0)
            if np.isnan(row).any() or not np.isfinite(row.max()):
                raise ModelLoadError("the first decode gave no numbers: the model or a LoRA adapter is damaged")
        self.kv.probe(0)
        self._forget_outputs()


def _create(weights: Weights, config: ModelConfig, n_cells: int) -> tuple[Pointer, Pointer]:
    """A context and its memory."""
    api = weights.library.api
    params = context_params(weights.library, config, n_cells)
    if weights.pooling_type:
        # The state of every token is wanted; pooling is done over all steps of an input.
        params.pooling_type = _POOLING_NONE
    pointer = weights.open_context(params)
    memory: Pointer | None = api.llama_get_memory(pointer)
    # Encoders have no memory; models with an encoder and a decoder need the encoder to run first; and without causal
    # attention the library aborts for a batch that is larger than a ubatch.
    if not memory or weights.has_encoder or not api.llama_get_causal_attn(pointer):
        api.llama_free(pointer)
        raise ModelLoadError(
            f"model {config.path} (architecture {weights.architecture}) cannot generate text: it is no causal decoder"
        )
    return pointer, memory


def _can_shift(weights: Weights, config: ModelConfig, memory: Pointer) -> bool:
    """Whether positions can be changed."""
    if not weights.library.api.llama_memory_can_shift(memory):
        return False
    # The library rotates quantised keys by a matrix, and back for a shift. It has that matrix only for such heads, and
    # not with this variable of the environment; without it a shift reads through a null pointer.
    is_quantised = config.cache_type_k not in ("f32", "f16")
    return not is_quantised or (weights.rotates_whole_heads and "LLAMA_ATTN_ROT_DISABLE" not in os.environ)
