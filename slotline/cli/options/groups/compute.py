"""Threads, memory and kernels."""

from __future__ import annotations

from service.config import MAX_BATCH, MAX_THREADS, NumaStrategy
from service.llama.model_options import CACHE_TYPES
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import choice, integer


def _numa(name: str, value: str) -> NumaStrategy:
    strategies = (NumaStrategy.DISTRIBUTE, NumaStrategy.ISOLATE, NumaStrategy.NUMACTL)
    # An empty value has always meant the plain "attempt optimisations".
    return choice({item.value: item for item in strategies})(name, value or "distribute")


COMPUTE = Group(
    "speed and memory",
    (
        Value(
            ("-t", "--threads"),
            "N",
            "n_threads",
            integer(1, MAX_THREADS),
            "threads while one token is evaluated",
            default="the physical cores",
        ),
        Value(
            ("-tb", "--threads-batch"),
            "N",
            "n_threads_batch",
            integer(1, MAX_THREADS, or_exactly=-1, means="as -t"),
            "threads while several tokens are evaluated",
            default="as -t",
        ),
        Value(
            ("-b", "--batch-size"),
            "N",
            "n_batch",
            integer(1, MAX_BATCH),
            "most prompt tokens that are evaluated at once",
            default="512",
        ),
        Value(
            ("-ctk", "--cache-type-k"),
            "TYPE",
            "cache_type_k",
            choice({kind: kind for kind in CACHE_TYPES}),
            f"type of the cached keys: {', '.join(CACHE_TYPES)}",
            default="f16",
        ),
        Value(
            ("-ctv", "--cache-type-v"),
            "TYPE",
            "cache_type_v",
            choice({kind: kind for kind in CACHE_TYPES}),
            "type of the cached values: the same types",
            default="f16",
        ),
        Value(
            ("-fa", "--flash-attn"),
            "WHEN",
            "flash_attention",
            choice({"auto": None, "on": True, "off": False}),
            "flash attention: on, off or auto; on processors, off decodes faster behind more than 300 tokens or so",
            default="auto",
        ),
        Flag(
            ("--memory-f32",),
            {"cache_type_k": "f32", "cache_type_v": "f32"},
            "the same as -ctk f32 -ctv f32; not recommended",
        ),
        Flag(("--mlock",), {"mlock": True}, "keep the model in memory, never swap it out"),
        Flag(("--no-mmap",), {"mmap": False}, "read the model into memory instead of mapping the file"),
        Value(
            ("--numa",),
            "[TYPE]",
            "numa",
            _numa,
            "threads on NUMA nodes: distribute (also without TYPE), isolate, or numactl",
            default="off",
            bare="distribute",
        ),
    ),
)
