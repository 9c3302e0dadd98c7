"""Options are checked before the library sees them."""

from __future__ import annotations

import math
from typing import Any

import pytest

from service.config import KvOverride, LoraAdapter, ModelConfig, NumaStrategy, RopeScaling, SplitMode
from service.errors import InvalidArgument
from service.llama.model_options import check_options


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"n_ctx": 0, "n_parallel": 222},
        {"n_ctx": 2**31 - 256},
        {"n_ctx": 16, "n_parallel": 2, "n_batch": 1},
        {"n_threads": 512, "n_threads_batch": 1},
        {"rope_scaling": RopeScaling.YARN, "rope_freq_base": 1e6, "rope_freq_scale": 0.25, "yarn_ext_factor": -1.0},
        {"cache_type_k": "q8_0", "cache_type_v": "q5_1"},
        {"numa": NumaStrategy.ISOLATE, "mlock": True, "mmap": False},
        {"n_gpu_layers": -1, "split_mode": SplitMode.ROW, "main_gpu": 15, "tensor_split": (3.0, 0.0, 1.0)},
        {"lora": (LoraAdapter("a.gguf"), LoraAdapter("a.gguf", 0.0), LoraAdapter("b.gguf", -3e38))},
        {"kv_overrides": (KvOverride("a" * 127, -(2**63)), KvOverride("b", 0.5), KvOverride("c", True))},
    ],
)
def test_allowed_options_pass(options: dict[str, Any]) -> None:
    check_options(ModelConfig(**({"path": "model.gguf"} | options)))


@pytest.mark.parametrize(
    ("options", "option", "told"),
    [
        ({"path": ""}, "path", "''"),
        ({"path": "a\0b"}, "path", "path"),
        ({"n_ctx": -1}, "n_ctx", "is -1; allowed: 0 to 2147483392"),
        ({"n_ctx": 2**31}, "n_ctx", "2147483648"),
        ({"n_ctx": 15, "n_parallel": 2}, "n_ctx", "15 leaves 7 tokens for each of the 2 slots of `n_parallel`"),
        ({"n_ctx": 15, "n_parallel": 2}, "n_ctx", "allowed is at least 16"),
        ({"n_parallel": 0}, "n_parallel", "is 0; allowed: 1 to 222"),
        ({"n_parallel": 223, "n_ctx": 99999}, "n_parallel", "223"),
        ({"n_batch": 0}, "n_batch", "is 0; allowed: 1 to 65536"),
        ({"n_batch": 65_537}, "n_batch", "65537"),
        ({"n_threads": 0}, "n_threads", "is 0; allowed: 1 to 512"),
        ({"n_threads": 513}, "n_threads", "513"),
        ({"n_threads_batch": -2}, "n_threads_batch", "-2"),
        ({"rope_freq_base": -1.0}, "rope_freq_base", "is -1.0; allowed: 0 or a number above it"),
        ({"rope_freq_scale": math.nan}, "rope_freq_scale", "nan"),
        ({"yarn_ext_factor": math.inf}, "yarn_ext_factor", "is inf; allowed: any finite number"),
        ({"yarn_attn_factor": math.nan}, "yarn_attn_factor", "nan"),
        ({"yarn_beta_slow": math.inf}, "yarn_beta_slow", "inf"),
        ({"yarn_beta_fast": -math.inf}, "yarn_beta_fast", "-inf"),
        (
            {"cache_type_k": "q3_0"},
            "cache_type_k",
            "'q3_0'; allowed: one of f32, f16, bf16, q8_0, q4_0, q4_1, iq4_nl, q5_0, q5_1",
        ),
        ({"cache_type_v": "F16"}, "cache_type_v", "'F16'"),
        ({"cache_type_v": "q8_0", "flash_attention": False}, "cache_type_v", "f32 or f16 with `flash_attention` off"),
        ({"n_gpu_layers": -2}, "n_gpu_layers", "-2"),
        ({"main_gpu": 16}, "main_gpu", "is 16; allowed: 0 to 15"),
        ({"tensor_split": (1.0,) * 17}, "tensor_split", "17 numbers"),
        ({"tensor_split": (1.0, -0.5)}, "tensor_split", "-0.5"),
        ({"tensor_split": (0.0, 0.0)}, "tensor_split", "at least one number above 0"),
        ({"kv_overrides": (KvOverride("", 1),)}, "kv_overrides", "a key of 1 to 127 bytes"),
        ({"kv_overrides": (KvOverride("é" * 64, 1),)}, "kv_overrides", "a key of 1 to 127 bytes"),
        ({"kv_overrides": (KvOverride("k", 2**63),)}, "kv_overrides", "an integer of 64 bits"),
        ({"kv_overrides": (KvOverride("k", math.nan),)}, "kv_overrides", "'k=nan'"),
        ({"lora": (LoraAdapter(""),)}, "lora", "is ''; allowed: the path of a GGUF file"),
        ({"lora": (LoraAdapter("a\0b"),)}, "lora", "the path of a GGUF file"),
        (
            {"lora": (LoraAdapter("a"), LoraAdapter("b", math.nan))},
            "lora",
            "is nan; allowed: any finite number",
        ),
        ({"lora": (LoraAdapter("a", -4e38),)}, "lora", "is -4e+38; allowed: any finite number of 32 bits"),
    ],
)
def test_a_value_that_is_not_allowed_is_named(options: dict[str, Any], option: str, told: str) -> None:
    with pytest.raises(InvalidArgument) as caught:
        check_options(ModelConfig(**({"path": "model.gguf"} | options)))
    assert caught.value.field == option
    assert told in caught.value.problem
