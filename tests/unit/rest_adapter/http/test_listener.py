"""The listening socket."""

from __future__ import annotations

import socket

import pytest

from rest_adapter.http import listener


@pytest.mark.parametrize(
    ("level", "option", "value"),
    [
        (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
        (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
        (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
        (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
        (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
        (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 30_000),
    ],
    ids=["nodelay", "keepalive", "idle", "interval", "probes", "user timeout"],
)
def test_accepted_connections_notice_that_the_other_host_has_vanished(level: int, option: int, value: int) -> None:
    with listener.listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(level, option) == value
