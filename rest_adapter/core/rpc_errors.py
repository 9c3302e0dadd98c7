"""From a failed gRPC call to ``RpcFailure``. The facts come from ``google.rpc`` details, never from the message."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2
from grpc import StatusCode

from rest_adapter.errors import RpcFailure

if TYPE_CHECKING:
    from grpc.aio import AioRpcError

logger = logging.getLogger(__name__)

DOMAIN = "slotline"
_DETAILS_KEY = "grpc-status-details-bin"
# How long until a core that is not reachable may be back: restarts take about this long.
_UNREACHABLE_RETRY_S = 1.0


def rpc_failure(error: AioRpcError) -> RpcFailure:
    """The failure that a gRPC error describes.

    A status without our ``ErrorInfo`` comes from gRPC itself: its reason is "", and UNAVAILABLE then means that the
    core cannot be reached.
    """
    details = _details(error)
    info = error_details_pb2.ErrorInfo()
    bad_request = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    has_retry = False
    for detail in details.details:
        # Leaves messages of other types as they are.
        detail.Unpack(info)
        detail.Unpack(bad_request)
        has_retry |= detail.Unpack(retry)
    if info.domain != DOMAIN:
        return _failure_of_grpc(error)
    return RpcFailure(
        error.code(),
        info.reason,
        error.details() or "",
        violations=tuple((item.field, item.description) for item in bad_request.field_violations),
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
        metadata=info.metadata,
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


def _details(error: AioRpcError) -> status_pb2.Status:
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()
