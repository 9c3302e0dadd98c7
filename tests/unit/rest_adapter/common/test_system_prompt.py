"""Who may replace the system prompt of all slots with a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rest_adapter.app import create_app
from rest_adapter.config import RestConfig
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import answer, error_of

if TYPE_CHECKING:
    from flask.testing import FlaskClient

PATHS = ["/completion", "/completions", "/infill", "/v1/completions"]
KEY = {"Authorization": "Bearer k"}


def client(core: MemoryCore, *, is_loopback: bool = False, **options: object) -> FlaskClient:
    """A client of an adapter that others than this machine can reach."""
    config = RestConfig(host="0.0.0.0", **options)  # type: ignore[arg-type]
    return create_app(core, config, is_loopback=is_loopback).test_client()


@pytest.mark.parametrize("value", ["P", "", {"prompt": "P"}, {}])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_nobody_may_without_a_key_where_others_reach_the_server(path: str, stream: bool, value: object) -> None:
    core = MemoryCore(answer)
    response = client(core).post(path, json={"prompt": "a", "system_prompt": value, "stream": stream})
    assert response.status_code == 403
    message = response.get_json()["error"]["message"]
    assert message.startswith(
        "system_prompt: is the prompt of everybody, and others than this machine reach this server"
    )
    assert "--allow-system-prompt" in message
    assert core.requests == []
    assert client(core).post(path, json={"prompt": "a", "system_prompt": None}).status_code == 200


def test_the_refusal_is_one_of_permission() -> None:
    response = client(MemoryCore(answer)).post("/completion", json={"system_prompt": "P"})
    assert error_of(response)["type"] == "permission_error"
    error = client(MemoryCore(answer)).post("/v1/completions", json={"prompt": "a", "system_prompt": "P"}).get_json()
    assert (error["error"]["type"], error["error"]["param"]) == ("permission_error", "system_prompt")


@pytest.mark.parametrize("options", [{"api_keys": ("k",)}, {"allow_system_prompt": True}, {"is_loopback": True}])
@pytest.mark.parametrize("path", PATHS)
def test_those_with_a_key_or_on_this_machine_may_and_all_if_they_are_to(path: str, options: dict[str, object]) -> None:
    core = MemoryCore(answer)
    response = client(core, **options).post(path, json={"prompt": "a", "system_prompt": "P"}, headers=KEY)  # type: ignore[arg-type]
    assert response.status_code == 200
    assert core.requests[0].system_prompt.prompt == "P"
