"""A llama.cpp context of a decoder that scores pairs of texts by a classifier, such as Qwen3-Reranker."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from service.engine.language_model import Rows, Segment
from service.llama.context.encoder import EncoderContext
from service.llama.host.memory import N_HIDDEN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from service.config import ModelConfig
    from service.llama.context.weights import Weights


class DecodingScorer(EncoderContext):
    """An ``Encoder`` whose tokens see only what is in front of them: the state of the last one is scored.

    It has a KV cache, so a long input is evaluated in parts. Nothing stays in it behind a call.
    """

    #: A row of logits is kept for each token of a batch: 74 MiB for 128 tokens of a vocabulary of 151,936.
    batch_tokens: ClassVar[int] = N_HIDDEN

    def _params(self, weights: Weights, config: ModelConfig) -> Any:
        params = super()._params(weights, config)
        params.n_batch = params.n_ubatch = params.n_outputs_max = self.batch_tokens
        return params

    def _encode_batch(self, inputs: Sequence[Sequence[int]]) -> Rows:
        api = self._library.api
        try:
            if len(inputs) > 1:
                self._run(api.llama_decode, [Segment(id_, 0, tokens, 1) for id_, tokens in enumerate(inputs)])
            else:
                self._decode_in_parts(inputs[0])
            return np.concatenate([self._pooled(seq_id) for seq_id in range(len(inputs))])
        finally:
            api.llama_memory_clear(api.llama_get_memory(self._pointer), False)

    def _decode_in_parts(self, tokens: Sequence[int]) -> None:
        """Evaluate one input, as much of it in a call as a batch takes."""
        for start in range(0, len(tokens), self.batch_tokens):
            part = tokens[start : start + self.batch_tokens]
            self._run(self._library.api.llama_decode, [Segment(0, start, part, 1)])
