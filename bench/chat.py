"""Conversations: more users than slots, one system prompt, histories that grow, a short pause before each message."""

from __future__ import annotations

import asyncio
import itertools
import random
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Quantity, Sample, compare
from bench.harness.load import Job, StreamTiming, Target, together
from bench.harness.stats import median, percentile
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.harness.report import Result
    from bench.settings import Settings

_USERS = 12
_TURNS = 4
_SYSTEM_TOKENS = 100
_MESSAGE_TOKENS = 30
_ANSWER_TOKENS = 32
_LONGEST_PAUSE_S = 0.6
_QUANTITIES = (
    Quantity("first turn: first token, median", "ms"),
    Quantity("later turns: first token, median", "ms"),
    Quantity("later turns: first token, p95", "ms"),
    *(Quantity(f"turn {turn}: first token, median", "ms") for turn in range(2, _TURNS + 1)),
    Quantity("all conversations", "s"),
)


def run(settings: Settings) -> Result:
    """Measure both servers in turns; a conversation is new in every round."""
    settings = replace(settings, n_ctx=16384)
    title = (
        f"{_USERS} users on {settings.n_slots} slots, {_TURNS} turns: {_SYSTEM_TOKENS} tokens of system prompt, then "
        f"messages of {_MESSAGE_TOKENS} and answers of {_ANSWER_TOKENS}, pauses up to {_LONGEST_PAUSE_S} s"
    )
    return compare(settings, "chat", title, _QUANTITIES, partial(_measure, itertools.count(1)))


async def _measure(numbers: itertools.count[int], target: Target) -> Sample:
    number = next(numbers)
    by_turn = list(zip(*await together(_converse(target, number, user) for user in range(_USERS)), strict=True))
    medians = [median([timing.first_token_ms for timing in timings]) for timings in by_turn]
    later_ms = [timing.first_token_ms for timings in by_turn[1:] for timing in timings]
    everything = [timing for timings in by_turn for timing in timings]
    return {
        "first turn: first token, median": medians[0],
        "later turns: first token, median": median(later_ms),
        "later turns: first token, p95": percentile(later_ms, 95),
        **{f"turn {turn}: first token, median": medians[turn - 1] for turn in range(2, _TURNS + 1)},
        "all conversations": max(timing.ended for timing in everything) - min(timing.sent for timing in everything),
    }


async def _converse(target: Target, number: int, user: int) -> list[StreamTiming]:
    """One user's turns. The template is written here, so that every server gets the same tokens."""
    pauses = random.Random(user)
    history = f"<|im_start|>system\n{text_of(_SYSTEM_TOKENS, number)}<|im_end|>\n"
    timings = []
    for turn in range(_TURNS):
        await asyncio.sleep(pauses.uniform(0, _LONGEST_PAUSE_S))
        message = text_of(_MESSAGE_TOKENS, 1000 * number + 10 * user + turn)
        history += f"<|im_start|>user\n{message}<|im_end|>\n<|im_start|>assistant\n"
        job = Job(history, _ANSWER_TOKENS, seed=user, cache_prompt=True, wants_text=True)
        timings.append(await target.generate(job))
        history += f"{timings[-1].text}<|im_end|>\n"
    return timings
