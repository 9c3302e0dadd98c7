"""Embeddings beside generation, on the scripted model whose states depend on every token before them."""

from __future__ import annotations

import numpy as np
import pytest

from service.config import EngineConfig
from service.engine.language_model import DecodeFailed, Pooling, Rows
from service.engine.request.events import Piece
from service.engine.request.requests import EmbeddingRequest, SystemPrompt, SystemPromptRequest
from service.errors import ContextLengthExceeded, Draining, EngineFailure, NotSupported, SlotsBusy
from service.testing.scripted_model import states
from tests.support.engine import EncoderBench, EngineBench, expected_text, prompt, request

#: Models that also generate, and those that do not.
BENCHES = [EngineBench, EncoderBench]
BenchType = type[EngineBench] | type[EncoderBench]
TEXTS = ["a", "some words", "x" * 100, "the last one of all"]


def expected(text: str, pooling: Pooling = Pooling.LAST) -> Rows:
    """The vector of a text by itself."""
    rows = states(prompt(text))
    if pooling is Pooling.MEAN:
        mean: Rows = rows.mean(axis=0)
        return mean
    row: Rows = rows[-1] if pooling is Pooling.LAST else rows[0]
    return row


@pytest.mark.parametrize("pooling", list(Pooling))
@pytest.mark.parametrize("bench_type", BENCHES)
def test_vectors_are_those_of_each_text_by_itself(pooling: Pooling, bench_type: BenchType) -> None:
    bench = bench_type(pooling=pooling, n_hidden=128)
    vectors = bench.embed(*TEXTS).embedded.vectors
    assert vectors.shape == (4, 4)
    assert np.allclose(vectors, [expected(text, pooling) for text in TEXTS], rtol=1e-5)


def test_many_requests_at_once_get_their_own_vectors() -> None:
    bench = EngineBench()
    texts = [[f"{number}-{place}" * (place + 1) for place in range(5)] for number in range(7)]
    sinks = [bench.submit(EmbeddingRequest(tuple(map(prompt, group))))[1] for group in texts]
    bench.run()
    for group, sink in zip(texts, sinks, strict=True):
        assert np.array_equal(sink.embedded.vectors, [expected(text) for text in group])


def test_many_inputs_are_evaluated_in_few_calls() -> None:
    bench = EngineBench(n_seq_max=3 + 32)
    bench.embed(*[f"text {number}" for number in range(32)])
    assert len(bench.model.compute.decoded) < 20


def test_a_running_stream_goes_on_at_every_step() -> None:
    config = EngineConfig(n_slots=2, n_ctx_slot=128, prefill_budget_ms=50, idle_prefill_budget_ms=50)
    bench = EngineBench(config)
    bench.complete(request("how long a token takes" * 4))
    _, stream = bench.submit(request("stream", max_tokens=60))
    bench.step()
    _, sink = bench.submit(EmbeddingRequest(tuple(prompt("y" * 60) for _ in range(6))))
    while not sink.is_over:
        before, started_s = len(stream.events), bench.clock()
        bench.step()
        new = [event for event in stream.events[before:] if isinstance(event, Piece)]
        assert len(new) == 1 or stream.is_over
        # Two calls of 10 ms, and 5 ms for each token: those within the budget and the stream's own.
        assert bench.clock() - started_s < 0.080
    assert stream.text == expected_text("stream", len(stream.text))
    bench.run()


def test_neither_a_prompt_nor_texts_to_embed_wait_for_the_other() -> None:
    config = EngineConfig(n_slots=1, n_ctx_slot=512, prefill_budget_ms=100, idle_prefill_budget_ms=100)
    bench = EngineBench(config, n_cells=1024)
    _, embedded = bench.submit(EmbeddingRequest((prompt("e" * 200),)))
    _, generated = bench.submit(request("p" * 200, max_tokens=1))
    bench.run()
    assert embedded.is_over
    assert generated.is_over
    of_prompt = of_text = 0
    for batch in bench.model.compute.decoded:
        of_prompt += sum(len(segment.tokens) for segment in batch if segment.seq_id == 0)
        of_text += sum(len(segment.tokens) for segment in batch if segment.seq_id != 0)
        assert 4 * min(of_prompt, of_text) + 32 >= max(of_prompt, of_text)
    assert of_prompt == of_text == 200


@pytest.mark.parametrize("bench_type", BENCHES)
def test_a_small_request_does_not_wait_for_a_large_one(bench_type: BenchType) -> None:
    bench = bench_type(n_hidden=16)
    _, large = bench.submit(EmbeddingRequest(tuple(prompt(f"text {number}") for number in range(100))))
    bench.step()
    _, small = bench.submit(EmbeddingRequest((prompt("small"),)))
    while not small.is_over:
        bench.step()
    assert not large.is_over
    bench.run()
    assert np.array_equal(large.embedded.vectors[99], expected("text 99"))


@pytest.mark.parametrize("bench_type", BENCHES)
@pytest.mark.parametrize("steps", range(6))
def test_cancel_at_any_step_frees_everything(steps: int, bench_type: BenchType) -> None:
    bench = bench_type()
    task_id, sink = bench.submit(EmbeddingRequest(tuple(prompt("z" * 30) for _ in range(9))))
    for _ in range(steps):
        bench.step()
    bench.engine.cancel(task_id)
    assert not bench.engine.has_work
    bench.check()
    assert sink.events == []
    assert np.array_equal(bench.embed("again").embedded.vectors, [expected("again")])


@pytest.mark.parametrize("bench_type", BENCHES)
@pytest.mark.parametrize("steps", range(4))
def test_a_failed_call_fails_its_requests_only(steps: int, bench_type: BenchType) -> None:
    bench = bench_type(n_hidden=32)
    _, sink = bench.submit(EmbeddingRequest(tuple(prompt("z" * 30) for _ in range(9))))
    for _ in range(steps):
        bench.step()
    bench.fail_next(DecodeFailed("broken"))
    bench.run()
    assert isinstance(sink.failed.error, EngineFailure)
    assert np.array_equal(bench.embed("again").embedded.vectors, [expected("again")])


def test_texts_wait_for_cells_that_streams_hold() -> None:
    config = EngineConfig(n_slots=1, n_ctx_slot=64)
    bench = EngineBench(config, n_cells=64)
    _, stream = bench.submit(request("s" * 40, max_tokens=23))
    bench.step()
    _, sink = bench.submit(EmbeddingRequest(tuple(prompt(letter * 30) for letter in "abc")))
    bench.run()
    assert stream.text == expected_text("s" * 40, 23)
    assert np.array_equal(sink.embedded.vectors, [expected(letter * 30) for letter in "abc"])


def test_a_text_that_cannot_fit_is_refused() -> None:
    bench = EngineBench(EngineConfig(n_slots=2, n_ctx_slot=32))
    error = bench.embed("short", "l" * 32).failed.error
    assert isinstance(error, ContextLengthExceeded)
    assert (error.n_prompt_tokens, error.n_ctx) == (32, 32)


def test_a_text_must_fit_beside_the_system_prompt() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=32))
    bench.complete(SystemPromptRequest(SystemPrompt("s" * 20, prompt("s" * 20))))
    assert isinstance(bench.embed("l" * 12).failed.error, ContextLengthExceeded)
    assert np.array_equal(bench.embed("l" * 11).embedded.vectors, [expected("l" * 11)])


def test_the_system_prompt_cannot_change_meanwhile() -> None:
    bench = EngineBench()
    _, sink = bench.submit(EmbeddingRequest((prompt("text"),)))
    _, refused = bench.submit(SystemPromptRequest(SystemPrompt("s", prompt("s"))))
    bench.run()
    assert isinstance(refused.failed.error, SlotsBusy)
    assert np.array_equal(sink.embedded.vectors, [expected("text")])


def test_stop_refuses_what_has_not_ended() -> None:
    bench = EngineBench()
    _, sink = bench.submit(EmbeddingRequest((prompt("text"),)))
    for target, events in bench.engine.stop():
        target.put(events)
    assert isinstance(sink.failed.error, Draining)
    bench.check()


def test_a_request_that_was_not_begun_counts_as_waiting() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    for _ in range(3):
        bench.submit(EmbeddingRequest(tuple(prompt("w" * 50) for _ in range(4))))
    assert bench.engine.queue_depth == 3
    bench.step()
    assert bench.engine.queue_depth < 3
    bench.run()


def test_an_encoder_refuses_to_generate() -> None:
    bench = EncoderBench()
    for other in (request("Hello"), SystemPromptRequest(SystemPrompt("s", prompt("s")))):
        assert isinstance(bench.complete(other).failed.error, NotSupported)
    assert not bench.engine.has_work


def test_an_encoder_that_is_stopped_refuses_what_has_not_ended() -> None:
    bench = EncoderBench()
    _, sink = bench.submit(EmbeddingRequest((prompt("text"),)))
    assert bench.engine.queue_depth == 1
    for target, events in bench.engine.stop():
        target.put(events)
    assert isinstance(sink.failed.error, Draining)
    assert not bench.engine.has_work
