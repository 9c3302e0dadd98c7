"""Checks the metadata of a model for what would make the library abort instead of reporting an error.

Found in its source (``load_hparams`` and the vocabulary of version 0.3.36 of llama-cpp-python), and by loading models
with each entry replaced by all kinds of values.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from service.config import Pooling
from service.llama.files.gguf import GgufArray, GgufError, Scalar

Metadata = Mapping[str, Scalar | GgufArray]

#: ``LLAMA_MAX_LAYERS`` and ``LLAMA_MAX_EXPERTS``.
_MAX_LAYERS, _MAX_EXPERTS = 512, 1024
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_NO_VOCABULARY = ("none", "no_vocab")
_SENTENCEPIECE = "llama"
_RWKV = "rwkv"
_WHITESPACE = "whitespace"
_ESCAPE = re.compile(rb"\\(?:x([0-9a-f]{2})|(.))", re.DOTALL)
#: By ``llama_pooling_type``.
_POOLINGS = (Pooling.NONE, Pooling.MEAN, Pooling.CLS, Pooling.LAST, Pooling.RANK)
#: Architectures that turn whole texts into embeddings and do nothing else.
_ENCODERS = frozenset(
    {
        "bert",
        "eurobert",
        "gemma-embedding",
        "jina-bert-v2",
        "jina-bert-v3",
        "modern-bert",
        "neo-bert",
        "nomic-bert",
        "nomic-bert-moe",
        "t5encoder",
    }
)


def check_metadata(metadata: Metadata) -> None:
    """Check what the library asserts.

    Raises:
        GgufError: an entry is missing or has a value that is not allowed.
    """
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise GgufError(f"is not a model: general.architecture is {architecture!r}, not the name of an architecture")
    _check_vocabulary(metadata)
    _check_pooling(metadata, architecture)
    if is_encoder(metadata):
        _check_heads(metadata, architecture)
    n_layers = _integer(metadata, f"{architecture}.block_count", 1, _MAX_LAYERS)
    _integer(metadata, f"{architecture}.nextn_predict_layers", 0, n_layers)
    # Files of this family count one expert where they mean none, and the library knows.
    if not architecture.startswith("hunyuan"):
        _check_experts(metadata, architecture)
    for norm in ("layer_norm_rms_epsilon", "layer_norm_epsilon", "group_norm_epsilon"):
        _check_not_negative(metadata, f"{architecture}.attention.{norm}")
    scaling = metadata.get(f"{architecture}.rope.scaling.type", "none")
    if scaling not in _ROPE_SCALINGS:
        raise GgufError(
            f"is damaged: {architecture}.rope.scaling.type is {scaling!r}, allowed: {', '.join(_ROPE_SCALINGS)}"
        )


def is_encoder(metadata: Metadata) -> bool:
    """Whether the model cannot generate text, only make embeddings of whole texts."""
    return metadata.get("general.architecture") in _ENCODERS


def own_pooling(metadata: Metadata) -> Pooling:
    """How the model makes an embedding of the states of a text; the metadata are checked.

    A model that does not say takes the mean if it is an encoder, as sentence-transformers does with such models, and
    otherwise the state of the last token, which is the only one that has seen all of the text.
    """
    value = metadata.get(f"{metadata.get('general.architecture')}.pooling_type", 0)
    assert isinstance(value, int)
    if value == 0:
        return Pooling.MEAN if is_encoder(metadata) else Pooling.LAST
    return _POOLINGS[value]


def _check_vocabulary(metadata: Metadata) -> None:
    kind = metadata.get("tokenizer.ggml.model")
    if kind in _NO_VOCABULARY:
        raise GgufError("has no vocabulary, so that it cannot generate text")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, GgufArray) or not tokens.is_text:
        return
    texts = frozenset(tokens.texts)
    if len(texts) < tokens.length:
        raise GgufError(
            f"is damaged: tokenizer.ggml.tokens has {tokens.length} entries, of which only {len(texts)} differ"
        )
    if metadata.get("tokenizer.ggml.pre") == _WHITESPACE and kind != _WHITESPACE:
        # Only the tokenizer of that name drops the spaces that the library asserts not to meet.
        raise GgufError(
            f"is damaged: tokenizer.ggml.pre is {_WHITESPACE!r}, so tokenizer.ggml.model must be, too, not {kind!r}"
        )
    if kind == _RWKV:
        _check_rwkv(tokens)
    if kind == _SENTENCEPIECE:
        # The library writes text that no other token covers byte by byte; a byte without a token ends the process.
        missing = [byte for byte in range(256) if not {b"<0x%02X>" % byte, bytes([byte])} & texts]
        if missing:
            raise GgufError(
                f"is damaged: tokenizer.ggml.tokens lacks {len(missing)} bytes, the first <0x{missing[0]:02X}>"
            )


def _check_rwkv(tokens: GgufArray) -> None:
    """Every byte with which a token begins must be a token: else the library looks at the same text again, for ever."""
    texts = {_ESCAPE.sub(_unescape, text) for text in tokens.texts}
    missing = sorted({text[0] for text in texts if text} - {text[0] for text in texts if len(text) == 1})
    if missing:
        raise GgufError(
            f"is damaged: tokenizer.ggml.tokens lacks {len(missing)} bytes with which other tokens begin, the first "
            f"0x{missing[0]:02X}"
        )


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1]:
        return bytes.fromhex(match[1].decode())
    return {b"t": b"\t", b"n": b"\n", b"r": b"\r"}.get(match[2], match[2])


def _check_pooling(metadata: Metadata, architecture: str) -> None:
    key = f"{architecture}.pooling_type"
    value = metadata.get(key, 0)
    if not isinstance(value, int) or not 0 <= value < len(_POOLINGS):
        allowed = ", ".join(f"{number} ({name})" for number, name in enumerate(pooling.value for pooling in _POOLINGS))
        raise GgufError(f"is damaged: {key} is {value!r}, allowed: {allowed}")


def _check_heads(metadata: Metadata, architecture: str) -> None:
    """Encoders attend with keys and values of the same length."""
    n_embd = metadata.get(f"{architecture}.embedding_length")
    n_heads = metadata.get(f"{architecture}.attention.head_count")
    head = n_embd // n_heads if isinstance(n_embd, int) and isinstance(n_heads, int) and n_heads > 0 else None
    key, value = (metadata.get(f"{architecture}.attention.{name}_length", head) for name in ("key", "value"))
    if key != value:
        raise GgufError(
            f"is damaged: {architecture}.attention.key_length is {key!r}, allowed: that of the values, {value!r}"
        )


def _check_experts(metadata: Metadata, architecture: str) -> None:
    prefix = f"{architecture}.expert"
    n_experts = _integer(metadata, f"{prefix}_count", 0, _MAX_EXPERTS)
    _integer(metadata, f"{prefix}_used_count", 1 if n_experts else 0, n_experts)
    n_groups = _integer(metadata, f"{prefix}_group_count", 0, max(0, n_experts - 1))
    if n_groups > 1:
        if n_experts % n_groups:
            raise GgufError(f"is damaged: {prefix}_group_count is {n_groups}, allowed: divisors of {n_experts}")
        _integer(metadata, f"{prefix}_group_used_count", 1, n_groups - 1)


def _integer(metadata: Metadata, key: str, lowest: int, highest: int) -> int:
    """An integer, or the largest of one per layer; 0 if there is none."""
    value = metadata.get(key, 0)
    if isinstance(value, GgufArray):
        value = max(value.values, default=0)
    if not isinstance(value, int) or not lowest <= value <= highest:
        raise GgufError(f"is damaged: {key} is {value!r}, allowed: {lowest} to {highest}")
    return value


def _check_not_negative(metadata: Metadata, key: str) -> None:
    value = metadata.get(key, 0.0)
    if not isinstance(value, int | float) or not value >= 0:
        raise GgufError(f"is damaged: {key} is {value!r}, allowed: 0 or more")
