"""Load: what a stream asks for, what it took, and rates over several streams.

Tokens are counted from what a server says it generated, never from messages: a server may put several tokens into one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

# Openings of stories, so that the text goes on; of nearly equal length, and none the beginning of another.
_OPENINGS = (
    "The old garden gate creaked and then",
    "A tall ship came into the harbour",
    "Every morning the baker walked down",
    "Nobody knew who had painted the",
    "Under the bridge there lived a small",
    "In winter the mountain village was",
    "Seven children stood around the empty",
    "My grandmother kept her letters in",
)


@dataclass(frozen=True, slots=True)
class Sampling:
    """Sampling options that every server gets: the defaults of the REST API, spelled out."""

    temperature: float = 0.8
    top_k: int = 40
    top_p: float = 0.95
    min_p: float = 0.05
    repeat_penalty: float = 1.1
    repeat_last_n: int = 64


SAMPLING = Sampling()

#: The most probable token every time, without penalties: next to no work beside decoding.
GREEDY = Sampling(temperature=0.0, repeat_penalty=1.0)


@dataclass(frozen=True, slots=True)
class Job:
    """One request for exactly ``n_tokens`` tokens.

    Attributes:
        cache_prompt: whether a cached prefix may be used.
        slot_id: slot to use, None for any.
    """

    prompt: str
    n_tokens: int
    seed: int
    cache_prompt: bool = False
    slot_id: int | None = None
    sampling: Sampling = SAMPLING


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """What one stream took; times from ``time.perf_counter()`` on the receiving side.

    Attributes:
        sent: the request was about to be sent on an open connection.
        first_token: the first output had arrived.
        ended: the final message had arrived.
        n_tokens: tokens generated, as reported by the server.
    """

    sent: float
    first_token: float
    ended: float
    n_tokens: int

    @property
    def first_token_ms(self) -> float:
        """Milliseconds from sending to the first output."""
        return (self.first_token - self.sent) * 1000


class Target(Protocol):
    """Something that can serve a job."""

    async def generate(self, job: Job) -> StreamTiming:
        """Serve one job to its end.

        Raises:
            BenchError: it failed, or generated another number of tokens than asked for.
        """


def story_jobs(n_streams: int, n_tokens: int, *, sampling: Sampling = SAMPLING) -> list[Job]:
    """One short prompt per stream, all different, stream i in slot i.

    Pinned, because a server that takes any slot keeps the last answers in the others, and decoding gets slower with
    every cell in use (the scenario ``idle_caches`` measures how much).
    """
    return [
        Job(_OPENINGS[number % len(_OPENINGS)], n_tokens, seed=number, slot_id=number, sampling=sampling)
        for number in range(n_streams)
    ]


async def run_together(target: Target, jobs: Sequence[Job]) -> list[StreamTiming]:
    """Serve all jobs at the same time."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(target.generate(job)) for job in jobs]
    return [task.result() for task in tasks]


def decode_rate(timings: Sequence[StreamTiming]) -> float:
    """Tokens per second of all streams together while they decode.

    The first token of a stream belongs to its prompt, so a stream decodes ``n_tokens - 1`` tokens between its first
    and its last output. The rate of the mean stream times their number: it does not count the moments in which only
    some of the streams had begun or were still running.
    """
    tokens = sum(timing.n_tokens - 1 for timing in timings)
    seconds = sum(timing.ended - timing.first_token for timing in timings)
    return len(timings) * tokens / seconds
