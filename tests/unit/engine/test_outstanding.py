"""What is left to do, as snapshots tell it: what requests have to evaluate and may sample, and not a token more."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.request.requests import EmbeddingRequest
from service.engine.request.snapshots import SlotState
from tests.support.engine import EncoderBench, EngineBench, prompt, request
from tests.support.random_mix import RandomMix


def outstanding(bench: EngineBench | EncoderBench) -> tuple[int, int]:
    """Prompt tokens and output tokens."""
    snapshot = bench.engine.snapshot()
    return snapshot.prompt_tokens_outstanding, snapshot.output_tokens_outstanding


def test_an_idle_engine_has_nothing_to_do() -> None:
    bench = EngineBench()
    assert outstanding(bench) == (0, 0)
    bench.complete(request("hello"))
    assert outstanding(bench) == (0, 0)


def test_a_request_counts_from_its_arrival_to_its_end() -> None:
    bench = EngineBench()
    bench.submit(request("hello", max_tokens=3))
    assert outstanding(bench) == (5, 3)
    bench.step()
    assert outstanding(bench) == (0, 2)
    bench.step()
    assert outstanding(bench) == (0, 1)


def test_a_prompt_counts_less_as_it_is_evaluated() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128, idle_prefill_budget_ms=100))
    bench.submit(request("h" * 100, max_tokens=3))
    left = []
    while outstanding(bench)[0]:
        left.append(outstanding(bench)[0])
        bench.step()
    assert left[0] == 100
    assert left == sorted(set(left), reverse=True)
    assert len(left) > 2


def test_without_a_limit_the_room_in_the_context_counts() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.submit(request("hello", max_tokens=None))
    assert outstanding(bench) == (5, 123)
    bench.step()
    bench.step()
    assert outstanding(bench) == (0, 122)


def test_all_answers_count_and_their_prompt_once() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.submit(request("hello", max_tokens=4, n_sequences=3))
    assert outstanding(bench) == (5, 12)


def test_the_limit_of_the_server_counts() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128, max_tokens=2))
    bench.submit(request("hello", max_tokens=None))
    assert outstanding(bench) == (5, 2)


def test_a_sequence_that_gave_way_counts_what_it_has_left() -> None:
    bench = EngineBench(EngineConfig(n_slots=1, n_ctx_slot=128))
    bench.submit(request("hello", max_tokens=20))
    bench.step()
    bench.submit(request("other", max_tokens=1, priority=1))
    assert outstanding(bench) == (5, 20)
    bench.step()
    assert bench.engine.queue_depth == 1
    assert outstanding(bench) == (0, 19)


@pytest.mark.parametrize("bench", [EngineBench(), EncoderBench()], ids=["generates", "encodes"])
def test_inputs_to_embed_count_until_they_are_evaluated(bench: EngineBench | EncoderBench) -> None:
    bench.submit(EmbeddingRequest((prompt("hello"), prompt("you"))))
    assert outstanding(bench) == (8, 0)
    bench.run()
    assert outstanding(bench) == (0, 0)


def test_the_rate_is_that_of_prompts() -> None:
    bench = EngineBench(step_s=0.0, token_s=0.01)
    assert bench.engine.snapshot().prompt_tokens_per_second == 0
    bench.complete(request("h" * 100))
    assert bench.engine.snapshot().prompt_tokens_per_second == pytest.approx(100)


@pytest.mark.parametrize("seed", range(4))
def test_nothing_is_left_behind_by_any_mix(seed: int) -> None:
    bench = EngineBench(EngineConfig(n_slots=3, n_ctx_slot=60), n_cells=100 + seed * 16)
    mix = RandomMix(bench, seed, failures=0.02)
    for _ in range(300):
        mix.step()
        assert min(outstanding(bench)) >= 0
    mix.finish()
    assert all(slot.state is SlotState.IDLE for slot in bench.engine.snapshot().slots)
    assert outstanding(bench) == (0, 0)
