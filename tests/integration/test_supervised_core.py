"""The supervisor over real processes that hang: they are found out through gRPC, killed, and replaced."""

from __future__ import annotations

import os
import signal
import sys
from functools import partial
from typing import TYPE_CHECKING

import gevent
import grpc
import pytest

from rest_adapter.core.calls import HEALTH
from rest_adapter.core.client import CoreClient
from rest_adapter.errors import RpcFailure
from slotline.cli.serve.child import ChildProcess
from slotline.cli.serve.core_probe import probe_core
from slotline.cli.serve.supervisor import Supervisor
from slotline.v1 import generation_pb2, model_pb2
from tests.support.scripted_core import WAIT_S, socket_address

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Supervised:
    """A supervised core on the scripted model, of a kind of ``tests.support.core_process``."""

    def __init__(self, kind: str, directory: Path, hang_timeout_s: float) -> None:
        address = socket_address(directory)
        self.core = CoreClient(address)
        self.children: list[ChildProcess] = []
        self.told: list[str] = []
        self._command = [sys.executable, "-m", "tests.support.core_process", kind, address]
        self.supervisor = Supervisor(self._start, partial(probe_core, self.core), self, hang_timeout_s=hang_timeout_s)
        self.running = gevent.spawn(self.supervisor.run)

    def loading(self, progress: float) -> None:
        """Not looked at."""

    def ready(self) -> None:
        self.told.append("ready")

    def failed(self, message: str) -> None:
        self.told.append(f"failed: {message}")

    def refused(self, reason: str) -> None:
        self.told.append(f"refused: {reason}")

    def gave_up(self, reason: str) -> None:
        self.told.append(f"gave up: {reason}")

    def wait_for_life(self, number: int) -> ChildProcess:
        """Wait until the core was started so often."""
        with gevent.Timeout(2 * WAIT_S):
            while len(self.children) < number:
                gevent.sleep(0.01)
        return self.children[number - 1]

    def wait_until_ready(self) -> str:
        """Wait until the core serves; the id of its life."""
        with gevent.Timeout(2 * WAIT_S):
            while True:
                try:
                    health = self.core.unary(HEALTH, model_pb2.HealthRequest(), timeout_s=1.0)
                except RpcFailure:
                    continue
                if health.state == model_pb2.SERVER_STATE_READY:
                    return health.instance_id
                gevent.sleep(0.01)

    def close(self) -> None:
        self.supervisor.kill()
        self.running.join(WAIT_S)
        self.core.close()

    def _start(self) -> ChildProcess:
        # What it logs is of no interest here.
        self.children.append(ChildProcess(self._command))
        return self.children[-1]


@pytest.fixture
def supervised(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Supervised]:
    kind, hang_timeout_s = request.param
    supervised = Supervised(kind, tmp_path, hang_timeout_s)
    yield supervised
    supervised.close()


@pytest.mark.parametrize("supervised", [("hanging", 60.0)], indirect=True)
def test_a_step_that_never_returns_costs_its_request_and_the_core_is_replaced(supervised: Supervised) -> None:
    first = supervised.wait_until_ready()
    request = generation_pb2.GenerateRequest(text="a", stop=generation_pb2.StopParams(max_tokens=4))
    with pytest.raises(RpcFailure) as caught:
        list(supervised.core.generate([request], deadline_s=2 * WAIT_S))
    assert caught.value.status is grpc.StatusCode.UNAVAILABLE
    assert supervised.children[0].wait(WAIT_S) == -signal.SIGKILL
    supervised.wait_for_life(2)
    assert supervised.wait_until_ready() != first
    assert supervised.told == ["ready"]


@pytest.mark.parametrize("supervised", [("endless", 2.0)], indirect=True)
def test_a_stopped_core_is_killed_and_replaced(supervised: Supervised) -> None:
    first = supervised.wait_until_ready()
    with gevent.Timeout(WAIT_S):
        while supervised.told != ["ready"]:
            gevent.sleep(0.01)
    os.kill(supervised.children[0].pid, signal.SIGSTOP)
    assert supervised.children[0].wait(WAIT_S) == -signal.SIGKILL
    supervised.wait_for_life(2)
    assert supervised.wait_until_ready() != first


@pytest.mark.parametrize("supervised", [("impatient-stuck", 60.0)], indirect=True)
def test_a_load_that_never_ends_is_tried_three_times(supervised: Supervised) -> None:
    supervised.running.join(3 * WAIT_S)
    assert supervised.told == ["gave up: was killed: loading the model has not got on for 1 s"]
    assert [child.wait(WAIT_S) for child in supervised.children] == [-signal.SIGKILL] * 3
