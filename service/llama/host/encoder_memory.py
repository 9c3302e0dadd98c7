"""How much memory an encoder needs. It has no KV cache; its buffers grow with the longest input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from service.llama.files.gguf import GgufArray, Scalar
from service.llama.host.memory import PROCESS_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

_FLOAT_BYTES = 4
#: An attention mask in half precision.
_MASK_BYTES = 2
#: Of models that add a bias to attention, which are evaluated without flash attention: mask and distances in full
#: precision, and for each head bias, sum and result.
_BIASED_BYTES = 8
_BIASED_HEAD_BYTES = 12
_BIASED = frozenset({"t5encoder"})


@dataclass(frozen=True, slots=True)
class EncoderMemoryEstimate:
    """What an encoder needs, in bytes. Its methods are those of ``MemoryEstimate``.

    Attributes:
        weights: all tensors.
        fixed: buffers whose size does not depend on the input.
        per_token: activations and outputs of one token.
        per_pair: attention of one token to another one.
    """

    weights: int
    fixed: int
    per_token: int
    per_pair: int

    def total(self, n_tokens: int) -> int:
        """Bytes needed with inputs of that many tokens."""
        return self.weights + self.fixed + self.cells(n_tokens)

    def cells(self, n_tokens: int) -> int:
        """Bytes needed for an input."""
        return self.per_token * n_tokens + self.per_pair * n_tokens**2

    def largest_context(self, available: int) -> int:
        """Most tokens that fit into so many bytes, 0 if none do."""
        room = available - self.weights - self.fixed
        if room <= 0:
            return 0
        root = math.isqrt(self.per_token**2 + 4 * self.per_pair * room)
        return max(0, root - self.per_token) // (2 * self.per_pair)


def estimate_encoder_memory(
    metadata: Mapping[str, Scalar | GgufArray], *, weights: int, n_vocab: int
) -> EncoderMemoryEstimate:
    """Add up what an encoder needs.

    Args:
        metadata: of the GGUF file; what it does not tell counts as 0.
        weights: bytes of all tensors.
        n_vocab: tokens in the vocabulary.
    """
    architecture = metadata.get("general.architecture")

    def largest(key: str) -> int:
        value = metadata.get(f"{architecture}.{key}", 0)
        numbers = value.values if isinstance(value, GgufArray) else (value,)
        return max((int(number) for number in numbers if isinstance(number, int) and number > 0), default=0)

    n_embd = largest("embedding_length")
    # Fitted to the compute buffers that the library reports for inputs of 512 to 8192 tokens. Its output buffer has
    # room for the logits of every token, although an encoder gives none.
    activations = 4 * n_embd + 3 * largest("feed_forward_length")
    if architecture in _BIASED:
        per_pair = _BIASED_BYTES + _BIASED_HEAD_BYTES * largest("attention.head_count")
    else:
        # Layers with a sliding window have a mask of their own.
        per_pair = _MASK_BYTES * (2 if largest("attention.sliding_window") else 1)
    return EncoderMemoryEstimate(
        weights=weights,
        fixed=PROCESS_BYTES,
        per_token=_FLOAT_BYTES * (activations + n_vocab + n_embd),
        per_pair=per_pair,
    )
