"""The messages of ``grpc.health.v1``: a text and a number, written here so that clients need no package for them."""

from __future__ import annotations

from typing import Literal

WATCH = "/grpc.health.v1.Health/Watch"
HealthStatus = Literal["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"]
_STATUSES: tuple[HealthStatus, ...] = ("UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN")
#: Field 1 of HealthCheckRequest, a text, and of HealthCheckResponse, a number.
_SERVICE, _STATUS = 0x0A, 0x08
_MAX_BYTES = 127


def check_request(service: str) -> bytes:
    """A ``HealthCheckRequest``.

    Raises:
        ValueError: the name has more than 127 bytes in UTF-8.
    """
    name = service.encode()
    if len(name) > _MAX_BYTES:
        raise ValueError(f"service: {service!r:.80} has {len(name)} bytes; allowed are {_MAX_BYTES}")
    return bytes([_SERVICE, len(name)]) + name if name else b""


def check_response(message: bytes) -> HealthStatus:
    """The status in a ``HealthCheckResponse``; one that is not known is UNKNOWN."""
    if len(message) < 2 or message[0] != _STATUS or message[1] >= len(_STATUSES):
        return "UNKNOWN"
    return _STATUSES[message[1]]
