"""The life of a core: its state, what it may become next, and who is told.

    LOADING ──▶ READY ──▶ FAILED      the engine died
    LOADING ──▶ FAILED                the model cannot be served
    any of the three ──▶ DRAINING

While the engine hangs, STALLED is shown in place of LOADING or READY.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from service.api.status import CoreState
from service.errors import ProjectorFailed, ServiceError
from service.field_names import described

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

logger = logging.getLogger(__name__)

#: What may follow a state. STALLED is only shown, never entered: an engine that hung goes on where it was.
NEXT = {
    CoreState.LOADING: {CoreState.READY, CoreState.FAILED, CoreState.DRAINING},
    CoreState.READY: {CoreState.FAILED, CoreState.DRAINING},
    CoreState.FAILED: {CoreState.DRAINING},
    CoreState.DRAINING: set[CoreState](),
}


class CoreLife:
    """Where a core is in its life. Belongs to the event loop.

    Args:
        on_state: called after each change of ``state``.
        field_names: what people call the fields of the configuration; see ``CoreConfig``.

    Attributes:
        has_died: set when the core failed after it had served; only a new process can serve again.
        has_refused: set when it failed in what the server is not to start without.
    """

    def __init__(
        self, on_state: Callable[[CoreState], Awaitable[None]], field_names: Mapping[str, str] | None = None
    ) -> None:
        self.has_died = asyncio.Event()
        self.has_refused = asyncio.Event()
        self._on_state = on_state
        self._field_names = field_names or {}
        self._state = CoreState.LOADING
        self._failure = ""
        self._stall = ""

    @property
    def state(self) -> CoreState:
        """The state that others are told."""
        is_alive = self._state in (CoreState.LOADING, CoreState.READY)
        return CoreState.STALLED if self._stall and is_alive else self._state

    @property
    def settled(self) -> CoreState:
        """The state without regard to stalls, which pass: what the core can be asked for depends on this one."""
        return self._state

    @property
    def stall(self) -> str:
        """What has stalled, as a sentence without its end; empty while all is well."""
        return self._stall

    @property
    def failure(self) -> str:
        """Why the model cannot be served; empty unless the core has failed."""
        return self._failure

    async def enter(self, state: CoreState) -> None:
        """Change the state; a change that comes too late, like the end of loading while draining, is ignored."""
        if state in NEXT[self._state]:
            self._state = state
            await self._on_state(self.state)

    async def note_stall(self, stall: str) -> None:
        """Take note that something has stalled, or with "" that it has not."""
        if bool(stall) == bool(self._stall):
            return
        self._stall = stall
        if stall:
            logger.error("the engine has stalled", extra={"reason": stall})
        else:
            logger.warning("the engine gets on again")
        await self._on_state(self.state)

    async def fail(self, error: BaseException) -> None:
        """End in failure, with the error's text as the reason; what nobody expected is logged with its traceback."""
        was_ready = self._state is CoreState.READY
        if isinstance(error, ProjectorFailed):
            self.has_refused.set()
        if isinstance(error, ServiceError):
            self._failure = described(error, self._field_names)
            logger.error("the model cannot be served", extra={"reason": self._failure})
        else:
            self._failure = f"{type(error).__name__}: {error}"
            logger.error("the model cannot be served", exc_info=error)
        await self.enter(CoreState.FAILED)
        if was_ready:
            self.has_died.set()
