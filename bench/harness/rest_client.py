"""A streaming client of the REST API on bare sockets, light enough not to disturb what it measures."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError, RefusedError
from bench.harness.load import Job, StreamTiming
from bench.harness.rest_forms import RestForm, generated, request_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

_DATA = b"data: "
_DONE = b"[DONE]"


class RestTarget:
    """The REST API of Slotline or of llama-server on a loopback port; every request has a connection of its own.

    Args:
        form: the API that jobs are sent to; those with pictures are chats anyway.
    """

    def __init__(self, port: int, form: RestForm = RestForm.NATIVE) -> None:
        self._port = port
        self._form = form

    async def generate(self, job: Job, *, on_event: Callable[[], None] = lambda: None) -> StreamTiming:
        """Serve one job over server-sent events. The connection is open before the clock starts."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        try:
            sent = time.perf_counter()
            path, body = request_of(job, self._form)
            writer.write(_post(path, self._port, body))
            arrivals: list[float] = []
            events: list[bytes] = []
            async for event in _events(reader):
                if event == _DONE:
                    continue
                # Nothing is parsed before the end: that would take time from the server on a small machine.
                arrivals.append(time.perf_counter())
                events.append(event)
                on_event()
        finally:
            writer.close()
        n_tokens = generated(events, job)
        text = "".join(json.loads(event)["content"] for event in events) if job.wants_text else ""
        return StreamTiming(sent, arrivals[0], arrivals[-1], n_tokens, tuple(arrivals[:-1]), text)

    async def answer(self, job: Job) -> StreamTiming:
        """Serve one job with one answer, whose first token comes with the last."""
        path, body = request_of(job, self._form)
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        sent = time.perf_counter()
        content = await self._answer(reader, writer, path, body | {"stream": False})
        ended = time.perf_counter()
        return StreamTiming(sent, ended, ended, generated([content], job))

    async def post(self, path: str, body: object) -> bytes:
        """The body of the answer to a request that is not streamed.

        Raises:
            BenchError: its status is not 200.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        return await self._answer(reader, writer, path, body)

    async def _answer(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, body: object
    ) -> bytes:
        try:
            writer.write(_post(path, self._port, body))
            head, _, content = (await reader.read()).partition(b"\r\n\r\n")
        finally:
            writer.close()
        if b" 200 " not in head.split(b"\r\n")[0] + b" ":
            raise BenchError(f"POST {path} answered {head.split(bytes([13]))[0].decode()}: {content[:500]!r}")
        if b"transfer-encoding: chunked" in head.lower():
            raise BenchError(f"POST {path} answered with a chunked body")
        return content


def _post(path: str, port: int, body: object) -> bytes:
    content = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(content)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + content


async def _events(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """The data of each event of a response with a chunked body."""
    head = await reader.readuntil(b"\r\n\r\n")
    status, _, headers = head.partition(b"\r\n")
    if b" 200 " not in status + b" ":
        body = await reader.read()
        if b" 429 " in status + b" ":
            raise RefusedError(f"POST /completion: {body[:500].decode(errors='replace')}", _retry_after_s(headers))
        raise BenchError(f"a stream was answered {status.decode()}: {body[:500].decode(errors='replace')}")
    if b"transfer-encoding: chunked" not in headers.lower():
        raise BenchError("a stream was answered without a chunked body")
    pending = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        pending += (await reader.readexactly(size + 2))[:-2]
        *complete, pending = pending.split(b"\n\n")
        for event in complete:
            line = event.split(b"\n")[-1]  # the event's name may be in front of it
            if line.startswith(_DATA):
                yield line.removeprefix(_DATA)


def _retry_after_s(headers: bytes) -> float | None:
    """Seconds in the header ``Retry-After``; None without it, or if it holds a date."""
    for line in headers.split(b"\r\n"):
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"retry-after" and value.strip().isdigit():
            return float(value)
    return None
