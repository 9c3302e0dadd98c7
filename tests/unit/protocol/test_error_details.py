"""Details of failed calls, as trailing metadata carry them."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf import any_pb2
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from slotline.protocol.error_details import DETAILS_KEY, DOMAIN, ErrorDetails, error_details


def trailers(*messages: Any) -> tuple[tuple[str, str | bytes], ...]:
    """Trailing metadata with these details."""
    packed = []
    for message in messages:
        detail = any_pb2.Any()
        detail.Pack(message)
        packed.append(detail)
    return (("other", "x"), (DETAILS_KEY, Status(code=3, details=packed).SerializeToString()))


def test_everything_that_a_core_tells_is_read() -> None:
    violation = BadRequest.FieldViolation(field="n_keep", description="is -2; allowed is -1 or more")
    found = error_details(
        trailers(
            ErrorInfo(reason="QUEUE_FULL", domain="slotline", metadata={"limit": "3"}),
            BadRequest(field_violations=[violation]),
            RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000)),
            Duration(seconds=7),
        )
    )
    assert found == ErrorDetails(
        DOMAIN, "QUEUE_FULL", {"limit": "3"}, (("n_keep", "is -2; allowed is -1 or more"),), 1.5
    )


@pytest.mark.parametrize(
    "trailing", [None, (), (("other", "x"),), ((DETAILS_KEY, b"\xff\xff"),), ((DETAILS_KEY, "text"),), trailers()]
)
def test_without_details_everything_is_missing(trailing: Any) -> None:
    assert error_details(trailing) == ErrorDetails()


def test_a_delay_of_zero_is_told_and_no_delay_is_not() -> None:
    assert error_details(trailers(RetryInfo())).retry_after_s == 0.0
    assert error_details(trailers(ErrorInfo(reason="X"))).retry_after_s is None
