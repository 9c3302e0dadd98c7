"""A traced ``slotline serve``."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.processes import free_port, running
from bench.harness.servers import Endpoints, common_options
from bench.harness.tracing.points import POINTS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.settings import Settings

_CLOCK = "clock_gettime(CLOCK_MONOTONIC)"


@contextlib.contextmanager
def traced_server(settings: Settings, directory: Path) -> Iterator[Endpoints]:
    """``slotline serve`` with marks, started and ready; the marks are in ``mark_files`` at the end of the context.

    Raises:
        BenchError: it does not start, or the clocks of processes cannot be compared here.
    """
    clock = time.get_clock_info("perf_counter").implementation
    if clock != _CLOCK:
        raise BenchError(f"time.perf_counter is {clock} here; a trace needs {_CLOCK}, one clock for all processes")
    rest_port, address = free_port(), f"127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "bench.harness.tracing.launch", "adapter", str(directory), "serve"]
    command += [*common_options(settings), "--port", str(rest_port), "--grpc-listen", address]
    with running("traced slotline", command) as server:
        endpoints = Endpoints(server, rest_port, address)
        server.wait_for_health(endpoints.health_url)
        yield endpoints


def mark_files(directory: Path) -> Sequence[Path]:
    """The files with the marks of all processes of a traced server that has ended."""
    return [directory / f"{process}.json" for process in POINTS]
