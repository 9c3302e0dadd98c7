"""The one table from ``service.errors`` to gRPC statuses with ``google.rpc`` details."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from service import errors
from service.field_names import answered
from slotline.protocol.error_details import DETAILS_KEY, DOMAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from google.protobuf.message import Message

#: All trailers together must stay below 8 KiB, and the message is in them twice, once percent-encoded.
MAX_MESSAGE_BYTES = 512
MAX_METADATA_BYTES = 1024

_CODES: dict[type[errors.ServiceError], grpc.StatusCode] = {
    errors.InvalidArgument: grpc.StatusCode.INVALID_ARGUMENT,
    errors.ModelNotFound: grpc.StatusCode.NOT_FOUND,
    errors.Unauthenticated: grpc.StatusCode.UNAUTHENTICATED,
    errors.NotAllowed: grpc.StatusCode.PERMISSION_DENIED,
    errors.NotSupported: grpc.StatusCode.UNIMPLEMENTED,
    errors.ResourceExhausted: grpc.StatusCode.RESOURCE_EXHAUSTED,
    errors.Unavailable: grpc.StatusCode.UNAVAILABLE,
    errors.DeadlineExceeded: grpc.StatusCode.DEADLINE_EXCEEDED,
    errors.EngineFailure: grpc.StatusCode.INTERNAL,
    errors.ServiceError: grpc.StatusCode.INTERNAL,
}


def status_code(error: errors.ServiceError) -> grpc.StatusCode:
    """The status of an error: that of its nearest listed ancestor."""
    return next(_CODES[kind] for kind in type(error).__mro__ if kind in _CODES)


def to_status(error: errors.ServiceError, field_names: Mapping[str, str] | None = None) -> Status:
    """An error as google.rpc.Status: ErrorInfo always, BadRequest for a field, RetryInfo if trying again may help.

    Long texts are cut, so that the status always fits into trailers. ``field_names`` are those of ``CoreConfig``.
    """
    details: list[Message] = [ErrorInfo(reason=error.reason, domain=DOMAIN, metadata=_bounded_metadata(error.metadata))]
    if isinstance(error, errors.InvalidArgument):
        violation = BadRequest.FieldViolation(
            field=_cut(error.field, MAX_MESSAGE_BYTES), description=_cut(error.problem, MAX_MESSAGE_BYTES)
        )
        details.append(BadRequest(field_violations=[violation]))
    if error.retry_after_s is not None:
        delay = duration_pb2.Duration()
        delay.FromMilliseconds(math.ceil(error.retry_after_s * 1000))
        details.append(RetryInfo(retry_delay=delay))
    code: int = status_code(error).value[0]
    message = _cut(answered(error, field_names or {}), MAX_MESSAGE_BYTES)
    return Status(code=code, message=message, details=[_pack(detail) for detail in details])


def trailing_metadata(status: Status) -> tuple[tuple[str, bytes], ...]:
    """The trailing metadata in which clients look for a status."""
    return ((DETAILS_KEY, status.SerializeToString()),)


def _pack(message: Message) -> any_pb2.Any:
    packed = any_pb2.Any()
    packed.Pack(message)
    return packed


def _bounded_metadata(metadata: dict[str, str]) -> dict[str, str]:
    bounded: dict[str, str] = {}
    room = MAX_METADATA_BYTES
    for key, value in metadata.items():
        value = _cut(value, MAX_METADATA_BYTES // 4)
        room -= len(key.encode()) + len(value.encode())
        if room < 0:
            break
        bounded[key] = value
    return bounded


def _cut(text: str, max_bytes: int) -> str:
    """The text in at most ``max_bytes`` bytes of UTF-8, whole characters, with an ellipsis if something is missing.

    Lone surrogates, which protobuf refuses, become question marks.
    """
    encoded = text.encode(errors="replace")
    if len(encoded) <= max_bytes:
        return encoded.decode()
    return encoded[: max_bytes - 3].decode(errors="ignore") + "..."
