"""The way of one request's events from the engine to its handler."""

from __future__ import annotations

import asyncio
import gc
import weakref
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.api.core.collector import MOST_HELD, Collector
from service.engine.request.events import (
    Accepted,
    Embedded,
    Event,
    Failed,
    Finished,
    FinishReason,
    Piece,
    PromptTokens,
    SystemPromptSet,
    Timings,
    TokenRecord,
)
from service.errors import EngineFailure, ResourceExhausted

ACCEPTED = Accepted(slot_id=0, prompt_tokens=1, cached_prompt_tokens=0, queued_s=0.0)
FINISHED = Finished(
    reason=FinishReason.STOP,
    stop_text=None,
    stop_token=None,
    eos_token=None,
    truncated=False,
    tokens_evaluated=1,
    tokens_predicted=1,
    tokens_cached=1,
    cached_prompt_tokens=0,
    n_keep=0,
    seed=0,
    max_tokens=None,
    slot_id=0,
    timings=Timings(1, 0.0, 1, 0.0),
)
FAILED = Failed(EngineFailure("broken"))
EMBEDDED = Embedded(np.zeros((1, 4), np.float32))
LONG_S = 1000.0


class Stalls:
    """Counts stalls."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def collector(*, delay_s: float = 0.0, max_backlog: int = 1000, stalls: Stalls | None = None) -> Collector:
    """A collector."""
    return Collector(on_stall=stalls or Stalls(), delay_s=delay_s, max_backlog=max_backlog)


async def test_a_handler_that_keeps_up_gets_each_delivery_by_itself() -> None:
    collected = collector()
    deliveries: list[list[Event]] = [[ACCEPTED, Piece("a")], [Piece("b")], [FINISHED]]
    for events in deliveries:
        taking = asyncio.ensure_future(collected.take())
        await asyncio.wait([taking], timeout=0)
        assert not taking.done()
        collected.put(list(events))
        assert await taking == events


async def test_a_handler_that_lags_gets_everything_at_once_in_order() -> None:
    collected = collector()
    collected.put([ACCEPTED])
    collected.put([Piece("a")])
    collected.put([Piece("b"), FINISHED])
    assert not collected.is_drained
    assert await collected.take() == [ACCEPTED, Piece("a"), Piece("b"), FINISHED]
    assert collected.is_drained


@given(st.lists(st.integers(0, 4), max_size=40), st.randoms(use_true_random=False))
def test_whatever_the_pace_nothing_is_lost_repeated_or_reordered(sizes: list[int], random: object) -> None:
    events: list[Event] = [Piece(str(number)) for number in range(sum(sizes))]

    async def run() -> list[Event]:
        collected, taken = collector(), list[Event]()
        rest = iter(events)
        waiting = 0
        for size in sizes:
            collected.put([next(rest) for _ in range(size)])
            waiting += size
            if waiting and random.random() < 0.5:  # type: ignore[attr-defined]
                taken += await collected.take()
                waiting = 0
        collected.put([FINISHED])
        while not collected.is_drained:
            taken += await collected.take()
        return taken

    assert asyncio.run(run()) == [*events, FINISHED]


@pytest.mark.parametrize("last", [FINISHED, FAILED, EMBEDDED, SystemPromptSet()])
async def test_what_comes_after_the_end_is_ignored(last: Event) -> None:
    collected = collector()
    collected.put([last])
    assert collected.is_over
    collected.put([Piece("late")])
    assert await collected.take() == [last]


async def test_the_end_of_one_of_several_sequences_is_not_the_end() -> None:
    collected = collector()
    one, other = replace(FINISHED, index=1, is_last=False), replace(FINISHED, index=0)
    collected.put([one])
    assert not collected.is_over
    assert await collected.take() == [one]
    assert not collected.is_drained
    collected.put([Piece("a"), other])
    assert await collected.take() == [Piece("a"), other]
    assert collected.is_drained


class TestOutcome:
    """Requests of which only the last event is of interest."""

    @pytest.mark.parametrize("last", [FINISHED, EMBEDDED, SystemPromptSet()])
    async def test_is_the_last_event_whenever_it_comes(self, last: Event) -> None:
        collected = collector()
        waiting = asyncio.ensure_future(collected.outcome())
        collected.put([ACCEPTED])
        await asyncio.wait([waiting], timeout=0)
        assert not waiting.done()
        collected.put([last])
        assert await waiting is last
        assert collected.is_drained

    async def test_of_a_failure_is_its_error(self) -> None:
        collected = collector()
        collected.put([FAILED])
        with pytest.raises(EngineFailure) as caught:
            await collected.outcome()
        assert caught.value is FAILED.error


async def test_a_cancelled_take_loses_nothing() -> None:
    collected = collector()
    taking = asyncio.ensure_future(collected.take())
    await asyncio.wait([taking], timeout=0)
    taking.cancel()
    collected.put([Piece("a")])
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert await collected.take() == [Piece("a")]


class TestBacklog:
    """A reader that stopped reading."""

    async def test_is_ended_once_above_the_bound_and_learns_why_after_its_text(self) -> None:
        stalls = Stalls()
        collected = collector(max_backlog=3, stalls=stalls)
        collected.put([ACCEPTED, Piece("a"), Piece("b")])
        assert stalls.count == 0
        collected.put([Piece("c")])
        collected.put([Piece("d")])
        assert stalls.count == 1
        *before, last = await collected.take()
        assert before == [ACCEPTED, Piece("a"), Piece("b"), Piece("c")]
        assert isinstance(last, Failed)
        assert isinstance(last.error, ResourceExhausted)
        assert "4 pieces and candidates were waiting, at most 3 may" in last.error.message
        assert collected.is_drained

    async def test_counts_only_what_was_not_taken(self) -> None:
        stalls = Stalls()
        collected = collector(max_backlog=3, stalls=stalls)
        for _ in range(10):
            collected.put([Piece("a"), Piece("b"), Piece("c")])
            assert len(await collected.take()) == 3
        assert stalls.count == 0

    async def test_counts_candidates_because_they_are_what_is_large(self) -> None:
        stalls = Stalls()
        collected = collector(max_backlog=10, stalls=stalls)
        record = TokenRecord(id=1, token_bytes=b"a", probabilities=((1, 1.0),) * 6, top_logprobs=((1, 0.0),) * 6)
        collected.put([Piece("a", (record,))])
        assert stalls.count == 1

    async def test_counts_a_prompts_candidates_too(self) -> None:
        stalls = Stalls()
        collected = collector(max_backlog=10, stalls=stalls)
        record = TokenRecord(id=1, token_bytes=b"a", top_logprobs=((1, 0.0),) * 6)
        collected.put([PromptTokens((record,))])
        assert stalls.count == 0
        collected.put([PromptTokens((record,))])
        assert stalls.count == 1

    async def test_is_not_ended_by_the_last_event(self) -> None:
        stalls = Stalls()
        collected = collector(max_backlog=1, stalls=stalls)
        collected.put([ACCEPTED, Piece("a"), Piece("b"), FINISHED])
        assert stalls.count == 0
        assert (await collected.take())[-1] is FINISHED


class TestDelay:
    """Output that may be collected for a while."""

    async def test_holds_pieces_back_until_the_time_is_over(self) -> None:
        collected = collector(delay_s=0.01)
        collected.put([Piece("a")])
        taking = asyncio.ensure_future(collected.take())
        await asyncio.wait([taking], timeout=0)
        assert not taking.done()
        collected.put([Piece("b")])
        assert await taking == [Piece("a"), Piece("b")]

    async def test_works_again_after_each_batch(self) -> None:
        collected = collector(delay_s=0.001)
        for _ in range(3):
            collected.put([Piece("a")])
            assert await collected.take() == [Piece("a")]

    @pytest.mark.parametrize("urgent", [ACCEPTED, FINISHED, FAILED])
    async def test_never_holds_acceptance_or_the_end(self, urgent: Event) -> None:
        collected = collector(delay_s=LONG_S)
        collected.put([Piece("a")])
        taking = asyncio.ensure_future(collected.take())
        await asyncio.wait([taking], timeout=0)
        assert not taking.done()
        collected.put([urgent])
        assert await taking == [Piece("a"), urgent]

    async def test_holds_no_more_than_is_sent_quickly(self) -> None:
        stalls = Stalls()
        collected = collector(delay_s=LONG_S, max_backlog=MOST_HELD, stalls=stalls)
        token = TokenRecord(1, b"a", probabilities=((1, 0.5),) * (MOST_HELD // 2 - 1))
        piece = Piece("a", (token,))
        collected.put([piece])
        taking = asyncio.ensure_future(collected.take())
        await asyncio.wait([taking], timeout=0)
        assert not taking.done()
        collected.put([piece])
        assert await taking == [piece, piece]
        assert stalls.count == 0

    async def test_does_not_hold_a_handler_that_is_late_anyway_twice(self) -> None:
        collected = collector(delay_s=LONG_S)
        collected.put([ACCEPTED])
        collected.put([Piece("a")])
        assert await collected.take() == [ACCEPTED, Piece("a")]

    async def test_leaves_no_timer_behind_when_closed(self) -> None:
        collected = collector(delay_s=LONG_S)
        collected.put([Piece("a")])
        held = weakref.ref(collected)
        collected.close()
        assert collected.is_drained
        del collected
        gc.collect()
        assert held() is None, "the event loop still has a timer that would wake it"
