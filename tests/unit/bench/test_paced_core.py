"""The core without a model, as a client and as idle clients see it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, TypeAlias

import grpc.aio
import pytest

from bench.harness.errors import BenchError
from bench.harness.idle_clients import idle_clients
from bench.harness.paced_core import SILENCE, serve
from slotline.v1.generation_pb2 import GenerateRequest, GenerateResponse, StopParams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

STEP_S = 0.001

Generate: TypeAlias = "grpc.aio.UnaryStreamMultiCallable[GenerateRequest, GenerateResponse]"
HEALTHY = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
ROLE = b"HTTP/1.1 200 OK\r\n\r\n9\r\ndata: {}\n\n\r\n"


@pytest.fixture
async def generate(tmp_path: Path) -> AsyncIterator[Generate]:
    address = f"unix:{tmp_path / 'core'}"
    core = asyncio.create_task(serve(address, STEP_S))
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        yield channel.unary_stream(
            "/slotline.v1.InferenceService/Generate",
            request_serializer=GenerateRequest.SerializeToString,
            response_deserializer=GenerateResponse.FromString,
        )
    core.cancel()
    await asyncio.gather(core, return_exceptions=True)


async def test_a_stream_has_one_message_for_each_token(
    generate: Generate,
) -> None:
    responses = [one async for one in generate(GenerateRequest(text="Hello", stop=StopParams(max_tokens=3)))]
    assert [one.WhichOneof("event") for one in responses] == ["accepted", "delta", "delta", "delta", "finished"]
    assert responses[-1].finished.tokens_predicted == 3


async def test_a_silent_stream_is_accepted_and_gets_nothing_while_others_are_served(
    generate: Generate,
) -> None:
    silent = generate(GenerateRequest(text="Hello", stop=StopParams(max_tokens=1, texts=[SILENCE])))
    first = await silent.read()
    assert isinstance(first, GenerateResponse)
    assert first.HasField("accepted")
    waiting = asyncio.ensure_future(silent.read())
    other = [one async for one in generate(GenerateRequest(text="Hello", stop=StopParams(max_tokens=5)))]
    assert len(other) == 7
    assert not waiting.done()
    silent.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


@asynccontextmanager
async def _adapter(*, health: bytes) -> AsyncIterator[tuple[int, list[bytes]]]:
    requests: list[bytes] = []
    async with asyncio.TaskGroup() as ended:

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            requests.append((await reader.readuntil(b"\r\n\r\n")).split()[1])
            writer.write(health if requests[-1] == b"/health" else ROLE)
            await reader.read()
            writer.close()
            await writer.wait_closed()

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            ended.create_task(answer(reader, writer))

        async with await asyncio.start_server(accept, "127.0.0.1", 0) as server:
            yield server.sockets[0].getsockname()[1], requests


async def test_idle_clients_are_all_connected_before_the_measurement_begins() -> None:
    async with _adapter(health=HEALTHY) as (port, requests), idle_clients(port, n_kept=3, n_silent=2):
        assert requests == [b"/health"] * 3 + [b"/v1/chat/completions"] * 2


async def test_an_idle_client_that_is_refused_stops_the_benchmark() -> None:
    async with _adapter(health=b"HTTP/1.1 503 Loading\r\nContent-Length: 0\r\n\r\n") as (port, _):
        with pytest.raises(BenchError, match="503 loading"):
            async with idle_clients(port, n_kept=1, n_silent=0):
                raise AssertionError("began without its idle clients")
