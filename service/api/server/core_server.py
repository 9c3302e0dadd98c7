"""The core as a server: listeners, standard health, reflection, signals, drain, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import grpc.aio
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from service.api.core.core import Core, EngineFactory, Load
from service.api.guard.auth import ApiKeyInterceptor
from service.api.guard.system_prompt_guard import SystemPromptGuard
from service.api.guard.tenants import Tenants
from service.api.listen.addresses import (
    AddressBusy,
    ListenError,
    UnixAddress,
    UnixSocketGuard,
    check_tcp,
    parse_address,
)
from service.api.listen.connections import ConnectionLimits, common_options, network_options
from service.api.rpc.decoding import DecodingInterceptor
from service.api.served_model import Limits, LoadedModel
from service.api.server.reflection import enable_reflection
from service.api.servicers.inference_servicer import InferenceServicer
from service.api.servicers.model_servicer import ModelServicer
from service.api.status import CoreState
from service.engine.thread import EngineThread
from service.errors import ServiceError
from slotline.v1 import (
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
)

if TYPE_CHECKING:
    from service.config import CoreConfig, ModelConfig

logger = logging.getLogger(__name__)

#: Standard health knows these names; the empty one is the server as a whole.
SERVICES = (
    inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
)
#: The engine thread gives the GIL up for most of a step. When it wants it back, it must not wait 5 ms, the default.
SWITCH_INTERVAL_S = 0.0005
#: A message may carry more than a prompt of the largest size, and an oversized one should reach the check that says so.
RECEIVE_FACTOR = 4
#: Some programs, timeout(1) among them, signal a process and then its group, and so the same request comes twice.
SAME_REQUEST_S = 0.1
#: What the transport gets to flush after the last handler; health watchers are cut off then.
TRANSPORT_STOP_S = 0.5


class Watcher(Protocol):
    """Is told, on the event loop, how a core goes; must not block."""

    def refused(self, reason: str) -> None:
        """It cannot listen where it should, or a setting is wrong; the process ends."""

    def listening(self, addresses: Sequence[str]) -> None:
        """It listens there and begins to load the model."""

    def ready(self) -> None:
        """It serves."""

    def failed(self, message: str) -> None:
        """The model cannot be served."""

    def stopping(self, *, is_ready: bool) -> None:
        """It was asked to stop."""


def load_llama(config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
    """Load a model with llama.cpp."""
    from service.llama.loader import load  # binds the native library, which must not delay the listeners

    return load(config, on_progress=on_progress)


def run_core(
    config: CoreConfig,
    *,
    load: Load = load_llama,
    is_supervised: bool = False,
    watcher: Watcher | None = None,
    ready_file: Path | None = None,
) -> int:
    """Run a core until a signal or a fault ends it, and return the exit code.

    The first SIGTERM or SIGINT drains: new requests are refused, running ones may go on for
    ``config.drain_timeout_s``. A second one ends the process at once, with code 1. Returns 0 after a drain, 1 if an
    address cannot be listened on or the engine died. A model that cannot be loaded ends nothing: the state is FAILED.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        is_supervised: whether a parent passes signals on, and kills when it is told to insist. Then a second signal
            means nothing: service managers signal parent and child, and so the same request comes twice.
        watcher: is told how it goes, besides the log.
        ready_file: made before anybody is told that the core serves, so that a supervisor learns of it even if the core
            dies at once.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    code, is_clean = asyncio.run(_run(config, load, is_supervised, watcher, ready_file))
    if not is_clean:
        # The engine's thread is inside the library, whose destructors must not run under it.
        logging.shutdown()
        os._exit(code)
    return code


class CoreServer:
    """A core with its gRPC server, on one event loop.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        make_engine: makes the engine.
        limits: bounds on one request.
        connections: bounds on what the network may hold open.
        watcher: is told how it goes.
        ready_file: made before anybody is told that the core serves.

    Attributes:
        core: what the servicers stand on.
        addresses: where it listens, with real ports; known after ``start``.

    Raises:
        InvalidArgument: ``config.chat_template`` is neither Jinja nor a known name.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        load: Load = load_llama,
        make_engine: EngineFactory = EngineThread,
        limits: Limits | None = None,
        connections: ConnectionLimits | None = None,
        watcher: Watcher | None = None,
        ready_file: Path | None = None,
    ) -> None:
        self._config = config
        self._ready_file = ready_file
        self._watcher = watcher
        limits = limits or Limits()
        self.core = Core(config, load=load, make_engine=make_engine, on_state=self._publish_state, limits=limits)
        self.addresses: tuple[str, ...] = ()
        self._max_receive_bytes = RECEIVE_FACTOR * limits.max_prompt_bytes
        engine = config.engine
        self._connections = (connections or ConnectionLimits()).with_requests(engine.n_slots + engine.max_queue)
        self._guards: list[UnixSocketGuard] = []
        self._was_ready = False

    async def start(self) -> None:
        """Listen, then begin to load the model. Health is NOT_SERVING until it is loaded.

        Raises:
            ListenError: a mandatory address cannot be listened on; nothing is left behind.
        """
        keys = self._config.all_keys
        tenants = Tenants(keys, self._config.adapter_key)
        n_addresses = len(self._config.listen) + len(self._config.optional_listen)
        limits = self._connections.within_files(n_addresses)
        guards = [ApiKeyInterceptor(keys)] if keys else []
        interceptors = [*guards, DecodingInterceptor()]
        options = common_options(limits, max_receive_bytes=self._max_receive_bytes)
        self._local = grpc.aio.server(interceptors=interceptors, options=options)
        self._network = grpc.aio.server(
            interceptors=interceptors,
            options=(*options, *network_options(limits)),
            maximum_concurrent_rpcs=limits.max_calls,
        )
        self._health = health.aio.HealthServicer()
        inference = InferenceServicer(self.core, tenants, self._system_prompt_guard())
        models = ModelServicer(self.core, tenants)
        for server in (self._local, self._network):
            inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(inference, server)
            model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            enable_reflection([*SERVICES, health.SERVICE_NAME], server)
        await self._publish_state(self.core.state)
        try:
            self.addresses = tuple(self._bind_all())
            await self._network.start()
            await self._local.start()
            for guard in self._guards:
                guard.restrict()
        except BaseException:
            await self._close_listeners(grace_s=None)
            raise
        for address in self.addresses:
            logger.info("gRPC server listening", extra={"address": address})
        if self._watcher is not None:
            self._watcher.listening(self.addresses)
        self.core.start()

    async def drain(self) -> None:
        """Refuse new requests and let the admitted ones finish, for at most ``config.drain_timeout_s``."""
        logger.info("draining", extra={"timeout_s": self._config.drain_timeout_s})
        if self._watcher is not None:
            self._watcher.stopping(is_ready=self.core.state is CoreState.READY)
        await self.core.drain(self._config.drain_timeout_s)

    async def stop(self) -> bool:
        """End running requests as cancelled, then everything else. Returns whether the engine's thread has ended."""
        is_clean = await self.core.stop()
        await self._close_listeners(TRANSPORT_STOP_S)
        logger.info("stopped")
        return is_clean

    def _bind_all(self) -> list[str]:
        addresses = [self._bind(text) for text in self._config.listen]
        for text in self._config.optional_listen:
            try:
                addresses.append(self._bind(text))
            except AddressBusy as error:
                logger.warning("going on without a gRPC address", extra={"reason": str(error)})
        if not addresses:
            raise ListenError("there is no address to listen on; give one that is free")
        return addresses

    def _bind(self, text: str) -> str:
        """Bind one address and return it with its real port."""
        address = parse_address(text)
        try:
            if isinstance(address, UnixAddress):
                self._guards.append(UnixSocketGuard(address))
                self._local.add_insecure_port(str(address))
                return str(address)
            check_tcp(address)
            return str(replace(address, port=self._network.add_insecure_port(str(address))))
        except RuntimeError as error:
            raise ListenError(f"cannot listen on {address}: {error}") from error

    def _system_prompt_guard(self) -> SystemPromptGuard:
        config = self._config
        return SystemPromptGuard(
            (*config.listen, *config.optional_listen),
            has_keys=bool(config.all_keys),
            is_off=config.allow_system_prompt,
        )

    async def _close_listeners(self, grace_s: float | None) -> None:
        await asyncio.gather(self._network.stop(grace_s), self._local.stop(grace_s))
        while self._guards:
            self._guards.pop().close()

    async def _publish_state(self, state: CoreState) -> None:
        """Tell standard health."""
        if state is CoreState.READY and self._ready_file is not None:
            # Before anything else is awaited: until then no call is answered.
            self._ready_file.touch()
        serving = health_pb2.HealthCheckResponse.SERVING
        status = serving if state is CoreState.READY else health_pb2.HealthCheckResponse.NOT_SERVING
        for service in ("", *SERVICES):
            await self._health.set(service, status)
        if self._watcher is not None and state is CoreState.READY and not self._was_ready:
            self._watcher.ready()
        self._was_ready |= state is CoreState.READY
        if self._watcher is not None and state is CoreState.FAILED:
            self._watcher.failed(self.core.status().message)


async def _run(
    config: CoreConfig, load: Load, is_supervised: bool, watcher: Watcher | None, ready_file: Path | None
) -> tuple[int, bool]:
    """Run until the end; returns the exit code and whether the engine's thread has ended."""
    stop = StopRequest(is_supervised=is_supervised)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.on_signal)
    try:
        server = CoreServer(with_known_context(config), load=load, watcher=watcher, ready_file=ready_file)
        await server.start()
    except (ListenError, ServiceError) as error:
        logger.error("the server cannot start", extra={"reason": str(error)})
        if watcher is not None:
            watcher.refused(str(error))
        return 1, True
    died = asyncio.ensure_future(server.core.has_died.wait())
    stopped = asyncio.ensure_future(stop.requested.wait())
    await asyncio.wait([died, stopped], return_when=asyncio.FIRST_COMPLETED)
    if stopped.done():
        await server.drain()
    is_clean = await server.stop()
    code = 1 if died.done() else 0
    for waiting in (died, stopped):
        waiting.cancel()
    return code, is_clean


class StopRequest:
    """The signals that stop a core: the first asks, the second insists.

    Args:
        is_supervised: whether only the first one counts.
        clock: monotonic seconds.
        give_up: ends the process at once.

    Attributes:
        requested: set by the first signal.
    """

    def __init__(
        self,
        *,
        is_supervised: bool,
        clock: Callable[[], float] = time.monotonic,
        give_up: Callable[[], None] | None = None,
    ) -> None:
        self.requested = asyncio.Event()
        self._clock = clock
        self._give_up = give_up or _exit_at_once
        self._is_supervised = is_supervised
        self._requested_s = 0.0

    def on_signal(self) -> None:
        """Take a signal."""
        now_s = self._clock()
        if not self.requested.is_set():
            self._requested_s = now_s
            self.requested.set()
        elif not self._is_supervised and now_s - self._requested_s > SAME_REQUEST_S:
            self._give_up()


def _exit_at_once() -> None:
    logger.warning("second signal, terminating immediately")
    logging.shutdown()
    os._exit(1)


def with_known_context(config: CoreConfig) -> CoreConfig:
    """The configuration with a context size of 0 replaced by what the model file says."""
    if config.model.n_ctx:
        return config
    from service.llama.files.preflight import check_model_file

    # A file that cannot be read is found again by loading it, which ends in state FAILED with the same text.
    with contextlib.suppress(ServiceError):
        facts = check_model_file(config.model)
        return replace(config, model=replace(config.model, n_ctx=facts.n_ctx_train))
    return config
