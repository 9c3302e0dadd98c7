"""Checks of a model's configuration before the library sees it, which would answer some values with an abort.

Fields about GPUs (layers, split mode, main GPU, tensor split) are checked and passed on like all others; a library
built without GPU support ignores them.
"""

from __future__ import annotations

import ctypes
import math

from service.bounds import Bounds, check_bounds
from service.config import MAX_DEVICES, KvOverride, LoraAdapter, ModelConfig, check_context
from service.errors import InvalidArgument

#: Types of the KV cache, and their ids in ``ggml``.
CACHE_TYPES = {
    "f32": 0,
    "f16": 1,
    "bf16": 30,
    "q8_0": 8,
    "q4_0": 2,
    "q4_1": 3,
    "iq4_nl": 20,
    "q5_0": 6,
    "q5_1": 7,
}

_SHARES = Bounds(0)
#: Bytes of a metadata key, terminator included.
MAX_KEY_BYTES = 128


def check_options(config: ModelConfig) -> None:
    """Check every field.

    Raises:
        InvalidArgument: a field has a value that is not allowed.
    """
    if not config.path or "\0" in config.path:
        raise _refuse("path", config.path, "the path of a GGUF file")
    check_bounds(config)
    check_context(config.n_ctx, config.n_parallel)
    _check_cache_type("cache_type_k", config.cache_type_k)
    _check_cache_type("cache_type_v", config.cache_type_v)
    if config.flash_attention is False and config.cache_type_v not in ("f32", "f16"):
        raise _refuse("cache_type_v", config.cache_type_v, "f32 or f16 with `flash_attention` off")
    _check_tensor_split(config.tensor_split)
    for override in config.kv_overrides:
        _check_override(override)
    for adapter in config.lora:
        _check_adapter(adapter)


def _check_cache_type(field: str, value: str) -> None:
    if value not in CACHE_TYPES:
        raise _refuse(field, value, "one of " + ", ".join(CACHE_TYPES))


def _check_tensor_split(shares: tuple[float, ...]) -> None:
    if len(shares) > MAX_DEVICES:
        raise _refuse("tensor_split", f"{len(shares)} numbers", f"at most {MAX_DEVICES}")
    for share in shares:
        if not _SHARES.holds(share):
            raise _refuse("tensor_split", share, str(_SHARES))
    if shares and not any(shares):
        raise _refuse("tensor_split", shares, "at least one number above 0")


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


def _refuse(field: str, value: object, allowed: str) -> InvalidArgument:
    return InvalidArgument(field, f"is {value!r}; allowed: {allowed}")
