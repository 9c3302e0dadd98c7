"""Curves: decoding by number of streams, first token by length of the prompt, and by length of the queue."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import Quantity, Sample, contest, contestants, curve_of, notes_of
from bench.harness.load import Job, StreamTiming, Target, decode_rate, run_together, story_jobs
from bench.harness.report import Figure, Result
from bench.harness.stats import median
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.settings import Settings

_STREAMS = (1, 2, 4, 8, 16, 32)
_PROMPT_TOKENS = (16, 256, 512, 1024, 2048, 4096)
_WAITING = (0, 8, 16, 32, 64)
_STREAM_TOKENS = 64
_QUEUED_TOKENS = 16

_RATE = Quantity("decoding", "tokens/s")
_COLD = Quantity("first token of a new prompt", "ms")
_WARM = Quantity("first token of a cached prompt", "ms")
_LAST = Quantity("first token of the last in the queue", "ms")
_MIDDLE = Quantity("first token, median of the queue", "ms")


def run(settings: Settings) -> Result:
    """Measure both servers in turns at every point of the curves."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    parts = (_by_streams, _by_prompt, _by_queue)
    results = [await part(settings) for part in parts]
    figures = tuple(figure for figures, _ in results for figure in figures)
    notes = tuple(dict.fromkeys(note for _, notes in results for note in notes))
    title = (
        f"streams of {_STREAM_TOKENS} tokens; prompts of {_PROMPT_TOKENS[0]} to {_PROMPT_TOKENS[-1]} tokens, new and "
        f"sent again; requests of {_QUEUED_TOKENS} tokens beyond the {settings.n_slots} that slots take at once"
    )
    return Result("scaling", title, figures, notes)


_Part = tuple[list[Figure], tuple[str, ...]]


async def _by_streams(settings: Settings) -> _Part:
    settings = replace(settings, n_slots=_STREAMS[-1], n_ctx=16384)
    figures: list[Figure] = []
    notes: tuple[str, ...] = ()

    async def measure(n_streams: int, target: Target) -> Sample:
        return {_RATE.name: decode_rate(await run_together(target, story_jobs(n_streams, _STREAM_TOKENS)))}

    async with contestants(settings, has_grpc=False) as targets:
        for n_streams in _STREAMS:
            rounds = await contest(settings, targets, partial(measure, n_streams))
            figures += curve_of(rounds, _RATE, axis="streams", x=n_streams)
            notes += notes_of(settings, rounds, "streams")
    return figures, notes


async def _by_prompt(settings: Settings) -> _Part:
    settings = replace(settings, n_slots=2, n_ctx=2 * (_PROMPT_TOKENS[-1] + 512))
    figures: list[Figure] = []
    notes: tuple[str, ...] = ()
    numbers = itertools.count(1)

    async def measure(n_tokens: int, target: Target) -> Sample:
        number = next(numbers)
        job = Job(text_of(n_tokens, number), n_tokens=2, seed=number, cache_prompt=True)
        cold, warm = await target.generate(job), await target.generate(job)
        return {_COLD.name: cold.first_token_ms, _WARM.name: warm.first_token_ms}

    async with contestants(settings, has_grpc=False) as targets:
        for n_tokens in _PROMPT_TOKENS:
            rounds = await contest(settings, targets, partial(measure, n_tokens))
            figures += curve_of(rounds, _COLD, axis="tokens", x=n_tokens)
            figures += curve_of(rounds, _WARM, axis="tokens", x=n_tokens)
            notes += notes_of(settings, rounds, "prompts")
    return figures, notes


async def _by_queue(settings: Settings) -> _Part:
    figures: list[Figure] = []
    notes: tuple[str, ...] = ()

    async def measure(n_waiting: int, target: Target) -> Sample:
        requests = range(settings.n_slots + n_waiting)
        jobs = [Job(text_of(16, number), _QUEUED_TOKENS, seed=number) for number in requests]
        timings: list[StreamTiming] = await run_together(target, jobs)
        first_ms = [timing.first_token_ms for timing in timings]
        return {_LAST.name: max(first_ms), _MIDDLE.name: median(first_ms)}

    async with contestants(settings, has_grpc=False) as targets:
        for n_waiting in _WAITING:
            rounds = await contest(settings, targets, partial(measure, n_waiting))
            figures += curve_of(rounds, _LAST, axis="requests that wait", x=n_waiting)
            figures += curve_of(rounds, _MIDDLE, axis="requests that wait", x=n_waiting)
            notes += notes_of(settings, rounds, "queue")
    return figures, notes
