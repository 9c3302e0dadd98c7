"""Recorded requests of the 2024 server: this one answers them alike, or differs as decided."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.golden.compare import Agreement, compare
from tests.support.server import Server

CASES = json.loads((Path(__file__).parents[1] / "golden" / "reference_2024.json").read_text())["cases"]
#: Routes that the engine does not have yet: they must say so.
ABSENT = {case["name"] for case in CASES if case["path"] == "/embedding"}


@pytest.fixture(scope="module")
def golden_server() -> Iterator[Server]:
    """As the recorded one was started, with its way of rendering conversations."""
    with Server("-c", "2048", "-np", "1", "--chat-template", "chatml") as running:
        running.wait_until_ready()
        yield running


def send(server: Server, case: dict[str, Any]) -> requests.Response:
    """Send the recorded request."""
    body = None if case["body"] is None else json.dumps(case["body"])
    return requests.request(case["method"], server.rest_url + case["path"], data=body, timeout=120)


@pytest.mark.parametrize("case", [case for case in CASES if case["name"] not in ABSENT], ids=lambda case: case["name"])
def test_the_answer_agrees_with_the_recorded_one(golden_server: Server, case: dict[str, Any]) -> None:
    response = send(golden_server, case)
    result = compare(case, response.status_code, response.headers, response.content)
    assert isinstance(result, Agreement), result.reasons


@pytest.mark.parametrize("case", [case for case in CASES if case["name"] in ABSENT], ids=lambda case: case["name"])
def test_what_is_not_there_yet_says_so(golden_server: Server, case: dict[str, Any]) -> None:
    response = send(golden_server, case)
    assert response.status_code == 501
    assert response.json()["error"]["type"] == "not_supported_error"
