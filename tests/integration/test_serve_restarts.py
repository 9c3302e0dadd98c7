"""``slotline serve`` when its core dies or hangs."""

from __future__ import annotations

import os
import shutil
import signal
from typing import TYPE_CHECKING

import grpc
import requests

from slotline.cli.default_model import default_model_path
from slotline.v1 import model_pb2, model_service_pb2_grpc
from tests.support.event_stream import EventStream
from tests.support.server import PATIENCE_S, Server
from tests.support.serving import complete, is_alive
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path


STALLED = {"status": "stalled"}


def test_a_killed_core_costs_the_running_streams_and_nothing_else(temporary: Path) -> None:
    with Server("-c", "4096", "-np", "4", environment={"TMPDIR": str(temporary)}) as server:
        server.wait_until_ready()
        grpc_address = server.grpc_address
        streams = [EventStream(server) for _ in range(4)]
        for stream in streams:
            stream.wait_for_first_event()
        os.kill(server.core_pid(), signal.SIGKILL)
        for stream in streams:
            last = stream.wait_for_end()
            assert last["error"]["code"] == 503
            assert last["error"]["type"] == "unavailable_error"
        died = server.wait_for_record("core died")
        assert died["reason"] == "was killed by signal 9 (SIGKILL)"
        server.wait_until_ready_again()
        assert complete(server)["tokens_predicted"] == 8
        # The address for gRPC is what it was, although it was a free port.
        with grpc.insecure_channel(grpc_address) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            state = stub.Health(model_pb2.HealthRequest(), timeout=PATIENCE_S, wait_for_ready=True).state
        assert state == model_pb2.SERVER_STATE_READY
        second = server.core_pid(life=2)
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    assert not is_alive(second)
    assert list(temporary.iterdir()) == []


def test_a_core_is_started_again_however_often_and_soon_it_dies_after_it_served() -> None:
    """Each is killed as soon as somebody was told that it serves, which is sooner than it is asked again."""
    with Server() as server:
        for life in (1, 2, 3, 4):
            core = server.core_pid(life)
            wait_until("health is 200", lambda: requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S).ok)
            os.kill(core, signal.SIGKILL)
        core = server.core_pid(5)
        wait_until("health is 200", lambda: requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S).ok)
        assert complete(server)["tokens_predicted"] == 8
        assert is_alive(core)


def test_a_model_that_is_missing_at_a_restart_is_tried_again(tmp_path: Path) -> None:
    """As while its file is being replaced."""
    path, elsewhere = tmp_path / "model.gguf", tmp_path / "elsewhere.gguf"
    shutil.copy(default_model_path(), path)
    with Server("-m", str(path)) as server:
        server.wait_until_ready()
        path.rename(elsewhere)
        os.kill(server.core_pid(), signal.SIGKILL)
        failed = server.wait_for_record("unable to load model", number=2)
        assert "does not exist" in failed["reason"]
        elsewhere.rename(path)
        server.wait_until_ready_again()
        assert complete(server)["tokens_predicted"] == 8
        assert "error" not in server.stderr


def test_a_stopped_core_is_told_and_replaced() -> None:
    """Nothing in it answers any more: neither the engine nor gRPC."""
    with Server("-c", "4096", "-np", "2", "--hang-timeout", "4") as server:
        server.wait_until_ready()
        stream = EventStream(server)
        stream.wait_for_first_event()
        os.kill(server.core_pid(), signal.SIGSTOP)
        response = requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S)
        assert (response.status_code, response.json()) == (503, STALLED)
        assert stream.wait_for_end()["error"]["type"] == "unavailable_error"
        died = server.wait_for_record("core died")
        assert died["reason"].startswith("was killed, for it had not answered for ")
        server.wait_until_ready_again()
        assert complete(server)["tokens_predicted"] == 8


def test_a_core_that_dies_again_and_again_before_it_serves_is_given_up(temporary: Path) -> None:
    with Server(environment={"TMPDIR": str(temporary)}) as server:
        for life in (1, 2, 3):
            os.kill(server.core_pid(life), signal.SIGKILL)
        assert server.wait() == 1
        assert "error: the core never became ready; the last one was killed by signal 9 (SIGKILL)" in server.stderr
        server.wait_for_record("core given up")
    assert list(temporary.iterdir()) == []
