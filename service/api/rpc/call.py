"""What every call has in common: errors become statuses, and one log record tells the outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Any

import grpc.aio

from service.api.rpc.rpc_errors import to_status, trailing_metadata
from service.errors import EngineFailure, ServiceError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

logger = logging.getLogger(__name__)


class RpcCall:
    """``async with`` around a handler's body.

    A ``ServiceError`` ends the call with its status. Any other exception ends it with INTERNAL and a message without
    details, and is logged with its traceback. Cancellation always passes through: swallowing it would leak the native
    memory of the call.

    Args:
        method: its name.
        context: of the call.
        field_names: what answers call the fields of the configuration; see ``CoreConfig``.
    """

    def __init__(
        self,
        method: str,
        context: grpc.aio.ServicerContext[Any, Any],
        *,
        field_names: Mapping[str, str] | None = None,
    ) -> None:
        self._method = method
        self._context = context
        self._field_names = field_names

    async def __aenter__(self) -> None:
        self._started_s = time.monotonic()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if error is None:
            self._log("OK")
        elif isinstance(error, asyncio.CancelledError | GeneratorExit):
            self._log("CANCELLED")
        elif isinstance(error, ServiceError):
            self._log(error.reason)
            await self._abort(error)
        elif isinstance(error, Exception):
            logger.error("a call failed unexpectedly", exc_info=error, extra={"method": self._method})
            await self._abort(EngineFailure("internal error; the server's log has the details"))

    async def _abort(self, error: ServiceError) -> None:
        status = to_status(error, self._field_names)
        code = next(code for code in grpc.StatusCode if code.value[0] == status.code)
        await self._context.abort(code, status.message, trailing_metadata(status))

    def _log(self, outcome: str) -> None:
        if logger.isEnabledFor(logging.DEBUG):
            fields = {
                "method": self._method,
                "peer": self._context.peer(),
                "outcome": outcome,
                "milliseconds": round((time.monotonic() - self._started_s) * 1000, 3),
            }
            logger.debug("rpc", extra=fields)
