"""Failed calls."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from slotline.protocol.error_details import error_details

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import grpc


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
    details = error_details(error.trailing_metadata())
    return SlotlineError(
        error.code(),
        error.details() or "",
        reason=details.reason,
        metadata=details.metadata,
        violations=details.violations,
        retry_after_s=details.retry_after_s,
    )
