"""A llama.cpp context of a model that only encodes: it makes one embedding of each input, and keeps nothing.

Refuses in Python what would abort the process in C.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.config import Pooling
from service.engine.language_model import DecodeFailed, Rows, Segment
from service.llama.context.batch import Batch
from service.llama.context.params import context_params
from service.llama.host.memory import pad_cells
from service.llama.load_errors import ModelLoadError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from service.config import ModelConfig
    from service.llama.context.weights import Weights
    from service.llama.host.library import Pointer

#: Inputs of one call.
MAX_INPUTS = 64
_POOLING_TYPES = {Pooling.NONE: 0, Pooling.MEAN: 1, Pooling.CLS: 2, Pooling.LAST: 3, Pooling.RANK: 4}


class EncoderContext:
    """Evaluates whole inputs and keeps nothing of them: it has no KV cache.

    Belongs to one thread: OpenMP's threads belong to their caller. Use as a context manager, or call ``close``; close
    it before the weights.

    Args:
        weights: the model; an encoder.
        config: its options; checked.
        n_tokens: most tokens of an input; not above the model's training context, for it has no more positions.
        pooling: how embeddings are made.

    Attributes:
        n_tokens: most tokens of one call.
        n_inputs: most inputs of one call.
        n_embd: length of an embedding; of a model that scores, 1.
        n_threads: threads that compute.

    Raises:
        ModelLoadError: the library refuses the options, or lacks memory.
    """

    #: Tokens of a batch, unless one input has more: attention compares every token of a batch with all others, those of
    #: other inputs too, and each token has a row of the whole vocabulary in the library's output buffer. Larger batches
    #: are no faster (measured with 22 million parameters).
    batch_tokens: ClassVar[int] = 256

    def __init__(self, weights: Weights, config: ModelConfig, n_tokens: int, pooling: Pooling) -> None:
        library = weights.library
        self._library = library
        self._adapters = weights.adapters
        self._free = library.api.llama_free
        self._pooling = pooling
        self.n_inputs = MAX_INPUTS
        self.n_tokens = n_tokens
        # A classifier may have more outputs. The first one is the score.
        is_scoring = pooling is Pooling.RANK
        self.n_embd = 1 if is_scoring else int(library.api.llama_model_n_embd_out(weights.pointer))
        self._pointer: Pointer = weights.open_context(self._params(weights, config))
        try:
            self.n_threads = int(library.api.llama_n_threads(self._pointer))
            self._batch = Batch(library, n_tokens, weights.vocabulary.n_vocab)
            self._adapters.apply_to(self._pointer)
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

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Scale LoRA adapters; the contract is ``Encoder.use_adapters``."""
        self._adapters.apply_to(self._pointer, scales)

    def encode(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """Embeddings of whole inputs; the contract is ``Encoder.encode``."""
        self._check(inputs)
        batches = _batches([len(tokens) for tokens in inputs], self.batch_tokens)
        return np.concatenate([self._encode_batch(inputs[start:end]) for start, end in batches])

    def _params(self, weights: Weights, config: ModelConfig) -> Any:
        """``llama_context_params``."""
        params = context_params(weights.library, config, self.n_tokens)
        params.n_seq_max = self.n_inputs
        params.n_ctx = pad_cells(self.n_tokens)
        # An input attends to itself as a whole, so the library cannot cut it: it asserts that a batch fits into a
        # ubatch. And it aborts unless the size of a ubatch is a multiple of the number of sequences.
        params.n_batch = params.n_ubatch = -(-self.n_tokens // self.n_inputs) * self.n_inputs
        params.n_outputs_max = params.n_batch
        params.embeddings = True
        params.pooling_type = _POOLING_TYPES[self._pooling]
        return params

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

    def _encode_batch(self, inputs: Sequence[Sequence[int]]) -> Rows:
        """Evaluate inputs in one call; their embeddings, in order."""
        self._run(self._library.api.llama_encode, [Segment(id_, 0, tokens, 1) for id_, tokens in enumerate(inputs)])
        if self._pooling is Pooling.NONE:
            return self._copied(self._library.api.llama_get_embeddings(self._pointer), sum(map(len, inputs)))
        return np.concatenate([self._pooled(seq_id) for seq_id in range(len(inputs))])

    def _run(self, call: Callable[[Pointer, Any], int], segments: Sequence[Segment]) -> None:
        """Let a function of the library evaluate segments."""
        try:
            self._batch.fill(segments, every_output=True)
        except ValueError as error:
            raise DecodeFailed(str(error)) from error
        result = call(self._pointer, self._batch.struct)
        if result != 0:
            raise DecodeFailed(f"the evaluation of {self._batch.struct.n_tokens} tokens failed with code {result}")

    def _pooled(self, seq_id: int) -> Rows:
        """What the last call has made of a sequence; shape (1, n_embd)."""
        return self._copied(self._library.api.llama_get_embeddings_seq(self._pointer, seq_id), 1)

    def _copied(self, address: Any, n_rows: int) -> Rows:
        """Rows of the library."""
        if not address:
            raise DecodeFailed("llama.cpp has no embeddings of the batch")
        rows: Rows = np.ctypeslib.as_array(address, (n_rows, self.n_embd)).copy()
        return rows

    def _warm_up(self, weights: Weights) -> None:
        """Touch weights and buffers, so that the first request does not pay for it."""
        try:
            self.encode([[weights.vocabulary.any_token] * min(2, self.n_tokens)])
        except DecodeFailed as error:
            raise ModelLoadError(f"the first encoding failed: {error}") from error


def _batches(lengths: Sequence[int], most: int) -> Iterator[tuple[int, int]]:
    """Ranges of inputs that are evaluated in one call, in order; of at most so many tokens, or one input."""
    start = n_tokens = 0
    for index, length in enumerate(lengths):
        if index > start and n_tokens + length > most:
            yield start, index
            start, n_tokens = index, 0
        n_tokens += length
    yield start, len(lengths)
