"""Checks of a model's configuration before the library sees it, which would answer some values with an abort.

Fields about GPUs (layers, split mode, main GPU, tensor split) are checked and passed on like all others; a library
built without GPU support ignores them.
"""

from __future__ import annotations

import ctypes
import math

from service.config import EMBEDDING_SEQUENCES, KvOverride, LoraAdapter, ModelConfig
from service.errors import InvalidArgument

#: Types of the KV cache, and their ids in ``ggml``.
CACHE_TYPES = {"f32": 0, "f16": 1, "q8_0": 8, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7}

#: Tokens that a slot must hold to be of any use.
MIN_CTX_SLOT = 8
#: Sequences of one context (``LLAMA_MAX_SEQ``).
MAX_SEQUENCES = 256
#: Slots: every one needs a sequence; so do the system prompt, copies inside the library's memory, and inputs that are
#: being embedded.
MAX_PARALLEL = MAX_SEQUENCES - EMBEDDING_SEQUENCES - 2
#: Threads of one computation (``GGML_MAX_N_THREADS``).
MAX_THREADS = 512
#: Devices over which a model can be split (``llama_max_devices``).
MAX_DEVICES = 16
#: Positions are 32-bit; the library rounds a context up to a multiple of 256.
MAX_CTX = 2**31 - 256
#: Arrays of this many entries are allocated for batches.
MAX_BATCH = 65_536
#: Bytes of a metadata key, terminator included.
MAX_KEY_BYTES = 128


def check_options(config: ModelConfig) -> None:
    """Check every field.

    Raises:
        InvalidArgument: a field has a value that is not allowed.
    """
    if not config.path or "\0" in config.path:
        raise _refuse("path", config.path, "the path of a GGUF file")
    _check_context(config)
    _check_integer("n_threads", config.n_threads, 1, MAX_THREADS)
    _check_integer("n_threads_batch", config.n_threads_batch, 1, MAX_THREADS)
    _check_rope(config)
    _check_cache_type("cache_type_k", config.cache_type_k)
    _check_cache_type("cache_type_v", config.cache_type_v)
    if config.flash_attention is False and config.cache_type_v not in ("f32", "f16"):
        raise _refuse("cache_type_v", config.cache_type_v, "f32 or f16 with `flash_attention` off")
    _check_devices(config)
    for override in config.kv_overrides:
        _check_override(override)
    for adapter in config.lora:
        _check_adapter(adapter)


def _check_context(config: ModelConfig) -> None:
    _check_integer("n_parallel", config.n_parallel, 1, MAX_PARALLEL)
    _check_integer("n_batch", config.n_batch, 1, MAX_BATCH)
    _check_integer("n_ctx", config.n_ctx, 0, MAX_CTX)
    if config.n_ctx and config.n_ctx // config.n_parallel < MIN_CTX_SLOT:
        needed = MIN_CTX_SLOT * config.n_parallel
        raise _refuse(
            "n_ctx",
            config.n_ctx,
            f"{needed} or more with `n_parallel` {config.n_parallel} ({MIN_CTX_SLOT} tokens for each slot), "
            "or 0 for the model's training context",
        )


def _check_rope(config: ModelConfig) -> None:
    _check_real("rope_freq_base", config.rope_freq_base, 0.0)
    _check_real("rope_freq_scale", config.rope_freq_scale, 0.0)
    _check_real("yarn_ext_factor", config.yarn_ext_factor, None)
    _check_real("yarn_attn_factor", config.yarn_attn_factor, None)
    _check_real("yarn_beta_slow", config.yarn_beta_slow, None)
    _check_real("yarn_beta_fast", config.yarn_beta_fast, None)


def _check_cache_type(field: str, value: str) -> None:
    if value not in CACHE_TYPES:
        raise _refuse(field, value, "one of " + ", ".join(CACHE_TYPES))


def _check_devices(config: ModelConfig) -> None:
    _check_integer("n_gpu_layers", config.n_gpu_layers, -1, 2**31 - 1)
    _check_integer("main_gpu", config.main_gpu, 0, MAX_DEVICES - 1)
    if len(config.tensor_split) > MAX_DEVICES:
        raise _refuse("tensor_split", f"{len(config.tensor_split)} numbers", f"at most {MAX_DEVICES}")
    for share in config.tensor_split:
        _check_real("tensor_split", share, 0.0)
    if config.tensor_split and not any(config.tensor_split):
        raise _refuse("tensor_split", config.tensor_split, "at least one number above 0")


def _check_override(override: KvOverride) -> None:
    key = override.key.encode("utf-8", "surrogateescape")
    if not 0 < len(key) < MAX_KEY_BYTES or b"\0" in key:
        raise _refuse("kv_overrides", override.key, f"a key of 1 to {MAX_KEY_BYTES - 1} bytes")
    value = override.value
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise _refuse("kv_overrides", f"{override.key}={value}", "an integer of 64 bits")
    if isinstance(value, float) and not math.isfinite(value):
        raise _refuse("kv_overrides", f"{override.key}={value}", "a finite number")


def _check_adapter(adapter: LoraAdapter) -> None:
    if not adapter.path or "\0" in adapter.path:
        raise _refuse("lora", adapter.path, "the path of a GGUF file")
    if not math.isfinite(ctypes.c_float(adapter.scale).value):
        raise _refuse("lora", adapter.scale, "any finite number of 32 bits as the scale")


def _check_integer(field: str, value: int | None, lowest: int, highest: int) -> None:
    if value is not None and not lowest <= value <= highest:
        raise _refuse(field, value, f"{lowest} to {highest}")


def _check_real(field: str, value: float, lowest: float | None) -> None:
    if not math.isfinite(value) or (lowest is not None and value < lowest):
        raise _refuse(field, value, "any finite number" if lowest is None else f"{lowest:g} or a number above it")


def _refuse(field: str, value: object, allowed: str) -> InvalidArgument:
    return InvalidArgument(field, f"is {value!r}; allowed: {allowed}")
