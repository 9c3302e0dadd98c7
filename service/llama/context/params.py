"""A ``ModelConfig`` as the library's parameter structures."""

from __future__ import annotations

import ctypes
from typing import TYPE_CHECKING, Any

from service.config import MAX_DEVICES, KvOverride, ModelConfig, NumaStrategy, RopeScaling, SplitMode
from service.llama.host.memory import count_outputs, count_ubatch, library_batch, library_sequences, pad_cells
from service.llama.host.threads import physical_cores
from service.llama.model_options import CACHE_TYPES

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.llama.host.library import Library

_NUMA = {
    NumaStrategy.DISABLED: 0,
    NumaStrategy.DISTRIBUTE: 1,
    NumaStrategy.ISOLATE: 2,
    NumaStrategy.NUMACTL: 3,
}
_SPLIT_MODES = {SplitMode.NONE: 0, SplitMode.LAYER: 1, SplitMode.ROW: 2}
_ROPE_SCALINGS = {None: -1, RopeScaling.NONE: 0, RopeScaling.LINEAR: 1, RopeScaling.YARN: 2}
#: ``llama_load_mode`` by (mmap, mlock).
_LOAD_MODES = {(False, False): 0, (True, False): 1, (False, True): 2, (True, True): 3}
#: ``llama_flash_attn_type``.
_FLASH_ATTENTION = {None: -1, False: 0, True: 1}
_DEFAULTS = ModelConfig(path="")


def numa_strategy(config: ModelConfig) -> int:
    """``ggml_numa_strategy``."""
    return _NUMA[config.numa]


def model_params(
    library: Library, config: ModelConfig, on_progress: Callable[[float], bool], *, use_extra_buffers: bool
) -> Any:
    """``llama_model_params``. The structure keeps what it points to alive.

    Args:
        library: the library.
        config: the options; checked.
        on_progress: called with the loaded part, 0 to 1; loading is aborted if it returns False.
        use_extra_buffers: let the library rearrange weights for faster kernels.
    """
    api = library.api
    params = api.llama_model_default_params()
    params.n_gpu_layers = config.n_gpu_layers
    params.split_mode = _SPLIT_MODES[config.split_mode]
    params.load_mode = _LOAD_MODES[config.mmap, config.mlock]
    params.main_gpu = config.main_gpu
    params.check_tensors = config.check_tensors
    params.no_host = not config.host_buffers
    params.progress_callback = api.llama_progress_callback(lambda progress, _: on_progress(progress))
    params.use_extra_bufts = use_extra_buffers
    if config.tensor_split:
        shares = [*config.tensor_split, *[0.0] * (MAX_DEVICES - len(config.tensor_split))]
        params.tensor_split = (ctypes.c_float * MAX_DEVICES)(*shares)
    if config.kv_overrides:
        # The list ends with an empty key.
        overrides = (api.llama_model_kv_override * (len(config.kv_overrides) + 1))()
        for target, override in zip(overrides, config.kv_overrides, strict=False):
            _fill_override(api, target, override)
        params.kv_overrides = overrides
    return params


def context_params(library: Library, config: ModelConfig, n_ctx: int) -> Any:
    """``llama_context_params`` for a context that all slots share.

    Args:
        library: the library.
        config: the options; checked.
        n_ctx: cells; the library rounds up, and it clips batches to this number before it does.
    """
    params = library.api.llama_context_default_params()
    params.n_seq_max = library_sequences(config)
    params.n_batch = library_batch(config)
    params.n_ctx = max(pad_cells(n_ctx), pad_cells(params.n_seq_max))
    params.n_ubatch = min(params.n_batch, count_ubatch(config))
    # Few tokens of a batch give logits. With the default, a row for every token of a batch, the compute buffer of a
    # model with 49,152 tokens would be 84 MiB larger.
    params.n_outputs_max = count_outputs(config)
    params.n_threads = config.n_threads or physical_cores()
    # Steps of several slots are batches too, so these are what most steps run with.
    params.n_threads_batch = config.n_threads_batch or params.n_threads
    params.rope_scaling_type = _ROPE_SCALINGS[config.rope_scaling]
    params.flash_attn_type = _FLASH_ATTENTION[config.flash_attention]
    params.rope_freq_base = config.rope_freq_base
    params.rope_freq_scale = config.rope_freq_scale
    params.yarn_ext_factor = config.yarn_ext_factor
    # A model's metadata may set these; the defaults of ModelConfig must not replace what it says.
    params.yarn_attn_factor = _or_model(config.yarn_attn_factor, _DEFAULTS.yarn_attn_factor)
    params.yarn_beta_fast = _or_model(config.yarn_beta_fast, _DEFAULTS.yarn_beta_fast)
    params.yarn_beta_slow = _or_model(config.yarn_beta_slow, _DEFAULTS.yarn_beta_slow)
    params.yarn_orig_ctx = config.yarn_orig_ctx
    params.offload_kqv = config.kv_offload
    params.op_offload = config.op_offload
    params.type_k = CACHE_TYPES[config.cache_type_k]
    params.type_v = CACHE_TYPES[config.cache_type_v]
    params.no_perf = True
    # A cache without the tokens behind sliding windows could neither keep prefixes nor be shared.
    params.swa_full = True
    params.kv_unified = True
    return params


def _or_model(value: float, default: float) -> float:
    """The value; if it is the default, the one by which the library takes what the model says."""
    return -1.0 if value == default else value


def _fill_override(api: Any, target: Any, override: KvOverride) -> None:
    target.key = override.key.encode("utf-8", "surrogateescape")
    value = override.value
    if isinstance(value, bool):
        target.tag = api.LLAMA_KV_OVERRIDE_TYPE_BOOL
        target.value.val_bool = value
    elif isinstance(value, int):
        target.tag = api.LLAMA_KV_OVERRIDE_TYPE_INT
        target.value.val_i64 = value
    else:
        target.tag = api.LLAMA_KV_OVERRIDE_TYPE_FLOAT
        target.value.val_f64 = value
