"""Answers that mostly repeat their prompt: texts to copy, and JSON with small changes; greedy, without penalties."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.contest import AS_FAST, Quantity, Sample, contest
from bench.harness.load import GREEDY, Job, Target, decode_rate, run_together
from bench.harness.report import Result, count_of
from bench.harness.stats import median
from bench.harness.texts import text_of

if TYPE_CHECKING:
    from bench.settings import Settings

_STREAMS = (1, 4)
_COPIED_TOKENS = 80
_QUANTITIES = (Quantity("decoding", "tokens/s", ratio_goal=AS_FAST), Quantity("copied share of the answer", ""))
_NAMES = ("Ada", "Ben", "Cleo", "Dan", "Eva", "Finn", "Gus", "Hana")


def run(settings: Settings) -> Result:
    """Measure the servers in turns, plain text and JSON, one and four streams."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    async with contest(settings) as running:
        for what, document in (("text", _text), ("JSON", _json)):
            for n_streams in _STREAMS:
                jobs = [_job(*document(number), settings.tokens, number) for number in range(n_streams)]
                label = f"{what}, {count_of(n_streams, 'stream')}"
                await running.measure(_QUANTITIES, partial(_measure, jobs), label=label)
    return running.result("copying", f"answers of {settings.tokens} tokens that repeat the prompt")


async def _measure(jobs: list[Job], target: Target) -> Sample:
    timings = await run_together(target, jobs)
    shares = [copied_share(timing.text, job.prompt) for timing, job in zip(timings, jobs, strict=True)]
    return {"decoding": decode_rate(timings), "copied share of the answer": median(shares)}


def copied_share(answer: str, prompt: str, length: int = 12) -> float:
    """Part of the answer's runs of ``length`` characters that the prompt holds, too."""
    runs = [answer[start : start + length] for start in range(len(answer) - length + 1)]
    return sum(run in prompt for run in runs) / len(runs) if runs else 0.0


def _job(document: str, changed: str, n_tokens: int, number: int) -> Job:
    """The document, then what was made of it, twice: the third time is the answer."""
    prompt = f"Original:\n{document}\n\nCopy:\n{changed}\n\nOriginal:\n{document}\n\nCopy:\n"
    return Job(prompt, n_tokens, seed=number, slot_id=number, sampling=GREEDY, wants_text=True)


def _text(number: int) -> tuple[str, str]:
    text = text_of(_COPIED_TOKENS, number)
    return text, text


def _json(number: int) -> tuple[str, str]:
    people = [{"name": name, "age": 20 + number + place, "city": "Bern"} for place, name in enumerate(_NAMES[:4])]
    moved = [{**person, "city": "Oslo"} for person in people]
    return json.dumps(people), json.dumps(moved)
