"""Embeddings beside generation, on the scripted model whose states depend on every token before them."""

from __future__ import annotations

import numpy as np
import pytest

from service.config import Pooling
from service.engine.language_model import DecodeFailed, Rows
from service.engine.request.requests import EmbeddingRequest, SystemPrompt, SystemPromptRequest
from service.errors import Draining, EngineFailure, NotSupported
from service.testing.scripted_model import states
from tests.support.engine import POOLINGS, EncoderBench, EngineBench, pooled, prompt, request

#: Models that also generate, and those that do not.
BENCHES = [EngineBench, EncoderBench]
BenchType = type[EngineBench] | type[EncoderBench]
TEXTS = ["a", "some words", "x" * 100, "the last one of all"]


def expected(text: str, pooling: Pooling = Pooling.LAST) -> Rows:
    """The vectors of a text by itself."""
    return pooled(states(prompt(text)), pooling)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("bench_type", BENCHES)
def test_vectors_are_those_of_each_text_by_itself(pooling: Pooling, bench_type: BenchType) -> None:
    bench = bench_type(pooling=pooling, n_hidden=128)
    vectors = bench.embed(*TEXTS).embedded.vectors
    assert np.allclose(vectors, np.concatenate([expected(text, pooling) for text in TEXTS]), rtol=1e-5)
    assert len(vectors) == (sum(map(len, TEXTS)) if pooling is Pooling.NONE else 4)


def test_many_requests_at_once_get_their_own_vectors() -> None:
    bench = EngineBench()
    texts = [[f"{number}-{place}" * (place + 1) for place in range(5)] for number in range(7)]
    sinks = [bench.submit(EmbeddingRequest(tuple(map(prompt, group))))[1] for group in texts]
    bench.run()
    for group, sink in zip(texts, sinks, strict=True):
        assert np.array_equal(sink.embedded.vectors, np.concatenate([expected(text) for text in group]))


def test_many_inputs_are_evaluated_in_few_calls() -> None:
    bench = EngineBench(n_seq_max=3 + 32)
    bench.embed(*[f"text {number}" for number in range(32)])
    assert len(bench.model.compute.decoded) < 20


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
    assert np.array_equal(large.embedded.vectors[99:], expected("text 99"))


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
    assert np.array_equal(bench.embed("again").embedded.vectors, expected("again"))


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
    assert np.array_equal(bench.embed("again").embedded.vectors, expected("again"))


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
