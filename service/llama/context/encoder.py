"""A llama.cpp context of a model that only encodes: it makes one embedding of each input, and keeps nothing.

Refuses in Python what would abort the process in C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from service.engine.language_model import DecodeFailed, Pooling, Rows, Segment
from service.llama.context.batch import Batch
from service.llama.context.params import context_params
from service.llama.host.memory import pad_cells
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from service.config import ModelConfig
    from service.llama.context.weights import Weights
    from service.llama.host.library import Pointer

#: Inputs of one call.
MAX_INPUTS = 64
#: Tokens of a batch, unless one input has more: attention compares every token of a batch with all others, also with
#: those of other inputs, and each token has a row of the whole vocabulary in the library's output buffer. Larger
#: batches are no faster (measured with 22 million parameters).
_BATCH_TOKENS = 256
_POOLING_TYPES = {Pooling.MEAN: 1, Pooling.CLS: 2, Pooling.LAST: 3, Pooling.RANK: 4}


class EncoderContext:
    """Evaluates whole inputs and keeps nothing of them: it has no KV cache.

    Belongs to one thread: OpenMP's threads belong to their caller. Use as a context manager, or call ``close``; close
    it before the weights.

    Args:
        weights: the model; an encoder.
        config: its options; checked.
        n_tokens: most tokens of an input; not above the model's training context, for it has no more positions.
        pooling: what the model's metadata says: "mean", "cls", "last", "rank" or "none". "none" is taken as the mean:
            one vector per input is wanted, and that is what sentence-transformers does with a model that does not say.

    Attributes:
        n_tokens: most tokens of one call.
        n_inputs: most inputs of one call.
        n_embd: length of an embedding; of a model that scores, 1.
        n_threads: threads that compute.
        pooling: how embeddings are made.

    Raises:
        ModelLoadError: the library refuses the options, or lacks memory.
    """

    def __init__(self, weights: Weights, config: ModelConfig, n_tokens: int, pooling: str) -> None:
        library = weights.library
        self._encode = library.api.llama_encode
        self._embedding = library.api.llama_get_embeddings_seq
        self._free = library.api.llama_free
        self.pooling = Pooling.MEAN if pooling == "none" else Pooling(pooling)
        self.n_inputs = MAX_INPUTS
        self.n_tokens = n_tokens
        # A classifier may have more outputs. The first one is the score.
        is_scoring = self.pooling is Pooling.RANK
        self.n_embd = 1 if is_scoring else int(library.api.llama_model_n_embd_out(weights.pointer))
        self._pointer: Pointer = self._create(weights, config)
        try:
            self.n_threads = int(library.api.llama_n_threads(self._pointer))
            self._batch = Batch(library, n_tokens, weights.vocabulary.n_vocab)
            weights.adapters.apply_to(self._pointer)
            self._warm_up(weights)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> EncoderContext:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the context. May be called again."""
        if self._pointer:
            pointer, self._pointer = self._pointer, 0
            self._free(pointer)

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """Embeddings of whole inputs; the contract is ``Encoder.encode``."""
        self._check(inputs)
        rows = np.empty((len(inputs), self.n_embd), np.float32)
        for start, end in _batches([len(tokens) for tokens in inputs]):
            self._encode_batch(inputs[start:end], rows[start:end])
        return rows

    def _create(self, weights: Weights, config: ModelConfig) -> Pointer:
        params = context_params(weights.library, config, self.n_tokens)
        params.n_seq_max = self.n_inputs
        params.n_ctx = pad_cells(self.n_tokens)
        # An input attends to itself as a whole, so the library cannot cut it: it asserts that a batch fits into a
        # ubatch. And it aborts unless the size of a ubatch is a multiple of the number of sequences.
        params.n_batch = params.n_ubatch = -(-self.n_tokens // self.n_inputs) * self.n_inputs
        params.n_outputs_max = params.n_batch
        params.embeddings = True
        params.pooling_type = _POOLING_TYPES[self.pooling]
        return weights.open_context(params)

    def _check(self, inputs: Sequence[Sequence[int]]) -> None:
        if not self._pointer:
            raise DecodeFailed("the model is closed")
        if not 0 < len(inputs) <= self.n_inputs:
            raise DecodeFailed(f"{len(inputs)} inputs in one call; allowed: 1 to {self.n_inputs}")
        for index, tokens in enumerate(inputs):
            if not tokens:
                raise DecodeFailed(f"input {index} has no tokens")
        n_tokens = sum(map(len, inputs))
        if n_tokens > self.n_tokens:
            raise DecodeFailed(f"{n_tokens} tokens in one call; allowed: 1 to {self.n_tokens}")

    def _encode_batch(self, inputs: Sequence[Sequence[int]], rows: Rows) -> None:
        """Evaluate inputs in one call; their embeddings go into the rows."""
        try:
            segments = [Segment(seq_id, 0, tokens, 1) for seq_id, tokens in enumerate(inputs)]
            self._batch.fill(segments, every_output=True)
        except ValueError as error:
            raise DecodeFailed(str(error)) from error
        result = self._encode(self._pointer, self._batch.struct)
        if result != 0:
            raise DecodeFailed(f"llama_encode of {self._batch.struct.n_tokens} tokens failed with code {result}")
        for seq_id, row in enumerate(rows):
            address = self._embedding(self._pointer, seq_id)
            if not address:
                raise DecodeFailed(f"llama.cpp has no embedding for input {seq_id} of the batch")
            row[:] = np.ctypeslib.as_array(address, (self.n_embd,))

    def _warm_up(self, weights: Weights) -> None:
        """Touch weights and buffers, so that the first request does not pay for it."""
        try:
            self.encode([[weights.vocabulary.any_token] * min(2, self.n_tokens)])
        except DecodeFailed as error:
            raise ModelLoadError(f"the first encoding failed: {error}") from error


def _batches(lengths: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Ranges of inputs that are evaluated in one call, in order."""
    start = n_tokens = 0
    for index, length in enumerate(lengths):
        if index > start and n_tokens + length > _BATCH_TOKENS:
            yield start, index
            start, n_tokens = index, 0
        n_tokens += length
    yield start, len(lengths)
