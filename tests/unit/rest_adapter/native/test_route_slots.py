"""GET /slots over a core in memory."""

from __future__ import annotations

import json

import pytest

from rest_adapter.config import RestConfig
from rest_adapter.core.calls import LIST_SLOTS
from slotline.v1.model_pb2 import (
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    ListSlotsResponse,
    Slot,
)
from tests.unit.rest_adapter.clients import READY, client_of, error_of, with_state
from tests.unit.rest_adapter.messages import settings

FREE_BODY = b'{"slots_idle":1,"slots_processing":1,"status":"ok"}'


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
        "message": "/slots: switched off by --no-slots or --slots-endpoint-disable",
        "type": "not_found_error",
    }
    assert client.get("/health?include_slots").data == FREE_BODY


@pytest.mark.parametrize(("native_model", "shown"), [(None, "m.gguf"), ("/models/m.gguf", "/models/m.gguf")])
def test_slots_call_the_model_as_native_answers_do(native_model: str | None, shown: str) -> None:
    core = with_state(READY, SLOT_STATE_IDLE)
    response = client_of(core, RestConfig(native_model=native_model)).get("/slots")
    assert [slot["model"] for slot in json.loads(response.data)] == [shown]
