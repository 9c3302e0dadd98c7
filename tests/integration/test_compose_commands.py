"""The commands and health checks of compose.yaml, run as plain processes on free ports."""

from __future__ import annotations

import signal
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest
import requests

from slotline.cli.default_model import default_model_path
from tests.support.containers import command_line, health_command, read_compose
from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SERVICES = read_compose()["services"]


def _on_this_machine(command: list[str], replacements: Mapping[str, str]) -> list[str]:
    """A container's command with what exists only in containers replaced; every replacement must be needed."""
    assert command[0] == "slotline"
    assert set(replacements) <= set(command)
    return [*SLOTLINE, *(replacements.get(argument, argument) for argument in command[1:])]


def _check(name: str, replacements: Mapping[str, str]) -> tuple[int, str]:
    """Run a service's health check; its exit status and its line."""
    with RunningProcess(_on_this_machine(health_command(SERVICES[name]), replacements)) as process:
        status = process.wait()
    return status, (process.stdout + process.stderr).strip()


@pytest.fixture
def core() -> Iterator[RunningProcess]:
    command = _on_this_machine(
        command_line(SERVICES["core"]),
        {"0.0.0.0:50051": "127.0.0.1:0", "/opt/slotline/default-model.gguf": str(default_model_path())},
    )
    # One thread, for a busy machine; the rest of the command is what the container runs.
    with RunningProcess([*command, "-t", "1"]) as process:
        yield process


def test_core_and_adapter_become_healthy_and_serve(core: RunningProcess) -> None:
    with ExitStack() as stack:
        address = core.wait_for_record("gRPC server listening")["address"]
        core.wait_for_record("model loaded")
        assert _check("core", {"127.0.0.1:50051": address}) == (0, f"{address}: SERVING")

        command = _on_this_machine(
            command_line(SERVICES["rest"]), {"core:50051": address, "0.0.0.0": "127.0.0.1", "8080": "0"}
        )
        rest = stack.enter_context(RunningProcess(command))
        url = f"http://127.0.0.1:{rest.wait_for_record('HTTP server listening')['port']}"
        url_of_check = {"http://127.0.0.1:8080/health": f"{url}/health"}
        status, line = _check("rest", url_of_check)
        assert (status, line.partition(": ")[2]) == (0, '200 {"slots_idle":4,"slots_processing":0,"status":"ok"}')

        answer = requests.post(f"{url}/completion", json={"prompt": "Once", "n_predict": 4}, timeout=PATIENCE_S)
        assert answer.json()["tokens_predicted"] == 4

        core.send(signal.SIGTERM)
        assert core.wait() == 0
        assert _check("core", {"127.0.0.1:50051": address})[0] == 1
        assert _check("rest", url_of_check)[0] == 1
        rest.send(signal.SIGTERM)
        assert rest.wait() == 0


def test_a_core_that_does_not_answer_is_not_healthy(core: RunningProcess) -> None:
    address = core.wait_for_record("gRPC server listening")["address"]
    core.send(signal.SIGSTOP)
    try:
        replacements = {"127.0.0.1:50051": address}
        command = _on_this_machine(health_command(SERVICES["core"]), replacements)
        with RunningProcess([*command, "--timeout", "0.5"]) as probe:
            assert probe.wait() == 1
    finally:
        core.send(signal.SIGCONT)
