"""The threads that prepare prompts."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING

import pytest

from service.errors import Draining, InvalidArgument, QueueFull
from service.prompts.pool import (
    LONG_BYTES,
    LOOP_BURST_S,
    LOOP_SHARE,
    MAX_BYTES,
    MAX_JOBS_LONG,
    MAX_PICTURE_BYTES,
    PreparationPool,
)
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from service.prompts.work import Work

WAIT_S = 30.0


@pytest.fixture
def pool() -> Iterator[PreparationPool]:
    made = PreparationPool()
    yield made
    made.close()


class Blocker:
    """A job that tells when it runs and then waits."""

    def __init__(self) -> None:
        self.running = threading.Event()
        self.release = threading.Event()

    def __call__(self, _: Work) -> str:
        self.running.set()
        assert self.release.wait(WAIT_S)
        return "done"


async def test_a_job_runs_in_another_thread_and_returns_its_result(pool: PreparationPool) -> None:
    assert await pool.run(1, lambda _: threading.get_ident()) != threading.get_ident()


@pytest.mark.parametrize("is_quick", [False, True])
async def test_a_jobs_exception_reaches_its_caller(pool: PreparationPool, is_quick: bool) -> None:
    def job(_: Work) -> None:
        raise InvalidArgument("field", "is bad")

    with pytest.raises(InvalidArgument, match="field: is bad"):
        await pool.run(1, job, is_quick=is_quick)


class QuickJob:
    """A job that takes some time by a clock of its own, and tells in which thread it ran."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.takes_s = 0.0

    def __call__(self, work: Work) -> int:
        work.pause()
        self.now_s += self.takes_s
        return threading.get_ident()


@pytest.fixture
def quick() -> QuickJob:
    return QuickJob()


@pytest.fixture
def timed_pool(quick: QuickJob) -> Iterator[PreparationPool]:
    made = PreparationPool(clock=lambda: quick.now_s)
    yield made
    made.close()


async def test_a_quick_job_is_done_at_once(pool: PreparationPool) -> None:
    running = pool.run(1, lambda _: threading.get_ident(), is_quick=True)
    with pytest.raises(StopIteration) as ended:
        running.send(None)
    assert ended.value.value == threading.get_ident()


async def test_quick_jobs_leave_the_loop_once_they_have_taken_their_share_of_its_time(
    timed_pool: PreparationPool, quick: QuickJob
) -> None:
    here = threading.get_ident()
    quick.takes_s = LOOP_BURST_S / 4
    threads = [await timed_pool.run(1, quick, is_quick=True) for _ in range(8)]
    n_here = threads.index(next(thread for thread in threads if thread != here))
    assert here not in threads[n_here:]
    # The first ones give the clock its time, too.
    assert 4 <= n_here <= 6
    quick.now_s += 2 * LOOP_BURST_S / LOOP_SHARE
    assert await timed_pool.run(1, quick, is_quick=True) == here


async def test_a_quick_job_that_failed_has_taken_its_time(timed_pool: PreparationPool, quick: QuickJob) -> None:
    def fail(_: Work) -> None:
        quick.now_s += 2 * LOOP_BURST_S
        raise InvalidArgument("field", "is bad")

    with pytest.raises(InvalidArgument):
        await timed_pool.run(1, fail, is_quick=True)
    assert await timed_pool.run(1, quick, is_quick=True) != threading.get_ident()


async def test_short_inputs_do_not_wait_for_long_ones(pool: PreparationPool) -> None:
    blocker = Blocker()
    long = asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker))
    assert await pool.run(LONG_BYTES, lambda _: "short") == "short"
    assert not long.done()
    blocker.release.set()
    assert await long == "done"


async def test_a_full_lane_refuses_until_a_job_has_ended(pool: PreparationPool) -> None:
    blocker = Blocker()
    jobs = [asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker)) for _ in range(MAX_JOBS_LONG)]
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    with pytest.raises(QueueFull) as caught:
        await pool.run(LONG_BYTES + 1, lambda _: None)
    assert caught.value.metadata == {"limit": str(MAX_JOBS_LONG)}
    assert caught.value.retry_after_s is not None
    blocker.release.set()
    assert await asyncio.gather(*jobs) == ["done"] * MAX_JOBS_LONG
    assert await pool.run(LONG_BYTES + 1, lambda _: "room again") == "room again"


async def test_a_cancelled_callers_job_is_dropped_if_it_has_not_begun(pool: PreparationPool) -> None:
    blocker, ran = Blocker(), threading.Event()
    running = asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    waiting = asyncio.ensure_future(pool.run(LONG_BYTES + 1, lambda _: ran.set()))
    await asyncio.wait([waiting], timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    blocker.release.set()
    await running
    # Whatever asked for a turn before this has had it.
    await pool.run(LONG_BYTES + 1, lambda _: None)
    assert not ran.is_set()


async def test_a_closed_pool_takes_nothing_more(pool: PreparationPool) -> None:
    pool.close()
    for is_quick in (False, True):
        with pytest.raises(Draining):
            await pool.run(1, lambda _: None, is_quick=is_quick)


class Pieces:
    """A job of some pieces that notes when it does which."""

    def __init__(self, name: str, n_pieces: int, done: list[str], gate: threading.Event) -> None:
        self._name, self._n_pieces, self._done, self._gate = name, n_pieces, done, gate
        self.has_begun = threading.Event()

    def __call__(self, work: Work) -> None:
        self.has_begun.set()
        assert self._gate.wait(WAIT_S)
        for _ in range(self._n_pieces):
            self._done.append(self._name)
            work.pause()


async def test_long_jobs_take_turns(pool: PreparationPool) -> None:
    done: list[str] = []
    gate = threading.Event()
    first = Pieces("a", 1000, done, gate)
    jobs = [asyncio.ensure_future(pool.run(LONG_BYTES + 1, first))]
    await asyncio.to_thread(first.has_begun.wait, WAIT_S)
    jobs += [asyncio.ensure_future(pool.run(LONG_BYTES + 1, Pieces(name, 2, done, gate))) for name in "bc"]
    await asyncio.sleep(0)  # they are handed to their threads
    wait_until("two that wait for a turn", lambda: pool.long_load().n_waiting == 2)
    gate.set()
    await asyncio.gather(*jobs)
    assert done[:6] == ["a", "b", "c", "a", "b", "c"] or done[:6] == ["a", "c", "b", "a", "c", "b"]
    assert done[6:] == ["a"] * 998


async def test_a_cancelled_callers_job_ends_at_its_next_piece(pool: PreparationPool) -> None:
    done: list[str] = []
    gate = threading.Event()
    job = Pieces("a", 1000, done, gate)
    running = asyncio.ensure_future(pool.run(LONG_BYTES + 1, job))
    await asyncio.to_thread(job.has_begun.wait, WAIT_S)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    gate.set()
    wait_until("the end of the job", lambda: not pool.long_load().n_jobs)
    assert done == ["a"]


async def test_closing_ends_jobs_at_their_next_piece(pool: PreparationPool) -> None:
    done: list[str] = []
    gate = threading.Event()
    job = Pieces("a", 1000, done, gate)
    running = asyncio.ensure_future(pool.run(LONG_BYTES + 1, job))
    waiting = asyncio.ensure_future(pool.run(LONG_BYTES + 1, job))
    await asyncio.to_thread(job.has_begun.wait, WAIT_S)
    pool.close()
    gate.set()
    for caller in (running, waiting):
        with pytest.raises(Draining):
            await caller
    assert done == ["a"]


async def test_a_lane_is_full_when_its_inputs_are_large(pool: PreparationPool) -> None:
    blocker = Blocker()
    large = asyncio.ensure_future(pool.run(MAX_BYTES - LONG_BYTES, blocker))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    with pytest.raises(QueueFull):
        await pool.run(LONG_BYTES + 1, blocker)
    blocker.release.set()
    assert await large == "done"
    assert await pool.run(2 * MAX_BYTES, lambda _: "alone") == "alone"


@pytest.mark.parametrize(("n_bytes", "picture_bytes"), [(LONG_BYTES + 1, 0), (1, LONG_BYTES + 1)])
async def test_memory_is_given_back_once_the_large_jobs_are_over(
    pool: PreparationPool, monkeypatch: pytest.MonkeyPatch, n_bytes: int, picture_bytes: int
) -> None:
    blocker, returned = Blocker(), threading.Event()
    monkeypatch.setattr("service.prompts.pool.MEMORY_DELAY_S", 0.0)
    monkeypatch.setattr("service.prompts.pool.return_memory", returned.set)
    long = asyncio.ensure_future(pool.run(n_bytes, blocker, picture_bytes=picture_bytes))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    # The timer has gone off by now, and found the job.
    await pool.run(1, lambda _: None)
    assert not returned.is_set()
    blocker.release.set()
    await long
    assert await asyncio.to_thread(returned.wait, WAIT_S)


async def test_nothing_waits_for_pictures(pool: PreparationPool) -> None:
    blocker = Blocker()
    pictures = [asyncio.ensure_future(pool.run(1, blocker, is_chat=True, picture_bytes=1)) for _ in range(8)]
    assert await pool.run(1, lambda _: "text") == "text"
    assert await pool.run(1, lambda _: "chat", is_chat=True) == "chat"
    assert await pool.run(LONG_BYTES + 1, lambda _: "long") == "long"
    blocker.release.set()
    assert await asyncio.gather(*pictures) == ["done"] * 8


async def test_pictures_and_the_texts_beside_them_are_bounded(pool: PreparationPool) -> None:
    blocker = Blocker()
    large = asyncio.ensure_future(pool.run(1, blocker, picture_bytes=MAX_PICTURE_BYTES - 100))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    assert await pool.run(5, lambda _: "small", picture_bytes=1) == "small"
    with pytest.raises(QueueFull):
        await pool.run(5, blocker, picture_bytes=100)
    with pytest.raises(QueueFull):
        await pool.run(6, blocker, picture_bytes=1)
    blocker.release.set()
    assert await large == "done"


async def test_texts_do_not_wait_for_templates(pool: PreparationPool) -> None:
    blocker = Blocker()
    chats = [asyncio.ensure_future(pool.run(1, blocker, is_chat=True)) for _ in range(8)]
    assert await pool.run(1, lambda _: "text") == "text"
    blocker.release.set()
    assert await asyncio.gather(*chats) == ["done"] * 8


async def test_texts_and_templates_do_not_wait_for_constraints(pool: PreparationPool) -> None:
    blocker = Blocker()
    constrained = [asyncio.ensure_future(pool.run(1, blocker, is_chat=True, is_constrained=True)) for _ in range(12)]
    assert await pool.run(1, lambda _: "text") == "text"
    assert await pool.run(1, lambda _: "chat", is_chat=True) == "chat"
    blocker.release.set()
    assert await asyncio.gather(*constrained) == ["done"] * 12


async def test_who_waits_for_a_process_lets_others_have_the_turn(pool: PreparationPool) -> None:
    blocker = Blocker()

    def render(work: Work) -> str:
        with work.waiting(blocker.release.set):
            return blocker(work)

    rendering = asyncio.ensure_future(pool.run(LONG_BYTES + 1, render, is_chat=True))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    assert await pool.run(LONG_BYTES + 1, lambda _: "another") == "another"
    assert not rendering.done()
    rendering.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rendering
    wait_until("the end of the job", lambda: not pool.long_load().n_jobs)
    assert blocker.release.is_set()
