"""Many clients at once, one request in ten wrong or left alone; and clients that take for ever."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest

from rest_adapter.config import RestConfig
from service.config import ModelConfig
from tests.support.adapter import AdapterThread
from tests.support.bad_load import Resources, run_load, wait_until_released
from tests.support.http_stream import HttpConnection, request_bytes
from tests.support.scripted_service import ScriptedService
from tests.support.wrong_bodies import wrong_bodies
from tests.support.wrong_http import wrong_http
from tests.support.wrong_requests import KEY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.fake_core import FakeCore

WRONG = (*wrong_http(), *wrong_bodies())
N_CLIENTS = 12
# Long enough for every good request of a busy machine, short enough to be waited for.
TIMEOUT_S = 1.0


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ScriptedService]:
    model = ModelConfig(path="/models/scripted.gguf", n_ctx=1024, n_parallel=4, embedding=True)
    made = ScriptedService(tmp_path, RestConfig(api_keys=(KEY,), metrics=True), model=model)
    yield made
    made.close()


def test_wrong_requests_harm_no_other(service: ScriptedService) -> None:
    # Threads and buffers that are made once and kept.
    run_load(service, WRONG, n_clients=N_CLIENTS, n_requests=10, seed=1)
    before = Resources.in_use()
    n_wrong = run_load(service, WRONG, n_clients=N_CLIENTS, n_requests=30, seed=2)
    assert n_wrong > 20
    service.check_answers()
    service.wait_until_idle()
    wait_until_released(before)


@pytest.fixture
def hasty(core: FakeCore) -> Iterator[AdapterThread]:
    """An adapter with a short time limit on everything that clients do."""
    made = AdapterThread(RestConfig(core=core.address, timeout_s=TIMEOUT_S))
    yield made
    made.close()


def drip(connection: HttpConnection, adapter: AdapterThread, byte: bytes) -> bytes:
    """Send a byte at a time until the other side has had enough; all that it said.

    After each byte another client is served.
    """
    connection.socket.setblocking(False)
    with HttpConnection(adapter.address) as other:
        while True:
            try:
                connection.socket.send(byte)
            except (BrokenPipeError, ConnectionResetError):
                return b""
            other.socket.sendall(request_bytes("GET", "/health"))
            assert other.answer()[0] == 200
            try:
                return connection.socket.recv(10_000)
            except BlockingIOError:
                continue
            except ConnectionResetError:
                return b""


def assert_too_late(connection: HttpConnection, begun: bytes, option: str) -> None:
    """The answer that begins so says that the request came too late, by which option, and is the last one."""
    head, _, body = begun.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 408 ")
    # The body may come in a piece of its own.
    connection.socket.setblocking(True)
    error = json.loads(body or connection.socket.recv(10_000))["error"]
    assert (error["code"], error["type"]) == (408, "invalid_request_error")
    assert option in error["message"]
    assert b"\r\nConnection: close\r\n" in head
    assert connection.is_at_end()


@pytest.mark.parametrize(
    "begun",
    [
        b"GET /",
        b"POST /completion HTTP/1.1\r\nA: ",
        b"POST /nothing HTTP/1.1\r\n\r\nGET /",
    ],
    ids=["request line", "header", "second request"],
)
def test_a_head_that_comes_byte_by_byte_blocks_nobody_and_is_refused(hasty: AdapterThread, begun: bytes) -> None:
    with HttpConnection(hasty.address, begun) as connection:
        if b"nothing" in begun:
            assert connection.answer()[0] == 404
        assert_too_late(connection, drip(connection, hasty, b"a"), "--header-timeout")


@pytest.mark.parametrize(
    ("begun", "byte"),
    [
        (b"Content-Length: 10000000\r\n\r\n", b" "),
        (b"Transfer-Encoding: chunked\r\n\r\nFFFFFF\r\n", b" "),
        (b"Transfer-Encoding: chunked\r\n\r\n2;", b"a"),
        (b"Transfer-Encoding: chunked\r\n\r\n0\r\nA: ", b"a"),
    ],
    ids=["body", "chunk", "extension", "trailer"],
)
def test_a_body_that_comes_byte_by_byte_blocks_nobody_and_is_refused(
    hasty: AdapterThread, core: FakeCore, begun: bytes, byte: bytes
) -> None:
    with HttpConnection(hasty.address, b"POST /completion HTTP/1.1\r\n" + begun) as connection:
        assert_too_late(connection, drip(connection, hasty, byte), "--timeout")
    assert not core.calls


def test_clients_that_send_nothing_more_leave_room_for_others(hasty: AdapterThread) -> None:
    heads = [b"", b"G", b"GET /health HTTP/1.1\r\nA", b"POST /completion HTTP/1.1\r\nContent-Length: 9\r\n\r\n{"]
    slow = [socket.create_connection(hasty.address) for _ in range(50) for _ in heads]
    try:
        for number, client in enumerate(slow):
            client.sendall(heads[number % len(heads)])
        with HttpConnection(hasty.address, request_bytes("GET", "/health")) as connection:
            assert connection.answer()[0] == 200
    finally:
        for client in slow:
            client.close()
