"""Does what a stranger does first: clones the repository, runs it, calls it, runs its tests.

Run it as ``make test-clone``. It is no part of ``make test``, which it runs itself. Uncommitted changes are not seen.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).resolve().parent.parent.parent
INSTALL_TIMEOUT_S = 1800
STOP_TIMEOUT_S = 60

STUB_CALL = """
import sys
import grpc
from slotline.v1 import generation_pb2, inference_service_pb2_grpc

with grpc.insecure_channel(sys.argv[1]) as channel:
    stub = inference_service_pb2_grpc.InferenceServiceStub(channel)
    request = generation_pb2.GenerateRequest(text="The capital of France is")
    request.stop.max_tokens = 8
    for response in stub.Generate(request, timeout=60):
        for piece in response.delta.pieces:
            print(piece.text, end="")
"""


class CheckFailed(Exception):
    """The clone does not do what the README promises."""


def main() -> int:
    """Runs the checks. Returns the exit code."""
    parser = argparse.ArgumentParser(description="Clone HEAD and try `make run` and `make test` in it.")
    parser.add_argument("--only", choices=("run", "test"), help="try only one of the two commands")
    parser.add_argument("--no-pip-cache", action="store_true", help="download and compile everything again")
    arguments = parser.parse_args()
    for command in ("git", "make", "curl"):
        if shutil.which(command) is None:
            print(f"error: {command} is missing: the clone is checked with it", file=sys.stderr)
            return 1
    environment = _environment(use_pip_cache=not arguments.no_pip_cache)
    with tempfile.TemporaryDirectory(prefix="slotline-clone-") as directory:
        clone = Path(directory) / "slotline"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        head = subprocess.run(
            ["git", "log", "-1", "--format=%h %s"], cwd=clone, check=True, capture_output=True, text=True
        )
        print(f"cloned {head.stdout.strip()}", flush=True)
        try:
            if arguments.only != "test":
                _check_run(clone, environment)
            if arguments.only != "run":
                _check_test(clone, environment)
        except CheckFailed as failure:
            print(f"error: {failure}", file=sys.stderr)
            return 1
    print("the clone works")
    return 0


def _environment(*, use_pip_cache: bool) -> dict[str, str]:
    """The caller's environment without what an active virtual environment or a surrounding make left in it."""
    hidden = {"VIRTUAL_ENV", "PYTHONPATH", "PYTHONHOME", "MAKEFLAGS", "MAKEOVERRIDES", "MFLAGS", "MAKELEVEL"}
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    active = os.environ.get("VIRTUAL_ENV")
    if active is not None:
        paths = environment.get("PATH", os.defpath).split(os.pathsep)
        environment["PATH"] = os.pathsep.join(path for path in paths if not path.startswith(active))
    if not use_pip_cache:
        environment["PIP_NO_CACHE_DIR"] = "1"
    return environment


def _check_run(clone: Path, environment: Mapping[str, str]) -> None:
    rest_port, grpc_port = _free_ports(2)
    options = f"--port {rest_port} --grpc-listen 127.0.0.1:{grpc_port}"
    command = ["make", "run", f"ARGS={options}"]
    print("$", shlex.join(command), flush=True)
    # A group of its own, so that the interrupt below reaches what a terminal's Ctrl-C would reach.
    server = subprocess.Popen(command, cwd=clone, env=environment, stdin=subprocess.DEVNULL, process_group=0)
    try:
        _wait_until_healthy(server, f"http://127.0.0.1:{rest_port}/health")
        _check_curl(rest_port)
        _check_stub(clone, environment, grpc_port)
        os.killpg(server.pid, signal.SIGINT)
        try:
            server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise CheckFailed(f"make run did not end within {STOP_TIMEOUT_S} s of Ctrl-C") from None
        for port in (rest_port, grpc_port):
            if _accepts(port):
                raise CheckFailed(f"something still listens on port {port} after Ctrl-C")
    finally:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def _check_curl(port: int) -> None:
    body = json.dumps({"prompt": "The capital of France is", "n_predict": 8})
    command = ["curl", "--silent", "--show-error", "--fail-with-body", f"http://127.0.0.1:{port}/completion"]
    command += ["--header", "Content-Type: application/json", "--data", body]
    answer = _output(command)
    if not json.loads(answer)["content"].strip():
        raise CheckFailed(f"the completion is empty: {answer}")


def _check_stub(clone: Path, environment: Mapping[str, str], port: int) -> None:
    text = _output([str(clone / ".venv/bin/python"), "-c", STUB_CALL, f"127.0.0.1:{port}"], environment)
    if not text.strip():
        raise CheckFailed("the stub's Generate call gave no text")


def _check_test(clone: Path, environment: Mapping[str, str]) -> None:
    print("$ .ci/run", flush=True)
    outcome = subprocess.run([clone / ".ci/run"], cwd=clone, env=environment, stdin=subprocess.DEVNULL, check=False)
    if outcome.returncode:
        raise CheckFailed(f".ci/run ended with exit code {outcome.returncode}")


def _output(command: list[str], environment: Mapping[str, str] | None = None) -> str:
    """Runs a command, shows its output and returns it."""
    print("$", shlex.join(command), flush=True)
    outcome = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    print(outcome.stdout, flush=True)
    if outcome.returncode:
        raise CheckFailed(f"{command[0]} ended with exit code {outcome.returncode}")
    return outcome.stdout


def _wait_until_healthy(server: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + INSTALL_TIMEOUT_S
    answer = "nothing yet"
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise CheckFailed(f"make run ended with exit code {server.returncode} before it served")
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                answer = response.read().decode()
            if json.loads(answer)["status"] == "ok":
                print(f"{url}: {answer}", flush=True)
                return
        except urllib.error.HTTPError as error:
            answer = f"{error.code} {error.read().decode()}"
        except OSError as error:
            answer = str(error)
        time.sleep(0.2)
    raise CheckFailed(f"{url} was not ok within {INSTALL_TIMEOUT_S} s; last answer: {answer}")


def _free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens on at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [listener.getsockname()[1] for listener in sockets]
    for listener in sockets:
        listener.close()
    return ports


def _accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except ConnectionRefusedError:
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
