"""The threads that prepare prompts."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from service.errors import Draining, InvalidArgument, QueueFull
from service.prompts.pool import LONG_BYTES, MAX_JOBS_LONG, PreparationPool

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

    def __call__(self) -> str:
        self.running.set()
        assert self.release.wait(WAIT_S)
        return "done"


async def test_a_job_runs_in_another_thread_and_returns_its_result(pool: PreparationPool) -> None:
    assert await pool.run(1, threading.get_ident) != threading.get_ident()


async def test_a_jobs_exception_reaches_its_caller(pool: PreparationPool) -> None:
    def job() -> None:
        raise InvalidArgument("field", "is bad")

    with pytest.raises(InvalidArgument, match="field: is bad"):
        await pool.run(1, job)


async def test_short_inputs_do_not_wait_for_long_ones(pool: PreparationPool) -> None:
    blocker = Blocker()
    long = asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker))
    assert await pool.run(LONG_BYTES, lambda: "short") == "short"
    assert not long.done()
    blocker.release.set()
    assert await long == "done"


async def test_a_full_lane_refuses_until_a_job_has_ended(pool: PreparationPool) -> None:
    blocker = Blocker()
    jobs = [asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker)) for _ in range(MAX_JOBS_LONG)]
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    with pytest.raises(QueueFull) as caught:
        await pool.run(LONG_BYTES + 1, lambda: None)
    assert caught.value.metadata == {"limit": str(MAX_JOBS_LONG)}
    assert caught.value.retry_after_s is not None
    blocker.release.set()
    assert await asyncio.gather(*jobs) == ["done"] * MAX_JOBS_LONG
    assert await pool.run(LONG_BYTES + 1, lambda: "room again") == "room again"


async def test_a_cancelled_callers_job_is_dropped_if_it_has_not_begun(pool: PreparationPool) -> None:
    blocker, ran = Blocker(), threading.Event()
    running = asyncio.ensure_future(pool.run(LONG_BYTES + 1, blocker))
    await asyncio.to_thread(blocker.running.wait, WAIT_S)
    waiting = asyncio.ensure_future(pool.run(LONG_BYTES + 1, ran.set))
    await asyncio.wait([waiting], timeout=0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    blocker.release.set()
    await running
    # The lane has one thread: whatever was queued before this has had its turn.
    await pool.run(LONG_BYTES + 1, lambda: None)
    assert not ran.is_set()


async def test_a_closed_pool_takes_nothing_more(pool: PreparationPool) -> None:
    pool.close()
    with pytest.raises(Draining):
        await pool.run(1, lambda: None)
