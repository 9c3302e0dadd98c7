"""The listening sockets."""

from __future__ import annotations

import socket
from contextlib import ExitStack

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
    (listening,) = listener.listen_at(("127.0.0.1",), 0)
    with listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(level, option) == value


@pytest.mark.parametrize("hosts", [("127.0.0.1", "127.0.0.2"), ("0.0.0.0", "::"), ("::", "0.0.0.0")])
def test_several_addresses_have_one_port(hosts: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        listeners = listener.listen_at(hosts, 0)
        for one in listeners:
            stack.enter_context(one)
        assert [one.getsockname()[0] for one in listeners] == list(hosts)
        assert len({one.getsockname()[1] for one in listeners}) == 1


def test_if_one_of_several_addresses_is_taken_all_are_given_back() -> None:
    with socket.create_server(("127.0.0.2", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=r"in use: '127.0.0.2'"):
            listener.listen_at(("127.0.0.1", "127.0.0.2"), port)
        with socket.create_server(("127.0.0.1", port)):
            pass


@pytest.mark.parametrize("hosts", [("127.0.0.1", "localhost"), ("127.0.0.1", "127.0.0.1"), ("127.1", "127.0.0.1")])
def test_an_address_that_is_named_twice_is_bound_once(hosts: tuple[str, ...]) -> None:
    (one,) = listener.listen_at(hosts, 0)
    with one:
        assert one.getsockname()[0] == "127.0.0.1"


@pytest.mark.parametrize("name", ["a..b", "a" * 64, "no.such.host.invalid"])
def test_what_is_no_host_is_told_by_name_before_any_address_is_bound(name: str) -> None:
    with pytest.raises(OSError, match=f"'{name}'") as caught:
        listener.listen_at(("127.0.0.1", name), 0)
    assert caught.value.filename == name


@pytest.mark.parametrize("hosts", [("127.0.0.1",), ("127.0.0.1", "127.0.0.2")])
def test_a_port_is_shared_by_those_who_share_it(hosts: tuple[str, ...]) -> None:
    with ExitStack() as stack:
        first = [stack.enter_context(one) for one in listener.listen_at(hosts, 0, shares_port=True)]
        port = first[0].getsockname()[1]
        second = [stack.enter_context(one) for one in listener.listen_at(hosts, port, shares_port=True)]
        assert [one.getsockname() for one in second] == [one.getsockname() for one in first]
        with pytest.raises(OSError, match="in use"):
            listener.listen_at(hosts, port)


def test_a_port_is_not_shared_with_who_does_not() -> None:
    (alone,) = listener.listen_at(("127.0.0.1",), 0)
    with alone, pytest.raises(OSError, match="in use"):
        listener.listen_at(("127.0.0.1",), alone.getsockname()[1], shares_port=True)
