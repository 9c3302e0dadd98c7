"""The REST client of the benchmarks, against a socket that answers what a test wants."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bench.harness.errors import BenchError
from bench.harness.load import Job
from bench.harness.rest_client import RestTarget

JOB = Job("Once", n_tokens=2, seed=7)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
FINAL = b'data: {"content":"","stop":true,"tokens_predicted":2}\n\n'


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


@asynccontextmanager
async def _server(answer: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    requests: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length"))
        requests.append(await reader.readexactly(length))
        writer.write(answer)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1], requests


async def test_tokens_come_from_the_final_event_however_the_events_are_cut_into_chunks() -> None:
    events = b'data: {"content":"a b"}\n\n' + FINAL
    answer = HEAD + _chunk(events[:9]) + _chunk(events[9:40]) + _chunk(events[40:]) + _chunk(b"")
    async with _server(answer) as (port, requests):
        timing = await RestTarget(port).generate(JOB)
    assert timing.n_tokens == 2
    assert timing.sent < timing.first_token <= timing.ended
    sent = json.loads(requests[0])
    assert (sent["prompt"], sent["n_predict"], sent["seed"], sent["stream"]) == ("Once", 2, 7, True)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 7\r\n\r\nloading", "503 Service Unavailable: loading"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}", "without a chunked body"),
        (HEAD + _chunk(b'data: {"content":"a"}\n\n') + _chunk(b""), "without a final event"),
        (HEAD + _chunk(FINAL.replace(b"2}", b"1}")) + _chunk(b""), "n_predict 2 gave 1 tokens"),
    ],
    ids=["error status", "not a stream", "no final event", "too few tokens"],
)
async def test_what_is_not_a_complete_answer_stops_the_benchmark(answer: bytes, message: str) -> None:
    async with _server(answer) as (port, _):
        with pytest.raises(BenchError, match=message):
            await RestTarget(port).generate(JOB)
