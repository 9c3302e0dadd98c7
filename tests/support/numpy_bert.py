"""A plain forward pass of BERT, to check embeddings with (Devlin et al. 2019, https://arxiv.org/abs/1810.04805)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.minilm import Tensors

Array = npt.NDArray[np.float64]

_erf = np.vectorize(math.erf, otypes=[np.float64])


def encode(tensors: Tensors, n_heads: int, tokens: Sequence[int], epsilon: float = 1e-12) -> Array:
    """The states of one text behind the last layer, in double precision.

    Args:
        tensors: weights by the names of published files.
        n_heads: attention heads.
        tokens: ids, special ones included.
        epsilon: of the norms.

    Returns:
        One row per token.
    """
    bert = _Bert(tensors, epsilon)
    states = bert.tensor("embeddings.word_embeddings.weight")[list(tokens)]
    states = states + bert.tensor("embeddings.position_embeddings.weight")[: len(tokens)]
    states = bert.norm("embeddings", states + bert.tensor("embeddings.token_type_embeddings.weight")[0])
    layer = 0
    while f"encoder.layer.{layer}.output.dense.weight" in tensors:
        states = bert.layer(f"encoder.layer.{layer}", states, n_heads)
        layer += 1
    return states


def score(tensors: Tensors, n_heads: int, tokens: Sequence[int]) -> float:
    """What a reranker makes of the state of a pair's first token: w_2 tanh(W_1 x + b_1) + b_2."""
    bert = _Bert(tensors, 1e-12)
    state = encode(tensors, n_heads, tokens)[0]
    return float(bert.linear("cls.output", np.tanh(bert.linear("cls", state)))[0])


class _Bert:
    def __init__(self, tensors: Tensors, epsilon: float) -> None:
        self._tensors = tensors
        self._epsilon = epsilon

    def tensor(self, name: str) -> Array:
        return self._tensors[name].astype(np.float64)

    def linear(self, name: str, states: Array) -> Array:
        return states @ self.tensor(f"{name}.weight").T + self.tensor(f"{name}.bias")

    def norm(self, name: str, states: Array) -> Array:
        centred = states - states.mean(axis=-1, keepdims=True)
        scaled: Array = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + self._epsilon)
        return scaled * self.tensor(f"{name}.LayerNorm.weight") + self.tensor(f"{name}.LayerNorm.bias")

    def layer(self, name: str, states: Array, n_heads: int) -> Array:
        attended = self.linear(
            f"{name}.attention.output.dense", self.attention(f"{name}.attention.self", states, n_heads)
        )
        states = self.norm(f"{name}.attention.output", states + attended)
        inner = self.linear(f"{name}.intermediate.dense", states)
        gelu = inner * 0.5 * (1.0 + _erf(inner / math.sqrt(2.0)))
        return self.norm(f"{name}.output", states + self.linear(f"{name}.output.dense", gelu))

    def attention(self, name: str, states: Array, n_heads: int) -> Array:
        def heads(part: str) -> Array:
            return self.linear(f"{name}.{part}", states).reshape(len(states), n_heads, -1).transpose(1, 0, 2)

        query, key, value = heads("query"), heads("key"), heads("value")
        scores = query @ key.transpose(0, 2, 1) / math.sqrt(query.shape[-1])
        weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
        mixed: Array = weights / weights.sum(axis=-1, keepdims=True) @ value
        return mixed.transpose(1, 0, 2).reshape(len(states), -1)
