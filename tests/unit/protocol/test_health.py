"""The messages of standard health are those of its protos."""

from __future__ import annotations

import pytest
from grpc_health.v1 import health_pb2

from slotline.protocol.health import check_request, check_response

STATUSES = health_pb2.HealthCheckResponse.ServingStatus


@pytest.mark.parametrize("service", ["", "slotline.v1.InferenceService", "é" * 63])
def test_a_request_names_the_service(service: str) -> None:
    assert health_pb2.HealthCheckRequest.FromString(check_request(service)).service == service


def test_a_name_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match=r"service: .* has 128 bytes; allowed are 127"):
        check_request("a" * 128)


@pytest.mark.parametrize("name", STATUSES.keys())
def test_a_response_tells_the_status(name: str) -> None:
    message = health_pb2.HealthCheckResponse(status=STATUSES.Value(name))
    assert check_response(message.SerializeToString()) == name


@pytest.mark.parametrize("message", [b"", b"\x08", b"\x08\x63", b"\x10\x01"])
def test_a_status_that_is_not_known_is_unknown(message: bytes) -> None:
    assert check_response(message) == "UNKNOWN"
