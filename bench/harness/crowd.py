"""Many clients for a fixed time, more than a server can serve: what is answered, refused, given up and broken."""

from __future__ import annotations

import asyncio
import itertools
import random
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError, RefusedError
from bench.harness.load import Job, StreamTiming, Target
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: What a refused client waits if the server does not say.
_BACKOFF_S = 0.5


@dataclass(slots=True)
class CrowdResult:
    """What became of the requests of one crowd.

    Attributes:
        seconds: how long the crowd came.
        answered: requests answered in full within that time.
        n_refused: refused with status 429 and a time to come back.
        n_abandoned: still without a complete answer when the time was over; their clients went away.
        failures: everything else, as messages.
    """

    seconds: float
    answered: list[StreamTiming] = field(default_factory=list)
    n_refused: int = 0
    n_abandoned: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def goodput(self) -> float:
        """Tokens per second of complete answers."""
        return sum(timing.n_tokens for timing in self.answered) / self.seconds

    @property
    def orderly_share(self) -> float:
        """Part of the requests that were turned away which were refused with a time to come back; 1 if none was."""
        turned_away = self.n_refused + len(self.failures)
        return self.n_refused / turned_away if turned_away else 1.0


async def closed_crowd(target: Target, n_clients: int, n_tokens: int, seconds: float) -> CrowdResult:
    """Clients that send one request after the other, and come back when they were told to."""
    outcome = CrowdResult(seconds)
    jobs = _jobs(n_tokens)

    async def client() -> None:
        while True:
            await asyncio.sleep(await _serve(target, next(jobs), outcome))

    await _for_a_time([asyncio.create_task(client()) for _ in range(n_clients)], outcome)
    return outcome


async def open_crowd(target: Target, rate: float, n_tokens: int, seconds: float) -> CrowdResult:
    """Clients that come at random moments (a Poisson process of ``rate`` per second), once each."""
    outcome = CrowdResult(seconds)
    jobs = _jobs(n_tokens)
    chance = random.Random(1)

    async def client(delay_s: float) -> None:
        try:
            await asyncio.sleep(delay_s)
        except asyncio.CancelledError:
            # Its moment lies within the time: a busy machine has woken it too late.
            outcome.n_abandoned += 1
            raise
        await _serve(target, next(jobs), outcome)

    clients: list[asyncio.Task[None]] = []
    moment_s = chance.expovariate(rate)
    while moment_s < seconds:
        clients.append(asyncio.create_task(client(moment_s)))
        moment_s += chance.expovariate(rate)
    await _for_a_time(clients, outcome)
    return outcome


async def _serve(target: Target, job: Job, outcome: CrowdResult) -> float:
    """Send one request and note what became of it; returns the seconds after which its client may come back."""
    try:
        timing = await target.generate(job)
    except RefusedError as error:
        if error.retry_after_s is None:
            outcome.failures.append(f"refused without Retry-After: {error}")
            return _BACKOFF_S
        outcome.n_refused += 1
        return error.retry_after_s
    except asyncio.CancelledError:
        outcome.n_abandoned += 1
        raise
    except (BenchError, OSError, EOFError) as error:
        # A broken answer or connection is a finding here, not the end of the benchmark.
        outcome.failures.append(f"{type(error).__name__}: {error}")
        return _BACKOFF_S
    outcome.answered.append(timing)
    return 0.0


async def _for_a_time(clients: list[asyncio.Task[None]], outcome: CrowdResult) -> None:
    """Let the clients run until their time is over, then send those away that are still there."""
    ends = time.perf_counter() + outcome.seconds
    try:
        while (left_s := ends - time.perf_counter()) > 0 and clients:
            await asyncio.wait(clients, timeout=left_s, return_when=asyncio.FIRST_EXCEPTION)
            for client in clients:
                if client.done():
                    client.result()  # raises what is wrong with the benchmark itself
            clients = [client for client in clients if not client.done()]
        await asyncio.sleep(max(0.0, ends - time.perf_counter()))
    finally:
        for client in clients:
            client.cancel()
        await asyncio.gather(*clients, return_exceptions=True)


def _jobs(n_tokens: int) -> Iterator[Job]:
    """Different short prompts without end; answers of half to one and a half times ``n_tokens`` tokens.

    Answers of equal length would end together, and the goodput would jump by whole batches of slots.
    """
    lengths = random.Random(2)
    for number in itertools.count(1):
        yield Job(text_of(16, number), lengths.randint(n_tokens // 2, n_tokens + n_tokens // 2), seed=number)
