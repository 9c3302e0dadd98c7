from __future__ import annotations

import resource

import pytest

from service.api.listen.connections import ConnectionLimits, common_options, network_options


@pytest.fixture
def open_files(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many files may be open; the first entry counts."""
    limit = [1024]
    monkeypatch.setattr(resource, "getrlimit", lambda _: (limit[0], resource.RLIM_INFINITY))
    return limit


@pytest.mark.parametrize(
    ("files", "n_addresses", "connections", "idle_s"),
    [
        (65_536, 2, 1024, 300.0),
        (resource.RLIM_INFINITY, 2, 1024, 300.0),
        (1024 + 48, 1, 1024, 300.0),
        (1024, 1, 976, 5.0),
        (1024, 2, 488, 5.0),
        (100, 2, 26, 5.0),
        (20, 1, 1, 5.0),
    ],
)
def test_connections_leave_files_for_everything_else(
    open_files: list[int], files: int, n_addresses: int, connections: int, idle_s: float
) -> None:
    open_files[0] = files
    limits = ConnectionLimits().within_files(n_addresses)
    assert (limits.max_connections, limits.idle_s) == (connections, idle_s)


def test_fewer_connections_are_told(open_files: list[int], caplog: pytest.LogCaptureFixture) -> None:
    ConnectionLimits(max_connections=976).within_files(1)
    assert caplog.records == []
    ConnectionLimits(max_connections=977).within_files(1)
    (record,) = caplog.records
    assert (record.__dict__["connections"], record.__dict__["open_files_limit"]) == (976, 1024)


def test_short_files_make_nothing_longer(open_files: list[int]) -> None:
    open_files[0] = 100
    limits = ConnectionLimits(handshake_s=1.0, idle_s=2.0).within_files(1)
    assert (limits.handshake_s, limits.idle_s) == (1.0, 2.0)


def test_what_may_run_and_wait_comes_on_top() -> None:
    limits = ConnectionLimits(max_streams=10, max_calls=20).with_requests(130)
    assert (limits.max_streams, limits.max_calls) == (140, 150)


def test_every_listener_finds_out_who_is_gone_and_only_the_network_is_bounded() -> None:
    limits = ConnectionLimits(ping_s=1.5, ping_timeout_s=0.5, handshake_s=2.0, idle_s=3.0)
    common = dict(common_options(limits, max_receive_bytes=7))
    network = dict(network_options(limits))
    assert common["grpc.keepalive_time_ms"] == 1500
    assert common["grpc.keepalive_timeout_ms"] == common["grpc.http2.ping_timeout_ms"] == 500
    assert common["grpc.max_receive_message_length"] == 7
    assert network["grpc.server_handshake_timeout_ms"] == 2000
    assert network["grpc.max_connection_idle_ms"] == 3000
    assert not common.keys() & network.keys()
