"""An adapter in front of the core without a model."""

from __future__ import annotations

import contextlib
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.processes import free_port, running

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class RunningAdapter:
    """A running adapter: its process id and port."""

    pid: int
    port: int

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"


@contextlib.contextmanager
def adapter_before_paced_core(step_ms: float) -> Iterator[RunningAdapter]:
    """Run both, as processes; the core's steps are ``step_ms`` apart.

    Raises:
        BenchError: one of them does not start.
    """
    with tempfile.TemporaryDirectory(prefix="slotline-bench-") as directory:
        address = f"unix:{Path(directory) / 'core'}"
        core = [sys.executable, "-m", "bench.harness.paced_core", address, str(step_ms)]
        port = free_port()
        rest = [sys.executable, "-m", "slotline.cli", "rest", "--core", address, "--port", str(port)]
        with running("paced core", core), running("slotline rest", rest) as server:
            adapter = RunningAdapter(server.pid, port)
            server.wait_for_health(f"{adapter.url}/health")
            yield adapter
