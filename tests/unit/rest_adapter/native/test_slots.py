"""The array of GET /slots."""

from __future__ import annotations

import pytest

from rest_adapter.apis.native.slots.reply_2024 import slots_json
from rest_adapter.json.encoding import encode
from slotline.v1.model_pb2 import (
    SLOT_STATE_DECODE,
    SLOT_STATE_IDLE,
    SLOT_STATE_PREFILL,
    Slot,
    SlotState,
)
from slotline.v1.prompt_pb2 import ChatMessage, ChatPrompt, InfillPrompt, PromptPart, PromptParts
from slotline.v1.tokens_pb2 import TokenIds
from tests.unit.rest_adapter.messages import settings

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
