"""Command lines as they were written for the llama.cpp server of 2024: only the name of the program changes."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from rest_adapter.config import RestConfig
from service.config import CoreConfig, LoraAdapter, ModelConfig, NumaStrategy, SplitMode
from slotline.cli.commands import KNOWN_VARIABLES
from slotline.cli.options.core_options import core_config
from slotline.cli.options.environment import parse_with_environment
from slotline.cli.options.rest_options import rest_config
from slotline.cli.options.serve_options import SERVE_GROUPS

# What each line asks for, as far as it is not the default: of the model, of the core, of the adapter.
LINES: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    # First steps.
    ("-m models/7B/ggml-model.gguf -c 2048", {"path": "models/7B/ggml-model.gguf", "n_ctx": 2048}, {}, {}),
    (
        "-m /models/7B/ggml-model.gguf -c 512 --host 0.0.0.0 --port 8080",
        {"path": "/models/7B/ggml-model.gguf"},
        {},
        {"host": "0.0.0.0"},
    ),
    (
        "-m m.gguf -c 512 --host 0.0.0.0 --port 8081 --n-gpu-layers 99",
        {"n_gpu_layers": 99},
        {},
        {"host": "0.0.0.0", "port": 8081},
    ),
    # Containers.
    (
        "--model m.gguf --ctx-size 4096 --n-gpu-layers 35 --threads 8 --parallel 4 --cont-batching --host 0.0.0.0",
        {"n_ctx": 4096, "n_gpu_layers": 35, "n_threads": 8, "n_parallel": 4},
        {},
        {"host": "0.0.0.0"},
    ),
    (
        "-m m.gguf -c 8192 -np 4 -cb -ngl 99 --embedding --metrics --log-disable -a gpt-3.5-turbo",
        {"n_ctx": 8192, "n_parallel": 4, "n_gpu_layers": 99, "embedding": True},
        {"alias": "gpt-3.5-turbo"},
        {"metrics": True},
    ),
    (
        "-m m.gguf --ctx_size 2048 --gpu-layers 0 --log-format text --slots-endpoint-disable",
        {"n_ctx": 2048, "n_gpu_layers": 0},
        {},
        {"slots_endpoint": False},
    ),
    # Memory and processors.
    ("-m m.gguf -t 4 -tb 8 -b 256", {"n_threads": 4, "n_threads_batch": 8, "n_batch": 256}, {}, {}),
    ("-m m.gguf -b 2048 -c 4096", {"n_batch": 2048, "n_ctx": 4096}, {}, {}),
    ("-m m.gguf --mlock --no-mmap", {"mlock": True, "mmap": False}, {}, {}),
    ("-m m.gguf --memory-f32", {"cache_type_k": "f32", "cache_type_v": "f32"}, {}, {}),
    ("-m m.gguf -ctk q8_0 -ctv f16", {"cache_type_k": "q8_0"}, {}, {}),
    ("--numa -m m.gguf", {"numa": NumaStrategy.DISTRIBUTE}, {}, {}),
    ("-m m.gguf --numa", {"numa": NumaStrategy.DISTRIBUTE}, {}, {}),
    ("-m m.gguf --numa numactl", {"numa": NumaStrategy.NUMACTL}, {}, {}),
    (
        "-m m.gguf -ngl 99 -sm row -ts 3,2 -mg 1 -nommq",
        {"n_gpu_layers": 99, "split_mode": SplitMode.ROW, "tensor_split": (3.0, 2.0), "main_gpu": 1},
        {},
        {},
    ),
    # Longer contexts.
    (
        "-m m.gguf -c 16384 --rope-freq-base 26000 --rope-freq-scale 0.5",
        {"n_ctx": 16384, "rope_freq_base": 26000.0, "rope_freq_scale": 0.5},
        {},
        {},
    ),
    ("-m m.gguf -c 8192 --grp-attn-n 4 --grp-attn-w 2048", {"n_ctx": 8192}, {"group_n": 4, "group_width": 2048}, {}),
    # What requests may do.
    ("-m m.gguf -n 256 -to 1200", {}, {"max_tokens": 256}, {"timeout_s": 1200}),
    ("-m m.gguf --n-predict -1 --timeout 3600", {}, {}, {"timeout_s": 3600}),
    ("-m m.gguf --chat-template chatml", {}, {"chat_template": "chatml"}, {}),
    ("-m m.gguf --path ./public -v", {}, {}, {"static_path": "./public", "verbose": True}),
    (
        "-m m.gguf --lora a.gguf --lora-base base.gguf",
        {"lora": (LoraAdapter("a.gguf"),), "mmap": False},
        {},
        {},
    ),
]


@pytest.mark.parametrize(("line", "model", "core", "adapter"), LINES, ids=[line for line, *_ in LINES])
def test_a_line_means_what_it_meant(
    line: str, model: dict[str, Any], core: dict[str, Any], adapter: dict[str, Any]
) -> None:
    settings = parse_with_environment(SERVE_GROUPS, shlex.split(line), {}, KNOWN_VARIABLES).settings
    expected = ModelConfig(**{"path": "m.gguf", **model})
    assert core_config(settings) == CoreConfig(model=expected, **core)
    assert rest_config(settings) == RestConfig(**adapter)


def test_keys_of_a_line_are_all_valid() -> None:
    settings = parse_with_environment(
        SERVE_GROUPS, shlex.split("-m m.gguf --api-key one --api-key 'two'"), {}, KNOWN_VARIABLES
    ).settings
    assert core_config(settings).api_keys == rest_config(settings).api_keys == ("one", "two")
