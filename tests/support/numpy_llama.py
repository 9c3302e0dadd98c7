"""The forward pass of the tiny model in float64, written down from the architecture's definition.

Touvron et al. 2023, "LLaMA", section 2.2: RMS norms before attention and feed-forward (Zhang and Sennrich 2019),
rotary positions (Su et al. 2021, equation 34), SwiGLU (Shazeer 2020), and grouped queries as in Ainslie et al. 2023.
GGUF files of the architecture "llama" rotate neighbouring components, (0, 1), (2, 3) and so on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from tests.support.tiny_gguf import TinyAdapter, TinyModel, tensors_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Rows = npt.NDArray[np.float64]

_EPSILON = 1e-5
_ROPE_BASE = 10_000.0


class NumpyLlama:
    """A tiny model, perhaps with LoRA adapters.

    Args:
        model: shape and seed of the weights.
        adapters: adapters and their scales.
    """

    def __init__(self, model: TinyModel, adapters: Sequence[tuple[TinyAdapter, float]] = ()) -> None:
        self._model = model
        self._weights = {name: tensor.astype(np.float64) for name, tensor in tensors_of(model).items()}
        for adapter, scale in adapters:
            for name in adapter.factors:
                self._weights[name] = self._weights[name] + scale * change_of(adapter, name)

    def logits(self, tokens: Sequence[int], positions: Sequence[int] | None = None) -> Rows:
        """The logits behind each token: shape (n_tokens, n_vocab). The arguments are those of ``states``."""
        return self.states(tokens, positions) @ self._weights["output.weight"].T

    def states(self, tokens: Sequence[int], positions: Sequence[int] | None = None) -> Rows:
        """The states behind the last norm: shape (n_tokens, n_embd).

        A token sees those before it in the sequence, whatever the positions are.

        Args:
            tokens: the sequence.
            positions: where each token stands, 0, 1, 2 and so on if None.
        """
        places = np.arange(len(tokens)) if positions is None else np.asarray(positions)
        state = self._weights["token_embd.weight"][list(tokens)]
        for layer in range(self._model.n_layers):
            state = state + self._attention(layer, state, places)
            state = state + self._feed_forward(layer, state)
        return norm(state, self._weights["output_norm.weight"])

    def weight(self, name: str) -> Rows:
        """A matrix of the model, with what the adapters add to it: shape (n_out, n_in)."""
        return self._weights[name]

    def _attention(self, layer: int, state: Rows, places: npt.NDArray[np.int_]) -> Rows:
        model, n_tokens = self._model, len(state)
        n_head = model.n_embd // model.n_heads
        normed = norm(state, self._weight(layer, "attn_norm"))
        query = (normed @ self._weight(layer, "attn_q").T).reshape(n_tokens, model.n_heads, n_head)
        key = (normed @ self._weight(layer, "attn_k").T).reshape(n_tokens, model.n_heads_kv, n_head)
        value = (normed @ self._weight(layer, "attn_v").T).reshape(n_tokens, model.n_heads_kv, n_head)
        shared = model.n_heads // model.n_heads_kv
        query, key = self._placed(layer, "q", query, places), self._placed(layer, "k", key, places)
        key = np.repeat(key, shared, axis=1)
        value = np.repeat(value, shared, axis=1)
        scores = np.einsum("qhd,khd->hqk", query, key) / np.sqrt(n_head)
        scores = np.where(np.tri(n_tokens, dtype=bool), scores, -np.inf)
        mixed = np.einsum("hqk,khd->qhd", _softmax(scores), value)
        output: Rows = mixed.reshape(n_tokens, model.n_embd) @ self._weight(layer, "attn_output").T
        return output

    def _placed(self, layer: int, kind: Literal["q", "k"], heads: Rows, places: npt.NDArray[np.int_]) -> Rows:
        """Queries or keys with their positions in them; shape (n_tokens, n_heads, n_head)."""
        return _rotate(heads, places)

    def _feed_forward(self, layer: int, state: Rows) -> Rows:
        normed = norm(state, self._weight(layer, "ffn_norm"))
        gate = normed @ self._weight(layer, "ffn_gate").T
        up = normed @ self._weight(layer, "ffn_up").T
        return (gate / (1.0 + np.exp(-gate)) * up) @ self._weight(layer, "ffn_down").T

    def _weight(self, layer: int, name: str) -> Rows:
        return self._weights[f"blk.{layer}.{name}.weight"]


def change_of(adapter: TinyAdapter, name: str) -> Rows:
    """What an adapter of scale 1 adds to a matrix (Hu et al. 2021, "LoRA", section 4.1)."""
    a, b = (factor.astype(np.float64) for factor in adapter.factors[name])
    if name == "token_embd.weight":
        change, rank = a @ b.T, a.shape[1]
    else:
        change, rank = b @ a, a.shape[0]
    return change * adapter.alpha / rank if adapter.alpha else change


def norm(state: Rows, weight: Rows) -> Rows:
    """Components by the root of their mean square, times a weight."""
    normed: Rows = state / np.sqrt(np.mean(state**2, axis=-1, keepdims=True) + _EPSILON) * weight
    return normed


def _rotate(heads: Rows, places: npt.NDArray[np.int_]) -> Rows:
    """Turn pairs of components by angles that grow with the position; heads are (n_tokens, n_heads, n_head)."""
    n_head = heads.shape[-1]
    angles = places[:, None] * _ROPE_BASE ** (-np.arange(0, n_head, 2) / n_head)
    turned = (heads[..., 0::2] + 1j * heads[..., 1::2]) * np.exp(1j * angles)[:, None, :]
    return np.stack([turned.real, turned.imag], axis=-1).reshape(heads.shape)


def _softmax(scores: Rows) -> Rows:
    weights: Rows = np.exp(scores - scores.max(axis=-1, keepdims=True))
    weights /= weights.sum(axis=-1, keepdims=True)
    return weights
