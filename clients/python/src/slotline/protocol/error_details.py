"""The details of failed calls: a ``google.rpc.Status`` in the trailing metadata."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: ``google.rpc.ErrorInfo.domain`` of everything that a core says.
DOMAIN = "slotline"
#: Key of the trailing metadata that carries a serialised ``google.rpc.Status``.
DETAILS_KEY = "grpc-status-details-bin"


@dataclass(frozen=True, slots=True)
class ErrorDetails:
    """What a status tells besides its code and message.

    Attributes:
        domain: ``DOMAIN`` if a core said it; "" if there are no details.
        reason: stable upper-case word for programs, for example ``QUEUE_FULL``; "" if there is none.
        metadata: the facts of the message.
        violations: (field, problem) for each field of the request that was refused.
        retry_after_s: seconds after which the same request may succeed; None if that is not told.
    """

    domain: str = ""
    reason: str = ""
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: tuple[tuple[str, str], ...] = ()
    retry_after_s: float | None = None


def error_details(trailers: Iterable[tuple[str, str | bytes]] | None) -> ErrorDetails:
    """The details in the trailing metadata of a failed call; those that cannot be read count as missing."""
    info, bad_request, retry = ErrorInfo(), BadRequest(), RetryInfo()
    has_retry = False
    for detail in _status(trailers or ()).details:
        # Leaves messages of other types as they are.
        detail.Unpack(info)
        detail.Unpack(bad_request)
        has_retry |= detail.Unpack(retry)
    return ErrorDetails(
        domain=info.domain,
        reason=info.reason,
        metadata=dict(info.metadata),
        violations=tuple((violation.field, violation.description) for violation in bad_request.field_violations),
        retry_after_s=retry.retry_delay.ToTimedelta().total_seconds() if has_retry else None,
    )


def _status(trailers: Iterable[tuple[str, str | bytes]]) -> Status:
    for key, value in trailers:
        if key == DETAILS_KEY and isinstance(value, bytes):
            try:
                return Status.FromString(value)
            except DecodeError:  # written by something between a client and the core
                break
    return Status()
