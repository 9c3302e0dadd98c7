"""The REST client of the benchmarks, against a socket that answers what a test wants."""

from __future__ import annotations

import asyncio
import dataclasses
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from bench.harness.errors import BenchError, RefusedError
from bench.harness.load import Job
from bench.harness.rest_client import RestTarget
from bench.harness.rest_forms import RestForm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

JOB = Job("Once", n_tokens=2, seed=7)
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
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


async def test_an_answer_that_is_not_streamed_is_there_at_once() -> None:
    answer = b'HTTP/1.1 200 OK\r\n\r\n{"content":"a b","stop":true,"tokens_predicted":2}'
    async with _server(answer) as (port, requests):
        timing = await RestTarget(port).answer(JOB)
    assert timing.n_tokens == 2
    assert timing.sent < timing.first_token == timing.ended
    assert json.loads(requests[0])["stream"] is False


async def test_a_picture_is_a_part_of_a_chat() -> None:
    final = b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\n'
    async with _server(HEAD + _chunk(final) + _chunk(b"")) as (port, requests):
        await RestTarget(port).generate(dataclasses.replace(JOB, picture=b"a file"))
    (message,) = json.loads(requests[0])["messages"]
    picture, text = message["content"]
    assert picture == {"type": "image_url", "image_url": {"url": "data:image/png;base64,YSBmaWxl"}}
    assert text == {"type": "text", "text": "Once"}


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


async def test_outputs_are_timed_without_the_final_event_and_joined_if_the_text_is_wanted() -> None:
    events = b'data: {"content":"a"}\n\n', b'data: {"content":" b"}\n\n', FINAL
    async with _server(HEAD + b"".join(map(_chunk, (*events, b"")))) as (port, _):
        timing = await RestTarget(port).generate(dataclasses.replace(JOB, wants_text=True))
    assert timing.text == "a b"
    assert len(timing.arrivals) == 2
    assert timing.first_token == timing.arrivals[0]


@pytest.mark.parametrize(
    ("header", "retry_after_s"),
    [(b"retry-after: 3\r\n", 3.0), (b"", None), (b"Retry-After: Wed, 21 Oct 2015 07:28:00 GMT\r\n", None)],
    ids=["seconds", "missing", "date"],
)
async def test_a_refusal_says_when_to_come_back(header: bytes, retry_after_s: float | None) -> None:
    answer = b"HTTP/1.1 429 Too Many Requests\r\n" + header + b"Content-Length: 4\r\n\r\nfull"
    async with _server(answer) as (port, _):
        with pytest.raises(RefusedError, match="full") as refused:
            await RestTarget(port).generate(JOB)
    assert refused.value.retry_after_s == retry_after_s


async def test_a_chat_is_counted_by_its_usage_before_the_end_mark() -> None:
    events = b'data: {"choices":[],"usage":{"completion_tokens":2}}\n\n', b"data: [DONE]\n\n"
    async with _server(HEAD + b"".join(map(_chunk, events)) + _chunk(b"")) as (port, requests):
        timing = await RestTarget(port, RestForm.CHAT).generate(JOB)
    assert timing.n_tokens == 2
    sent = json.loads(requests[0])
    assert sent["messages"] == [{"role": "user", "content": "Once"}]
    assert sent["stream_options"] == {"include_usage": True}
