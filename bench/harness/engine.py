"""The engine thread alone, driven from here: what the service could do if transport and clients cost nothing."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.load import Job, StreamTiming
from bench.harness.processes import server_environment

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from bench.settings import Settings

_LOAD_TIMEOUT_S = 120.0


class EngineProcess:
    """The engine in a process of its own; made by ``engine_process``."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    async def wait_until_ready(self) -> None:
        """Wait for the model.

        Raises:
            BenchError: it could not be loaded.
        """
        async with asyncio.timeout(_LOAD_TIMEOUT_S):
            await self._read_line()

    async def run_together(self, jobs: Sequence[Job]) -> list[StreamTiming]:
        """Run all jobs at the same time; times are those of the engine thread.

        Raises:
            BenchError: the process ended, or a job generated another number of tokens than asked for.
        """
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([dataclasses.asdict(job) for job in jobs]).encode() + b"\n")
        await self._process.stdin.drain()
        timings = [StreamTiming(**timing) for timing in json.loads(await self._read_line())]
        if any(timing.n_tokens != job.n_tokens for timing, job in zip(timings, jobs, strict=True)):
            raise self._failure("a request did not generate all its tokens")
        return timings

    async def _read_line(self) -> bytes:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            raise self._failure("ended early")
        return line

    def _failure(self, what: str) -> BenchError:
        tail = self._log.read_text(errors="replace").splitlines()[-15:]
        return BenchError("\n  ".join([f"engine: {what}; its last output:", *tail]))


@contextlib.asynccontextmanager
async def engine_process(settings: Settings) -> AsyncIterator[EngineProcess]:
    """The engine, started but perhaps not ready; ended with the context."""
    command = [sys.executable, "-m", "bench.harness.engine_worker", str(settings.model)]
    command += [str(settings.n_ctx), str(settings.n_slots), str(settings.threads)]
    with tempfile.TemporaryDirectory(prefix="slotline-bench-") as directory:
        log = Path(directory) / "log"
        with log.open("wb") as errors:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=errors,
                env=server_environment(),
                process_group=0,
            )
        try:
            yield EngineProcess(process, log)
        finally:
            if process.returncode is None:
                # It holds nothing worth an orderly end.
                process.kill()
            await process.wait()
