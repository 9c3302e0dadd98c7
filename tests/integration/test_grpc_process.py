"""``run_core`` as a process: signals, exit codes, and what is left behind."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import grpc
import pytest
import requests

from rest_adapter.config import RestConfig
from service.api.server.stop_request import StopRequest
from slotline.cli.healthcheck import ask_grpc
from slotline.client import Client, SlotlineError
from slotline.v1 import generation_pb2, inference_service_pb2_grpc, model_pb2
from tests.support.adapter import AdapterThread
from tests.support.scripted_core import WAIT_S, socket_address
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Process:
    """A running core and its log."""

    def __init__(self, kind: str, *addresses: str) -> None:
        self._popen = subprocess.Popen(
            [sys.executable, "-m", "tests.support.core_process", kind, *addresses],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            process_group=0,
        )
        self.lines: list[str] = []
        self._seen = threading.Condition()
        self._is_over = False
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Wait for a line of the log."""

        def found() -> re.Match[str] | None:
            return next((match for line in self.lines if (match := re.search(pattern, line))), None)

        with self._seen:
            self._seen.wait_for(lambda: found() or self._is_over, WAIT_S)
            match = found()
        assert match, f"no {pattern!r} in {self.lines}"
        return match

    @property
    def address(self) -> str:
        """Where it listens."""
        return self.wait_for(r"gRPC server listening .*'address': '([^']+)'")[1]

    def send(self, number: signal.Signals) -> None:
        """Send a signal."""
        self._popen.send_signal(number)

    def insist(self, number: signal.Signals) -> None:
        """Signal until it has ended; right after the first signal others count as the same."""
        for _ in range(int(WAIT_S / 0.2)):
            self.send(number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._popen.wait(0.2)
                return

    def wait(self) -> int:
        """The exit code."""
        code = self._popen.wait(WAIT_S)
        self._reader.join(WAIT_S)
        return code

    def close(self) -> None:
        """Kill it, if a test left it running."""
        self._popen.kill()
        self.wait()
        assert self._popen.stdout is not None
        self._popen.stdout.close()

    def _read(self) -> None:
        assert self._popen.stdout is not None
        for line in self._popen.stdout:
            with self._seen:
                self.lines.append(line)
                self._seen.notify_all()
        with self._seen:
            self._is_over = True
            self._seen.notify_all()


@contextlib.contextmanager
def running(kind: str, *addresses: str) -> Iterator[Process]:
    """A core process that is gone at the end."""
    process = Process(kind, *addresses)
    try:
        yield process
    finally:
        process.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_drains_ends_what_runs_too_long_as_cancelled_and_exits_with_zero(
    tmp_path: Path, number: signal.Signals
) -> None:
    with running("impatient", "127.0.0.1:0", socket_address(tmp_path)) as process:
        process.wait_for("model loaded")
        with Client(process.address, deadline_s=WAIT_S) as client:
            generation = client.generate("Hello")
            texts = iter(generation)
            next(texts)
            process.send(number)
            process.wait_for("draining")
            with pytest.raises(SlotlineError, match="DRAINING"):
                client.complete("Hello")
            assert list(texts)
            assert generation.completion.finish_reason == "cancelled"
        assert process.wait() == 0
        process.wait_for("stopped")
    assert os.listdir(tmp_path) == []


def test_a_second_signal_exits_with_one_without_waiting() -> None:
    with running("endless", "127.0.0.1:0") as process:
        process.wait_for("model loaded")
        with Client(process.address, deadline_s=WAIT_S) as client:
            texts = iter(client.generate("Hello"))
            next(texts)
            process.send(signal.SIGTERM)
            process.wait_for("draining")
            process.insist(signal.SIGINT)
            assert process.wait() == 1
            with pytest.raises(SlotlineError):
                list(texts)
        process.wait_for("second signal")


@pytest.mark.parametrize(("is_supervised", "insisted"), [(False, ["now"]), (True, [])])
def test_the_same_signal_twice_at_once_is_one_request(is_supervised: bool, insisted: list[str]) -> None:
    exits: list[str] = []
    clock = iter((7.0, 7.09, 7.11)).__next__
    stop = StopRequest(is_supervised=is_supervised, clock=clock, give_up=lambda: exits.append("now"))
    stop.on_signal()
    assert stop.requested.is_set()
    stop.on_signal()
    assert exits == []
    stop.on_signal()
    assert exits == insisted


def test_a_signal_ends_a_load_that_does_not_listen() -> None:
    with running("stuck", "127.0.0.1:0") as process:
        with Client(process.address, deadline_s=WAIT_S) as client:
            assert client.health().state == model_pb2.SERVER_STATE_LOADING
        process.send(signal.SIGTERM)
        assert process.wait() == 0


def test_an_address_that_is_in_use_exits_with_one_and_one_clear_line() -> None:
    with running("endless", "127.0.0.1:0") as first, running("endless", first.address) as second:
        assert second.wait() == 1
        assert second.lines == [
            f"ERROR the server cannot start {{'reason': 'cannot listen on {first.address}: Address already in use'}}\n"
        ]


def test_an_engine_that_dies_exits_with_one_after_its_streams_were_told() -> None:
    with running("deadly", "127.0.0.1:0") as process:
        process.wait_for("model loaded")
        with Client(process.address, deadline_s=WAIT_S) as client, pytest.raises(SlotlineError, match="INTERNAL"):
            client.complete("Hello")
        assert process.wait() == 1


def test_a_core_that_was_killed_leaves_a_path_that_the_next_one_takes(tmp_path: Path) -> None:
    address = socket_address(tmp_path)
    with running("endless", address) as killed:
        assert killed.address == address
        killed.send(signal.SIGKILL)
        assert killed.wait() == -signal.SIGKILL
    assert (tmp_path / "core.sock").exists()
    with running("endless", address) as next_one:
        next_one.wait_for("model loaded")
        with Client(address, deadline_s=WAIT_S) as client:
            assert client.health().state == model_pb2.SERVER_STATE_READY


def test_a_core_that_nobody_supervises_tells_that_it_hangs_to_whoever_asks() -> None:
    """To gRPC's own health, for an orchestrator, and through an adapter that runs elsewhere."""
    with running("hanging", "127.0.0.1:0") as process, contextlib.ExitStack() as stack:
        process.wait_for("model loaded")
        adapter = AdapterThread(RestConfig(core=process.address))
        stack.callback(adapter.close)
        wait_until("the core serves", lambda: requests.get(f"{adapter.url}/health", timeout=WAIT_S).ok)
        # The answer to this one never comes.
        channel = stack.enter_context(grpc.insecure_channel(process.address))
        request = generation_pb2.GenerateRequest(text="Hello")
        waiting = inference_service_pb2_grpc.InferenceServiceStub(channel).Generate(request, timeout=WAIT_S)
        stack.callback(waiting.cancel)
        process.wait_for("the engine has stalled .*the engine has not finished a step for 0.5 s")
        health = requests.get(f"{adapter.url}/health", timeout=WAIT_S)
        assert (health.status_code, health.json()) == (503, {"status": "stalled"})
        refused = requests.post(f"{adapter.url}/completion", json={"prompt": "a"}, timeout=WAIT_S)
        assert (refused.status_code, refused.json()["error"]["type"]) == (503, "unavailable_error")
        assert int(refused.headers["Retry-After"]) > 0
        is_ready, answer = ask_grpc(process.address, "", WAIT_S)
        assert (is_ready, answer) == (False, f"{process.address}: NOT_SERVING")
