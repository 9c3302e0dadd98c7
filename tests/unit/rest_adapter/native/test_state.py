from __future__ import annotations

import pytest

from rest_adapter.apis.common.settings import generation_settings
from rest_adapter.apis.native.health.reply import health_answer
from rest_adapter.apis.native.slots.reply import slots_json
from rest_adapter.apis.openai.models.reply import models_json
from rest_adapter.json.encoding import JsonObject, encode
from slotline.v1.generation_pb2 import GenerationSettings
from slotline.v1.model_pb2 import (
    SERVER_STATE_DRAINING,
    SERVER_STATE_FAILED,
    SERVER_STATE_LOADING,
    SERVER_STATE_READY,
    SERVER_STATE_STALLED,
    SERVER_STATE_UNSPECIFIED,
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    SLOT_STATE_PREFILL,
    HealthResponse,
    Model,
    ServerState,
    Slot,
    SlotState,
)
from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt, InfillPrompt, PromptPart, PromptParts
from slotline.v1.sampling_pb2 import PenaltyPrompt
from slotline.v1.tokens_pb2 import TokenIds
from tests.unit.rest_adapter.messages import settings

FREE = '{"slots_idle":1,"slots_processing":2,"status":"ok"}'
BUSY = '{"slots_idle":0,"slots_processing":3,"status":"no slot available"}'


@pytest.mark.parametrize(
    ("state", "idle", "processing", "fails_without_slot", "status", "body"),
    [
        (SERVER_STATE_LOADING, 0, 0, False, 503, '{"status": "loading model"}'),
        (SERVER_STATE_UNSPECIFIED, 0, 0, True, 503, '{"status": "loading model"}'),
        (SERVER_STATE_STALLED, 1, 1, False, 503, '{"status": "stalled"}'),
        (SERVER_STATE_FAILED, 0, 0, False, 500, '{"status": "error"}'),
        (SERVER_STATE_READY, 1, 2, False, 200, FREE),
        (SERVER_STATE_READY, 1, 2, True, 200, FREE),
        (SERVER_STATE_READY, 0, 3, False, 200, BUSY),
        (SERVER_STATE_READY, 0, 3, True, 503, BUSY),
        (SERVER_STATE_DRAINING, 0, 3, False, 503, BUSY),
        (
            SERVER_STATE_DRAINING,
            1,
            2,
            False,
            503,
            '{"slots_idle":1,"slots_processing":2,"status":"no slot available"}',
        ),
    ],
)
def test_health(
    state: ServerState.ValueType, idle: int, processing: int, fails_without_slot: bool, status: int, body: str
) -> None:
    health = HealthResponse(state=state, slots_idle=idle, slots_processing=processing)
    answer = health_answer(health, fails_without_slot=fails_without_slot)
    assert (answer.status, answer.body.decode()) == (status, body)


def test_health_with_slots_counts_the_slots_that_it_shows() -> None:
    health = HealthResponse(state=SERVER_STATE_READY, slots_idle=2)
    slots: list[JsonObject] = [{"id": 0, "state": 1}, {"id": 1, "state": 0}]
    answer = health_answer(health, fails_without_slot=True, slots=slots)
    assert answer.body.decode() == (
        '{"slots":[{"id":0,"state":1},{"id":1,"state":0}],"slots_idle":1,"slots_processing":1,"status":"ok"}'
    )


def test_health_with_slots_that_are_all_busy_fails_if_asked_to() -> None:
    health = HealthResponse(state=SERVER_STATE_READY, slots_idle=1)
    assert health_answer(health, fails_without_slot=True, slots=[{"id": 0, "state": 1}]).status == 503


def test_models() -> None:
    assert encode(models_json([Model(name="a"), Model(name="b")], now=1709110000)).decode() == (
        '{"data":[{"created":1709110000,"id":"a","object":"model","owned_by":"llamacpp"},'
        '{"created":1709110000,"id":"b","object":"model","owned_by":"llamacpp"}],"object":"list"}'
    )


def test_settings_show_limits_biases_and_the_penalty_prompt() -> None:
    given = settings()
    given.max_tokens = 16
    given.n_keep = 4
    given.n_probs = 3
    given.grammar = "root ::= x"
    given.stop_texts.extend(["a", "b"])
    given.penalty_prompt_token_ids.extend([1, 2])
    given.sampling.penalty_prompt.CopyFrom(PenaltyPrompt(text="x"))
    given.logit_bias[7042] = 4.0
    given.logit_bias[260] = float("-inf")
    shown = generation_settings(given, model="m", is_stream=True)
    expected = {
        "n_predict": 16,
        "n_keep": 4,
        "n_probs": 3,
        "grammar": "root ::= x",
        "stop": ["a", "b"],
        "penalty_prompt_tokens": [1, 2],
        "use_penalty_prompt_tokens": True,
        "logit_bias": [[260, None], [7042, 4.0]],
        "model": "m",
        "stream": True,
    }
    assert {key: shown[key] for key in expected} == expected


def test_an_empty_sampler_chain_is_shown_as_empty() -> None:
    given = settings()
    given.sampling.samplers.ClearField("samplers")
    assert generation_settings(given, model="m", is_stream=False)["samplers"] == []


def test_settings_without_a_penalty_prompt_say_so() -> None:
    assert generation_settings(settings(), model="m", is_stream=False)["use_penalty_prompt_tokens"] is False


def test_a_limit_of_zero_is_not_no_limit() -> None:
    assert generation_settings(GenerationSettings(max_tokens=0), model="m", is_stream=False)["n_predict"] == 0


FRESH_SLOT = (
    '{"dynatemp_exponent":1.0,"dynatemp_range":0.0,"frequency_penalty":0.0,"grammar":"","id":0,"ignore_eos":false,'
    '"logit_bias":[],"min_keep":0,"min_p":0.05000000074505806,"mirostat":0,"mirostat_eta":0.10000000149011612,'
    '"mirostat_tau":5.0,"model":"m.gguf","n_ctx":512,"n_keep":0,"n_predict":-1,"n_probs":0,"next_token":'
    '{"has_next_token":true,"n_remain":-1,"num_tokens_predicted":0,"stopped_eos":false,"stopped_limit":false,'
    '"stopped_word":false,"stopping_word":""},"penalize_nl":true,"penalty_prompt_tokens":[],"presence_penalty":0.0,'
    '"prompt":null,"repeat_last_n":64,"repeat_penalty":1.100000023841858,"samplers":["top_k","tfs_z","typical_p",'
    '"top_p","min_p","temperature"],"seed":4294967295,"state":0,"stop":[],"stream":true,"task_id":-1,'
    '"temperature":0.800000011920929,"tfs_z":1.0,"top_k":40,"top_p":0.949999988079071,"typical_p":1.0,'
    '"use_penalty_prompt_tokens":false}'
)


def test_a_fresh_slot_byte_by_byte() -> None:
    slot = Slot(id=0, state=SLOT_STATE_IDLE, settings=settings())
    assert encode(slots_json([slot], model="m.gguf")).decode() == f"[{FRESH_SLOT}]"


@pytest.mark.parametrize("state", [SLOT_STATE_PREFILL, SLOT_STATE_DECODE])
def test_a_busy_slot(state: SlotState.ValueType) -> None:
    slot = Slot(
        id=3,
        state=state,
        task_id=9,
        settings=settings(seed=77),
        text="Hi",
        tokens_predicted=4,
        tokens_remaining=0,
        has_next_token=True,
    )
    (shown,) = slots_json([slot], model="m")
    assert (shown["id"], shown["state"], shown["task_id"], shown["prompt"], shown["seed"]) == (3, 1, 9, "Hi", 77)
    assert shown["next_token"]["has_next_token"] is True
    assert shown["next_token"]["n_remain"] == 0
    assert shown["next_token"]["num_tokens_predicted"] == 4


def test_a_slot_after_its_task() -> None:
    slot = Slot(id=0, state=SLOT_STATE_IDLE, task_id=0, settings=settings(), stopped_word=True, stopped_limit=True)
    (shown,) = slots_json([slot], model="m")
    assert (shown["state"], shown["task_id"]) == (0, 0)
    assert shown["next_token"] == {
        "has_next_token": False,
        "n_remain": -1,
        "num_tokens_predicted": 0,
        "stopped_eos": False,
        "stopped_limit": True,
        "stopped_word": True,
        "stopping_word": "",
    }


@pytest.mark.parametrize(
    ("slot", "prompt"),
    [
        (Slot(), None),
        (Slot(text=""), ""),
        (Slot(token_ids=TokenIds(ids=[1, 2])), [1, 2]),
        (
            Slot(parts=PromptParts(parts=[PromptPart(text="a"), PromptPart(token_ids=TokenIds(ids=[1, 2]))])),
            ["a", 1, 2],
        ),
        (
            Slot(chat=ChatPrompt(messages=[ChatMessage(role="user", content=[PromptPart(text="a")])])),
            [{"role": "user", "content": "a"}],
        ),
        (Slot(infill=InfillPrompt()), ""),
    ],
)
def test_the_prompt_of_a_slot(slot: Slot, prompt: object) -> None:
    assert slots_json([slot], model="m")[0]["prompt"] == prompt
