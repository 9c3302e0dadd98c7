"""Checks the metadata of a model for what would make the library abort instead of reporting an error.

Found in its source (``load_hparams`` and the vocabulary of version 0.3.36 of llama-cpp-python), and by loading models
with each entry replaced by all kinds of values.
"""

from __future__ import annotations

from collections.abc import Mapping

from service.llama.gguf import GgufArray, GgufError, Scalar

Metadata = Mapping[str, Scalar | GgufArray]

#: ``LLAMA_MAX_LAYERS`` and ``LLAMA_MAX_EXPERTS``.
_MAX_LAYERS, _MAX_EXPERTS = 512, 1024
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_NO_VOCABULARY = ("none", "no_vocab")
_SENTENCEPIECE = "llama"


def check_metadata(metadata: Metadata) -> None:
    """Check what the library asserts.

    Raises:
        GgufError: an entry is missing or has a value that is not allowed.
    """
    architecture = metadata.get("general.architecture")
    if not isinstance(architecture, str) or not architecture:
        raise GgufError(f"is not a model: general.architecture is {architecture!r}, not the name of an architecture")
    _check_vocabulary(metadata)
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


def _check_vocabulary(metadata: Metadata) -> None:
    kind = metadata.get("tokenizer.ggml.model")
    if kind in _NO_VOCABULARY:
        raise GgufError("has no vocabulary, so that it cannot generate text")
    tokens = metadata.get("tokenizer.ggml.tokens")
    if not isinstance(tokens, GgufArray) or not tokens.is_text:
        return
    if len(tokens.texts) < tokens.length:
        raise GgufError(
            f"is damaged: tokenizer.ggml.tokens has {tokens.length} entries, of which only {len(tokens.texts)} differ"
        )
    if kind == _SENTENCEPIECE:
        # Text that no other token covers is spelled in bytes; a byte without a token ends the process.
        missing = [byte for byte in range(256) if not {b"<0x%02X>" % byte, bytes([byte])} & tokens.texts]
        if missing:
            raise GgufError(
                f"is damaged: tokenizer.ggml.tokens lacks {len(missing)} bytes, the first <0x{missing[0]:02X}>"
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
