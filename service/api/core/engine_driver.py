"""What a core asks of the thread that runs the engine, and how it is stopped."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from service.config import EngineConfig
    from service.engine.language_model import LanguageModel
    from service.engine.request.events import Delivery, Sink
    from service.engine.request.requests import Request
    from service.engine.request.snapshots import EngineSnapshot
    from service.engine.thread import Progress


class EngineDriver(Protocol):
    """``service.engine.thread.EngineThread``, or what stands for it in tests; any thread may call."""

    def start(self) -> None:
        """Load the model, then serve."""

    def submit(self, task_id: int, request: Request, sink: Sink) -> None:
        """Queue a request; raises QueueFull or Draining."""

    def check_queue(self) -> None:
        """Raise QueueFull or Draining if ``submit`` would now."""

    def cancel(self, task_id: int) -> None:
        """End a request without further events."""

    def snapshot(self) -> EngineSnapshot:
        """The engine after its last step."""

    def progress(self) -> Progress:
        """What tells whether the thread makes progress."""

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


async def stop_engine(engine: EngineDriver, timeout_s: float) -> bool:
    """Stop an engine, waiting for at most ``timeout_s``. Returns whether it has ended by then."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def stop() -> None:
        engine.stop()
        # An engine that does not stop in time outlives the loop.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(ended.set)

    # A daemon thread, because a library call that does not return must not keep the process alive.
    threading.Thread(target=stop, name="stop-engine", daemon=True).start()
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(timeout_s):
            await ended.wait()
    return ended.is_set()
