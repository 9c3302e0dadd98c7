"""Load: what a stream asks for, what it took, and rates over several streams.

Tokens are counted from what a server says it generated, never from messages: a server may put several tokens into one.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence

Value = TypeVar("Value")

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
    "Last summer we found a wooden",
    "Behind the school there was a narrow",
    "On the first day of the fair",
    "Three brothers had promised their father",
    "When the rain stopped at last the",
    "Far away from every town a young",
    "Two travellers met at the well and",
    "Long before the railway came to our",
    "Her uncle had left a heavy box",
    "Once the lamps were lit the whole",
    "No letter had come from the island",
    "At the end of the market street",
    "Some people said that the clock had",
    "With a loud noise the mill wheel",
    "Between the two rivers lay a green",
    "For many years the lighthouse keeper",
    "His first horse was called after a",
    "Around midnight the dogs began to",
    "Our teacher always carried a little",
    "Through the open window came a smell",
    "One evening the queen asked for her",
    "Above the workshop lived a quiet",
    "Down by the lake the fishermen were",
    "Since the great storm the church bell",
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
        wants_text: whether the answer's text is needed; reading it takes the client some time.
        grammar: what the answer must be, in GBNF; over REST only. Empty for anything.
        json_schema: what the answer must be; over REST only. None for anything.
        picture: file of a picture that comes before the prompt, in a chat; over REST only. None for no picture.
    """

    prompt: str
    n_tokens: int
    seed: int
    cache_prompt: bool = False
    slot_id: int | None = None
    sampling: Sampling = SAMPLING
    wants_text: bool = False
    grammar: str = ""
    json_schema: Mapping[str, object] | None = None
    picture: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class StreamTiming:
    """What one stream took; times from ``time.perf_counter()`` on the receiving side.

    Attributes:
        sent: the request was about to be sent on an open connection.
        first_token: the first output had arrived.
        ended: the final message had arrived.
        n_tokens: tokens generated, as reported by the server.
        arrivals: when each output arrived, without the final message; empty if the target does not keep them.
        text: the answer, if the job wants it.
    """

    sent: float
    first_token: float
    ended: float
    n_tokens: int
    arrivals: tuple[float, ...] = ()
    text: str = ""

    @property
    def first_token_ms(self) -> float:
        """Milliseconds from sending to the first output."""
        return (self.first_token - self.sent) * 1000

    def inter_token_ms(self) -> list[float]:
        """Milliseconds that each token after the first let a reader wait: one entry per token.

        A token that came in one output with the token before it was not waited for.
        """
        waits = [(later - earlier) * 1000 for earlier, later in pairwise(self.arrivals)]
        return waits + [0.0] * (self.n_tokens - 1 - len(waits))


class Target(Protocol):
    """Something that can serve a job."""

    async def generate(self, job: Job, *, on_event: Callable[[], None] = ...) -> StreamTiming:
        """Serve one job to its end; ``on_event`` is called when an output arrives. Cancelling it abandons the request.

        Raises:
            RefusedError: the server is too busy to take the job.
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
    return await together(target.generate(job) for job in jobs)


async def together(works: Iterable[Coroutine[Any, Any, Value]]) -> list[Value]:
    """Run all at the same time; the first error ends the others and is raised as it is."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(work) for work in works]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
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


def wall_rate(timings: Sequence[StreamTiming]) -> float:
    """Tokens per second of all streams together, from the first request to the end of the last answer."""
    seconds = max(timing.ended for timing in timings) - min(timing.sent for timing in timings)
    return sum(timing.n_tokens for timing in timings) / seconds
