"""Users who talk to a server: one system prompt, histories that grow by a message and an answer each turn."""

from __future__ import annotations

import asyncio
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.load import Job, StreamTiming, Target
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Talk:
    """How users talk.

    Attributes:
        turns: messages of each user.
        longest_pause_s: before each message a user pauses for a random time of up to this.
    """

    turns: int
    system_tokens: int = 100
    message_tokens: int = 30
    answer_tokens: int = 32
    longest_pause_s: float = 0.6

    def __str__(self) -> str:
        return (
            f"{self.turns} turns: {self.system_tokens} tokens of system prompt, then messages of "
            f"{self.message_tokens} and answers of {self.answer_tokens}, pauses up to {self.longest_pause_s} s"
        )


async def converse(target: Target, talk: Talk, number: int, user: int) -> list[StreamTiming]:
    """One user's turns. The template is written here, so that every server gets the same tokens.

    Args:
        number: equal numbers give equal system prompts; users' messages differ.
    """
    pauses = random.Random(user)
    history = f"<|im_start|>system\n{text_of(talk.system_tokens, number)}<|im_end|>\n"
    timings = []
    for turn in range(talk.turns):
        await asyncio.sleep(pauses.uniform(0, talk.longest_pause_s))
        message = text_of(talk.message_tokens, 10_000 * number + 100 * user + turn)
        history += f"<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n"
        job = Job(history, talk.answer_tokens, seed=user, cache_prompt=True, wants_text=True)
        timings.append(await target.generate(job))
        history += f"{timings[-1].text}<|im_end|>\n"
    return timings


def span_s(timings: Sequence[StreamTiming]) -> float:
    """Seconds from the first request to the end of the last answer."""
    return max(timing.ended for timing in timings) - min(timing.sent for timing in timings)
