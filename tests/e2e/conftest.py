"""Servers and cores for tests with real clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.server_pool import AS_MAKE_RUNS_IT

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.clients.suite import Ports
    from tests.support.fake_core import FakeCore
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """Started like `make run` does it."""
    return servers.get(*AS_MAKE_RUNS_IT)


@pytest.fixture(scope="module")
def ports() -> Iterator[Ports]:
    """The cores of the suite of all clients."""
    from tests.clients.suite import running_cores

    with running_cores() as running:
        yield running


@pytest.fixture
def core(tmp_path: Path) -> Iterator[FakeCore]:
    """A core without an engine, whose answers a test writes, and which keeps the requests of clients."""
    from tests.support.fake_core import running_fake_core

    with running_fake_core(tmp_path) as made:
        yield made


@pytest.fixture
def strict_server(tmp_path: Path) -> Iterator[tuple[Server, list[str]]]:
    """A server that wants certificates, and files for its clients: authority, certificate and key."""
    from tests.support.certificates import Authority
    from tests.support.server import Server

    authority = Authority(tmp_path)
    mine, client = authority.issue("server"), authority.issue("client")
    tls = ["--grpc-tls-cert", str(mine.cert), "--grpc-tls-key", str(mine.key), "--grpc-client-ca", str(authority.ca)]
    with Server("-c", "256", *tls) as server:
        server.wait_until_ready()
        yield server, [str(authority.ca), str(client.cert), str(client.key)]
