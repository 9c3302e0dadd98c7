"""A prompt that is alone has longer steps, which end when somebody comes."""

from __future__ import annotations

import pytest

from service.config import EngineConfig
from service.engine.schedule.long_steps import LongSteps
from service.testing.scripted_interruption import ScriptedInterruption
from service.testing.scripted_model import VirtualClock
from tests.support.engine import EngineBench, expected_text, request

CONFIG = EngineConfig(n_slots=3, n_ctx_slot=600, idle_prefill_budget_ms=100, alone_prefill_budget_ms=1000)
# 1 ms per token, so 100 tokens are usual, and 500 would fit the longest step.
TOKEN_S = 0.001


def make_bench(config: EngineConfig = CONFIG, *, can_interrupt: bool = True) -> EngineBench:
    bench = EngineBench(config, step_s=0.0, token_s=TOKEN_S, can_interrupt=can_interrupt)
    # The engine learns from its first prompt what tokens cost.
    bench.complete(request("x" * 300, max_tokens=1))
    bench.model.compute.decoded.clear()
    return bench


def prompt_steps(bench: EngineBench) -> list[int]:
    """How many tokens each step with more than one had."""
    sizes = [sum(len(part.tokens) for part in batch) for batch in bench.model.compute.decoded]
    return [size for size in sizes if size > 1]


def interrupt_at(bench: EngineBench, seconds: float) -> None:
    """End calls so many seconds from now, as another thread would."""
    assert bench.model.interruption is not None
    bench.model.interruption.due_s = bench.clock() + seconds


def test_a_prompt_alone_is_evaluated_in_one_long_step() -> None:
    bench = make_bench()
    sink = bench.complete(request("a" * 500, max_tokens=3))
    assert sink.text == expected_text("a" * 500, 3)
    assert prompt_steps(bench) == [500]


def test_calls_that_cannot_be_ended_take_no_longer_than_usual() -> None:
    bench = make_bench(can_interrupt=False)
    bench.complete(request("a" * 500, max_tokens=3))
    assert max(prompt_steps(bench)) <= 128


def test_two_prompts_have_steps_of_the_usual_length() -> None:
    bench = make_bench()
    for text in ("a" * 400, "b" * 300):
        bench.submit(request(text, max_tokens=1))
    bench.step()
    assert prompt_steps(bench)[0] <= 128


def test_a_prompt_beside_a_stream_has_steps_of_the_usual_length() -> None:
    bench = make_bench()
    bench.submit(request("s", max_tokens=200))
    bench.step()
    bench.submit(request("a" * 400, max_tokens=1))
    bench.step()
    assert max(prompt_steps(bench)) <= 128


def test_who_comes_ends_the_step_and_both_are_answered() -> None:
    bench = make_bench()
    _, long = bench.submit(request("a" * 500, max_tokens=3))
    began_s = bench.clock()
    interrupt_at(bench, 0.2)
    bench.step()
    assert bench.clock() - began_s == pytest.approx(0.2)
    assert prompt_steps(bench) == []
    assert bench.engine.snapshot().counters.interrupted_steps == 1
    bench.engine.long_steps.resume()
    _, short = bench.submit(request("b" * 20, max_tokens=3))
    bench.step()
    # The short prompt is in the next step, which has the usual length.
    assert bench.clock() - began_s <= 0.2 + 0.13
    bench.run()
    assert (long.text, short.text) == (expected_text("a" * 500, 3), expected_text("b" * 20, 3))


def test_a_request_that_is_cancelled_in_a_long_step_leaves_at_once() -> None:
    bench = make_bench()
    task_id, sink = bench.submit(request("a" * 500, max_tokens=3))
    began_s = bench.clock()
    interrupt_at(bench, 0.05)
    bench.step()
    bench.engine.long_steps.resume()
    bench.engine.cancel(task_id)
    assert not bench.engine.has_work
    assert bench.clock() - began_s == pytest.approx(0.05)
    assert not sink.is_over


def test_who_leaves_again_and_again_does_not_keep_a_prompt_from_going_on() -> None:
    bench = make_bench()
    _, sink = bench.submit(request("a" * 500, max_tokens=3))
    for _ in range(30):
        interrupt_at(bench, 0.4)
        bench.step()
        bench.engine.long_steps.resume()
        bench.engine.cancel(9999)
    assert sink.text == expected_text("a" * 500, 3)


def test_whoever_came_keeps_steps_short_for_twice_as_long_as_they_take() -> None:
    clock = VirtualClock()
    steps = LongSteps(ScriptedInterruption(), clock, usual_s=0.5, longest_s=3.0)
    assert steps.allowed_s() == 3.0
    clock.advance(10.0)
    steps.come()
    allowed = []
    for _ in range(8):
        allowed.append(steps.allowed_s())
        clock.advance(1.0)
    assert allowed == [None, None, 1.0, 1.5, 2.0, 2.5, 3.0, 3.0]


@pytest.mark.parametrize(("ran_s", "is_ended"), [(0.0, True), (1.4, True), (1.6, False)])
def test_a_step_that_is_about_to_end_is_left_alone(ran_s: float, is_ended: bool) -> None:
    clock = VirtualClock()
    interruption = ScriptedInterruption()
    steps = LongSteps(interruption, clock, usual_s=0.5, longest_s=3.0)
    with steps.step(expected_s=2.0):
        clock.advance(ran_s)
        steps.interrupt()
        assert (interruption.due_s is not None) is is_ended
    steps.resume()
    assert interruption.due_s is None


def test_who_comes_before_the_call_begins_ends_it() -> None:
    clock = VirtualClock()
    interruption = ScriptedInterruption()
    steps = LongSteps(interruption, clock, usual_s=0.5, longest_s=3.0)
    steps.interrupt()
    with steps.step(expected_s=2.0):
        assert interruption.ends(clock(), 2.0) == 0.0
