"""Recorded requests of the 2024 server: this one answers them alike, or differs as decided."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.golden.compare import Agreement
from tests.golden.report import OPTIONS, ask, judge, recorded_cases
from tests.support.server import Server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def golden_server() -> Iterator[Server]:
    """As the recorded one was started."""
    with Server(*OPTIONS) as running:
        running.wait_until_ready()
        yield running


@pytest.mark.parametrize("case", recorded_cases(), ids=lambda case: case["name"])
def test_the_answer_agrees_with_the_recorded_one(golden_server: Server, case: dict[str, Any]) -> None:
    result = judge(case, ask(golden_server.rest_url, case))
    assert isinstance(result, Agreement), result.reasons
