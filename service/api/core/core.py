"""What the servicers stand on: the engine's life cycle, admission, and the way of events into the event loop."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import threading
import time
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING, Protocol

from service.api.convert.system_prompt import system_prompt
from service.api.core.collector import Collector
from service.api.core.engine_watch import EngineWatch
from service.api.served_model import Limits, LoadedModel, ServedModel
from service.api.status import CoreState, CoreStatus
from service.engine.request.types import Delivery, EngineSnapshot, Request, Sink, SystemPromptRequest
from service.errors import Draining, InvalidArgument, ModelFailed, ModelLoading, NotSupported, ServiceError, Stalled
from service.prompts.pool import PreparationPool
from service.prompts.renderer import TemplateFailure, TemplateRenderer, make_renderer
from service.prompts.templates import resolve_template

if TYPE_CHECKING:
    from service.config import CoreConfig, EngineConfig, ModelConfig
    from service.engine.language_model import LanguageModel
    from service.engine.thread import Progress

logger = logging.getLogger(__name__)

#: How long the engine's thread may take to end: the rest of a step, which cannot be interrupted, ...
ENGINE_STOP_S = 10.0
#: ... or of a piece of loading, after which nothing needs to be put in order.
LOAD_STOP_S = 1.0
#: How long handlers may take to send their last message once the engine has ended.
LAST_MESSAGE_S = 2.0


_NEXT = {
    CoreState.LOADING: {CoreState.READY, CoreState.FAILED, CoreState.DRAINING},
    CoreState.READY: {CoreState.FAILED, CoreState.DRAINING},
    CoreState.FAILED: {CoreState.DRAINING},
    CoreState.DRAINING: set[CoreState](),
}


class Load(Protocol):
    """Loads a model; ``service.llama.load`` is one."""

    def __call__(self, config: ModelConfig, *, on_progress: Callable[[float], bool]) -> LoadedModel:
        """Load, reporting 0 to 1; give up and raise if ``on_progress`` returns False."""


class EngineDriver(Protocol):
    """``service.engine.thread.EngineThread``, or what stands for it in tests; any thread may call."""

    def start(self) -> None:
        """Load the model, then serve."""

    def submit(self, task_id: int, request: Request, sink: Sink) -> None:
        """Queue a request; raises QueueFull or Draining."""

    def check_queue(self) -> None:
        """Tell whether ``submit`` would take a request now; raises QueueFull or Draining if not."""

    def cancel(self, task_id: int) -> None:
        """End a request without further events."""

    def snapshot(self) -> EngineSnapshot:
        """The engine after its last step."""

    def progress(self) -> Progress:
        """Whether the thread gets on."""

    def stop(self) -> None:
        """End all requests and wait for the engine's end."""


class EngineFactory(Protocol):
    """Makes an ``EngineDriver``; its arguments are those of ``EngineThread``."""

    def __call__(
        self,
        load: Callable[[Callable[[float], None]], LanguageModel],
        config: EngineConfig,
        *,
        deliver: Callable[[list[Delivery]], None],
        on_loaded: Callable[[LanguageModel], None],
        on_progress: Callable[[float], None],
        on_failed: Callable[[BaseException], None],
    ) -> EngineDriver:
        """Make it; ``start`` starts it."""


class Core:
    """One model and its engine. Everything here belongs to one event loop, but for what the engine calls.

    Args:
        config: the whole core.
        load: loads the model, in the engine's thread.
        make_engine: makes the engine.
        on_state: called on the loop after each change of ``state``.
        limits: bounds on one request.

    Raises:
        InvalidArgument: ``config.chat_template`` is neither Jinja nor a known name.
    """

    def __init__(
        self,
        config: CoreConfig,
        *,
        load: Load,
        make_engine: EngineFactory,
        on_state: Callable[[CoreState], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self.instance_id = uuid.uuid4().hex
        self.pool = PreparationPool()
        #: Set when the engine died after it had served: nothing can be done but to start anew.
        self.has_died = asyncio.Event()
        self._config = config
        self._load = load
        self._on_state = on_state
        self._limits = limits
        self._template_choice = None if config.chat_template is None else resolve_template(config.chat_template)
        self._state = CoreState.LOADING
        self._message = ""
        #: What has stalled, in words; empty while all is well.
        self._stall = ""
        self._load_progress = 0.0
        self._loaded: LoadedModel | None = None
        self._model: ServedModel | None = None
        self._renderer: TemplateRenderer | None = None
        self._task_ids = itertools.count()
        self._n_admitted = 0
        self._is_idle = asyncio.Event()
        self._is_idle.set()
        self._is_stopping = False
        self._background: set[asyncio.Task[None]] = set()
        self._watching: asyncio.Task[None] | None = None
        self._start_time_s = time.time()
        self._started_s = time.monotonic()
        self._engine = make_engine(
            self._load_model,
            config.engine,
            deliver=lambda deliveries: self._call_on_loop(self._distribute, deliveries),
            on_loaded=lambda _: self._call_on_loop(self._spawn, self._become_ready),
            on_progress=self._note_progress,
            on_failed=lambda error: self._call_on_loop(self._spawn, lambda: self._fail(error)),
        )

    # Life cycle -----------------------------------------------------------------------------------------------------

    @property
    def state(self) -> CoreState:
        """Where the core is in its life."""
        is_alive = self._state in (CoreState.LOADING, CoreState.READY)
        return CoreState.STALLED if self._stall and is_alive else self._state

    def start(self) -> None:
        """Start the engine, which loads the model first; to be called on the event loop."""
        self._loop = asyncio.get_running_loop()
        self._engine.start()
        if self._config.hang_timeout_s is not None:
            self._watching = self._loop.create_task(self._watch(self._config.hang_timeout_s))

    async def drain(self, timeout_s: float) -> None:
        """Take no more requests and wait until the admitted ones are over, but not longer than ``timeout_s``."""
        await self._enter(CoreState.DRAINING)
        await self.wait_until_idle(timeout_s)

    async def wait_until_idle(self, timeout_s: float) -> None:
        """Wait until no admitted request is left, but not longer than ``timeout_s``."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._is_idle.wait()

    async def stop(self) -> bool:
        """End what still runs and the engine. Returns whether the engine has ended, which loading may prevent."""
        self._is_stopping = True
        if self._watching is not None:
            self._watching.cancel()
        await self._enter(CoreState.DRAINING)
        if self._model is not None:
            self.pool.close()
        has_ended = await self._stop_engine(LOAD_STOP_S if self._model is None else ENGINE_STOP_S)
        await self.wait_until_idle(LAST_MESSAGE_S)
        if self._background:
            # Not cancelled: a template's process that is just being started must come to be known, to be ended.
            await asyncio.wait(self._background, timeout=LAST_MESSAGE_S)
        self.pool.close()
        if self._renderer is not None:
            self._renderer.close()
        if has_ended and self._loaded is not None:
            await asyncio.to_thread(self._loaded.close)
        return has_ended

    # What servicers use ---------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def admitted(self) -> Iterator[None]:
        """Counts a request among those that a drain waits for.

        Raises:
            Draining: the core takes no new requests.
        """
        if self._state is CoreState.DRAINING:
            raise Draining
        self._n_admitted += 1
        self._is_idle.clear()
        try:
            yield
        finally:
            self._n_admitted -= 1
            if not self._n_admitted:
                self._is_idle.set()

    def model(self, name: str = "") -> ServedModel:
        """The served model.

        Raises:
            ModelLoading, ModelFailed, Draining: there is none.
            ModelNotFound: there is one, of another name.
        """
        match self._state:
            case CoreState.LOADING:
                raise ModelLoading
            case CoreState.FAILED:
                raise ModelFailed(self._message)
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

    def check_queue(self) -> None:
        """Tell whether the engine would take a request now.

        Raises:
            QueueFull, Draining: it would not.
            Stalled: it would not get on with it.
        """
        if self._stall:
            raise Stalled(self._stall)
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
            message=self._message or self._stall,
            load_progress=self._load_progress,
            start_time_s=self._start_time_s,
            uptime_s=time.monotonic() - self._started_s,
            queue_limit=self._config.engine.max_queue,
            snapshot=self._engine.snapshot(),
        )

    # In the engine's thread -----------------------------------------------------------------------------------------

    def _load_model(self, report: Callable[[float], None]) -> LanguageModel:
        def on_progress(part: float) -> bool:
            report(part)
            return not self._is_stopping

        self._loaded = self._load(self._config.model, on_progress=on_progress)
        return self._loaded

    def _note_progress(self, part: float) -> None:
        self._load_progress = part

    def _call_on_loop(self, callback: Callable[..., object], *arguments: object) -> None:
        # An engine that could not be stopped in time outlives the loop; nobody is left to hear of it then.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(callback, *arguments)

    # On the event loop ----------------------------------------------------------------------------------------------

    def _distribute(self, deliveries: list[Delivery]) -> None:
        for sink, events in deliveries:
            sink.put(events)

    def _spawn(self, make: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await make()

        task = self._loop.create_task(run())
        self._background.add(task)
        task.add_done_callback(self._background.discard)

    async def _enter(self, state: CoreState) -> None:
        """Change the state; a change that comes too late, like a load that ends while draining, is none."""
        if state in _NEXT[self._state]:
            self._state = state
            await self._on_state(self.state)

    async def _watch(self, timeout_s: float) -> None:
        """Look after the engine until cancelled."""
        watch = EngineWatch(timeout_s)
        while True:
            await asyncio.sleep(watch.interval_s)
            stall = watch.look(self._engine.progress(), is_loading=self._state is CoreState.LOADING)
            if bool(stall) == bool(self._stall):
                continue
            self._stall = stall
            if stall:
                logger.error("the engine has stalled", extra={"reason": stall})
            else:
                logger.warning("the engine gets on again")
            await self._on_state(self.state)

    async def _become_ready(self) -> None:
        loaded = self._loaded
        assert loaded is not None
        try:
            self._renderer = await self.pool.run(0, lambda _: self._make_renderer(loaded))
        except TemplateFailure as error:
            await self._fail(ModelFailed(f"the chat template that the server was started with is unusable: {error}"))
            return
        model = ServedModel.create(self._config, loaded, self._renderer, self._limits)
        try:
            await self._set_system_prompt(model)
        except ServiceError as error:
            await self._fail(_unusable_system_prompt(error))
            return
        self._model = model
        self._load_progress = 1.0
        fields = {"model": self._model.name, "seconds": round(time.monotonic() - self._started_s, 3)}
        logger.info("model loaded", extra=fields)
        await self._enter(CoreState.READY)

    async def _set_system_prompt(self, model: ServedModel) -> None:
        """Let all slots begin with the system prompt of the configuration, if it has one.

        Raises:
            ServiceError: it cannot be used, or the engine came to its end.
        """
        text = self._config.system_prompt
        if text is None:
            return
        if not model.info.can_generate:
            raise NotSupported("this model cannot generate text and takes no system prompt")
        prompt = await self.pool.run(len(text.text), lambda work: system_prompt(text, model.paced(work)))
        collector = Collector()
        self.submit(self.next_task_id(), SystemPromptRequest(prompt), collector)
        await collector.outcome()

    def _make_renderer(self, loaded: LoadedModel) -> TemplateRenderer:
        vocabulary = loaded.vocabulary

        def name_of(token: int | None) -> str:
            return "" if token is None else vocabulary.token_bytes(token, special=True).decode(errors="replace")

        return make_renderer(
            self._template_choice,
            loaded.facts.chat_template,
            bos=name_of(vocabulary.bos_token),
            eos=name_of(vocabulary.eos_token),
            max_output_bytes=self._limits.max_prompt_bytes,
        )

    async def _fail(self, error: BaseException) -> None:
        if self._is_stopping:
            return
        was_ready = self._state is CoreState.READY
        if isinstance(error, ServiceError):
            self._message = error.message
            logger.error("the model cannot be served", extra={"reason": error.message})
        else:
            self._message = f"{type(error).__name__}: {error}"
            logger.error("the model cannot be served", exc_info=error)
        await self._enter(CoreState.FAILED)
        if was_ready:
            self.has_died.set()

    async def _stop_engine(self, timeout_s: float) -> bool:
        ended = asyncio.Event()

        def stop() -> None:
            self._engine.stop()
            self._call_on_loop(ended.set)

        # A daemon thread, because a library call that does not return must not keep the process alive.
        threading.Thread(target=stop, name="stop-engine", daemon=True).start()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await ended.wait()
        return ended.is_set()


def _unusable_system_prompt(error: ServiceError) -> ModelFailed:
    problem = error.message
    if isinstance(error, InvalidArgument):
        problem = f"its {error.field.removeprefix('system_prompt.')} {error.problem}"
    return ModelFailed(f"the system prompt of --system-prompt-file is unusable: {problem}")
