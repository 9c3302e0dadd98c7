"""The client of a core, without a core."""

from __future__ import annotations

import gc
import warnings

from rest_adapter.core.calls import HEALTH
from rest_adapter.core.client import CoreClient
from slotline.v1.model_pb2 import HealthRequest


def test_calls_that_are_closed_before_their_turn_leave_nothing_unrun() -> None:
    client = CoreClient("unix:/nonexistent/core.sock")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(200):
            client.start(HEALTH, HealthRequest(), timeout_s=None).close()
        client.close()
        gc.collect()
    assert [str(warning.message) for warning in caught if "never awaited" in str(warning.message)] == []
