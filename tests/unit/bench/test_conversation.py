"""Users who talk to a server."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from bench.harness.conversation import Talk, converse, span_s
from bench.harness.load import Job, StreamTiming

if TYPE_CHECKING:
    from collections.abc import Callable

TALK = Talk(turns=3, system_tokens=5, message_tokens=4, answer_tokens=2, longest_pause_s=0.0)


class _Target:
    """Answers every job with the number of the turn, and keeps the jobs."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []

    async def generate(self, job: Job, *, on_event: Callable[[], None] = lambda: None) -> StreamTiming:
        self.jobs.append(job)
        turn = len(self.jobs)
        return StreamTiming(10.0 * turn, 10.0 * turn + 1, 10.0 * turn + 2, job.n_tokens, text=f"answer {turn}")


async def test_every_turn_sends_everything_before_it_with_the_answers() -> None:
    target = _Target()
    timings = await converse(target, TALK, number=1, user=0)
    assert len(timings) == len(target.jobs) == 3
    for turn, (before, after) in enumerate(zip(target.jobs, target.jobs[1:], strict=False), 1):
        assert after.prompt.startswith(f"{before.prompt}answer {turn}<|im_end|>\n<|im_start|>user\n")
    assert all(job.cache_prompt and job.wants_text for job in target.jobs)


async def test_users_of_one_number_share_the_system_prompt_and_nothing_else() -> None:
    target = _Target()
    one = dataclasses.replace(TALK, turns=1)
    for number, user in ((1, 0), (1, 1), (2, 0)):
        await converse(target, one, number, user)
    first, same, other = (job.prompt.split("<|im_end|>\n<|im_start|>user\n") for job in target.jobs)
    assert first[0] == same[0] != other[0]
    assert first[1] != same[1]


def test_the_span_reaches_from_the_first_request_to_the_last_answer() -> None:
    assert span_s([StreamTiming(2.0, 3.0, 4.0, 1), StreamTiming(1.0, 3.0, 9.0, 1)]) == 8.0
