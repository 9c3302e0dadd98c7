"""API keys of clients, over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from grpc import StatusCode

from rest_adapter.apis.routes import ROUTES
from rest_adapter.config import RestConfig
from rest_adapter.errors import RpcFailure
from slotline.protocol.api_keys import tenant_of_key
from slotline.v1.model_pb2 import SLOT_STATE_IDLE
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import READY, answer, client_of, error_of, with_state

if TYPE_CHECKING:
    from pathlib import Path

KEYS = RestConfig(api_keys=("sk-first", "second key"), metrics=True)
GOOD = {"Authorization": "Bearer sk-first"}
PUBLIC = ["/", "/openapi.json", "/health", "/v1/health", "/models", "/v1/models"]
PROTECTED = [(route.method, path) for route in ROUTES for path in route.paths if path not in PUBLIC]


@pytest.mark.parametrize("key", ["sk-first", "second key"])
def test_every_key_is_valid(key: str) -> None:
    client = client_of(MemoryCore(answer), KEYS)
    response = client.post("/completion", json={"prompt": "a"}, headers={"Authorization": f"Bearer {key}"})
    assert (response.status_code, response.get_json()["content"]) == (200, "ab")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "bearer sk-first"},
        {"Authorization": "BEARER   sk-first"},
        {"X-Api-Key": "sk-first"},
        {"X-API-KEY": "second key"},
        {"Authorization": "Basic c2s6", "x-api-key": "sk-first"},
    ],
)
def test_a_key_may_come_in_other_forms(headers: dict[str, str]) -> None:
    core = MemoryCore(answer)
    assert client_of(core, KEYS).post("/completion", json={}, headers=headers).status_code == 200
    key = "second key" if "second key" in headers.values() else "sk-first"
    assert core.tenants == [tenant_of_key(key.encode())]


@pytest.mark.parametrize(
    "headers", [{"X-Api-Key": "wrong"}, {"X-Api-Key": ""}, {"Authorization": "Bearer wrong", "X-Api-Key": "sk-first"}]
)
def test_other_forms_of_a_wrong_key_are_refused(headers: dict[str, str]) -> None:
    response = client_of(MemoryCore(answer), KEYS).post("/completion", json={}, headers=headers)
    assert response.status_code == 401
    assert error_of(response)["message"].endswith("or X-Api-Key: KEY without it")


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Bearer x",
        "Bearer\tsk-first",
        "sk-first",
        "Basic sk-first",
        "Bearer sk-firs",
        "Bearer sk-first2",
        "Bearer SK-FIRST",
        "Bearer sk-first,Bearer sk-first",
        "Bearer second",
        "Bearer clé",
        "Bearer \xff\xfe",
        "Bearer " + 5000 * "k",
    ],
)
def test_anything_else_is_refused(value: str | None) -> None:
    core = MemoryCore(answer)
    headers = {"Origin": "http://page"} | ({} if value is None else {"Authorization": value})
    # The body is no JSON, which nobody finds out.
    response = client_of(core, KEYS).post("/completion", data=b"{", headers=headers)
    error = error_of(response)
    assert (response.status_code, error["type"]) == (401, "authentication_error")
    assert error["message"].startswith("Authorization: this header is missing or holds no valid API key; allowed is")
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["Access-Control-Allow-Origin"] == "http://page"
    assert core.requests == []


@pytest.mark.parametrize(("method", "path"), [*PROTECTED, ("GET", "/nowhere"), ("POST", "/health"), ("DELETE", "/")])
def test_every_route_that_is_not_public_needs_a_key(method: str, path: str) -> None:
    client = client_of(with_state(READY), KEYS)
    assert client.open(path, method=method).status_code == 401
    assert client.open(path, method=method, headers=GOOD).status_code != 401


@pytest.mark.parametrize("path", PUBLIC)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_public_routes_need_none(method: str, path: str) -> None:
    assert client_of(with_state(READY), KEYS).open(path, method=method).status_code == 200


@pytest.mark.parametrize("path", ["/completion", "/slots", "/nowhere"])
def test_preflights_need_none(path: str) -> None:
    assert client_of(MemoryCore(), KEYS).options(path).status_code == 200


def test_files_need_none(tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("1")
    client = client_of(MemoryCore(), RestConfig(api_keys=("k",), static_path=str(tmp_path)))
    with client.get("/page.js") as response:
        assert response.data == b"1"
    assert client.get("/other.js").status_code == 401


def test_health_shows_slots_only_to_those_with_a_key() -> None:
    client = client_of(with_state(READY, SLOT_STATE_IDLE), KEYS)
    assert "slots" not in json.loads(client.get("/health?include_slots").data)
    assert "slots" in json.loads(client.get("/health?include_slots", headers=GOOD).data)


def test_the_core_is_told_whose_slots_are_asked_for() -> None:
    core = with_state(READY, SLOT_STATE_IDLE)
    client = client_of(core, KEYS)
    for path in ("/slots", "/health?include_slots"):
        for key in KEYS.api_keys:
            core.unary_tenants.clear()
            client.get(path, headers={"Authorization": f"Bearer {key}"})
            assert tenant_of_key(key.encode()) in core.unary_tenants
    core.unary_tenants.clear()
    assert client_of(core).get("/slots", headers=GOOD).status_code == 200
    assert set(core.unary_tenants) == {""}


def test_the_core_is_told_whose_generations_are_asked_for() -> None:
    core = MemoryCore(answer)
    for key in KEYS.api_keys:
        client_of(core, KEYS).post("/completion", json={}, headers={"Authorization": f"Bearer {key}"})
    client_of(core).post("/completion", json={}, headers=GOOD)
    assert core.tenants == [*(tenant_of_key(key.encode()) for key in KEYS.api_keys), ""]


def test_without_keys_nobody_needs_one() -> None:
    client = client_of(MemoryCore(answer))
    for headers in ({}, {"Authorization": "Bearer whatever"}):
        assert client.post("/completion", json={"prompt": "a"}, headers=headers).status_code == 200


def test_a_refusal_is_logged_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    client_of(MemoryCore(), KEYS).get("/props", headers={"Authorization": "Bearer guess"})
    (record,) = [record for record in caplog.records if record.getMessage() == "Unauthorized: Invalid API Key"]
    assert record.levelname == "WARNING"
    assert (record.__dict__["method"], record.__dict__["path"]) == ("GET", "/props")
    assert not any("guess" in str(value) for value in record.__dict__.values())


def test_health_says_so_when_the_core_refuses_the_adapter() -> None:
    core = with_state(RpcFailure(StatusCode.UNAUTHENTICATED, "INVALID_API_KEY", "no"))
    response = client_of(core).get("/health")
    assert (response.status_code, response.data) == (500, b'{"status": "error"}')
