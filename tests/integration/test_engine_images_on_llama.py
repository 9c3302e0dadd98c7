"""The engine on llama.cpp with pictures: what it believes is what the library holds, and pictures are worth words."""

from __future__ import annotations

import hashlib
import random
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from service.config import ModelConfig
from service.engine.request.events import Failed, Finished
from service.engine.request.media import MediaChunk
from service.engine.request.requests import (
    EmbeddingRequest,
    GenerationRequest,
    Overflow,
    Request,
    SystemPrompt,
    SystemPromptRequest,
)
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from tests.support.engine import GREEDY
from tests.support.llama_bench import N_CTX_SLOT, N_SLOTS, LlamaBench
from tests.support.pictures import media_of, prompt_of
from tests.support.seeing_model import PRIMARY, write_mrope_model
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.support.seeing_model import Projector, SeeingModels

#: Shared beginnings of the random prompts.
STEMS = [tuple(random.Random(seed).randbytes(length)) for seed, length in enumerate([3, 20, 40])]

#: What a small model answers with the colour at once.
SENTENCES = (
    ("Picture:", "\nThe colour of the picture is"),
    ("A picture:", "\nQuestion: What colour is the picture?\nAnswer: The picture is"),
    ("Look at the picture:", ".\nWhat colour is the picture? The picture is"),
)


def loaded(path: Any, **options: Any) -> Iterator[LlamaModel]:
    """A model that takes pictures and embeds."""
    defaults = {"n_ctx": N_SLOTS * N_CTX_SLOT, "n_parallel": N_SLOTS, "n_threads": 1, "embedding": True}
    with load(ModelConfig(str(path), **(defaults | options))) as model:
        assert isinstance(model, LlamaModel)
        yield model


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    """A tiny model whose cells are as many as all slots may use."""
    yield from loaded(write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf"))


@pytest.fixture(scope="module")
def tiny_grid(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    """The same with positions in time, y and x."""
    folder = tmp_path_factory.mktemp("models")
    write_mrope_model(write_tiny_gguf(folder / "tiny.gguf"), folder / "grid.gguf")
    yield from loaded(folder / "grid.gguf")


@pytest.fixture(scope="module")
def default(seeing: SeeingModels) -> Iterator[LlamaModel]:
    """The default model with eight slots."""
    yield from loaded(seeing.default, n_ctx=8 * 128, n_parallel=8)


def made_up_chunk(model: LlamaModel, seed: int, kind: str) -> MediaChunk:
    """A picture of random rows for a model."""
    source = np.random.default_rng(seed)
    height, width = int(source.integers(1, 4)), int(source.integers(1, 5))
    rows = (source.standard_normal((height * width, model.info.n_embd_input)) * 0.1).astype(np.float32)
    grid = None
    if kind == "grid":
        grid = np.array([(0, y, x) for y in range(height) for x in range(width)], np.int32)
    n_positions = max(height, width) if kind == "grid" else len(rows)
    return MediaChunk(f"{kind} {seed}".encode(), rows, grid, n_positions, is_causal=kind != "whole")


def illustrated(random_: random.Random, tokens: Sequence[int], chunks: Sequence[MediaChunk]) -> list[Any]:
    """Tokens with some pictures between, before or behind them, as parts."""
    parts: list[Any] = [tokens]
    for chunk in random_.choices(chunks, k=random_.choice([0, 1, 1, 2])):
        place = random_.randrange(len(parts) + 1)
        parts.insert(place, chunk)
    return parts


def random_request(random_: random.Random, chunks: Sequence[MediaChunk]) -> Request:
    """A request of any kind, perhaps with pictures."""
    media = {chunk.key: chunk for chunk in chunks}
    kind = random_.random()
    if kind < 0.2:
        texts = [random_.randbytes(random_.randrange(1, 20)) for _ in range(random_.randrange(1, 9))]
        return EmbeddingRequest(tuple(prompt_of(*illustrated(random_, text, chunks)) for text in texts), media)
    if kind < 0.25:
        return SystemPromptRequest(SystemPrompt("x", tuple(random_.randbytes(random_.randrange(10)))))
    tail = tuple(random_.randbytes(random_.randrange(1, 5)))
    parts = [*illustrated(random_, random_.choice(STEMS), chunks), *illustrated(random_, tail, chunks)]
    return GenerationRequest(
        prompt=prompt_of(*parts),
        media=media,
        n_sequences=random_.choice([1, 1, 1, 3]),
        sampling=GREEDY,
        max_tokens=random_.choice([0, 1, 10, 90]),
        overflow=random_.choice(list(Overflow)),
        cache_prompt=random_.random() < 0.8,
        n_keep=random_.choice([0, 3, -1]),
        priority=random_.choice([0, 0, 1]),
    )


@pytest.mark.parametrize("kind", ["causal", "whole", "grid"])
@pytest.mark.parametrize("seed", range(3))
def test_random_requests_with_pictures_leave_nothing_behind(
    request: pytest.FixtureRequest, kind: str, seed: int
) -> None:
    model = request.getfixturevalue("tiny_grid" if kind == "grid" else "tiny")
    random_ = random.Random(seed)
    bench = LlamaBench(model, idle_cells=16)
    chunks = [made_up_chunk(model, number, kind) for number in range(3)]
    last = [sink.events[-1] for sink in bench.run_random(random_, lambda: random_request(random_, chunks))]
    assert sum(isinstance(event, Finished) for event in last) > 5
    refused = {event.error.reason for event in last if isinstance(event, Failed)}
    assert refused <= {"CONTEXT_LENGTH_EXCEEDED", "SLOTS_BUSY"}
    bench.empty()


def seen(projector: Projector, name: str) -> MediaChunk:
    """A picture of one colour, as the encoder makes rows of it."""
    rows = projector.expected_rows(projector.draw(name))
    return MediaChunk(hashlib.sha256(rows.tobytes()).digest(), rows, None, len(rows), is_causal=True)


def test_pictures_are_seen_by_all_who_ask_at_once_and_when_they_ask_again(
    default: LlamaModel, seeing: SeeingModels
) -> None:
    projector = seeing.projector()
    bench = LlamaBench(default, n_slots=8, n_ctx_slot=128, idle_cells=16)
    asked = []
    for colour in PRIMARY:
        picture = seen(projector, colour)
        for before, behind in SENTENCES:
            texts = [tuple(default.vocabulary.tokenize(text, parse_special=True)) for text in (before, behind)]
            prompt = prompt_of(texts[0], picture, texts[1])
            asked.append((colour, GenerationRequest(prompt, media_of(picture), sampling=GREEDY, max_tokens=3)))
    random.Random(1).shuffle(asked)
    for _ in range(2):
        sinks = [bench.submit(request)[1] for _, request in asked]
        bench.run()
        assert [re.sub(r"\W", "", sink.text) for sink in sinks] == [colour for colour, _ in asked]
    # One prompt more than slots, and all are too short to be saved.
    assert sum(sink.finished.cached_prompt_tokens > 0 for sink in sinks) > len(sinks) // 2
    assert all(sink.finished.image_tokens == 4 for sink in sinks)
    bench.empty()
