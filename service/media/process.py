"""The process that encodes, as the core holds it: its start, its pipes, and its end."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.media.wire import line

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.media.wire import Control, Setup

#: The program by its name: nothing here imports what it imports.
PROGRAM = "service.llama.media.worker"
#: What glibc's allocator does: gives large blocks back at once, and reserves no address space for threads.
_ALLOCATOR = {"MALLOC_MMAP_THRESHOLD_": "1048576", "MALLOC_ARENA_MAX": "1"}
_PIPE_BYTES = 1 << 20
_LAST_WORDS_BYTES = 2000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
#: Fields of /proc/PID/stat behind the name: time in user mode and in the kernel.
_UTIME, _STIME = 11, 12


class ProcessEnded(Exception):
    """The process has ended."""


class WorkerProcess:
    """A running ``service.llama.media.worker``. Belongs to the thread that made it, and ends with that at the latest.

    Methods that wait for the process take ``attend``, which looks after it meanwhile: it is called first, then whenever
    ``wake`` was written to, and after as many seconds as it says.

    Args:
        setup: what it is to load.
        wake: an ``eventfd`` that does not block.

    Raises:
        OSError: it cannot be started.
    """

    def __init__(self, setup: Setup, wake: int) -> None:
        self._wake = wake
        controls, self._control_pipe = os.pipe()
        self._stderr = os.memfd_create("stderr")
        try:
            # -I: neither the environment nor the working directory may change what the program imports.
            self._popen = subprocess.Popen(
                [sys.executable, "-I", "-m", PROGRAM, str(controls)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._stderr,
                pass_fds=(controls,),
                env=os.environ | _ALLOCATOR,
                start_new_session=True,
            )
        except OSError:
            os.close(self._control_pipe)
            os.close(self._stderr)
            raise
        finally:
            os.close(controls)
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin.fileno(), self._popen.stdout.fileno()
        os.set_blocking(self._stdin, False)
        os.set_blocking(self._stdout, False)
        with contextlib.suppress(OSError):  # beyond what this user's pipes may hold together
            _enlarge_pipe(self._stdin)
            _enlarge_pipe(self._stdout)
        self._setup = setup.to_line()
        self._received = b""

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def greet(self, attend: Callable[[], float | None]) -> dict[str, Any]:
        """Send the setup and wait for the first message.

        Raises:
            ProcessEnded: it has ended.
        """
        self._write(self._setup, attend)
        return self.message(attend)

    def send(self, message: dict[str, Any], data: bytes, attend: Callable[[], float | None]) -> None:
        """Send a message and the bytes that follow it.

        Raises:
            ProcessEnded: it has ended.
        """
        self._write(line(message), attend)
        self._write(data, attend)

    def message(self, attend: Callable[[], float | None]) -> dict[str, Any]:
        """The next message.

        Raises:
            ProcessEnded: it has ended.
        """
        while b"\n" not in self._received:
            self._wait(self._stdout, select.POLLIN, attend)
            data = os.read(self._stdout, _PIPE_BYTES)
            if not data:
                raise ProcessEnded
            self._received += data
        text, _, self._received = self._received.partition(b"\n")
        message: dict[str, Any] = json.loads(text)
        return message

    def fill(self, target: memoryview, attend: Callable[[], float | None]) -> None:
        """Fill ``target`` with the bytes that follow a message.

        Raises:
            ProcessEnded: it has ended.
        """
        taken = self._received[: len(target)]
        target[: len(taken)] = taken
        self._received = self._received[len(taken) :]
        n_filled = len(taken)
        while n_filled < len(target):
            self._wait(self._stdout, select.POLLIN, attend)
            n_read = os.readv(self._stdout, [target[n_filled:]])
            if n_read == 0:
                raise ProcessEnded
            n_filled += n_read

    def wait_until_ended(self, attend: Callable[[], float | None]) -> None:
        """Wait until it ends, or ``attend`` raises; it has nothing to say meanwhile.

        Raises:
            ProcessEnded: it has ended.
        """
        self._wait(self._stdout, select.POLLIN, attend)
        raise ProcessEnded

    def control(self, control: Control) -> None:
        """Tell it something while it encodes."""
        with contextlib.suppress(OSError):  # it has ended
            os.write(self._control_pipe, control.to_bytes())

    def cpu_s(self) -> float:
        """Processor time that it has taken, in seconds."""
        try:
            fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            return 0.0
        return (int(fields[_UTIME]) + int(fields[_STIME])) / _TICKS_PER_S

    def kill(self) -> None:
        """End it now; ``end`` comes later."""
        self._popen.kill()

    def end(self) -> int:
        """End it, unless it has ended by itself, and return its status: negative for a signal. Only once."""
        self._popen.kill()  # changes nothing about a process that is already dying of something else
        status = self._popen.wait()
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        with contextlib.suppress(OSError):
            self._popen.stdin.close()
        self._popen.stdout.close()
        os.close(self._control_pipe)
        return status

    def last_words(self) -> str:
        """The last line that it has written to stderr, without folders of a build; behind ``end``, and only once."""
        start = max(0, os.fstat(self._stderr).st_size - _LAST_WORDS_BYTES)
        text = os.pread(self._stderr, _LAST_WORDS_BYTES, start).decode("utf-8", "replace")
        os.close(self._stderr)
        line = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        return line.rpartition("/vendor/")[2]

    def _write(self, data: bytes, attend: Callable[[], float | None]) -> None:
        rest = memoryview(data)
        while rest:
            self._wait(self._stdin, select.POLLOUT, attend)
            try:
                rest = rest[os.write(self._stdin, rest) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise ProcessEnded from None

    def _wait(self, descriptor: int, event: int, attend: Callable[[], float | None]) -> None:
        """Until a pipe is ready, or its other end closed."""
        poll = select.poll()
        poll.register(descriptor, event)
        poll.register(self._wake, select.POLLIN)
        while True:
            timeout_s = attend()
            ready = dict(poll.poll(None if timeout_s is None else max(0.0, timeout_s) * 1000))
            if self._wake in ready:
                with contextlib.suppress(BlockingIOError):
                    os.eventfd_read(self._wake)
            elif descriptor in ready:
                return


class StallWatch:
    """Notices that a process computes nothing although it should: it was stopped, or waits for ever.

    Args:
        process: the process.
        limit_s: seconds without any processor time after which that counts.
    """

    def __init__(self, process: WorkerProcess, limit_s: float) -> None:
        self._process = process
        self._limit_s = limit_s
        self._cpu_s = process.cpu_s()
        self._since_s = time.monotonic()

    def is_stalled(self) -> bool:
        """Whether it has computed nothing for so long."""
        cpu_s, now_s = self._process.cpu_s(), time.monotonic()
        if cpu_s > self._cpu_s:
            self._cpu_s, self._since_s = cpu_s, now_s
        return now_s - self._since_s > self._limit_s


def describe_end(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit code {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def _enlarge_pipe(descriptor: int) -> None:
    fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
