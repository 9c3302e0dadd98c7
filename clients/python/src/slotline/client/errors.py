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
        domain: ``slotline`` if a core said it, empty otherwise.
        retry_after_s: seconds after which the same request may succeed, None if it never will or nobody knows.
    """

    def __init__(
        self,
        code: grpc.StatusCode,
        message: str,
        *,
        reason: str = "",
        domain: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: Iterable[tuple[str, str]] = (),
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(f"{reason or code.name}: {message}")
        self.code = code
        self.message = message
        self.reason = reason
        self.domain = domain
        self.metadata = dict(metadata or {})
        self.violations = tuple(violations)
        self.retry_after_s = retry_after_s

    @property
    def field(self) -> str:
        """Path of the first field that was refused, for example ``stop.texts``; empty if none was."""
        return self.violations[0][0] if self.violations else ""


class StreamLost(SlotlineError):
    """A generation was accepted, and broke off without a word from the core, which may have died.

    What came before is true. Nothing was repeated: whether to ask again is for the caller to decide. ``code`` is
    whatever the nearest proxy made of it.
    """


def from_rpc_error(error: Any) -> SlotlineError:
    """The failure that a ``grpc.RpcError`` or ``grpc.aio.AioRpcError`` stands for."""
    return from_status(error.code(), error.details(), error.trailing_metadata())


def from_status(
    code: grpc.StatusCode, message: str | None, trailers: Iterable[tuple[str, str | bytes]] | None
) -> SlotlineError:
    """The failure that the end of a call stands for."""
    details = error_details(trailers)
    return SlotlineError(
        code,
        message or "",
        reason=details.reason,
        domain=details.domain,
        metadata=details.metadata,
        violations=details.violations,
        retry_after_s=details.retry_after_s,
    )
