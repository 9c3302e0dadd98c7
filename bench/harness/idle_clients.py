"""Clients of the REST API that are connected and get nothing: kept connections, and streams without a token."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.paced_core import SILENCE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def idle_clients(port: int, *, n_kept: int, n_silent: int) -> AsyncIterator[None]:
    """Keep clients connected to an adapter that stands before a paced core.

    Args:
        port: port of the adapter.
        n_kept: connections that were answered once and are kept for a next request; the adapter closes them after
            some seconds, so do not stay longer.
        n_silent: streams that were accepted and wait for their first token.

    Raises:
        BenchError: one was not answered, or was closed meanwhile.
    """
    connections: list[Connection] = []
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(n_kept):
            connections.append(connection := await _open(stack, port))
            await get_health(connection)
        for _ in range(n_silent):
            connections.append(connection := await _open(stack, port))
            await _begin_stream(connection)
        yield
        n_closed = sum(reader.at_eof() for reader, _ in connections)
        if n_closed:
            raise BenchError(f"{n_closed} of {n_silent + n_kept} idle clients were disconnected while others streamed")


async def get_health(connection: Connection) -> None:
    """Ask for the health over an open connection, which stays open.

    Raises:
        BenchError: the status is not 200.
    """
    reader, writer = connection
    writer.write(b"GET /health HTTP/1.1\r\nHost: bench\r\n\r\n")
    head = await _head(reader)
    length = next(line for line in head.split(b"\r\n") if line.startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))


async def _open(stack: contextlib.AsyncExitStack, port: int) -> Connection:
    connection = await asyncio.open_connection("127.0.0.1", port)
    stack.push_async_callback(_close, connection[1])
    return connection


async def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


async def _begin_stream(connection: Connection) -> None:
    # A chat: its first event, which only tells the role, comes before there is a token.
    reader, writer = connection
    messages = [{"role": "user", "content": "Hello"}]
    body = json.dumps({"messages": messages, "stream": True, "stop": [SILENCE]}).encode()
    writer.write(b"POST /v1/chat/completions HTTP/1.1\r\nHost: bench\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await _head(reader)
    await reader.readuntil(b"\n\n\r\n")


async def _head(reader: asyncio.StreamReader) -> bytes:
    """Status line and headers of an answer, in small letters."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    status = head.partition(b"\r\n")[0]
    if b" 200 " not in status + b" ":
        raise BenchError(f"an idle client was answered {status.decode()}")
    return head
