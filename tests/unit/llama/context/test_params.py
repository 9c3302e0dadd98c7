"""Every option reaches the library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.config import KvOverride, ModelConfig, NumaStrategy, RopeScaling, SplitMode
from service.llama.context.params import context_params, model_params, numa_strategy
from service.llama.host.threads import physical_cores

if TYPE_CHECKING:
    from service.llama.host.library import Library


def model_field(library: Library, name: str, **options: Any) -> Any:
    """One field of ``llama_model_params``."""
    params = model_params(library, ModelConfig("m.gguf", **options), lambda _: True, use_extra_buffers=False)
    return getattr(params, name)


def context_field(library: Library, name: str, n_ctx: int = 512, **options: Any) -> Any:
    """One field of ``llama_context_params``."""
    return getattr(context_params(library, ModelConfig("m.gguf", **options), n_ctx), name)


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"n_gpu_layers": 7}, "n_gpu_layers", 7),
        ({"split_mode": SplitMode.ROW}, "split_mode", 2),
        ({"split_mode": SplitMode.NONE}, "split_mode", 0),
        ({"main_gpu": 3}, "main_gpu", 3),
        ({}, "load_mode", 1),
        ({"mmap": False}, "load_mode", 0),
        ({"mlock": True}, "load_mode", 3),
        ({"mlock": True, "mmap": False}, "load_mode", 2),
        ({}, "use_extra_bufts", False),
    ],
)
def test_model_options(library: Library, options: dict[str, Any], name: str, value: object) -> None:
    assert model_field(library, name, **options) == value


def test_shares_of_devices_are_filled_up_with_zeros(library: Library) -> None:
    shares = model_field(library, "tensor_split", tensor_split=(3.0, 1.0))
    assert shares[:16] == [3.0, 1.0] + [0.0] * 14
    assert not model_field(library, "tensor_split")


def test_metadata_overrides_are_a_list_with_an_end(library: Library) -> None:
    overrides = model_field(
        library,
        "kv_overrides",
        kv_overrides=(KvOverride("a.int", -5), KvOverride("b.float", 0.25), KvOverride("c.bool", True)),
    )
    assert [(overrides[i].tag, overrides[i].key) for i in range(4)] == [
        (0, b"a.int"),
        (1, b"b.float"),
        (2, b"c.bool"),
        (0, b""),
    ]
    assert overrides[0].value.val_i64 == -5
    assert overrides[1].value.val_f64 == 0.25
    assert overrides[2].value.val_bool is True
    assert not model_field(library, "kv_overrides")


@pytest.mark.parametrize(
    ("options", "name", "value"),
    [
        ({"n_batch": 64}, "n_batch", 64),
        ({"n_batch": 64}, "n_ubatch", 64),
        ({"n_batch": 4096}, "n_ubatch", 512),
        # One sequence for the system prompt, and one for copies.
        ({"n_batch": 8, "n_parallel": 100}, "n_batch", 102),
        ({"n_parallel": 100}, "n_seq_max", 102),
        ({"n_parallel": 100}, "n_outputs_max", 164),
        ({"n_parallel": 100, "n_batch": 128}, "n_outputs_max", 128),
        ({"n_parallel": 4, "n_batch": 8}, "n_outputs_max", 8),
        ({"n_parallel": 222}, "n_seq_max", 224),
        ({"n_parallel": 222, "embedding": True}, "n_seq_max", 256),
        ({"n_parallel": 4, "embedding": True}, "n_seq_max", 38),
        ({"n_parallel": 4, "embedding": True}, "n_outputs_max", 128),
        ({"n_parallel": 4, "embedding": True, "n_batch": 64}, "n_outputs_max", 64),
        ({"n_parallel": 200, "embedding": True}, "n_outputs_max", 264),
        ({"embedding": True}, "embeddings", False),
        ({"n_threads": 3}, "n_threads", 3),
        ({"n_threads": 3}, "n_threads_batch", 3),
        ({"n_threads": 3, "n_threads_batch": 5}, "n_threads_batch", 5),
        ({}, "n_threads", physical_cores()),
        ({}, "rope_scaling_type", -1),
        ({"rope_scaling": RopeScaling.NONE}, "rope_scaling_type", 0),
        ({"rope_scaling": RopeScaling.LINEAR}, "rope_scaling_type", 1),
        ({"rope_scaling": RopeScaling.YARN}, "rope_scaling_type", 2),
        ({"rope_freq_base": 5e5}, "rope_freq_base", 5e5),
        ({"rope_freq_scale": 0.25}, "rope_freq_scale", 0.25),
        ({"yarn_ext_factor": 0.5}, "yarn_ext_factor", 0.5),
        ({"yarn_attn_factor": 2.0}, "yarn_attn_factor", 2.0),
        ({"yarn_beta_slow": 4.0}, "yarn_beta_slow", 4.0),
        ({"yarn_beta_fast": 16.0}, "yarn_beta_fast", 16.0),
        ({"yarn_orig_ctx": 2048}, "yarn_orig_ctx", 2048),
        ({}, "offload_kqv", True),
        ({"kv_offload": False}, "offload_kqv", False),
        ({}, "op_offload", True),
        ({"op_offload": False}, "op_offload", False),
        # The defaults leave the decision to the model.
        ({}, "yarn_ext_factor", -1.0),
        ({}, "yarn_attn_factor", -1.0),
        ({}, "yarn_beta_slow", -1.0),
        ({}, "yarn_beta_fast", -1.0),
        ({"cache_type_k": "q8_0"}, "type_k", 8),
        ({"cache_type_v": "f32"}, "type_v", 0),
        ({}, "type_k", 1),
        ({}, "kv_unified", True),
        ({}, "swa_full", True),
        ({}, "no_perf", True),
        ({}, "flash_attn_type", -1),
    ],
)
def test_context_options(library: Library, options: dict[str, Any], name: str, value: object) -> None:
    assert context_field(library, name, **options) == value


@pytest.mark.parametrize(
    ("n_ctx", "n_parallel", "padded"), [(8, 1, 256), (256, 1, 256), (257, 1, 512), (2049, 256, 2304)]
)
def test_the_context_is_padded_before_the_library_clips_the_batch(
    library: Library, n_ctx: int, n_parallel: int, padded: int
) -> None:
    assert context_field(library, "n_ctx", n_ctx, n_parallel=n_parallel) == padded


def test_numa_strategies_are_those_of_the_library() -> None:
    assert [numa_strategy(ModelConfig("m.gguf", numa=strategy)) for strategy in NumaStrategy] == [0, 1, 2, 3]
