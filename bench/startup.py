"""Start-up: from starting the command to an open port, to a loaded model, to the end of the first completion."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from bench.harness.contest import REST, Quantity, Sample, measure_fresh
from bench.harness.load import Job
from bench.harness.report import Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.servers import Endpoints, required_peers

if TYPE_CHECKING:
    from bench.settings import Settings

_JOB = Job("Hello, my name is", n_tokens=8, seed=1)
_QUANTITIES = (
    Quantity("port open", "s", Goal("at most", 2.0)),
    Quantity("model loaded", "s"),
    Quantity("first completion", "s", Goal("at most", 10.0)),
)


def run(settings: Settings) -> Result:
    """Start each server several times; the model file is in the page cache, as after an installation."""
    required_peers(settings)
    title = f"seconds after the start of the command; completion of {_JOB.n_tokens} tokens over {REST}"
    return asyncio.run(measure_fresh(settings, "startup", title, _QUANTITIES, _measure))


async def _measure(server: Endpoints) -> Sample:
    process = server.server
    port_open = process.wait_for_port(server.rest_port)
    healthy = process.wait_for_health(server.health_url)
    await RestTarget(server.rest_port).generate(_JOB)
    moments = (port_open, healthy, time.perf_counter())
    return {quantity.name: moment - process.started for quantity, moment in zip(_QUANTITIES, moments, strict=True)}
