"""Requests are known by task while their calls last."""

from __future__ import annotations

import pytest

from service.api.core.received import ReceivedRequests
from slotline.v1 import generation_pb2


def test_a_request_is_known_until_its_call_ends_however_it_ends() -> None:
    received, request = ReceivedRequests(), generation_pb2.GenerateRequest(text="Hi")
    with received.known(3, request):
        assert received.find(3) is request
        assert received.find(4) is None
    assert received.find(3) is None
    with pytest.raises(KeyError, match="a fault"), received.known(5, request):
        raise KeyError("a fault")
    assert received.find(5) is None


def test_a_slot_without_a_task_has_no_request() -> None:
    assert ReceivedRequests().find(None) is None
