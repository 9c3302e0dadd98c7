"""``slotline serve`` as its users meet it: real processes, the default model, real clients."""

from __future__ import annotations

import contextlib
import itertools
import os
import shlex
import shutil
import signal
import socket
from typing import TYPE_CHECKING, Any

import grpc
import psutil
import pytest
import requests

from slotline.cli.default_model import default_model_path
from slotline.v1 import model_pb2, model_service_pb2_grpc
from tests.support.event_stream import EventStream
from tests.support.server import PATIENCE_S, SLOTLINE, NotSeen, RunningProcess, Server
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.server_pool import ServerPool

LOADING = {"status": "loading model"}
STALLED = {"status": "stalled"}
PROMPT = "Once upon a time"


@pytest.fixture(scope="module")
def server(servers: ServerPool) -> Server:
    """A server for tests that leave it as it was."""
    return servers.get("-c", "1024", "-np", "2")


def _complete(server: Server, **options: object) -> dict[str, Any]:
    response = requests.post(
        f"{server.rest_url}/completion", json={"prompt": PROMPT, "n_predict": 8, **options}, timeout=PATIENCE_S
    )
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def _is_alive(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def _wait_until_dead(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        psutil.wait_procs([process], timeout=PATIENCE_S)
    assert not _is_alive(pid)


def _insist(server: Server, signum: signal.Signals) -> int:
    """Signal until the process has ended, for right after the first signal others count as the same; its status."""
    for _ in range(int(PATIENCE_S / 0.2)):
        server.send(signum)
        with contextlib.suppress(NotSeen):
            return server.wait(0.2)
    raise NotSeen(server.transcript())


def _run(*arguments: str, environment: dict[str, str] | None = None) -> tuple[int, RunningProcess]:
    with RunningProcess((*SLOTLINE, *arguments), environment=environment) as process:
        return process.wait(), process


def test_a_completion(server: Server) -> None:
    answer = _complete(server)
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
        assert _complete(server)["tokens_predicted"] == 8
        # The address for gRPC is what it was, although it was a free port.
        with grpc.insecure_channel(grpc_address) as channel:
            stub = model_service_pb2_grpc.ModelServiceStub(channel)
            state = stub.Health(model_pb2.HealthRequest(), timeout=PATIENCE_S, wait_for_ready=True).state
        assert state == model_pb2.SERVER_STATE_READY
        second = server.core_pid(life=2)
        server.send(signal.SIGTERM)
        assert server.wait() == 0
    assert not _is_alive(second)
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
        assert _complete(server)["tokens_predicted"] == 8
        assert _is_alive(core)


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
        assert _complete(server)["tokens_predicted"] == 8
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
        assert _complete(server)["tokens_predicted"] == 8


def test_a_core_that_dies_again_and_again_before_it_serves_is_given_up(temporary: Path) -> None:
    with Server(environment={"TMPDIR": str(temporary)}) as server:
        for life in (1, 2, 3):
            os.kill(server.core_pid(life), signal.SIGKILL)
        assert server.wait() == 1
        assert "error: the core never became ready; the last one was killed by signal 9 (SIGKILL)" in server.stderr
        server.wait_for_record("core given up")
    assert list(temporary.iterdir()) == []


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
    assert not _is_alive(core)
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
        _wait_until_dead(core)
        stream.wait_for_end()
    assert list(temporary.iterdir()) == []


def test_a_signal_while_the_model_loads_ends_the_server() -> None:
    with Server() as server:
        core = server.core_pid()
        # A core that cannot react to being asked.
        os.kill(core, signal.SIGSTOP)
        server.send(signal.SIGINT)
        assert server.wait() == 0
        assert not _is_alive(core)
        assert "is ready" not in server.stderr


def test_the_core_dies_with_a_killed_server_and_the_next_one_cleans_up(temporary: Path) -> None:
    with Server(environment={"TMPDIR": str(temporary)}) as server:
        server.wait_until_ready()
        core = server.core_pid()
        server.send(signal.SIGKILL)
        assert server.wait() == -signal.SIGKILL
        _wait_until_dead(core)
    assert len(list(temporary.iterdir())) == 1
    with Server(environment={"TMPDIR": str(temporary)}) as successor:
        successor.wait_until_ready()
        successor.send(signal.SIGTERM)
        assert successor.wait() == 0
    assert list(temporary.iterdir()) == []


def test_a_busy_rest_port_is_told_before_anything_is_started(server: Server) -> None:
    port = server.rest_url.rpartition(":")[2]
    status, process = _run("serve", "--port", port, "--grpc-listen", "127.0.0.1:0")
    assert status == 1
    assert process.stderr == (
        f"\ncouldn't bind to server socket: hostname=127.0.0.1 port={port}\n\n"
        "error: Address already in use; choose another --host or --port, or --port 0 for a free one\n"
    )
    assert [record["msg"] for record in process.records] == ["couldn't bind to server socket"]
    assert process.records[0]["reason"] == "Address already in use"


def test_a_busy_grpc_address_that_was_asked_for_is_an_error(server: Server) -> None:
    status, process = _run("serve", "--port", "0", "--grpc-listen", server.grpc_address)
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
        assert _complete(server)["model"] == "tiny"
        assert f"  model   tiny: {default_model_path()}\n" in server.stderr
        # Without a GPU there is a warning on -ngl too; with one there is not.
        told = [record["msg"] for record in server.records if record["level"] == "WARN"]
        assert [message for message in told if "GPU" not in message] == warnings


def test_a_link_of_kubernetes_is_no_port() -> None:
    with Server(environment={"SLOTLINE_PORT": "tcp://10.0.0.1:8080", "SLOTLINE_SERVICE_HOST": "10.0.0.1"}) as server:
        server.wait_until_ready()
        assert [record["msg"] for record in server.records if record["level"] == "WARN"] == []


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
    status, process = _run("serve", "--port", "0", "-m", str(path))
    assert status == 1
    assert process.stderr.startswith(f"error: model file {path} ")
    assert words in process.stderr
    assert process.stderr.count("\n") == 1
    assert process.stdout == ""


def test_a_context_that_memory_cannot_hold_is_one_line() -> None:
    status, process = _run("serve", "--port", "0", "-c", "2000000000")
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
        (["--nope"], "error: unknown argument: --nope\n"),
        (
            ["--port", "http"],
            "error: --port 'http' is not a whole number; allowed is a whole number from 0 to 65535\n"
            "error: invalid parameter for argument: --port\n",
        ),
    ],
)
def test_mistakes_in_the_arguments(arguments: list[str], error: str) -> None:
    status, process = _run("serve", *arguments)
    assert (status, process.stderr) == (1, error)
    assert process.stdout.startswith("usage: slotline serve [options]\n")


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


def test_a_core_that_cannot_start_is_one_line(server: Server) -> None:
    status, process = _run("core", "--listen", server.grpc_address)
    assert (status, process.stderr) == (1, f"error: cannot listen on {server.grpc_address}: Address already in use\n")
    assert [record["msg"] for record in process.records] == ["the server cannot start"]
    status, process = _run("core", "--listen", "127.0.0.1:0", "-m", "/nothing.gguf")
    assert (status, process.stderr) == (1, "error: model file /nothing.gguf does not exist; check --model\n")


def test_a_core_with_a_chat_template_that_is_none_stays_and_says_so() -> None:
    with RunningProcess((*SLOTLINE, "core", "--listen", "127.0.0.1:0", "--chat-template", "{{ unfinished")) as core:
        core.wait_for_stderr("health is NOT_SERVING now; stop with Ctrl-C\n")
        assert "\nerror: the chat template" in core.stderr
        core.send(signal.SIGTERM)
        assert core.wait() == 0
