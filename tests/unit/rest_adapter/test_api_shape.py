"""Which shape a request is answered in, and what errors look like in each."""

from __future__ import annotations

import json

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.common.asked_shape import read_shape
from rest_adapter.config import RestConfig
from rest_adapter.errors import InvalidRequest
from rest_adapter.http.error_forms import ErrorForm, error_form
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import client_of, error_of

NOW = RestConfig(api_shape=ApiShape.NOW)


@pytest.mark.parametrize("default", ApiShape)
def test_a_request_that_asks_for_no_shape_gets_the_servers(default: ApiShape) -> None:
    assert read_shape({}, default) is default


@pytest.mark.parametrize("default", ApiShape)
@pytest.mark.parametrize("shape", ApiShape)
def test_a_request_may_ask_for_either_shape(shape: ApiShape, default: ApiShape) -> None:
    assert read_shape({"shape": shape.value}, default) is shape


def test_a_shape_that_there_is_not_is_refused_by_name() -> None:
    with pytest.raises(InvalidRequest, match="shape: '2023' is not known; allowed are 2024 and now"):
        read_shape({"shape": "2023"}, ApiShape.NOW)


@pytest.mark.parametrize("path", ["/props", "/slots", "/health", "/v1/models"])
def test_every_route_refuses_a_shape_that_there_is_not(path: str) -> None:
    core = MemoryCore()
    response = client_of(core).get(f"{path}?shape=")
    assert (response.status_code, core.unary_requests) == (400, [])
    assert error_of(response)["message"] == "shape: '' is not known; allowed are 2024 and now"


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/v1/chat/completions", ErrorForm.NATIVE),
        ("/v1/models", ErrorForm.NATIVE),
        ("/completion", ErrorForm.NATIVE),
        ("/v1/messages", ErrorForm.ANTHROPIC),
    ],
)
def test_errors_of_today_have_the_native_form_but_for_the_anthropic_api(path: str, form: ErrorForm) -> None:
    assert error_form(path, ApiShape.NOW) is form


def test_errors_follow_the_shape_of_the_request() -> None:
    asked, configured = client_of(MemoryCore()), client_of(MemoryCore(), NOW)
    path = "/v1/chat/completions"
    expected = {"code": 400, "type": "invalid_request_error"}
    for response in (asked.post(f"{path}?shape=now", data="{"), configured.post(path, data="{")):
        error = json.loads(response.data)["error"]
        assert {name: error[name] for name in error if name != "message"} == expected
    assert json.loads(configured.post(f"{path}?shape=2024", data="{").data)["error"]["code"] is None
