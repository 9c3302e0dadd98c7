"""A picture beside a running stream: how long the stream stands still, and when the answer about the picture begins.

The projector has the shape of SigLIP-base, with random weights: 512 x 512 pixels, 256 rows, causal.
"""

from __future__ import annotations

import asyncio
import io
import itertools
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import numpy as np
from PIL import Image

from bench.harness.contest import AS_SOON, Quantity, Sample, contest
from bench.harness.load import Job, Target, decode_rate, run_together, story_jobs
from bench.harness.random_projector import RandomProjector, write_random_projector
from bench.harness.report import Figure, Goal, Result, count_of, join
from bench.harness.rest_client import RestTarget
from bench.harness.rounds import Measure, alternate, describe
from bench.harness.running_stream import running_stream
from bench.harness.servers import Endpoints, slotline_server
from bench.harness.stats import gaps_within, pair_ratios, percentile

if TYPE_CHECKING:
    from bench.settings import Settings

#: More than a server can generate while it answers about a picture; the stream is abandoned after that.
_STREAM_TOKENS = 1500
#: Outputs of the stream before the picture is sent.
_BEFORE = 8
_SIDE = 512
#: Blocks of one colour on each side of a picture, so that its file is small and no two are equal.
_BLOCKS = 16
_QUANTITIES = (
    Quantity("longest gap of the stream", "ms", Goal("at most", 150.0), Goal("at most", 0.1)),
    Quantity("p99 gap of the stream", "ms", ratio_goal=AS_SOON),
    Quantity("new picture: first token, alone", "ms", ratio_goal=AS_SOON),
    Quantity("new picture: first token, beside the stream", "ms"),
    Quantity("seen picture: first token, in another prompt", "ms", ratio_goal=AS_SOON),
    Quantity("seen picture: first token, in the same prompt", "ms", ratio_goal=AS_SOON),
)


def run(settings: Settings) -> Result:
    """Measure the servers in turns; then text alone, on servers with and without a projector."""
    settings = replace(settings, n_ctx=16384)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mmproj.gguf")
        projector = RandomProjector(_n_embd(settings.model), image_size=_SIDE)
        write_random_projector(path, projector)
        title = f"a picture of {_SIDE} x {_SIDE} pixels, {projector.n_rows} rows, alone and beside one stream"
        pictures = asyncio.run(_pictures(settings, path, title))
        texts = asyncio.run(_texts(settings, path, title))
    return join("image", title, (pictures, texts))


async def _pictures(settings: Settings, projector: Path, title: str) -> Result:
    options = ("--mmproj", str(projector))
    async with contest(settings, ours=options, theirs=options, has_grpc=False) as running:
        await running.measure(_QUANTITIES, partial(_measure, itertools.count(1)))
    return running.result("image", title)


async def _measure(numbers: itertools.count[int], target: Target) -> Sample:
    number = next(numbers)
    alone = await _first_token_ms(target, _about(number, "What is this?"))
    other = await _first_token_ms(target, _about(number, "Describe the picture in one sentence."))
    same = await _first_token_ms(target, replace(_about(number, "What is this?"), cache_prompt=True))
    async with running_stream(target, story_jobs(1, _STREAM_TOKENS)[0]) as stream:
        await stream.wait_for_outputs(_BEFORE)
        beside = await target.generate(_about(next(numbers), "What is this?"))
        await stream.wait_for_outputs(1)  # ends the last gap
        gaps_ms = [1000 * gap for gap in gaps_within(stream.arrivals, beside.sent, beside.ended)]
    return {
        "longest gap of the stream": max(gaps_ms),
        "p99 gap of the stream": percentile(gaps_ms, 99),
        "new picture: first token, alone": alone,
        "new picture: first token, beside the stream": 1000 * (beside.ended - beside.sent),
        "seen picture: first token, in another prompt": other,
        "seen picture: first token, in the same prompt": same,
    }


async def _first_token_ms(target: Target, job: Job) -> float:
    """From sending to the end of an answer of one token: chats begin with an event that holds none."""
    timing = await target.generate(job)
    return 1000 * (timing.ended - timing.sent)


async def _texts(settings: Settings, projector: Path, title: str) -> Result:
    """How fast texts are generated with a projector that nobody uses, compared with none."""
    figures: list[Figure] = []
    notes: list[str] = []
    with slotline_server(settings, "--mmproj", str(projector)) as seeing, slotline_server(settings) as plain:
        servers = {"with a projector": seeing, "without": plain}
        targets = {name: await _ready(settings, server) for name, server in servers.items()}
        for n_streams in (1, settings.n_slots):
            variants: dict[str, Measure] = {
                name: partial(_text_rate, target, n_streams, settings.tokens) for name, target in targets.items()
            }
            rounds = await alternate(variants, repeats=settings.repeats, max_foreign_cores=settings.max_foreign_cores)
            what = f"text only, {count_of(n_streams, 'stream')}"
            figures += [Figure(what, "tokens/s", samples, column=name) for name, samples in rounds.samples.items()]
            ratios = pair_ratios(*(rounds.samples[name] for name in servers))
            figures.append(Figure(what, "", ratios, Goal("at least", 0.98), column="with", against="without"))
            notes += describe(rounds, what)
    return Result("image", title, tuple(figures), tuple(notes))


async def _ready(settings: Settings, server: Endpoints) -> RestTarget:
    server.server.wait_for_health(server.health_url)
    target = RestTarget(server.rest_port)
    await run_together(target, story_jobs(settings.n_slots, settings.tokens))
    return target


async def _text_rate(target: RestTarget, n_streams: int, n_tokens: int) -> float:
    return decode_rate(await run_together(target, story_jobs(n_streams, n_tokens)))


def _about(number: int, question: str) -> Job:
    # Slot 1: the stream keeps slot 0.
    return Job(question, n_tokens=1, seed=number, slot_id=1, picture=_picture(number))


def _picture(number: int) -> bytes:
    """A PNG that no other number gives."""
    blocks = np.random.default_rng(number).integers(0, 256, (_BLOCKS, _BLOCKS, 3), np.uint8)
    file = io.BytesIO()
    Image.fromarray(blocks).resize((_SIDE, _SIDE), Image.Resampling.NEAREST).save(file, "PNG")
    return file.getvalue()


def _n_embd(model: Path) -> int:
    """Length of the model's embeddings."""
    fields = gguf.GGUFReader(model).fields
    architecture = fields["general.architecture"].contents()
    return int(fields[f"{architecture}.embedding_length"].contents())
