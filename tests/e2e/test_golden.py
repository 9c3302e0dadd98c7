"""Recorded requests of the 2024 server: this one answers them alike, or differs as decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.compare import Agreement
from tests.golden.report import OPTIONS, ask, judge, recorded_cases

if TYPE_CHECKING:
    from tests.support.server import Server
    from tests.support.server_pool import ServerPool


@pytest.fixture(scope="module")
def golden_server(servers: ServerPool) -> Server:
    """As the recorded one was started."""
    return servers.get(*OPTIONS)


@pytest.mark.parametrize("case", recorded_cases(), ids=lambda case: case["name"])
def test_the_answer_agrees_with_the_recorded_one(golden_server: Server, case: dict[str, Any]) -> None:
    result = judge(case, ask(golden_server.rest_url, case))
    assert isinstance(result, Agreement), result.reasons
