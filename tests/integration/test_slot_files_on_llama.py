"""Slot files with llama.cpp: a prompt outlives its model in memory, and no other model takes it."""

from __future__ import annotations

import asyncio
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from service.config import EngineConfig, ModelConfig
from service.engine.request.events import SlotRestored, SlotSaved
from service.engine.request.requests import GenerationRequest
from service.engine.request.slot_requests import RestoreSlot, SaveSlot, SlotImage
from service.llama.files.identity import sequence_format
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.slot_files.directory import SlotDirectory
from service.slot_files.layout import Head, media_of
from service.testing.scripted_model import VirtualClock
from tests.support.engine import GREEDY, RecordingSink, SteppedEngine
from tests.support.tiny_gguf import TinyModel, write_tiny_gguf
from tests.support.tiny_mamba import write_tiny_mamba

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PROMPT = tuple(range(60, 140))
CONFIG = EngineConfig(n_slots=2, n_ctx_slot=256)


@contextmanager
def opened(path: Path, **options: Any) -> Iterator[SteppedEngine]:
    """An engine on a model that was just loaded."""
    with load(ModelConfig(str(path), n_ctx=512, n_parallel=2, n_threads=1, **options)) as model:
        assert isinstance(model, LlamaModel)
        yield SteppedEngine(model, CONFIG, VirtualClock())


def complete(engine: SteppedEngine, prompt: tuple[int, ...] = PROMPT, slot_id: int | None = None) -> RecordingSink:
    return engine.complete(GenerationRequest(prompt, sampling=GREEDY, max_tokens=8, slot_id=slot_id))


def save(engine: SteppedEngine, directory: SlotDirectory, slot_id: int) -> int:
    (event,) = engine.complete(SaveSlot(slot_id)).events
    assert isinstance(event, SlotSaved)
    image = event.image
    n_packed = sum(map(len, image.packed))
    head = Head("", "", image.salt, len(image.items), image.n_system, n_packed, media_of(image.items))
    asyncio.run(directory.write("a", head, image.items, image.packed))
    return len(image.items)


def restore(engine: SteppedEngine, directory: SlotDirectory, slot_id: int) -> int:
    head, items, packed, _ = asyncio.run(directory.read("a", lambda _: None))
    image = SlotImage(items, head.n_system, head.cache_salt, "", (), (packed,))
    (event,) = engine.complete(RestoreSlot(slot_id, image)).events
    assert isinstance(event, SlotRestored)
    return event.n_items


@pytest.mark.parametrize("cache_type", ["f16", "q8_0"])
def test_a_prompt_outlives_the_model_in_memory(tmp_path: Path, cache_type: str) -> None:
    path, directory = (
        write_tiny_gguf(tmp_path / "model.gguf", TinyModel(n_layers=3, n_heads=2, n_heads_kv=1)),
        SlotDirectory(str(tmp_path)),
    )
    options = {"cache_type_k": cache_type, "cache_type_v": cache_type}
    with opened(path, **options) as engine:
        expected = complete(engine, slot_id=0).text
        # Slot 1 shares cells with slot 0.
        complete(engine, (*PROMPT, 150), slot_id=1)
        assert save(engine, directory, 1) == len(PROMPT) + 8
    with opened(path, **options) as engine:
        assert restore(engine, directory, 0) == len(PROMPT) + 8
        sink = complete(engine)
        assert (sink.accepted.slot_id, sink.accepted.cached_prompt_tokens) == (0, len(PROMPT) - 1)
        assert sink.text == expected


def test_a_recurrent_model_goes_on_behind_a_whole_prompt(tmp_path: Path) -> None:
    path, directory = write_tiny_mamba(tmp_path / "model.gguf"), SlotDirectory(str(tmp_path))
    with opened(path) as engine:
        complete(engine)
        n_items = save(engine, directory, 0)
        slot = engine.engine.dump().slots[0]
        longer = (*[item for item in slot.items if isinstance(item, int)], 70, 71)
        expected = complete(engine, longer)
        assert expected.accepted.cached_prompt_tokens == n_items
    with opened(path) as engine:
        restore(engine, directory, 1)
        sink = complete(engine, longer)
        assert (sink.accepted.cached_prompt_tokens, sink.text) == (n_items, expected.text)


@pytest.mark.parametrize(
    "change",
    [
        lambda config, path: (config, write_tiny_gguf(path, TinyModel(seed=1))),
        lambda config, path: (ModelConfig(config.path, cache_type_k="q8_0"), None),
        lambda config, path: (ModelConfig(config.path, rope_freq_base=5000.0), None),
    ],
    ids=["other weights", "other cache", "other positions"],
)
def test_other_models_have_another_format(
    tmp_path: Path, change: Callable[[ModelConfig, Path], tuple[ModelConfig, Path | None]]
) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    config = ModelConfig(str(path))
    changed, other_path = change(config, tmp_path / "other.gguf")
    assert sequence_format(changed, [other_path or path]) != sequence_format(config, [path])


def test_size_and_slots_are_not_part_of_the_format(tmp_path: Path) -> None:
    path = write_tiny_gguf(tmp_path / "model.gguf")
    copy = write_tiny_gguf(tmp_path / "copy.gguf")
    assert sequence_format(ModelConfig(str(copy), n_ctx=4096, n_parallel=8, n_batch=64), [copy]) == sequence_format(
        ModelConfig(str(path)), [path]
    )
