"""What the servicers use: one model, its engine, and the requests that run on it."""

from __future__ import annotations

import asyncio
import itertools
import logging
import time
import uuid
from typing import TYPE_CHECKING

from service.api.core.admission import Admission
from service.api.core.collector import Collector
from service.api.core.delivery import EventLoopBridge
from service.api.core.engine_driver import EngineFactory, stop_engine
from service.api.core.engine_watch import EngineWatch
from service.api.core.life import CoreLife
from service.api.core.loading import Load, Loading, MakeEncoder
from service.api.core.received import ReceivedRequests
from service.api.status import CoreState, CoreStatus
from service.errors import Draining, ModelFailed, ModelLoading, Stalled
from service.prompts.pool import PreparationPool
from service.slot_files.directory import SlotDirectory

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from contextlib import AbstractContextManager

    from service.api.served_model import Limits, ServedModel
    from service.config import CoreConfig
    from service.engine.request.events import Event, Sink
    from service.engine.request.requests import Request, SystemPromptRequest
    from service.engine.request.snapshots import EngineSnapshot

logger = logging.getLogger(__name__)

#: How long the engine's thread may take to end: the rest of a step, which cannot be interrupted, ...
ENGINE_STOP_S = 10.0
#: ... or a part of loading, after which nothing needs to be put in order.
LOAD_STOP_S = 1.0
#: How long handlers may take to send their last message once the engine has ended.
LAST_MESSAGE_S = 2.0


class Core:
    """One model and its engine. Everything here belongs to one event loop, except what the engine calls.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        make_encoder: makes what encodes pictures, if there is a projector.
        make_engine: makes the engine.
        on_state: called on the loop after each change of ``state``.
        limits: bounds on one request.

    Attributes:
        instance_id: of this run.
        field_names: what people call the fields of the configuration.
        pool: prepares prompts, beside the loop.
        received: the requests that run.
        slot_files: where slots are saved, None if they are not.
        has_died: set when the engine died after it had served; only a new process can serve again.
        has_refused: set when the model was loaded, and its projector cannot be used.

    Raises:
        InvalidArgument: ``config.chat_template`` is neither Jinja nor a known name.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        load: Load,
        make_encoder: MakeEncoder,
        make_engine: EngineFactory,
        on_state: Callable[[CoreState], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self.instance_id = uuid.uuid4().hex
        self.field_names = config.field_names
        self.pool = PreparationPool()
        self.received = ReceivedRequests()
        self.slot_files = None if config.slot_save_path is None else SlotDirectory(config.slot_save_path)
        self._config = config
        self._life = CoreLife(on_state, config.field_names)
        self.has_died = self._life.has_died
        self.has_refused = self._life.has_refused
        self._loading = Loading(
            config, load, make_encoder, limits, is_computing=lambda: self._engine.progress().has_work
        )
        self._admission = Admission()
        self._bridge = EventLoopBridge()
        self._model: ServedModel | None = None
        self._task_ids = itertools.count()
        self._is_stopping = False
        self._watching: asyncio.Task[None] | None = None
        self._start_time_s = time.time()
        self._started_s = time.monotonic()
        self._engine = make_engine(
            self._loading.run,
            config.engine,
            deliver=self._bridge.deliver,
            on_loaded=lambda _: self._bridge.spawn(self._become_ready),
            on_progress=self._loading.note_progress,
            on_failed=lambda error: self._bridge.spawn(lambda: self._fail(error)),
        )

    # Life cycle -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> CoreState:
        """Where the core is in its life."""
        return self._life.state

    def start(self) -> None:
        """Start the engine, which loads the model first; to be called on the event loop."""
        self._bridge.attach()
        self._engine.start()
        if self._config.hang_timeout_s is not None:
            self._watching = asyncio.create_task(self._watch(self._config.hang_timeout_s))

    async def drain(self, timeout_s: float) -> None:
        """Take no more requests and wait until the admitted ones are over, but not longer than ``timeout_s``."""
        await self._refuse_requests()
        await self.wait_until_idle(timeout_s)

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Wait until no admitted request is left, but not longer than ``timeout_s``."""
        await self._admission.wait_until_idle(timeout_s)

    async def stop(self) -> bool:
        """End what still runs and the engine. Returns whether the engine has ended, which loading may prevent."""
        self._is_stopping = True
        self._loading.give_up()
        if self._model is None:
            # It may still be trying its projector out.
            await self._loading.close_encoder()
        if self._watching is not None:
            self._watching.cancel()
        await self._refuse_requests()
        if self._model is not None:
            self.pool.close()
        has_ended = await stop_engine(self._engine, LOAD_STOP_S if self._model is None else ENGINE_STOP_S)
        await self.wait_until_idle(LAST_MESSAGE_S)
        # Tasks are not cancelled: a template's process that is just being started must come to be known, to be ended.
        await self._bridge.finish(LAST_MESSAGE_S)
        self.pool.close()
        if self.slot_files is not None:
            self.slot_files.close()
        await self._loading.close_preparation()
        if has_ended:
            await self._loading.close_model()
        return has_ended

    # What servicers use ---------------------------------------------------------------------------------------------

    def admitted(self) -> AbstractContextManager[None]:
        """A block in which a request counts among those that a drain waits for.

        Raises:
            Draining: on entry, if the core takes no new requests.
        """
        return self._admission.admitted()

    def model(self, name: str = "") -> ServedModel:
        """The served model.

        Raises:
            ModelLoading, ModelFailed, Draining: there is none.
            ModelNotFound: there is one, of another name.
        """
        match self._life.settled:
            case CoreState.LOADING:
                raise ModelLoading
            case CoreState.FAILED:
                raise ModelFailed(self._life.failure)
        if self._model is None:
            raise Draining
        self._model.check_name(name)
        return self._model

    def next_task_id(self) -> int:
        """A number for a new task."""
        return next(self._task_ids)

    def submit(self, task_id: int, request: Request, sink: Sink) -> None:
        """Hand a request to the engine; its events are put into ``sink`` on the event loop.

        Raises:
            QueueFull, Draining: the engine does not take it.
        """
        self._engine.submit(task_id, request, sink)

    async def outcome(self, request: Request) -> Event:
        """The last event of a request of which no other matters; if nobody waits for it, the request is cancelled.

        Raises:
            ServiceError: the engine does not take the request, or it failed.
        """
        task_id, collector = self.next_task_id(), Collector()
        self.submit(task_id, request, collector)
        try:
            return await collector.outcome()
        finally:
            if not collector.is_over:
                self.cancel(task_id)
            collector.close()

    def check_queue(self) -> None:
        """Tell whether the engine would take a request now.

        Raises:
            QueueFull, Draining: it would not.
            Stalled: it would not make progress with it.
        """
        if self._life.stall:
            raise Stalled(self._life.stall)
        self._engine.check_queue()

    def cancel(self, task_id: int) -> None:
        """End a task at the engine's next step, without further events."""
        self._engine.cancel(task_id)

    def snapshot(self) -> EngineSnapshot:
        """The engine after its last step, whatever it does now."""
        return self._engine.snapshot()

    def status(self) -> CoreStatus:
        """The core as it is now; never waits."""
        return CoreStatus(
            state=self.state,
            instance_id=self.instance_id,
            message=self._life.failure or self._life.stall,
            load_progress=self._loading.progress,
            start_time_s=self._start_time_s,
            uptime_s=time.monotonic() - self._started_s,
            queue_limit=self._config.engine.max_queue,
            snapshot=self._engine.snapshot(),
            image_worker=self._loading.image_worker,
            media=self._loading.media_counts,
        )

    # On the event loop ----------------------------------------------------------------------------------------------

    async def _refuse_requests(self) -> None:
        self._admission.close()
        await self._life.enter(CoreState.DRAINING)

    async def _watch(self, timeout_s: float) -> None:
        """Watch the engine until cancelled."""
        watch = EngineWatch(timeout_s)
        while True:
            await asyncio.sleep(watch.interval_s)
            is_loading = self._life.settled is CoreState.LOADING
            await self._life.note_stall(watch.look(self._engine.progress(), is_loading=is_loading))

    async def _become_ready(self) -> None:
        try:
            model = await self._loading.get_ready(self.pool, self._set_system_prompt)
        except ModelFailed as error:
            await self._fail(error)
            return
        except Draining:
            # Stopped before it was ready.
            return
        self._model = model
        fields = {"model": model.name, "seconds": round(time.monotonic() - self._started_s, 3)}
        logger.info("model loaded", extra=fields)
        await self._life.enter(CoreState.READY)

    async def _set_system_prompt(self, request: SystemPromptRequest) -> None:
        await self.outcome(request)

    async def _fail(self, error: BaseException) -> None:
        if not self._is_stopping:
            await self._life.fail(error)
