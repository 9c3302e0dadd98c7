"""Requests with scales of LoRA adapters of their own, on the scripted model, whose letters they move.

That model refuses to go on with cells that were evaluated with other scales than those in force.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from service.config import EngineConfig
from service.engine.request.items import tokens_of
from service.engine.request.requests import (
    AdaptersRequest,
    EmbeddingRequest,
    Overflow,
    SystemPrompt,
    SystemPromptRequest,
)
from service.engine.request.slot_requests import EraseSlot, RestoreSlot
from service.errors import InvalidArgument
from service.testing.scripted_media import media_chunk
from service.testing.scripted_model import ScriptedCompute, ScriptedModel
from tests.support.engine import EngineBench, next_letters, prompt, request
from tests.support.pictures import WIDTH, media_of, prompt_of
from tests.unit.engine.test_adapters import ADAPTERS
from tests.unit.engine.test_slot_work import saved

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tests.support.engine import RecordingSink

NONE, FIRST, SECOND = (0.0, 0.0), (0.1, 0.0), (0.0, 0.3)
SETS = (NONE, FIRST, SECOND)
#: Time that prompts have beside streams, and alone.
BUDGETS = {"prefill_budget_ms": 100.0, "idle_prefill_budget_ms": 1000.0}
LONG = "a prompt that is long enough to be worth its cells"
BRIEF = SystemPrompt("Be brief and honest in all that you say: ", prompt("Be brief and honest in all that you say: "))


class WatchedCompute(ScriptedCompute):
    """Notes the scales of each call, and how often they were set."""

    def use_adapters(self, scales: Sequence[float]) -> None:
        """Note them."""
        super().use_adapters(scales)
        self.n_changes = getattr(self, "n_changes", -1) + 1


class WatchedModel(ScriptedModel):
    """The scripted model, watched."""

    compute_type = WatchedCompute
    compute: WatchedCompute


def bench_of(
    n_slots: int = 4, n_ctx: int = 128, config_options: Mapping[str, Any] | None = None, **options: Any
) -> EngineBench:
    """An engine on a model with two adapters, both left out."""
    config = EngineConfig(n_slots=n_slots, n_ctx_slot=n_ctx, **config_options or {})
    return EngineBench(config, model_class=WatchedModel, adapters=ADAPTERS, **options)


def changes_of(bench: EngineBench) -> int:
    """How often the model's scales were set."""
    assert isinstance(bench.model, WatchedModel)
    return bench.model.compute.n_changes


def expected(text: str, scales: Sequence[float], n_tokens: int = 8) -> str:
    """What an undisturbed model says behind a text with such scales."""
    return next_letters(prompt(text), n_tokens, scales)


def cached(sink: RecordingSink) -> int:
    return sink.accepted.cached_prompt_tokens


@pytest.mark.parametrize("scales", [None, *SETS])
def test_a_request_is_answered_with_its_scales(scales: tuple[float, ...] | None) -> None:
    bench = bench_of()
    assert bench.complete(request(LONG, adapter_scales=scales)).text == expected(LONG, scales or NONE)
    assert bench.complete(request(LONG)).text == expected(LONG, NONE)
    assert bench.engine.snapshot().adapter_scales == NONE


def test_requests_with_different_scales_run_at_once() -> None:
    bench = bench_of(n_slots=6)
    sinks = [(text, scales, bench.submit(request(text, adapter_scales=scales))[1]) for text in "ab" for scales in SETS]
    bench.run()
    for text, scales, sink in sinks:
        assert sink.text == expected(text, scales)


def test_a_step_has_sequences_of_one_set_and_each_set_has_every_third_one() -> None:
    bench = bench_of(n_slots=6)
    for text in "ab":
        for scales in SETS:
            bench.submit(request(text, adapter_scales=scales))
    while bench.engine.snapshot().slots_processing < 6 or any(
        slot.prompt_tokens_done < slot.prompt_tokens for slot in bench.engine.snapshot().slots
    ):
        bench.step()
    n_calls = len(bench.model.compute.decoded)
    for _ in range(6):
        bench.step()
    calls = [{segment.seq_id for segment in call} for call in bench.model.compute.decoded[n_calls:]]
    assert all(len(call) == 2 for call in calls)
    assert calls[:3] == calls[3:]
    assert set().union(*calls[:3]) == set(range(6))


def test_the_scales_are_set_only_when_they_change() -> None:
    bench = bench_of()
    bench.complete(request("one"))
    assert changes_of(bench) == 0
    bench.complete(request("two", adapter_scales=NONE))
    assert changes_of(bench) == 0
    bench.complete(request("three", adapter_scales=FIRST))
    bench.complete(request("four", adapter_scales=FIRST))
    assert changes_of(bench) == 1
    bench.complete(request("five"))
    assert changes_of(bench) == 2


def test_a_long_prompt_of_one_set_does_not_hold_up_the_streams_of_another() -> None:
    """Streams get a token in every other step, and prompts no more than a step's usual time in between."""
    bench = bench_of(n_slots=2, n_ctx=2048, config_options=BUDGETS)
    _, stream = bench.submit(request("s", adapter_scales=FIRST, max_tokens=60))
    while not stream.text:
        bench.step()
    _, late = bench.submit(request("p" * 1500, adapter_scales=SECOND, max_tokens=1))
    gaps, since_s = [], bench.clock()
    while not stream.is_over and not late.is_over:
        before = len(stream.text)
        bench.step()
        if len(stream.text) > before:
            gaps.append(bench.clock() - since_s)
            since_s = bench.clock()
    assert max(gaps[2:]) < 0.2
    bench.run()
    assert stream.text == expected("s", FIRST, 60)
    assert late.text == expected("p" * 1500, SECOND, 1)


def test_long_prompts_of_all_sets_share_the_time_of_one() -> None:
    bench = bench_of(n_slots=4, n_ctx=2048, config_options=BUDGETS)
    _, stream = bench.submit(request("s", max_tokens=100))
    while not stream.text:
        bench.step()
    sinks = [(scales, bench.submit(request("p" * 600, adapter_scales=scales))[1]) for scales in SETS]
    gaps, since_s = [], bench.clock()
    while not stream.is_over:
        before = len(stream.text)
        bench.step()
        if len(stream.text) > before:
            gaps.append(bench.clock() - since_s)
            since_s = bench.clock()
    # A chunk of a prompt, and a step of each set.
    assert max(gaps[2:]) < 0.25
    bench.run()
    for scales, sink in sinks:
        assert sink.text == expected("p" * 600, scales)


def test_short_prompts_that_keep_coming_do_not_starve_another_set() -> None:
    bench = bench_of(n_slots=2)
    _, patient = bench.submit(request(LONG, adapter_scales=SECOND, max_tokens=4))
    number = 0
    while not patient.is_over:
        number += 1
        assert number < 50
        bench.submit(request(f"hurry {number}", adapter_scales=FIRST, max_tokens=1))
        bench.step()
    assert patient.text == expected(LONG, SECOND, 4)


def test_sets_that_keep_coming_do_not_starve_one_that_waits() -> None:
    bench = bench_of(n_slots=3, config_options={"prefill_budget_ms": 20.0, "idle_prefill_budget_ms": 20.0})
    _, patient = bench.submit(request(LONG, adapter_scales=SECOND, max_tokens=4))
    number = 0
    while not patient.is_over:
        number += 1
        assert number < 200
        if bench.engine.queue_depth < 2:
            bench.submit(request(f"new {number}", adapter_scales=(0.0, number / 1000), max_tokens=1))
        bench.step()
    assert patient.text == expected(LONG, SECOND, 4)


def test_beginnings_are_shared_within_a_set_only() -> None:
    bench = bench_of()
    for scales in (None, FIRST, SECOND):
        assert cached(bench.complete(request(LONG, adapter_scales=scales))) == 0
    for scales in (None, NONE, FIRST, SECOND):
        assert cached(bench.complete(request(LONG + "!", adapter_scales=scales))) == len(LONG)


def test_who_waits_for_a_beginning_waits_for_its_own_set() -> None:
    bench = bench_of(n_slots=4)
    sinks = [bench.submit(request(LONG * 2, adapter_scales=scales))[1] for scales in (FIRST, SECOND, FIRST, SECOND)]
    bench.run()
    assert [cached(sink) for sink in sinks] == [0, 0, 2 * len(LONG) - 1, 2 * len(LONG) - 1]


def test_several_answers_share_their_prompt() -> None:
    bench = bench_of()
    sink = bench.complete(request(LONG, adapter_scales=FIRST, n_sequences=3))
    assert [sink.text_of(index) for index in range(3)] == [expected(LONG, FIRST)] * 3


def test_logits_behind_prompts_are_remembered_for_their_set() -> None:
    bench = bench_of()
    for scales in (*SETS, *SETS):
        assert bench.complete(request(LONG, adapter_scales=scales, max_tokens=1)).text == expected(LONG, scales, 1)


def test_prompts_in_main_memory_are_for_their_set() -> None:
    bench = bench_of(n_slots=1)
    for scales in SETS:
        bench.complete(request(LONG, adapter_scales=scales))
    assert bench.engine.snapshot().saved_prompts == 2
    for scales in SETS:
        sink = bench.complete(request(LONG, adapter_scales=scales))
        assert sink.text == expected(LONG, scales)
        assert cached(sink) == len(LONG) - 1
    assert bench.engine.snapshot().restored_prompts == 3


def test_a_system_prompt_is_evaluated_again_for_another_set() -> None:
    bench = bench_of()
    bench.complete(SystemPromptRequest(BRIEF))
    for scales, n_calls in ((None, 0), (FIRST, 0), (FIRST, 1)):
        text = f"{LONG} {n_calls}"
        sink = bench.complete(request(text, adapter_scales=scales))
        assert sink.text == expected(BRIEF.text + text, scales or NONE)
        assert sink.finished.tokens_evaluated == len(text)
    # The second one of a set begins with what the first one has evaluated.
    assert cached(sink) == len(LONG) + 1


def test_the_system_prompts_cells_stay_with_everybody() -> None:
    bench = bench_of(n_slots=2)
    bench.complete(SystemPromptRequest(BRIEF))
    bench.complete(request("one", adapter_scales=FIRST, slot_id=0))
    bench.complete(request("two", slot_id=1))
    own_slot, other = bench.engine.dump().slots
    assert (own_slot.n_shared, other.n_shared) == (0, len(BRIEF.tokens))


def test_a_system_prompt_is_evaluated_with_the_scales_of_everybody() -> None:
    bench = bench_of()
    bench.complete(request(LONG, adapter_scales=FIRST))
    bench.complete(SystemPromptRequest(BRIEF))
    assert bench.complete(request(LONG)).text == expected(BRIEF.text + LONG, NONE)
    assert bench.complete(request(LONG, adapter_scales=FIRST)).text == expected(BRIEF.text + LONG, FIRST)


def test_scores_of_prompts_are_those_of_the_set() -> None:
    bench = bench_of()
    bench.complete(SystemPromptRequest(BRIEF))
    sink = bench.complete(request(LONG, adapter_scales=FIRST, prompt_logprobs=1, max_tokens=2))
    assert len(sink.prompt_tokens) == len(LONG)
    best = [record.top_logprobs[0][0] for record in sink.prompt_tokens[1:]]
    assert bytes(best).decode() == "".join(
        expected(BRIEF.text + LONG[: end + 1], FIRST, 1) for end in range(len(LONG) - 1)
    )


def test_an_input_that_waits_for_cells_has_no_turn() -> None:
    bench = bench_of(n_slots=1, n_ctx=128, n_cells=128)
    _, running = bench.submit(request("a" * 40, adapter_scales=FIRST, max_tokens=60))
    while not running.text:
        bench.step()
    _, embedding = bench.submit(EmbeddingRequest((prompt("b" * 100),)))
    n_changes = changes_of(bench)
    while len(running.text) < 60:
        bench.step()
        assert not embedding.events
    assert changes_of(bench) == n_changes
    bench.run()
    assert embedding.embedded.vectors.shape == (1, 4)


def test_embeddings_run_beside_with_the_scales_of_everybody() -> None:
    bench = bench_of(n_slots=2)
    _, generating = bench.submit(request(LONG, adapter_scales=FIRST, max_tokens=20))
    inputs = tuple(prompt(f"{LONG} {number}") for number in range(8))
    _, embedding = bench.submit(EmbeddingRequest(inputs))
    bench.run()
    assert generating.text == expected(LONG, FIRST, 20)
    assert embedding.embedded.vectors.shape == (8, 4)


def test_preempted_sequences_go_on_with_their_scales() -> None:
    bench = bench_of(n_slots=2)
    bench.complete(SystemPromptRequest(BRIEF))
    sinks = [bench.submit(request(LONG, adapter_scales=scales, max_tokens=20))[1] for scales in (FIRST, None)]
    while not all(sink.text for sink in sinks):
        bench.step()
    urgent = [bench.submit(request("now", adapter_scales=scales, priority=1))[1] for scales in (SECOND, FIRST)]
    bench.run()
    assert bench.engine.snapshot().counters.preemptions
    for sink, scales in zip(sinks, (FIRST, NONE), strict=True):
        assert sink.text == expected(BRIEF.text + LONG, scales, 20)
    for sink, scales in zip(urgent, (SECOND, FIRST), strict=True):
        assert sink.text == expected(BRIEF.text + "now", scales)


def test_sequences_that_need_more_cells_than_there_are_make_way_for_each_other() -> None:
    bench = bench_of(n_slots=3, n_cells=150)
    sinks = [bench.submit(request(LONG, adapter_scales=scales, max_tokens=40))[1] for scales in SETS]
    bench.run()
    for sink, scales in zip(sinks, SETS, strict=True):
        assert sink.text == expected(LONG, scales, 40)


def test_full_contexts_are_shifted() -> None:
    bench = bench_of(n_slots=2, n_ctx=32)
    sinks = [
        bench.submit(request("hello", adapter_scales=scales, max_tokens=60, overflow=Overflow.TRUNCATE))[1]
        for scales in (FIRST, SECOND)
    ]
    bench.run()
    for sink, scales in zip(sinks, (FIRST, SECOND), strict=True):
        assert len(sink.text) == 60
        assert sink.text.startswith(expected("hello", scales, 25))
        assert sink.finished.truncated


def test_slots_are_saved_and_restored_with_their_scales() -> None:
    bench = bench_of(n_slots=2)
    bench.complete(request(LONG, adapter_scales=FIRST, slot_id=0))
    image = saved(bench)
    assert (image.adapter_scales, image.salt) == (FIRST, "")
    bench.complete(EraseSlot(0))
    bench.complete(RestoreSlot(0, image))
    assert cached(bench.complete(request(LONG, adapter_scales=SECOND, slot_id=1))) == 0
    sink = bench.complete(request(LONG, adapter_scales=FIRST))
    assert (cached(sink), sink.text) == (len(LONG) - 1, expected(LONG, FIRST))


def test_a_slot_whose_cells_went_to_others_is_saved_with_its_scales() -> None:
    bench = bench_of(n_slots=2, n_cells=130)
    bench.complete(request(LONG, adapter_scales=FIRST, slot_id=0))
    bench.complete(request("x" * 100, slot_id=1))
    assert not bench.engine.dump().slots[0].items
    image = saved(bench)
    assert image.adapter_scales == FIRST
    assert bytes(tokens_of(image.items)).startswith(LONG.encode())


def test_a_cancelled_request_leaves_others_alone() -> None:
    bench = bench_of()
    task_id, cancelled = bench.submit(request(LONG, adapter_scales=FIRST, max_tokens=50))
    _, other = bench.submit(request(LONG, adapter_scales=SECOND, max_tokens=20))
    while not cancelled.text:
        bench.step()
    bench.engine.cancel(task_id)
    bench.run()
    assert not cancelled.is_over
    assert other.text == expected(LONG, SECOND, 20)
    assert bench.complete(request(LONG)).text == expected(LONG, NONE)


def test_pictures_are_evaluated_with_the_scales_of_their_request() -> None:
    bench = bench_of(n_embd_input=WIDTH)
    chunk = media_chunk("cat", 9, width=WIDTH)
    sinks = [
        bench.submit(
            request(prompt=prompt_of(prompt("look: "), chunk, prompt("?")), media=media_of(chunk), adapter_scales=one)
        )[1]
        for one in SETS
    ]
    bench.run()
    assert len({sink.text for sink in sinks}) == len(SETS)


def test_scales_for_everybody_change_nothing_for_who_has_its_own() -> None:
    bench = bench_of()
    bench.complete(request(LONG, adapter_scales=FIRST))
    bench.complete(AdaptersRequest(SECOND))
    assert bench.complete(request(LONG, adapter_scales=FIRST)).text == expected(LONG, FIRST)
    assert bench.complete(request(LONG, adapter_scales=NONE)).text == expected(LONG, NONE)
    sink = bench.complete(request(LONG))
    assert sink.text == expected(LONG, SECOND)
    # Whoever names what everybody has is one of them.
    assert cached(bench.complete(request(LONG, adapter_scales=SECOND))) == len(LONG) - 1


def test_a_request_with_another_number_of_scales_is_refused() -> None:
    error = bench_of().complete(request(LONG, adapter_scales=(1.0,))).failed.error
    assert isinstance(error, InvalidArgument)
    assert error.message == "lora: has 1 scales; the model has 2 adapters"
