"""Where a core listens, and that nobody else can take the place."""

from __future__ import annotations

import os
import socket
import stat
from typing import TYPE_CHECKING

import pytest

from service.api.listen.addresses import AddressBusy, ListenError
from service.api.server.core_server import CoreServer
from slotline.client import AsyncClient
from slotline.v1 import model_pb2
from tests.support.scripted_core import client_of, core_config, load_scripted, running_core, socket_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def busy_address() -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


async def answers(server: CoreServer) -> bool:
    """Whether a server's first address answers, over a new connection."""
    async with client_of(server) as core:
        health = await core.models.Health(model_pb2.HealthRequest(), timeout=10)
    return health.instance_id == server.core.instance_id


async def test_port_zero_becomes_a_real_port_that_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    async with running_core() as core:
        (address,) = core.server.addresses
        assert int(address.rpartition(":")[2]) > 0
        assert await answers(core.server)
        records = [record for record in caplog.records if record.getMessage() == "gRPC server listening"]
        assert [record.__dict__["address"] for record in records] == [address]


async def test_several_addresses_of_both_kinds_serve_the_same_core(tmp_path: Path) -> None:
    unix = socket_address(tmp_path)
    async with running_core(core_config(["127.0.0.1:0", unix, "127.0.0.1:0"])) as core:
        assert len(set(core.server.addresses)) == 3
        assert core.server.addresses[1] == unix
        for address in core.server.addresses:
            async with AsyncClient(address) as client:
                assert (await client.health()).instance_id == core.server.core.instance_id


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "0.0.0.0"])
async def test_a_second_server_on_the_same_port_is_refused(host: str) -> None:
    async with running_core(core_config([f"{host}:0"])) as core:
        second = CoreServer(core_config([core.server.addresses[0]]), load=load_scripted())
        with pytest.raises(AddressBusy, match="Address already in use"):
            await second.start()
        assert await answers(core.server)


async def test_a_second_server_on_the_same_path_is_refused_and_harms_nobody(tmp_path: Path) -> None:
    async with running_core(core_config([socket_address(tmp_path)])) as core:
        second = CoreServer(core_config([socket_address(tmp_path)]), load=load_scripted())
        with pytest.raises(AddressBusy, match="another server owns it"):
            await second.start()
        assert await answers(core.server)


async def test_a_path_is_free_again_after_the_server_has_stopped(tmp_path: Path) -> None:
    for _ in range(2):
        async with running_core(core_config([socket_address(tmp_path)])) as core:
            assert await answers(core.server)
    assert os.listdir(tmp_path) == []


async def test_the_socket_of_a_dead_server_is_replaced(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "core.sock"))
    async with running_core(core_config([socket_address(tmp_path)])) as core:
        assert await answers(core.server)
        assert stat.S_IMODE((tmp_path / "core.sock").stat().st_mode) == 0o600


async def test_an_optional_address_may_be_busy(busy_address: str, caplog: pytest.LogCaptureFixture) -> None:
    async with running_core(core_config(optional_listen=(busy_address,))) as core:
        assert len(core.server.addresses) == 1
        assert await answers(core.server)
    (record,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert busy_address in record.__dict__["reason"]


async def test_a_server_without_any_address_does_not_start(busy_address: str) -> None:
    server = CoreServer(core_config([], optional_listen=(busy_address,)), load=load_scripted())
    with pytest.raises(ListenError, match="no address to listen on"):
        await server.start()


async def test_an_optional_address_is_used_if_it_is_free() -> None:
    async with running_core(core_config(optional_listen=("127.0.0.1:0",))) as core:
        assert len(core.server.addresses) == 2


async def test_an_optional_address_must_still_be_an_address() -> None:
    server = CoreServer(core_config(optional_listen=("nonsense",)), load=load_scripted())
    with pytest.raises(ListenError, match="'nonsense'"):
        await server.start()


async def test_a_start_that_fails_gives_back_what_it_had_taken(tmp_path: Path, busy_address: str) -> None:
    server = CoreServer(core_config([socket_address(tmp_path), busy_address]), load=load_scripted())
    with pytest.raises(AddressBusy):
        await server.start()
    assert os.listdir(tmp_path) == []
    async with running_core(core_config([socket_address(tmp_path)])) as core:
        assert await answers(core.server)
