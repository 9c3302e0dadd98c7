"""GET /props, /slots, /health and /v1/models in the shape of today, over a core in memory."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from rest_adapter.api_shape import ApiShape
from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_MODEL, LIST_MODELS, LIST_SLOTS
from slotline.v1.model_pb2 import (
    SERVER_STATE_DRAINING,
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    VOCABULARY_TYPE_BPE,
    GetModelRequest,
    GetModelResponse,
    HealthResponse,
    ListModelsResponse,
    ListSlotsResponse,
    Model,
    Slot,
)
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import READY, UNREACHABLE, client_of, error_of, with_state
from tests.unit.rest_adapter.messages import settings

if TYPE_CHECKING:
    from flask.testing import FlaskClient

USUAL = ["penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]


def client_now(core: MemoryCore, **config: Any) -> FlaskClient:
    return client_of(core, RestConfig(api_shape=ApiShape.NOW, **config))


def model(**facts: Any) -> Model:
    made = Model(
        name="m",
        file_name="m.gguf",
        n_slots=2,
        context_length=512,
        training_context_length=2048,
        default_settings=settings(),
        chat_template="T",
        bos_token="<s>",
        eos_token="</s>",
        vocabulary_type=VOCABULARY_TYPE_BPE,
        vocab_size=258,
        embedding_dim=64,
        n_params=9,
        size_bytes=18,
        file_type="Q4_1",
        **facts,
    )
    made.chat_format.template_capabilities.tools = True
    return made


def with_model(served: Model) -> MemoryCore:
    return MemoryCore(
        unary={
            GET_MODEL.path: GetModelResponse(model=served),
            LIST_MODELS.path: ListModelsResponse(models=[served]),
        }
    )


def test_props_tell_of_the_model_its_template_and_the_routes() -> None:
    client = client_now(with_model(model()), native_model="/models/m.gguf", props_endpoint=True)
    body = json.loads(client.get("/props").data)
    assert body.pop("build_info").startswith("slotline ")
    params = body["default_generation_settings"].pop("params")
    assert body == {
        "default_generation_settings": {"n_ctx": 512},
        "total_slots": 2,
        "model_alias": "m",
        "model_ftype": "Q4_1",
        "model_path": "/models/m.gguf",
        "modalities": {"audio": False, "video": False, "vision": False},
        "endpoint_slots": True,
        "endpoint_props": True,
        "endpoint_metrics": False,
        "ui": True,
        "ui_settings": {},
        "chat_template": "T",
        "chat_template_caps": body["chat_template_caps"],
        "bos_token": "<s>",
        "eos_token": "</s>",
        "is_sleeping": False,
        "cors_proxy_enabled": False,
    }
    assert body["chat_template_caps"]["supports_tools"] is True
    assert body["chat_template_caps"]["supports_tool_calls"] is False
    assert params["samplers"] == USUAL
    assert not params.keys() & {"tfs_z", "penalize_nl", "stop", "grammar"}


@pytest.mark.parametrize("shape", ApiShape)
def test_props_ask_for_the_defaults_of_their_shape(shape: ApiShape) -> None:
    core = with_model(model())
    client_of(core).get(f"/props?shape={shape.value}")
    (asked,) = core.unary_requests
    assert isinstance(asked, GetModelRequest)
    given = {field.name: value for field, value in asked.sampling_defaults.ListFields()}
    assert given == ({"repeat_penalty": 1.0} if shape is ApiShape.NOW else {})


def test_a_model_with_an_alias_does_not_tell_where_its_file_lies() -> None:
    client = client_now(with_model(model()), native_model="smol")
    assert json.loads(client.get("/props").data)["model_path"] == "m.gguf"


@pytest.mark.parametrize(
    ("names", "aliases"),
    [
        ({"name": "m"}, []),
        ({"name": "code", "aliases": ["fim", "m.gguf"]}, ["code", "fim"]),
        ({"name": "tiny", "aliases": ["m.gguf"]}, ["tiny"]),
    ],
)
def test_models_have_their_facts_and_the_names_that_were_given(names: dict[str, Any], aliases: list[str]) -> None:
    served = model(tags=["small"])
    served.name = names["name"]
    served.aliases.extend(names.get("aliases", ["m.gguf"]))
    (shown,) = json.loads(client_now(with_model(served)).get("/v1/models").data)["data"]
    assert (shown["id"], shown["aliases"], shown["tags"]) == (names["name"], aliases, ["small"])
    assert shown["meta"] == {
        "vocab_type": 2,
        "n_vocab": 258,
        "n_ctx": 512,
        "n_ctx_train": 2048,
        "n_embd": 64,
        "n_params": 9,
        "size": 18,
        "ftype": "Q4_1",
    }


def test_a_slot_tells_of_a_task_once_there_was_one() -> None:
    core = with_state(READY)
    busy = Slot(
        id=1,
        state=SLOT_STATE_DECODE,
        task_id=7,
        settings=settings(),
        prompt_tokens=5,
        prompt_tokens_done=5,
        prompt_tokens_cached=3,
        cached_tokens=9,
        tokens_predicted=4,
        tokens_remaining=6,
        has_next_token=True,
        text="secret",
    )
    fresh = Slot(id=0, state=SLOT_STATE_IDLE, settings=settings())
    core.answer_with(LIST_SLOTS, ListSlotsResponse(slots=[fresh, busy]))
    shown = json.loads(client_now(core).get("/slots").data)
    assert shown[0] == {"id": 0, "n_ctx": 512, "speculative": False, "is_processing": False}
    assert shown[1].pop("params")["samplers"] == USUAL
    assert shown[1] == {
        "id": 1,
        "n_ctx": 512,
        "speculative": False,
        "is_processing": True,
        "id_task": 7,
        "n_prompt_tokens": 9,
        "n_prompt_tokens_processed": 2,
        "n_prompt_tokens_cache": 3,
        "next_token": [{"has_next_token": True, "n_remain": 6, "n_decoded": 4}],
    }


def test_of_a_task_that_is_over_nothing_is_left() -> None:
    core = with_state(READY)
    over = Slot(id=0, state=SLOT_STATE_IDLE, task_id=7, settings=settings(), tokens_predicted=4, tokens_remaining=6)
    core.answer_with(LIST_SLOTS, ListSlotsResponse(slots=[over]))
    (shown,) = json.loads(client_now(core).get("/slots").data)
    assert shown["next_token"] == [{"has_next_token": False, "n_remain": -1, "n_decoded": 0}]


@pytest.mark.parametrize(
    ("states", "query", "status"),
    [
        ([SLOT_STATE_DECODE], "?fail_on_no_slot=1", 503),
        ([SLOT_STATE_DECODE], "?fail_on_no_slot=", 200),
        ([SLOT_STATE_DECODE, SLOT_STATE_IDLE], "?fail_on_no_slot=1", 200),
        ([SLOT_STATE_DECODE], "", 200),
    ],
)
def test_slots_fail_if_none_is_idle_and_that_was_asked_for(states: list[Any], query: str, status: int) -> None:
    response = client_now(with_state(READY, *states)).get(f"/slots{query}")
    assert response.status_code == status
    if status == 503:
        assert error_of(response) == {"code": 503, "message": "no slot available", "type": "unavailable_error"}


@pytest.mark.parametrize("path", ["/slots", "/metrics"])
def test_what_is_off_is_not_supported(path: str) -> None:
    response = client_now(with_state(READY), slots_endpoint=False).get(path)
    assert (response.status_code, error_of(response)["type"]) == (501, "not_supported_error")


@pytest.mark.parametrize(
    ("state", "status", "body"),
    [
        (HealthResponse(state=SERVER_STATE_READY, slots_idle=1), 200, {"status": "ok"}),
        (HealthResponse(state=SERVER_STATE_READY), 200, {"status": "ok"}),
        (UNREACHABLE, 503, "Loading model"),
        (HealthResponse(state=SERVER_STATE_LOADING), 503, "Loading model"),
        (HealthResponse(state=SERVER_STATE_STALLED), 503, "The model does not get on with its work"),
        (HealthResponse(state=SERVER_STATE_DRAINING, slots_idle=1), 503, "The server is going down"),
        (HealthResponse(state=SERVER_STATE_FAILED), 500, "The model could not be loaded"),
    ],
)
def test_health_is_one_word_or_an_error(state: HealthResponse | Exception, status: int, body: Any) -> None:
    response = client_now(with_state(state)).get("/health")
    kind = "unavailable_error" if status == 503 else "server_error"
    error = {"error": {"code": status, "message": body, "type": kind}}
    assert (response.status_code, json.loads(response.data)) == (status, body if status == 200 else error)


def test_health_without_an_idle_slot_fails_if_that_was_asked_for() -> None:
    client = client_now(with_state(HealthResponse(state=SERVER_STATE_READY)))
    assert client.get("/health?fail_on_no_slot").status_code == 503


@pytest.mark.parametrize(
    ("is_on", "body", "status"), [(False, "{}", 501), (True, "{}", 200), (True, '{"total_slots": 2}', 400)]
)
@pytest.mark.parametrize("shape", ApiShape)
def test_properties_cannot_be_changed(shape: ApiShape, is_on: bool, body: str, status: int) -> None:
    client = client_of(MemoryCore(), RestConfig(props_endpoint=is_on))
    response = client.post(f"/props?shape={shape.value}", data=body)
    assert response.status_code == status
    if status == 200:
        assert json.loads(response.data) == {"success": True}
    if status == 400:
        assert error_of(response)["message"].startswith("total_slots: cannot be changed")


def test_without_the_page_there_is_nothing_at_its_paths() -> None:
    with_page, without = client_of(MemoryCore()), client_of(MemoryCore(), RestConfig(page=False))
    for path in ("/", "/index.js"):
        assert (with_page.get(path).status_code, without.get(path).status_code) == (200, 404)
