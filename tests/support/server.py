"""Real server processes for tests: started on free ports, read line by line, and always taken down again."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

SLOTLINE = (sys.executable, "-P", "-m", "slotline.cli")
"""The ``slotline`` command of the Python that runs the tests."""

# Machines that run tests are slow and busy; nothing waits this long when all is well.
PATIENCE_S = 60.0


class NotSeen(AssertionError):
    """What a test waited for did not happen; the text holds what the process printed."""


class RunningProcess:
    """A process in a group of its own whose output is collected while it runs.

    Use it as a context manager: whatever is left of its group at the end is killed.

    Args:
        arguments: its command line.
        environment: variables that are added to ours.

    Attributes:
        records: the JSON objects that it printed on stdout.
    """

    def __init__(self, arguments: Iterable[str], *, environment: dict[str, str] | None = None) -> None:
        self.records: list[dict[str, Any]] = []
        self._stdout: list[str] = []
        self._stderr: list[str] = []
        self._changed = threading.Condition()
        self._popen = subprocess.Popen(
            list(arguments),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, **(environment or {})},
            process_group=0,
        )
        assert self._popen.stdout is not None
        assert self._popen.stderr is not None
        self._readers = [
            threading.Thread(target=self._read, args=(self._popen.stdout, self._stdout), daemon=True),
            threading.Thread(target=self._read, args=(self._popen.stderr, self._stderr), daemon=True),
        ]
        for reader in self._readers:
            reader.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._popen.pid

    @property
    def stdout(self) -> str:
        """What it printed on stdout so far."""
        with self._changed:
            return "".join(self._stdout)

    @property
    def stderr(self) -> str:
        """What it printed on stderr so far."""
        with self._changed:
            return "".join(self._stderr)

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to the process alone, not to its group."""
        self._popen.send_signal(signum)

    def wait(self, timeout_s: float = PATIENCE_S) -> int:
        """Wait for its end and for the end of its output; its exit status, negative for a signal."""
        try:
            status = self._popen.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise NotSeen(f"the process did not end within {timeout_s:g} s\n{self.transcript()}") from None
        for reader in self._readers:
            reader.join(timeout_s)
        return status

    def wait_until(self, what: str, condition: Callable[[], bool], timeout_s: float = PATIENCE_S) -> None:
        """Wait until the output makes ``condition`` true; it is looked at after every line."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not condition():
                is_over = not any(reader.is_alive() for reader in self._readers)
                if is_over or not self._changed.wait(max(0.0, deadline - time.monotonic())):
                    if condition():
                        return
                    raise NotSeen(f"not seen: {what}\n{self.transcript()}")

    def wait_for_record(self, msg: str, *, number: int = 1, **fields: object) -> dict[str, Any]:
        """Wait for the ``number``-th log record with this message and these fields."""
        found: list[dict[str, Any]] = []

        def is_there() -> bool:
            found[:] = [
                record
                for record in self.records
                if record.get("msg") == msg and all(record.get(key) == value for key, value in fields.items())
            ]
            return len(found) >= number

        self.wait_until(f"log record {msg!r} {fields or ''} number {number}", is_there)
        return found[number - 1]

    def wait_for_stderr(self, text: str) -> None:
        """Wait until ``text`` has been printed on stderr."""
        self.wait_until(f"{text!r} on stderr", lambda: text in "".join(self._stderr))

    def transcript(self) -> str:
        """All output so far, for messages."""
        return f"--- stdout of {self.pid}\n{self.stdout}--- stderr of {self.pid}\n{self.stderr}---"

    def __enter__(self) -> RunningProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._popen.poll() is None:
                self._popen.terminate()
                try:
                    self._popen.wait(10)
                except subprocess.TimeoutExpired:
                    os.killpg(self._popen.pid, signal.SIGKILL)
        finally:
            self._popen.wait(PATIENCE_S)
            for reader in self._readers:
                reader.join(PATIENCE_S)
            for stream in (self._popen.stdout, self._popen.stderr):
                assert stream is not None
                stream.close()

    def _read(self, stream: IO[bytes], lines: list[str]) -> None:
        for raw in stream:
            line = raw.decode(errors="replace")
            with self._changed:
                lines.append(line)
                if lines is self._stdout and line.startswith("{"):
                    self.records.append(json.loads(line))
                self._changed.notify_all()
        with self._changed:
            self._changed.notify_all()


class Server(RunningProcess):
    """``slotline serve`` on free ports::

        with Server("-c", "2048", "-np", "4") as server:
            server.wait_until_ready()
            requests.get(f"{server.rest_url}/health")

    Args:
        options: options of ``serve`` beside those for the ports; log records must stay in JSON.
        environment: variables that are added to ours.
    """

    def __init__(self, *options: str, environment: dict[str, str] | None = None) -> None:
        # One thread: several that wait for each other at every step crawl when the machine is busy with other tests.
        usual = ("--port", "0", "--grpc-listen", "127.0.0.1:0", "-t", "1")
        super().__init__((*SLOTLINE, "serve", *usual, *options), environment=environment)

    @property
    def rest_url(self) -> str:
        """Where REST listens, without a slash at the end. Waits until it does."""
        record = self.wait_for_record("HTTP server listening")
        return f"http://{record['hostname']}:{record['port']}"

    @property
    def grpc_address(self) -> str:
        """Where gRPC listens, or will as soon as the core has started."""
        addresses: list[str] = self.wait_for_record("gRPC addresses")["addresses"]
        return addresses[0]

    def core_pid(self, life: int = 1) -> int:
        """Process id of the core's first, second, ... life. Waits until it has begun."""
        pid: int = self.wait_for_record("core started", number=life)["pid"]
        return pid

    def wait_until_ready(self) -> None:
        """Wait until the first core serves."""
        self.wait_for_stderr(" is ready\n")

    def wait_until_ready_again(self, times: int = 1) -> None:
        """Wait until a core that was started again serves."""
        self.wait_for_record("core is ready again", number=times)

    def __enter__(self) -> Server:
        return self
