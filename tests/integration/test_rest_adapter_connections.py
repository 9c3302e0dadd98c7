"""Connections of the adapter: clients that leave, pipelining, keep-alive, draining."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING

import pytest
import requests

from rest_adapter.config import RestConfig
from rest_adapter.http import handler
from tests.support.adapter import AdapterThread
from tests.support.fake_core import WAIT_S, FakeCore, Hold, Step, accepted, delta, finished, whole
from tests.support.http_stream import HttpConnection, event_data, post_bytes, request_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

PHASES: dict[str, list[Step]] = {
    "queue": [Hold()],
    "prefill": [accepted(), Hold()],
    "decode": [accepted(), delta("a"), Hold()],
}


# Clients that leave.


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("steps", PHASES.values(), ids=PHASES)
def test_a_client_that_leaves_cancels_its_generation(
    core: FakeCore, adapter: AdapterThread, steps: Sequence[Step], stream: bool
) -> None:
    core.script = lambda request: steps
    connection = HttpConnection(adapter.address, post_bytes("/completion", stream=stream))
    call = core.wait_for_call()
    assert call.holding.wait(WAIT_S)
    assert not call.cancelled.is_set()
    connection.close()
    assert call.cancelled.wait(WAIT_S)


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_leaves_cancels_all_its_prompts(core: FakeCore, adapter: AdapterThread, stream: bool) -> None:
    core.script = lambda request: PHASES["decode"] if request.text == "a" else PHASES["queue"]
    connection = HttpConnection(adapter.address, post_bytes("/completion", prompt=["a", "b", "c"], stream=stream))
    calls = [core.wait_for_call(number) for number in range(3)]
    assert all(call.holding.wait(WAIT_S) for call in calls)
    connection.close()
    assert all(call.cancelled.wait(WAIT_S) for call in calls)


def test_a_client_that_resets_its_connection_cancels_its_generation(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: PHASES["prefill"]
    connection = HttpConnection(adapter.address, post_bytes("/completion"))
    call = core.wait_for_call()
    assert call.holding.wait(WAIT_S)
    connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()
    assert call.cancelled.wait(WAIT_S)


@pytest.mark.parametrize("path", ["/completion", "/v1/completions"])
def test_a_client_that_closes_its_sending_side_is_taken_for_gone(
    core: FakeCore, adapter: AdapterThread, path: str
) -> None:
    core.script = lambda request: PHASES["prefill"]
    with HttpConnection(adapter.address, post_bytes(path, prompt="a")) as connection:
        call = core.wait_for_call()
        connection.end_sending()
        assert call.cancelled.wait(WAIT_S)
        status, headers, body = connection.answer()
        assert (status, headers["content-type"], headers["connection"]) == (
            499,
            "application/json; charset=utf-8",
            "close",
        )
        error = json.loads(body)["error"]
        assert error["message"] == "the client has closed its side of the connection, and counts as gone"
        assert error["type"] == "client_closed_request"
        assert connection.is_at_end()


def test_a_request_without_a_generation_is_answered_to_a_closed_side(adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, request_bytes("GET", "/health")) as connection:
        connection.end_sending()
        assert connection.answer()[0] == 200


def test_a_finished_generation_is_not_cancelled(core: FakeCore, adapter: AdapterThread) -> None:
    requests.post(adapter.url + "/completion", json={}, timeout=WAIT_S)
    call = core.wait_for_call()
    assert call.ended.wait(WAIT_S)
    assert not call.cancelled.is_set()


def test_the_next_request_in_the_pipe_is_not_a_disconnect(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), Hold(), delta(request.text), finished()]
    with HttpConnection(adapter.address, post_bytes("/completion", prompt="one")) as connection:
        first = core.wait_for_call()
        assert first.holding.wait(WAIT_S)
        connection.socket.sendall(post_bytes("/completion", prompt="two"))
        # Another request shows that the server is alive and has had the time to notice the bytes.
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
        assert not first.cancelled.is_set()
        core.open(first)
        assert json.loads(connection.answer()[2])["content"] == "one"
        core.open(core.wait_for_call(1))
        assert json.loads(connection.answer()[2])["content"] == "two"


def test_a_client_that_leaves_behind_a_request_in_the_pipe_is_noticed(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: PHASES["prefill"]
    connection = HttpConnection(adapter.address, post_bytes("/completion"))
    call = core.wait_for_call()
    assert call.holding.wait(WAIT_S)
    connection.socket.sendall(post_bytes("/completion"))
    connection.close()
    assert call.cancelled.wait(WAIT_S)


def test_a_client_that_leaves_in_the_middle_of_its_body_does_no_harm(core: FakeCore, adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address, post_bytes("/completion", prompt="x" * 1000)[:-500]):
        pass
    assert requests.post(adapter.url + "/completion", json={}, timeout=WAIT_S).status_code == 200
    assert len(core.calls) == 1


# Connections that stay.


def test_several_requests_on_one_connection(core: FakeCore, adapter: AdapterThread) -> None:
    with HttpConnection(adapter.address) as connection:
        for body in (b"{}", b"{", b'{"stream":true}', b"{}"):
            connection.socket.sendall(request_bytes("POST", "/completion", body))
            assert connection.answer()[0] == (400 if body == b"{" else 200)


def test_idle_connections_do_not_keep_others_from_being_served(core: FakeCore, adapter: AdapterThread) -> None:
    idle = [HttpConnection(adapter.address, request_bytes("GET", "/health")) for _ in range(50)]
    idle += [HttpConnection(adapter.address) for _ in range(50)]
    try:
        assert all(connection.answer()[0] == 200 for connection in idle[:50])
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
    finally:
        for connection in idle:
            connection.close()


def test_waiting_generations_do_not_keep_health_from_answering(core: FakeCore) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, max_connections=8))
    core.script = lambda request: PHASES["queue"]
    waiting = [HttpConnection(adapter.address, post_bytes("/completion")) for _ in range(7)]
    try:
        assert all(core.wait_for_call(number).holding.wait(WAIT_S) for number in range(7))
        with HttpConnection(adapter.address, post_bytes("/completion")) as connection:
            assert connection.answer()[0] == 429
            connection.socket.sendall(request_bytes("GET", "/health"))
            assert connection.answer()[0] == 200
    finally:
        for connection in waiting:
            connection.close()
        adapter.close()


def test_a_connection_without_requests_is_closed_after_a_while(
    core: FakeCore, adapter: AdapterThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    core.script = lambda request: [Hold(), *whole("a")]
    with HttpConnection(adapter.address, post_bytes("/completion")) as connection:
        call = core.wait_for_call()
        # Shortened only now, so that a slow machine has the time to send the request.
        monkeypatch.setattr(handler, "KEEP_ALIVE_S", 0.05)
        core.open(call)
        assert connection.answer()[0] == 200
        assert connection.is_at_end()


def test_a_waiting_generation_outlives_the_keep_alive_time(
    core: FakeCore, adapter: AdapterThread, monkeypatch: pytest.MonkeyPatch
) -> None:
    core.script = lambda request: [Hold(), *whole("late")]
    with HttpConnection(adapter.address, post_bytes("/completion")) as connection:
        call = core.wait_for_call()
        monkeypatch.setattr(handler, "KEEP_ALIVE_S", 0.05)
        with HttpConnection(adapter.address) as idle:
            # By then the keep-alive time is over for everybody.
            assert idle.is_at_end()
        core.open(call)
        assert json.loads(connection.answer()[2])["content"] == "late"


def test_a_client_that_stops_in_the_middle_of_a_body_is_told_after_the_timeout(core: FakeCore) -> None:
    adapter = AdapterThread(RestConfig(core=core.address, timeout_s=0.05))
    try:
        with HttpConnection(adapter.address, post_bytes("/completion", prompt="x" * 100)[:-50]) as connection:
            assert connection.answer()[0] == 408
            assert connection.is_at_end()
        assert requests.get(adapter.url + "/health", timeout=WAIT_S).status_code == 200
    finally:
        adapter.close()


# Draining.


def test_draining_lets_a_stream_finish_and_takes_nothing_new(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [accepted(), delta("a"), Hold(), delta("b"), finished()]
    with (
        HttpConnection(adapter.address, post_bytes("/completion", stream=True)) as streaming,
        HttpConnection(adapter.address, request_bytes("GET", "/health")) as idle,
    ):
        streaming.head()
        chunks = streaming.chunks()
        assert event_data(next(chunks))["content"] == "a"
        idle.answer()
        adapter.begin_stop(WAIT_S)
        assert idle.is_at_end()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(adapter.address, WAIT_S)
        core.open(core.wait_for_call())
        rest = [event_data(chunk) for chunk in chunks]
        assert [event["content"] for event in rest] == ["b", ""]
        assert rest[-1]["stop"] is True
        assert streaming.is_at_end()
    adapter.wait_until_stopped()


def test_answers_given_while_draining_end_their_connection(core: FakeCore, adapter: AdapterThread) -> None:
    core.script = lambda request: [Hold(), *whole("a")]
    with HttpConnection(adapter.address, post_bytes("/completion")) as connection:
        call = core.wait_for_call()
        with HttpConnection(adapter.address, request_bytes("GET", "/health")) as idle:
            idle.answer()
            adapter.begin_stop(WAIT_S)
            # From here on the server drains.
            assert idle.is_at_end()
        core.open(call)
        status, headers, _ = connection.answer()
        assert (status, headers["connection"]) == (200, "close")
        assert connection.is_at_end()
    adapter.wait_until_stopped()


@pytest.mark.parametrize("stream", [True, False])
def test_a_generation_that_outlasts_the_drain_time_ends_with_an_error(
    core: FakeCore, adapter: AdapterThread, stream: bool
) -> None:
    core.script = lambda request: PHASES["decode"]
    with HttpConnection(adapter.address, post_bytes("/completion", stream=stream)) as connection:
        call = core.wait_for_call()
        assert call.holding.wait(WAIT_S)
        if stream:
            connection.head()
        adapter.begin_stop(0.05)
        if stream:
            error = event_data(list(connection.chunks())[-1])
        else:
            status, _, body = connection.answer()
            assert status == 503
            error = json.loads(body)
    message = "the server is shutting down"
    assert error == {"error": {"code": 503, "message": message, "type": "unavailable_error"}}
    assert call.cancelled.wait(WAIT_S)
    adapter.wait_until_stopped()


def test_stopping_twice_is_harmless(adapter: AdapterThread) -> None:
    adapter.begin_stop(0.0)
    adapter.wait_until_stopped()
    adapter.close()
