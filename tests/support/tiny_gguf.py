"""Writes GGUF models of some 100 kB with random weights, which llama.cpp loads in milliseconds, and LoRA adapters.

The vocabulary resembles that of ``service.testing.scripted_model``: tokens 0 to 255 are the bytes, then come ``BOS``
and ``EOS``; behind them a few more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

import gguf
import gguf.quants
import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

BOS, EOS, IM_START, IM_END = 256, 257, 258, 259
#: " t", the only token of two bytes; the library wants a BPE vocabulary to have at least one merge.
SPACE_T = 260
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = 261, 262, 263

#: Of a vocabulary of SentencePiece.
_SPM_SPECIALS = ("<unk>", "<s>", "</s>")
_SPM_WORDS = ("\u2581\u2581", "\u2581wo", "rd", "\u2581word", "an", "\u2581a", "er")
_SPM_PIECES = ("\u2581", *"abcdefghijklmnopqrstuvwxyz.,", *_SPM_WORDS)

Metadata = int | float | bool | str | list[int] | list[str]
Matrix = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class TinyModel:
    """A model to write.

    Attributes:
        architecture: ``general.architecture``; the tensors are those of "llama" whatever it is.
        n_layers, n_embd, n_heads, n_heads_kv, n_ff: shape.
        n_ctx_train: context length in the metadata.
        adds_bos: ``tokenizer.ggml.add_bos_token``.
        has_fim: add the tokens for infill.
        has_output: whether the output has a matrix of its own; if not, it is that of the embedding.
        chat_template: Jinja, or None.
        pre_tokenizer: ``tokenizer.ggml.pre``.
        kind: of the vocabulary: "bpe", or "spm" as SentencePiece makes them, whose ids are others.
        pieces: of a vocabulary of SentencePiece, beside bytes; those that come first are merged first.
        names: more control tokens.
        own_names: more tokens that are found in texts before everything else, always.
        seed: of the weights.
        metadata: entries that replace or join the others; None removes one.
        tensors: weights that join the others, by name.
    """

    architecture: str = "llama"
    n_layers: int = 1
    n_embd: int = 64
    n_heads: int = 4
    n_heads_kv: int = 2
    n_ff: int = 64
    n_ctx_train: int = 512
    adds_bos: bool = True
    has_fim: bool = False
    has_output: bool = True
    chat_template: str | None = None
    pre_tokenizer: str = "gpt-2"
    kind: Literal["bpe", "spm"] = "bpe"
    pieces: tuple[str, ...] = _SPM_PIECES
    names: tuple[str, ...] = ()
    own_names: tuple[str, ...] = ()
    seed: int = 0
    metadata: Mapping[str, Metadata | None] = field(default_factory=dict)
    tensors: Mapping[str, Matrix] = field(default_factory=dict)

    @property
    def tokens(self) -> list[str]:
        """The vocabulary, as the file spells it."""
        more = [*self.names, *self.own_names]
        if self.kind == "spm":
            return [*_SPM_SPECIALS, *(f"<0x{byte:02X}>" for byte in range(256)), *self.pieces, *more]
        specials = ["<|startoftext|>", "<|endoftext|>", "<|im_start|>", "<|im_end|>"]
        fim = ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>"] if self.has_fim else []
        return [_spell(byte) for byte in range(256)] + specials + [_spell(ord(" ")) + "t"] + fim + more


def tensors_of(model: TinyModel) -> dict[str, Matrix]:
    """The weights of a model by name; matrices are (n_out, n_in)."""
    random = np.random.default_rng(model.seed)
    n_embd, n_ff, n_vocab = model.n_embd, model.n_ff, len(model.tokens)
    n_embd_kv = n_embd // model.n_heads * model.n_heads_kv

    def matrix(rows: int, columns: int) -> Matrix:
        return random.normal(0.0, 1.0 / np.sqrt(columns), (rows, columns)).astype(np.float32)

    def ones() -> Matrix:
        return np.ones(n_embd, np.float32)

    # A larger embedding makes the next token depend visibly on the last ones.
    tensors = {
        "token_embd.weight": 4.0 * matrix(n_vocab, n_embd),
        "output_norm.weight": ones(),
        "output.weight": 4.0 * matrix(n_vocab, n_embd),
    }
    if not model.has_output:
        del tensors["output.weight"]
    for layer in range(model.n_layers):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": ones(),
            f"blk.{layer}.attn_q.weight": matrix(n_embd, n_embd),
            f"blk.{layer}.attn_k.weight": matrix(n_embd_kv, n_embd),
            f"blk.{layer}.attn_v.weight": matrix(n_embd_kv, n_embd),
            f"blk.{layer}.attn_output.weight": matrix(n_embd, n_embd),
            f"blk.{layer}.ffn_norm.weight": ones(),
            f"blk.{layer}.ffn_gate.weight": matrix(n_ff, n_embd),
            f"blk.{layer}.ffn_up.weight": matrix(n_ff, n_embd),
            f"blk.{layer}.ffn_down.weight": matrix(n_embd, n_ff),
        }
    return tensors | dict(model.tensors)


@dataclass(frozen=True, slots=True)
class TinyAdapter:
    """A LoRA adapter to write.

    Attributes:
        factors: A and B by the name of the matrix W that they change. W is (n_out, n_in), A is (rank, n_in) and B is
            (n_out, rank); for "token_embd.weight", of n_vocab rows, A is (n_vocab, rank) and B is (n_embd, rank).
        alpha: ``adapter.lora.alpha``, or None for no such entry.
        architecture: ``general.architecture``.
        metadata: entries that replace or join the others; None removes one.
        tensors: tensors that replace or join the factors; None removes one.
        stored_as: type in which the factors are stored, None for that of the arrays.
    """

    factors: Mapping[str, tuple[npt.NDArray[Any], npt.NDArray[Any]]]
    alpha: float | None = None
    architecture: str = "llama"
    metadata: Mapping[str, Metadata | None] = field(default_factory=dict)
    tensors: Mapping[str, npt.NDArray[Any] | None] = field(default_factory=dict)
    stored_as: gguf.GGMLQuantizationType | None = None


def random_factors(model: TinyModel, name: str, rank: int = 2, seed: int = 1) -> tuple[Matrix, Matrix]:
    """Factors for one of the model's matrices, which make a change about as large as the matrix."""
    n_out, n_in = tensors_of(model)[name].shape
    random = np.random.default_rng(seed)
    shapes = ((n_out, rank), (n_in, rank)) if name == "token_embd.weight" else ((rank, n_in), (n_out, rank))
    a, b = (random.normal(0.0, 0.5, shape).astype(np.float32) for shape in shapes)
    return a, b


def write_tiny_adapter(path: Path, adapter: TinyAdapter) -> Path:
    """Write an adapter to a file; returns the path."""
    writer = gguf.GGUFWriter(str(path), adapter.architecture)
    metadata: dict[str, Metadata | None] = {
        "general.type": "adapter",
        "adapter.type": "lora",
        "adapter.lora.alpha": adapter.alpha,
    }
    for key, value in (metadata | dict(adapter.metadata)).items():
        _add(writer, key, value)
    tensors: dict[str, npt.NDArray[Any] | None] = {}
    for name, (a, b) in adapter.factors.items():
        tensors |= {f"{name}.lora_a": a, f"{name}.lora_b": b}
    for name, tensor in (tensors | dict(adapter.tensors)).items():
        if tensor is None:
            continue
        if adapter.stored_as is None or name in adapter.tensors:
            writer.add_tensor(name, tensor)
        else:
            writer.add_tensor(name, gguf.quants.quantize(tensor, adapter.stored_as), raw_dtype=adapter.stored_as)
    _finish(writer)
    return path


def write_tiny_gguf(path: Path, model: TinyModel | None = None) -> Path:
    """Write a model to a file; returns the path."""
    model = model or TinyModel()
    writer = gguf.GGUFWriter(str(path), model.architecture)
    for key, value in (_metadata(model) | dict(model.metadata)).items():
        _add(writer, key, value)
    _add_vocabulary(writer, model)
    for name, tensor in tensors_of(model).items():
        writer.add_tensor(name, tensor)
    _finish(writer)
    return path


def _metadata(model: TinyModel) -> dict[str, Metadata | None]:
    prefix = model.architecture
    is_spm = model.kind == "spm"
    return {
        "general.name": "tiny",
        f"{prefix}.block_count": model.n_layers,
        f"{prefix}.context_length": model.n_ctx_train,
        f"{prefix}.embedding_length": model.n_embd,
        f"{prefix}.feed_forward_length": model.n_ff,
        f"{prefix}.attention.head_count": model.n_heads,
        f"{prefix}.attention.head_count_kv": model.n_heads_kv,
        f"{prefix}.attention.layer_norm_rms_epsilon": 1e-5,
        f"{prefix}.rope.dimension_count": model.n_embd // model.n_heads,
        "tokenizer.ggml.model": "llama" if is_spm else "gpt2",
        "tokenizer.ggml.pre": "default" if is_spm else model.pre_tokenizer,
        "tokenizer.ggml.bos_token_id": _SPM_SPECIALS.index("<s>") if is_spm else BOS,
        "tokenizer.ggml.eos_token_id": _SPM_SPECIALS.index("</s>") if is_spm else EOS,
        "tokenizer.ggml.add_bos_token": model.adds_bos,
        "tokenizer.chat_template": model.chat_template,
    }


def _add(writer: gguf.GGUFWriter, key: str, value: Metadata | None) -> None:
    if isinstance(value, bool):
        writer.add_bool(key, value)
    elif isinstance(value, int):
        writer.add_uint32(key, value)
    elif isinstance(value, float):
        writer.add_float32(key, value)
    elif isinstance(value, str):
        writer.add_string(key, value)
    elif isinstance(value, list):
        writer.add_array(key, value)


def _finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def _add_vocabulary(writer: gguf.GGUFWriter, model: TinyModel) -> None:
    tokens = model.tokens
    writer.add_token_list(tokens)
    writer.add_token_types([_token_type(token, model) for token in tokens])
    if model.kind == "spm":
        writer.add_token_scores([-float(index) for index in range(len(tokens))])
    else:
        writer.add_token_merges([f"{_spell(ord(' '))} t"])


def _token_type(token: str, model: TinyModel) -> gguf.TokenType:
    if token in model.own_names:
        return gguf.TokenType.USER_DEFINED
    if token == "<unk>":
        return gguf.TokenType.UNKNOWN
    if token in model.names or token in _SPM_SPECIALS or token.startswith("<|"):
        return gguf.TokenType.CONTROL
    return gguf.TokenType.BYTE if model.kind == "spm" and token.startswith("<0x") else gguf.TokenType.NORMAL


@cache
def _spell(byte: int) -> str:
    """GPT-2's printable stand-in for a byte: itself if it is printable, else a letter from U+0100 on."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    if byte in printable:
        return chr(byte)
    return chr(0x100 + [other for other in range(256) if other not in printable].index(byte))
