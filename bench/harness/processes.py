"""Servers as child processes: started on loopback, waited for, and stopped by process id."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_POLL_S = 0.02
_STOP_TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A running server.

    Attributes:
        name: what to call it in messages.
        process: the child; it may have children of its own.
        started: ``time.perf_counter()`` just before it was started.
        log: file that receives its output.
    """

    name: str
    process: subprocess.Popen[bytes]
    started: float
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    def failure(self, what: str) -> BenchError:
        """An error that quotes the end of its output."""
        tail = self.log.read_text(errors="replace").splitlines()[-15:]
        return BenchError("\n  ".join([f"{self.name}: {what}; its last output:", *tail]))

    def wait_for_health(self, url: str, timeout_s: float = 120.0) -> float:
        """Poll ``url`` until it answers 200; returns ``time.perf_counter()`` of that moment.

        Raises:
            BenchError: the process ended or the time is over.
        """
        deadline = time.perf_counter() + timeout_s
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise self.failure(f"ended with exit code {self.process.returncode} before it was ready")
            try:
                with urllib.request.urlopen(url, timeout=5) as response:
                    if response.status == 200:
                        return time.perf_counter()
            except (urllib.error.URLError, ConnectionError, TimeoutError):
                pass  # Not listening yet, or answering that the model is still being loaded.
            time.sleep(_POLL_S)
        raise self.failure(f"not ready at {url} within {timeout_s:.0f} s")

    def wait_for_port(self, port: int, timeout_s: float = 120.0) -> float:
        """Poll until the port accepts a connection; returns ``time.perf_counter()`` of that moment.

        Raises:
            BenchError: the process ended or the time is over.
        """
        deadline = time.perf_counter() + timeout_s
        while time.perf_counter() < deadline:
            if self.process.poll() is not None:
                raise self.failure(f"ended with exit code {self.process.returncode} before it listened")
            try:
                with socket.create_connection(("127.0.0.1", port), timeout=5):
                    return time.perf_counter()
            except OSError:
                time.sleep(_POLL_S)
        raise self.failure(f"port {port} not open within {timeout_s:.0f} s")


@contextlib.contextmanager
def running(name: str, command: Sequence[str]) -> Iterator[ServerProcess]:
    """Run a server; SIGTERM at the end, SIGKILL if that does not help. Options from the environment are left out."""
    with tempfile.TemporaryDirectory(prefix="slotline-bench-") as directory:
        log = Path(directory) / "log"
        process = None
        try:
            with log.open("wb") as output, _signals_wait():
                started = time.perf_counter()
                process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=server_environment(),
                    # A Ctrl-C is for the benchmark, which then stops its servers itself.
                    process_group=0,
                )
            yield ServerProcess(name, process, started, log)
        finally:
            if process is not None:
                _stop(process)


def server_environment() -> dict[str, str]:
    """The environment without variables that llama.cpp's programs would take as options."""
    return {name: value for name, value in os.environ.items() if not name.startswith("LLAMA_ARG_")}


def free_port() -> int:
    """A loopback TCP port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """Signals to stop take effect at the end: a child that nobody knows of yet would be left behind."""
    arrived: list[int] = []
    handlers = {
        number: signal.signal(number, lambda number, _: arrived.append(number))
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for late in arrived:
            signal.raise_signal(late)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(_STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            pass  # Killed below.
        finally:
            # Also after a second Ctrl-C, which ends the waiting.
            if process.poll() is None:
                process.kill()
                process.wait()
