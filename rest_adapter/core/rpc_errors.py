"""From a failed gRPC call to ``RpcFailure``. The facts come from ``google.rpc`` details, never from the message."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from grpc import StatusCode

from rest_adapter.errors import RpcFailure
from slotline.protocol.error_details import DOMAIN, error_details

if TYPE_CHECKING:
    from grpc.aio import AioRpcError

logger = logging.getLogger(__name__)

#: Seconds after which an unreachable core may be back, about as long as a restart takes.
_UNREACHABLE_RETRY_S = 1.0


def rpc_failure(error: AioRpcError) -> RpcFailure:
    """The failure that a gRPC error describes.

    A status without our ``ErrorInfo`` comes from gRPC itself: its reason is "", and UNAVAILABLE then means that the
    core cannot be reached.
    """
    details = error_details(error.trailing_metadata())
    if details.domain != DOMAIN:
        return _failure_of_grpc(error)
    return RpcFailure(
        error.code(),
        details.reason,
        error.details() or "",
        violations=details.violations,
        retry_after_s=details.retry_after_s,
        metadata=details.metadata,
    )


def _failure_of_grpc(error: AioRpcError) -> RpcFailure:
    status, text = error.code(), error.details() or ""
    if status is StatusCode.UNAVAILABLE:
        logger.debug("core not reachable", extra={"reason": text})
        return RpcFailure(
            status,
            "",
            "the core cannot be reached; it may be starting or restarting",
            retry_after_s=_UNREACHABLE_RETRY_S,
        )
    if status is StatusCode.DEADLINE_EXCEEDED:
        return RpcFailure(status, "", "the request took longer than its time limit and was cancelled")
    return RpcFailure(status, "", text)
