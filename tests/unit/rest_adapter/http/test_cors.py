"""Headers for pages of other origins, on every kind of answer, and pages that are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.apis.routes import ROUTES
from rest_adapter.app import create_app
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_METRICS, GET_MODEL, HEALTH, LIST_LORA_ADAPTERS, LIST_MODELS, LIST_SLOTS
from slotline.v1.lora_pb2 import ListLoraAdaptersResponse
from slotline.v1.model_pb2 import GetMetricsResponse, GetModelResponse, ListModelsResponse, ListSlotsResponse, Model
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import READY, UNREACHABLE, answer, client_of, error_of

if TYPE_CHECKING:
    from pathlib import Path

    from flask.testing import FlaskClient
    from werkzeug import Response

OWN = "http://localhost:3000"
FOREIGN = "http://evil.example"
KEY = RestConfig(api_keys=("k",), metrics=True)
TODAY = RestConfig(api_shape=ApiShape.NOW)
KEYLESS = RestConfig(metrics=True)
ORIGIN = "Access-Control-Allow-Origin"
CREDENTIALS = "Access-Control-Allow-Credentials"
GET_PATHS = [path for route in ROUTES if route.method == "GET" for path in route.paths if "<" not in path]
POST_PATHS = [path for route in ROUTES if route.method == "POST" for path in route.paths]
# (method, path, body): one of each kind of answer.
ANSWERS = [
    *(("GET", path, b"") for path in (*GET_PATHS, "/v1/models/a", "/index.js", "/file.txt", "/nothing", "/completion")),
    ("HEAD", "/health", b""),
    ("POST", "/completion", b"{}"),
    ("POST", "/completion", b'{"stream":true}'),
    ("POST", "/completion", b"{"),
    ("POST", "/tokenize", b"{}"),
    ("POST", "/health", b"{}"),
    ("PUT", "/completion", b"{}"),
    ("POST", "/nothing", b"{}"),
]


def core() -> MemoryCore:
    return MemoryCore(
        answer,
        {
            HEALTH.path: READY,
            LIST_MODELS.path: ListModelsResponse(models=[Model(name="a")]),
            GET_MODEL.path: GetModelResponse(model=Model(name="a")),
            GET_METRICS.path: GetMetricsResponse(),
            LIST_SLOTS.path: ListSlotsResponse(),
            LIST_LORA_ADAPTERS.path: ListLoraAdaptersResponse(),
        },
    )


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    """Without API keys."""
    (tmp_path / "file.txt").write_text("a")
    return client_of(core(), RestConfig(metrics=True, static_path=str(tmp_path)))


def varies(response: Response) -> bool:
    return "Origin" in response.headers["Vary"].split(", ")


@pytest.mark.parametrize(("method", "path", "body"), ANSWERS)
def test_every_answer_says_that_pages_of_this_machine_may_read_it(
    client: FlaskClient, method: str, path: str, body: bytes
) -> None:
    with client.open(path, method=method, data=body, headers={"Origin": OWN}) as response:
        assert (response.headers[ORIGIN], response.headers[CREDENTIALS]) == (OWN, "true")
        assert varies(response)
        assert response.headers["Server"] == "slotline"


@pytest.mark.parametrize(("method", "path", "body"), ANSWERS)
def test_answers_to_nobody_in_particular_have_no_origin(
    client: FlaskClient, method: str, path: str, body: bytes
) -> None:
    with client.open(path, method=method, data=body) as response:
        assert ORIGIN not in response.headers
        assert CREDENTIALS not in response.headers
        assert varies(response)
    with client.open(path, method=method, data=body, headers={"Origin": ""}) as response:
        assert ORIGIN not in response.headers


@pytest.mark.parametrize("path", [*GET_PATHS, "/index.js", "/file.txt", "/nothing"])
@pytest.mark.parametrize("origin", [FOREIGN, "null"])
def test_what_a_page_from_elsewhere_gets_it_cannot_read(client: FlaskClient, path: str, origin: str) -> None:
    with client.get(path, headers={"Origin": origin}) as response:
        assert response.status_code in (200, 404)
        assert ORIGIN not in response.headers
        assert varies(response)


@pytest.mark.parametrize(
    ("method", "path"),
    [*(("POST", path) for path in POST_PATHS), ("PUT", "/completion"), ("DELETE", "/"), ("OPTIONS", "/completion")],
)
@pytest.mark.parametrize("origin", [FOREIGN, "null"])
def test_a_page_from_elsewhere_can_do_nothing_without_asking(method: str, path: str, origin: str) -> None:
    backend = core()
    # What a form sends needs no preflight.
    headers = {"Origin": origin, "Content-Type": "text/plain", "Host": "127.0.0.1:8080"}
    body = b'{"prompt":"a","system_prompt":{"prompt":"Obey."}}'
    response = client_of(backend, KEYLESS).open(path, method=method, data=body, headers=headers)
    assert (response.status_code, error_of(response)["type"]) == (403, "permission_error")
    assert error_of(response)["message"] == (
        f'Origin: "{origin}" may not use this server; without API keys, allowed are pages of this machine and the '
        "origins in --cors-origins"
    )
    assert ORIGIN not in response.headers
    assert (backend.requests, backend.unary_requests) == ([], [])


@pytest.mark.parametrize("path", ["/completion", "/health", "/index.js", "/nothing"])
@pytest.mark.parametrize("origin", [FOREIGN, "null", OWN])
def test_with_keys_every_origin_may_read(path: str, origin: str) -> None:
    client = client_of(core(), KEY)
    for method in ("GET", "POST", "OPTIONS"):
        response = client.open(path, method=method, headers={"Origin": origin})
        assert (response.headers[ORIGIN], response.headers[CREDENTIALS]) == (origin, "true")
        assert varies(response)


def test_a_named_origin_may_do_what_pages_of_this_machine_may() -> None:
    client = client_of(core(), RestConfig(cors_origins=("http://app.example",)))
    response = client.post("/completion", json={}, headers={"Origin": "http://app.example"})
    assert (response.status_code, response.headers[ORIGIN]) == (200, "http://app.example")
    assert response.headers[CREDENTIALS] == "true"
    assert client.post("/completion", json={}, headers={"Origin": FOREIGN}).status_code == 403


@pytest.mark.parametrize("method", ["POST", "OPTIONS"])
def test_where_every_origin_may_no_cookies_are_sent(method: str) -> None:
    client = client_of(core(), RestConfig(cors_origins=("*",)))
    response = client.open("/completion", method=method, data=b"{}", headers={"Origin": FOREIGN})
    assert (response.status_code, response.headers[ORIGIN]) == (200, FOREIGN)
    assert CREDENTIALS not in response.headers


# Preflights.


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        *((path, "GET, HEAD") for path in ("/v1/models/a", "/index.js", "/file.txt")),
        *((path, "GET, HEAD") for path in GET_PATHS if path not in POST_PATHS),
        *((path, "POST") for path in POST_PATHS if path not in GET_PATHS),
        *((path, "GET, HEAD, POST") for path in GET_PATHS if path in POST_PATHS),
        ("/nothing", None),
    ],
)
def test_a_preflight_promises_the_methods_of_its_path(client: FlaskClient, path: str, methods: str | None) -> None:
    headers = {"Origin": OWN, "Access-Control-Request-Method": "POST"}
    response = client.options(path, headers=headers)
    assert (response.status_code, response.data) == (200, b"")
    assert response.headers.get("Access-Control-Allow-Methods") == methods
    assert response.headers["Access-Control-Max-Age"] == "600"
    for method in (methods or "").split(", "):
        if method:
            # What is promised is kept: the answer is none that the path does not know, and can be read.
            with client.open(path, method=method, data=b"{", headers={"Origin": OWN}) as kept:
                assert kept.status_code != 405
                assert kept.headers[ORIGIN] == response.headers[ORIGIN] == OWN
                assert kept.headers[CREDENTIALS] == response.headers[CREDENTIALS]


@pytest.mark.parametrize("asked", ["authorization", "Authorization, content-type,x-stainless-os", "x-api-key"])
def test_a_preflight_echoes_the_headers_that_it_asks_for(asked: str) -> None:
    headers = {"Origin": OWN, "Access-Control-Request-Headers": asked}
    response = client_of(core()).options("/completion", headers=headers)
    assert response.headers["Access-Control-Allow-Headers"] == asked
    assert response.headers["Vary"] == "Access-Control-Request-Headers, Origin"


@pytest.mark.parametrize("asked", ["a b;c", "<a>", "\xe9"])
def test_what_are_no_names_of_headers_is_not_repeated(asked: str) -> None:
    headers = {"Origin": OWN, "Access-Control-Request-Headers": asked}
    response = client_of(core()).options("/completion", headers=headers)
    assert response.headers["Access-Control-Allow-Headers"] == "*"


def test_today_a_preflight_promises_what_llama_server_does() -> None:
    headers = {"Origin": OWN, "Access-Control-Request-Headers": "Authorization"}
    for client, query in ((client_of(core(), TODAY), ""), (client_of(core()), "?shape=now")):
        response = client.options(f"/completion{query}", headers=headers)
        assert response.headers["Access-Control-Allow-Methods"] == "GET, POST, DELETE, OPTIONS"
        assert response.headers["Access-Control-Allow-Headers"] == "*"
        assert response.headers["Allow"] == "OPTIONS, POST"


@pytest.mark.parametrize("path", ["/completion", "/nothing", "/completion?shape=2024", "/completion?shape=none"])
@pytest.mark.parametrize("shape", ApiShape)
def test_what_was_configured_is_promised(path: str, shape: ApiShape) -> None:
    config = RestConfig(cors_methods=("GET", "PUT"), cors_headers=("*", "Authorization"), api_shape=shape)
    headers = {"Origin": OWN, "Access-Control-Request-Headers": "x-a"}
    response = client_of(core(), config).options(path, headers=headers)
    assert response.headers["Access-Control-Allow-Methods"] == "GET, PUT"
    assert response.headers["Access-Control-Allow-Headers"] == "*, Authorization"


@pytest.mark.parametrize("origin", [FOREIGN, "null", "http://localhost.evil.example"])
@pytest.mark.parametrize("keys", [(), ("k",)])
def test_today_the_preflight_of_a_foreign_page_is_answered_without_leave_to_go_on(
    origin: str, keys: tuple[str, ...]
) -> None:
    config = RestConfig(api_shape=ApiShape.NOW, cors_origins=("localhost",), api_keys=keys)
    backend = core()
    client = client_of(backend, config)
    response = client.options("/completion", headers={"Origin": origin})
    assert (response.status_code, response.data) == (200, b"")
    assert ORIGIN not in response.headers
    assert CREDENTIALS not in response.headers
    # What a form sends is not asked for beforehand, and is refused as ever.
    headers = {"Origin": origin, "Content-Type": "text/plain", "Authorization": "Bearer k"}
    assert client.post("/completion", data=b"{}", headers=headers).status_code == 403
    assert backend.requests == []


@pytest.mark.parametrize(
    ("config", "origin", "value"),
    [
        (RestConfig(cors_origins=("*",)), FOREIGN, None),
        (RestConfig(cors_origins=("*",), cors_credentials=True), FOREIGN, "true"),
        (RestConfig(cors_credentials=True), OWN, "true"),
        (RestConfig(cors_credentials=False), OWN, None),
        (RestConfig(api_keys=("k",), cors_credentials=False), FOREIGN, None),
    ],
)
def test_cookies_are_allowed_as_configured(config: RestConfig, origin: str, value: str | None) -> None:
    response = client_of(core(), config).options("/completion", headers={"Origin": origin})
    assert response.headers[ORIGIN] == origin
    assert response.headers.get(CREDENTIALS) == value
    # Whatever is allowed is of no use to a page that may not use the server at all.
    foreign = client_of(core(), RestConfig(cors_credentials=True)).get("/health", headers={"Origin": FOREIGN})
    assert CREDENTIALS not in foreign.headers


# Names of the server.


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/"), ("GET", "/health"), ("POST", "/completion"), ("OPTIONS", "/completion")]
)
def test_a_page_under_a_name_of_its_own_does_not_reach_a_local_server(method: str, path: str) -> None:
    backend = core()
    # For the browser the page and the server have the same origin.
    headers = {"Host": "evil.example:8080", "Origin": "http://evil.example:8080", "Sec-Fetch-Site": "same-origin"}
    response = client_of(backend).open(path, method=method, headers=headers)
    assert (response.status_code, error_of(response)["type"]) == (421, "invalid_request_error")
    assert error_of(response)["message"].startswith('Host: "evil.example:8080" is no name of this server')
    assert "--allowed-hosts" in error_of(response)["message"]
    assert ORIGIN not in response.headers
    assert (backend.requests, backend.unary_requests) == ([], [])


@pytest.mark.parametrize("host", ["evil.example", "core:8080"])
def test_other_servers_may_have_any_name(host: str) -> None:
    headers = {"Host": host}
    assert client_of(core(), KEY).get("/health", headers=headers).status_code == 200
    elsewhere = create_app(core(), RestConfig(host="0.0.0.0"), is_loopback=False).test_client()
    assert elsewhere.get("/health", headers=headers).status_code == 200
    assert elsewhere.post("/tokenize", json={}, headers={**headers, "Origin": f"http://{host}"}).status_code != 403


@pytest.mark.parametrize("host", ["box.lan", "BOX.lan.:8080", "Machine", "127.0.0.1:1", "localhost:2"])
def test_a_local_server_has_the_names_that_it_was_given(host: str) -> None:
    config = RestConfig(host="machine", allowed_hosts=("box.lan",))
    assert client_of(core(), config).get("/health", headers={"Host": host}).status_code == 200


def test_an_unreachable_core_can_be_read_about() -> None:
    client = client_of(MemoryCore(unary={LIST_MODELS.path: UNREACHABLE}))
    response = client.get("/v1/models", headers={"Origin": OWN})
    assert (response.status_code, response.headers[ORIGIN]) == (503, OWN)
