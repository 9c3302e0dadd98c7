"""What the engine shows, as far as it is not in the transcripts: snapshots, seeds, probabilities."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from service.config import EngineConfig
from service.engine.request.events import Piece
from service.engine.request.requests import GenerationRequest, SystemPrompt
from service.engine.request.snapshots import SlotState
from service.sampling.gbnf import GbnfGuide
from service.sampling.settings import SamplingSettings
from service.testing.scripted_media import media_chunk
from tests.support.engine import GREEDY, EngineBench, expected_text, request
from tests.support.pictures import WIDTH

#: Types of what can be a text, or tokens of one.
HOLDS_TEXT = re.compile(r"str|bytes|tuple|list|frozenset|object|SystemPrompt|Guide")


def test_snapshots_tell_the_last_request_of_an_idle_slot() -> None:
    bench = EngineBench()
    before = bench.engine.snapshot().slots[0]
    assert (before.task_id, before.request) == (None, None)
    bench.complete(request(slot_id=0))
    after = bench.engine.snapshot().slots[0]
    assert after.state is SlotState.IDLE
    assert (after.task_id, after.tokens_predicted, after.cached_tokens) == (1, 8, 12)
    assert after.finished is not None
    assert after.request == request(slot_id=0).without_texts()
    assert bench.engine.snapshot().counters.predicted_tokens == 8


def test_no_field_of_a_request_that_can_hold_a_text_is_kept_without_texts() -> None:
    full: dict[str, Any] = {"prompt": (1,), "stop_texts": (b"a",), "stop_tokens": frozenset({1}), "cache_salt": "a"}
    full |= {"system_prompt": SystemPrompt("a"), "guide": GbnfGuide("a")}
    full |= {"media": {b"a": media_chunk("a", 2, width=WIDTH)}}
    # Whoever adds one decides here whether others may see it, and everybody after the end.
    holders = {field.name for field in dataclasses.fields(GenerationRequest) if HOLDS_TEXT.search(str(field.type))}
    assert holders == {*full, "tenant", "adapter_scales"}
    emptied = GenerationRequest(**full, tenant="mine", max_tokens=5).without_texts()
    sampling = dataclasses.replace(SamplingSettings(), dry_sequence_breakers=())
    assert emptied == GenerationRequest(prompt=(), tenant="mine", max_tokens=5, sampling=sampling)


def test_snapshots_keep_no_texts_of_a_request_that_has_ended() -> None:
    sampling = dataclasses.replace(GREEDY, top_k=7, penalty_prompt=(1, 2), logit_bias=((3, -1.0),))
    asked = request(
        sampling=sampling,
        stop_texts=(expected_text("hello", 3).encode()[2:],),
        stop_tokens=frozenset({5}),
    )
    bench = EngineBench()
    sink = bench.submit(asked)[1]
    bench.step()
    assert bench.engine.snapshot().slots[0].request == asked
    bench.run()
    slot = bench.engine.snapshot().slots[0]
    assert (sink.finished.stop_text is None, slot.finished and slot.finished.stop_text) == (False, b"")
    assert slot.request is not None
    assert (slot.request.prompt, slot.request.stop_texts, slot.request.stop_tokens) == ((), (), frozenset())
    assert (slot.request.guide, slot.request.system_prompt) == (None, None)
    assert slot.request.sampling == dataclasses.replace(GREEDY, top_k=7, penalty_prompt=(), dry_sequence_breakers=())


def test_token_records_carry_probabilities_when_asked_for() -> None:
    sampling = dataclasses.replace(GREEDY, n_probs=2, top_logprobs=1)
    sink = EngineBench().complete(request(sampling=sampling, want_tokens=True, max_tokens=1))
    (piece,) = [event for event in sink.events if isinstance(event, Piece)]
    (record,) = piece.tokens
    assert record.token_bytes.decode() == piece.text
    assert len(record.probabilities) == 2
    assert record.probabilities[0][0] == record.id
    assert record.logprob == pytest.approx(0.0, abs=1e-3)
    assert [token for token, _ in record.top_logprobs] == [record.id]


def test_sequences_of_one_seed_differ_and_are_reproducible() -> None:
    flat = SamplingSettings(temperature=100.0, top_k=0, top_p=1.0, min_p=0.0, seed=7)
    texts = []
    for _ in range(2):
        sink = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=128)).complete(request(sampling=flat, n_sequences=3))
        assert [sink.endings[index].seed for index in range(3)] == [7, 8, 9]
        texts.append([sink.text_of(index) for index in range(3)])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 3
