"""More connections than places: who gives way, who does not, and what they are told."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import pytest
import requests

from rest_adapter.config import RestConfig
from rest_adapter.http import handler
from tests.support.adapter import AdapterThread
from tests.support.fake_core import WAIT_S, FakeCore, Hold, accepted, delta, finished, whole
from tests.support.http_stream import HttpConnection, post_bytes, request_bytes
from tests.support.server import SLOTLINE, RunningProcess

if TYPE_CHECKING:
    from collections.abc import Iterator

# Long enough that nothing but giving way can end a connection within a test.
NEVER_S = 3600
OPEN_FILES = 200
HEAD = b"POST /completion HTTP/1.1\r\nHost: localhost\r\nContent-Le"
BODY = request_bytes("POST", "/completion", b"{}" + b" " * 100)[:-50]
CHUNKS = b"POST /completion HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{"
UNFINISHED = {"nothing": b"", "line": HEAD[:9], "head": HEAD, "body": BODY, "chunks": CHUNKS}


@contextmanager
def adapter_of(core: FakeCore, places: int) -> Iterator[AdapterThread]:
    config = RestConfig(core=core.address, max_connections=places, header_timeout_s=NEVER_S, timeout_s=NEVER_S)
    adapter = AdapterThread(config)
    try:
        yield adapter
    finally:
        adapter.close()


@contextmanager
def closing(connections: list[HttpConnection]) -> Iterator[None]:
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "KEEP_ALIVE_S", float(NEVER_S))


@pytest.mark.parametrize("kind", ["head", "body"])
def test_200_slow_clients_cannot_keep_others_out_of_a_process_with_few_files(core: FakeCore, kind: str) -> None:
    limited = ("sh", "-c", f'ulimit -n {OPEN_FILES} && exec "$@"', "sh")
    options = ("--port", "0", "--header-timeout", str(NEVER_S), "--timeout", str(NEVER_S))
    slow: list[HttpConnection] = []
    with RunningProcess((*limited, *SLOTLINE, "rest", "--core", core.address, *options)) as process, closing(slow):
        address = ("127.0.0.1", process.wait_for_record("HTTP server listening")["port"])
        assert process.wait_for_record("fewer connections than configured")["connections"] < 200
        slow.extend(HttpConnection(address, UNFINISHED[kind]) for _ in range(200))
        for connection in slow:
            # A byte more shows that they are alive. Some have given way already.
            with suppress(OSError):
                connection.socket.sendall(b"a")
        with HttpConnection(address, request_bytes("GET", "/health")) as connection:
            assert connection.answer()[0] == 200


@pytest.mark.parametrize("data", UNFINISHED.values(), ids=UNFINISHED)
def test_whoever_has_not_sent_a_whole_request_gives_way(core: FakeCore, data: bytes) -> None:
    slow: list[HttpConnection] = []
    with adapter_of(core, 4) as adapter, closing(slow):
        slow.extend(HttpConnection(adapter.address, data) for _ in range(12))
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
    assert core.calls == []


@pytest.mark.parametrize("kind", ["head", "body", "chunks"])
def test_the_one_that_has_waited_longest_gives_way_and_is_told(core: FakeCore, kind: str) -> None:
    slow: list[HttpConnection] = []
    with adapter_of(core, 2) as adapter, closing(slow):
        slow.append(HttpConnection(adapter.address, UNFINISHED[kind]))
        slow.append(HttpConnection(adapter.address, request_bytes("GET", "/health")))
        assert slow[1].answer()[0] == 200
        with HttpConnection(adapter.address, request_bytes("GET", "/health")) as new:
            assert new.answer()[0] == 200
            status, headers, body = slow[0].answer()
            assert (status, headers["connection"], headers["retry-after"]) == (503, "close", "1")
            assert json.loads(body)["error"] == {
                "code": 503,
                "message": "all connections are taken, and this request had not come as a whole; try again",
                "type": "unavailable_error",
            }
            assert slow[0].is_at_end()
            # The other one, idle since its answer, still has its place.
            slow[1].socket.sendall(request_bytes("GET", "/health"))
            assert slow[1].answer()[0] == 200


def test_an_idle_connection_is_closed_without_words(core: FakeCore) -> None:
    with adapter_of(core, 1) as adapter, HttpConnection(adapter.address, request_bytes("GET", "/health")) as idle:
        assert idle.answer()[0] == 200
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
        assert idle.is_at_end()


def test_a_running_request_keeps_its_place(core: FakeCore) -> None:
    core.script = lambda request: [accepted(), Hold(), delta("a"), finished()]
    slow: list[HttpConnection] = []
    with adapter_of(core, 2) as adapter, HttpConnection(adapter.address, post_bytes("/completion")) as running:
        call = core.wait_for_call()
        with closing(slow):
            slow.extend(HttpConnection(adapter.address, data) for data in (*UNFINISHED.values(), *UNFINISHED.values()))
            assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
            assert not call.cancelled.is_set()
            core.open(call)
            assert json.loads(running.answer()[2])["content"] == "a"


def test_a_place_that_is_wanted_is_free_once_its_request_is_answered(core: FakeCore) -> None:
    core.script = lambda request: [Hold(), *whole("a")]
    with adapter_of(core, 1) as adapter, HttpConnection(adapter.address, post_bytes("/completion")) as running:
        call = core.wait_for_call()
        with HttpConnection(adapter.address, request_bytes("GET", "/health")) as waiting:
            core.open(call)
            assert running.answer()[0] == 200
            assert waiting.answer()[0] == 200
            assert running.is_at_end()


# Limits of time.


@pytest.mark.parametrize("data", [b"G", HEAD, b"GET / HTTP/1.1\r\nA: b\r\n"], ids=["line", "head", "no end"])
def test_headers_that_do_not_come_in_time_are_408(core: FakeCore, data: bytes) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, header_timeout_s=0.05))
    try:
        with HttpConnection(adapter.address, data) as connection:
            status, headers, body = connection.answer()
            assert (status, headers["connection"]) == (408, "close")
            words = "the headers did not come within the 0.05 seconds that --header-timeout and --timeout allow"
            assert json.loads(body)["error"] == {"code": 408, "message": words, "type": "invalid_request_error"}
            assert connection.is_at_end()
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
    finally:
        adapter.close()


def test_a_body_may_take_longer_than_the_headers(core: FakeCore) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, header_timeout_s=0.3))
    data = post_bytes("/completion")
    try:
        with HttpConnection(adapter.address, data[:-1]) as connection:
            with HttpConnection(adapter.address, b"G") as late:
                # By then the time for headers is over for both.
                assert late.answer()[0] == 408
            connection.socket.sendall(data[-1:])
            assert connection.answer()[0] == 200
    finally:
        adapter.close()


def test_a_connection_that_never_sends_a_byte_is_closed(
    adapter: AdapterThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "KEEP_ALIVE_S", 0.05)
    with HttpConnection(adapter.address) as connection:
        assert connection.is_at_end()
