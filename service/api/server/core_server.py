"""A core with its gRPC services, standard health and reflection."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from service.api.core.core import Core
from service.api.guard.auth import ApiKeyInterceptor
from service.api.guard.system_prompt_guard import SystemPromptGuard
from service.api.guard.tenants import Tenants
from service.api.listen.connections import ConnectionLimits
from service.api.listen.tls import TlsFiles, tls_credentials
from service.api.rpc.decoding import decoding
from service.api.served_model import Limits
from service.api.server.listeners import Listeners
from service.api.server.llama import load_llama, make_encoder
from service.api.server.reflection import enable_reflection
from service.api.servicers.inference_servicer import InferenceServicer
from service.api.servicers.model_servicer import ModelServicer
from service.api.status import CoreState
from service.engine.thread import EngineThread
from slotline.v1 import (
    inference_service_pb2,
    inference_service_pb2_grpc,
    model_service_pb2,
    model_service_pb2_grpc,
)

if TYPE_CHECKING:
    from pathlib import Path

    import grpc

    from service.api.core.engine_driver import EngineFactory
    from service.api.core.loading import Load, MakeEncoder
    from service.api.server.watcher import Watcher
    from service.config import CoreConfig

logger = logging.getLogger(__name__)

#: Standard health knows these names; the empty one is the server as a whole.
SERVICES = (
    inference_service_pb2.DESCRIPTOR.services_by_name["InferenceService"].full_name,
    model_service_pb2.DESCRIPTOR.services_by_name["ModelService"].full_name,
)
#: Another name that it knows: whether this process answers at all, whatever the model does, also while it loads or
#: drains.
LIVENESS = "liveness"
#: A message may carry more than a prompt of the largest size, and an oversized one should reach the check that says so.
RECEIVE_FACTOR = 4
#: How long the transport may take to flush after the last handler; health watchers are cut off then.
TRANSPORT_STOP_S = 0.5


class CoreServer:
    """A core with its gRPC servers, on one event loop.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        make_encoder: makes what encodes pictures, if there is a projector.
        make_engine: makes the engine.
        limits: bounds on one request.
        connections: bounds on what the network may hold open.
        watcher: is told how it goes.
        ready_file: made before anybody is told that the core serves.

    Attributes:
        core: what the servicers use.
        addresses: where it listens, with real ports; known after ``start``.

    Raises:
        InvalidArgument: ``config.chat_template`` is neither Jinja nor a known name.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        load: Load = load_llama,
        make_encoder: MakeEncoder = make_encoder,
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
        self.core = Core(
            config,
            load=load,
            make_encoder=make_encoder,
            make_engine=make_engine,
            on_state=self._publish_state,
            limits=limits,
        )
        self.addresses: tuple[str, ...] = ()
        self._max_receive_bytes = RECEIVE_FACTOR * limits.max_prompt_bytes
        if config.media.mmproj is not None:
            self._max_receive_bytes += config.media.max_request_image_bytes
        engine = config.engine
        self._connections = (connections or ConnectionLimits()).with_requests(engine.n_slots + engine.max_queue)
        self._was_ready = False

    async def start(self) -> None:
        """Listen, then begin to load the model. Health is NOT_SERVING until it is loaded.

        Raises:
            ListenError: a mandatory address cannot be listened on; nothing is left behind.
            InvalidArgument: certificates cannot be used.
        """
        config = self._config
        self._listeners = self._make_listeners()
        self._add_services()
        await self._health.set(LIVENESS, health_pb2.HealthCheckResponse.SERVING)
        await self._publish_state(self.core.state)
        self.addresses = await self._listeners.start(config.listen, config.optional_listen)
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
        await self._listeners.close(TRANSPORT_STOP_S)
        logger.info("stopped")
        return is_clean

    def _make_listeners(self) -> Listeners:
        keys = self._config.all_keys
        guards = [ApiKeyInterceptor(keys)] if keys else []
        n_addresses = len(self._config.listen) + len(self._config.optional_listen)
        return Listeners(
            self._connections.within_files(n_addresses),
            max_receive_bytes=self._max_receive_bytes,
            interceptors=guards,
            tls=self._credentials(),
        )

    def _credentials(self) -> grpc.ServerCredentials | None:
        config = self._config
        if config.grpc_tls_cert is None or config.grpc_tls_key is None:
            return None
        return tls_credentials(TlsFiles(config.grpc_tls_cert, config.grpc_tls_key, config.grpc_client_ca))

    def _add_services(self) -> None:
        self._health = health.aio.HealthServicer()
        tenants = Tenants(self._config.all_keys, self._config.adapter_key)
        inference = InferenceServicer(self.core, tenants, self._system_prompt_guard())
        models = ModelServicer(self.core, tenants)
        for server in map(decoding, self._listeners.servers):
            inference_service_pb2_grpc.add_InferenceServiceServicer_to_server(inference, server)
            model_service_pb2_grpc.add_ModelServiceServicer_to_server(models, server)
            health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
            enable_reflection([*SERVICES, health.SERVICE_NAME], server)

    def _system_prompt_guard(self) -> SystemPromptGuard:
        config = self._config
        return SystemPromptGuard(
            (*config.listen, *config.optional_listen),
            has_keys=bool(config.all_keys),
            is_off=config.allow_system_prompt,
        )

    async def _publish_state(self, state: CoreState) -> None:
        """Tell standard health and the watcher."""
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
            tell = self._watcher.refused if self.core.has_refused.is_set() else self._watcher.failed
            tell(self.core.status().message)
