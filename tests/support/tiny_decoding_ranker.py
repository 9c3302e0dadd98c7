"""A tiny reranker with the body of a decoder, in the form of Qwen3-Reranker, and what it must say by its formula.

Qwen3 (https://arxiv.org/abs/2505.09388) normalises queries and keys, each head by itself, and rotates components that
are half a head apart. The classifier has a row for "yes" and one for "no"; the score is the probability of "yes".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from tests.support.numpy_llama import NumpyLlama, Rows, norm
from tests.support.tiny_gguf import TinyModel

if TYPE_CHECKING:
    import numpy.typing as npt

TEMPLATE = "<|im_start|>Query: {query}\nText: {document}<|im_end|>"
_N_EMBD, _N_HEAD = 64, 16
_random = np.random.default_rng(5)
_ROPE_BASE = 10_000.0


def _vector(length: int) -> npt.NDArray[np.float32]:
    return _random.normal(1.0, 0.2, length).astype(np.float32)


CLASSIFIER = _random.normal(0.0, 0.3, (2, _N_EMBD)).astype(np.float32)
DECODING_RANKER = TinyModel(
    architecture="qwen3",
    n_layers=2,
    n_embd=_N_EMBD,
    adds_bos=False,
    metadata={
        "qwen3.pooling_type": 4,
        "qwen3.classifier.output_labels": ["yes", "no"],
        "tokenizer.chat_template.rerank": TEMPLATE,
    },
    tensors={
        **{f"blk.{layer}.attn_{kind}_norm.weight": _vector(_N_HEAD) for layer in (0, 1) for kind in "qk"},
        "cls.output.weight": CLASSIFIER,
    },
)


def expected(query: str, document: str) -> tuple[float, int]:
    """Score and length of a pair."""
    tokens = [*_ids("<|im_start|>"), *f"Query: {query}\nText: {document}".encode(), *_ids("<|im_end|>")]
    logits = CLASSIFIER.astype(np.float64) @ _NumpyQwen3(DECODING_RANKER).states(tokens)[-1]
    return float(1 / (1 + np.exp(logits[1] - logits[0]))), len(tokens)


def _ids(token: str) -> list[int]:
    return [DECODING_RANKER.tokens.index(token)]


class _NumpyQwen3(NumpyLlama):
    def _placed(self, layer: int, kind: Literal["q", "k"], heads: Rows, places: npt.NDArray[np.int_]) -> Rows:
        heads = norm(heads, self._weight(layer, f"attn_{kind}_norm"))
        half = heads.shape[-1] // 2
        angles = places[:, None] * _ROPE_BASE ** (-np.arange(half) / half)
        turned = (heads[..., :half] + 1j * heads[..., half:]) * np.exp(1j * angles)[:, None, :]
        return np.concatenate([turned.real, turned.imag], axis=-1)
