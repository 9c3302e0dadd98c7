"""How much memory is needed, and how much there is."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING, Any

import pytest

from service.config import ModelConfig
from service.engine.language_model import Segment
from service.llama.files.gguf import GgufArray
from service.llama.host.memory import (
    N_UBATCH,
    N_UBATCH_WITH_SCORES,
    MemoryEstimate,
    available_bytes,
    count_hidden,
    count_outputs,
    count_ubatch,
    estimate_memory,
    library_batch,
)

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.llama.conftest import LoadTiny

GIB = 1 << 30
SHAPE: dict[str, Any] = {
    "general.architecture": "llama",
    "llama.block_count": 30,
    "llama.embedding_length": 576,
    "llama.feed_forward_length": 1536,
    "llama.attention.head_count": 9,
    "llama.attention.head_count_kv": 3,
}
MASK = 1024


def per_cell(metadata: dict[str, Any], cache_type_k: str = "f16", cache_type_v: str = "f16") -> int:
    """Bytes of the KV cache for one cell."""
    estimate = estimate_memory(
        metadata, weights=0, n_vocab=0, n_outputs=1, cache_type_k=cache_type_k, cache_type_v=cache_type_v
    )
    return estimate.per_cell - MASK


def test_keys_and_values_of_every_layer_are_counted() -> None:
    # 3 heads of 64, keys and values, 2 bytes each, 30 layers.
    assert per_cell(SHAPE) == 3 * 64 * 2 * 2 * 30


def test_cache_types_are_counted_in_blocks() -> None:
    assert per_cell(SHAPE, "f32", "q8_0") == (3 * 64 * 4 + 3 * 64 // 32 * 34) * 30


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param({"llama.attention.head_count_kv": None}, 9 * 64 * 4 * 30, id="as many KV heads as heads"),
        pytest.param({"llama.attention.key_length": 128}, 3 * (128 + 64) * 2 * 30, id="longer keys"),
        pytest.param({"llama.attention.value_length": 32}, 3 * (64 + 32) * 2 * 30, id="shorter values"),
        pytest.param(
            {"llama.attention.head_count_kv": GgufArray(False, 30, (3, 0) * 15)}, 3 * 64 * 4 * 15, id="per layer"
        ),
        pytest.param(
            {
                "llama.attention.head_count_kv": 1,
                "llama.attention.key_length": 576,
                "llama.attention.value_length": 512,
                "llama.attention.key_length_mla": 192,
            },
            576 * 2 * 30,
            id="latent attention",
        ),
        pytest.param({"llama.attention.head_count": 0, "llama.attention.head_count_kv": 0}, 0, id="no attention"),
    ],
)
def test_architectures(change: dict[str, Any], expected: int) -> None:
    metadata = {key: value for key, value in (SHAPE | change).items() if value is not None}
    assert per_cell(metadata) == expected


@pytest.mark.parametrize("embedding", [False, True])
def test_the_estimate_covers_what_the_library_allocates(
    load_tiny: LoadTiny, tiny_path: Path, caplog: pytest.LogCaptureFixture, embedding: bool
) -> None:
    caplog.set_level(logging.DEBUG, "service.llama")
    config = ModelConfig(str(tiny_path), n_ctx=8192 - 100, n_parallel=3, embedding=embedding)
    model = load_tiny(n_ctx=config.n_ctx, n_parallel=config.n_parallel, embedding=embedding)
    if embedding:
        model.compute.hidden([Segment(0, 0, [65] * model.info.n_hidden, 0)])
    text = "\n".join(record.getMessage() for record in caplog.records)
    allocated = {
        kind: float(size) * 2**20
        for kind, size in re.findall(r"CPU +(KV|output|compute) buffer size = +([\d.]+) MiB", text)
    }
    assert set(allocated) == {"KV", "output", "compute"}
    metadata: dict[str, Any] = {
        "general.architecture": "llama",
        "llama.block_count": 1,
        "llama.embedding_length": 64,
        "llama.feed_forward_length": 64,
        "llama.attention.head_count": 4,
        "llama.attention.head_count_kv": 2,
    }
    estimate = estimate_memory(
        metadata, weights=0, n_vocab=264, n_outputs=count_outputs(config), cache_type_k="f16", cache_type_v="f16"
    )
    assert (estimate.per_cell - MASK) * 8192 == allocated["KV"]
    assert sum(allocated.values()) <= estimate.total(8192 - 100) <= sum(allocated.values()) + (160 << 20)


def test_hidden_states_and_sequences_are_rows_of_logits() -> None:
    def fixed(config: ModelConfig) -> int:
        return estimate_memory(
            SHAPE,
            weights=0,
            n_vocab=1000,
            n_outputs=count_outputs(config),
            cache_type_k="f16",
            cache_type_v="f16",
        ).fixed

    # Each row is in the output buffer, and in the computation before it.
    row = 2 * 1000 * 4
    assert fixed(ModelConfig("m", n_parallel=10)) - fixed(ModelConfig("m", n_parallel=4)) == 6 * row
    assert fixed(ModelConfig("m", n_parallel=4, embedding=True)) - fixed(ModelConfig("m", n_parallel=4)) == 60 * row


@pytest.mark.parametrize(
    ("options", "n_hidden", "n_batch"),
    [
        ({}, 0, 512),
        ({"embedding": True}, 128, 512),
        ({"embedding": True, "n_batch": 64}, 64, 64),
        ({"embedding": True, "n_batch": 1, "n_parallel": 4}, 38, 38),
        ({"n_batch": 1, "n_parallel": 4}, 0, 6),
    ],
)
def test_hidden_states_fit_into_a_batch(options: dict[str, Any], n_hidden: int, n_batch: int) -> None:
    config = ModelConfig("m", **options)
    assert (count_hidden(config), library_batch(config)) == (n_hidden, n_batch)


def test_the_largest_context_fits_and_the_next_does_not() -> None:
    memory = MemoryEstimate(weights=5 * GIB, fixed=GIB, per_cell=100_000)
    largest = memory.largest_context(8 * GIB)
    assert largest % 256 == 0
    assert memory.total(largest) <= 8 * GIB < memory.total(largest + 1)
    assert memory.largest_context(6 * GIB) == 0


def write(folder: Path, files: dict[str, str]) -> None:
    """Files below a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param({}, None, id="nothing is known"),
        pytest.param({"proc/meminfo": "MemTotal: 9 kB\nMemAvailable:   2048 kB\n"}, 2 << 20, id="no control groups"),
        pytest.param(
            {
                "proc/meminfo": "MemAvailable: 8388608 kB\n",
                "proc/self/cgroup": "0::/app/core\n",
                "cgroup/app/memory.max": "3000\n",
                "cgroup/app/memory.current": "2000\n",
                "cgroup/app/memory.stat": "anon 5\ninactive_file 400\n",
                "cgroup/app/core/memory.max": "max\n",
                "cgroup/app/core/memory.current": "1000\n",
            },
            1400,
            id="version 2, limit of the parent",
        ),
        pytest.param(
            {
                "proc/meminfo": "MemAvailable: 1 kB\n",
                "proc/self/cgroup": "0::/\n",
                "cgroup/memory.max": "999999\n",
                "cgroup/memory.current": "0\n",
            },
            1024,
            id="version 2, the machine has less",
        ),
        pytest.param(
            {
                "proc/meminfo": "MemAvailable: 8388608 kB\n",
                "proc/self/cgroup": "9:cpu,cpuacct:/x\n4:memory:/outside/of/the/container\n0::/\n",
                "cgroup/memory/memory.limit_in_bytes": "5000\n",
                "cgroup/memory/memory.usage_in_bytes": "4500\n",
                "cgroup/memory/memory.stat": "inactive_file 1\ntotal_inactive_file 300\n",
            },
            800,
            id="version 1, inside a container",
        ),
        pytest.param(
            {
                "proc/self/cgroup": "0::/\n",
                "cgroup/memory.max": "10\n",
                "cgroup/memory.current": "30\n",
            },
            0,
            id="more used than allowed",
        ),
    ],
)
def test_available_memory(tmp_path: Path, files: dict[str, str], expected: int | None) -> None:
    write(tmp_path, files)
    assert available_bytes(tmp_path / "proc", tmp_path / "cgroup") == expected


def test_this_machine_has_memory() -> None:
    available = available_bytes()
    assert available is not None
    assert available > 0


def test_without_flash_attention_each_cell_has_scores() -> None:
    sizes: dict[str, Any] = {"weights": 0, "n_vocab": 0, "n_outputs": 1, "cache_type_k": "f16", "cache_type_v": "f16"}
    flash, scores = (estimate_memory(SHAPE, **sizes, has_scores=has_scores) for has_scores in (False, True))
    assert scores.per_cell - flash.per_cell == 9 * N_UBATCH_WITH_SCORES * 4


def test_without_flash_attention_pieces_are_smaller() -> None:
    assert count_ubatch(ModelConfig("m")) == count_ubatch(ModelConfig("m", flash_attention=True)) == N_UBATCH
    assert count_ubatch(ModelConfig("m", flash_attention=False)) == N_UBATCH_WITH_SCORES
