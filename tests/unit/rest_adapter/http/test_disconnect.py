"""Noticing that a client has gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import gevent
import pytest
from gevent import socket
from gevent.event import Event

from rest_adapter.http import disconnect
from rest_adapter.http.disconnect import DisconnectWatch

if TYPE_CHECKING:
    from collections.abc import Iterator

WAIT_S = 10.0


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Ours, and the client's."""
    ours, client = socket.socketpair()
    yield ours, client
    ours.close()
    client.close()


def test_a_client_that_goes_is_noticed_once(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, client = pair
    noticed: list[int] = []
    is_noticed = Event()

    def notice() -> None:
        noticed.append(1)
        is_noticed.set()

    with DisconnectWatch(ours, notice):
        client.close()
        assert is_noticed.wait(WAIT_S)
        gevent.sleep(0)
    assert noticed == [1]


def test_a_client_that_sends_more_is_not_taken_for_gone_until_it_is(
    pair: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, client = pair
    is_noticed, was_looked_at_again = Event(), Event()
    seen: list[bool] = []

    def look(connection: socket.socket) -> bool:
        seen.append(is_gone(connection))
        if len(seen) > 1:
            was_looked_at_again.set()
        return seen[-1]

    is_gone = disconnect.is_gone
    monkeypatch.setattr(disconnect, "is_gone", look)
    with DisconnectWatch(ours, is_noticed.set):
        client.sendall(b"GET /health HTTP/1.1\r\n")
        assert was_looked_at_again.wait(WAIT_S)
        assert not is_noticed.is_set()
        client.close()
        assert is_noticed.wait(WAIT_S)
    assert seen == [False] * (len(seen) - 1) + [True]


def test_what_is_not_watched_any_more_is_not_noticed(pair: tuple[socket.socket, socket.socket]) -> None:
    ours, client = pair
    is_noticed = Event()
    watch = DisconnectWatch(ours, is_noticed.set)
    watch.start()
    watch.stop()
    watch.stop()
    client.close()
    for _ in range(5):
        gevent.sleep(0)
    assert not is_noticed.is_set()


def test_without_a_socket_nothing_is_noticed() -> None:
    with DisconnectWatch(None, pytest.fail) as watch:
        gevent.sleep(0)
    watch.stop()


def test_nothing_is_left_with_the_loop_once_a_watch_has_stopped(pair: tuple[socket.socket, socket.socket]) -> None:
    """At once, not in a later turn: libev ends the process if it finds a watcher of a socket that is closed by then."""
    ours, _ = pair
    with DisconnectWatch(ours, pytest.fail) as watch:
        watcher = watch.watcher
        assert watcher.active
    assert not watcher.active
    assert watch.watcher is None
