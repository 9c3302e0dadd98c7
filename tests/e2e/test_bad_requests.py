"""The whole table of wrong requests against the default model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import requests

from tests.support.server import PATIENCE_S, Server
from tests.support.wrong_bodies import wrong_bodies
from tests.support.wrong_http import wrong_http
from tests.support.wrong_requests import KEY, WrongRequest

if TYPE_CHECKING:
    from tests.support.server_pool import ServerPool

WRONG = (*wrong_http(), *wrong_bodies())
HEADERS = {"Authorization": f"Bearer {KEY}"}
BODY = {"prompt": "The capital of France is", "n_predict": 8, "temperature": 0, "cache_prompt": False}


@pytest.fixture(scope="module")
def guarded(servers: ServerPool) -> Server:
    """A server with a key, and with everything switched on."""
    return servers.get("-c", "2048", "-np", "2", "--embedding", "--metrics", "--api-key", KEY)


@pytest.fixture(scope="module")
def text(guarded: Server) -> str:
    """What the server says before it got any of the table."""
    return complete(guarded)


def complete(server: Server) -> str:
    """An answer to a right request."""
    answer = requests.post(f"{server.rest_url}/completion", json=BODY, headers=HEADERS, timeout=PATIENCE_S)
    assert answer.status_code == 200, answer.text
    content: str = answer.json()["content"]
    return content


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.name)
def test_a_wrong_request_is_refused_and_no_slot_busy(guarded: Server, text: str, wrong: WrongRequest) -> None:
    host, _, port = guarded.rest_url.removeprefix("http://").partition(":")
    wrong.check_on((host, int(port)))
    health = requests.get(f"{guarded.rest_url}/health", timeout=PATIENCE_S)
    assert (health.status_code, health.json()["slots_processing"]) == (200, 0)


def test_after_all_of_them_the_answer_is_the_same(guarded: Server, text: str) -> None:
    assert complete(guarded) == text
    metrics = requests.get(f"{guarded.rest_url}/metrics", headers=HEADERS, timeout=PATIENCE_S).text
    assert "\nllamacpp:requests_processing 0\n" in metrics
    assert "\nllamacpp:requests_deferred 0\n" in metrics
    # It is still the first core.
    assert len([record for record in guarded.records if record.get("msg") == "core started"]) == 1
