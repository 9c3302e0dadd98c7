"""How ``slotline serve`` ends: signals, drains, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.support.event_stream import EventStream
from tests.support.server import PATIENCE_S, NotSeen, Server
from tests.support.serving import is_alive, wait_until_dead

if TYPE_CHECKING:
    from pathlib import Path


def _insist(server: Server, signum: signal.Signals) -> int:
    """Signal until the process has ended, for right after the first signal others count as the same; its status."""
    for _ in range(int(PATIENCE_S / 0.2)):
        server.send(signum)
        with contextlib.suppress(NotSeen):
            return server.wait(0.2)
    raise NotSeen(server.transcript())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_the_first_signal_lets_running_requests_finish(signum: signal.Signals, temporary: Path) -> None:
    with Server("-c", "2048", "--drain-timeout", "100", environment={"TMPDIR": str(temporary)}) as server:
        server.wait_until_ready()
        core = server.core_pid()
        address = tuple(server.rest_url.removeprefix("http://").split(":"))
        stream = EventStream(server, n_predict=60)
        stream.wait_for_first_event()
        server.send(signum)
        server.wait_for_stderr("stopping: running requests get up to 100 s")
        last = stream.wait_for_end()
        assert last["stop"] is True
        assert last["tokens_predicted"] == 60
        assert server.wait() == 0
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((address[0], int(address[1])), timeout=PATIENCE_S)
    assert not is_alive(core)
    assert list(temporary.iterdir()) == []


def test_a_service_manager_may_signal_the_core_too() -> None:
    with Server("-c", "2048", "--drain-timeout", "100") as server:
        server.wait_until_ready()
        stream = EventStream(server, n_predict=200, ignore_eos=True)
        stream.wait_for_first_event()
        server.send(signal.SIGTERM)
        server.wait_for_record("draining")
        os.kill(server.core_pid(), signal.SIGTERM)
        assert stream.wait_for_end()["tokens_predicted"] == 200
        assert server.wait() == 0


def test_requests_that_run_longer_than_the_drain_are_ended() -> None:
    with Server("-c", "2048", "--drain-timeout", "0.2") as server:
        server.wait_until_ready()
        stream = EventStream(server)
        stream.wait_for_first_event()
        server.send(signal.SIGTERM)
        last = stream.wait_for_end()
        assert "error" in last or last["stop"] is True
        assert server.wait() == 0


def test_the_second_signal_ends_everything_at_once(temporary: Path) -> None:
    with Server("-c", "2048", environment={"TMPDIR": str(temporary)}) as server:
        server.wait_until_ready()
        core = server.core_pid()
        stream = EventStream(server)
        stream.wait_for_first_event()
        server.send(signal.SIGINT)
        server.wait_for_stderr("stopping")
        assert _insist(server, signal.SIGINT) == 1
        assert server.stderr.endswith("Received second interrupt, terminating immediately.\n")
        wait_until_dead(core)
        stream.wait_for_end()
    assert list(temporary.iterdir()) == []


def test_a_signal_while_the_model_loads_ends_the_server() -> None:
    with Server() as server:
        core = server.core_pid()
        # A core that cannot react to being asked.
        os.kill(core, signal.SIGSTOP)
        server.send(signal.SIGINT)
        assert server.wait() == 0
        assert not is_alive(core)
        assert "is ready" not in server.stderr


def test_the_core_dies_with_a_killed_server_and_the_next_one_cleans_up(temporary: Path) -> None:
    with Server(environment={"TMPDIR": str(temporary)}) as server:
        server.wait_until_ready()
        core = server.core_pid()
        server.send(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        wait_until_dead(core)
    assert len(list(temporary.iterdir())) == 1
    with Server(environment={"TMPDIR": str(temporary)}) as successor:
        successor.wait_until_ready()
        successor.send(signal.SIGTERM)
        assert successor.wait() == 0
    assert list(temporary.iterdir()) == []
