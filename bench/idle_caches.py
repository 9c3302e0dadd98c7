"""What idle caches cost: decoding speed while the other slots keep finished conversations, which nobody reads."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from bench.harness.engine import EngineProcess, engine_process
from bench.harness.load import Job, decode_rate, story_jobs
from bench.harness.report import Figure, Result
from bench.harness.rounds import Measure, alternate, describe
from bench.harness.stats import pair_ratios

if TYPE_CHECKING:
    from bench.settings import Settings

#: Cells held by slots that do not decode.
_IDLE_CELLS = (0, 500, 1000, 2000, 4000)


def run(settings: Settings) -> Result:
    """Measure one stream on the engine thread, with more and more cells in use beside it."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> Result:
    async with engine_process(settings) as engine:
        await engine.wait_until_ready()
        variants: dict[str, Measure] = {
            f"{n_cells} idle cells": partial(_rate, engine, settings, n_cells) for n_cells in _IDLE_CELLS
        }
        rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
    samples = rounds.samples
    without, *others = variants
    figures = [Figure(f"1 stream beside {name}", "tokens/s", samples[name]) for name in variants]
    figures += [Figure(f"{name} / none", "", pair_ratios(samples[name], samples[without])) for name in others]
    title = f"engine thread, decoding {settings.tokens} tokens in slot 0 of {settings.n_slots}, n_ctx {settings.n_ctx}"
    return Result("idle_caches", title, tuple(figures), describe(rounds, "1 stream"))


async def _rate(engine: EngineProcess, settings: Settings, n_cells: int) -> float:
    """Fill the other slots with ``n_cells`` tokens in all, then decode in slot 0."""
    others = range(1, settings.n_slots)
    share, rest = divmod(n_cells, len(others))
    # A slot keeps the prompt and all but the last token of the answer; an empty share still takes a prompt of one.
    fillers = [Job(_prompt(max(share + (slot <= rest), 1)), n_tokens=1, seed=slot, slot_id=slot) for slot in others]
    await engine.run_together(fillers)
    return decode_rate(await engine.run_together(story_jobs(1, settings.tokens)))


def _prompt(n_tokens: int) -> str:
    """A text of about so many tokens."""
    return " a" * n_tokens
