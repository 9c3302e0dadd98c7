"""GET /props over a core in memory."""

from __future__ import annotations

import json

import pytest

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import GET_MODEL
from slotline.v1.model_pb2 import (
    ChatFormat,
    GetModelResponse,
    Model,
)
from slotline.v1.prompt_pb2 import SystemPrompt
from tests.support.memory_core import MemoryCore
from tests.unit.rest_adapter.clients import JSON, client_of
from tests.unit.rest_adapter.messages import settings

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
        "modalities": {"audio": False, "vision": is_on},
        "n_ctx_train": 8192,
    }


def test_props_tell_how_answers_are_written() -> None:
    chat_format = ChatFormat(
        tool_format="json",
        tool_source="fallback",
        reasoning_open="<think>",
        reasoning_close="</think>",
        reasoning_switches=["enable_thinking"],
        description_json='{"calls": {"style": "json"}}',
    )
    client = client_of(with_model(Model(name="m", default_settings=settings(), chat_format=chat_format)))
    assert json.loads(client.get("/props?server").data)["chat_format"] == {
        "tool_format": "json",
        "tool_source": "fallback",
        "reasoning_open": "<think>",
        "reasoning_close": "</think>",
        "reasoning_switches": ["enable_thinking"],
        "description": {"calls": {"style": "json"}},
    }
    assert "chat_format" not in json.loads(client.get("/props").data)
