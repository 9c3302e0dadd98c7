"""Failed calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import grpc

DETAILS_KEY = "grpc-status-details-bin"


class SlotlineError(Exception):
    """A call failed.

    Attributes:
        code: the gRPC status.
        message: in words, for people.
        reason: stable upper-case word for programs, for example ``QUEUE_FULL``; empty if the failure did not come from
            a core, for example because none could be reached.
        metadata: the facts of the message.
        violations: (field, problem) for each field of the request that was refused.
        retry_after_s: seconds after which the same request may succeed, None if it never will or nobody knows.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[tuple[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{reason or code.name}: {message}")
        self.code = code
        self.message = message
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s


def from_rpc_error(error: Any) -> SlotlineError:
    """The failure that a ``grpc.RpcError`` or ``grpc.aio.AioRpcError`` stands for."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    retry_after_s = None
    for detail in _status(error.trailing_metadata() or ()).details:
        if detail.Unpack(retry):
            retry_after_s = retry.retry_delay.ToTimedelta().total_seconds()
        elif not detail.Unpack(info):
            detail.Unpack(bad_request)
    return SlotlineError(
        error.code(),
        error.details() or "",
        reason=info.reason,
        metadata=info.metadata,
        violations=[(violation.field, violation.description) for violation in bad_request.field_violations],
        retry_after_s=retry_after_s,
    )


def _status(trailers: Iterable[tuple[str, str | bytes]]) -> Status:
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:  # written by something between us and the core; code and text remain
                break
    return Status()
