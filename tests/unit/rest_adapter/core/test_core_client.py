"""The client of a core, without a core."""

from __future__ import annotations

import gc
import warnings

import grpc
import pytest

from rest_adapter.core.calls import HEALTH
from rest_adapter.core.client import CoreClient
from rest_adapter.errors import RpcFailure
from slotline.v1.generation_pb2 import GenerateRequest
from slotline.v1.model_pb2 import HealthRequest
from tests.support.fake_core import WAIT_S


def test_calls_that_are_closed_before_their_turn_leave_nothing_unrun() -> None:
    client = CoreClient("unix:/nonexistent/core.sock")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(200):
            client.start(HEALTH, HealthRequest(), timeout_s=None).close()
        client.close()
        gc.collect()
    assert [str(warning.message) for warning in caught if "never awaited" in str(warning.message)] == []


def test_a_call_at_once_finds_the_channel() -> None:
    for _ in range(20):
        client = CoreClient("unix:/nowhere/core.sock")
        stream = client.generate([GenerateRequest(text="a")], deadline_s=WAIT_S)
        with pytest.raises(RpcFailure) as caught:
            next(stream)
        client.close()
        assert caught.value.status is grpc.StatusCode.UNAVAILABLE, caught.value
