"""A llama.cpp context: the KV cache and the computation. Refuses in Python what would abort the process in C."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Sequence

import numpy as np

from service.config import ModelConfig
from service.engine.model import CacheFull, DecodeFailed, Logits, Segment
from service.llama.batch import Batch
from service.llama.cells import Cells
from service.llama.errors import ModelLoadError
from service.llama.library import Pointer
from service.llama.params import context_params
from service.llama.weights import Weights

_NO_ROOM = 1
_POOLING = {0: "none", 1: "mean", 2: "cls", 3: "last", 4: "rank"}


class Context:
    """Sequences in a KV cache that they share. Belongs to one thread: OpenMP's threads belong to their caller.

    Use as a context manager, or call ``close``; close it before the weights.

    Args:
        weights: the model.
        config: its options; checked.
        n_cells: cells that may be used.

    Raises:
        ModelLoadError: the library refuses the options, or lacks memory.
    """

    def __init__(self, weights: Weights, config: ModelConfig, n_cells: int) -> None:
        library = weights.library
        self._short = library.short
        self._decode = library.api.llama_decode
        self._free = library.api.llama_free
        params = context_params(library, config, n_cells)
        with library.log.collect_errors() as errors:
            pointer: Pointer | None = library.api.llama_init_from_model(weights.pointer, params)
        if not pointer:
            raise ModelLoadError(f"no context for {config.path}: {'; '.join(errors) or 'llama.cpp gives no reason'}")
        self._pointer: Pointer = pointer
        try:
            self._memory = self._find_memory(weights, config)
            self.n_cells = n_cells
            self.n_batch = int(library.api.llama_n_batch(pointer))
            self.n_seq_max = config.n_parallel
            self.n_threads = int(library.api.llama_n_threads(pointer))
            self.pooling = _POOLING.get(library.api.llama_pooling_type(pointer), "none")
            self.can_shift = self._find_shift(weights, config)
            n_vocab = weights.vocabulary.n_vocab
            self._row_type = ctypes.c_float * n_vocab
            self._cells = Cells(n_cells, self.n_seq_max)
            self._batch = Batch(library, self.n_batch, n_vocab)
            self._output_indices: list[int | None] = []
            self._rows: dict[int, Logits] = {}
            self._warm_up(weights)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Context:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context. May be called again."""
        if self._pointer:
            pointer, self._pointer = self._pointer, 0
            self._rows = {}
            self._free(pointer)

    def decode(self, segments: Sequence[Segment]) -> None:
        """Evaluate segments; the contract is ``LanguageModel.decode``."""
        self._output_indices = []
        n_tokens = self._check(segments)
        if n_tokens > self._cells.free:
            raise CacheFull(f"{n_tokens} tokens need as many cells, {self._cells.free} are free")
        try:
            last_indices = self._batch.fill(segments)
        except ValueError as error:
            raise DecodeFailed(str(error)) from error
        result = self._decode(self._pointer, self._batch.struct)
        if result == 0:
            for segment in segments:
                self._cells.append(segment.seq_id, len(segment.tokens))
            self._output_indices = [
                index if segment.wants_logits else None for segment, index in zip(segments, last_indices, strict=True)
            ]
            return
        if result == _NO_ROOM:
            raise CacheFull(f"llama.cpp found no cells for {n_tokens} tokens")
        self._recount(segments)
        raise DecodeFailed(f"llama_decode of {n_tokens} tokens failed with code {result}")

    def logits(self, index: int) -> Logits:
        """The row of a segment; the contract is ``LanguageModel.logits``."""
        batch_index = self._output_indices[index] if 0 <= index < len(self._output_indices) else None
        if batch_index is None:
            raise ValueError(
                f"segment {index} has no logits: the last decode had {len(self._output_indices)} segments, and it must "
                "be one of them that wanted logits"
            )
        address = self._short.get_logits_ith(self._pointer, batch_index)
        if not address:
            raise DecodeFailed(f"llama.cpp has no logits for token {batch_index} of the batch")
        row = self._rows.get(address)
        if row is None:
            # The rows' addresses repeat from step to step, and a new view costs more than all else here.
            if len(self._rows) > self.n_seq_max:
                self._rows.clear()
            row = np.ctypeslib.as_array(self._row_type.from_address(address))
            self._rows[address] = row
        return row

    def remove(self, seq_id: int, start: int, end: int) -> bool:
        """Remove positions; the contract is ``LanguageModel.remove``."""
        start, end = self._range(seq_id, start, end)
        if start >= end:
            return True
        if (start, end) == (0, self._cells.end(seq_id)):
            # The whole sequence must go, and some models refuse a range that ends before infinity.
            self._short.memory_seq_rm(self._memory, seq_id, -1, -1)
        elif not self._short.memory_seq_rm(self._memory, seq_id, start, end if end < self._cells.end(seq_id) else -1):
            return False
        self._cells.remove(seq_id, start, end)
        return True

    def shift(self, seq_id: int, start: int, end: int, delta: int) -> None:
        """Move positions; the contract is ``LanguageModel.shift``."""
        start, end = self._range(seq_id, start, end)
        if not self.can_shift:
            raise ValueError("this model cannot shift positions")
        self._cells.shift(seq_id, start, end, delta)
        if start < end:
            self._short.memory_seq_add(self._memory, seq_id, start, end, delta)

    def position_max(self, seq_id: int) -> int:
        """Highest position in the library's memory, or -1."""
        self._check_sequence(seq_id)
        return self._short.memory_seq_pos_max(self._memory, seq_id)

    def _check(self, segments: Sequence[Segment]) -> int:
        """Number of tokens of segments that the library can be trusted with."""
        if not self._pointer:
            raise DecodeFailed("the model is closed")
        n_tokens = 0
        seen = set()
        for segment in segments:
            seq_id = segment.seq_id
            if not 0 <= seq_id < self.n_seq_max or seq_id in seen:
                raise DecodeFailed(f"sequence {seq_id} is repeated or not one of 0 to {self.n_seq_max - 1}")
            seen.add(seq_id)
            if not segment.tokens:
                raise DecodeFailed(f"the segment of sequence {seq_id} has no tokens")
            if segment.position != self._cells.end(seq_id):
                raise DecodeFailed(
                    f"sequence {seq_id} goes on at position {self._cells.end(seq_id)}, not {segment.position}"
                )
            n_tokens += len(segment.tokens)
        if not 0 < n_tokens <= self.n_batch:
            raise DecodeFailed(f"{n_tokens} tokens in one call; allowed: 1 to {self.n_batch}")
        return n_tokens

    def _check_sequence(self, seq_id: int) -> None:
        if not 0 <= seq_id < self.n_seq_max:
            raise ValueError(f"sequence {seq_id} is not one of 0 to {self.n_seq_max - 1}")
        if not self._pointer:
            raise ValueError("the model is closed")

    def _range(self, seq_id: int, start: int, end: int) -> tuple[int, int]:
        """The part of a range in which a sequence has positions."""
        self._check_sequence(seq_id)
        if start < 0 or end < -1:
            raise ValueError(f"positions {start} to {end}: the start must be 0 or more, the end -1 or more")
        highest = self._cells.end(seq_id)
        return start, highest if end == -1 else min(end, highest)

    def _recount(self, segments: Sequence[Segment]) -> None:
        """Learn what a failed decode has left: the pieces of the batch that were finished stay in memory."""
        for segment in segments:
            end = self._cells.end(segment.seq_id)
            actual = self._short.memory_seq_pos_max(self._memory, segment.seq_id) + 1
            if actual > end:
                self._cells.append(segment.seq_id, actual - end)
            else:
                self._cells.remove(segment.seq_id, actual, end)

    def _find_memory(self, weights: Weights, config: ModelConfig) -> Pointer:
        api = weights.library.api
        memory: Pointer | None = api.llama_get_memory(self._pointer)
        # Encoders have no memory, models with both parts need their encoder run first, and without causal attention
        # a batch larger than the library's pieces aborts.
        if not memory or weights.has_encoder or not api.llama_get_causal_attn(self._pointer):
            raise ModelLoadError(
                f"model {config.path} (architecture {weights.architecture}) cannot generate text: it is no causal "
                "decoder"
            )
        return memory

    def _find_shift(self, weights: Weights, config: ModelConfig) -> bool:
        """Whether positions can be shifted."""
        if not weights.library.api.llama_memory_can_shift(self._memory):
            return False
        # Quantised keys are turned back for a shift by a matrix that exists only for such heads; for others the
        # library reads through a null pointer, and the variable is its switch for doing without the matrix.
        is_quantised = config.cache_type_k not in ("f32", "f16")
        return not is_quantised or (weights.rotates_whole_heads and "LLAMA_ATTN_ROT_DISABLE" not in os.environ)

    def _warm_up(self, weights: Weights) -> None:
        """Touch weights and buffers, so that the first request does not pay for it."""
        vocabulary = weights.vocabulary
        token = vocabulary.bos_token if vocabulary.bos_token is not None else vocabulary.eos_token or 0
        for n_tokens in (1, 2):
            if n_tokens > self.n_batch:
                break
            try:
                self.decode([Segment(seq_id=0, position=0, tokens=[token] * n_tokens, wants_logits=True)])
            except (CacheFull, DecodeFailed) as error:
                raise ModelLoadError(f"the first decode failed: {error}") from error
            self.remove(0, 0, -1)
        self._short.memory_clear(self._memory, True)
        self._output_indices = []
