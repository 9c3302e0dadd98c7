"""Prompts with media: evaluated in calls of their own, in any order with others, found again, and never in part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from service.config import EngineConfig, Pooling
from service.engine.request.events import FinishReason
from service.engine.request.requests import EmbeddingRequest, GenerationRequest, Overflow
from service.testing.scripted_media import media_chunk, numbers
from service.testing.scripted_model import states
from tests.support.engine import GREEDY, POOLINGS, EngineBench, next_letters, pooled, prompt
from tests.support.pictures import WIDTH, media_of, prompt_of

if TYPE_CHECKING:
    from service.engine.request.media import MediaChunk

#: What models do with pictures: in rows, at once, or in a grid of a few positions.
KINDS = ["causal", "whole", "grid"]


def bench_of(kind: str, config: EngineConfig | None = None, **options: object) -> EngineBench:
    """An engine on a model that takes pictures of a kind."""
    defaults: dict[str, object] = {"n_embd_input": WIDTH, "has_grid": kind == "grid", "n_whole": 64}
    return EngineBench(config, **(defaults | options))  # type: ignore[arg-type]


def chunk(kind: str, content: str = "cat", n_rows: int = 9) -> MediaChunk:
    """A picture of a kind."""
    return media_chunk(
        content, n_rows, width=WIDTH, n_positions=4 if kind == "grid" else None, is_causal=kind != "whole"
    )


def asks(*parts: tuple[int, ...] | MediaChunk, **options: object) -> GenerationRequest:
    """A greedy request of eight tokens behind tokens and pictures."""
    defaults: dict[str, object] = {"sampling": GREEDY, "max_tokens": 8}
    return GenerationRequest(prompt=prompt_of(*parts), media=media_of(*parts), **(defaults | options))  # type: ignore[arg-type]


def answer(request: GenerationRequest, n_tokens: int = 8) -> str:
    """What the model says behind a prompt if nobody disturbs it."""
    return next_letters(numbers(request.prompt), n_tokens)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", ["first", "inside", "last", "alone"])
def test_a_picture_is_evaluated_where_it_stands(kind: str, place: str) -> None:
    bench = bench_of(kind)
    parts = {"first": [1, 0], "inside": [0, 1, 0], "last": [0, 1], "alone": [1]}[place]
    asked = asks(*(chunk(kind) if part else prompt("hello") for part in parts))
    sink = bench.complete(asked)
    assert sink.text == answer(asked)
    assert (sink.finished.tokens_evaluated, sink.finished.image_tokens) == (len(asked.prompt), 9)


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_ends_in_a_picture_can_be_sent_again(kind: str) -> None:
    bench = bench_of(kind)
    asked = asks(prompt("hello "), chunk(kind))
    first = bench.complete(asked)
    n_calls = len(bench.model.compute.decoded_media)
    again = bench.complete(asked)
    assert first.text == again.text == answer(asked)
    assert again.finished.cached_prompt_tokens == len(asked.prompt) - 1
    assert len(bench.model.compute.decoded_media) == n_calls


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_ends_in_a_picture_can_be_sent_again_when_its_logits_are_forgotten(kind: str) -> None:
    bench = bench_of(kind)
    asked = asks(prompt("hello "), chunk(kind))
    bench.complete(asked)
    for number in range(bench.config.n_slots):
        bench.complete(asks(prompt(f"{number} others"), slot_id=1))
    again = bench.complete(asked)
    assert again.text == answer(asked)
    assert again.finished.cached_prompt_tokens == (len(asked.prompt) - 1 if kind == "causal" else 6)


def test_causal_rows_are_cut_like_prompt_tokens() -> None:
    bench = bench_of("causal", EngineConfig(n_slots=2, n_ctx_slot=300, prefill_budget_ms=100))
    bench.submit(asks(prompt("x"), max_tokens=200))
    bench.step()
    _, sink = bench.submit(asks(prompt("a"), chunk("causal", n_rows=150)))
    while not sink.is_over:
        started_s = bench.clock.now_s
        bench.step()
        # 15 ms for the call in which the other one decodes, and 100 ms and the 10 ms of any call for rows.
        assert bench.clock.now_s - started_s < 0.200
    sizes = [part.n_rows for (part,) in bench.model.compute.decoded_media]
    assert sum(sizes) == 150
    assert len(sizes) > 3


def test_what_is_not_causal_is_one_call_whatever_the_budget() -> None:
    bench = bench_of("whole", EngineConfig(n_slots=2, n_ctx_slot=300, prefill_budget_ms=20), n_whole=150)
    _, other = bench.submit(asks(prompt("x"), max_tokens=100))
    bench.step()
    asked = asks(prompt("a"), chunk("whole", n_rows=150), prompt("b"), chunk("whole", "dog", 20))
    sink = bench.complete(asked)
    assert [[part.n_rows for part in parts] for parts in bench.model.compute.decoded_media] == [[150], [20]]
    assert sink.text == answer(asked)
    assert other.text == answer(asks(prompt("x")), 100)


@pytest.mark.parametrize("kind", KINDS)
def test_many_prompts_with_pictures_at_once(kind: str) -> None:
    bench = bench_of(kind, EngineConfig(n_slots=4, n_ctx_slot=128))
    pictures = [chunk(kind, content) for content in "abc"]
    requests = [
        asks(prompt("p" * (number % 5 + 1)), pictures[number % 3], prompt("q" * (number % 4)), pictures[number % 2])
        for number in range(12)
    ]
    sinks = [bench.submit(asked)[1] for asked in requests]
    bench.run()
    assert [sink.text for sink in sinks] == [answer(asked) for asked in requests]


@pytest.mark.parametrize("kind", KINDS)
def test_equal_beginnings_with_pictures_are_evaluated_once(kind: str) -> None:
    bench = bench_of(kind)
    begin = (prompt("h" * 40), chunk(kind, n_rows=20))
    first, second = (asks(*begin, prompt(tail)) for tail in ("left", "right"))
    sinks = [bench.submit(asked)[1] for asked in (first, second)]
    bench.run()
    assert [sink.text for sink in sinks] == [answer(first), answer(second)]
    assert sum(part.n_rows for parts in bench.model.compute.decoded_media for part in parts) == 20
    assert sinks[1].finished.cached_prompt_tokens == 60


@pytest.mark.parametrize("kind", KINDS)
def test_all_answers_to_a_prompt_share_its_picture(kind: str) -> None:
    bench = bench_of(kind, EngineConfig(n_slots=3, n_ctx_slot=128))
    asked = asks(prompt("hello"), chunk(kind), n_sequences=3)
    sink = bench.complete(asked)
    assert [sink.text_of(index) for index in range(3)] == [answer(asked)] * 3
    assert sum(part.n_rows for parts in bench.model.compute.decoded_media for part in parts) == 9


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_that_was_cancelled_inside_a_picture_leaves_nothing_in_part(kind: str) -> None:
    config = EngineConfig(n_slots=1, n_ctx_slot=256, prefill_budget_ms=20, idle_prefill_budget_ms=50)
    bench = bench_of(kind, config)
    asked = asks(prompt("h" * 40), chunk(kind, n_rows=60), prompt("?"))
    task_id, sink = bench.submit(asked)
    while not bench.model.compute.decoded_media:
        bench.step()
    bench.engine.cancel(task_id)
    n_left = len(bench.engine.dump().slots[0].items)
    assert {"causal": 40 < n_left < 100, "grid": n_left == 40, "whole": n_left == 100}[kind]
    again = bench.complete(asked)
    assert again.text == answer(asked)
    assert again.finished.cached_prompt_tokens == n_left
    assert not sink.is_over


@pytest.mark.parametrize("kind", KINDS)
def test_a_prompt_with_pictures_that_does_not_fit_is_refused(kind: str) -> None:
    bench = bench_of(kind)
    asked = asks(prompt("h" * 100), chunk(kind, n_rows=30), overflow=Overflow.TRUNCATE)
    error = bench.complete(asked).failed.error
    assert error.reason == "CONTEXT_LENGTH_EXCEEDED"
    assert "130" in str(error)
    assert "128" in str(error)


@pytest.mark.parametrize("kind", ["causal", "whole"])
def test_a_full_context_discards_whole_pictures(kind: str) -> None:
    bench = bench_of(kind)
    asked = asks(
        prompt("h" * 30), chunk(kind, n_rows=40), prompt("?"), max_tokens=100, overflow=Overflow.TRUNCATE, n_keep=5
    )
    sink = bench.complete(asked)
    assert sink.finished.truncated
    assert sink.finished.tokens_predicted == 100
    assert not [item for item in bench.engine.dump().slots[0].items if not isinstance(item, int)]


def test_a_full_context_with_a_grid_ends_the_answer() -> None:
    bench = bench_of("grid")
    sink = bench.complete(
        asks(prompt("h" * 30), chunk("grid", n_rows=40), prompt("?"), max_tokens=100, overflow=Overflow.TRUNCATE)
    )
    assert sink.finished.reason is FinishReason.LENGTH
    assert sink.finished.tokens_predicted < 100


def test_log_probabilities_of_a_prompt_with_pictures_are_refused() -> None:
    error = bench_of("causal").complete(asks(prompt("a"), chunk("causal"), prompt_logprobs=1)).failed.error
    assert (error.reason, error.metadata["field"]) == ("INVALID_ARGUMENT", "prompt_logprobs")


@pytest.mark.parametrize(
    ("kind", "picture"),
    [
        ("causal", media_chunk("cat", 9, width=WIDTH + 1)),
        ("causal", media_chunk("cat", 9, width=WIDTH, n_positions=3)),
        ("whole", media_chunk("cat", 65, width=WIDTH, is_causal=False)),
    ],
    ids=["width", "grid", "too large"],
)
def test_pictures_that_the_model_does_not_take_are_refused_and_harm_nobody(kind: str, picture: MediaChunk) -> None:
    bench = bench_of(kind)
    good = asks(chunk(kind), prompt("?"))
    sinks = [bench.submit(asked)[1] for asked in (good, asks(picture, prompt("?")))]
    _, embedded = bench.submit(EmbeddingRequest((prompt_of(picture),), media_of(picture)))
    bench.run()
    assert sinks[0].text == answer(good)
    assert [sink.failed.error.reason for sink in (sinks[1], embedded)] == ["NOT_SUPPORTED"] * 2


def test_a_prompt_with_a_part_of_a_picture_fails_and_harms_nobody() -> None:
    bench = bench_of("causal")
    good = asks(chunk("causal"), prompt("?"))
    cat = chunk("causal", "cat", 12)
    broken = GenerationRequest(prompt=(*cat.items[3:], 1), media=media_of(cat))
    sinks = [bench.submit(asked)[1] for asked in (good, broken)]
    _, embedded = bench.submit(EmbeddingRequest((cat.items[:5],), media_of(cat)))
    bench.run()
    assert sinks[0].text == answer(good)
    assert [sink.failed.error.reason for sink in (sinks[1], embedded)] == ["INTERNAL"] * 2


def test_rows_are_not_kept_behind_a_request() -> None:
    bench = bench_of("causal")
    bench.complete(asks(prompt("hello"), chunk("causal")))
    (slot, _) = bench.engine.snapshot().slots
    assert slot.request is not None
    assert not slot.request.media
    assert not slot.request.prompt


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_inputs_with_pictures_pool_rows_like_tokens(kind: str, pooling: Pooling) -> None:
    bench = bench_of(kind, pooling=pooling, n_hidden=16)
    cat, dog = chunk(kind), chunk(kind, "dog", 5)
    texts = [
        (prompt("hello"), cat, prompt("you")),
        (prompt("a longer text than all others"),),
        (cat, prompt("?"), dog),
        (dog,),
    ]
    inputs = tuple(prompt_of(*parts) for parts in texts)
    vectors = bench.complete(EmbeddingRequest(inputs, media_of(cat, dog))).embedded.vectors
    expected = np.concatenate([pooled(states(numbers(items)), pooling) for items in inputs])
    assert vectors == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("is_last", [True, False])
def test_a_picture_that_is_seen_at_once_must_fit_into_a_call_for_states_where_those_are_needed(
    pooling: Pooling, is_last: bool
) -> None:
    bench = bench_of("whole", pooling=pooling, n_hidden=16)
    cat = chunk("whole", n_rows=17)
    items = prompt_of(prompt("hello"), cat, prompt("" if is_last else "?"))
    sink = bench.complete(EmbeddingRequest((items,), media_of(cat)))
    if is_last or pooling is not Pooling.LAST:
        assert sink.failed.error.reason == "NOT_SUPPORTED"
        assert "17" in str(sink.failed.error)
    else:
        assert sink.embedded.vectors[0] == pytest.approx(states(numbers(items))[-1])
