"""Starts the scripted cores of a file of cases: ``python -m tests.clients.cores --cases FILE --port-file FILE``.

Writes the port file once all of them listen, and ends with SIGTERM, or when its standard input is closed. README.md
says what both files hold.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import signal
import sys
import tempfile
import threading
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.api.server.core_server import CoreServer
from service.config import CoreConfig, ModelConfig
from service.errors import ModelFailed
from service.llama.loader import load
from service.model_facts import AdapterInfo
from tests.clients.relay import start_relay
from tests.clients.script import script
from tests.support.certificates import Authority
from tests.support.minilm_gguf import write_tiny_encoder
from tests.support.scripted_core import load_scripted
from tests.support.tiny_ranker import RANKER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from service.api.served_model import LoadedModel

#: A core as a file of cases describes it.
Plan = dict[str, Any]
_ANY_PORT = "127.0.0.1:0"
#: Tokens of context of a slot.
N_CTX_SLOT = 2048


class Cores:
    """Cores in this process, and in processes of their own.

    Args:
        cases: the file that describes them.
        directory: for sockets and certificates.
        addresses: where some of them listen, by name; the others take any port.

    Attributes:
        targets: where they listen, by name; complete after ``start``.
        tls: files for clients.
    """

    def __init__(self, cases: Path, directory: Path, addresses: Mapping[str, str]) -> None:
        self.targets: dict[str, str] = {}
        self._cases = cases
        self._directory = directory
        self._addresses = addresses
        self._authority = Authority(directory)
        self._server = self._authority.issue("server")
        mine, others = self._authority.issue("client"), Authority(directory, "other").issue("client")
        self.tls = {"ca": self._authority.ca, "cert": mine.cert, "key": mine.key}
        self.tls |= {"other_cert": others.cert, "other_key": others.key}
        self._stop: list[Callable[[], Any]] = []
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self, plans: Mapping[str, Plan], *, is_child: bool) -> None:
        """Start them all; those that load listen, the others serve."""
        for name, plan in plans.items():
            if plan.get("process") and not is_child:
                await self._start_process(name)
            else:
                self.targets[name] = await self._start_core(name, plan, is_mortal=is_child)

    async def stop(self) -> None:
        """Stop them all."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(stop() for stop in self._stop))

    async def _start_core(self, name: str, plan: Plan, *, is_mortal: bool) -> str:
        address = self._addresses.get(name, _ANY_PORT)
        is_behind_relay = bool(plan.get("faults"))
        listen = f"unix:{self._directory / name}.sock" if is_behind_relay else address
        server = CoreServer(self._config(plan, listen), load=_LOADS[plan.get("load", "scripted")])
        await server.start()
        self._stop.append(server.stop)
        await _until_settled(server, plan)
        if not is_behind_relay:
            return server.addresses[0]
        relay, port = await start_relay(listen, address, is_mortal=is_mortal)
        self._stop.insert(0, partial(relay.stop, None))
        return f"127.0.0.1:{port}"

    def _config(self, plan: Plan, listen: str) -> CoreConfig:
        slots, tls = plan.get("slots", 2), plan.get("tls")
        n_ctx = slots * N_CTX_SLOT
        return CoreConfig(
            model=ModelConfig(
                path=self._model_of(plan), n_ctx=n_ctx, n_parallel=slots, embedding=plan.get("embedding", True)
            ),
            alias="scripted",
            listen=(listen,),
            api_keys=tuple(plan.get("api_keys", ())),
            max_queue=plan.get("max_queue"),
            grpc_tls_cert=str(self._server.cert) if tls else None,
            grpc_tls_key=str(self._server.key) if tls else None,
            grpc_client_ca=str(self._authority.ca) if tls == "mutual" else None,
        )

    def _model_of(self, plan: Plan) -> str:
        """The file of a core's model, which is there only if something reads it."""
        if plan.get("load") != "ranker":
            return "/models/scripted.gguf"
        return str(write_tiny_encoder(self._directory / "ranker.gguf", RANKER))

    async def _start_process(self, name: str) -> None:
        started = asyncio.Event()
        self._tasks.append(asyncio.create_task(self._keep_running(name, started)))
        await started.wait()

    async def _keep_running(self, name: str, started: asyncio.Event) -> None:
        """Run a core in a process, and whenever it has ended another one at the same address."""
        while True:
            ports = self._directory / f"{name}.json"
            ports.unlink(missing_ok=True)
            arguments = ["--cases", str(self._cases), "--port-file", str(ports), "--only", name]
            arguments += ["--address", self.targets.get(name, _ANY_PORT)]
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", "tests.clients.cores", *arguments, stdin=asyncio.subprocess.PIPE
            )
            try:
                while not ports.exists() and process.returncode is None:
                    await asyncio.sleep(0.01)
                if ports.exists():
                    self.targets |= json.loads(ports.read_text())["cores"]
                    started.set()
                await process.wait()
            finally:
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
                await process.wait()


def _load_never(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
    while on_progress(0.5):
        threading.Event().wait(0.05)
    raise ModelFailed("loading was given up")


def _load_fails(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
    raise ModelFailed("the file is no model")


#: Loads of models that come to an end.
_READY = {
    "scripted": load_scripted(script),
    "adapted": load_scripted(script, adapters=(AdapterInfo("/models/adapter.gguf", "aa", 1000.0),)),
    "ranker": load,
}
_LOADS = {**_READY, "never": _load_never, "fails": _load_fails}


async def _until_settled(server: CoreServer, plan: Plan) -> None:
    while plan.get("load") != "never" and server.core.status().load_progress < 1 and not server.core.status().message:
        await asyncio.sleep(0.005)
    while plan.get("load", "scripted") in _READY and server.core.status().state.name != "READY":
        await asyncio.sleep(0.005)


async def _until_told(stop: asyncio.Event) -> None:
    """Wait for a signal, or for the end of standard input: then whoever started this is gone."""
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)

    def watch_input() -> None:
        sys.stdin.buffer.read()
        loop.call_soon_threadsafe(stop.set)

    threading.Thread(target=watch_input, daemon=True).start()
    await stop.wait()


async def _run(arguments: argparse.Namespace) -> None:
    plans: dict[str, Plan] = json.loads(arguments.cases.read_text())["cores"]
    addresses, parent = {}, Path("/tmp")
    if arguments.only:
        plans = {arguments.only: plans[arguments.only]}
        addresses = {arguments.only: arguments.address}
        # A core that is killed leaves its directory to whoever started it.
        parent = arguments.port_file.parent
    with tempfile.TemporaryDirectory(prefix="slt-", dir=parent) as directory:
        cores = Cores(arguments.cases, Path(directory), addresses)
        try:
            await cores.start(plans, is_child=bool(arguments.only))
            ports = {"cores": cores.targets, "tls": {name: str(file) for name, file in cores.tls.items()}}
            _write_whole(arguments.port_file, json.dumps(ports, indent=1))
            await _until_told(asyncio.Event())
        finally:
            await cores.stop()


def _write_whole(path: Path, text: str) -> None:
    """Write a file so that nobody sees a part of it."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.rename(path)


def main() -> None:
    """Run the cores until told to stop."""
    parser = argparse.ArgumentParser(description="Start the scripted cores of a file of cases.")
    parser.add_argument("--cases", type=Path, default=Path(__file__).with_name("cases.json"))
    parser.add_argument("--port-file", type=Path, required=True, help="written once all cores listen")
    parser.add_argument("--only", help="start only the core of this name")
    parser.add_argument("--address", default=_ANY_PORT, help="where that one listens")
    asyncio.run(_run(parser.parse_args()))


if __name__ == "__main__":
    main()
