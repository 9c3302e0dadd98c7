"""What the network may hold open, and that it takes nothing from the unix socket or from who comes next."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import grpc.aio
import pytest
from grpc_health.v1 import health_pb2

from service.api.listen.connections import ConnectionLimits
from service.testing.scripted_model import next_letter
from slotline.client import Client
from slotline.v1 import model_pb2, model_service_pb2_grpc
from tests.support.calls import request, scripted_text, until_idle
from tests.support.scripted_core import (
    WAIT_S,
    RunningCore,
    core_config,
    health_stub,
    load_scripted,
    running_core,
    socket_address,
    text_of,
)
from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Sequence
    from pathlib import Path

    from service.config import CoreConfig

#: What a client of HTTP/2 says first, and settings without any.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\x00\x00\x00\x04\x00\x00\x00\x00\x00"


@pytest.fixture
def config(tmp_path: Path) -> CoreConfig:
    """A core on the network and on a unix socket."""
    return core_config(["127.0.0.1:0", socket_address(tmp_path)])


@contextlib.asynccontextmanager
async def idle_connections(
    core: RunningCore, number: int, says: bytes = b""
) -> AsyncIterator[list[asyncio.StreamReader]]:
    """Connections of the network that say something or nothing, and nothing more."""
    host, _, port = core.server.addresses[0].rpartition(":")
    made = [await asyncio.open_connection(host, int(port)) for _ in range(number)]
    for _, writer in made:
        writer.write(says)
    yield [reader for reader, _ in made]
    for _, writer in made:
        writer.close()


async def is_closed(reader: asyncio.StreamReader) -> None:
    """Wait until the server has closed a connection; what it says before is of no interest."""
    with contextlib.suppress(ConnectionResetError):
        while await asyncio.wait_for(reader.read(4096), WAIT_S):
            pass


async def answers(address: str) -> bool:
    """Whether a new connection gets an answer, within the patience of a client that tries again."""
    options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_reconnect_backoff_ms", 200)]
    async with grpc.aio.insecure_channel(address, options=options) as channel:
        check = health_stub(channel).Check(health_pb2.HealthCheckRequest(), timeout=WAIT_S, wait_for_ready=True)
        response: health_pb2.HealthCheckResponse = await check
        return response.status == health_pb2.HealthCheckResponse.SERVING


async def test_a_crowd_on_the_network_takes_nothing_from_the_unix_socket(config: CoreConfig) -> None:
    async with (
        running_core(config, connections=ConnectionLimits(max_connections=4)) as core,
        idle_connections(core, 20, PREFACE) as readers,
    ):
        _, unix = core.server.addresses
        # The test's own client is one of the four.
        closed = [asyncio.ensure_future(is_closed(reader)) for reader in readers]
        async with asyncio.timeout(WAIT_S):
            while sum(task.done() for task in closed) < 17:
                await asyncio.wait(closed, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
        assert await answers(unix)
        # Who was connected before goes on.
        assert text_of(await core.generate(request("Hello", 4))) == scripted_text(b"Hello", 4)
        assert sum(task.done() for task in closed) == 17
        for task in closed:
            task.cancel()


@pytest.mark.parametrize("says", [b"", PREFACE], ids=["nothing", "HTTP/2"])
async def test_connections_without_calls_make_room_for_new_ones(config: CoreConfig, says: bytes) -> None:
    limits = ConnectionLimits(max_connections=4, handshake_s=0.5, idle_s=0.5)
    async with running_core(config, connections=limits) as core, idle_connections(core, 4, says) as readers:
        await asyncio.gather(*map(is_closed, readers))
        assert await answers(core.server.addresses[0])


async def test_a_running_stream_is_no_idle_connection(config: CoreConfig) -> None:
    """Its connection stays although nothing is said on it for longer than idle ones may stay."""
    async with running_core(config, connections=ConnectionLimits(handshake_s=0.2, idle_s=0.2)) as core:
        watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        async with idle_connections(core, 1, PREFACE) as (idle,):
            await is_closed(idle)
        await core.server.drain()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def test_a_connection_that_grows_old_is_replaced_and_its_stream_goes_on(config: CoreConfig) -> None:
    async with running_core(config, connections=ConnectionLimits(age_s=0.2)) as core:
        watch = health_stub(core.channel).Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S)
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        async with idle_connections(core, 1, PREFACE) as (idle,):
            await is_closed(idle)
        assert await answers(core.server.addresses[0])
        await core.server.drain()
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING


async def _begun(address: str, number: int, wanted: int) -> int:
    """How many of so many streams begin on one connection, while none of them ends: as many as wanted, or more."""
    async with grpc.aio.insecure_channel(address, options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        stub = health_stub(channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S) for _ in range(number)]
        reads = [asyncio.ensure_future(watch.read()) for watch in watches]
        async with asyncio.timeout(WAIT_S):
            while sum(read.done() for read in reads) < wanted:
                await asyncio.wait(reads, return_when=asyncio.FIRST_COMPLETED, timeout=0.1)
        # All others were asked for before these began; whatever could begin has done so once a newcomer is answered.
        assert await answers(address)
        n_begun: int = sum(read.done() for read in reads)
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*reads, return_exceptions=True)
        return n_begun


async def test_streams_of_one_connection_are_bounded_on_the_network_alone(config: CoreConfig) -> None:
    limits = ConnectionLimits(max_streams=5)
    # Two slots and one place in the queue, beside the five.
    async with running_core(core_config(config.listen, max_queue=1), connections=limits) as core:
        network, unix = core.server.addresses
        assert await _begun(network, 30, 8) == 8
        assert await _begun(unix, 30, 30) == 30


async def test_calls_are_bounded_on_the_network_alone(config: CoreConfig) -> None:
    limits = ConnectionLimits(max_calls=2)
    async with running_core(core_config(config.listen, max_queue=1), connections=limits) as core:
        stub = health_stub(core.channel)
        watches = [stub.Watch(health_pb2.HealthCheckRequest(), timeout=WAIT_S) for _ in range(5)]
        for watch in watches:
            await watch.read()
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await core.models.Health(model_pb2.HealthRequest(), timeout=WAIT_S)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert await answers(core.server.addresses[1])
        for watch in watches:
            watch.cancel()


async def test_one_client_may_have_many_streams() -> None:
    async with running_core(core_config(max_queue=400)) as core:
        answers = await asyncio.gather(*(core.generate(request("Hello", 4)) for _ in range(400)))
        assert {text_of(answer) for answer in answers} == {scripted_text(b"Hello", 4)}


STREAM = """
import sys
from slotline.client import Client
with Client(sys.argv[1]) as client:
    for piece in client.generate("Hello", max_tokens=200):
        print("piece", flush=True)
"""


def slow_letter(tokens: Sequence[int]) -> int:
    """The next letter, after a moment: 200 of them take much longer than to find out that nobody reads them."""
    threading.Event().wait(0.1)
    return next_letter(tokens)


async def test_the_slots_of_a_client_that_answers_no_pings_become_free() -> None:
    """As one whose host has vanished: what is sent to it may be taken, but nobody is there."""
    limits = ConnectionLimits(ping_s=0.5, ping_timeout_s=0.5)
    async with running_core(connections=limits, load=load_scripted(slow_letter)) as core:
        command = [sys.executable, "-c", STREAM, core.server.addresses[0]]
        client = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
        assert client.stdout is not None
        try:
            assert await asyncio.wait_for(client.stdout.readline(), WAIT_S) == b"piece\n"
            client.send_signal(signal.SIGSTOP)
            await until_idle(core)
        finally:
            client.kill()
            await client.wait()
        metrics = await core.models.GetMetrics(model_pb2.GetMetricsRequest(), timeout=WAIT_S)
        assert 'slotline_requests_total{outcome="cancelled"} 1.0' in metrics.exposition


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[tuple[RunningProcess, str, str]]:
    """A core that may open 100 files, and its addresses: the unix socket's and the network's."""
    unix = socket_address(tmp_path)
    command = (*SLOTLINE, "core", "--listen", unix, "--listen", "127.0.0.1:0", "-t", "1")
    with RunningProcess(("bash", "-c", 'ulimit -n 100; exec "$@"', "bash", *command)) as process:
        process.wait_for_stderr(" is ready\n")
        yield process, unix, process.wait_for_record("gRPC server listening", number=2)["address"]


def test_two_hundred_connections_where_a_hundred_files_may_be_open(
    crowded: tuple[RunningProcess, str, str],
) -> None:
    """The first request since the start comes behind them, from who was there and from who comes."""
    process, unix, network = crowded
    host, _, port = network.rpartition(":")
    with contextlib.ExitStack() as stack:
        early = stack.enter_context(Client(network))
        assert early.health().slots_idle == 1
        for _ in range(200):
            stack.enter_context(socket.create_connection((host, int(port)), timeout=PATIENCE_S))
        assert "".join(early.generate("Once", max_tokens=4))
        with Client(unix) as adapter:
            assert "".join(adapter.generate("Once", max_tokens=4))
        # Who says nothing has to go soon, and somebody else may come.
        with grpc.insecure_channel(network, options=[("grpc.max_reconnect_backoff_ms", 200)]) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            health = stub.Health(model_pb2.HealthRequest(), timeout=PATIENCE_S, wait_for_ready=True)
        assert health.state == model_pb2.SERVER_STATE_READY
    warned = process.wait_for_record("fewer gRPC connections than usual")
    assert (warned["connections"], warned["open_files_limit"]) == (26, 100)
