"""``slotline serve`` as its users meet it: real processes, the default model, real clients."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import signal
import socket
from typing import TYPE_CHECKING

import grpc
import psutil
import pytest
import requests

from slotline.cli.default_model import default_model_path
from slotline.v1 import model_pb2, model_service_pb2_grpc
from tests.support.server import PATIENCE_S, SLOTLINE, RunningProcess, Server
from tests.support.serving import PROMPT, complete, run_slotline

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_pool import ServerPool

LOADING = {"status": "loading model"}
STALLED = {"status": "stalled"}


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """A server for tests that leave it as it was."""
    return servers.get("-c", "1024", "-np", "2")


def test_a_completion(server: Server) -> None:
    answer = complete(server)
    assert answer["tokens_predicted"] == 8
    assert answer["content"]


def test_health_tells_the_slots(server: Server) -> None:
    response = requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S)
    assert response.status_code == 200
    assert response.json() == {"slots_idle": 2, "slots_processing": 0, "status": "ok"}


def test_grpc_listens_where_the_banner_says(server: Server) -> None:
    assert f"  gRPC    {server.grpc_address}\n" in server.stderr
    assert f"  REST    {server.rest_url} " in server.stderr
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = model_service_pb2_grpc.ModelServiceStub(channel)
        health = stub.Health(model_pb2.HealthRequest(), timeout=PATIENCE_S)
    assert health.state == model_pb2.SERVER_STATE_READY
    assert health.slots_idle + health.slots_processing == 2


def test_every_line_on_stdout_is_a_log_record(server: Server) -> None:
    server.wait_for_record("model loaded")
    lines = server.stdout.splitlines()
    assert len(lines) == len(server.records)
    for line, record in zip(lines, server.records, strict=True):
        assert list(record) == sorted(record), line
        assert {"function", "level", "line", "msg", "tid", "timestamp"} <= set(record)


def test_the_core_is_a_child_that_ctrl_c_does_not_reach(server: Server) -> None:
    core = psutil.Process(server.core_pid())
    assert core.ppid() == server.pid
    assert os.getpgid(core.pid) != os.getpgid(server.pid)


def test_the_port_answers_while_the_model_loads() -> None:
    with Server() as server:
        core = server.core_pid()
        # Held before it has loaded anything, so that there is time to look.
        os.kill(core, signal.SIGSTOP)
        try:
            response = requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S)
            # Whether it came to listen before it was held.
            assert (response.status_code, response.json()) in ((503, LOADING), (503, STALLED))
            response = requests.post(f"{server.rest_url}/completion", json={"prompt": "x"}, timeout=PATIENCE_S)
            assert response.status_code == 503
        finally:
            os.kill(core, signal.SIGCONT)
        server.wait_until_ready()
        assert requests.get(f"{server.rest_url}/health", timeout=PATIENCE_S).json()["status"] == "ok"
        assert server.stderr.startswith("loading SmolLM2-135M-Instruct.Q4_1.gguf (")


def test_a_busy_rest_port_is_told_before_anything_is_started(server: Server) -> None:
    port = server.rest_url.rpartition(":")[2]
    status, process = run_slotline("serve", "--port", port, "--grpc-listen", "127.0.0.1:0")
    assert status == 1
    assert process.stderr == (
        f"\ncouldn't bind to server socket: hostname=127.0.0.1 port={port}\n\n"
        "error: Address already in use; choose another --host or --port, or --port 0 for a free one\n"
    )
    assert [record["msg"] for record in process.records] == ["couldn't bind to server socket"]
    assert process.records[0]["reason"] == "Address already in use"


def test_a_busy_grpc_address_that_was_asked_for_is_an_error(server: Server) -> None:
    status, process = run_slotline("serve", "--port", "0", "--grpc-listen", server.grpc_address)
    assert status == 1
    assert process.stderr == (
        f"error: --grpc-listen {server.grpc_address}: Address already in use; choose another address, "
        "or port 0 for a free one\n"
    )
    assert "core started" not in process.stdout


def test_a_busy_default_grpc_address_is_a_warning() -> None:
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # If somebody else on this machine listens there, it is busy all the same.
        with contextlib.suppress(OSError):
            listener.bind(("127.0.0.1", 50051))
            listener.listen()
        server = stack.enter_context(RunningProcess((*SLOTLINE, "serve", "-t", "1", "--port", "0")))
        server.wait_for_record("gRPC address left out", level="WARN", address="127.0.0.1:50051")
        server.wait_for_stderr("gRPC    on no TCP port (127.0.0.1:50051 is taken by another program")
        rest = server.wait_for_record("HTTP server listening")
        assert requests.get(f"http://127.0.0.1:{rest['port']}/health", timeout=PATIENCE_S).status_code == 200


@pytest.mark.parametrize(
    ("line", "warnings"),
    [
        ("-m {model} -c 2048 --host 127.0.0.1 -a tiny -cb --embedding --mlock --no-mmap --log-disable", []),
        (
            "--numa -m {model} -c 2048 -np 2 -ngl 99 -nommq --memory-f32 --chat-template chatml -a tiny",
            ["-nommq is obsolete and has no effect"],
        ),
        ("--model {model} --ctx_size 512 --alias tiny -b 2048 -tb 1 --timeout 3600 -n 64 -v", []),
    ],
)
def test_lines_of_the_2024_server_serve(line: str, warnings: list[str]) -> None:
    with Server(*shlex.split(line.format(model=default_model_path()))) as server:
        server.wait_until_ready()
        assert complete(server)["model"] == "tiny"
        assert f"  model   tiny: {default_model_path()}\n" in server.stderr
        # Without a GPU there is a warning on -ngl too; with one there is not.
        told = [record["msg"] for record in server.records if record["level"] == "WARN"]
        assert [message for message in told if "GPU" not in message] == warnings


def test_a_link_of_kubernetes_is_no_port() -> None:
    with Server(environment={"SLOTLINE_PORT": "tcp://10.0.0.1:8080", "SLOTLINE_SERVICE_HOST": "10.0.0.1"}) as server:
        server.wait_until_ready()
        assert [record["msg"] for record in server.records if record["level"] == "WARN"] == []


def test_core_and_adapter_as_servers_of_their_own(temporary: Path) -> None:
    socket_address = f"unix:{temporary}/core.sock"
    with contextlib.ExitStack() as stack:
        core = stack.enter_context(
            RunningProcess((*SLOTLINE, "core", "-t", "1", "--listen", socket_address, "--listen", "127.0.0.1:0"))
        )
        rest = stack.enter_context(RunningProcess((*SLOTLINE, "rest", "--core", socket_address, "--port", "0")))
        url = f"http://127.0.0.1:{rest.wait_for_record('HTTP server listening')['port']}"
        core.wait_for_record("model loaded")
        rest.wait_for_stderr(f"  REST    {url} for browsers")
        rest.wait_for_stderr(f"  core    {socket_address}; {url}/health tells")
        address = core.wait_for_record("gRPC server listening", number=2)["address"]
        core.wait_for_stderr(f"  gRPC    {socket_address}, {address}\n")
        answers = (
            requests.post(f"{url}/completion", json={"prompt": PROMPT, "n_predict": 4}, timeout=PATIENCE_S)
            for _ in itertools.count()
        )
        # The adapter may not have found the core yet.
        answer = next(answer for answer in answers if answer.status_code != 503)
        assert answer.json()["tokens_predicted"] == 4
        for process in (rest, core):
            process.send(signal.SIGTERM)
            assert process.wait() == 0
            assert process.stderr.endswith(
                "stopping: running requests get up to 30 s; once more Ctrl-C stops at once\n"
            )
