"""Threads, memory and kernels."""

from __future__ import annotations

from service.config import NumaStrategy
from service.llama.model_options import CACHE_TYPES
from slotline.cli.options.table import Flag, Group, Value
from slotline.cli.options.values import ON_OFF_AUTO, Kind, choice, none_if, or_words, whole

_STRATEGIES: Kind[NumaStrategy] = choice(
    {item.value: item for item in NumaStrategy if item is not NumaStrategy.DISABLED}
)
_NUMA = Kind(
    # An empty value has always meant the plain "attempt optimisations".
    lambda name, value: _STRATEGIES(name, value or "distribute"),
    _STRATEGIES.allowed,
    lambda strategy: "off" if strategy is NumaStrategy.DISABLED else strategy.value,
)
#: Whether the file is mapped, and whether it is kept in memory, by the names that llama.cpp has for both.
LOAD_MODES = {
    "auto": (True, False),
    "none": (False, False),
    "mmap": (True, False),
    "mlock": (False, True),
    "mmap+mlock": (True, True),
}

COMPUTE = Group(
    "speed and memory",
    (
        Value(
            ("-t", "--threads"),
            "N",
            "n_threads",
            or_words({"0": "-1"}, none_if(-1, whole("n_threads", or_exactly=-1, means="the physical cores"))),
            "threads while one token is evaluated",
            default_note="the physical cores",
        ),
        Value(
            ("-tb", "--threads-batch"),
            "N",
            "n_threads_batch",
            none_if(-1, whole("n_threads_batch", or_exactly=-1, means="as -t")),
            "threads while several tokens are evaluated",
            default_note="as -t",
        ),
        Value(
            ("-b", "--batch-size"),
            "N",
            "n_batch",
            whole("n_batch"),
            "most prompt tokens that are evaluated at once",
        ),
        Value(
            ("-ctk", "--cache-type-k"),
            "TYPE",
            "cache_type_k",
            choice({kind: kind for kind in CACHE_TYPES}),
            f"type of the cached keys: {', '.join(CACHE_TYPES)}",
        ),
        Value(
            ("-ctv", "--cache-type-v"),
            "TYPE",
            "cache_type_v",
            choice({kind: kind for kind in CACHE_TYPES}),
            "type of the cached values: the same types",
        ),
        Value(
            ("-fa", "--flash-attn"),
            "WHEN",
            "flash_attention",
            or_words(ON_OFF_AUTO, choice({"auto": None, "on": True, "off": False})),
            "flash attention: on, off or auto; on processors, off decodes faster behind more than 300 tokens or so",
        ),
        Flag(
            ("--memory-f32",),
            {"cache_type_k": "f32", "cache_type_v": "f32"},
            "the same as -ctk f32 -ctv f32; not recommended",
        ),
        Flag(("--mlock",), {"mlock": True}, "keep the model in memory, never swap it out"),
        Flag(("--mmap",), {"mmap": True}, "map the file of the model; that is the default"),
        Flag(("--no-mmap",), {"mmap": False}, "read the model into memory instead of mapping the file"),
        Value(
            ("-lm", "--load-mode"),
            "MODE",
            "load_mode",
            choice(LOAD_MODES),
            "how the model comes into memory, in one word instead of --mlock, --mmap and --no-mmap: "
            + ", ".join(LOAD_MODES),
            default_note="auto",
        ),
        Flag(("--check-tensors",), {"check_tensors": True}, "refuse a model with weights that are not finite numbers"),
        Value(
            ("--numa",),
            "[TYPE]",
            "numa",
            _NUMA,
            "threads on NUMA nodes: distribute (also without TYPE), isolate, or numactl",
            bare="distribute",
        ),
    ),
)
