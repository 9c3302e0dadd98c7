"""Routes that tell the state, and routes for tokens, over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import gevent
import gevent.socket
import pytest
from grpc import StatusCode
from prometheus_client.parser import text_string_to_metric_families

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import DETOKENIZE, GET_METRICS, GET_MODEL, LIST_MODELS, LIST_SLOTS, TOKENIZE, UnaryMethod
from rest_adapter.errors import RpcFailure, StreamClosed
from rest_adapter.http.disconnect import SOCKET_KEY
from slotline.v1.model_pb2 import (
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    GetMetricsRequest,
    GetMetricsResponse,
    GetModelRequest,
    GetModelResponse,
    HealthResponse,
    ListSlotsResponse,
    Model,
    Slot,
)
from slotline.v1.prompt_pb2 import SystemPrompt
from slotline.v1.tokenization_pb2 import DetokenizeResponse, TokenizeResponse
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, READY, UNREACHABLE, answer, client_of, error_of, with_state
from tests.unit.rest_adapter.messages import settings

if TYPE_CHECKING:
    from google.protobuf.message import Message

BUSY = HealthResponse(state=SERVER_STATE_READY, slots_idle=0, slots_processing=2)
FREE_BODY = b'{"slots_idle":1,"slots_processing":1,"status":"ok"}'
BUSY_BODY = b'{"slots_idle":0,"slots_processing":2,"status":"no slot available"}'
LOADING_BODY = b'{"status": "loading model"}'
STALLED_BODY = b'{"status": "stalled"}'


@pytest.mark.parametrize(
    ("health", "query", "status", "body"),
    [
        (READY, "", 200, FREE_BODY),
        (READY, "?fail_on_no_slot", 200, FREE_BODY),
        (BUSY, "", 200, BUSY_BODY),
        (BUSY, "?fail_on_no_slot", 503, BUSY_BODY),
        (BUSY, "?fail_on_no_slot=0", 503, BUSY_BODY),
        (HealthResponse(state=SERVER_STATE_LOADING), "", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_LOADING), "?include_slots", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_FAILED), "", 500, b'{"status": "error"}'),
        (UNREACHABLE, "", 503, LOADING_BODY),
        (HealthResponse(state=SERVER_STATE_STALLED), "?include_slots", 503, STALLED_BODY),
        (RpcFailure(StatusCode.DEADLINE_EXCEEDED, "", "slow"), "", 503, STALLED_BODY),
    ],
)
@pytest.mark.parametrize("path", ["/health", "/v1/health"])
def test_health(path: str, health: HealthResponse | Exception, query: str, status: int, body: bytes) -> None:
    response = client_of(with_state(health)).get(path + query)
    assert (response.status_code, response.data) == (status, body)
    assert response.headers["Content-Type"] == "application/json"


def test_health_can_include_slots() -> None:
    core = with_state(READY, SLOT_STATE_IDLE, SLOT_STATE_DECODE)
    body = json.loads(client_of(core).get("/health?include_slots=0").data)
    assert [(slot["id"], slot["state"]) for slot in body["slots"]] == [(0, 0), (1, 1)]
    assert (body["slots_idle"], body["slots_processing"], body["status"]) == (1, 1, "ok")


def test_slots() -> None:
    response = client_of(with_state(READY, SLOT_STATE_IDLE, SLOT_STATE_DECODE)).get("/slots")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "application/json")
    assert [(slot["id"], slot["model"]) for slot in json.loads(response.data)] == [(0, "m.gguf"), (1, "m.gguf")]


def test_slots_count_the_tokens_of_prompts_if_asked_to() -> None:
    core = with_state(READY)
    slot = Slot(settings=settings(), prompt_tokens=1200, prompt_tokens_done=512, cached_tokens=500)
    core.answer_with(LIST_SLOTS, ListSlotsResponse(slots=[slot]))
    client = client_of(core)
    (plain,) = json.loads(client.get("/slots").data)
    (counted,) = json.loads(client.get("/slots?progress").data)
    assert counted == plain | {
        "n_cached_tokens": 500,
        "n_prompt_tokens": 1200,
        "n_prompt_tokens_processed": 512,
    }
    assert "n_prompt_tokens" not in plain


def test_slots_can_be_switched_off() -> None:
    client = client_of(with_state(READY, SLOT_STATE_IDLE), RestConfig(slots_endpoint=False))
    response = client.get("/slots")
    assert response.status_code == 404
    assert error_of(response) == {
        "code": 404,
        "message": "/slots: switched off by --slots-endpoint-disable",
        "type": "not_found_error",
    }
    assert client.get("/health?include_slots").data == FREE_BODY


PROPS = (
    '{"assistant_name":"","default_generation_settings":{"dynatemp_exponent":1.0,"dynatemp_range":0.0,'
    '"frequency_penalty":0.0,"grammar":"","ignore_eos":false,"logit_bias":[],"min_keep":0,'
    '"min_p":0.05000000074505806,"mirostat":0,"mirostat_eta":0.10000000149011612,"mirostat_tau":5.0,'
    '"model":"m.gguf","n_ctx":512,"n_keep":0,"n_predict":-1,"n_probs":0,"penalize_nl":true,'
    '"penalty_prompt_tokens":[],"presence_penalty":0.0,"repeat_last_n":64,"repeat_penalty":1.100000023841858,'
    '"samplers":["top_k","tfs_z","typical_p","top_p","min_p","temperature"],"seed":-1,"stop":[],"stream":true,'
    '"temperature":0.800000011920929,"tfs_z":1.0,"top_k":40,"top_p":0.949999988079071,"typical_p":1.0,'
    '"use_penalty_prompt_tokens":false},"total_slots":1,"user_name":""}'
)


def with_model(model: Model) -> MemoryCore:
    return MemoryCore(unary={GET_MODEL.path: GetModelResponse(model=model)})


def test_props_to_the_byte() -> None:
    response = client_of(with_model(Model(name="m.gguf", n_slots=1, default_settings=settings()))).get("/props")
    assert (response.status_code, response.content_type) == (200, JSON)
    assert response.data.decode() == PROPS


def test_props_tell_the_names_of_the_system_prompt_and_the_cap() -> None:
    defaults = settings()
    defaults.max_tokens = 32
    prompt = SystemPrompt(prompt="P", anti_prompt="User:", assistant_name="Llama:")
    model = Model(name="m", n_slots=4, default_settings=defaults, system_prompt=prompt)
    body = json.loads(client_of(with_model(model)).get("/props").data)
    assert (body["user_name"], body["assistant_name"], body["total_slots"]) == ("User:", "Llama:", 4)
    assert body["default_generation_settings"]["n_predict"] == 32


@pytest.mark.parametrize("is_on", [False, True])
def test_props_tell_about_the_server_if_asked_to(is_on: bool) -> None:
    model = Model(name="m", default_settings=settings(), training_context_length=8192)
    model.capabilities.vision = is_on
    client = client_of(with_model(model), RestConfig(metrics=is_on, slots_endpoint=is_on))
    plain, body = (json.loads(client.get(path).data) for path in ("/props", "/props?server"))
    assert body.pop("build_info").startswith("slotline ")
    assert body == plain | {
        "endpoint_metrics": is_on,
        "endpoint_slots": is_on,
        "modalities": {"vision": is_on},
        "n_ctx_train": 8192,
    }


FRESH_METRICS = """\
# HELP llamacpp:prompt_tokens_total Number of prompt tokens processed.
# TYPE llamacpp:prompt_tokens_total counter
llamacpp:prompt_tokens_total 0
# HELP llamacpp:tokens_predicted_total Number of generation tokens processed.
# TYPE llamacpp:tokens_predicted_total counter
llamacpp:tokens_predicted_total 0
# HELP llamacpp:prompt_tokens_seconds Average prompt throughput in tokens/s.
# TYPE llamacpp:prompt_tokens_seconds gauge
llamacpp:prompt_tokens_seconds 0.0
# HELP llamacpp:predicted_tokens_seconds Average generation throughput in tokens/s.
# TYPE llamacpp:predicted_tokens_seconds gauge
llamacpp:predicted_tokens_seconds 0.0
# HELP llamacpp:kv_cache_usage_ratio KV-cache usage. 1 means 100 percent usage.
# TYPE llamacpp:kv_cache_usage_ratio gauge
llamacpp:kv_cache_usage_ratio 0.0
# HELP llamacpp:kv_cache_tokens KV-cache tokens.
# TYPE llamacpp:kv_cache_tokens gauge
llamacpp:kv_cache_tokens 0
# HELP llamacpp:requests_processing Number of request processing.
# TYPE llamacpp:requests_processing gauge
llamacpp:requests_processing 0
# HELP llamacpp:requests_deferred Number of request deferred.
# TYPE llamacpp:requests_deferred gauge
llamacpp:requests_deferred 0
"""
OWN_METRICS = """\
# HELP slotline_rest_responses_total HTTP responses by route and status.
# TYPE slotline_rest_responses_total counter
# HELP slotline_rest_requests_running Generations and embeddings that run or wait.
# TYPE slotline_rest_requests_running gauge
slotline_rest_requests_running 0
"""


def with_metrics(**values: Any) -> MemoryCore:
    return MemoryCore(answer, {GET_METRICS.path: GetMetricsResponse(**values)})


def test_metrics_of_a_fresh_server_to_the_byte() -> None:
    core = with_metrics()
    response = client_of(core, RestConfig(metrics=True)).get("/metrics")
    assert (response.status_code, response.headers["Content-Type"]) == (200, "text/plain; version=0.0.4")
    assert response.data.decode() == FRESH_METRICS + OWN_METRICS
    assert core.unary_requests == [GetMetricsRequest(reset_window=True)]


def test_metrics_can_be_read_without_a_new_window() -> None:
    core = with_metrics()
    assert client_of(core, RestConfig(metrics=True)).get("/metrics?keep_window").status_code == 200
    assert core.unary_requests == [GetMetricsRequest(reset_window=False)]


def test_metrics_of_a_busy_server() -> None:
    core = with_metrics(
        prompt_tokens_total=12345,
        predicted_tokens_total=678,
        prompt_tokens_per_second=97.5609756097561,
        predicted_tokens_per_second=100,
        kv_cells_used=128,
        kv_cells_total=512,
        kv_tokens=130,
        requests_processing=2,
        requests_deferred=3,
    )
    lines = client_of(core, RestConfig(metrics=True)).get("/metrics").data.decode().splitlines()
    assert [line.removeprefix("llamacpp:") for line in lines if line.startswith("llamacpp:")] == [
        "prompt_tokens_total 12345",
        "tokens_predicted_total 678",
        "prompt_tokens_seconds 97.5609756097561",
        "predicted_tokens_seconds 100.0",
        "kv_cache_usage_ratio 0.25",
        "kv_cache_tokens 130",
        "requests_processing 2",
        "requests_deferred 3",
    ]


@pytest.mark.parametrize(("exposition", "end"), [("", "running 0\n"), ("a 1", "\na 1\n"), ("a 1\n", "\na 1\n")])
def test_the_core_s_own_metrics_come_last(exposition: str, end: str) -> None:
    text = client_of(with_metrics(exposition=exposition), RestConfig(metrics=True)).get("/metrics").data.decode()
    assert text.endswith(end)


def test_responses_are_counted_by_route_and_status() -> None:
    client = client_of(with_metrics(), RestConfig(metrics=True))
    for _ in range(2):
        client.post("/completion", json={})
    client.post("/completion", data=b"{")
    client.get("/nope/1")
    client.get("/nope/2")
    client.open("/completion", method="BREW")
    running = client.post("/completion", json={"stream": True}, buffered=False)
    text = client.get("/metrics").data.decode()
    running.close()
    start = "slotline_rest_responses_total"
    assert [line.removeprefix(start) for line in text.splitlines() if line.startswith(start)] == [
        '{method="GET",route="other",status="404"} 2',
        '{method="POST",route="/completion",status="200"} 3',
        '{method="POST",route="/completion",status="400"} 1',
        '{method="other",route="other",status="405"} 1',
    ]
    assert text.endswith("slotline_rest_requests_running 1\n")


def test_metrics_parse_as_prometheus_text() -> None:
    client = client_of(with_metrics(exposition="# TYPE x gauge\nx 1\n"), RestConfig(metrics=True))
    client.get("/health")
    families = {family.name for family in text_string_to_metric_families(client.get("/metrics").data.decode())}
    assert {"llamacpp:prompt_tokens", "llamacpp:requests_deferred", "slotline_rest_responses", "x"} <= families


def test_metrics_are_off_unless_asked_for() -> None:
    response = client_of(with_metrics()).get("/metrics")
    assert response.status_code == 404
    assert error_of(response)["message"] == "/metrics: off; start the server with --metrics"


@pytest.mark.parametrize("path", ["/v1/models", "/models"])
def test_models(path: str) -> None:
    response = client_of(with_state(READY)).get(path)
    assert response.content_type == JSON
    assert [model["id"] for model in json.loads(response.data)["data"]] == ["m.gguf"]


@pytest.mark.parametrize("path", ["/v1/models/", "/models/"])
@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("m.gguf", "m.gguf"),
        # Any name will do, as in chats.
        ("gpt-4", "gpt-4"),
        ("org/m%20%C3%A9.gguf", "org/m é.gguf"),
        # Paths of files are not repeated.
        ("/models/m%20%C3%A9.gguf", "served"),
        ("%2Fmodels%2Fm.gguf", "served"),
        ("../m/", "../m/"),
        ("a%3Fb", "a?b"),
    ],
)
def test_one_model_by_its_name(path: str, written: str, name: str) -> None:
    core = MemoryCore(unary={GET_MODEL.path: GetModelResponse(model=Model(name="served"))})
    response = client_of(core).get(path + written)
    body = json.loads(response.data)
    assert response.content_type == JSON
    assert (body["id"], body["object"], body["owned_by"]) == (name, "model", "llamacpp")
    assert core.unary_requests == [GetModelRequest()]


def test_a_model_of_a_core_that_is_loading() -> None:
    failure = RpcFailure(StatusCode.UNAVAILABLE, "MODEL_LOADING", "wait")
    response = client_of(MemoryCore(unary={GET_MODEL.path: failure})).get("/v1/models/other")
    assert response.status_code == 503
    assert error_of(response)["message"] == "wait"


@pytest.mark.parametrize(("native_model", "shown"), [(None, "m.gguf"), ("/models/m.gguf", "/models/m.gguf")])
def test_slots_call_the_model_as_native_answers_do(native_model: str | None, shown: str) -> None:
    core = with_state(READY, SLOT_STATE_IDLE)
    response = client_of(core, RestConfig(native_model=native_model)).get("/slots")
    assert [slot["model"] for slot in json.loads(response.data)] == [shown]


@pytest.mark.parametrize("path", ["/v1/models", "/slots", "/props", "/metrics"])
def test_state_of_a_core_that_is_not_there(path: str) -> None:
    core = MemoryCore(unary={method.path: UNREACHABLE for method in (LIST_MODELS, LIST_SLOTS, GET_MODEL, GET_METRICS)})
    response = client_of(core, RestConfig(metrics=True)).get(path)
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


def test_tokenize() -> None:
    core = MemoryCore(unary={TOKENIZE.path: TokenizeResponse(ids=[1, 2])})
    response = client_of(core).post("/tokenize", json={"content": "ab"})
    assert (response.data, response.content_type) == (b'{"tokens":[1,2]}', JSON)


@pytest.mark.parametrize("body", [b"{}", b"[]", b'{"content":""}'])
def test_tokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/tokenize", data=body).data == b'{"tokens":[]}'


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [(TOKENIZE, "/tokenize", {"content": "ab"}), (DETOKENIZE, "/detokenize", {"tokens": [5]})],
)
def test_a_client_that_leaves_ends_the_work(method: UnaryMethod[Any, Any], path: str, body: dict[str, object]) -> None:
    core = MemoryCore()

    def answer(_: object) -> Message:
        # Nothing but the client's leaving ends this; a test that hangs here has failed.
        while not core.started[0].is_closed:
            gevent.sleep(0)
        raise StreamClosed

    core.answer_with(method, answer)
    ours, theirs = gevent.socket.socketpair()
    with ours:
        theirs.close()
        client_of(core).post(path, json=body, environ_overrides={SOCKET_KEY: ours})
    assert core.started[0].is_closed


def test_detokenize() -> None:
    core = MemoryCore(unary={DETOKENIZE.path: DetokenizeResponse(text="é")})
    response = client_of(core).post("/detokenize", json={"tokens": [5]})
    assert (response.data, response.content_type) == ('{"content":"é"}'.encode(), JSON)


@pytest.mark.parametrize("body", [b"{}", b'{"tokens":[]}'])
def test_detokenizing_nothing_needs_no_core(body: bytes) -> None:
    assert client_of(MemoryCore()).post("/detokenize", data=body).data == b'{"content":""}'
