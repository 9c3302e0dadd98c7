"""The priority of a call, wherever it is told."""

from __future__ import annotations

import pytest

from rest_adapter.apis.common import priority as of_header
from rest_adapter.errors import InvalidRequest
from service.api.rpc import priority as of_metadata
from service.errors import InvalidArgument
from slotline.protocol.metadata import PRIORITY
from slotline.protocol.priority import read_priority


@pytest.mark.parametrize(
    ("values", "priority"), [([], 0), (["0"], 0), (["7"], 7), (["+7"], 7), (["-100"], -100), (["100"], 100)]
)
def test_a_priority_is_one_integer(values: list[str], priority: int) -> None:
    assert read_priority(values) == priority


@pytest.mark.parametrize(
    ("values", "found"),
    [
        (["101"], "is '101'"),
        ([""], "is ''"),
        (["1.5"], "is '1.5'"),
        (["\u0663"], "is '\u0663'"),
        (["x" * 99], f"is '{'x' * 32}'"),
        (["1", "2"], "is there 2 times"),
    ],
)
def test_anything_else_is_told_alike_to_callers_of_both_ports(values: list[str], found: str) -> None:
    problem = f"{found}; allowed is one integer from -100 to 100"
    with pytest.raises(InvalidArgument) as by_grpc:
        of_metadata.priority_of([(PRIORITY, value) for value in values])
    with pytest.raises(InvalidRequest) as by_rest:
        of_header.priority_of(values)
    assert by_grpc.value.message == f"metadata slotline-priority: {problem}"
    assert by_rest.value.message == f"header Slotline-Priority: {problem}"
