"""Requests that are made to hold others up: how long a stream and GET /health stand still beside each, and the memory.

One server serves all of them, one after the other. Beside each, one client reads a stream and another asks for the
health over and over.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager, closing, suppress
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from bench.harness.adversaries import ADVERSARIES, Adversary
from bench.harness.errors import BenchError
from bench.harness.idle_clients import get_health
from bench.harness.load import Job
from bench.harness.machine import memory_of, process_tree
from bench.harness.report import Figure, Goal, Result
from bench.harness.rest_client import RestTarget
from bench.harness.running_stream import running_stream
from bench.harness.servers import slotline_server

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from bench.settings import Settings

_MEGABYTE = 1_000_000
#: A pause of this length is what a reader notices.
_GOAL = Goal("at most", 250.0)
#: The stream goes on for as long as the longest adversary; it is abandoned then.
_STREAM = Job("The old garden gate creaked and then", n_tokens=1_000_000, seed=1, slot_id=0)
#: Outputs before and after each adversary, so that the first and the last gap are whole.
_OUTPUTS = 8
_HEALTH_PAUSE_S = 0.01
_MEMORY_PAUSE_S = 0.05
#: After an answer, memory gets this long to return.
_RETURN_S = 1.0
#: Whoever takes longer is given up.
_TIMEOUT_S = 120.0
_WRITE_BYTES = 256 * 1024
#: A server may cut off who sends what it has refused.
_CUT_OFF = (ConnectionError, asyncio.IncompleteReadError)


@dataclass(slots=True)
class _Witness:
    """What others saw.

    Attributes:
        status: what the adversary was answered, 0 for nothing.
        seconds: how long that took.
        health_ms: longest wait for an answer of GET /health.
        gap_ms: longest gap of the stream.
        rss: bytes of memory of adapter and core, one entry per look; the first is from before.
    """

    status: int = 0
    seconds: float = 0.0
    health_ms: float = 0.0
    gap_ms: float = 0.0
    rss: dict[str, list[int]] = field(default_factory=lambda: {"adapter": [], "core": []})


def run(settings: Settings) -> Result:
    """Let every adversary loose, as often as there are rounds."""
    return asyncio.run(_run(replace(settings, n_slots=4)))


async def _run(settings: Settings) -> Result:
    seen: dict[str, list[_Witness]] = {adversary.name: [] for adversary in ADVERSARIES}
    with slotline_server(settings, "--embedding", "--metrics") as ours:
        ours.server.wait_for_health(ours.health_url)
        adapter, *children = process_tree(ours.server.pid)
        processes = {"adapter": [adapter], "core": children}
        for _ in range(settings.repeats):
            for adversary in ADVERSARIES:
                seen[adversary.name].append(await _beside(adversary, ours.rest_port, processes))
    title = f"a stream and GET /health beside {len(ADVERSARIES)} requests that are made to hold them up"
    notes = (
        "answered: "
        + "; ".join(f"{name}: {', '.join(str(one.status) for one in witnesses)}" for name, witnesses in seen.items()),
    )
    return Result("adversary", title, tuple(_figures(seen)), notes)


def _figures(seen: dict[str, list[_Witness]]) -> Iterator[Figure]:
    for name, witnesses in seen.items():
        yield Figure(f"{name}: longest wait for /health", "ms", tuple(one.health_ms for one in witnesses), _GOAL)
        yield Figure(f"{name}: longest gap of the stream", "ms", tuple(one.gap_ms for one in witnesses), _GOAL)
        yield Figure(f"{name}: answered after", "s", tuple(one.seconds for one in witnesses))
        for process in ("adapter", "core"):
            looks = [[rss / _MEGABYTE for rss in one.rss[process]] for one in witnesses]
            yield Figure(f"{name}: {process} before", "MB", tuple(rss[0] for rss in looks))
            yield Figure(f"{name}: {process}, peak", "MB", tuple(max(rss) for rss in looks))
            yield Figure(f"{name}: {process} after", "MB", tuple(rss[-1] for rss in looks))


async def _beside(adversary: Adversary, port: int, processes: dict[str, list[int]]) -> _Witness:
    # The request is made before anybody watches: what that costs is not the server's.
    witness, request = _Witness(), _request(adversary, port)
    async with running_stream(RestTarget(port), _STREAM) as stream:
        await stream.wait_for_outputs(_OUTPUTS)
        async with _watching_memory(witness, processes), _asking_for_health(witness, port):
            begun = time.perf_counter()
            witness.status = await _send(request, port)
            ended = time.perf_counter()
            await stream.wait_for_outputs(_OUTPUTS)
        gaps = [later - earlier for earlier, later in pairwise(stream.arrivals) if later > begun]
        witness.gap_ms, witness.seconds = 1000 * max(gaps), ended - begun
        await asyncio.sleep(_RETURN_S)
        _look(witness, processes)
    return witness


def _request(adversary: Adversary, port: int) -> bytes:
    """The whole request as it is sent."""
    body = adversary.make_body()
    chunked = "Transfer-Encoding: chunked" if adversary.piece else f"Content-Length: {len(body)}"
    head = f"POST {adversary.path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n{chunked}\r\n\r\n"
    if adversary.piece:
        pieces = [body[start : start + adversary.piece] for start in range(0, len(body), adversary.piece)]
        body = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    return head.encode() + body


async def _send(request: bytes, port: int) -> int:
    """Send a request, read the whole answer, and return its status; 0 if there was none."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    sending = asyncio.create_task(_write(writer, request))
    try:
        async with asyncio.timeout(_TIMEOUT_S):
            status = await _read_answer(reader)
    except TimeoutError:
        status = 0
    finally:
        sending.cancel()
        with suppress(asyncio.CancelledError):
            await sending
        writer.close()
    return status


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(*_CUT_OFF):
        for start in range(0, len(data), _WRITE_BYTES):
            writer.write(data[start : start + _WRITE_BYTES])
            await writer.drain()


async def _read_answer(reader: asyncio.StreamReader) -> int:
    status = 0
    with suppress(*_CUT_OFF):
        status = int((await reader.readline() or b"HTTP/1.1 0").split()[1])
        while await reader.read(_WRITE_BYTES):
            pass
    return status


@asynccontextmanager
async def _asking_for_health(witness: _Witness, port: int) -> AsyncIterator[None]:
    async def ask() -> None:
        while True:
            connection = await asyncio.open_connection("127.0.0.1", port)
            # A server that was held up may say that it is not well; what counts is how long it took to say so.
            with closing(connection[1]), suppress(BenchError, *_CUT_OFF):
                while True:
                    begun = time.perf_counter()
                    try:
                        await get_health(connection)
                    finally:
                        # One that was never answered counts, too.
                        witness.health_ms = max(witness.health_ms, 1000 * (time.perf_counter() - begun))
                    await asyncio.sleep(_HEALTH_PAUSE_S)

    async with _meanwhile(asyncio.create_task(ask())):
        yield


@asynccontextmanager
async def _watching_memory(witness: _Witness, processes: dict[str, list[int]]) -> AsyncIterator[None]:
    async def watch() -> None:
        while True:
            _look(witness, processes)
            await asyncio.sleep(_MEMORY_PAUSE_S)

    _look(witness, processes)
    async with _meanwhile(asyncio.create_task(watch())):
        yield


def _look(witness: _Witness, processes: dict[str, list[int]]) -> None:
    for name, pids in processes.items():
        rss = 0
        for pid in pids:
            # Helpers of the core come and go.
            with suppress(OSError):
                rss += memory_of([pid]).rss
        witness.rss[name].append(rss)


@asynccontextmanager
async def _meanwhile(task: asyncio.Task[None]) -> AsyncIterator[None]:
    """Run a task that never ends by itself; an error of it is raised at the end."""
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
