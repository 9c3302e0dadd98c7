"""The processes in which chat templates run; ``service.prompts.renderer`` says why there are any."""

from __future__ import annotations

import contextlib
import json
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.errors import Draining
from service.prompts.work import Abandoned

if TYPE_CHECKING:
    from service.prompts.work import Work

PROGRAM = Path(__file__).with_name("template_worker.py")
#: Signals that a rendering brings upon its own process; a second try would end in the same way.
_OWN_DEATHS = {-signal.SIGPROF, -signal.SIGSEGV, -signal.SIGBUS, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGILL}


class TemplateFailure(Exception):
    """A template could not be compiled or rendered; the text says why."""


class TemplateKilled(TemplateFailure):
    """A rendering took so much that it ended its process."""


class ProcessLost(Exception):
    """A worker's process was lost for a reason that lies outside the request; the text says how."""


class TemplateWorker:
    """A worker: one process at a time, started when needed and replaced after it died.

    Used by one thread at a time, except for ``interrupt`` and ``close``.

    Args:
        program: arguments of ``template_worker.py``.
        setup: what it is to compile, as that program expects it.
        cpu_limit_s: CPU time of one rendering, for messages.
    """

    def __init__(self, program: list[str], setup: dict[str, Any], cpu_limit_s: float) -> None:
        self._program = program
        self._setup = setup
        self._cpu_limit_s = cpu_limit_s
        self._process: WorkerProcess | None = None
        self._is_closed = False
        self._lock = threading.Lock()

    @property
    def pid(self) -> int | None:
        """The process; None while there is none."""
        process = self._process
        return None if process is None else process.pid

    def start(self) -> None:
        """Start the process unless it runs, and compile the template in it.

        Raises:
            TemplateFailure: the template does not compile.
            ProcessLost: there is no process.
            Draining: it was closed.
        """
        if self._process is not None:
            return
        with self._lock:
            if self._is_closed:
                raise Draining
            try:
                self._process = WorkerProcess(self._program)
            except OSError as error:
                raise ProcessLost(f"the process that renders chat templates does not start: {error}") from error
        try:
            self._ask({"compile": self._setup})
        except TemplateFailure:
            self._end_process()
            raise

    def render(self, variables: dict[str, Any], work: Work) -> str:
        """Render with these variables; raises TemplateFailure, Abandoned, or what ``start`` raises."""
        self.start()
        if work.is_abandoned:  # before there was a process to interrupt
            raise Abandoned
        return self._ask({"render": variables})

    def interrupt(self) -> None:
        """End what the process does, and the process; any thread."""
        process = self._process
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End the process for good."""
        with self._lock:
            self._is_closed = True
        self._end_process()

    def _ask(self, request: dict[str, Any]) -> str:
        process = self._process
        reply = process.exchange(request) if process is not None else None
        if reply is None:
            status = self._end_process()
            if self._is_closed:
                raise Draining
            raise self._failure(status)
        if "error" in reply:
            raise TemplateFailure(reply["error"])
        return reply["text"]

    def _end_process(self) -> int:
        process, self._process = self._process, None
        return process.end() if process is not None else 0

    def _failure(self, status: int) -> TemplateFailure | ProcessLost:
        if status == -signal.SIGPROF:
            return TemplateKilled(f"the chat template takes more than {self._cpu_limit_s:g} s of CPU time")
        how = f"the process that renders the chat template ended with status {status}"
        return TemplateKilled(how) if status in _OWN_DEATHS else ProcessLost(how)


class WorkerProcess:
    """A running ``template_worker``."""

    def __init__(self, arguments: list[str]) -> None:
        # -I: neither the environment nor the working directory may change what the program imports.
        self._popen = subprocess.Popen(
            [sys.executable, "-I", str(PROGRAM), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
        )
        assert self._popen.stdin is not None
        assert self._popen.stdout is not None
        self._stdin, self._stdout = self._popen.stdin, self._popen.stdout

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def exchange(self, request: dict[str, Any]) -> dict[str, str] | None:
        """Send a request and wait for the reply, None if the process died over it."""
        try:
            self._stdin.write(json.dumps(request).encode() + b"\n")
            self._stdin.flush()
            line = self._stdout.readline()
        except (OSError, ValueError):  # broken by the process's death, or closed by ``end`` in another thread
            return None
        if not line.endswith(b"\n"):
            return None
        reply: dict[str, str] = json.loads(line)
        return reply

    def kill(self) -> None:
        """End what it does; ``end`` comes later."""
        self._popen.kill()

    def end(self) -> int:
        """End the process, unless it has ended by itself, and return its status: negative for a signal."""
        self._popen.kill()  # changes nothing about a process that is already dying of something else
        status = self._popen.wait()
        with contextlib.suppress(OSError):
            self._stdin.close()
        self._stdout.close()
        return status
