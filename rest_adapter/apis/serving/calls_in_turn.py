"""What needs several calls to the core, such as the vectors of many texts: one call after the other."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic

from flask import request

from rest_adapter.core.calls import PendingAnswer, Request, Response, UnaryMethod
from rest_adapter.errors import StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY, DisconnectWatch

if TYPE_CHECKING:
    from types import TracebackType

    from rest_adapter.core.calls import CoreCalls


class CallsInTurn(Generic[Request, Response]):
    """Calls of one method, for the current HTTP request, in one limit of time. They end if the client leaves.

    Args:
        core: what is called.
        method: the method.
        limit_s: seconds that all calls may take together, from now on; None for no limit.
    """

    def __init__(self, core: CoreCalls, method: UnaryMethod[Request, Response], limit_s: float | None) -> None:
        self._core = core
        self._method = method
        self._end = None if limit_s is None else time.monotonic() + limit_s
        self._watch = DisconnectWatch(request.environ.get(SOCKET_KEY), self._abandon)
        self._pending: PendingAnswer[Response] | None = None
        self._is_abandoned = False

    def __enter__(self) -> CallsInTurn[Request, Response]:
        self._watch.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._watch.stop()

    def call(self, message: Request) -> Response:
        """Make the next call and wait for its answer.

        Raises:
            RpcFailure: the core refused or failed, or the time is over.
            StreamClosed: the client has gone.
        """
        if self._is_abandoned:
            raise StreamClosed
        timeout_s = None if self._end is None else max(0.0, self._end - time.monotonic())
        self._pending = self._core.start(self._method, message, timeout_s=timeout_s)
        try:
            return self._pending.wait()
        finally:
            self._pending.close()

    def _abandon(self) -> None:
        self._is_abandoned = True
        if self._pending is not None:
            self._pending.close()
