"""``slotline serve`` and ``slotline core`` with models, options and values that cannot be used."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
import requests

from slotline.cli.default_model import default_model_path
from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess, Server
from tests.support.serving import run_slotline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_pool import ServerPool


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """A server for tests that leave it as it was."""
    return servers.get("-c", "1024", "-np", "2")


def _broken_model(kind: str, directory: Path) -> Path:
    path = directory / "model.gguf"
    match kind:
        case "directory":
            path.mkdir()
        case "not a GGUF":
            path.write_bytes(b"PK\x03\x04" * 1000)
        case "truncated":
            path.write_bytes(default_model_path().read_bytes()[:5_000_000])
        case "empty":
            path.touch()
    return path


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("missing", "does not exist"),
        ("directory", "is a directory"),
        ("not a GGUF", "GGUF"),
        ("truncated", "is truncated"),
        ("empty", "is empty"),
    ],
)
def test_a_model_that_cannot_be_loaded_is_one_line(kind: str, words: str, tmp_path: Path) -> None:
    path = _broken_model(kind, tmp_path)
    status, process = run_slotline("serve", "--port", "0", "-m", str(path))
    assert status == 1
    assert process.stderr.startswith(f"error: model file {path} ")
    assert words in process.stderr
    assert process.stderr.count("\n") == 1
    assert process.stdout == ""


def test_a_context_that_memory_cannot_hold_is_one_line() -> None:
    status, process = run_slotline("serve", "--port", "0", "-c", "2000000000")
    assert status == 1
    assert process.stderr.startswith("error: ")
    assert process.stderr.count("\n") == 1
    assert process.stdout == ""


def test_a_chat_template_that_is_none_is_a_failed_load() -> None:
    with Server("--chat-template", "{{ unfinished") as server:
        server.wait_for_stderr("answers 500 now")
        response = requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S)
        assert (response.status_code, response.json()["status"]) == (500, "error")
        assert "error: the chat template" in server.stderr
        server.send(signal.SIGTERM)
        assert server.wait() == 1
        assert sum(record["msg"] == "core started" for record in server.records) == 1


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (["--zzzz"], "error: unknown argument: --zzzz\n"),
        (
            ["--port", "http"],
            "error: --port 'http' is not a whole number; allowed is a whole number from 0 to 65535\n"
            "error: invalid parameter for argument: --port\n",
        ),
    ],
)
def test_mistakes_in_the_arguments(arguments: list[str], error: str) -> None:
    status, process = run_slotline("serve", *arguments)
    assert (status, process.stderr) == (1, error)
    assert process.stdout.startswith("usage: slotline serve [options]\n")


def test_a_core_that_cannot_start_is_one_line(server: Server) -> None:
    status, process = run_slotline("core", "--listen", server.grpc_address)
    assert (status, process.stderr) == (1, f"error: cannot listen on {server.grpc_address}: Address already in use\n")
    assert [record["msg"] for record in process.records] == ["the server cannot start"]
    status, process = run_slotline("core", "--listen", "127.0.0.1:0", "-m", "/nothing.gguf")
    assert (status, process.stderr) == (1, "error: model file /nothing.gguf does not exist; check --model\n")


def test_a_core_with_a_chat_template_that_is_none_stays_and_says_so() -> None:
    with RunningProcess((*SLOTLINE, "core", "--listen", "127.0.0.1:0", "--chat-template", "{{ unfinished")) as core:
        core.wait_for_stderr("health is NOT_SERVING now; stop with Ctrl-C\n")
        assert "\nerror: the chat template" in core.stderr
        core.send(signal.SIGTERM)
        assert core.wait() == 0
