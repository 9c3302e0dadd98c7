"""Start-up: from starting the command to an open port, to a loaded model, to the end of the first completion."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.harness.load import Job
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.servers import Endpoints, find_peers, llama_server, slotline_server

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from bench.settings import Settings

_JOB = Job("Hello, my name is", n_tokens=8, seed=1)


def run(settings: Settings) -> Result:
    """Start each server several times; the model file is in the page cache, as after an installation."""
    peers = find_peers(settings.peers_python)
    ours: list[tuple[float, float, float]] = []
    theirs: list[tuple[float, float, float]] = []
    for _ in range(settings.repeats):
        ours.append(_start(slotline_server(settings)))
        theirs.append(_start(llama_server(settings, peers)))
    our_port, our_health, our_completion = zip(*ours, strict=True)
    _, their_health, their_completion = zip(*theirs, strict=True)
    figures = (
        Figure("slotline serve: port open", "s", our_port, Goal("at most", 2.0)),
        Figure("slotline serve: model loaded", "s", our_health),
        Figure("slotline serve: first completion", "s", our_completion, Goal("at most", 10.0)),
        Figure("llama-server: model loaded", "s", their_health),
        Figure("llama-server: first completion", "s", their_completion),
    )
    title = f"seconds after the start of the command; completion of {_JOB.n_tokens} tokens over REST"
    return Result("startup", title, figures)


def _start(server: AbstractContextManager[Endpoints]) -> tuple[float, float, float]:
    with server as endpoints:
        process = endpoints.server
        port_open = process.wait_for_port(endpoints.rest_port)
        healthy = process.wait_for_health(endpoints.health_url)
        asyncio.run(RestTarget(endpoints.rest_port).generate(_JOB))
        completed = time.perf_counter()
        return port_open - process.started, healthy - process.started, completed - process.started
