"""Tokens that a draft model guesses, against the same engine without, in processor time: other work counts little.

Two pairs: the model in full precision (which is written for that, four bytes a weight) with the model itself as the
draft model, and the model with itself, which cannot pay. The engine runs in this process, with one thread.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
from gguf.quants import dequantize

from bench.harness.report import Figure, Goal, Result, count_of
from bench.harness.stats import pair_ratios
from service.config import EngineConfig, ModelConfig
from service.engine.engine import Engine
from service.engine.request.requests import GenerationRequest
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.settings import SamplingSettings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.settings import Settings
    from service.engine.request.events import Event
    from service.engine.request.snapshots import Counters

_STREAMS = (1, 4)
_N_CTX_SLOT = 1024
_WITH, _WITHOUT = "draft model", "without"
_PAYS, _GIVES_UP = Goal("at least", 1.05), Goal("at least", 0.98)
_SAMPLING = {
    "greedy": SamplingSettings(temperature=0.0, repeat_penalty=1.0, ignore_eos=True),
    "temperature 0.8": SamplingSettings(temperature=0.8, repeat_penalty=1.0, ignore_eos=True),
}
_PROMPTS = (
    "Once upon a time, in a village by the sea, there lived",
    "The most important things to know about photosynthesis are:\n1.",
    'def fibonacci(n):\n    """',
    "Question: Why is the sky blue?\nAnswer:",
)


def run(settings: Settings) -> Result:
    """Measure both pairs in turns."""
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        large = write_full_precision(settings.model, Path(folder) / "full.gguf")
        for name, target, goal in (("full precision", large, _PAYS), ("the model itself", settings.model, _GIVES_UP)):
            figures += _contest(settings, name, target, goal)
    title = f"answers of {settings.tokens} tokens with and without a draft model, one thread"
    return Result("draft", title, tuple(figures), ("tokens for each second of processor time",))


def write_full_precision(source: Path, path: Path) -> Path:
    """Write a model again with weights of 32 bits; returns the path."""
    reader = gguf.GGUFReader(source)
    writer = gguf.GGUFWriter(path, reader.fields["general.architecture"].contents())
    for key, entry in reader.fields.items():
        if not key.startswith("GGUF.") and key != "general.architecture":
            item = entry.types[-1] if entry.types[0] == gguf.GGUFValueType.ARRAY else None
            writer.add_key_value(key, entry.contents(), entry.types[0], item)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, dequantize(tensor.data, tensor.tensor_type).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _contest(settings: Settings, name: str, target: Path, goal: Goal) -> Iterator[Figure]:
    """One pair: rates with and without, and their ratios."""
    with ExitStack() as stack:
        engines = {
            side: _Engine(stack.enter_context(_load(target, draft)))
            for side, draft in ((_WITHOUT, None), (_WITH, settings.model))
        }
        for sampling_name, sampling in _SAMPLING.items():
            for n_streams in _STREAMS:
                rates: dict[str, list[float]] = {side: [] for side in engines}
                for _ in range(settings.repeats):
                    for side, engine in engines.items():
                        rates[side].append(engine.rate(n_streams, settings.tokens, sampling))
                row = f"{name}, {sampling_name}, {count_of(n_streams, 'stream')}"
                for side, samples in rates.items():
                    yield Figure(row, "tokens/s", tuple(samples), column=side)
                ratios = tuple(pair_ratios(rates[_WITH], rates[_WITHOUT]))
                yield Figure(row, "", ratios, goal, column=_WITH, against=_WITHOUT)
        counters = engines[_WITH].counters
        if counters.drafted_tokens:
            share = counters.accepted_tokens / counters.drafted_tokens
            yield Figure(f"{name}, drafted tokens that were right", "", (share,), column=_WITH)


def _load(target: Path, draft: Path | None) -> LlamaModel:
    config = ModelConfig(
        str(target),
        n_ctx=max(_STREAMS) * _N_CTX_SLOT,
        n_parallel=max(_STREAMS),
        n_threads=1,
        draft_path=None if draft is None else str(draft),
    )
    model = load(config)
    assert isinstance(model, LlamaModel)
    return model


class _Engine:
    """An engine whose clock is this process's processor time.

    Args:
        model: what it runs on.
    """

    def __init__(self, model: LlamaModel) -> None:
        self._vocabulary = model.vocabulary
        config = EngineConfig(n_slots=max(_STREAMS), n_ctx_slot=_N_CTX_SLOT, cache_ram_mib=0)
        self._engine = Engine(model, config, time.process_time)
        self._n_tasks = 0

    @property
    def counters(self) -> Counters:
        """Totals so far."""
        return self._engine.snapshot().counters

    def rate(self, n_streams: int, n_tokens: int, sampling: SamplingSettings) -> float:
        """Tokens for each second, of answers to all prompts, so many at a time."""
        began_s = time.process_time()
        for start in range(0, len(_PROMPTS), n_streams):
            for text in _PROMPTS[start : start + n_streams]:
                prompt = tuple(self._vocabulary.tokenize(text, parse_special=False))
                request = GenerationRequest(prompt, sampling=sampling, max_tokens=n_tokens, cache_prompt=False)
                self._n_tasks += 1
                self._engine.submit(self._n_tasks, request, _Nobody())
            while self._engine.has_work:
                self._engine.step()
        return len(_PROMPTS) * n_tokens / (time.process_time() - began_s)


class _Nobody:
    """A sink that reads nothing."""

    def put(self, events: list[Event]) -> None:
        """Forget them."""
