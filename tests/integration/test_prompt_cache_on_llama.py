"""Caches that move between the KV cache and main memory, on llama.cpp with the default model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from service.config import EngineConfig, ModelConfig
from service.engine.request.events import Piece, TokenRecord
from service.engine.request.requests import GenerationRequest
from service.llama.llama_model import LlamaModel
from service.llama.loader import load
from service.sampling.settings import SamplingSettings
from service.testing.scripted_model import VirtualClock
from slotline.cli.default_model import default_model_path
from tests.support.engine import RecordingSink, SteppedEngine

if TYPE_CHECKING:
    from collections.abc import Iterator

N_SLOTS, N_CTX_SLOT = 8, 640
STORY = "Once upon a time there was a lighthouse keeper who counted ships and wrote down what they carried. "
GREEDY = SamplingSettings(temperature=0.0, repeat_penalty=1.0, top_logprobs=3)


@pytest.fixture(scope="module")
def model() -> Iterator[LlamaModel]:
    """The default model with eight slots."""
    config = ModelConfig(str(default_model_path()), n_ctx=N_SLOTS * N_CTX_SLOT, n_parallel=N_SLOTS, n_threads=1)
    with load(config) as loaded:
        assert isinstance(loaded, LlamaModel)
        yield loaded


@pytest.fixture
def engine(model: LlamaModel) -> SteppedEngine:
    """An engine on the empty model."""
    for seq_id in range(model.info.n_seq_max):
        model.memory.remove(seq_id, 0, -1)
    return SteppedEngine(model, EngineConfig(n_slots=N_SLOTS, n_ctx_slot=N_CTX_SLOT, idle_cells=0), VirtualClock())


def request(model: LlamaModel, text: str, n_tokens: int = 6, slot_id: int | None = None) -> GenerationRequest:
    """A greedy request with records of its tokens."""
    tokens = model.vocabulary.tokenize(text, parse_special=False)
    return GenerationRequest(tuple(tokens), sampling=GREEDY, max_tokens=n_tokens, want_tokens=True, slot_id=slot_id)


def first_token(sink: RecordingSink) -> TokenRecord:
    """The record of the first token."""
    return next(event.tokens[0] for event in sink.events if isinstance(event, Piece) and event.tokens)


def test_a_restored_conversation_goes_on_as_one_that_never_left(model: LlamaModel, engine: SteppedEngine) -> None:
    first = request(model, STORY * 3, slot_id=0)
    engine.complete(first)
    stayed = engine.complete(request(model, STORY * 3 + "And", slot_id=0))
    # Another conversation takes the slot.
    engine.complete(request(model, "Count from one to ten. " * 8, slot_id=0))
    assert engine.engine.snapshot().slots[0].cached_tokens < len(first.prompt)
    restored = engine.complete(request(model, STORY * 3 + "And", slot_id=0))
    n_prompt = restored.accepted.prompt_tokens
    assert restored.accepted.cached_prompt_tokens == n_prompt - 1
    expected, actual = first_token(stayed), first_token(restored)
    assert actual.id == expected.id
    assert actual.logprob == pytest.approx(expected.logprob, abs=0.2)
    assert len(restored.text) > 0
    snapshot = engine.engine.snapshot()
    assert snapshot.kv_cells_used == sum(slot.cached_tokens for slot in snapshot.slots)


def test_eight_requests_with_one_beginning_evaluate_it_once(model: LlamaModel, engine: SteppedEngine) -> None:
    beginning = STORY * 27
    n_beginning = len(model.vocabulary.tokenize(beginning, parse_special=False))
    assert 500 < n_beginning < 600
    sinks = [engine.submit(request(model, f"{beginning}Ship {number}", n_tokens=2))[1] for number in range(N_SLOTS)]
    engine.run()
    evaluated = [sink.accepted.prompt_tokens - sink.accepted.cached_prompt_tokens for sink in sinks]
    assert evaluated[0] == sinks[0].accepted.prompt_tokens
    assert max(evaluated[1:]) < 5
    snapshot = engine.engine.snapshot()
    assert snapshot.kv_cells_used < n_beginning + N_SLOTS * 8
    # Beside another request they leave the slots, one copy of the beginning is enough, and it comes back.
    engine.complete(request(model, "Count from one to ten.", n_tokens=2 * N_SLOTS, slot_id=0))
    snapshot = engine.engine.snapshot()
    assert [slot.cached_tokens for slot in snapshot.slots[1:]] == [0] * (N_SLOTS - 1)
    assert snapshot.saved_prompts == 1
    assert snapshot.kv_cells_used == snapshot.slots[0].cached_tokens == model.info.n_cells - model.memory.cells_free
    again = engine.complete(request(model, f"{beginning}Ship 9", n_tokens=2))
    assert again.accepted.prompt_tokens - again.accepted.cached_prompt_tokens < 5
