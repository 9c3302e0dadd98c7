"""Writes encoders of the BERT family as GGUF files: all-MiniLM-L6-v2 from its package, and tiny ones of random weights.

The names of tensors are those of the package's file; ``gguf`` knows what llama.cpp calls them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import gguf
import numpy as np
import numpy.typing as npt

from tests.support.minilm import MiniLM, Tensors, read_minilm

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: What llama.cpp puts in front of tokens that begin a word, instead of marking those that go on.
WORD_START = "\u2581"
#: What makes a score of a state; llama.cpp's own name.
CLASSIFIER = "cls"
#: Weights that only the tasks of the training use.
_LEFT_OUT = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")

Metadata = int | float | bool | str


SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
PAD, UNK, CLS, SEP, MASK = range(5)
_TINY_TOKENS = (
    *SPECIAL_TOKENS,
    *map(chr, range(0x21, 0x7F)),
    *("##" + chr(code) for code in range(0x21, 0x7F)),
    "hello",
    "world",
    "##ing",
)


@dataclass(frozen=True, slots=True)
class TinyEncoder:
    """An encoder to write: one layer, a vocabulary of ASCII characters and some words.

    Attributes:
        architecture: ``general.architecture``; the tensors are those of "bert" whatever it is.
        n_ctx_train: context length in the metadata.
        n_embd, n_heads, n_ff: shape.
        tokens: the vocabulary, as WordPiece writes it.
        pooling: ``pooling_type`` in the metadata: 0 none, 1 mean, 2 cls, 3 last, 4 rank; None leaves it out.
        seed: of the weights.
        metadata: entries that replace or join the others; None removes one.
    """

    architecture: str = "bert"
    n_ctx_train: int = 64
    n_embd: int = 32
    n_heads: int = 4
    n_ff: int = 64
    tokens: tuple[str, ...] = _TINY_TOKENS
    pooling: int | None = 1
    seed: int = 0
    metadata: Mapping[str, Metadata | None] = field(default_factory=dict)


def write_minilm(path: Path, model: MiniLM | None = None) -> Path:
    """Convert the installed package; returns the path."""
    model = model or read_minilm()
    config = model.config
    metadata = _metadata(
        "bert",
        n_layers=int(config["num_hidden_layers"]),
        n_ctx_train=int(config["max_position_embeddings"]),
        n_embd=int(config["hidden_size"]),
        n_heads=int(config["num_attention_heads"]),
        n_ff=int(config["intermediate_size"]),
        epsilon=float(config["layer_norm_eps"]),
        pooling=_pooling_type(model.pooling),
    )
    metadata |= {"general.name": "all-MiniLM-L6-v2", "bert.vocab_size": len(model.tokens)}
    return _write(path, metadata, model.tokens, model.special_tokens, model.tensors)


def write_tiny_encoder(path: Path, model: TinyEncoder | None = None) -> Path:
    """Write an encoder of random weights; returns the path."""
    model = model or TinyEncoder()
    metadata = _metadata(
        model.architecture,
        n_layers=1,
        n_ctx_train=model.n_ctx_train,
        n_embd=model.n_embd,
        n_heads=model.n_heads,
        n_ff=model.n_ff,
        epsilon=1e-12,
        pooling=model.pooling,
    )
    metadata |= {"general.name": "tiny encoder"} | dict(model.metadata)
    return _write(path, metadata, model.tokens, frozenset(SPECIAL_TOKENS), tiny_tensors(model))


def tiny_tensors(model: TinyEncoder) -> Tensors:
    """The weights that ``write_tiny_encoder`` writes, by the names of published files."""
    random = np.random.default_rng(model.seed)
    n_embd, n_ff = model.n_embd, model.n_ff

    def matrix(rows: int, columns: int, scale: float = 1.0) -> npt.NDArray[np.float32]:
        return random.normal(0.0, scale / np.sqrt(columns), (rows, columns)).astype(np.float32)

    def vector(length: int, mean: float = 0.0) -> npt.NDArray[np.float32]:
        return random.normal(mean, 0.1, length).astype(np.float32)

    layer = "encoder.layer.0"
    tensors = {
        "embeddings.word_embeddings.weight": matrix(len(model.tokens), n_embd, 4.0),
        "embeddings.position_embeddings.weight": matrix(model.n_ctx_train, n_embd),
        "embeddings.token_type_embeddings.weight": matrix(2, n_embd),
    }
    for name, rows, columns in (
        ("attention.self.query", n_embd, n_embd),
        ("attention.self.key", n_embd, n_embd),
        ("attention.self.value", n_embd, n_embd),
        ("attention.output.dense", n_embd, n_embd),
        ("intermediate.dense", n_ff, n_embd),
        ("output.dense", n_embd, n_ff),
    ):
        tensors |= {f"{layer}.{name}.weight": matrix(rows, columns), f"{layer}.{name}.bias": vector(rows)}
    for norm in ("embeddings", f"{layer}.attention.output", f"{layer}.output"):
        tensors |= {f"{norm}.LayerNorm.weight": vector(n_embd, 1.0), f"{norm}.LayerNorm.bias": vector(n_embd)}
    if model.pooling == gguf.PoolingType.RANK:
        tensors |= {CLASSIFIER + ".weight": matrix(n_embd, n_embd), CLASSIFIER + ".bias": vector(n_embd)}
        tensors |= {CLASSIFIER + ".output.weight": matrix(1, n_embd, 4.0), CLASSIFIER + ".output.bias": vector(1)}
    return tensors


def _metadata(
    architecture: str,
    *,
    n_layers: int,
    n_ctx_train: int,
    n_embd: int,
    n_heads: int,
    n_ff: int,
    epsilon: float,
    pooling: int | None,
) -> dict[str, Metadata | None]:
    return {
        "general.architecture": architecture,
        f"{architecture}.block_count": n_layers,
        f"{architecture}.context_length": n_ctx_train,
        f"{architecture}.embedding_length": n_embd,
        f"{architecture}.feed_forward_length": n_ff,
        f"{architecture}.attention.head_count": n_heads,
        f"{architecture}.attention.layer_norm_epsilon": epsilon,
        f"{architecture}.attention.causal": False,
        f"{architecture}.pooling_type": pooling,
        "tokenizer.ggml.model": "bert",
        "tokenizer.ggml.pre": "default",
        # Every text is "sentence A" of the two that BERT was trained on.
        "tokenizer.ggml.token_type_count": 2,
    }


def _pooling_type(config: Mapping[str, int | bool]) -> int:
    if config["pooling_mode_mean_tokens"]:
        return int(gguf.PoolingType.MEAN)
    assert config["pooling_mode_cls_token"], f"unknown pooling {config}"
    return int(gguf.PoolingType.CLS)


def _write(
    path: Path,
    metadata: Mapping[str, Metadata | None],
    tokens: Sequence[str],
    special_tokens: frozenset[str],
    tensors: Tensors,
) -> Path:
    architecture = str(metadata["general.architecture"])
    writer = gguf.GGUFWriter(str(path), architecture)
    ids = {
        "tokenizer.ggml.bos_token_id": "[CLS]",
        "tokenizer.ggml.seperator_token_id": "[SEP]",
        "tokenizer.ggml.unknown_token_id": "[UNK]",
        "tokenizer.ggml.padding_token_id": "[PAD]",
        "tokenizer.ggml.mask_token_id": "[MASK]",
    }
    entries = {key: tokens.index(token) for key, token in ids.items() if token in tokens} | dict(metadata)
    entries.pop("general.architecture")
    for key, value in entries.items():
        _add(writer, key, value)
    writer.add_token_list([_spell(token, special_tokens) for token in tokens])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in special_tokens else gguf.TokenType.NORMAL for token in tokens]
    )
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.BERT, int(entries[f"{architecture}.block_count"] or 0))
    for name, tensor in tensors.items():
        if name not in _LEFT_OUT:
            is_classifier = name.startswith(CLASSIFIER + ".")
            gguf_name = name if is_classifier else names.get_name(name, try_suffixes=(".weight", ".bias"))
            assert gguf_name is not None, f"no name for tensor {name}"
            writer.add_tensor(gguf_name, tensor)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _spell(token: str, special_tokens: frozenset[str]) -> str:
    if token in special_tokens:
        return token
    return token.removeprefix("##") if token.startswith("##") else WORD_START + token


def _add(writer: gguf.GGUFWriter, key: str, value: Metadata | None) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
