"""The engine on llama.cpp with a tiny model: what the engine believes is what the library holds, whatever happens."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import ModelConfig
from service.engine.request.events import Finished
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
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from tests.support.engine import GREEDY
from tests.support.llama_bench import N_CTX_SLOT, N_SLOTS, LlamaBench
from tests.support.tiny_gguf import write_tiny_gguf

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Shared beginnings of the random prompts.
STEMS = [tuple(random.Random(seed).randbytes(length)) for seed, length in enumerate([3, 20, 50])]


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LlamaModel]:
    """A tiny model whose cells are as many as all slots may use."""
    path = write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")
    config = ModelConfig(str(path), n_ctx=N_SLOTS * N_CTX_SLOT, n_parallel=N_SLOTS, n_threads=1, embedding=True)
    with load(config) as model:
        assert isinstance(model, LlamaModel)
        yield model


@pytest.fixture
def model(loaded: LlamaModel) -> LlamaModel:
    """The model, empty."""
    for seq_id in range(loaded.info.n_seq_max):
        loaded.memory.remove(seq_id, 0, -1)
    return loaded


def random_request(random_: random.Random) -> Request:
    """A request of any kind."""
    kind = random_.random()
    if kind < 0.2:
        texts = (random_.randbytes(random_.randrange(1, 20)) for _ in range(random_.randrange(1, 9)))
        return EmbeddingRequest(tuple(map(tuple, texts)))
    if kind < 0.25:
        return SystemPromptRequest(SystemPrompt("x", tuple(random_.randbytes(random_.randrange(20)))))
    return GenerationRequest(
        prompt=(*random_.choice(STEMS), *random_.randbytes(random_.randrange(1, 5))),
        n_sequences=random_.choice([1, 1, 1, 4]),
        sampling=SamplingSettings(seed=1),
        max_tokens=random_.choice([0, 1, 10, 90]),
        overflow=random_.choice(list(Overflow)),
        cache_prompt=random_.random() < 0.8,
        n_keep=random_.choice([0, 3, -1]),
        guide=random_.choice([None, None, GbnfGuide('root ::= "yes" | "no"')]),
    )


@pytest.mark.parametrize("group_n", [1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_random_requests_and_cancels_leave_nothing_behind(model: LlamaModel, seed: int, group_n: int) -> None:
    random_ = random.Random(seed)
    bench = LlamaBench(model, group_n=group_n, group_width=8, idle_cells=16)
    sinks = bench.run_random(random_, lambda: random_request(random_))
    assert any(isinstance(sink.events[-1], Finished) for sink in sinks)
    bench.empty()


def test_the_same_seed_gives_the_same_text_on_an_idle_server(model: LlamaModel) -> None:
    bench = LlamaBench(model)
    request = GenerationRequest(
        STEMS[1], sampling=SamplingSettings(seed=5, temperature=1.5), max_tokens=30, cache_prompt=False, n_sequences=2
    )
    first = bench.complete(request)
    # Where in the cache the tokens lie decides about the last bits of the logits.
    bench.empty()
    second = bench.complete(request)
    for index in range(2):
        assert first.text_of(index) == second.text_of(index)
    assert first.text_of(0) != first.text_of(1)
    bench.empty()


def test_a_shared_prefix_says_what_an_own_one_says(model: LlamaModel) -> None:
    bench = LlamaBench(model)
    request = GenerationRequest(STEMS[2], sampling=GREEDY, max_tokens=10, slot_id=0)
    alone = bench.complete(request)
    _, running = bench.submit(GenerationRequest((*STEMS[2], 7), sampling=GREEDY, max_tokens=10, slot_id=1))
    bench.step()
    shared = bench.complete(GenerationRequest(STEMS[2], sampling=GREEDY, max_tokens=10, slot_id=2))
    assert shared.accepted.cached_prompt_tokens == len(STEMS[2]) - 1
    assert shared.text == alone.text
    assert running.is_over
    bench.empty()


def test_a_system_prompt_says_what_the_same_tokens_in_the_prompt_say(model: LlamaModel) -> None:
    bench = LlamaBench(model)
    as_prompt = bench.complete(GenerationRequest((*STEMS[1], *STEMS[0]), sampling=GREEDY, max_tokens=10))
    bench.complete(SystemPromptRequest(SystemPrompt("x", STEMS[1])))
    sinks = [bench.submit(GenerationRequest(STEMS[0], sampling=GREEDY, max_tokens=10))[1] for _ in range(N_SLOTS)]
    bench.run()
    assert [sink.text for sink in sinks] == [as_prompt.text] * N_SLOTS
    bench.empty()


def test_embeddings_of_many_texts_at_once_are_those_of_each_alone(model: LlamaModel) -> None:
    bench = LlamaBench(model)
    texts = [tuple(random.Random(seed).randbytes(1 + seed * 3)) for seed in range(20)]
    alone = np.concatenate([bench.complete(EmbeddingRequest((text,))).embedded.vectors for text in texts])
    _, stream = bench.submit(GenerationRequest(STEMS[0], sampling=GREEDY, max_tokens=30))
    together = bench.complete(EmbeddingRequest(tuple(texts))).embedded.vectors
    assert stream.is_over
    cosines = (alone * together).sum(axis=1) / np.linalg.norm(alone, axis=1) / np.linalg.norm(together, axis=1)
    assert cosines.min() > 0.999
    bench.empty()
