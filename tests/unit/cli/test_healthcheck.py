from __future__ import annotations

import http.server
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import grpc
import pytest
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from slotline.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator

Response = health_pb2.HealthCheckResponse
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port on which nobody listens as long as the test runs."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@pytest.fixture
def grpc_server() -> Iterator[tuple[str, health.HealthServicer]]:
    server = grpc.server(ThreadPoolExecutor(2))
    servicer = health.HealthServicer()
    health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", servicer
    server.stop(0).wait()


@pytest.mark.parametrize(
    ("status", "exit_status"), [(Response.SERVING, 0), (Response.NOT_SERVING, 1), (Response.SERVICE_UNKNOWN, 1)]
)
def test_grpc_is_ready_only_if_it_is_serving(
    status: int,
    exit_status: int,
    grpc_server: tuple[str, health.HealthServicer],
    capsys: Captured,
) -> None:
    address, servicer = grpc_server
    servicer.set("", status)
    assert main(["healthcheck", "--grpc", address]) == exit_status
    output = capsys.readouterr()
    expected = f"{address}: {Response.ServingStatus.Name(Response.ServingStatus.ValueType(status))}\n"
    assert (output.out, output.err) == ((expected, "") if exit_status == 0 else ("", expected))


def test_one_service_can_be_asked_for(
    grpc_server: tuple[str, health.HealthServicer], capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    address, servicer = grpc_server
    servicer.set("slotline.v1.InferenceService", Response.SERVING)
    # A proxy is for the world outside; the probe asks its own machine.
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    command = ["healthcheck", "--grpc", address, "--service"]
    assert main([*command, "slotline.v1.InferenceService"]) == 0
    assert main([*command, "slotline.v1.Nonsense"]) == 1
    assert "NOT_FOUND" in capsys.readouterr().err


def test_grpc_that_cannot_be_reached_is_one_line(free_port: int, capsys: Captured) -> None:
    assert main(["healthcheck", "--grpc", f"127.0.0.1:{free_port}", "--timeout", "20"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(f"127.0.0.1:{free_port}: UNAVAILABLE")
    assert error.count("\n") == 1


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers with the status that the path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b'{"status":\n "loading model"}')

    def log_message(self, format: str, *arguments: object) -> None:
        """Say nothing."""


@pytest.fixture
def http_url() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(("status", "exit_status"), [(200, 0), (204, 1), (500, 1), (503, 1)])
def test_http_is_ready_only_with_status_200(status: int, exit_status: int, http_url: str, capsys: Captured) -> None:
    assert main(["healthcheck", "--http", f"{http_url}/{status}"]) == exit_status
    output = capsys.readouterr()
    shown = output.err if exit_status else output.out
    assert shown.startswith(f"{http_url}/{status}: {status}")
    assert shown.count("\n") == 1


def test_http_that_cannot_be_reached_is_one_line(free_port: int, capsys: Captured) -> None:
    assert main(["healthcheck", "--http", f"http://127.0.0.1:{free_port}/health"]) == 1
    assert capsys.readouterr().err == (f"http://127.0.0.1:{free_port}/health: [Errno 111] Connection refused\n")


def test_a_misspelt_variable_is_told(free_port: int, monkeypatch: pytest.MonkeyPatch, capsys: Captured) -> None:
    monkeypatch.setenv("SLOTLINE_PROBE_TIMOUT", "1")
    assert main(["healthcheck", "--http", f"http://127.0.0.1:{free_port}/health"]) == 1
    assert capsys.readouterr().err.startswith(
        "note: the environment variable SLOTLINE_PROBE_TIMOUT is no option and has no effect; "
        "nearest is SLOTLINE_PROBE_TIMEOUT\n"
    )
